//! Web pages that dial: browser tokens, origins, the script, server-sent events.

use poem::http::{Method, StatusCode};
use serde_json::{Value, json};
use yunling_domain::ConversationId;
use yunling_domain::conversation::{ByeType, EndedBy};
use yunling_domain::event::{ConversationEvent, EventBody};

use super::ctc::{ORIGIN, click, connected, open, path, sample, told, with};
use super::world::{ACCOUNT, APPID, Got, SEMANTIC_APPID, TOKEN, World, basic};

async fn mint(world: &World, application: &str, wish: Value) -> Got {
    let path = format!("/api/v1/applications/{application}/browser-tokens");
    world.ask(Method::POST, &path, &basic(ACCOUNT, TOKEN), wish).await
}

async fn token(world: &World, wish: Value) -> String {
    let got = mint(world, APPID, wish).await;
    assert_eq!(got.status, StatusCode::CREATED, "{}", got.text);
    format!("Bearer {}", got.body["token"].as_str().unwrap())
}

#[tokio::test]
async fn a_page_dials_reads_and_cancels_what_its_subject_has_made_and_no_more() {
    let (world, talks) = open().await;
    let mine = token(&world, json!({ "subject": "agent 7", "userData": "crm" })).await;
    let also_mine = token(&world, json!({ "subject": "agent 7" })).await;
    let hers = token(&world, json!({ "subject": "agent 8" })).await;
    let got = world.ask(Method::POST, &path(), &mine, sample()).await;
    let sid = got.body["conversationSid"].as_str().unwrap().to_owned();
    let row = click(&world, &sid).await;
    assert_eq!(row.subject.as_deref(), Some("agent 7"));

    let there = format!("{}/{sid}", path());
    let read = world.ask(Method::GET, &there, &also_mine, Value::Null).await;
    assert_eq!(read.body["conversation"]["userData"], "crm", "{}", read.text);
    let read = world.ask(Method::GET, &there, &hers, Value::Null).await;
    assert_eq!(told(&read)[0], "11005", "{}", read.text);
    let list = world.ask(Method::GET, &path(), &hers, Value::Null).await;
    assert_eq!(list.body["conversations"], json!([]));
    let list = world.ask(Method::GET, &path(), &mine, Value::Null).await;
    assert_eq!(list.body["conversations"].as_array().unwrap().len(), 1);

    let cancel = json!({ "action": "cancelCall" });
    let got = world.ask(Method::POST, &there, &hers, cancel.clone()).await;
    assert_eq!(told(&got)[0], "11005");
    let got = world.ask(Method::POST, &there, &mine, cancel).await;
    assert_eq!(told(&got)[0], "00000");
    assert_eq!(*talks.cancelled.lock(), std::slice::from_ref(&sid));
    let add = json!({ "action": "addCall", "callee": "13800100003" });
    let got = world.ask(Method::POST, &there, &mine, add).await;
    assert_eq!(told(&got)[0], "10004", "it adds nobody: {}", got.text);

    for (path, code) in [
        (format!("/Accounts/{ACCOUNT}/VoiceNotices"), "-1"),
        (format!("/Accounts/{ACCOUNT}/Applications/{SEMANTIC_APPID}/ctc/Conversations"), "10004"),
        ("/Accounts/other/Applications/33/ctc/Conversations".to_owned(), "10002"),
    ] {
        let got = world.ask(Method::POST, &path, &mine, sample()).await;
        assert_eq!(got.body["statusCode"], code, "{path}: {}", got.text);
    }
    let got = world.ask(Method::GET, "/api/v1/calls", &mine, Value::Null).await;
    assert_eq!(got.status, StatusCode::UNAUTHORIZED);
    for wrong in ["Bearer ylb_x.y", "Bearer ", "Bearer 0123456789abcdef0123456789abcdef"] {
        let got = world.ask(Method::POST, &path(), wrong, sample()).await;
        assert_eq!(told(&got)[0], "10001", "{wrong}: {}", got.text);
    }
}

