//! `yunling serve`: a node as its configuration says.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use yunling_app::config::Settings;
use yunling_app::yaml::Parsed;
use yunling_domain::NodeNumber;

use crate::node::Node;
use crate::roles::Roles;
use crate::telemetry::{Export, Traces};
use crate::{http, logging};

/// Run a node as its configuration says.
#[derive(Debug, Args)]
pub(super) struct Serve {
    /// The node's settings; deploy/yunling.yaml explains every key.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// What this process does: some of api, calls, workers.
    #[arg(long, default_value = "api,calls,workers")]
    roles: Roles,
    /// The node number, instead of the configuration's.
    #[arg(long, value_name = "N")]
    node: Option<NodeNumber>,
}

impl Serve {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let mut settings = Settings::load(&self.config)?;
        if let Some(node) = self.node {
            settings.node = Parsed(node);
        }
        let traces = Traces::prepare(&settings.telemetry)?;
        let export = logging::start_with(&settings.log, traces)?;
        super::runtime()?.block_on(async {
            let exporting = export.map(Export::run);
            let served = Box::pin(serve(settings, self.roles)).await;
            // Behind everything that ends spans.
            if let Some(exporting) = exporting {
                exporting.stop().await;
            }
            served
        })
    }
}

async fn serve(settings: Settings, roles: Roles) -> anyhow::Result<()> {
    let stop = stop_signal()?;
    // Bound before anything is dialled: a port that is in use is the likeliest trouble.
    let listener = if roles.api { Some(http::bind(settings.http.listen).await?) } else { None };
    let mut node = Node::start(settings, roles).await?;
    let server = match listener {
        Some(listener) => Some(listener.serve(&node, None).await?),
        None => None,
    };
    node.begin();
    tracing::info!(node = %node.app.settings().node.0, version = env!("CARGO_PKG_VERSION"), "ready");
    tokio::select! {
        () = stop.cancelled() => {}
        () = node.lost.cancelled() => {}
    }
    tracing::info!(calls = node.live_calls(), "stopping: no new calls, the running ones may end");
    node.stop(server).await;
    Ok(())
}

/// Cancelled by SIGTERM or SIGINT; a second one ends the process at once.
pub(super) fn stop_signal() -> anyhow::Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    tokio::spawn(async move {
        for _ in 0..2 {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if stopped.is_cancelled() {
                tracing::warn!("told twice to stop: leaving at once, the next start recovers");
                std::process::exit(1);
            }
            stopped.cancel();
        }
    });
    Ok(stop)
}
