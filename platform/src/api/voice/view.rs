//! Requests and calls as the published surface shows them: in the words of its result callback, all
//! strings, stamps of 14 digits in the account's zone, `""` where there is nothing.

use chrono_tz::Tz;
use poem_openapi::Object;
use yunling_app::get_call::CallView;
use yunling_domain::{Micros, Number};
use yunling_store::attempts::{Attempt, AttemptState};
use yunling_store::calls::Cdr;
use yunling_store::requests::Request;

/// A request that was accepted.
#[derive(Debug, Object)]
pub(super) struct NoticeRecord {
    requestid: String,
    appid: String,
    /// `accepted`, `expanding`, `cancelled` or `finished`.
    state: String,
    /// As the request gave it.
    to: String,
    /// The line number that the request asked for.
    from: String,
    userdata: String,
    /// When it was accepted.
    createtime: String,
    /// The SoftVersion of the path that it came on.
    #[oai(rename = "apiVersion")]
    api_version: String,
}

/// A call, waiting, under way or over.
#[derive(Debug, Object)]
pub(super) struct CallRecord {
    callid: String,
    requestid: String,
    conversationid: String,
    appid: String,
    /// `queued`, `dialing`, `ringing`, `answered` or `ended`. What follows is known once it is `ended`.
    state: String,
    to: String,
    /// The line number shown.
    from: String,
    starttime: String,
    ringtime: String,
    answertime: String,
    endtime: String,
    /// Seconds from the answer to the end; `0` unanswered.
    duration: String,
    /// `0` if and only if the callee answered, else `1`.
    result: String,
    /// `1` not answered in time, `2` any other failure; `""` when answered.
    reason: String,
    /// The confirming key.
    inputkey: String,
    /// `completed`, `no-answer`, `time-out` or `failed`.
    #[oai(rename = "callCause")]
    call_cause: String,
    /// The final SIP status.
    #[oai(rename = "sipCode")]
    sip_code: String,
}

impl NoticeRecord {
    pub(super) fn of(request: Request, zone: Tz) -> Self {
        let accepted = request.accepted;
        Self {
            requestid: accepted.id.to_string(),
            appid: accepted.application.to_string(),
            state: request.state.as_str().to_owned(),
            to: accepted.to_raw,
            from: accepted.from_number.unwrap_or_default(),
            userdata: accepted.userdata.unwrap_or_default(),
            createtime: accepted.created_at.stamp14(zone),
            api_version: accepted.api_version,
        }
    }
}

impl CallRecord {
    pub(super) fn of(call: CallView, zone: Tz) -> Self {
        match call {
            CallView::Live(attempt) => Self::live(*attempt, zone),
            CallView::Ended(record) => Self::ended(*record, zone),
        }
    }

    fn live(attempt: Attempt, zone: Tz) -> Self {
        let stamp = |at: Option<Micros>| at.map(|at| at.stamp14(zone)).unwrap_or_default();
        let state = live_state(&attempt);
        let queued = attempt.queued;
        Self {
            callid: queued.call_id.to_string(),
            requestid: queued.request_id.to_string(),
            conversationid: queued.conversation_id.to_string(),
            appid: queued.application.to_string(),
            state: state.to_owned(),
            to: queued.to_shown,
            from: queued.from_number.as_deref().map(national).unwrap_or_default(),
            starttime: stamp(attempt.invited_at),
            ringtime: stamp(attempt.ring_at),
            answertime: stamp(attempt.answered_at),
            endtime: String::new(),
            duration: String::new(),
            result: String::new(),
            reason: String::new(),
            inputkey: String::new(),
            call_cause: String::new(),
            sip_code: String::new(),
        }
    }

    pub(super) fn ended(record: Cdr, zone: Tz) -> Self {
        let stamp = |at: Option<Micros>| at.map(|at| at.stamp14(zone)).unwrap_or_default();
        Self {
            callid: record.call_id.to_string(),
            requestid: record.request_id.to_string(),
            conversationid: record.conversation_id.to_string(),
            appid: record.application.to_string(),
            state: "ended".to_owned(),
            to: national(&record.to_number),
            from: national(&record.from_number),
            starttime: stamp(Some(record.started_at)),
            ringtime: stamp(record.ring_at),
            answertime: stamp(record.answered_at),
            endtime: stamp(Some(record.ended_at)),
            duration: record.duration_s.to_string(),
            result: record.result.to_string(),
            reason: record.reason.map(|reason| reason.to_string()).unwrap_or_default(),
            inputkey: record.input_key.unwrap_or_default(),
            call_cause: record.cause,
            sip_code: record.sip_code.map(|code| code.to_string()).unwrap_or_default(),
        }
    }
}

/// How far a call that is not over is.
pub(in crate::api) fn live_state(attempt: &Attempt) -> &'static str {
    match attempt.state {
        AttemptState::Queued | AttemptState::Claimed => "queued",
        AttemptState::Invited if attempt.ring_at.is_some() => "ringing",
        AttemptState::Invited => "dialing",
        AttemptState::Answered => "answered",
        AttemptState::Ended => "ended",
    }
}

/// The form that the surface shows of a stored number.
pub(in crate::api) fn national(stored: &str) -> String {
    Number::parse_dialable(stored)
        .map_or_else(|_| stored.to_owned(), |number| number.national().to_owned())
}
