#![expect(clippy::unwrap_used, reason = "tests")]
use super::*;
use crate::fakes::{ACCOUNT, APPID, TENANT, World};
use crate::principal::Operator;
use serde_json::{Value, json};
use std::sync::atomic::Ordering;
use yunling_domain::AccountId;
use yunling_store::attempts::{self, AttemptLane, of_request};
use yunling_store::requests;

/// The document's own sample.
fn sample() -> Value {
    json!({
        "appid": APPID, "from": "01080001001", "to": "13800100001",
        "contents": [
            {"type": "voice", "content": "prompt1.wav"},
            {"type": "digits", "content": "123"},
            {"type": "voice", "content": "prompt1.wav"},
        ],
        "finishkey": "1", "repeatkey": "2", "finishvoice": "prompt3.wav",
    })
}

fn with(changes: Value) -> Value {
    let mut body = sample();
    body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    body
}

async fn send(world: &World, body: &Value) -> Result<Accepted, Refusal> {
    send_with(world, body, None).await
}

async fn send_with(world: &World, body: &Value, key: Option<&str>) -> Result<Accepted, Refusal> {
    let text = body.to_string();
    let idempotency = key.map(|key| Idempotency::new(key, text.as_bytes())).transpose()?;
    let envelope = Envelope { api_version: "v1".into(), idempotency, traceparent: None };
    run(&world.app, &world.caller(), &NoticeRequest::from_body(text.as_bytes())?, envelope).await
}

#[tokio::test]
async fn the_documents_sample_becomes_a_request_and_a_queued_attempt() {
    let world = World::open().await;
    let body = with(json!({"userdata": "ud", "times": 3, "cdrUrl": "https://x.example/cdr"}));
    let accepted = send(&world, &body).await.unwrap();
    assert!(
        accepted.request_id.as_str().starts_with("RQ")
            && accepted.call_id.as_str().starts_with("CA")
    );
    assert_eq!(world.poke.dispatcher.load(Ordering::Relaxed), 1);

    let account = AccountId::new(ACCOUNT);
    let reader = world.app.store().reader();
    let stored =
        requests::get(reader, &account, &accepted.request_id).await.unwrap().unwrap().accepted;
    assert_eq!(stored.userdata.as_deref(), Some("ud"));
    assert_eq!(stored.from_number.as_deref(), Some("01080001001"));
    assert_eq!(stored.api_version, "v1");
    assert_eq!(stored.urls, json!({"cdr": "https://x.example/cdr", "status": null}));
    assert_eq!((&stored.spec["times"], &stored.spec["finish_key"]), (&json!(3), &json!("1")));

    let attempts = of_request(reader, &account, &accepted.request_id).await.unwrap();
    let queued = &attempts[0].queued;
    let now = world.app.clock().now();
    assert_eq!(
        (attempts.len(), &queued.call_id, queued.lane),
        (1, &accepted.call_id, AttemptLane::Notice)
    );
    assert_eq!(
        (queued.to_number.as_str(), queued.to_shown.as_str()),
        ("+8613800100001", "13800100001")
    );
    assert_eq!(queued.from_number.as_deref(), Some("+861080001001"));
    assert_eq!((queued.due_at, queued.deadline_at), (now, now.plus_ms(30_000)));
    assert_eq!(queued.rule.as_deref(), Some("passed"));
}

#[tokio::test]
async fn every_field_is_taken_as_generously_as_the_resolutions_say() {
    let world = World::open().await;
    let many: Vec<Value> = (0..50).map(|_| json!({"type": "digits", "content": 1})).collect();
    let taken = [
        json!({"from": null, "userdata": "", "times": "", "finishkey": null}),
        json!({"to": "+86 138 0010 0001"}),
        json!({"to": "010-80001001"}),
        json!({"times": "1", "finishkey": 1, "repeatkey": "any"}),
        json!({"contents": "[{\"type\":\"digits\",\"content\":\"1\"}]"}),
        json!({"contents": many}),
        json!({"contents": [{"type": "money", "content": 2.14}, {"type": "time", "content": "2013-07-30", "lang": "en"}]}),
        json!({"lang": "en"}),
    ];
    for changes in taken {
        // Beyond the fourth the account's queue would be full.
        let world = if world.poke.dispatcher.load(Ordering::Relaxed) < 3 {
            &world
        } else {
            &World::open().await
        };
        let outcome = send(world, &with(changes.clone())).await;
        assert!(outcome.is_ok(), "{changes}: {outcome:?}");
    }
}

