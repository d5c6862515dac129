//! To which distributed trace something belongs (W3C Trace Context): taken from a caller's request,
//! stored with what it causes, handed on with callbacks.
//!
//! All of it is behind [`is_on`]: where no traces are exported nothing is read, stored or sent.
//! `tracestate` is not handed on.

use std::sync::atomic::{AtomicBool, Ordering};

use opentelemetry::Context;
use opentelemetry::trace::{
    SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState,
};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// The header's name, in lower case.
pub const HEADER: &str = "traceparent";
/// The field of a span that shows its trace in the log; the span has to declare it.
pub const FIELD: &str = "trace_id";

/// Whether spans become traces. The log's subscriber, which makes them so, is the process's too.
static ON: AtomicBool = AtomicBool::new(false);

/// Spans become traces from now on.
pub fn switch_on() {
    ON.store(true, Ordering::Relaxed);
}

/// Whether spans become traces.
pub fn is_on() -> bool {
    ON.load(Ordering::Relaxed)
}

/// Makes a span that has just been made a child of the one that `traceparent` names, if it names
/// any: anybody may have written it.
pub fn adopt(span: &Span, traceparent: Option<&str>) {
    if !is_on() {
        return;
    }
    if let Some(parent) = traceparent.and_then(parse) {
        // A span that the filter turned off has no parent to be given.
        let _no_matter = span.set_parent(Context::new().with_remote_span_context(parent));
    }
    if let Some(context) = context(span) {
        span.record(FIELD, context.trace_id().to_string());
    }
}

/// What makes others children of a span; nothing where no traces are exported.
pub fn traceparent(span: &Span) -> Option<String> {
    let context = context(span)?;
    let flags = context.trace_flags().to_u8();
    Some(format!("00-{}-{}-{flags:02x}", context.trace_id(), context.span_id()))
}

/// Notes in the span that is at work that something has happened.
pub fn event(name: &'static str) {
    if is_on() {
        Span::current().add_event(name, Vec::new());
    }
}

/// The traceparent of the span that is at work.
pub fn current() -> Option<String> {
    traceparent(&Span::current())
}

fn context(span: &Span) -> Option<SpanContext> {
    if !is_on() {
        return None;
    }
    let context = span.context().span().span_context().clone();
    context.is_valid().then_some(context)
}

/// Reads a header's value: version 00, or what a later version has in common with it
/// (W3C Trace Context, §3.2 and §4.3).
fn parse(text: &str) -> Option<SpanContext> {
    let text = text.trim();
    let (version, rest) = text.split_at_checked(2)?;
    let is_whole = match version {
        "ff" => return None,
        "00" => text.len() == 55,
        _ => text.len() == 55 || text.as_bytes().get(55) == Some(&b'-'),
    };
    let mut parts = rest.strip_prefix('-')?.split('-');
    let (trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?);
    let is_hex = |part: &str, length| {
        part.len() == length && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    if !is_whole
        || !is_hex(version, 2)
        || !is_hex(trace, 32)
        || !is_hex(span, 16)
        || !is_hex(flags, 2)
    {
        return None;
    }
    let context = SpanContext::new(
        TraceId::from_hex(trace).ok()?,
        SpanId::from_hex(span).ok()?,
        TraceFlags::new(u8::from_str_radix(flags, 16).ok()?) & TraceFlags::SAMPLED,
        true,
        TraceState::default(),
    );
    context.is_valid().then_some(context)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const SPAN: &str = "b7ad6b7169203331";

    #[test]
    fn a_parent_is_read_or_ignored() {
        let rows = [
            (format!("00-{TRACE}-{SPAN}-01"), Some(true)),
            (format!(" 00-{TRACE}-{SPAN}-00 "), Some(false)),
            (format!("00-{TRACE}-{SPAN}-03"), Some(true)),
            (format!("01-{TRACE}-{SPAN}-01"), Some(true)),
            (format!("01-{TRACE}-{SPAN}-01-more"), Some(true)),
            (format!("00-{TRACE}-{SPAN}-01-more"), None),
            (format!("01-{TRACE}-{SPAN}-01more"), None),
            (format!("ff-{TRACE}-{SPAN}-01"), None),
            (format!("00-{}-{SPAN}-01", TRACE.to_uppercase()), None),
            (format!("00-{}-{SPAN}-01", "0".repeat(32)), None),
            (format!("00-{TRACE}-{}-01", "0".repeat(16)), None),
            (format!("00-{TRACE}-{SPAN}"), None),
            (format!("00-{SPAN}-{TRACE}-01"), None),
            ("é".repeat(40), None),
            (String::new(), None),
        ];
        for (text, expected) in rows {
            let read = parse(&text);
            assert_eq!(read.as_ref().map(SpanContext::is_sampled), expected, "{text:?}");
            if let Some(context) = read {
                assert_eq!(context.trace_id().to_string(), TRACE);
                assert_eq!(context.span_id().to_string(), SPAN);
            }
        }
    }

    #[test]
    fn where_nothing_is_exported_nothing_is_handed_on() {
        assert!(!is_on());
        let span = tracing::info_span!("x", trace_id = tracing::field::Empty);
        adopt(&span, Some(&format!("00-{TRACE}-{SPAN}-01")));
        assert_eq!(traceparent(&span), None);
        assert_eq!(current(), None);
    }
}
