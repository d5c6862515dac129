//! The log on standard error.

use std::io::IsTerminal as _;

use anyhow::Context as _;
use tracing::Subscriber;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry};
use yunling_app::config::{Log, LogFormat};

use crate::telemetry::{Export, Traces};

/// Libraries that say at `info` what only their developers want: the SIP stack logs every message.
const QUIET: &str = "rsipstack=warn,sqlx=warn,sea_orm=warn,sea_orm_migration=warn,apalis=warn,apalis_core=warn,hyper=warn";

/// Begins to log as the settings say. `YUNLING_LOG` overrides the filter.
pub(crate) fn start(log: &Log) -> anyhow::Result<()> {
    start_with(log, None).map(drop)
}

/// The same, and makes spans traces. Gives what exports them, to be run inside the runtime.
pub(crate) fn start_with(log: &Log, traces: Option<Traces>) -> anyhow::Result<Option<Export>> {
    let lines = lines(log)?;
    let (begun, export) = match traces {
        // Its own filter for each layer: what is traced does not hang on what is logged.
        Some(traces) => {
            let (layer, export) = traces.split();
            (Registry::default().with(lines).with(layer).try_init(), Some(export))
        }
        None => (Registry::default().with(lines).try_init(), None),
    };
    begun.map_err(|error| anyhow::anyhow!("cannot start the log: {error}"))?;
    Ok(export)
}

/// The lines of the log.
fn lines<S>(log: &Log) -> anyhow::Result<Box<dyn Layer<S> + Send + Sync>>
where
    S: Subscriber + for<'s> LookupSpan<'s>,
{
    let filter = std::env::var("YUNLING_LOG").unwrap_or_else(|_| log.filter.clone());
    let filter = EnvFilter::try_new(format!("{QUIET},{filter}"))
        .with_context(|| format!("log.filter {filter:?} cannot be read: expected \"info\" or \"info,yunling_switch=debug\""))?;
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    Ok(match log.format {
        LogFormat::Text => lines.with_target(false).with_filter(filter).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_filter(filter).boxed(),
    })
}
