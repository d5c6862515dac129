//! Every field of click2call and addCall, good and bad.

use serde_json::json;
use yunling_domain::conversation::{Record, Ringback};

use super::ctc::{click, clicked, open, path, post, told, with};
use super::world::ACCOUNT;
use yunling_app::click::ClickSpec;
use yunling_domain::AccountId;
use yunling_store::requests;

#[tokio::test]
async fn every_bad_field_is_refused_by_its_name() {
    let (world, talks) = open().await;
    let cases = [
        (json!({ "caller": null }), "12001", "missing caller"),
        (json!({ "callee": "" }), "12001", "missing callee"),
        (json!({ "caller": {} }), "12002", "invalid caller"),
        (json!({ "caller": "1" }), "12005", "invalid caller"),
        (json!({ "callee": "010-8000100 转 1" }), "12005", "invalid callee"),
        (json!({ "callerCli": "abc" }), "12005", "invalid callerCli"),
        (json!({ "calleeCli": [] }), "12002", "invalid calleeCli"),
        (json!({ "ringbackMode": 2 }), "12002", "invalid ringbackMode"),
        (json!({ "ringback_mode": "x" }), "12002", "invalid ringbackMode"),
        (json!({ "record": 3 }), "12002", "invalid record"),
        (json!({ "record": "yes" }), "12002", "invalid record"),
        (json!({ "maxDuration": -1 }), "12002", "invalid maxDuration"),
        (json!({ "maxDuration": 86_401 }), "12002", "invalid maxDuration"),
        (json!({ "maxDuration": 1.5 }), "12002", "invalid maxDuration"),
        (json!({ "userData": "x".repeat(257) }), "12002", "invalid userData"),
        (json!({ "statusUrl": "ftp://x" }), "12002", "invalid statusUrl"),
        (json!({ "cdrUrl": "not a url" }), "12002", "invalid cdrUrl"),
        (json!({ "maskedCallee": "perhaps" }), "12002", "invalid maskedCallee"),
        (json!({ "greetVoice": "no.wav" }), "13001", "invalid greetVoice"),
        (json!({ "ringbackVoice": "no.wav" }), "13001", "invalid ringbackVoice"),
        (json!({ "failVoice": "no.wav" }), "13001", "invalid failVoice"),
        (json!({ "calleeVoice": "no.wav" }), "13001", "invalid calleeVoice"),
        (json!({ "callerVoice": "no.wav" }), "13001", "invalid callerVoice"),
        (json!({ "lastMinVoice": "no.wav" }), "13001", "invalid lastMinVoice"),
        (json!({ "callerCli": "01080009999" }), "20001", "caller id not owned"),
        (json!({ "calleeCli": "01080009999" }), "20001", "caller id not owned"),
        (json!({ "callee": "110" }), "20005", "emergency number"),
        (json!({ "caller": "95588" }), "20004", "destination not allowed"),
        (json!({ "callee": "+85221234567" }), "20004", "destination not allowed"),
        (json!({ "action": null }), "12001", "missing action"),
        (json!({ "action": "hangUp" }), "12002", "invalid action"),
        (json!({ "userData": "a\u{0}b" }), "12002", "bad parameter"),
    ];
    for (changes, code, said) in cases {
        let got = post(&world, &path(), &with(&changes)).await;
        assert_eq!(told(&got)[..2], [code, said], "{changes}: {}", got.text);
        assert!(!told(&got)[2].is_empty(), "{changes} says what was expected");
    }
    let got = post(&world, &path(), &with(&json!({ "callee": "110" }))).await;
    assert!(told(&got)[2].contains("callee"), "the field is named: {}", got.text);
    assert!(talks.reserved.lock().is_empty());
    assert_eq!(world.waiting().await, 0);
}

#[tokio::test]
async fn every_field_is_taken_as_generously_as_the_resolutions_say() {
    let (world, _) = open().await;
    let cases = [
        (json!({}), Ringback::PassThrough, Record::Off, None),
        (
            json!({ "ringbackMode": "1", "record": "1" }),
            Ringback::Custom,
            Record::FromRinging,
            None,
        ),
        (
            json!({ "ringbackMode": 0, "ringback_mode": 1 }),
            Ringback::PassThrough,
            Record::Off,
            None,
        ),
        (
            json!({ "record": true, "maxDuration": 61 }),
            Ringback::PassThrough,
            Record::FromAnswer,
            Some(61),
        ),
        (json!({ "record": "false", "maxDuration": 0 }), Ringback::PassThrough, Record::Off, None),
        (
            json!({ "caller": 13_800_100_001_u64, "callee": "+86 138 0010 0002" }),
            Ringback::PassThrough,
            Record::Off,
            None,
        ),
        (
            json!({ "record": null, "maxDuration": "", "userData": null, "greetVoice": "" }),
            Ringback::PassThrough,
            Record::Off,
            None,
        ),
        (
            json!({ "userData": "x".repeat(256), "unknown": { "is": "passed over" } }),
            Ringback::PassThrough,
            Record::Off,
            None,
        ),
        (json!({ "action": " CLICK2call " }), Ringback::PassThrough, Record::Off, None),
    ];
    for (changes, ringback, record, max_duration_s) in cases {
        let sid = clicked(&world, &changes).await;
        let (account, id) = (AccountId::new(ACCOUNT), click(&world, &sid).await.request);
        let request =
            requests::get(world.app.store().reader(), &account, &id).await.unwrap().unwrap();
        let spec: ClickSpec = serde_json::from_value(request.accepted.spec).unwrap();
        assert_eq!(
            (spec.ringback, spec.record, spec.max_duration_s),
            (ringback, record, max_duration_s),
            "{changes}"
        );
        assert_eq!(spec.caller.number, "+8613800100001", "{changes}");
        assert_eq!(spec.callee.number, "+8613800100002", "{changes}");
    }
}

#[tokio::test]
async fn every_bad_field_of_add_call_is_refused_by_its_name() {
    let (world, talks) = open().await;
    let sid = clicked(&world, &json!({})).await;
    let cases = [
        (json!({ "callee": null }), "12001", "missing callee"),
        (json!({ "callee": "119" }), "20005", "emergency number"),
        (json!({ "calleeCli": "x" }), "12005", "invalid calleeCli"),
        (json!({ "ringbackMode": 7 }), "12002", "invalid ringbackMode"),
        (json!({ "record": "maybe" }), "12002", "invalid record"),
        (json!({ "timeout": 601 }), "12002", "invalid timeout"),
        (json!({ "timeout": "soon" }), "12002", "invalid timeout"),
        (json!({ "greetVoice": "no.wav" }), "13001", "invalid greetVoice"),
    ];
    for (changes, code, said) in cases {
        let mut body = json!({ "action": "addCall", "callee": "13800100003" });
        body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let got = post(&world, &format!("{}/{sid}", path()), &body).await;
        assert_eq!(told(&got)[..2], [code, said], "{changes}: {}", got.text);
    }
    assert!(talks.added.lock().is_empty());
}
