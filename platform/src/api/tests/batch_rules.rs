//! What RESOLUTIONS.md settles of batches, row by row, and what may be done to one.

use poem::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::world::{ACCOUNT, Got, OTHER, OTHER_TOKEN, TOKEN, World, basic, with};

fn path() -> String {
    format!("/Accounts/{ACCOUNT}/BatchVoiceNotices")
}

async fn send(world: &World, changes: &Value) -> Got {
    world.ask(Method::POST, &path(), &basic(ACCOUNT, TOKEN), with(changes)).await
}

async fn accepted(world: &World, to: &str) -> String {
    let got = send(world, &json!({ "to": to })).await;
    assert_eq!(got.envelope()[..2], ["0", "succ"], "{to}: {}", got.text);
    got.body["requestid"].as_str().unwrap().to_owned()
}

async fn change(world: &World, id: &str, verb: &str) -> Got {
    let path = format!("/api/v1/batches/{id}/{verb}");
    world.ask(Method::POST, &path, &basic(ACCOUNT, TOKEN), Value::Null).await
}

#[tokio::test]
async fn an_accepted_batch_is_answered_as_the_sample() {
    let world = World::open().await;
    let got = send(&world, &json!({ "to": "13800100001,13800100002,13800100003" })).await;
    let fields: Vec<&String> = got.body.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["requestid", "statusCode", "statusmsg"], "never a callid");
    let id = got.body["requestid"].as_str().unwrap();
    let read = world.read(&format!("/Accounts/{ACCOUNT}/VoiceNotices/{id}")).await;
    assert_eq!(read.body["request"]["state"], "accepted", "{}", read.text);
}

#[tokio::test]
async fn entries_are_counted_as_the_resolutions_say() {
    let world = World::open().await;
    // (to, numbers, duplicates)
    for (to, total, duplicates) in [
        ("13800100001", 1, 0),
        (" 13800100001 , 13800100002,", 2, 0),
        ("13800100001,+8613800100001,138 0010 0001", 1, 2),
        ("13800100001,x,x,95588", 3, 1),
        ("13800100001,110,+85221234567", 3, 0),
    ] {
        let id = accepted(&world, to).await;
        let batch = world.read(&format!("/api/v1/batches/{id}")).await.body;
        assert_eq!(
            (&batch["total"], &batch["duplicates"]),
            (&json!(total), &json!(duplicates)),
            "{to}"
        );
        assert_eq!(batch["counts"]["waiting"], total, "{to}");
        assert_eq!(batch["state"], "running");
    }
}

#[tokio::test]
async fn every_refusal_has_its_code() {
    let world = World::open().await;
    let cases = [
        (json!({ "to": "" }), "-4", "missing to", "12001"),
        (json!({ "contents": null }), "-4", "missing contents", "12001"),
        (json!({ "to": "x,y" }), "-4", "invalid to", "12005"),
        (json!({ "to": ",," }), "-4", "invalid to", "12005"),
        (json!({ "to": ["13800100001"] }), "-4", "invalid to", "12002"),
        (json!({ "to": "13800100001", "times": 4 }), "-4", "invalid times", "12002"),
        (json!({ "appid": null }), "-3", "missing appid", "12003"),
        (json!({ "to": "110" }), "-5", "call failed", "20005"),
        (json!({ "from": "01080009999" }), "-5", "call failed", "20001"),
    ];
    for (changes, status_code, statusmsg, error_code) in cases {
        let got = send(&world, &changes).await;
        assert_eq!(got.envelope()[..3], [status_code, statusmsg, error_code], "{changes}");
        assert!(got.body["requestid"].as_str().unwrap().starts_with("RQ"), "{changes}");
    }
    let list = world.read("/api/v1/batches").await;
    assert_eq!(list.body, json!({ "batches": [] }), "nothing of it was taken");
}

#[tokio::test]
async fn four_mebibytes_are_taken_on_this_path_alone() {
    let world = World::open().await;
    let many: String = (0..20_000).map(|n| format!("138{n:08},")).collect();
    let body = with(&json!({ "to": many }));
    let got = world.notice(&body).await;
    assert_eq!(got.envelope()[..2], ["-2", "body too large"], "{}", got.text);
    let id = accepted(&world, &many).await;
    assert_eq!(world.read(&format!("/api/v1/batches/{id}")).await.body["total"], 20_000);
    let too_long = with(&json!({ "to": many, "userdata": "x".repeat(4 << 20) }));
    let got = world.ask(Method::POST, &path(), &basic(ACCOUNT, TOKEN), too_long).await;
    assert_eq!(got.envelope()[..2], ["-2", "body too large"], "{}", got.text);
    let most: String = (0..100_001).map(|n| format!("138{n:08},")).collect();
    let got = send(&world, &json!({ "to": most })).await;
    assert_eq!(got.envelope()[..2], ["-4", "invalid to"], "{}", got.text);
}

#[tokio::test]
async fn a_key_replays_the_answer() {
    let world = World::open().await;
    let authorization = basic(ACCOUNT, TOKEN);
    let headers = [("authorization", authorization.as_bytes()), ("idempotency-key", &b"k"[..])];
    let body = with(&json!({ "to": "13800100001,x" })).to_string().into_bytes();
    let first = world.send(Method::POST, &path(), &headers, body.clone()).await;
    let again = world.send(Method::POST, &path(), &headers, body).await;
    assert_eq!(again.body, first.body);
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(world.read("/api/v1/batches").await.body["batches"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_may_be_done_to_a_batch_depends_on_its_state() {
    let world = World::open().await;
    let id = accepted(&world, "13800100001,13800100002").await;
    // (verb, status, state after it)
    for (verb, status, state) in [
        ("resume", StatusCode::OK, "running"),
        ("pause", StatusCode::OK, "paused"),
        ("pause", StatusCode::OK, "paused"),
        ("resume", StatusCode::OK, "running"),
        ("pause", StatusCode::OK, "paused"),
        ("cancel", StatusCode::OK, "cancelled"),
        ("cancel", StatusCode::OK, "cancelled"),
        ("pause", StatusCode::CONFLICT, "cancelled"),
        ("resume", StatusCode::CONFLICT, "cancelled"),
    ] {
        let got = change(&world, &id, verb).await;
        assert_eq!(got.status, status, "{verb}: {}", got.text);
        let batch = world.read(&format!("/api/v1/batches/{id}")).await.body;
        assert_eq!(batch["state"], state, "after {verb}");
    }
    assert_eq!(change(&world, "RQnone", "pause").await.status, StatusCode::NOT_FOUND);
    let foreign = format!("/api/v1/batches/{id}/cancel");
    let got = world.ask(Method::POST, &foreign, &basic(OTHER, OTHER_TOKEN), Value::Null).await;
    assert_eq!(got.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn batches_are_listed_page_by_page_newest_first() {
    let world = World::open().await;
    let mut ids = Vec::new();
    for n in 0..5 {
        ids.push(accepted(&world, &format!("1380010000{n}")).await);
    }
    ids.reverse();
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = world.read(&format!("/api/v1/batches?limit=2{cursor}")).await.body;
        let rows = page["batches"].as_array().unwrap();
        found.extend(rows.iter().map(|row| row["requestId"].as_str().unwrap().to_owned()));
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(found, ids);
}
