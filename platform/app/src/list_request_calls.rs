//! The calls of one request: those that are over, page by page, and, of a request to one number, the
//! one that is not.

use crate::get_call::CallView;
use crate::principal::{Granted, ReadCalls};
use crate::{App, Refusal, get_request, number_privacy};
use yunling_domain::RequestId;
use yunling_store::attempts::{self, AttemptState};
use yunling_store::calls::{self, CallFilter};
use yunling_store::{Page, PageRequest, RequestKind};

/// One page of a request's calls, newest first.
///
/// # Errors
/// `NOT_FOUND` for a request that the account does not have; `BAD_PARAMETER` for a cursor that is
/// none of ours.
pub async fn run(
    app: &App,
    caller: &Granted<ReadCalls>,
    request: &RequestId,
    page: &PageRequest,
) -> Result<Page<CallView>, Refusal> {
    let found = get_request::run(app, caller, request).await?;
    let reader = app.store().reader();
    let filter = CallFilter { request_id: Some(request.clone()), ..CallFilter::default() };
    let mut ended = calls::list(reader, caller.account(), &filter, page).await?;
    number_privacy::of_records(app, caller, &mut ended.rows).await?;
    let mut rows: Vec<CallView> =
        ended.rows.into_iter().map(|record| CallView::Ended(Box::new(record))).collect();
    let is_of_many = matches!(found.accepted.kind, RequestKind::Batch | RequestKind::Campaign);
    if rows.is_empty() && !is_of_many {
        let attempts = attempts::of_request(reader, caller.account(), request).await?;
        for mut attempt in attempts {
            if attempt.state != AttemptState::Ended {
                number_privacy::of_attempt(app, caller, &mut attempt).await?;
                rows.push(CallView::Live(Box::new(attempt)));
            }
        }
    }
    Ok(Page { rows, next: ended.next })
}
