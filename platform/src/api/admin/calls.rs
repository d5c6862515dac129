//! Call records and the timelines of conversations.

use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::types::Any;
use poem_openapi::{Object, OpenApi};
use serde_json::Value;
use yunling_app::get_call::{self, CallView};
use yunling_app::principal::ReadCalls;
use yunling_app::{App, Refusal, get_conversation_sip, list_calls};
use yunling_domain::error_code::{BAD_NUMBER, BAD_PARAMETER, INTERNAL};
use yunling_domain::event::ConversationEvent;
use yunling_domain::{ApplicationId, CallId, ConversationId, Number, RequestId};
use yunling_store::attempts::Attempt;
use yunling_store::calls::{CallFilter, Cdr};

use super::Problem;
use super::caller::Caller;
use super::query::{page, range, shown};
use crate::api::tags::Tags;
use crate::api::voice::live_state;

/// One call: a leg of a conversation.
#[derive(Debug, Object)]
#[oai(rename = "Call", rename_all = "camelCase")]
struct Call {
    call_id: String,
    conversation_id: String,
    request_id: String,
    /// The appid.
    application: String,
    /// `queued`, `dialing`, `ringing`, `answered` or `ended`.
    state: String,
    /// In E.164 where such a form exists.
    to: String,
    /// The line number shown, in E.164 where such a form exists.
    #[oai(skip_serializing_if_is_none)]
    from: Option<String>,
    /// The line that it was last dialled on.
    #[oai(skip_serializing_if_is_none)]
    trunk: Option<String>,
    #[oai(skip_serializing_if_is_none)]
    started_at: Option<String>,
    /// The first 180 or 183.
    #[oai(skip_serializing_if_is_none)]
    ring_at: Option<String>,
    #[oai(skip_serializing_if_is_none)]
    answered_at: Option<String>,
    #[oai(skip_serializing_if_is_none)]
    ended_at: Option<String>,
    /// Seconds from the answer to the end.
    #[oai(skip_serializing_if_is_none)]
    duration_s: Option<u32>,
    /// 0 if and only if the callee answered.
    #[oai(skip_serializing_if_is_none)]
    result: Option<u8>,
    /// 1 not answered in time, 2 any other failure.
    #[oai(skip_serializing_if_is_none)]
    reason: Option<u8>,
    /// `completed`, `no-answer`, `time-out` or `failed`.
    #[oai(skip_serializing_if_is_none)]
    cause: Option<String>,
    /// Whose fault it was: `nobody`, `callee`, `trunk`, `platform`, …
    #[oai(skip_serializing_if_is_none)]
    fault: Option<String>,
    /// The final SIP status.
    #[oai(skip_serializing_if_is_none)]
    sip_code: Option<u16>,
    /// The Q.850 cause, where the network gave one.
    #[oai(skip_serializing_if_is_none)]
    q850: Option<u8>,
    /// The confirming key.
    #[oai(skip_serializing_if_is_none)]
    input_key: Option<String>,
    /// The rule of the gate that decided.
    #[oai(skip_serializing_if_is_none)]
    rule: Option<String>,
    /// What was measured of its media.
    #[oai(skip_serializing_if_is_none)]
    figures: Option<Any<Value>>,
}

impl From<Cdr> for Call {
    fn from(record: Cdr) -> Self {
        Self {
            call_id: record.call_id.to_string(),
            conversation_id: record.conversation_id.to_string(),
            request_id: record.request_id.to_string(),
            application: record.application.to_string(),
            state: "ended".to_owned(),
            to: record.to_number,
            from: Some(record.from_number).filter(|from| !from.is_empty()),
            trunk: record.trunk,
            started_at: Some(shown(record.started_at)),
            ring_at: record.ring_at.map(shown),
            answered_at: record.answered_at.map(shown),
            ended_at: Some(shown(record.ended_at)),
            duration_s: Some(record.duration_s),
            result: Some(record.result),
            reason: record.reason,
            cause: Some(record.cause),
            fault: record.fault,
            sip_code: record.sip_code,
            q850: record.q850,
            input_key: record.input_key,
            rule: record.rule,
            figures: record.figures.map(Any),
        }
    }
}

impl From<Attempt> for Call {
    fn from(attempt: Attempt) -> Self {
        let state = live_state(&attempt).to_owned();
        let queued = attempt.queued;
        Self {
            call_id: queued.call_id.to_string(),
            conversation_id: queued.conversation_id.to_string(),
            request_id: queued.request_id.to_string(),
            application: queued.application.to_string(),
            state,
            to: queued.to_number,
            from: queued.from_number,
            trunk: attempt.trunk,
            started_at: attempt.invited_at.map(shown),
            ring_at: attempt.ring_at.map(shown),
            answered_at: attempt.answered_at.map(shown),
            ended_at: None,
            duration_s: None,
            result: None,
            reason: None,
            cause: None,
            fault: None,
            sip_code: None,
            q850: None,
            input_key: None,
            rule: queued.rule,
            figures: None,
        }
    }
}

/// A page of calls.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct CallPage {
    /// Newest first.
    calls: Vec<Call>,
    /// Where the next page begins; absent on the last one.
    #[oai(skip_serializing_if_is_none)]
    next_cursor: Option<String>,
}

