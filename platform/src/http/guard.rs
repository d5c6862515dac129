//! What every exchange has: an identifier, a span, a line in the access log at debug, the security
//! headers, and an answer even where its handling panics.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt as _;
use poem::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use poem::http::{HeaderName, HeaderValue};
use poem::{Endpoint, IntoResponse as _, Middleware, Request, Response, Result};
use tracing::Instrument as _;
use yunling_app::{App, trace_context};

use crate::api;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Random bytes of an identifier.
const ID_BYTES: usize = 12;

/// Names one exchange, in the answer's `x-request-id` and in the log.
#[derive(Debug, Clone, Default)]
pub(crate) struct RequestId(Arc<str>);

impl RequestId {
    fn fresh(app: &App) -> Self {
        let mut bytes = [0; ID_BYTES];
        app.random().fill(&mut bytes);
        Self(hex::encode(bytes).into())
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Guards every exchange.
pub(super) struct Guard(pub(super) App);

impl<E: Endpoint> Middleware<E> for Guard {
    type Output = Guarded<E>;

    fn transform(&self, inner: E) -> Guarded<E> {
        Guarded { inner, app: self.0.clone() }
    }
}

pub(super) struct Guarded<E> {
    inner: E,
    app: App,
}

impl<E: Endpoint> Endpoint for Guarded<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        let id = RequestId::fresh(&self.app);
        request.extensions_mut().insert(id.clone());
        let span = tracing::info_span!(
            "http",
            id = %id,
            method = %request.method(),
            path = request.uri().path(),
            requestid = tracing::field::Empty,
            callid = tracing::field::Empty,
            status = tracing::field::Empty,
            trace_id = tracing::field::Empty,
        );
        let parent = request.header(trace_context::HEADER);
        trace_context::adopt(&span, parent);
        let uri = request.uri().clone();
        let mut response = async {
            let handled = AssertUnwindSafe(self.inner.call(request)).catch_unwind().await;
            let response = match handled {
                Ok(Ok(answer)) => answer.into_response(),
                Ok(Err(error)) => error.into_response(),
                // The panic hook has logged what it was.
                Err(_) => api::internal_failure(&self.app, &uri, &id),
            };
            let status = response.status().as_u16();
            if trace_context::is_on() {
                tracing::Span::current().record("status", status);
            }
            tracing::debug!(status, "answered");
            response
        }
        .instrument(span)
        .await;
        secure(&mut response, &id);
        Ok(response)
    }
}

fn secure(response: &mut Response, id: &RequestId) {
    let is_page = response.header(CONTENT_TYPE).is_some_and(|kind| kind.starts_with("text/html"));
    let headers = response.headers_mut();
    headers.insert(
        X_REQUEST_ID,
        HeaderValue::from_str(&id.0).expect("hex digits are a header's value"),
    );
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if is_page {
        headers
            .entry(CONTENT_SECURITY_POLICY)
            .or_insert(HeaderValue::from_static("frame-ancestors 'none'"));
    }
}
