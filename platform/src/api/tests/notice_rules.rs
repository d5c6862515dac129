//! What RESOLUTIONS.md settles of the voice surface and the interface decides, row by row.

use poem::http::{Method, StatusCode};
use serde_json::json;
use yunling_domain::{AccountId, RequestId};
use yunling_store::requests;

use super::world::{ACCOUNT, SEMANTIC_APPID, TOKEN, World, basic, notices, sample, with};

#[tokio::test]
async fn an_accepted_notice_is_answered_as_the_sample() {
    let world = World::open().await;
    let got = world.notice(&sample()).await;
    assert_eq!(got.status, StatusCode::OK);
    assert_eq!(got.header("content-type"), Some("application/json; charset=utf-8"));
    let fields: Vec<&String> = got.body.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["callid", "requestid", "statusCode", "statusmsg"]);
    assert_eq!((&got.body["statusCode"], &got.body["statusmsg"]), (&json!("0"), &json!("succ")));
    for (name, prefix) in [("requestid", "RQ10000"), ("callid", "CA10000")] {
        let id = got.body[name].as_str().unwrap();
        assert!(id.len() == 34 && id.starts_with(prefix), "{name} {id}");
    }
    assert_eq!(world.waiting().await, 1);
}

#[tokio::test]
async fn the_body_is_json_whatever_the_content_type_says() {
    let world = World::open().await;
    let authorization = basic(ACCOUNT, TOKEN);
    for content_type in
        ["application/json;charset=utf-8", "text/plain", "application/x-www-form-urlencoded"]
    {
        let headers = [
            ("authorization", authorization.as_bytes()),
            ("content-type", content_type.as_bytes()),
        ];
        let got =
            world.send(Method::POST, &notices(), &headers, sample().to_string().into_bytes()).await;
        assert_eq!(got.envelope()[0], "0", "{content_type}: {}", got.text);
    }
}

#[tokio::test]
async fn scalars_are_strings_or_numbers_and_empty_means_absent() {
    let most: Vec<_> = (0..50).map(|_| json!({ "type": "digits", "content": 1 })).collect();
    let cases = [
        json!({ "times": "1" }),
        json!({ "times": 1 }),
        json!({ "to": 13_800_100_001_u64 }),
        json!({ "finishkey": 1, "repeatkey": "any" }),
        json!({ "contents": [{ "type": "money", "content": 2.14 }, { "type": "number", "content": 112 }] }),
        json!({ "from": "", "userdata": null, "times": null, "finishkey": "", "finishvoice": null, "cdrUrl": "" }),
        json!({ "unknown": { "is": "passed over" } }),
        json!({ "to": "+86 138 0010 0001" }),
        json!({ "to": "010-80001001" }),
        json!({ "contents": most }),
        json!({ "userdata": "x".repeat(4_096) }),
    ];
    for batch in cases.chunks(3) {
        let world = World::open().await;
        for changes in batch {
            let got = world.notice(&with(changes)).await;
            assert_eq!(got.envelope()[0], "0", "{changes}: {}", got.text);
        }
    }
}

