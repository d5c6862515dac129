//! click2call: takes a request to connect two phones. The answer never waits for SIP: what is
//! accepted is a row, a line for the caller is taken, and the dispatcher is woken.

mod accept;
pub(crate) mod gate;
mod request;
pub(crate) mod validate;

pub use request::{Action, ClickRequest};

use crate::idempotency::{self, Idempotency};
use crate::principal::{Dial, Granted, Page};
use crate::{App, Refusal};
use serde::{Deserialize, Serialize};
use yunling_domain::error_code::UNKNOWN_APPLICATION;
use yunling_domain::{ApplicationId, ConversationId, RequestId};

/// The operation that idempotency keys of this use case are for.
const ROUTE: &str = "ctc/Conversations";

/// What is known of a request besides its fields.
#[derive(Debug, Clone, Default)]
pub struct Envelope {
    /// The SoftVersion of the path; empty where there was none.
    pub api_version: String,
    /// The `Idempotency-Key` with its request.
    pub idempotency: Option<Idempotency>,
    /// What makes the call a part of the caller's trace ([`crate::trace_context`]).
    pub traceparent: Option<String>,
    /// What a browser token allows; absent for other credentials.
    pub page: Option<Page>,
}

/// The request was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// `conversationSid`
    pub conversation: ConversationId,
    /// The request behind it.
    pub request: RequestId,
    /// Whether this is the answer to an earlier request with the same `Idempotency-Key`.
    #[serde(skip)]
    pub replayed: bool,
}

/// Takes a click2call: checks its fields, asks the gate for both parties, takes a line for the
/// caller, and stores request and attempt in one transaction.
///
/// # Errors
/// [`Refusal`] with the code of what is wrong or in the way. What was refused causes no call and no
/// callback.
pub async fn run(
    app: &App,
    caller: &Granted<Dial>,
    application: &ApplicationId,
    request: &ClickRequest,
    envelope: Envelope,
) -> Result<Accepted, Refusal> {
    let outcome = decide_and_store(app, caller, application, request, envelope).await;
    match &outcome {
        Ok(accepted) if accepted.replayed => {}
        Ok(_) => {
            metrics::counter!("yunling_requests_accepted_total", "kind" => "click").increment(1);
        }
        Err(refusal) => {
            metrics::counter!("yunling_requests_refused_total", "kind" => "click", "code" => refusal.code.name)
                .increment(1);
        }
    }
    outcome
}

async fn decide_and_store(
    app: &App,
    caller: &Granted<Dial>,
    application: &ApplicationId,
    request: &ClickRequest,
    envelope: Envelope,
) -> Result<Accepted, Refusal> {
    if let Some(idempotency) = &envelope.idempotency
        && let Some(earlier) =
            idempotency::earlier_answer(app, caller.account(), ROUTE, idempotency).await?
    {
        return Ok(Accepted { replayed: true, ..earlier });
    }
    app.takes_requests()?;
    let directory = app.directory();
    let found = directory.account(caller.account()).and_then(|account| {
        let application = account.applications.get(application)?;
        Some((account, application))
    });
    let (account, application) = found.ok_or_else(|| Refusal::new(UNKNOWN_APPLICATION))?;
    let checked = validate::click(request, application, envelope.page.as_ref())?;

    let now = app.clock().now();
    let (caller_side, rule) = gate::ask(
        app,
        application,
        ("caller", &checked.caller),
        ("callerCli", checked.caller_cli.as_ref()),
        now,
    )?;
    let (callee_side, _) = gate::ask(
        app,
        application,
        ("callee", &checked.callee),
        ("calleeCli", checked.callee_cli.as_ref()),
        now,
    )?;
    let passed = accept::Passed { caller: caller_side, callee: callee_side, rule };
    let accepted =
        Box::pin(accept::store(app, account, application, checked, passed, envelope, now)).await?;
    if !accepted.replayed {
        app.poke().dispatcher();
    }
    Ok(accepted)
}
