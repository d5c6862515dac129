#![expect(clippy::unwrap_used, reason = "tests")]

use opentelemetry::trace::{
    SpanContext, SpanId, SpanKind, TraceContextExt as _, TraceFlags, TraceState,
};
use opentelemetry::{Context, KeyValue, TraceId};
use opentelemetry_sdk::trace::{SamplingDecision, ShouldSample as _};
use yunling_app::config::Telemetry;
use yunling_app::yaml::Parsed;

use super::Traces;
use super::sampling::Sampling;

fn parent(is_sampled: bool, is_remote: bool) -> Context {
    let flags = if is_sampled { TraceFlags::SAMPLED } else { TraceFlags::NOT_SAMPLED };
    let (trace, span) = (TraceId::from(7_u128), SpanId::from(7_u64));
    let context = SpanContext::new(trace, span, flags, is_remote, TraceState::default());
    Context::new().with_remote_span_context(context)
}

/// Share, parent, path of the exchange → whether it is recorded.
#[test]
fn the_share_is_kept_whoever_asks() {
    let rows = [
        (1.0, None, "/x", true),
        (0.0, None, "/x", false),
        (1.0, None, "/healthz", false),
        (1.0, Some(parent(true, true)), "/metrics", false),
        (1.0, Some(parent(true, true)), "/x", true),
        (1.0, Some(parent(false, true)), "/x", false),
        // A caller cannot make us record more than we want.
        (0.0, Some(parent(true, true)), "/x", false),
        // A part of what is recorded already.
        (0.0, Some(parent(true, false)), "/x", true),
        (1.0, Some(parent(false, false)), "/x", false),
    ];
    for (ratio, parent, path, expected) in rows {
        let name = format!("{ratio} {parent:?} {path}");
        let path = [KeyValue::new("path", path)];
        let kind = SpanKind::Internal;
        let trace = TraceId::from(7_u128);
        let sampled =
            Sampling::new(ratio).should_sample(parent.as_ref(), trace, "http", &kind, &path, &[]);
        assert_eq!(sampled.decision == SamplingDecision::RecordAndSample, expected, "{name}");
    }
}

#[test]
fn without_a_collector_nothing_is_prepared() {
    assert!(Traces::prepare(&Telemetry::default()).unwrap().is_none());
    let url = Parsed("http://127.0.0.1:4318".parse().unwrap());
    let settings = Telemetry {
        otlp: Some(url),
        headers_env: Some("YUNLING_TEST_NO_SUCH_VARIABLE".to_owned()),
        ..Telemetry::default()
    };
    let error = Traces::prepare(&settings).err().unwrap();
    assert!(format!("{error:#}").contains("YUNLING_TEST_NO_SUCH_VARIABLE"), "{error:#}");
}