/// The whole story of a conversation.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct Conversation {
    conversation_id: String,
    /// In the order in which they happened.
    events: Vec<TimelineEvent>,
    /// Where its SIP messages are, if they were kept.
    #[oai(skip_serializing_if_is_none)]
    sip: Option<String>,
}

/// One thing that happened.
#[derive(Debug, Object)]
struct TimelineEvent {
    /// Its place in the conversation, from 0.
    seq: u32,
    at: String,
    /// What happened: `accepted`, `dialling`, `ringing`, `answered`, `key_pressed`, …
    kind: String,
    /// What else is known of it; depends on `kind`.
    detail: Any<Value>,
}

impl TimelineEvent {
    fn of(event: &ConversationEvent) -> Result<Self, Refusal> {
        let mut detail = serde_json::to_value(&event.body).map_err(|error| {
            tracing::error!(%error, "an event of a stored story is no JSON");
            Refusal::new(INTERNAL)
        })?;
        if let Some(fields) = detail.as_object_mut() {
            fields.remove("kind");
        }
        Ok(Self {
            seq: event.seq,
            at: shown(event.at),
            kind: event.kind().to_owned(),
            detail: Any(detail),
        })
    }
}

/// The operations.
pub(super) struct CallsApi;

#[OpenApi]
impl CallsApi {
    /// List call records
    ///
    /// The account's calls that are over, newest first, page by page. Conditions are joined by
    /// "and". Needs the scope `calls:read`.
    #[oai(
        path = "/api/v1/calls",
        method = "get",
        operation_id = "listCalls",
        tag = "Tags::CallRecords"
    )]
    #[expect(clippy::too_many_arguments, reason = "one argument for each parameter of the query")]
    async fn list_calls(
        &self,
        caller: Caller<ReadCalls>,
        app: Data<&App>,
        /// Of this application.
        application: Query<Option<String>>,
        /// Of this request.
        #[oai(name = "requestId")]
        request_id: Query<Option<String>>,
        /// To this number, in any form.
        to: Query<Option<String>>,
        /// With this line number shown, in any form.
        from: Query<Option<String>>,
        /// 0 answered, 1 not.
        result: Query<Option<u8>>,
        /// Begun at this time or later (RFC 3339).
        since: Query<Option<String>>,
        /// Begun before this time (RFC 3339).
        until: Query<Option<String>>,
        /// The most rows to give, 1 to 500.
        limit: Query<Option<u32>>,
        /// The `nextCursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<CallPage>, Problem> {
        if result.0.is_some_and(|result| result > 1) {
            return Err(Refusal::field(BAD_PARAMETER, "result", "expected 0 or 1").into());
        }
        let filter = CallFilter {
            to_number: number("to", to.0)?,
            from_number: number("from", from.0)?,
            application: application.0.map(ApplicationId::new),
            request_id: request_id.0.map(RequestId::new),
            result: result.0,
            masked_numbers: false,
            started: range(since.0.as_deref(), until.0.as_deref())?,
        };
        let page = page(limit.0, cursor.0.as_deref())?;
        let found = list_calls::run(&app, &caller.0, &filter, &page).await?;
        Ok(Json(CallPage {
            calls: found.rows.into_iter().map(Call::from).collect(),
            next_cursor: found.next.map(|cursor| cursor.encode()),
        }))
    }

    /// Read a call record
    ///
    /// One call, waiting, under way or over. Needs the scope `calls:read`.
    #[oai(
        path = "/api/v1/calls/:callId",
        method = "get",
        operation_id = "getCall",
        tag = "Tags::CallRecords"
    )]
    async fn get_call(
        &self,
        caller: Caller<ReadCalls>,
        app: Data<&App>,
        /// The call.
        #[oai(name = "callId")]
        call_id: Path<String>,
    ) -> Result<Json<Call>, Problem> {
        Ok(Json(match get_call::run(&app, &caller.0, &CallId::new(call_id.0)).await? {
            CallView::Live(attempt) => (*attempt).into(),
            CallView::Ended(record) => (*record).into(),
        }))
    }

    /// Read a conversation's timeline
    ///
    /// Every event of a conversation that is over, in order. Needs the scope `calls:read`.
    #[oai(
        path = "/api/v1/conversations/:conversationId",
        method = "get",
        operation_id = "getConversation",
        tag = "Tags::CallRecords"
    )]
    async fn get_conversation(
        &self,
        caller: Caller<ReadCalls>,
        app: Data<&App>,
        /// The conversation.
        #[oai(name = "conversationId")]
        conversation_id: Path<String>,
    ) -> Result<Json<Conversation>, Problem> {
        let id = ConversationId::new(conversation_id.0);
        let story = get_call::story(&app, &caller.0, &id).await?;
        let events = story.iter().map(TimelineEvent::of).collect::<Result<_, _>>()?;
        let is_kept = get_conversation_sip::is_kept(&app, &caller.0, &id).await?;
        let sip = is_kept.then(|| super::conversations::sip_path(&id));
        Ok(Json(Conversation { conversation_id: id.to_string(), events, sip }))
    }
}

/// A number in its stored form.
fn number(field: &str, text: Option<String>) -> Result<Option<String>, Refusal> {
    let parse = |text: String| Number::parse_dialable(&text).map(|number| number.stored());
    text.map(parse)
        .transpose()
        .map_err(|error| Refusal::field(BAD_NUMBER, field, error.to_string()))
}