#[tokio::test]
async fn every_refusal_has_its_code_and_names_its_field() {
    let world = World::open().await;
    let too_many: Vec<Value> = (0..51).map(|_| json!({"type": "digits", "content": "1"})).collect();
    let long = "x".repeat(4_097);
    let cases = [
        (json!({"appid": null}), -3, "missing_application", "appid"),
        (json!({"appid": {}}), -3, "unknown_application", "appid"),
        (json!({"appid": "33"}), -3, "unknown_application", "appid"), // another account's
        (json!({"appid": "no", "to": null}), -3, "unknown_application", "appid"),
        (json!({"to": ""}), -4, "missing_parameter", "to"),
        (json!({"contents": null}), -4, "missing_parameter", "contents"),
        (json!({"contents": null, "times": 9}), -4, "missing_parameter", "contents"), // missing before wrong
        (json!({"contents": ""}), -4, "missing_parameter", "contents"),
        (json!({"contents": []}), -4, "bad_parameter", "contents"),
        (json!({"contents": "hello"}), -4, "bad_parameter", "contents"),
        (json!({"contents": 1}), -4, "bad_parameter", "contents"),
        (json!({"contents": too_many}), -4, "bad_parameter", "contents"),
        (json!({"contents": ["x"]}), -4, "bad_parameter", "contents[0]"),
        (json!({"contents": [{"content": "x"}]}), -4, "missing_parameter", "contents[0].type"),
        (json!({"contents": [{"type": "voice"}]}), -4, "missing_parameter", "contents[0].content"),
        (
            json!({"contents": [{"type": "song", "content": "x"}]}),
            -4,
            "bad_parameter",
            "contents[0].type",
        ),
        (
            json!({"contents": [{"type": "money", "content": "2.145"}]}),
            -4,
            "unspeakable",
            "contents[0].content",
        ),
        (
            json!({"contents": [{"type": "time", "content": "2013-02-30"}]}),
            -4,
            "unspeakable",
            "contents[0].content",
        ),
        (
            json!({"contents": [{"type": "digits", "content": "1", "lang": "fr"}]}),
            -4,
            "bad_parameter",
            "contents[0].lang",
        ),
        (
            json!({"contents": [{"type": "voice", "content": "../x"}]}),
            -4,
            "bad_parameter",
            "contents[0].content",
        ),
        (
            json!({"contents": [{"type": "voice", "content": "gone.wav"}]}),
            -4,
            "unknown_media",
            "contents[0].content",
        ),
        (json!({"finishvoice": "gone.wav"}), -4, "unknown_media", "finishvoice"),
        (json!({"to": "1380010000"}), -4, "bad_number", "to"),
        (json!({"to": ["13800100001"]}), -4, "bad_parameter", "to"),
        (json!({"to": "4008001234"}), -4, "bad_number", "to"),
        (json!({"to": "01080001001转1"}), -4, "bad_number", "to"),
        (json!({"from": "nobody"}), -4, "bad_number", "from"),
        (json!({"times": "4"}), -4, "bad_parameter", "times"),
        (json!({"finishkey": "12"}), -4, "bad_parameter", "finishkey"),
        (json!({"repeatkey": "A"}), -4, "bad_parameter", "repeatkey"),
        (json!({"userdata": long}), -4, "bad_parameter", "userdata"),
        (json!({"lang": "fr"}), -4, "bad_parameter", "lang"),
        (json!({"cdrUrl": "ftp://x"}), -4, "bad_parameter", "cdrUrl"),
        (json!({"statusUrl": "x"}), -4, "bad_parameter", "statusUrl"),
        (json!({"to": "110"}), -5, "emergency_number", ""),
        (json!({"to": "+85221234567"}), -5, "destination_not_allowed", ""),
        (json!({"from": "01080009999"}), -5, "caller_id_not_owned", ""),
        (json!({"from": "01080001002"}), -5, "caller_id_not_for_application", ""),
    ];
    for (changes, surface, name, field) in cases {
        let refusal = send(&world, &with(changes.clone())).await.unwrap_err();
        let told =
            (refusal.code.surface, refusal.code.name, refusal.field.as_deref().unwrap_or_default());
        assert_eq!(told, (surface, name, field), "{changes}: {}", refusal.detail);
        assert!(!refusal.detail.is_empty());
        if name.starts_with("missing") {
            assert_eq!(refusal.detail, format!("missing {field}"));
        }
    }
    assert_eq!(world.poke.dispatcher.load(Ordering::Relaxed), 0);
    let account = AccountId::new(ACCOUNT);
    assert_eq!(
        attempts::queue_len(world.app.store().reader(), &account, AttemptLane::Notice)
            .await
            .unwrap(),
        0
    );
}

