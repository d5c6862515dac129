//! `Idempotency-Key`.

use poem::http::Method;
use serde_json::{Value, json};

use super::world::{ACCOUNT, Got, OTHER, OTHER_TOKEN, TOKEN, World, basic, notices, sample, with};

async fn send(world: &World, key: &[u8], body: &Value) -> Got {
    let authorization = basic(ACCOUNT, TOKEN);
    let headers = [("authorization", authorization.as_bytes()), ("idempotency-key", key)];
    world.send(Method::POST, &notices(), &headers, body.to_string().into_bytes()).await
}

#[tokio::test]
async fn the_same_request_gets_the_same_answer_and_no_second_call() {
    let world = World::open().await;
    let first = send(&world, b"order 8731", &sample()).await;
    assert_eq!((first.envelope()[0], first.header("idempotent-replayed")), ("0", None));
    let again = send(&world, b"order 8731", &sample()).await;
    assert_eq!((&again.body, again.header("idempotent-replayed")), (&first.body, Some("true")));
    assert_eq!(world.waiting().await, 1);
    let other = send(&world, b"order 8732", &sample()).await;
    assert_ne!(other.body["requestid"], first.body["requestid"]);
    assert_eq!(world.waiting().await, 2);
}

#[tokio::test]
async fn the_same_key_with_another_body_is_refused() {
    let world = World::open().await;
    assert_eq!(send(&world, b"k", &sample()).await.envelope()[0], "0");
    let got = send(&world, b"k", &with(&json!({ "to": "13800100002" }))).await;
    let [status_code, _, error_code, _] = got.envelope();
    assert_eq!([status_code, error_code], ["-4", "11007"]);
    assert_eq!(world.waiting().await, 1);
}

#[tokio::test]
async fn a_refusal_is_not_remembered() {
    let world = World::open().await;
    world.trunk_down("carrier-a");
    assert_eq!(send(&world, b"k", &sample()).await.envelope()[0], "-6");
    world.trunk_up("carrier-a");
    assert_eq!(send(&world, b"k", &sample()).await.envelope()[0], "0");
}

#[tokio::test]
async fn keys_have_1_to_255_characters_of_utf_8() {
    let world = World::open().await;
    let cases: [(Vec<u8>, &str); 6] = [
        (b"x".repeat(255), "0"),
        ("钥".repeat(255).into_bytes(), "0"),
        (b"x".repeat(256), "-4"),
        (b"".to_vec(), "-4"),
        (b"   ".to_vec(), "-4"),
        (b"\xff".to_vec(), "-4"),
    ];
    for (key, status_code) in cases {
        let got = send(&world, &key, &sample()).await;
        assert_eq!(got.envelope()[0], status_code, "{} bytes: {}", key.len(), got.text);
        if status_code == "-4" {
            assert_eq!(got.envelope()[2], "11006");
        }
    }
}

#[tokio::test]
async fn of_requests_at_the_same_moment_one_causes_a_call() {
    let world = World::open().await;
    let body = sample();
    let (a, b, c) = tokio::join!(
        send(&world, b"k", &body),
        send(&world, b"k", &body),
        send(&world, b"k", &body)
    );
    assert_eq!(world.waiting().await, 1);
    for got in [&b, &c] {
        assert_eq!(got.body, a.body);
    }
}

#[tokio::test]
async fn another_accounts_key_is_another_key() {
    let world = World::open().await;
    assert_eq!(send(&world, b"k", &sample()).await.envelope()[0], "0");
    let authorization = basic(OTHER, OTHER_TOKEN);
    let headers = [("authorization", authorization.as_bytes()), ("idempotency-key", &b"k"[..])];
    let body = with(&json!({ "appid": "33" })).to_string().into_bytes();
    let got =
        world.send(Method::POST, &format!("/Accounts/{OTHER}/VoiceNotices"), &headers, body).await;
    // Not the sample account's answer, and not its conflict: this account has no such file.
    assert_eq!(got.envelope()[2], "13001", "{}", got.text);
}
