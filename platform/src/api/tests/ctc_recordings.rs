//! Recordings: by their links, and by the admin API.

use std::time::Duration;

use poem::http::{Method, StatusCode};
use serde_json::{Value, json};
use yunling_app::apply::{Options, apply};
use yunling_app::documents;
use yunling_app::principal::Operator;
use yunling_app::recordings::{self, End};
use yunling_domain::{AccountId, ApplicationId, ConversationId};

use super::world::{ACCOUNT, APPID, Got, OTHER, OTHER_TOKEN, TENANTS, TOKEN, World, basic};

/// A recording of 1,000 bytes; gives its identifier and its link's path and query.
pub(super) async fn recorded(world: &World) -> (String, String) {
    let (account, application) = (AccountId::new(ACCOUNT), ApplicationId::new(APPID));
    let conversation = ConversationId::new("CV1");
    let place = recordings::begin(&world.app, &account, &application, &conversation).await.unwrap();
    let bytes: Vec<u8> = (0..1_000_u16).map(|n| n as u8).collect();
    std::fs::write(&place.file, &bytes).unwrap();
    let end = End { duration_ms: 14_000, octets: 1_000, lost_ms: 0, failure: None };
    let facts =
        recordings::publish(&world.app, &account, &place.recording, end).await.unwrap().unwrap();
    let link = facts.url.unwrap().strip_prefix("http://127.0.0.1:8080").unwrap().to_owned();
    (place.recording.to_string(), link)
}

async fn get(world: &World, link: &str, range: &str) -> Got {
    let headers = [("range", range.as_bytes())];
    world.send(Method::GET, link, if range.is_empty() { &[] } else { &headers }, Vec::new()).await
}

