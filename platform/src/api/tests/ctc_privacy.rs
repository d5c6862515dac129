//! `maskedCallee`: numbers of those who were called are shown whole only with `numbers:read`.

use poem::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::ctc::{click, clicked, connected, finished, open, path};
use super::world::ACCOUNT;

#[tokio::test]
async fn masked_numbers_are_seen_whole_only_with_the_scope() {
    let (world, talks) = open().await;
    let masked = clicked(&world, &json!({ "maskedCallee": true })).await;
    let open_one = clicked(&world, &json!({})).await;
    let (_, reader) = world.key(&["calls:read"]).await;
    let (_, trusted) = world.key(&["calls:read", "numbers:read"]).await;
    let login = |key: &str| super::world::basic(ACCOUNT, key);
    let there = format!("{}/{masked}", path());
    let whole = |got: &super::world::Got| got.text.contains("13800100002");
    connected(&world, &talks, &masked).await;
    for (key, sees) in [(&reader, false), (&trusted, true)] {
        for path in [there.clone(), path()] {
            let got = world.ask(Method::GET, &path, &login(key), Value::Null).await;
            let one = got.text.contains("138****0002");
            assert_eq!((one, got.status), (!sees, StatusCode::OK), "{path}: {}", got.text);
        }
        let got = world.ask(Method::GET, &there, &login(key), Value::Null).await;
        assert_eq!(whole(&got), sees, "the timeline too: {}", got.text);
        assert!(got.text.contains("13800100001"), "the caller is not hidden: {}", got.text);
    }

    talks.states.lock().clear();
    finished(&world, &masked).await;
    finished(&world, &open_one).await;
    for (key, sees) in [(&reader, false), (&trusted, true)] {
        let got = world.ask(Method::GET, &there, &login(key), Value::Null).await;
        assert_eq!((whole(&got), &got.body["conversation"]["state"]), (sees, &json!("ended")));
        assert_eq!(got.body["conversation"]["byeType"], "4");
        let got = world
            .ask(Method::GET, &format!("/api/v1/calls/CA-{masked}"), &login(key), Value::Null)
            .await;
        assert_eq!(whole(&got), sees, "{}", got.text);
        let got = world.ask(Method::GET, "/api/v1/calls", &login(key), Value::Null).await;
        assert_eq!(got.text.contains("138****0002"), !sees, "{}", got.text);
        assert!(whole(&got), "the other conversation's are open: {}", got.text);
        let path = format!("/Accounts/{ACCOUNT}/Calls/CA-{masked}");
        let got = world.ask(Method::GET, &path, &login(key), Value::Null).await;
        assert_eq!(whole(&got), sees, "{}", got.text);
        let request = click(&world, &masked).await.request;
        let path = format!("/Accounts/{ACCOUNT}/VoiceNotices/{request}");
        let got = world.ask(Method::GET, &path, &login(key), Value::Null).await;
        assert_eq!(whole(&got), sees, "{}", got.text);
        let sip = format!("/api/v1/conversations/{masked}/sip");
        let got = world.ask(Method::GET, &sip, &login(key), Value::Null).await;
        let code = if sees { "sip_trace_not_kept" } else { "scope_missing" };
        assert_eq!(got.body["code"], code, "{}", got.text);
    }
    // A number that one may not see is not to be found by guessing it.
    let number = "13800100002";
    for (key, found) in [(&reader, 1), (&trusted, 2)] {
        for path in
            [format!("/api/v1/calls?to={number}"), format!("/Accounts/{ACCOUNT}/Calls?to={number}")]
        {
            let got = world.ask(Method::GET, &path, &login(key), Value::Null).await;
            let calls = got.body["calls"].as_array().unwrap();
            assert_eq!(calls.len(), found, "{path}: {}", got.text);
            assert!(found == 2 || !got.text.contains(&masked), "{path}: {}", got.text);
        }
        let own =
            world.ask(Method::GET, "/api/v1/calls?to=13800100001", &login(key), Value::Null).await;
        assert_eq!(own.body["calls"].as_array().unwrap().len(), 2, "callers are not hidden");
    }
    let list = world.read(&path()).await;
    assert_eq!(list.body["conversations"][0]["state"], "ended", "{}", list.text);
}
