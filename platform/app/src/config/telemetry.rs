use crate::yaml::Parsed;
use serde::Deserialize;

/// `telemetry:` — traces for an OpenTelemetry collector.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Telemetry {
    /// The collector's base address, OTLP over HTTP; absent: no traces.
    pub otlp: Option<Parsed<url::Url>>,
    /// `service.name` of every span.
    pub service_name: String,
    /// The share of requests that are traced, 0 to 1.
    pub sample_ratio: f64,
    /// The environment variable that holds more headers for the collector, `name=value,name=value`:
    /// credentials do not belong into a file.
    pub headers_env: Option<String>,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self {
            otlp: None,
            service_name: "yunling".to_owned(),
            sample_ratio: 1.0,
            headers_env: None,
        }
    }
}

impl Telemetry {
    /// The first key whose value cannot work, and what was expected of it.
    pub(super) fn impossible(&self) -> Option<(&'static str, String)> {
        let scheme = self.otlp.as_ref().map(|url| url.0.scheme());
        if let Some(scheme) = scheme.filter(|scheme| !matches!(*scheme, "http" | "https")) {
            return Some(("otlp", format!("expected http://… or https://…, found {scheme}://…")));
        }
        if !(0.0..=1.0).contains(&self.sample_ratio) {
            return Some(("sample_ratio", format!("expected 0 to 1, found {}", self.sample_ratio)));
        }
        self.service_name
            .trim()
            .is_empty()
            .then(|| ("service_name", "expected a name, found none".to_owned()))
    }
}