#[tokio::test]
async fn a_trunk_down_is_passed_over_and_all_down_is_minus_six() {
    let world = World::open().await;
    world.trunk_down("carrier-a");
    assert!(send(&world, &sample()).await.is_ok());
    world.trunk_down("carrier-b");
    let refusal = send(&world, &sample()).await.unwrap_err();
    assert_eq!((refusal.code.surface, refusal.code.name), (-6, "all_trunks_down"));
}

#[tokio::test]
async fn a_route_chooses_the_trunks_or_refuses() {
    let world = World::open().await;
    let routed = |trunk: &str| {
        let third = "  - { name: carrier-c, uri: \"sip:127.0.0.1:5072\" }\naccounts:";
        let tenant = crate::fakes::TENANT.replace("accounts:", third);
        format!("{tenant}routes: [{{ prefix: \"0086138\", trunks: [{trunk}] }}]\n")
    };
    let dangling = world.apply(&routed("carrier-x")).await.unwrap_err().to_string();
    assert!(dangling.contains("carrier-x"), "{dangling}");
    world.apply(&routed("carrier-b")).await.unwrap();
    world.trunk_down("carrier-a");
    assert!(send(&world, &sample()).await.is_ok());
    world.apply(&routed("carrier-c")).await.unwrap();
    let refusal = send(&world, &sample()).await.unwrap_err();
    assert_eq!((refusal.code.surface, refusal.code.number), (-5, 20_007));
    let elsewhere = with(json!({ "to": "13900100001" }));
    assert!(send(&world, &elsewhere).await.is_ok(), "another prefix has no route");
}

#[tokio::test]
async fn an_application_may_have_other_destinations_opened() {
    let world = World::open().await;
    let body = json!({"appid": "22", "to": "0085221234567", "contents": [{"type": "digits", "content": "1"}]});
    let accepted = send(&world, &body).await.unwrap();
    let account = AccountId::new(ACCOUNT);
    let attempts =
        of_request(world.app.store().reader(), &account, &accepted.request_id).await.unwrap();
    assert_eq!(attempts[0].queued.to_number, "+85221234567");
    assert_eq!(
        attempts[0].queued.from_number.as_deref(),
        Some("+861080001001"),
        "the first line that it may show"
    );
    let landline = json!({"appid": "22", "to": "01080001001", "contents": [{"type": "digits", "content": "1"}]});
    assert_eq!(send(&world, &landline).await.unwrap_err().code.name, "destination_not_allowed");
}

