//! 呼叫话单, the call detail record of a conversation, as it is looked up, searched, exported and
//! pushed again: the same object everywhere (RESOLUTIONS, CDR push, re-push, batch push, query). For
//! click-to-call its first fields are those of the callback, in the same order; a notice or captcha
//! has one leg and no `byeType`. Every value is a string, an absent one is `""`; what is ours stands
//! behind what the document lists.

use chrono_tz::Tz;
use serde::Serialize;

use crate::Micros;
use crate::callback::duration_s;

/// What is known of a conversation that is over.
#[derive(Debug, Clone)]
pub struct CdrFacts<'a> {
    /// The tenant.
    pub account: &'a str,
    /// The application.
    pub application: &'a str,
    /// The conversation.
    pub conversation: &'a str,
    /// The request that asked for it.
    pub request: &'a str,
    /// `notice`, `captcha`, `batch` or `click`.
    pub kind: &'a str,
    /// Where the recording can be had, if there is one.
    pub recording_url: Option<&'a str>,
    /// Its length.
    pub recording_duration_s: Option<u64>,
    /// As the request gave it.
    pub user_data: Option<&'a str>,
    /// How a click-to-call conversation ended.
    pub ending: Option<CdrEnding<'a>>,
    /// 0 if and only if the callee answered.
    pub result: u8,
    /// Why a notice or captcha was not answered.
    pub reason: Option<u8>,
    /// The confirming key.
    pub input_key: Option<&'a str>,
    /// Its legs by `callSeq`.
    pub legs: Vec<CdrLegFacts<'a>>,
    /// The account's zone.
    pub zone: Tz,
}

/// How a click-to-call conversation ended.
#[derive(Debug, Clone, Copy)]
pub struct CdrEnding<'a> {
    /// The published `byeType`.
    pub bye_type: u8,
    /// Additive `endedBy`.
    pub by: &'a str,
    /// Additive `hangupReason`.
    pub hangup_reason: &'a str,
}

/// What is known of one leg.
#[derive(Debug, Clone)]
pub struct CdrLegFacts<'a> {
    /// `callSeq`
    pub seq: u8,
    /// Its call.
    pub call: &'a str,
    /// The line number shown, national form.
    pub from: &'a str,
    /// The number called, national form, masked where the reader may not see it.
    pub to: &'a str,
    /// The first dial.
    pub started_at: Micros,
    /// The first 18x.
    pub ring_at: Option<Micros>,
    /// The answer.
    pub answered_at: Option<Micros>,
    /// The end.
    pub ended_at: Micros,
    /// The published cause.
    pub cause: &'a str,
    /// Additive `hangupReason`.
    pub hangup_reason: &'a str,
    /// Additive `sipCode`.
    pub sip_code: Option<u16>,
}

/// A call detail record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CdrObject {
    /// The tenant.
    pub account_sid: String,
    /// The application.
    pub app_sid: String,
    /// The conversation.
    pub conversation_sid: String,
    /// Where the recording can be had; the link expires.
    pub recording_url: String,
    /// Its length, seconds.
    pub recording_duration: String,
    /// As the request gave it.
    pub user_data: String,
    /// How a click-to-call conversation ended, 0 to 5.
    pub bye_type: String,
    /// Its legs, newest first.
    pub cdrs: Vec<CdrLegObject>,
    /// Who or what ended it.
    pub ended_by: String,
    /// Why.
    pub hangup_reason: String,
    /// `notice`, `captcha`, `batch` or `click`.
    pub call_type: String,
    /// The request that asked for it.
    pub request_id: String,
    /// `0` if and only if the callee answered, else `1`.
    pub result: String,
    /// Of a notice or captcha that was not answered: `1` not answered in time, `2` all else.
    pub reason: String,
    /// The confirming key.
    pub input_key: String,
}

/// One leg of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CdrLegObject {
    /// From 0; the caller of a click is 0, the callee 1.
    pub call_seq: String,
    /// Its call.
    pub call_sid: String,
    /// The line number shown.
    pub from: String,
    /// The number called.
    pub to: String,
    /// The first dial, 14 digits in the account's zone, as all stamps.
    pub start_time: String,
    /// The first sign of ringing.
    pub ring_time: String,
    /// The answer.
    pub answer_time: String,
    /// The end.
    pub stop_time: String,
    /// Seconds from the answer to the end.
    pub duration: String,
    /// `completed`, `no-answer`, `time-out` or `failed`.
    pub cause: String,
    /// Why it ended.
    pub hangup_reason: String,
    /// The final SIP status.
    pub sip_code: String,
}

impl CdrObject {
    /// The object for these facts.
    pub fn new(facts: &CdrFacts<'_>) -> Self {
        let (bye_type, ended_by, hangup_reason) = match facts.ending {
            Some(ending) => (ending.bye_type.to_string(), ending.by, ending.hangup_reason),
            None => (String::new(), "", ""),
        };
        Self {
            account_sid: facts.account.to_owned(),
            app_sid: facts.application.to_owned(),
            conversation_sid: facts.conversation.to_owned(),
            recording_url: facts.recording_url.unwrap_or_default().to_owned(),
            recording_duration: text_of(facts.recording_duration_s),
            user_data: facts.user_data.unwrap_or_default().to_owned(),
            bye_type,
            cdrs: facts.legs.iter().rev().map(|leg| CdrLegObject::new(leg, facts.zone)).collect(),
            ended_by: ended_by.to_owned(),
            hangup_reason: hangup_reason.to_owned(),
            call_type: facts.kind.to_owned(),
            request_id: facts.request.to_owned(),
            result: facts.result.to_string(),
            reason: text_of(facts.reason),
            input_key: facts.input_key.unwrap_or_default().to_owned(),
        }
    }

