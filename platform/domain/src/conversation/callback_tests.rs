use super::*;
use crate::conversation::{ByeType, EndedBy};
use chrono_tz::Asia::Shanghai;

/// 2019-08-14 12:26:54 in Shanghai, and so many seconds later: the sample's first stamp.
fn at(second: i64) -> Micros {
    Micros((1_565_756_814 + second) * 1_000_000)
}

fn sample() -> CdrFacts<'static> {
    let caller = CdrLeg {
        seq: 0,
        call: "CA10002201908141226569209000000183",
        from: "01062236000",
        to: "13800138001",
        started_at: at(0),
        ring_at: Some(at(1)),
        answered_at: Some(at(2)),
        ended_at: at(22),
        cause: CallCause::Completed,
        hangup_reason: "other_party_left",
        sip_code: None,
    };
    let callee = CdrLeg {
        seq: 1,
        call: "CA10002201908141227025945100000184",
        to: "13800138000",
        started_at: at(6),
        ring_at: Some(at(6)),
        answered_at: Some(at(8)),
        hangup_reason: "remote_bye",
        ..caller.clone()
    };
    CdrFacts {
        account: "400a8e279a5b7f0f33c1d8b58bcfe3dd",
        application: "aebd5b2621c64582a69474382d253530",
        conversation: "CV50001201908141226560665400000001",
        recording_url: Some(
            "http://test.com/record/100001/20190814/RE1000200000184_D_2_20190814122702.wav",
        ),
        recording_duration_s: Some(14),
        user_data: Some("13800138001_2_13800138000"),
        ending: Ending { bye_type: ByeType::CalleeHungUp, by: EndedBy::Callee },
        hangup_reason: "remote_bye",
        legs: vec![caller, callee],
        zone: Shanghai,
    }
}

/// The document's own sample, without its extra bracket (RESOLUTIONS, CDR).
const SAMPLE: &str = r#"{
  "accountSid": "400a8e279a5b7f0f33c1d8b58bcfe3dd",
  "appSid": "aebd5b2621c64582a69474382d253530",
  "conversationSid": "CV50001201908141226560665400000001",
  "recordingUrl": "http://test.com/record/100001/20190814/RE1000200000184_D_2_20190814122702.wav",
  "recordingDuration": "14",
  "userData": "13800138001_2_13800138000",
  "byeType": "4",
  "cdrs": [{
    "callSeq": "1",
    "callSid": "CA10002201908141227025945100000184",
    "from": "01062236000",
    "to": "13800138000",
    "startTime": "20190814122700",
    "ringTime": "20190814122700",
    "answerTime": "20190814122702",
    "stopTime": "20190814122716",
    "duration": "14",
    "cause": "completed"
  }, {
    "callSeq": "0",
    "callSid": "CA10002201908141226569209000000183",
    "from": "01062236000",
    "to": "13800138001",
    "startTime": "20190814122654",
    "ringTime": "20190814122655",
    "answerTime": "20190814122656",
    "stopTime": "20190814122716",
    "duration": "20",
    "cause": "completed"
  }]
}"#;

/// Everything that the sample has is there with the same value.
fn holds(ours: &serde_json::Value, sample: &serde_json::Value, at: &str) {
    match sample {
        serde_json::Value::Object(fields) => {
            for (name, value) in fields {
                holds(&ours[name], value, &format!("{at}.{name}"));
            }
        }
        serde_json::Value::Array(items) => {
            assert_eq!(ours.as_array().map(Vec::len), Some(items.len()), "{at}");
            for (index, item) in items.iter().enumerate() {
                holds(&ours[index], item, &format!("{at}[{index}]"));
            }
        }
        other => assert_eq!(ours, other, "{at}"),
    }
}

#[test]
fn the_cdr_is_the_documents_sample_and_what_we_add() {
    let body = CdrCallback::new(&sample()).to_json();
    let ours = serde_json::from_str(&body).expect("our own JSON");
    holds(&ours, &serde_json::from_str(SAMPLE).expect("the sample"), "cdr");
    insta::assert_snapshot!("cdr", body);
}

#[test]
fn a_call_that_nobody_answered_has_empty_stamps() {
    let mut facts = sample();
    facts.legs.truncate(1);
    let caller = CdrLeg {
        ring_at: None,
        answered_at: None,
        cause: CallCause::Failed,
        hangup_reason: "rejected",
        sip_code: Some(486),
        ..facts.legs[0].clone()
    };
    let facts = CdrFacts {
        recording_url: None,
        recording_duration_s: None,
        user_data: None,
        ending: Ending { bye_type: ByeType::CallerNotAnswered, by: EndedBy::Caller },
        hangup_reason: "rejected",
        legs: vec![caller],
        ..facts
    };
    insta::assert_snapshot!("cdr_unanswered", CdrCallback::new(&facts).to_json());
}

#[test]
fn a_status_has_the_documents_fields_in_order() {
    let facts = StatusFacts {
        conversation: "CV50001201908141226560665400000001",
        call: "CA10002201908141226569209000000183",
        api_version: "20210801",
        account: "400a8e279a5b7f0f33c1d8b58bcfe3dd",
        application: "aebd5b2621c64582a69474382d253530",
        from: "01062236000",
        to: "13800138001",
        status: CallStatus::Ringing,
        at: at(1),
        cause: None,
        hangup_reason: None,
        sip_code: None,
        user_data: Some("13800138001_2_13800138000"),
        seq: 1,
        zone: Shanghai,
    };
    insta::assert_snapshot!("status", StatusCallback::new(&facts).to_json());
    let completed = StatusFacts {
        status: CallStatus::Completed,
        cause: Some(CallCause::TimeOut),
        hangup_reason: Some("ring_timeout"),
        sip_code: Some(487),
        seq: 2,
        ..facts
    };
    insta::assert_snapshot!("status_completed", StatusCallback::new(&completed).to_json());
}