#[tokio::test]
async fn a_full_queue_refuses_with_a_time_to_try_again() {
    let world = World::open().await;
    for _ in 0..3 {
        send(&world, &sample()).await.unwrap();
    }
    let refusal = send(&world, &sample()).await.unwrap_err();
    assert_eq!(
        (refusal.code.surface, refusal.code.name, refusal.retry_after_s),
        (-5, "queue_full", Some(15))
    );
}

#[tokio::test]
async fn the_same_key_gets_the_same_answer_and_one_call() {
    let world = World::open().await;
    let first = send_with(&world, &sample(), Some("k")).await.unwrap();
    let again = send_with(&world, &sample(), Some("k")).await.unwrap();
    assert_eq!((&again.request_id, &again.call_id), (&first.request_id, &first.call_id));
    assert!(!first.replayed && again.replayed);
    assert_eq!(world.poke.dispatcher.load(Ordering::Relaxed), 1);

    let other = send_with(&world, &with(json!({"times": 1})), Some("k")).await.unwrap_err();
    assert_eq!(other.code.name, "idempotency_conflict");
    let foreign = Operator::proven("test").in_account(AccountId::new("other"));
    let body = sample().to_string();
    let envelope = Envelope {
        idempotency: Some(Idempotency::new("k", body.as_bytes()).unwrap()),
        ..Envelope::default()
    };
    let request = NoticeRequest::from_body(body.as_bytes()).unwrap();
    let refusal = run(&world.app, &foreign, &request, envelope).await.unwrap_err();
    assert_eq!(refusal.code.name, "unknown_application", "another account's key is another key");
    let account = AccountId::new(ACCOUNT);
    assert_eq!(
        attempts::queue_len(world.app.store().reader(), &account, AttemptLane::Notice)
            .await
            .unwrap(),
        1
    );

    for key in ["".to_owned(), "键".repeat(256)] {
        let refusal = send_with(&world, &sample(), Some(&key)).await.unwrap_err();
        assert_eq!(refusal.code.name, "bad_idempotency_key");
    }
    assert!(send_with(&world, &sample(), Some(&"键".repeat(255))).await.is_ok());
}

#[tokio::test]
async fn of_twenty_at_once_with_one_key_one_is_called() {
    let world = Arc::new(World::open().await);
    let mut sending = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let world = Arc::clone(&world);
        sending.spawn(async move { send_with(&world, &sample(), Some("k")).await });
    }
    let accepted: Vec<Accepted> =
        sending.join_all().await.into_iter().map(Result::unwrap).collect();
    assert!(accepted.iter().all(|one| one.call_id == accepted[0].call_id));
    assert_eq!(accepted.iter().filter(|one| !one.replayed).count(), 1);
    let account = AccountId::new(ACCOUNT);
    assert_eq!(
        attempts::queue_len(world.app.store().reader(), &account, AttemptLane::Notice)
            .await
            .unwrap(),
        1
    );
}

#[tokio::test]
async fn a_refusal_is_not_remembered() {
    let world = World::open().await;
    world.trunk_down("carrier-a");
    world.trunk_down("carrier-b");
    assert_eq!(send_with(&world, &sample(), Some("k")).await.unwrap_err().code.surface, -6);
    world.trunk_up("carrier-a");
    assert!(send_with(&world, &sample(), Some("k")).await.is_ok());
}

#[tokio::test]
async fn a_closed_database_is_the_platforms_fault() {
    let world = World::open().await;
    world.app.store().clone().close().await.unwrap();
    let refusal = send(&world, &sample()).await.unwrap_err();
    assert_eq!(refusal.code.surface, -5);
    assert_eq!(refusal.code.fault, yunling_domain::Fault::Platform, "{refusal}");
}

#[tokio::test]
async fn a_changed_configuration_counts_from_the_next_request_on() {
    let world = World::open().await;
    let narrowed = TENANT.replace("notice_url:", "destinations: [landline]\n        notice_url:");
    world.apply(&narrowed).await.unwrap();
    assert_eq!(send(&world, &sample()).await.unwrap_err().code.name, "destination_not_allowed");
}
