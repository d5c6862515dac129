//! The published callbacks of click-to-call: 呼叫状态 and 呼叫话单. Every value is a string, an absent
//! one is `""`; what is ours stands behind what the document lists.

use chrono_tz::Tz;
use serde::Serialize;

use super::{CallStatus, Ending};
use crate::Micros;
use crate::call_cause::CallCause;
use crate::callback::duration_s;

/// What a status callback tells.
#[derive(Debug, Clone)]
pub struct StatusFacts<'a> {
    /// The conversation.
    pub conversation: &'a str,
    /// The leg's call.
    pub call: &'a str,
    /// The SoftVersion of the request.
    pub api_version: &'a str,
    /// The tenant.
    pub account: &'a str,
    /// The application.
    pub application: &'a str,
    /// The line number shown, national form.
    pub from: &'a str,
    /// The number called as callbacks show it.
    pub to: &'a str,
    /// What happened.
    pub status: CallStatus,
    /// When.
    pub at: Micros,
    /// Why it ended; on `completed` only.
    pub cause: Option<CallCause>,
    /// Additive `hangupReason`; on `completed` only.
    pub hangup_reason: Option<&'a str>,
    /// Additive `sipCode`: the final status, where there was one.
    pub sip_code: Option<u16>,
    /// As the request gave it.
    pub user_data: Option<&'a str>,
    /// Additive `seq`, rising within the conversation.
    pub seq: u32,
    /// The account's zone.
    pub zone: Tz,
}

/// The body of a status callback (RESOLUTIONS, status callback).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusCallback {
    conversation_sid: String,
    call_sid: String,
    api_version: String,
    account_sid: String,
    app_sid: String,
    from: String,
    to: String,
    direction: &'static str,
    call_status: CallStatus,
    timestamp: String,
    call_cause: &'static str,
    user_data: String,
    seq: String,
    hangup_reason: String,
    sip_code: String,
}

impl StatusCallback {
    /// The body for these facts.
    pub fn new(facts: &StatusFacts<'_>) -> Self {
        Self {
            conversation_sid: facts.conversation.to_owned(),
            call_sid: facts.call.to_owned(),
            api_version: facts.api_version.to_owned(),
            account_sid: facts.account.to_owned(),
            app_sid: facts.application.to_owned(),
            from: facts.from.to_owned(),
            to: facts.to.to_owned(),
            direction: "outbound",
            call_status: facts.status,
            timestamp: facts.at.stamp14(facts.zone),
            call_cause: facts.cause.map_or("", CallCause::as_str),
            user_data: facts.user_data.unwrap_or_default().to_owned(),
            seq: facts.seq.to_string(),
            hangup_reason: facts.hangup_reason.unwrap_or_default().to_owned(),
            sip_code: text_of(facts.sip_code),
        }
    }

    /// The very text that is signed, sent and repeated.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a struct of strings is always JSON")
    }
}

/// What the CDR callback of a conversation tells.
#[derive(Debug, Clone)]
pub struct CdrFacts<'a> {
    /// The tenant.
    pub account: &'a str,
    /// The application.
    pub application: &'a str,
    /// The conversation.
    pub conversation: &'a str,
    /// Where the recording can be had, if there is one by now.
    pub recording_url: Option<&'a str>,
    /// Its length.
    pub recording_duration_s: Option<u64>,
    /// As the request gave it.
    pub user_data: Option<&'a str>,
    /// How it ended.
    pub ending: Ending,
    /// Additive `hangupReason`.
    pub hangup_reason: &'a str,
    /// Its legs by `callSeq`.
    pub legs: Vec<CdrLeg<'a>>,
    /// The account's zone.
    pub zone: Tz,
}

/// What it tells of one leg.
#[derive(Debug, Clone)]
pub struct CdrLeg<'a> {
    /// `callSeq`
    pub seq: u8,
    /// Its call.
    pub call: &'a str,
    /// The line number shown on that leg, national form.
    pub from: &'a str,
    /// The number called as callbacks show it.
    pub to: &'a str,
    /// The first dial.
    pub started_at: Micros,
    /// The first 18x.
    pub ring_at: Option<Micros>,
    /// The answer.
    pub answered_at: Option<Micros>,
    /// The end.
    pub ended_at: Micros,
    /// Why it ended.
    pub cause: CallCause,
    /// Additive `hangupReason`.
    pub hangup_reason: &'a str,
    /// Additive `sipCode`.
    pub sip_code: Option<u16>,
}

/// The body of the CDR callback (RESOLUTIONS, CDR), in the sample's order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CdrCallback {
    account_sid: String,
    app_sid: String,
    conversation_sid: String,
    recording_url: String,
    recording_duration: String,
    user_data: String,
    bye_type: String,
    cdrs: Vec<Cdr>,
    ended_by: &'static str,
    hangup_reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Cdr {
    call_seq: String,
    call_sid: String,
    from: String,
    to: String,
    start_time: String,
    ring_time: String,
    answer_time: String,
    stop_time: String,
    duration: String,
    cause: &'static str,
    hangup_reason: String,
    sip_code: String,
}

impl CdrCallback {
    /// The body for these facts.
    pub fn new(facts: &CdrFacts<'_>) -> Self {
        let zone = facts.zone;
        let stamp = |at: Option<Micros>| at.map(|at| at.stamp14(zone)).unwrap_or_default();
        let cdr = |leg: &CdrLeg<'_>| Cdr {
            call_seq: leg.seq.to_string(),
            call_sid: leg.call.to_owned(),
            from: leg.from.to_owned(),
            to: leg.to.to_owned(),
            start_time: stamp(Some(leg.started_at)),
            ring_time: stamp(leg.ring_at),
            answer_time: stamp(leg.answered_at),
            stop_time: stamp(Some(leg.ended_at)),
            duration: duration_s(leg.answered_at, leg.ended_at).to_string(),
            cause: leg.cause.as_str(),
            hangup_reason: leg.hangup_reason.to_owned(),
            sip_code: text_of(leg.sip_code),
        };
        Self {
            account_sid: facts.account.to_owned(),
            app_sid: facts.application.to_owned(),
            conversation_sid: facts.conversation.to_owned(),
            recording_url: facts.recording_url.unwrap_or_default().to_owned(),
            recording_duration: text_of(facts.recording_duration_s),
            user_data: facts.user_data.unwrap_or_default().to_owned(),
            bye_type: facts.ending.bye_type.number().to_string(),
            cdrs: facts.legs.iter().rev().map(cdr).collect(),
            ended_by: facts.ending.by.as_str(),
            hangup_reason: facts.hangup_reason.to_owned(),
        }
    }

    /// The very text that is signed, sent and repeated.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a struct of strings is always JSON")
    }
}

fn text_of(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

#[cfg(test)]
#[path = "callback_tests.rs"]
mod tests;
