//! A batch: its request, what became of each number, and how far the interface says it is.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use super::LOOK;
use super::api::{Api, notice_body};
use super::customer::Callback;
use super::node::merge;
use super::tenant::ACCOUNT;

/// The path of batches.
pub(crate) fn path() -> String {
    format!("/Accounts/{ACCOUNT}/BatchVoiceNotices")
}

/// A batch to these entries: one play of a short text, with `fields` merged over it.
pub(crate) fn body(to: &[String], fields: &Value) -> Value {
    let short = json!({ "contents": [{ "type": "digits", "content": "12" }], "times": 1 });
    let mut body = notice_body(&to.join(","), &json!({}));
    body["contents"] = Value::Null;
    merge(&mut body, &short);
    merge(&mut body, fields);
    body
}

/// Sends a batch that has to be accepted; gives its `requestid`.
pub(crate) async fn send(api: &Api, to: &[String], fields: &Value) -> String {
    let reply = api.send(Method::POST, &path(), Some(&body(to, fields))).await;
    assert_eq!(reply.body["statusCode"], "0", "the batch was refused: {reply:?}");
    assert!(reply.body.get("callid").is_none(), "{reply:?}");
    reply.body["requestid"].as_str().unwrap().to_owned()
}

/// How far a batch is.
pub(crate) async fn read(api: &Api, id: &str) -> Value {
    let reply = api.get(&format!("/api/v1/batches/{id}")).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let counts = reply.body["counts"].as_object().unwrap();
    let sum: u64 = counts.values().map(|count| count.as_u64().unwrap()).sum();
    assert_eq!(reply.body["total"], sum, "the counts add up: {}", reply.body);
    reply.body
}

/// Pauses, resumes or cancels a batch.
pub(crate) async fn change(api: &Api, id: &str, verb: &str) -> Value {
    let reply = api.send(Method::POST, &format!("/api/v1/batches/{id}/{verb}"), None).await;
    assert_eq!(reply.status, 200, "{verb}: {reply:?}");
    reply.body
}

/// Waits until the interface says so of a batch; `name` is for the one who reads the failure.
pub(crate) async fn wait_until(
    api: &Api,
    id: &str,
    name: &str,
    patience: Duration,
    is_so: impl Fn(&Value) -> bool,
) -> Value {
    let deadline = Instant::now() + patience;
    loop {
        let batch = read(api, id).await;
        if is_so(&batch) {
            return batch;
        }
        assert!(Instant::now() < deadline, "not {name} within {patience:?}: {batch}");
        tokio::time::sleep(LOOK * 5).await;
    }
}

/// One result for each number of a batch, by `to`. Fails where a signature is wrong, a repeat is not
/// the same to the byte, or a number has two events.
pub(crate) fn by_number(callbacks: &[Callback], request: &str) -> BTreeMap<String, Value> {
    let mut events: HashMap<&str, &Callback> = HashMap::new();
    let mut results = BTreeMap::new();
    for callback in callbacks.iter().filter(|one| one.field("requestid") == request) {
        if let Err(error) = callback.verify() {
            panic!("the signature of {} is wrong: {error}", callback.id());
        }
        if let Some(first) = events.insert(callback.id(), callback) {
            assert_eq!(first.body, callback.body, "the repeat of {} differs", callback.id());
            continue;
        }
        let to = callback.field("to");
        if let Some(other) = results.insert(to.clone(), callback.json()) {
            panic!("{to} has two events: {other} and {}", callback.json());
        }
    }
    results
}
