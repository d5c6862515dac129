use opentelemetry::trace::{Link, SpanKind, TraceContextExt as _};
use opentelemetry::{Context, KeyValue, TraceId};
use opentelemetry_sdk::trace::{Sampler, SamplingDecision, SamplingResult, ShouldSample};

/// Exchanges that only look whether the node is well.
const SILENT_PATHS: &[&str] = &["/healthz", "/metrics"];

/// Which traces are recorded: the share that the settings want, drawn from the trace's identifier,
/// so that every part of a trace is drawn alike, here and after a restart. A caller whose own trace
/// is not recorded has ours left out too; one whose is cannot make us record more than the share.
#[derive(Debug, Clone)]
pub(super) struct Sampling {
    share: Sampler,
}

impl Sampling {
    pub(super) fn new(ratio: f64) -> Self {
        Self { share: Sampler::TraceIdRatioBased(ratio) }
    }
}

impl ShouldSample for Sampling {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace_id: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let silent = attributes.iter().any(|attribute| {
            attribute.key.as_str() == "path"
                && SILENT_PATHS.contains(&attribute.value.as_str().as_ref())
        });
        let mut result = self.share.should_sample(parent, trace_id, name, kind, attributes, links);
        let parent = parent.map(|context| context.span().span_context().clone());
        result.decision = match parent.filter(opentelemetry::trace::SpanContext::is_valid) {
            _ if silent => SamplingDecision::Drop,
            Some(parent) if !parent.is_sampled() => SamplingDecision::Drop,
            Some(parent) if !parent.is_remote() => SamplingDecision::RecordAndSample,
            Some(_) | None => result.decision,
        };
        result
    }
}
