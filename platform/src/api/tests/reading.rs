//! What can be read of notices and calls on the published surface.

use serde_json::json;

use super::world::{ACCOUNT, APPID, World, notices, sample, with};

#[tokio::test]
async fn a_waiting_notice_is_shown_with_its_call() {
    let world = World::open().await;
    let accepted = world.notice(&with(&json!({ "userdata": "ud", "from": "" }))).await.body;
    let got =
        world.read(&format!("{}/{}", notices(), accepted["requestid"].as_str().unwrap())).await;
    assert_eq!(got.envelope()[..2], ["0", "succ"], "{}", got.text);
    let request = &got.body["request"];
    assert_eq!(request["requestid"], accepted["requestid"]);
    assert_eq!(
        [&request["state"], &request["to"], &request["userdata"]],
        ["accepted", "13800100001", "ud"]
    );
    let attempt = world.attempt(accepted["callid"].as_str().unwrap()).await;
    let stamp = attempt.queued.created_at.stamp14(chrono_tz::Asia::Shanghai);
    assert_eq!(request["createtime"], stamp, "14 digits in the account's zone");
    let call = &got.body["calls"][0];
    assert_eq!(call["callid"], accepted["callid"]);
    assert_eq!([&call["state"], &call["from"], &call["endtime"]], ["queued", "01080001001", ""]);
    let calls = world
        .read(&format!("/Accounts/{ACCOUNT}/Calls/{}", accepted["callid"].as_str().unwrap()))
        .await;
    assert_eq!(calls.body["call"], *call);
}

#[tokio::test]
async fn a_call_that_is_over_is_shown_in_the_words_of_its_callback() {
    let world = World::open().await;
    let attempt = world.finished_notice().await;
    let call = world
        .read(&format!("/Accounts/{ACCOUNT}/Calls/{}", attempt.queued.call_id))
        .await
        .body["call"]
        .clone();
    for (name, value) in [
        ("state", "ended"),
        ("appid", APPID),
        ("to", "13800100001"),
        ("from", "01080001001"),
        ("duration", "15"),
        ("result", "0"),
        ("reason", ""),
        ("inputkey", "1"),
        ("callCause", "completed"),
    ] {
        assert_eq!(call[name], value, "{name}");
    }
    assert!(call.as_object().unwrap().values().all(serde_json::Value::is_string), "{call}");
    let request = world.read(&format!("{}/{}", notices(), attempt.queued.request_id)).await;
    assert_eq!(request.body["request"]["state"], "finished");
    assert_eq!(request.body["calls"][0], call);
}

#[tokio::test]
async fn what_the_account_does_not_have_is_not_found() {
    let world = World::open().await;
    let long = "x".repeat(200);
    for path in [
        format!("{}/RQ0", notices()),
        format!("{}/{long}", notices()),
        format!("/Accounts/{ACCOUNT}/Calls/CA0"),
    ] {
        let got = world.read(&path).await;
        let [status_code, statusmsg, error_code, _] = got.envelope();
        assert_eq!([status_code, statusmsg, error_code], ["-4", "not found", "11005"], "{path}");
        assert_eq!(got.body.get("requestid"), None);
    }
}

#[tokio::test]
async fn calls_are_listed_by_filter_and_page() {
    let world = World::open().await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(world.finished_notice().await.queued.call_id.to_string());
    }
    ids.reverse();
    let list =
        async |query: &str| world.read(&format!("/Accounts/{ACCOUNT}/Calls?{query}")).await.body;
    let listed = |body: &serde_json::Value| -> Vec<String> {
        let calls = body["calls"].as_array().unwrap_or_else(|| panic!("{body}"));
        calls.iter().map(|call| call["callid"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(listed(&list("").await), ids, "newest first");

    let first = list("limit=2").await;
    assert_eq!(listed(&first), ids[..2]);
    let rest = list(&format!("limit=2&cursor={}", first["nextCursor"].as_str().unwrap())).await;
    assert_eq!(listed(&rest), ids[2..]);
    assert_eq!(rest.get("nextCursor"), None);

    for (query, found) in [
        ("to=13800100001&from=01080001001&result=0&appid=&requestid=", 3),
        ("to=%2B8613800100001", 3),
        ("to=13800100002", 0),
        ("result=1", 0),
        ("starttime=20000101000000", 3),
        ("endtime=20000101000000", 0),
    ] {
        assert_eq!(listed(&list(query).await).len(), found, "{query}");
    }
    for (query, statusmsg) in [
        ("limit=0", "invalid limit"),
        ("limit=many", "invalid limit"),
        ("cursor=%20", "invalid cursor"),
        ("result=2", "invalid result"),
        ("to=x", "invalid to"),
        ("starttime=2026-11-24", "invalid starttime"),
    ] {
        assert_eq!(list(query).await["statusmsg"], statusmsg, "{query}");
    }
}

#[tokio::test]
async fn a_path_of_a_waiting_notice_is_not_a_list() {
    let world = World::open().await;
    world.notice(&sample()).await;
    let got = world.read(&format!("/Accounts/{ACCOUNT}/Calls")).await;
    assert_eq!(got.body["calls"], json!([]), "what waits is no record yet");
}