#[tokio::test]
async fn what_a_token_fixes_the_page_cannot_change() {
    let (world, talks) = open().await;
    let fixed =
        token(&world, json!({ "caller": "13900000007", "userData": "u", "ttlS": 60 })).await;
    let dial = json!({ "action": "click2call", "callee": "13800100002" });
    let got = world.ask(Method::POST, &path(), &fixed, dial).await;
    assert_eq!(told(&got)[0], "00000", "{}", got.text);
    assert_eq!(talks.reserved.lock()[0].1.number, "+8613900000007");
    for (changes, field) in [
        (json!({}), "caller"),
        (json!({ "caller": "+86 139 0000 0007", "userData": "other" }), "userData"),
        (json!({ "caller": "13900000007", "cdrUrl": "https://evil.example/x" }), "cdrUrl"),
        (json!({ "caller": "13900000007", "statusUrl": "https://evil.example/x" }), "statusUrl"),
    ] {
        let got = world.ask(Method::POST, &path(), &fixed, with(&changes)).await;
        let said = format!("invalid {field}");
        assert_eq!(told(&got)[..2], ["12002", said.as_str()], "{changes}: {}", got.text);
    }
    for (wish, field) in [
        (json!({ "ttlS": 0 }), "ttlS"),
        (json!({ "ttlS": 3_601 }), "ttlS"),
        (json!({ "caller": "1" }), "caller"),
        (json!({ "userData": "x".repeat(300) }), "userData"),
    ] {
        let got = mint(&world, APPID, wish.clone()).await;
        assert_eq!(got.body["field"], field, "{wish}: {}", got.text);
    }
    assert_eq!(mint(&world, "nope", json!({})).await.body["code"], "unknown_application");
    let (id, key) = world.key(&["calls:dial"]).await;
    let path = format!("/api/v1/applications/{APPID}/browser-tokens");
    let got = world.ask(Method::POST, &path, &format!("Bearer {key}"), json!({})).await;
    let token = format!("Bearer {}", got.body["token"].as_str().unwrap());
    let dialled = world.ask(Method::POST, &super::ctc::path(), &token, sample()).await;
    assert_eq!(told(&dialled)[0], "00000");
    let revoke = format!("/api/v1/api-keys/{id}");
    world.ask(Method::DELETE, &revoke, &basic(ACCOUNT, TOKEN), Value::Null).await;
    let dialled = world.ask(Method::POST, &super::ctc::path(), &token, sample()).await;
    assert_eq!(told(&dialled)[0], "10001", "its key is revoked: {}", dialled.text);
}

#[tokio::test]
async fn only_pages_of_the_applications_origins_may_ask_and_read() {
    let (world, _) = open().await;
    let token = token(&world, json!({})).await;
    let body = || sample().to_string().into_bytes();
    let allow = "access-control-allow-origin";

    let preflight = |origin: &'static str, path: String| {
        let world = &world;
        async move {
            let headers = [
                ("origin", origin.as_bytes()),
                ("access-control-request-method", &b"POST"[..]),
                ("access-control-request-headers", b"authorization"),
            ];
            world.send(Method::OPTIONS, &path, &headers, Vec::new()).await
        }
    };
    for path in [path(), format!("/v1{}", path()), format!("{}/CV1/events", path())] {
        let got = preflight(ORIGIN, path.clone()).await;
        assert_eq!(
            (got.status, got.header(allow)),
            (StatusCode::NO_CONTENT, Some(ORIGIN)),
            "{path}"
        );
        let headers = got.header("access-control-allow-headers").unwrap();
        assert!(headers.contains("authorization") && headers.contains("content-type"));
        assert_eq!(got.header("access-control-allow-credentials"), None);
    }
    let elsewhere = [
        ("https://evil.example", path()),
        ("null", path()),
        ("http://crm.example.com", path()),
        (ORIGIN, super::ctc::of(SEMANTIC_APPID)),
    ];
    for (origin, path) in elsewhere {
        let got = preflight(origin, path.clone()).await;
        assert_eq!(
            (got.status, got.header(allow)),
            (StatusCode::FORBIDDEN, None),
            "{origin} {path}"
        );
    }
    for (origin, code, allowed) in
        [(ORIGIN, "00000", Some(ORIGIN)), ("https://evil.example", "10006", None)]
    {
        let headers = [("authorization", token.as_bytes()), ("origin", origin.as_bytes())];
        let got = world.send(Method::POST, &path(), &headers, body()).await;
        assert_eq!((told(&got)[0], got.header(allow)), (code, allowed), "{origin}");
        assert!(got.header("vary").unwrap().contains("origin"));
    }
    // A failure can be read by the page too.
    let headers = [("origin", ORIGIN.as_bytes())];
    let got = world.send(Method::POST, &path(), &headers, body()).await;
    assert_eq!((told(&got)[0], got.header(allow)), ("10001", Some(ORIGIN)));
    let notices = super::world::notices();
    let got = world.send(Method::POST, &notices, &headers, body()).await;
    assert_eq!(got.header(allow), None, "nothing else is opened to pages");
}

