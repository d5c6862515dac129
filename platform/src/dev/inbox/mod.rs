//! The webhook inbox of `yunling dev`: a receiver of callbacks that shows what came, and whether
//! its signature was right. What a customer's back end would do, so that none is needed to try.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use poem::http::{HeaderMap, StatusCode};
use poem::web::{Data, Html, Json, Path, Query};
use poem::{Body, EndpointExt, IntoEndpoint, Route, get, handler, post};
use serde::{Deserialize, Serialize};
use yunling_app::App;
use yunling_app::secrets::WebhookSecret;
use yunling_domain::Micros;
use yunling_workers::signature;

/// How many callbacks are kept; the oldest go first.
const KEPT: usize = 500;

/// Largest body that the inbox takes; our callbacks are far smaller.
const LARGEST_BODY_BYTES: usize = 1 << 20;

/// Shared by the handlers.
pub(crate) struct Inbox {
    app: App,
    secret: WebhookSecret,
    received: Mutex<VecDeque<Received>>,
}

/// One callback as it arrived.
#[derive(Debug, Clone, Serialize)]
struct Received {
    at: Micros,
    name: String,
    webhook_id: String,
    signature: &'static str,
    answered: u16,
    body: serde_json::Value,
}

/// Lets a developer see how a failing receiver is treated.
#[derive(Debug, Deserialize)]
struct Behaviour {
    /// Answer with this status instead of 204.
    status: Option<u16>,
}

impl Inbox {
    /// An empty inbox that checks signatures with `secret` (`whsec_…`).
    pub(crate) fn new(app: App, secret: WebhookSecret) -> Arc<Self> {
        Arc::new(Self { app, secret, received: Mutex::default() })
    }

    /// The routes below `/dev/inbox`.
    pub(crate) fn routes(self: Arc<Self>) -> impl IntoEndpoint {
        Route::new()
            .at("/", get(page).delete(empty))
            .at("/items", get(items))
            .at("/:name", post(receive))
            .data(self)
    }

    fn check(&self, headers: &HeaderMap, body: &[u8]) -> &'static str {
        let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let (Some(id), Some(timestamp), Some(signatures)) =
            (header("webhook-id"), header("webhook-timestamp"), header("webhook-signature"))
        else {
            return "absent";
        };
        let now = self.app.clock().now();
        match signature::verify(&self.secret, id, timestamp, signatures, body, now) {
            Ok(()) => "valid",
            Err(_) => "wrong",
        }
    }
}

#[handler]
async fn receive(
    inbox: Data<&Arc<Inbox>>,
    Path(name): Path<String>,
    Query(behaviour): Query<Behaviour>,
    headers: &HeaderMap,
    body: Body,
) -> StatusCode {
    let Ok(bytes) = body.into_bytes_limit(LARGEST_BODY_BYTES).await else {
        return StatusCode::PAYLOAD_TOO_LARGE;
    };
    let answer = behaviour
        .status
        .and_then(|status| StatusCode::from_u16(status).ok())
        .unwrap_or(StatusCode::NO_CONTENT);
    let received = Received {
        at: inbox.app.clock().now(),
        name,
        webhook_id: headers
            .get("webhook-id")
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned(),
        signature: inbox.check(headers, &bytes),
        answered: answer.as_u16(),
        body: serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| String::from_utf8_lossy(&bytes).into_owned().into()),
    };
    let mut kept = inbox.received.lock();
    kept.truncate(KEPT - 1);
    kept.push_front(received);
    answer
}

#[handler]
fn items(inbox: Data<&Arc<Inbox>>) -> Json<Vec<Received>> {
    Json(inbox.received.lock().iter().cloned().collect())
}

#[handler]
fn empty(inbox: Data<&Arc<Inbox>>) -> StatusCode {
    inbox.received.lock().clear();
    StatusCode::NO_CONTENT
}

#[handler]
fn page() -> Html<&'static str> {
    Html(include_str!("page.html"))
}
