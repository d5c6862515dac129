//! Takes a number off the account's do-not-call list.

use super::stored;
use crate::principal::{Granted, SendNotices};
use crate::{App, Refusal};
use yunling_domain::error_code::NOT_FOUND;
use yunling_store::audit::{self, AuditEntry};
use yunling_store::{Lane, StoreError, do_not_call};

/// Takes a number off the list. Numbers of campaigns that were closed for it stay closed.
///
/// # Errors
/// `BAD_NUMBER`; `NOT_FOUND` where it was not there.
pub async fn run(app: &App, caller: &Granted<SendNotices>, number: &str) -> Result<(), Refusal> {
    let number = stored("number", number)?;
    let entry = AuditEntry {
        at: app.clock().now(),
        account: caller.account().clone(),
        who: caller.who().to_owned(),
        action: "do_not_call.remove".to_owned(),
        object: format!("do_not_call/{number}"),
        detail: serde_json::json!({}),
    };
    let account = caller.account().clone();
    let removed = app
        .store()
        .writer()
        .write(Lane::Live, move |tx| {
            Box::pin(async move {
                let removed = do_not_call::remove(tx, &account, &number).await?;
                if removed {
                    audit::append(tx, &entry).await?;
                }
                Ok::<_, StoreError>(removed)
            })
        })
        .await?;
    if removed {
        return Ok(());
    }
    Err(Refusal::new(NOT_FOUND).with_detail("the number is not on the list"))
}
