//! The published result callback of notices and captchas.

use chrono_tz::Tz;
use serde::Serialize;
use serde_json::Value;

use crate::Micros;

/// Whose result it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResultKind {
    /// A notice, single or of a batch.
    Notice,
    /// A captcha: its callback has no `inputkey`.
    Captcha,
}

/// The facts of one number's result.
#[derive(Debug, Clone)]
pub struct ResultFacts<'a> {
    /// Whose result it is.
    pub kind: ResultKind,
    /// The request.
    pub request_id: &'a str,
    /// The call; none where it was never dialled.
    pub call_id: Option<&'a str>,
    /// The application.
    pub app_id: &'a str,
    /// The number called as [`crate::numbers::echo`] shows it.
    pub to: &'a str,
    /// When dialling began, or, never dialled, when that was decided.
    pub started_at: Micros,
    /// The first 18x.
    pub ring_at: Option<Micros>,
    /// The answer; none for one that crossed our CANCEL.
    pub answered_at: Option<Micros>,
    /// The end; never dialled: the same as `started_at`.
    pub ended_at: Micros,
    /// 1 not answered, 2 all else; ignored where it was answered.
    pub reason: Option<u8>,
    /// As the request gave it.
    pub userdata: Option<&'a str>,
    /// The confirming key.
    pub input_key: Option<char>,
    /// The account's zone.
    pub zone: Tz,
    /// The application's switch: send `answerime`, the sample's slip, too.
    pub answerime: bool,
}

/// The body, in the document's order of fields: every value a string, absent ones `""`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ResultCallback {
    requestid: String,
    callid: String,
    appid: String,
    to: String,
    starttime: String,
    ringtime: String,
    answertime: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    answerime: Option<String>,
    endtime: String,
    duration: String,
    result: String,
    reason: String,
    userdata: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    inputkey: Option<String>,
}

impl ResultCallback {
    /// The body for these facts (RESOLUTIONS, result callback).
    pub fn new(facts: &ResultFacts<'_>) -> Self {
        let stamp = |at: Option<Micros>| at.map(|at| at.stamp14(facts.zone)).unwrap_or_default();
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let answertime = stamp(facts.answered_at);
        let reason = facts.reason.filter(|_| facts.answered_at.is_none());
        let input_key = facts.input_key.map(String::from).unwrap_or_default();
        Self {
            requestid: facts.request_id.to_owned(),
            callid: text(facts.call_id),
            appid: facts.app_id.to_owned(),
            to: facts.to.to_owned(),
            starttime: stamp(Some(facts.started_at)),
            ringtime: stamp(facts.ring_at),
            answerime: facts.answerime.then(|| answertime.clone()),
            answertime,
            endtime: stamp(Some(facts.ended_at)),
            duration: duration_s(facts.answered_at, facts.ended_at).to_string(),
            result: if facts.answered_at.is_some() { "0" } else { "1" }.to_owned(),
            reason: reason.map(|reason| reason.to_string()).unwrap_or_default(),
            userdata: text(facts.userdata),
            inputkey: (facts.kind == ResultKind::Notice).then_some(input_key),
        }
    }

    /// The very text that is signed, sent and repeated.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a struct of strings is always JSON")
    }
}

/// Talk time in seconds: the difference of the printed stamps, so that whoever subtracts them finds
/// it; 0 unanswered.
pub fn duration_s(answered_at: Option<Micros>, ended_at: Micros) -> i64 {
    answered_at.map_or(0, |answered_at| (ended_at.second() - answered_at.second()).max(0))
}

/// The body as a value; its text with the document's order of fields is
/// [`ResultCallback::to_json`].
pub fn result_callback(facts: &ResultFacts<'_>) -> Value {
    serde_json::to_value(ResultCallback::new(facts)).expect("a struct of strings is always JSON")
}

#[cfg(test)]
mod tests;