    /// The text of a line of an export, and of what is pushed again.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a struct of strings is always JSON")
    }
}

impl CdrLegObject {
    fn new(leg: &CdrLegFacts<'_>, zone: Tz) -> Self {
        let stamp = |at: Option<Micros>| at.map(|at| at.stamp14(zone)).unwrap_or_default();
        Self {
            call_seq: leg.seq.to_string(),
            call_sid: leg.call.to_owned(),
            from: leg.from.to_owned(),
            to: leg.to.to_owned(),
            start_time: stamp(Some(leg.started_at)),
            ring_time: stamp(leg.ring_at),
            answer_time: stamp(leg.answered_at),
            stop_time: stamp(Some(leg.ended_at)),
            duration: duration_s(leg.answered_at, leg.ended_at).to_string(),
            cause: leg.cause.to_owned(),
            hangup_reason: leg.hangup_reason.to_owned(),
            sip_code: text_of(leg.sip_code),
        }
    }
}

fn text_of(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::call_cause::CallCause;
    use crate::conversation::{self, ByeType, CdrCallback, CdrLeg, EndedBy, Ending};
    use serde_json::Value;

    const START: Micros = Micros(1_795_500_000_000_000);

    fn leg(seq: u8, call: &'static str) -> CdrLegFacts<'static> {
        CdrLegFacts {
            seq,
            call,
            from: "01080001001",
            to: "13800138000",
            started_at: START.plus_ms(i64::from(seq) * 2_000),
            ring_at: Some(START.plus_ms(3_000)),
            answered_at: Some(START.plus_ms(5_000)),
            ended_at: START.plus_ms(20_000),
            cause: "completed",
            hangup_reason: "normal",
            sip_code: None,
        }
    }

    fn click() -> CdrFacts<'static> {
        CdrFacts {
            account: "acc",
            application: "app",
            conversation: "CV1",
            request: "RQ1",
            kind: "click",
            recording_url: Some("http://127.0.0.1/record/x.wav"),
            recording_duration_s: Some(14),
            user_data: Some("订单 \"7\""),
            ending: Some(CdrEnding { bye_type: 4, by: "callee", hangup_reason: "normal" }),
            result: 0,
            reason: None,
            input_key: None,
            legs: vec![leg(0, "CA0"), leg(1, "CA1")],
            zone: chrono_tz::Asia::Shanghai,
        }
    }

    /// RESOLUTIONS, CDR push, re-push, batch push, query: the same object everywhere.
    #[test]
    fn the_object_of_a_click_begins_as_its_callback() {
        let facts = click();
        let of_callback = |leg: &CdrLegFacts<'static>| CdrLeg {
            seq: leg.seq,
            call: leg.call,
            from: leg.from,
            to: leg.to,
            started_at: leg.started_at,
            ring_at: leg.ring_at,
            answered_at: leg.answered_at,
            ended_at: leg.ended_at,
            cause: CallCause::Completed,
            hangup_reason: leg.hangup_reason,
            sip_code: leg.sip_code,
        };
        let callback = CdrCallback::new(&conversation::CdrFacts {
            account: facts.account,
            application: facts.application,
            conversation: facts.conversation,
            recording_url: facts.recording_url,
            recording_duration_s: facts.recording_duration_s,
            user_data: facts.user_data,
            ending: Ending { bye_type: ByeType::CalleeHungUp, by: EndedBy::Callee },
            hangup_reason: "normal",
            legs: facts.legs.iter().map(of_callback).collect(),
            zone: facts.zone,
        });
        let sent = callback.to_json();
        let object = CdrObject::new(&facts).to_json();
        let common = sent.strip_suffix('}').unwrap();
        assert!(object.starts_with(common), "{sent}\n{object}");
    }

    #[test]
    fn a_notice_has_one_leg_and_no_bye_type() {
        let facts = CdrFacts {
            kind: "notice",
            ending: None,
            recording_url: None,
            recording_duration_s: None,
            result: 1,
            reason: Some(2),
            input_key: Some("1"),
            legs: vec![CdrLegFacts { answered_at: None, ..leg(0, "CA0") }],
            ..click()
        };
        let object: Value = serde_json::from_str(&CdrObject::new(&facts).to_json()).unwrap();
        for (name, value) in [
            ("byeType", ""),
            ("endedBy", ""),
            ("recordingUrl", ""),
            ("callType", "notice"),
            ("result", "1"),
            ("reason", "2"),
            ("inputKey", "1"),
        ] {
            assert_eq!(object[name], value, "{name}");
        }
        assert_eq!(object["cdrs"].as_array().unwrap().len(), 1);
        assert_eq!(object["cdrs"][0]["duration"], "0");
        assert_eq!(object["cdrs"][0]["answerTime"], "");
    }
}