#[tokio::test]
async fn a_link_is_heard_whole_and_in_parts_without_credentials() {
    let world = World::open().await;
    let (id, link) = recorded(&world).await;
    assert!(link.contains(&format!("/{id}_D_2_")), "{link}");
    let (kind, bytes) = world.bytes(&link, &[]).await;
    assert_eq!((kind.as_str(), bytes.len()), ("audio/wav", 1_000));
    let cases = [
        ("", StatusCode::OK, "1000", None),
        ("bytes=0-", StatusCode::PARTIAL_CONTENT, "1000", Some("bytes 0-999/1000")),
        ("bytes=100-199", StatusCode::PARTIAL_CONTENT, "100", Some("bytes 100-199/1000")),
        ("bytes=-10", StatusCode::PARTIAL_CONTENT, "10", Some("bytes 990-999/1000")),
        ("bytes=0-1,3-4", StatusCode::OK, "1000", None),
    ];
    for (range, status, length, content_range) in cases {
        let got = get(&world, &link, range).await;
        assert_eq!(got.status, status, "{range}");
        assert_eq!(got.header("content-length"), Some(length), "{range}");
        assert_eq!(got.header("content-range"), content_range, "{range}");
        assert_eq!(got.header("accept-ranges"), Some("bytes"));
    }
    let headers = [("range", &b"bytes=100-103"[..])];
    let got = world.send(Method::GET, &link, &headers, Vec::new()).await;
    assert_eq!(got.text, "defg");
    let got = get(&world, &link, "bytes=1000-").await;
    assert_eq!(got.status, StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(got.header("content-range"), Some("bytes */1000"));
    let got = world.send(Method::HEAD, &link, &[], Vec::new()).await;
    assert_eq!((got.status, got.text.as_str()), (StatusCode::OK, ""));
    assert_eq!(got.header("content-length"), Some("1000"));
}

#[tokio::test]
async fn what_was_changed_is_gone_or_is_not_there_is_said_in_plain_words() {
    let world = World::open().await;
    let (id, link) = recorded(&world).await;
    let (path, query) = link.split_once('?').unwrap();
    let (expires, signature) = query.split_once('&').unwrap();
    let longer = format!("{path}?expires=99999999999&{signature}");
    let other = format!("{}?{query}", path.replace(&id, "RE0"));
    let cases = [
        (Method::GET, longer, StatusCode::FORBIDDEN, "link_invalid"),
        (Method::GET, other, StatusCode::FORBIDDEN, "link_invalid"),
        (Method::GET, format!("{path}?{expires}"), StatusCode::FORBIDDEN, "link_invalid"),
        (Method::GET, path.to_owned(), StatusCode::FORBIDDEN, "link_invalid"),
        (Method::GET, format!("{link}x"), StatusCode::FORBIDDEN, "link_invalid"),
        (Method::POST, link.clone(), StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
    ];
    for (method, link, status, code) in cases {
        let got = world.send(method.clone(), &link, &[], Vec::new()).await;
        assert_eq!(got.status, status, "{method} {link}");
        assert!(got.text.contains(code), "{}", got.text);
        assert_eq!(got.header("content-type"), Some("text/plain; charset=utf-8"));
    }
    let folder = world.app.settings().recordings.folder();
    let file = folder.join(path.strip_prefix("/record/").unwrap());
    std::fs::remove_file(file).unwrap();
    let got = get(&world, &link, "").await;
    assert_eq!(got.status, StatusCode::SERVICE_UNAVAILABLE, "{}", got.text);

    let short = TENANTS.replace(
        "notice_url: \"http://127.0.0.1:9000/cdr\"",
        "notice_url: \"http://127.0.0.1:9000/cdr\"\n        recording_link_s: 1",
    );
    let document = documents::read("tenants.yaml", &short, world.folder.path(), &|_| None).unwrap();
    apply(&world.app, &Operator::proven("test"), &[document], Options::default()).await.unwrap();
    let (_, link) = recorded(&world).await;
    let expired = tokio::time::timeout(Duration::from_secs(10), async {
        loop {
            let got = get(&world, &link, "").await;
            if got.status != StatusCode::OK {
                return got;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    let got = expired.await.unwrap();
    assert_eq!(got.status, StatusCode::GONE, "{}", got.text);
    assert!(got.text.contains("link_expired") && got.text.contains("过期"), "{}", got.text);
}

#[tokio::test]
async fn the_admin_api_lists_shows_and_plays_an_accounts_own() {
    let world = World::open().await;
    let (id, _) = recorded(&world).await;
    let (_, listener) = world.key(&["recordings:read"]).await;
    let (_, reader) = world.key(&["calls:read"]).await;
    let own = format!("Bearer {listener}");
    let list =
        world.ask(Method::GET, "/api/v1/recordings?conversationId=CV1", &own, Value::Null).await;
    let row = &list.body["recordings"][0];
    assert_eq!(
        (&row["recordingId"], &row["state"]),
        (&json!(id), &json!("ready")),
        "{}",
        list.text
    );
    assert_eq!((&row["durationMs"], &row["octets"]), (&json!(14_000), &json!(1_000)));
    assert!(row["url"].as_str().unwrap().contains("/record/10000/"));
    for (query, count) in [("?application=33", 0), ("?until=2020-01-01T00:00:00Z", 0), ("", 1)] {
        let got =
            world.ask(Method::GET, &format!("/api/v1/recordings{query}"), &own, Value::Null).await;
        assert_eq!(got.body["recordings"].as_array().unwrap().len(), count, "{query}");
    }
    let there = format!("/api/v1/recordings/{id}");
    let got = world.ask(Method::GET, &there, &own, Value::Null).await;
    assert_eq!(got.body["conversationId"], "CV1");
    let audio = format!("{there}/audio");
    let headers = [("authorization", own.as_bytes()), ("range", &b"bytes=100-103"[..])];
    let got = world.send(Method::GET, &audio, &headers, Vec::new()).await;
    assert_eq!((got.status, got.text.as_str()), (StatusCode::PARTIAL_CONTENT, "defg"));
    let headers = [("authorization", own.as_bytes()), ("range", &b"bytes=5000-"[..])];
    let got = world.send(Method::GET, &audio, &headers, Vec::new()).await;
    assert_eq!(
        (got.status, &got.body["code"]),
        (StatusCode::RANGE_NOT_SATISFIABLE, &json!("range_not_satisfiable"))
    );

    for (login, status) in [
        (String::new(), StatusCode::UNAUTHORIZED),
        (format!("Bearer {reader}"), StatusCode::FORBIDDEN),
        (basic(OTHER, OTHER_TOKEN), StatusCode::NOT_FOUND),
        (basic(ACCOUNT, TOKEN), StatusCode::OK),
    ] {
        for path in [&there, &audio] {
            let got = world.ask(Method::GET, path, &login, Value::Null).await;
            assert_eq!(got.status, status, "{path} {login}: {}", got.text);
        }
    }
}
