//! Callback deliveries as the tenant sees them by the API.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use super::LOOK;
use super::api::Api;

const PATH: &str = "/api/v1/callback-deliveries";

/// The delivery of a request's result callback, with its attempts; none before the call has ended.
pub(crate) async fn of_request(api: &Api, request_id: &str) -> Option<Value> {
    let page = api.get(&format!("{PATH}?limit=500")).await;
    assert_eq!(page.status, 200, "deliveries are listed: {page:?}");
    let deliveries = page.body["deliveries"].as_array().expect("a page has deliveries");
    let found = deliveries.iter().find(|delivery| {
        let body: Value = serde_json::from_str(delivery["body"].as_str().unwrap_or_default())
            .expect("a delivery's body is JSON");
        body["requestid"] == request_id
    })?;
    let id = found["id"].as_str().expect("a delivery has an id");
    let one = api.get(&format!("{PATH}/{id}")).await;
    assert_eq!(one.status, 200, "a delivery is shown: {one:?}");
    Some(one.body)
}

/// Waits until the delivery of a request's result callback is as `look` wants it.
pub(crate) async fn wait_for(
    api: &Api,
    request_id: &str,
    name: &str,
    patience: Duration,
    mut look: impl FnMut(&Value) -> bool,
) -> Value {
    let deadline = Instant::now() + patience;
    loop {
        let delivery = of_request(api, request_id).await;
        if let Some(delivery) = delivery.as_ref().filter(|delivery| look(delivery)) {
            return delivery.clone();
        }
        assert!(
            Instant::now() < deadline,
            "no {name} of {request_id} within {patience:?}: {delivery:#?}"
        );
        tokio::time::sleep(LOOK * 10).await;
    }
}

/// Its attempts, oldest first.
pub(crate) fn attempts(delivery: &Value) -> &[Value] {
    delivery["attempts"].as_array().map_or(&[], Vec::as_slice)
}

/// Sends one again.
pub(crate) async fn resend(api: &Api, delivery: &Value) {
    let id = delivery["id"].as_str().expect("a delivery has an id");
    let reply = api.send(Method::POST, &format!("{PATH}/{id}/resend"), None).await;
    assert_eq!((reply.status, &reply.body["resent"]), (200, &json!(1)), "{reply:?}");
}

/// Sends all in this state again; says how many.
pub(crate) async fn resend_all(api: &Api, state: &str) -> u64 {
    let range = json!({ "since": "2020-01-01T00:00:00Z", "state": state });
    let reply = api.send(Method::POST, &format!("{PATH}/resend"), Some(&range)).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.body["resent"].as_u64().expect("it says how many")
}
