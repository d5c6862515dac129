//! What every status callback and every record of a click-to-call has to be like, whatever happened
//! (docs/spec/RESOLUTIONS.md, rows "status callback" and "CDR").

use serde_json::Value;

use super::api::SOFT_VERSION;
use super::handsets::Handset;
use super::talks::Talk;
use super::tenant::{ACCOUNT, APPID, CALLER_ID};

/// The fields of the published status callback.
const STATUS: [&str; 12] = [
    "conversationSid",
    "callSid",
    "apiVersion",
    "accountSid",
    "appSid",
    "from",
    "to",
    "direction",
    "callStatus",
    "timestamp",
    "callCause",
    "userData",
];
/// The fields of the published record, but for its list of legs.
const RECORD: [&str; 7] = [
    "conversationSid",
    "accountSid",
    "appSid",
    "recordingUrl",
    "recordingDuration",
    "userData",
    "byeType",
];
/// The fields of a leg in it.
const LEG: [&str; 10] = [
    "callSeq",
    "callSid",
    "from",
    "to",
    "startTime",
    "ringTime",
    "answerTime",
    "stopTime",
    "duration",
    "cause",
];

/// A field, which has to be a string.
pub(crate) fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("{field} is no string in {value:#}"))
}

/// Checks all that was told of a conversation that is over, against who was dialled, in the order of
/// their calls. `user_data` is what the request gave.
pub(crate) fn check(
    name: &str,
    talk: &Talk<'_>,
    record: &Value,
    dialled: &[&Handset<'_>],
    user_data: &str,
) {
    check_statuses(name, talk, user_data);
    for field in RECORD {
        text(record, field);
    }
    assert_eq!(text(record, "conversationSid"), talk.sid, "{name}");
    assert_eq!(
        (text(record, "accountSid"), text(record, "appSid"), text(record, "userData")),
        (ACCOUNT, APPID, user_data),
        "{name}"
    );
    let legs = record["cdrs"].as_array().unwrap_or_else(|| panic!("{name}: no cdrs"));
    assert_eq!(legs.len(), dialled.len(), "{name}: a leg for each who was dialled: {record:#}");
    for (seq, handset) in dialled.iter().enumerate() {
        // Newest first.
        let leg = &legs[legs.len() - 1 - seq];
        assert_eq!(text(leg, "callSeq"), seq.to_string(), "{name}: {record:#}");
        check_leg(name, talk, leg, handset);
    }
}

fn check_statuses(name: &str, talk: &Talk<'_>, user_data: &str) {
    let statuses = talk.statuses();
    let mut last = None;
    for status in &statuses {
        for field in STATUS {
            text(status, field);
        }
        let seq: u32 = text(status, "seq").parse().unwrap();
        assert!(last.is_none_or(|last| seq > last), "{name}: seq does not rise: {statuses:#?}");
        last = Some(seq);
        for (field, expected) in [
            ("conversationSid", talk.sid.as_str()),
            ("accountSid", ACCOUNT),
            ("appSid", APPID),
            ("apiVersion", SOFT_VERSION),
            ("from", CALLER_ID),
            ("direction", "outbound"),
            ("userData", user_data),
        ] {
            assert_eq!(text(status, field), expected, "{name}: {field} of {status:#}");
        }
        assert_stamp(name, text(status, "timestamp"));
        let is_over = text(status, "callStatus") == "completed";
        assert_eq!(!text(status, "callCause").is_empty(), is_over, "{name}: {status:#}");
    }
}

fn check_leg(name: &str, talk: &Talk<'_>, leg: &Value, handset: &Handset<'_>) {
    for field in LEG {
        text(leg, field);
    }
    assert_eq!((text(leg, "from"), text(leg, "to")), (CALLER_ID, &*handset.number), "{name}");
    assert_sid(name, "CA", text(leg, "callSid"));
    let mut statuses = talk.statuses();
    statuses.retain(|status| status["callSid"] == leg["callSid"]);
    let stamp = |status: &str| {
        let found = statuses.iter().find(|one| one["callStatus"] == status);
        found.map_or("", |status| text(status, "timestamp"))
    };
    for (field, status) in [
        ("startTime", "initiated"),
        ("ringTime", "ringing"),
        ("answerTime", "answered"),
        ("stopTime", "completed"),
    ] {
        assert_eq!(text(leg, field), stamp(status), "{name}: {field} of {leg:#} in {statuses:#?}");
    }
    let completed = statuses.iter().find(|one| one["callStatus"] == "completed");
    let cause = completed.map_or("", |status| text(status, "callCause"));
    assert_eq!(text(leg, "cause"), cause, "{name}: {leg:#}");
    let talked_s = match text(leg, "answerTime") {
        "" => 0,
        answered => seconds(text(leg, "stopTime")) - seconds(answered),
    };
    // Midnight may lie between.
    let talked_s = talked_s.rem_euclid(86_400);
    assert_eq!(text(leg, "duration"), talked_s.to_string(), "{name}: {leg:#}");
}

/// 34 characters: a prefix, the node, and digits.
pub(crate) fn assert_sid(name: &str, prefix: &str, sid: &str) {
    let digits =
        sid.strip_prefix(prefix).is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit()));
    assert!(digits && sid.len() == 34, "{name}: {sid:?} is no {prefix}…");
}

fn assert_stamp(name: &str, stamp: &str) {
    let digits = stamp.bytes().all(|byte| byte.is_ascii_digit());
    assert!(digits && stamp.len() == 14, "{name}: {stamp:?} is no time");
}

/// Seconds since midnight of a stamp of 14 digits.
pub(crate) fn seconds(stamp: &str) -> i64 {
    let part = |at: usize| stamp[at..at + 2].parse::<i64>().unwrap();
    part(8) * 3_600 + part(10) * 60 + part(12)
}
