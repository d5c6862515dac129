//! The admin API.

use poem::http::{Method, StatusCode};
use serde_json::{Value, json};
use yunling_app::documents;
use yunling_domain::{AccountId, ApplicationId};

use super::world::{ACCOUNT, APPID, OTHER, OTHER_TOKEN, TENANTS, TOKEN, World, basic, sample};

#[tokio::test]
async fn problems_say_what_where_and_what_to_do() {
    let world = World::open().await;
    let cases = [
        ("/api/v1/calls?limit=0", StatusCode::BAD_REQUEST, "bad_parameter", "limit"),
        ("/api/v1/calls?limit=x", StatusCode::BAD_REQUEST, "bad_parameter", "limit"),
        ("/api/v1/calls?cursor=x", StatusCode::BAD_REQUEST, "bad_parameter", "cursor"),
        ("/api/v1/calls?result=2", StatusCode::BAD_REQUEST, "bad_parameter", "result"),
        ("/api/v1/calls?since=yesterday", StatusCode::BAD_REQUEST, "bad_parameter", "since"),
        ("/api/v1/calls?to=x", StatusCode::BAD_REQUEST, "bad_number", "to"),
        (
            "/api/v1/callback-deliveries?state=lost",
            StatusCode::BAD_REQUEST,
            "bad_parameter",
            "state",
        ),
        ("/api/v1/calls/CA0", StatusCode::NOT_FOUND, "not_found", ""),
        ("/api/v1/conversations/CV0", StatusCode::NOT_FOUND, "not_found", ""),
        ("/api/v1/callback-deliveries/msg_0", StatusCode::NOT_FOUND, "not_found", ""),
        ("/api/v1/nothing", StatusCode::NOT_FOUND, "unknown_path", ""),
        ("/api/v1/apply", StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", ""),
    ];
    for (path, status, code, field) in cases {
        let got = world.read(path).await;
        assert_eq!(
            (got.status, got.body["code"].as_str()),
            (status, Some(code)),
            "{path}: {}",
            got.text
        );
        assert_eq!(got.header("content-type"), Some("application/problem+json"), "{path}");
        assert_eq!(got.body["field"].as_str().unwrap_or(""), field, "{path}");
        assert_eq!(got.body["status"], status.as_u16(), "{path}");
        assert_eq!(got.body["docs"], format!("/docs/errors#{code}"), "{path}");
        assert_eq!(got.body["requestId"].as_str(), got.header("x-request-id"), "{path}");
        assert!(got.body["title"].is_string() && got.body["detail"].is_string(), "{path}");
    }
}

#[tokio::test]
async fn calls_and_their_story_are_read() {
    let world = World::open().await;
    let attempt = world.finished_notice().await;
    let waiting = world.notice(&sample()).await.body;

    let list = world.read("/api/v1/calls?to=13800100001&from=010-80001001&result=0").await.body;
    let call = world.read(&format!("/api/v1/calls/{}", attempt.queued.call_id)).await.body;
    assert_eq!(list["calls"], json!([call]), "{list}");
    for (name, value) in [
        ("state", json!("ended")),
        ("application", json!(APPID)),
        ("to", json!("+8613800100001")),
        ("from", json!("+861080001001")),
        ("trunk", json!("carrier-a")),
        ("durationS", json!(15)),
        ("result", json!(0)),
        ("inputKey", json!("1")),
        ("figures", json!({ "jitter_ms": 1 })),
    ] {
        assert_eq!(call[name], value, "{name}");
    }
    assert!(call["startedAt"].as_str().unwrap().ends_with('Z'));
    assert_eq!(call.get("reason"), None, "what is not there is left out");

    let live =
        world.read(&format!("/api/v1/calls/{}", waiting["callid"].as_str().unwrap())).await.body;
    assert_eq!((&live["state"], live.get("result")), (&json!("queued"), None));

    let story =
        world.read(&format!("/api/v1/conversations/{}", attempt.queued.conversation_id)).await.body;
    assert_eq!(story["events"][1]["kind"], "ringing");
    assert_eq!(story["events"][1]["detail"], json!({ "code": 180, "early_media": false }));
}

#[tokio::test]
async fn deliveries_are_read_and_sent_again() {
    let world = World::open().await;
    let attempt = world.finished_notice().await;
    let list = world.read("/api/v1/callback-deliveries?state=pending").await.body;
    let delivery = &list["deliveries"][0];
    assert_eq!(delivery["conversationId"], attempt.queued.conversation_id.as_str());
    assert_eq!(
        (&delivery["state"], &delivery["url"]),
        (&json!("pending"), &json!("http://127.0.0.1:9000/cdr"))
    );
    let body: Value = serde_json::from_str(delivery["body"].as_str().unwrap()).unwrap();
    assert_eq!(body["callid"], attempt.queued.call_id.as_str());
    let path = format!("/api/v1/callback-deliveries/{}", delivery["id"].as_str().unwrap());
    assert_eq!(world.read(&path).await.body["attempts"], json!([]));

    let post = async |path: &str, body: Value| {
        world.ask(Method::POST, path, &basic(ACCOUNT, TOKEN), body).await
    };
    assert_eq!(post(&format!("{path}/resend"), Value::Null).await.body, json!({ "resent": 1 }));
    let range = "/api/v1/callback-deliveries/resend";
    let since = json!({ "since": "2000-01-01T00:00:00Z" });
    assert_eq!(
        post(range, since).await.body,
        json!({ "resent": 0 }),
        "a pending one is on its way"
    );
    let pending = json!({ "since": "2000-01-01T00:00:00Z", "state": "pending" });
    assert_eq!(post(range, pending).await.body, json!({ "resent": 1 }));
    for (body, field) in
        [(json!({}), "since"), (Value::Null, "since"), (json!({ "since": "x" }), "since")]
    {
        let got = post(range, body.clone()).await;
        assert_eq!(
            (got.status, &got.body["field"]),
            (StatusCode::BAD_REQUEST, &json!(field)),
            "{body}"
        );
    }
}

#[tokio::test]
async fn a_key_is_minted_listed_and_revoked() {
    let world = World::open().await;
    let (id, key) = world.key(&["calls:read", "keys:manage"]).await;
    let bearer = format!("Bearer {key}");
    let list = async || world.ask(Method::GET, "/api/v1/api-keys", &bearer, Value::Null).await;
    let got = list().await;
    let listed = &got.body["apiKeys"][0];
    assert_eq!(
        (&listed["id"], &listed["scopes"]),
        (&json!(id), &json!(["calls:read", "keys:manage"]))
    );
    assert!(!got.text.contains(&key), "the key itself is never shown again");

    let revoke = async || {
        let path = format!("/api/v1/api-keys/{id}");
        world.ask(Method::DELETE, &path, &basic(ACCOUNT, TOKEN), Value::Null).await.status
    };
    assert_eq!((revoke().await, revoke().await), (StatusCode::NO_CONTENT, StatusCode::NO_CONTENT));
    assert_eq!(list().await.status, StatusCode::UNAUTHORIZED);

    for (body, code) in [
        (json!({ "label": "x", "scopes": ["everything"] }), "bad_parameter"),
        (json!({ "label": "x", "scopes": [] }), "bad_parameter"),
        (json!({ "label": "", "scopes": ["calls:read"] }), "bad_parameter"),
        (json!({ "scopes": ["calls:read"] }), "bad_parameter"),
        (json!([]), "bad_parameter"),
    ] {
        let got =
            world.ask(Method::POST, "/api/v1/api-keys", &basic(ACCOUNT, TOKEN), body.clone()).await;
        assert_eq!(
            (got.status, &got.body["code"]),
            (StatusCode::BAD_REQUEST, &json!(code)),
            "{body}: {}",
            got.text
        );
    }
    let authorization = basic(ACCOUNT, TOKEN);
    let headers = [("authorization", authorization.as_bytes())];
    let got = world.send(Method::POST, "/api/v1/api-keys", &headers, b"{\"label\"".to_vec()).await;
    assert_eq!(got.body["code"], "malformed_json");
    let got = world.send(Method::POST, "/api/v1/api-keys", &headers, b" ".repeat(65 * 1024)).await;
    assert_eq!(
        (got.status, &got.body["code"]),
        (StatusCode::PAYLOAD_TOO_LARGE, &json!("body_too_large"))
    );
}

#[tokio::test]
async fn a_key_mints_no_higher_key_and_gets_no_token() {
    let world = World::open().await;
    let (_, key) = world.key(&["keys:manage"]).await;
    let bearer = format!("Bearer {key}");
    let higher = json!({ "label": "x", "scopes": ["notices:send"] });
    for (path, body) in [("/api/v1/api-keys", higher), ("/api/v1/token/rotate", Value::Null)] {
        let got = world.ask(Method::POST, path, &bearer, body).await;
        assert_eq!(
            (got.status, &got.body["code"]),
            (StatusCode::FORBIDDEN, &json!("scope_missing")),
            "{path}: {}",
            got.text
        );
    }
}

#[tokio::test]
async fn secrets_are_rotated_and_shown_once() {
    let world = World::open().await;
    let post = async |path: &str, token: &str| {
        world.ask(Method::POST, path, &basic(ACCOUNT, token), Value::Null).await
    };
    let of_application = format!("/api/v1/applications/{APPID}/webhook-secret");
    let active = || {
        let (account, appid) = (AccountId::new(ACCOUNT), ApplicationId::new(APPID));
        let directory = world.app.directory();
        let secrets = &directory.application(&account, &appid).unwrap().webhook_secrets;
        secrets.iter().map(|secret| secret.to_plain().expose().to_owned()).collect::<Vec<_>>()
    };
    let old = active().remove(0);
    let got = post(&format!("{of_application}/rotate"), TOKEN).await;
    assert_eq!(got.status, StatusCode::OK, "{}", got.text);
    let fresh = got.body["secret"].as_str().unwrap().to_owned();
    assert_eq!(active(), [fresh.clone(), old]);
    let again = post(&format!("{of_application}/rotate"), TOKEN).await;
    assert_eq!((again.status, &again.body["code"]), (StatusCode::CONFLICT, &json!("conflict")));
    let retired = post(&format!("{of_application}/retire"), TOKEN).await;
    assert_eq!((retired.status, active()), (StatusCode::NO_CONTENT, vec![fresh]));

    let got = post("/api/v1/token/rotate", TOKEN).await;
    let token = got.body["token"].as_str().unwrap();
    assert_eq!(post("/api/v1/token/rotate", TOKEN).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(post("/api/v1/token/rotate", token).await.status, StatusCode::OK);
}

#[tokio::test]
async fn documents_are_planned_and_applied_by_the_operator() {
    let world = World::open().await;
    let changed = TENANTS.replace("sid: other,", "sid: other, name: Renamed,");
    let file = documents::read("tenants.yaml", &changed, world.folder.path(), &|_| None).unwrap();
    let body = json!({ "files": [file.to_wire()], "options": { "force": false, "prune": false } });
    let operator = format!("Bearer {}", world.operator_token());
    let send = async |path: &str| world.ask(Method::POST, path, &operator, body.clone()).await;

    let plan = send("/api/v1/apply?plan=true").await;
    assert_eq!(
        (plan.status, &plan.body["conflicts"]),
        (StatusCode::OK, &json!(false)),
        "{}",
        plan.text
    );
    assert!(plan.body["text"].as_str().unwrap().contains("1 to change"), "{}", plan.text);
    assert!(plan.body["plan"]["steps"].is_array());
    let applied = send("/api/v1/apply").await;
    assert_eq!(applied.status, StatusCode::OK, "{}", applied.text);
    let account =
        world.app.directory().account(&yunling_domain::AccountId::new(OTHER)).unwrap().clone();
    assert_eq!(account.name, "Renamed");
    assert!(
        send("/api/v1/apply?plan=false").await.body["text"]
            .as_str()
            .unwrap()
            .contains("0 to change")
    );

    let pruning = json!({ "files": [file.to_wire()], "options": { "prune": true } });
    let got = world.ask(Method::POST, "/api/v1/apply", &operator, pruning).await;
    assert_eq!(got.status, StatusCode::BAD_REQUEST, "{}", got.text);
    assert!(got.body["detail"].as_str().unwrap().contains("tenants.yaml: expected `set: NAME`"));

    let wrong = json!({ "files": [{ "set": "x", "resources": 7 }] });
    let got = world.ask(Method::POST, "/api/v1/apply", &operator, wrong).await;
    assert_eq!(
        (got.status, &got.body["field"]),
        (StatusCode::BAD_REQUEST, &json!("files[0]")),
        "{}",
        got.text
    );
    let got = world.ask(Method::GET, "/api/v1/calls", &operator, Value::Null).await;
    assert_eq!(got.body["code"], "scope_missing", "the operator belongs to no account");
    assert_eq!(
        world
            .ask(Method::POST, "/api/v1/apply", &basic(OTHER, OTHER_TOKEN), body.clone())
            .await
            .status,
        StatusCode::FORBIDDEN
    );
}
