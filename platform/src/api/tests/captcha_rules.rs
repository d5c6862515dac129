//! What RESOLUTIONS.md settles of voice captchas, row by row.

use poem::http::{Method, StatusCode};
use serde_json::{Value, json};
use yunling_domain::{AccountId, RequestId};
use yunling_store::attempts::{self, AttemptLane};
use yunling_store::requests;

use super::world::{
    ACCOUNT, APPID, Got, OTHER, OTHER_TOKEN, SEMANTIC_APPID, TOKEN, World, basic, sample,
};

fn path() -> String {
    format!("/Accounts/{ACCOUNT}/VoiceCaptchas")
}

/// The published document's sample, with other fields.
fn captcha(changes: &Value) -> Value {
    let mut body =
        json!({ "appid": APPID, "from": "01080001001", "to": "13800100001", "code": "123235" });
    body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    body
}

async fn send(world: &World, changes: &Value) -> Got {
    world.ask(Method::POST, &path(), &basic(ACCOUNT, TOKEN), captcha(changes)).await
}

#[tokio::test]
async fn an_accepted_captcha_is_answered_as_the_sample_and_waits_in_its_own_lane() {
    let world = World::open().await;
    let got = send(&world, &json!({ "code": "12aB", "lang": "en", "userdata": "ud" })).await;
    let fields: Vec<&String> = got.body.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["callid", "requestid", "statusCode", "statusmsg"]);
    assert_eq!(got.envelope()[..2], ["0", "提交成功"]);

    let attempt = world.attempt(got.body["callid"].as_str().unwrap()).await.queued;
    assert_eq!(attempt.lane, AttemptLane::Captcha);
    assert_eq!(attempt.deadline_at.ms_since(attempt.due_at), 5_000);
    let id = RequestId::new(got.body["requestid"].as_str().unwrap());
    let account = AccountId::new(ACCOUNT);
    let stored = requests::get(world.app.store().reader(), &account, &id).await.unwrap().unwrap();
    assert_eq!(
        stored.accepted.spec,
        json!({ "contents": [{ "type": "digits", "content": "12aB", "lang": "en" }], "times": 2 })
    );
}

#[tokio::test]
async fn scalars_are_strings_or_numbers_and_empty_means_absent() {
    for changes in [
        json!({ "code": 123_235 }),
        json!({ "code": "0000" }),
        json!({ "code": "abcdEFGH" }),
        json!({ "lang": "", "from": null, "userdata": "" }),
        json!({ "lang": "zh" }),
        json!({ "to": "+86 138 0010 0001" }),
        json!({ "unknown": [1] }),
    ] {
        let world = World::open().await;
        let got = send(&world, &changes).await;
        assert_eq!(got.envelope()[0], "0", "{changes}: {}", got.text);
    }
}

#[tokio::test]
async fn every_refusal_has_its_code_its_words_and_an_empty_identifier() {
    let world = World::open().await;
    let missing = "缺少必要参数";
    let cases = [
        (json!({ "code": null }), "-2", missing, "12001"),
        (json!({ "to": "" }), "-2", missing, "12001"),
        (json!({ "code": "", "to": "x" }), "-2", missing, "12001"), // missing before wrong
        (json!({ "appid": null }), "-3", "appid 错误", "12003"),
        (json!({ "appid": "no", "code": null }), "-3", "appid 错误", "12004"),
        (json!({ "code": "123" }), "-4", "参数错误", "12002"),
        (json!({ "code": "123456789" }), "-4", "参数错误", "12002"),
        (json!({ "code": "12-34" }), "-4", "参数错误", "12002"),
        (json!({ "code": ["1234"] }), "-4", "参数错误", "12002"),
        (json!({ "to": "1380010000" }), "-4", "参数错误", "12005"),
        (json!({ "to": "4008001234" }), "-4", "参数错误", "12005"),
        (json!({ "lang": "fr" }), "-4", "参数错误", "12002"),
        (json!({ "userdata": "x".repeat(4_097) }), "-4", "参数错误", "12002"),
        (json!({ "cdrUrl": "ftp://x" }), "-4", "参数错误", "12002"),
        (json!({ "to": "110" }), "-5", "发起呼叫失败", "20005"),
        (json!({ "to": "+85221234567" }), "-5", "发起呼叫失败", "20004"),
        (json!({ "from": "01080009999" }), "-5", "发起呼叫失败", "20001"),
    ];
    for (changes, status_code, statusmsg, error_code) in cases {
        let got = send(&world, &changes).await;
        let found = got.envelope();
        assert_eq!(found[..3], [status_code, statusmsg, error_code], "{changes}: {}", got.text);
        assert_eq!(got.body["requestid"], "", "{changes}");
        assert_eq!(got.status, StatusCode::OK);
    }
    let unread = world.send(Method::POST, &path(), &[], b"{".to_vec()).await;
    assert_eq!(unread.envelope()[..2], ["-1", "鉴权失败"], "{}", unread.text);
    let authorization = basic(ACCOUNT, TOKEN);
    let headers = [("authorization", authorization.as_bytes())];
    let broken = world.send(Method::POST, &path(), &headers, b"{".to_vec()).await;
    assert_eq!(broken.envelope()[..2], ["-2", "JSON 解析失败"], "{}", broken.text);
    assert_eq!((&unread.body["requestid"], &broken.body["requestid"]), (&json!(""), &json!("")));
    let foreign = basic(OTHER, OTHER_TOKEN);
    let foreign = world.ask(Method::POST, &path(), &foreign, captcha(&json!({}))).await;
    assert_eq!(foreign.envelope()[0], "-1");
    let semantic = send(&world, &json!({ "appid": SEMANTIC_APPID, "code": null })).await;
    assert_eq!((semantic.status, semantic.envelope()[0]), (StatusCode::BAD_REQUEST, "-2"));
}

#[tokio::test]
async fn a_queue_full_of_notices_takes_captchas() {
    let world = World::open().await;
    for _ in 0..3 {
        assert_eq!(world.notice(&sample()).await.envelope()[0], "0");
    }
    assert_eq!(world.notice(&sample()).await.envelope()[2], "21002");
    for _ in 0..3 {
        assert_eq!(send(&world, &json!({})).await.envelope()[0], "0");
    }
    let full = send(&world, &json!({})).await;
    assert_eq!(full.envelope()[..3], ["-5", "发起呼叫失败", "21002"]);
    assert_eq!(full.header("retry-after"), Some("2"));
    let account = AccountId::new(ACCOUNT);
    let reader = world.app.store().reader();
    let waiting = attempts::queue_len(reader, &account, AttemptLane::Captcha).await.unwrap();
    assert_eq!(waiting, 3);
}

#[tokio::test]
async fn a_key_is_for_captchas_alone_and_its_answer_is_replayed() {
    let world = World::open().await;
    let authorization = basic(ACCOUNT, TOKEN);
    let headers = [("authorization", authorization.as_bytes()), ("idempotency-key", &b"k"[..])];
    let body = captcha(&json!({})).to_string().into_bytes();
    let first = world.send(Method::POST, &path(), &headers, body.clone()).await;
    let again = world.send(Method::POST, &path(), &headers, body).await;
    assert_eq!(again.body, first.body);
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    let other = captcha(&json!({ "code": "9999" })).to_string().into_bytes();
    let other = world.send(Method::POST, &path(), &headers, other).await;
    assert_eq!(other.envelope()[0], "-4", "{}", other.text);
    let notice = world
        .send(Method::POST, &super::world::notices(), &headers, sample().to_string().into_bytes())
        .await;
    assert_eq!(notice.envelope()[0], "0", "{}", notice.text);
}