#[tokio::test]
async fn a_conversation_is_followed_to_its_end() {
    let (world, talks) = open().await;
    let token = token(&world, json!({})).await;
    let got = world.ask(Method::POST, &path(), &token, sample()).await;
    let sid = got.body["conversationSid"].as_str().unwrap().to_owned();
    let state = connected(&world, &talks, &sid).await;
    let events = world.app.events().clone();
    let follow = format!("{}/{sid}/events", path());
    let following = world.ask(Method::GET, &follow, &token, Value::Null);
    let telling = async {
        // Told again and again: the reader may not have begun to listen.
        loop {
            for (id, seq, body) in [
                ("CV-other", 3, EventBody::Parted),
                (sid.as_str(), 1, EventBody::Answered),
                (sid.as_str(), 3, EventBody::Parted),
                (
                    sid.as_str(),
                    4,
                    EventBody::TalkFinished {
                        bye_type: ByeType::CalleeHungUp,
                        by: EndedBy::Callee,
                    },
                ),
            ] {
                let event = ConversationEvent { seq, at: state.started_at, party: None, body };
                events.publish(&ConversationId::new(id), &event);
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let got = tokio::select! {
        got = following => got,
        () = telling => unreachable!("it tells for ever"),
    };
    assert_eq!(got.header("content-type"), Some("text/event-stream"));
    let data = got.text.lines().filter_map(|line| line.strip_prefix("data:"));
    let told: Vec<Value> = data.map(|data| serde_json::from_str(data).unwrap()).collect();
    let seen: Vec<_> = told
        .iter()
        .map(|one| (one["seq"].as_str().unwrap(), one["event"].as_str().unwrap()))
        .collect();
    assert_eq!(
        seen,
        [
            ("0", "accepted"),
            ("1", "answered"),
            ("2", "connected"),
            ("3", "parted"),
            ("4", "talk_finished")
        ]
    );
    assert!(got.text.contains("event:connected") || got.text.contains("event: connected"));

    let unknown = format!("{}/CV0/events", path());
    let got = world.ask(Method::GET, &unknown, &token, Value::Null).await;
    assert_eq!((got.status, super::ctc::told(&got)[0]), (StatusCode::OK, "11005"));
}

/// A stream lives no longer than what opened it, and says why it ends.
#[tokio::test]
async fn a_stream_ends_with_its_token_and_with_its_credential() {
    let (world, talks) = open().await;
    let sid = super::ctc::clicked(&world, &json!({})).await;
    connected(&world, &talks, &sid).await;
    let follow = format!("{}/{sid}/events", path());
    let last = |got: &Got| -> Value {
        let data = got.text.lines().filter_map(|line| line.strip_prefix("data:")).next_back();
        serde_json::from_str(data.unwrap_or_default()).unwrap_or_default()
    };
    let brief = token(&world, json!({ "ttlS": 1, "subject": "agent 7" })).await;
    let got = world.ask(Method::POST, &path(), &brief, sample()).await;
    let own = got.body["conversationSid"].as_str().unwrap().to_owned();
    connected(&world, &talks, &own).await;
    let mine = format!("{}/{own}/events", path());
    let got = world.ask(Method::GET, &mine, &brief, Value::Null).await;
    let event = last(&got);
    assert_eq!(
        (&event["event"], &event["seq"]),
        (&json!("stream_ended"), &json!("")),
        "{}",
        got.text
    );
    assert_eq!(event["detail"]["reason"], "token_expired");

    let (id, key) = world.key(&["calls:read"]).await;
    let login = basic(ACCOUNT, &key);
    // Asked after the stream, which is let in before anything of it waits.
    let revoke = async {
        let path = format!("/api/v1/api-keys/{id}");
        world.ask(Method::DELETE, &path, &basic(ACCOUNT, TOKEN), Value::Null).await
    };
    let (got, _) = tokio::join!(world.ask(Method::GET, &follow, &login, Value::Null), revoke);
    assert_eq!(last(&got)["detail"]["reason"], "credential_revoked", "{}", got.text);
}

#[tokio::test]
async fn the_script_is_served_to_any_page() {
    let (world, _) = open().await;
    let got = world.ask(Method::GET, "/dial.js", "", Value::Null).await;
    assert_eq!(got.status, StatusCode::OK);
    assert_eq!(got.header("content-type"), Some("text/javascript; charset=utf-8"));
    assert_eq!(
        (got.header("vary"), got.header("content-encoding")),
        (Some("accept-encoding"), None)
    );
    assert!(got.text.contains("click2call"));
}