#[tokio::test]
async fn any_soft_version_before_the_path_is_taken_and_kept() {
    let world = World::open().await;
    for version in ["v1", "2013-12-26"] {
        let path = format!("/{version}{}", notices());
        let got = world.ask(Method::POST, &path, &basic(ACCOUNT, TOKEN), sample()).await;
        assert_eq!(got.envelope()[0], "0", "{version}: {}", got.text);
        let id = RequestId::new(got.body["requestid"].as_str().unwrap());
        let stored = requests::get(world.app.store().reader(), &AccountId::new(ACCOUNT), &id)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(stored.accepted.api_version, version);
        let read = world.read(&format!("/{version}{}/{id}", notices())).await;
        assert_eq!(read.body["request"]["apiVersion"], version);
    }
    let got =
        world.ask(Method::POST, &format!("/seventeen-letters{}", notices()), "", sample()).await;
    assert_eq!(got.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_wrong_method_or_path_under_an_account_is_answered_in_the_envelope() {
    let world = World::open().await;
    let cases = [
        (Method::GET, notices(), "method not allowed", "11003"),
        (Method::PUT, notices(), "method not allowed", "11003"),
        (Method::DELETE, format!("/v1{}", notices()), "method not allowed", "11003"),
        (Method::POST, format!("/Accounts/{ACCOUNT}/VoiceNotice"), "unknown path", "11004"),
        (Method::POST, format!("/Accounts/{ACCOUNT}"), "unknown path", "11004"),
        (Method::GET, format!("/Accounts/{ACCOUNT}/a/b/c"), "unknown path", "11004"),
        (Method::POST, format!("/Accounts/{ACCOUNT}/%ff"), "unknown path", "11004"),
        (Method::GET, "/Accounts/%ff/Calls".to_owned(), "unknown path", "11004"),
    ];
    for (method, path, statusmsg, error_code) in cases {
        let got = world.ask(method.clone(), &path, &basic(ACCOUNT, TOKEN), sample()).await;
        let [status_code, found_msg, found_code, _] = got.envelope();
        assert_eq!(
            [status_code, found_msg, found_code],
            ["-4", statusmsg, error_code],
            "{method} {path}"
        );
        assert_eq!(got.status, StatusCode::OK, "{method} {path}");
    }
    assert_eq!(world.waiting().await, 0);
}

#[tokio::test]
async fn an_application_may_switch_on_semantic_statuses() {
    let world = World::open().await;
    let cases = [
        (json!({ "appid": SEMANTIC_APPID, "contents": null }), StatusCode::BAD_REQUEST, "-4"),
        (json!({ "appid": SEMANTIC_APPID, "finishvoice": "" }), StatusCode::NOT_FOUND, "-4"),
        (json!({ "appid": "no" }), StatusCode::OK, "-3"),
        (json!({ "contents": null }), StatusCode::OK, "-4"),
    ];
    for (changes, status, status_code) in cases {
        let got = world.notice(&with(&changes)).await;
        assert_eq!(
            (got.status, got.envelope()[0]),
            (status, status_code),
            "{changes}: {}",
            got.text
        );
    }
    let contents = json!([{ "type": "digits", "content": "1" }]);
    let accepted =
        with(&json!({ "appid": SEMANTIC_APPID, "contents": contents, "finishvoice": "" }));
    let got = world.notice(&accepted).await;
    assert_eq!((got.status, got.envelope()[0]), (StatusCode::OK, "0"), "{}", got.text);
}

#[tokio::test]
async fn a_full_queue_is_minus_5_with_a_time_to_try_again() {
    let world = World::open().await;
    for _ in 0..3 {
        assert_eq!(world.notice(&sample()).await.envelope()[0], "0");
    }
    let got = world.notice(&sample()).await;
    let [status_code, statusmsg, error_code, _] = got.envelope();
    assert_eq!([status_code, statusmsg, error_code], ["-5", "call failed", "21002"]);
    let seconds: u32 = got.header("retry-after").unwrap().parse().unwrap();
    assert!(seconds > 0);
    assert_eq!(world.waiting().await, 3);
}

#[tokio::test]
async fn every_line_down_is_minus_6() {
    let world = World::open().await;
    world.trunk_down("carrier-a");
    let got = world.notice(&sample()).await;
    let [status_code, statusmsg, error_code, _] = got.envelope();
    assert_eq!([status_code, statusmsg, error_code], ["-6", "call failed", "30001"]);
    world.trunk_up("carrier-a");
    assert_eq!(world.notice(&sample()).await.envelope()[0], "0");
}

#[tokio::test]
async fn an_api_key_works_as_the_password_within_its_scopes() {
    let world = World::open().await;
    let (_, sender) = world.key(&["notices:send"]).await;
    let (_, reader) = world.key(&["calls:read"]).await;
    let got = world.ask(Method::POST, &notices(), &basic(ACCOUNT, &sender), sample()).await;
    assert_eq!(got.envelope()[0], "0", "{}", got.text);
    let got = world.ask(Method::POST, &notices(), &basic(ACCOUNT, &reader), sample()).await;
    let [status_code, _, error_code, detail] = got.envelope();
    assert_eq!([status_code, error_code], ["-1", "10004"]);
    assert!(detail.contains("notices:send"), "{detail}");
}
