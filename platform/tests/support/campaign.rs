//! A campaign: its definition, its list, and how far the interface says it is.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use super::LOOK;
use super::api::Api;
use super::node::merge;
use super::tenant::APPID;

/// Settings under which campaigns call at any hour, as the tests run, and no key is waited for for
/// long.
pub(crate) fn always() -> Value {
    let hours = json!({ "from": "00:00", "to": "24:00" });
    json!({ "calls": { "campaign_hours": hours, "key_window_ms": 1_000 } })
}

/// So many lines, and no other limit.
pub(crate) fn lines(count: u32) -> impl Fn(&mut Value) {
    move |document| {
        document["trunks"][0]["max_calls"] = json!(count);
        document["trunks"][0]["max_cps"] = json!(1_000);
    }
}

/// Makes a campaign of these numbers, each with a code of its own and its place as userdata, with
/// `fields` merged over its definition. Gives its id.
pub(crate) async fn make(api: &Api, numbers: &[String], fields: &Value) -> String {
    let mut body = json!({
        "name": "test", "appid": APPID, "times": 1, "finishkey": "1",
        "contents": [{ "type": "digits", "content": "{code}" }],
    });
    merge(&mut body, fields);
    let made = api.send(Method::POST, "/api/v1/campaigns", Some(&body)).await;
    assert_eq!(made.status, 201, "{made:?}");
    let id = made.body["progress"]["campaignId"].as_str().unwrap().to_owned();
    let rows: String =
        numbers.iter().enumerate().map(|(n, to)| format!("{to},{n},row {n}\n")).collect();
    let path = format!("/api/v1/campaigns/{id}/numbers");
    let list = api.upload(Method::PUT, &path, &format!("number,code,userdata\n{rows}")).await;
    assert_eq!(list.body["total"], numbers.len(), "{list:?}");
    id
}

/// The same, and starts it.
pub(crate) async fn start(api: &Api, numbers: &[String], fields: &Value) -> String {
    let id = make(api, numbers, fields).await;
    change(api, &id, "start").await;
    id
}

/// Starts, pauses, resumes or cancels it.
pub(crate) async fn change(api: &Api, id: &str, verb: &str) {
    let reply = api.send(Method::POST, &format!("/api/v1/campaigns/{id}/{verb}"), None).await;
    assert_eq!(reply.status, 200, "{verb}: {reply:?}");
}

/// Waits until the interface says so of a campaign's progress; its counts have to add up all the
/// while. `name` is for the one who reads the failure.
pub(crate) async fn wait_until(
    api: &Api,
    id: &str,
    name: &str,
    patience: Duration,
    is_so: impl Fn(&Value) -> bool,
) -> Value {
    let deadline = Instant::now() + patience;
    loop {
        let reply = api.get(&format!("/api/v1/campaigns/{id}")).await;
        let progress = &reply.body["progress"];
        let counts = progress["counts"].as_object().unwrap();
        let sum: u64 = counts.values().map(|count| count.as_u64().unwrap()).sum();
        assert_eq!(progress["total"], sum, "the counts add up: {progress}");
        if is_so(progress) {
            return progress.clone();
        }
        assert!(Instant::now() < deadline, "not {name} within {patience:?}: {progress}");
        tokio::time::sleep(LOOK * 5).await;
    }
}
