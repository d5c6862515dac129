//! The log on standard error.

use std::io::IsTerminal as _;

use anyhow::Context as _;
use tracing_subscriber::EnvFilter;
use yunling_app::config::{Log, LogFormat};

/// Libraries that say at `info` what only their developers want: the SIP stack logs every message.
const QUIET: &str = "rsipstack=warn,sqlx=warn,sea_orm=warn,sea_orm_migration=warn,apalis=warn,apalis_core=warn,hyper=warn";

/// Begins to log as the settings say. `YUNLING_LOG` overrides the filter.
pub(crate) fn start(log: &Log) -> anyhow::Result<()> {
    let filter = std::env::var("YUNLING_LOG").unwrap_or_else(|_| log.filter.clone());
    let filter = EnvFilter::try_new(format!("{QUIET},{filter}"))
        .with_context(|| format!("log.filter {filter:?} cannot be read: expected \"info\" or \"info,yunling_switch=debug\""))?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    match log.format {
        LogFormat::Text => lines.with_target(false).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    }
    .map_err(|error| anyhow::anyhow!("cannot start the log: {error}"))
}
