//! Our spans in OpenTelemetry's words.

use opentelemetry::trace::{SpanKind, Status};
use opentelemetry::{Key, Value};
use opentelemetry_sdk::trace::SpanData;

/// Translates a span that has ended: its kind, and the names of its attributes by the semantic
/// conventions where they have one, behind `yunling.` where not.
pub(super) fn translate(mut span: SpanData) -> SpanData {
    span.span_kind = match span.name.as_ref() {
        "http" => SpanKind::Server,
        "callback" | "leg" => SpanKind::Client,
        _ => SpanKind::Internal,
    };
    let is_http = matches!(span.name.as_ref(), "http" | "callback");
    let method = span.attributes.iter().find(|attribute| attribute.key.as_str() == "method");
    if let Some(method) = method.filter(|_| is_http) {
        span.name = method.value.to_string().into();
    }
    // The trace is named by the span itself.
    span.attributes.retain(|attribute| attribute.key.as_str() != "trace_id");
    for attribute in &mut span.attributes {
        let key = attribute.key.as_str();
        attribute.key = match key {
            "method" => Key::from_static_str("http.request.method"),
            "path" => Key::from_static_str("url.path"),
            "status" if is_http => Key::from_static_str("http.response.status_code"),
            _ if key.contains('.') => continue,
            _ => Key::from(format!("yunling.{key}")),
        };
    }
    let failed =
        span.attributes.iter().any(|attribute| match (attribute.key.as_str(), &attribute.value) {
            ("http.response.status_code", Value::I64(status)) => *status >= 500,
            ("yunling.fault", Value::String(fault)) => {
                matches!(fault.as_str(), "trunk" | "platform")
            }
            _ => false,
        });
    if failed && span.status == Status::Unset {
        span.status = Status::error("");
    }
    span
}
