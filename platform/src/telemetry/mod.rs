//! Traces for an OpenTelemetry collector: one for each request, from the HTTP exchange over the
//! conversation and its legs to the callback (`telemetry:` in deploy/yunling.yaml).
//!
//! Spans are those of `tracing` that [`SPANS`] names; the log shows them too. They are handed to a
//! queue of a fixed length and exported by one task: a collector that is slow or gone costs spans,
//! which are counted, and nothing else.

mod export;
mod sampling;
mod spans;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use anyhow::Context as _;
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanExporter as _};
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;
use yunling_app::config::Telemetry as Settings;
use yunling_app::trace_context;

pub(crate) use self::export::Export;
use self::export::Queue;
use self::sampling::Sampling;

/// The spans that become traces, by name. Those of libraries and of the call engine do not.
const SPANS: &[&str] = &["http", "conversation", "leg", "recovery", "callback"];
/// Our crates whose spans they are: the engine has a `leg` of its own, for its log.
const CRATES: &[&str] = &["yunling", "yunling_workers"];
/// The path of traces behind a collector's base address (OTLP, "OTLP/HTTP request").
const TRACES_PATH: &str = "v1/traces";

/// Traces that are to be exported.
pub(crate) struct Traces {
    provider: SdkTracerProvider,
    export: Export,
}

impl Traces {
    /// Prepares the export where the settings name a collector.
    ///
    /// # Errors
    /// The operator's fault: the variable with the headers is not set or cannot be read, or the
    /// client cannot be made.
    pub(crate) fn prepare(settings: &Settings) -> anyhow::Result<Option<Self>> {
        let Some(collector) = &settings.otlp else { return Ok(None) };
        let headers = match &settings.headers_env {
            Some(name) => headers(name)?,
            None => HashMap::new(),
        };
        let base = collector.0.as_str().trim_end_matches('/');
        let mut exporter = opentelemetry_otlp::SpanExporter::builder()
            .with_http()
            .with_endpoint(format!("{base}/{TRACES_PATH}"))
            .with_headers(headers)
            .with_timeout(export::WITHIN)
            .build()
            .context("telemetry.otlp: the exporter cannot be made")?;
        let resource = Resource::builder_empty()
            .with_attributes([
                KeyValue::new("service.name", settings.service_name.clone()),
                KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            ])
            .build();
        exporter.set_resource(&resource);
        let (queue, export) = Queue::new(exporter);
        let provider = SdkTracerProvider::builder()
            .with_span_processor(queue)
            .with_sampler(Sampling::new(settings.sample_ratio))
            .with_resource(resource)
            .build();
        Ok(Some(Self { provider, export }))
    }

    /// The layer that makes spans traces, and what exports them: to be run inside the runtime.
    pub(crate) fn split<S>(self) -> (impl Layer<S> + Send + Sync, Export)
    where
        S: Subscriber + for<'s> LookupSpan<'s> + Send + Sync,
    {
        trace_context::switch_on();
        let layer = tracing_opentelemetry::layer()
            .with_tracer(self.provider.tracer("yunling"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_level(false)
            .with_tracked_inactivity(false)
            .with_filter(filter_fn(|metadata| {
                let target = metadata.target();
                metadata.is_span()
                    && SPANS.contains(&metadata.name())
                    && CRATES.contains(&target.split("::").next().unwrap_or_default())
            }));
        (layer, self.export)
    }
}

/// `name=value,name=value` of an environment variable.
fn headers(variable: &str) -> anyhow::Result<HashMap<String, String>> {
    let text = std::env::var(variable)
        .with_context(|| format!("telemetry.headers_env: the variable {variable}"))?;
    let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    let headers = entries.map(|entry| {
        let (name, value) = entry.split_once('=')?;
        Some((name.trim().to_owned(), value.trim().to_owned()))
    });
    headers.collect::<Option<_>>().with_context(|| {
        format!("telemetry.headers_env: the variable {variable}: expected name=value,name=value")
    })
}
