//! Tells whoever wants to know how far a click-to-call conversation is: one status callback for each
//! state of each leg.

use crate::App;
use yunling_domain::call_cause::CallCause;
use yunling_domain::conversation::{CallStatus, StatusCallback, StatusFacts};
use yunling_domain::numbers::masked;
use yunling_domain::{AccountId, ApplicationId, CallId, ConversationId, Micros, Number};
use yunling_store::deliveries::{self, NewDelivery};
use yunling_store::requests::Request;
use yunling_store::{Lane, StoreError};

/// Who is told of a conversation's states, and what is the same in every callback.
#[derive(Debug, Clone)]
pub struct Listener {
    url: String,
    account: AccountId,
    application: ApplicationId,
    conversation: ConversationId,
    api_version: String,
    user_data: Option<String>,
    is_masked: bool,
}

/// One state of one leg.
#[derive(Debug, Clone)]
pub struct LegStatus {
    /// The leg's call.
    pub call: CallId,
    /// The line number shown, as it is stored.
    pub line: String,
    /// The number called as callbacks show it.
    pub shown: String,
    /// Whether it is one of those whom the caller calls: they may be masked.
    pub is_called: bool,
    /// What happened.
    pub status: CallStatus,
    /// When.
    pub at: Micros,
    /// Why it ended; on `completed` only.
    pub cause: Option<CallCause>,
    /// Additive `hangupReason`; on `completed` only.
    pub hangup_reason: Option<&'static str>,
    /// Additive `sipCode`.
    pub sip_code: Option<u16>,
    /// Its place among the conversation's callbacks.
    pub seq: u32,
}

impl Listener {
    /// Who is to be told of a request's conversation: its own `statusUrl`, else the application's;
    /// nobody where neither has one.
    pub fn of(
        app: &App,
        request: &Request,
        conversation: &ConversationId,
        is_masked: bool,
    ) -> Option<Self> {
        let accepted = &request.accepted;
        let own_url = accepted.urls.get("status").and_then(|url| url.as_str()).map(str::to_owned);
        let directory = app.directory();
        let application = directory.application(&accepted.account, &accepted.application);
        let url = own_url.or_else(|| application?.status_url.as_deref().map(str::to_owned))?;
        Some(Self {
            url,
            account: accepted.account.clone(),
            application: accepted.application.clone(),
            conversation: conversation.clone(),
            api_version: accepted.api_version.clone(),
            user_data: accepted.userdata.clone(),
            is_masked,
        })
    }
}

/// Puts a status callback into the outbox. Gives false, and changes nothing, where this state of
/// this leg was told before: it may be called again after any failure.
///
/// # Errors
/// The database did not take it.
pub async fn run(app: &App, listener: &Listener, told: &LegStatus) -> Result<bool, StoreError> {
    let delivery = delivery(app, listener, told);
    let account = listener.account.clone();
    let writer = app.store().writer();
    let written = writer
        .write_patiently(Lane::Live, move |tx| {
            Box::pin(async move { deliveries::insert(tx, &account, &delivery).await })
        })
        .await;
    match written {
        Ok(()) => {
            app.poke().deliveries();
            Ok(true)
        }
        // The identifier follows from the leg and its state: told before.
        Err(StoreError::Conflict(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

fn delivery(app: &App, listener: &Listener, told: &LegStatus) -> NewDelivery {
    let directory = app.directory();
    let account = directory.account(&listener.account);
    let to = match listener.is_masked && told.is_called {
        true => masked(&told.shown),
        false => told.shown.clone(),
    };
    let body = StatusCallback::new(&StatusFacts {
        conversation: listener.conversation.as_str(),
        call: told.call.as_str(),
        api_version: &listener.api_version,
        account: listener.account.as_str(),
        application: listener.application.as_str(),
        from: &national(&told.line),
        to: &to,
        status: told.status,
        at: told.at,
        cause: told.cause,
        hangup_reason: told.hangup_reason,
        sip_code: told.sip_code,
        user_data: listener.user_data.as_deref(),
        seq: told.seq,
        zone: account.map_or(app.settings().zone.0, |account| account.zone),
    });
    NewDelivery {
        id: format!("msg_{}_{}", told.call, told.status.as_str()),
        application: listener.application.clone(),
        conversation_id: Some(listener.conversation.clone()),
        seq: told.seq,
        kind: "click.status".to_owned(),
        url: listener.url.clone(),
        body: body.to_json(),
        created_at: told.at,
    }
}

/// A stored number as callbacks show it.
pub(crate) fn national(stored: &str) -> String {
    match Number::parse_dialable(stored) {
        Ok(number) => number.national().to_owned(),
        Err(_) => stored.to_owned(),
    }
}
