//! addCall: calls a third party into a conversation of two.

use crate::click::{AdditionSpec, find};
use crate::ports::NotAdded;
use crate::principal::{Dial, Granted};
use crate::submit_click::{ClickRequest, gate, validate};
use crate::{App, Refusal};
use yunling_domain::conversation::AddRefusal;
use yunling_domain::error_code::{
    ALREADY_THREE, CONVERSATION_ENDED, NOT_BRIDGED, UNKNOWN_APPLICATION,
};
use yunling_domain::{ApplicationId, CallId, ConversationId};
use yunling_store::talks;

/// Checks the fields, asks the gate, and has the third party called. Gives the identifier of its
/// call. The answer does not wait for the phone.
///
/// # Errors
/// [`Refusal`]: what is wrong with the request; `NOT_BRIDGED`, `ALREADY_THREE`,
/// `CONVERSATION_ENDED`; a limit; `CONVERSATION_ELSEWHERE`.
pub async fn run(
    app: &App,
    caller: &Granted<Dial>,
    application: &ApplicationId,
    conversation: &ConversationId,
    request: &ClickRequest,
) -> Result<CallId, Refusal> {
    let account = caller.account();
    let click = find::find(app, account, application, conversation, None).await?;
    let directory = app.directory();
    let application = directory
        .application(account, application)
        .ok_or_else(|| Refusal::new(UNKNOWN_APPLICATION))?;
    let checked = validate::addition(request, application)?;
    if talks::get(app.store().reader(), account, conversation).await?.is_some() {
        return Err(Refusal::new(CONVERSATION_ENDED));
    }
    find::is_steered_here(app, &click).await?;
    let (callee, _) = gate::ask(
        app,
        application,
        ("callee", &checked.callee),
        ("calleeCli", checked.callee_cli.as_ref()),
        app.clock().now(),
    )?;
    let addition = AdditionSpec {
        callee,
        voices: checked.voices,
        ringback: checked.ringback,
        record: checked.record,
        timeout_s: checked.timeout_s,
    };
    let Some(talks) = app.talks() else { return Err(Refusal::new(NOT_BRIDGED)) };
    let turns = gate::Turns::begin(app);
    loop {
        match talks.add(account, conversation, addition.clone()).await {
            Err(NotAdded::Busy(busy)) if turns.next(&busy).await => {}
            outcome => return outcome.map_err(refused),
        }
    }
}

fn refused(refusal: NotAdded) -> Refusal {
    match refusal {
        // It has not begun yet.
        NotAdded::Unknown | NotAdded::Refused(AddRefusal::NotBridged) => Refusal::new(NOT_BRIDGED),
        NotAdded::Refused(AddRefusal::AlreadyThree) => Refusal::new(ALREADY_THREE),
        NotAdded::Refused(AddRefusal::Ended) => Refusal::new(CONVERSATION_ENDED),
        NotAdded::Busy(busy) => gate::busy(busy),
    }
}
