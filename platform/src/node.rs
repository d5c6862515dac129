//! A node: the parts of a running process, started in the order in which they need each other and
//! stopped in the reverse.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use yunling_app::apply::{self, ApplyError};
use yunling_app::config::{Settings, SipTransport};
use yunling_app::ports::Clock as _;
use yunling_app::principal::Operator;
use yunling_app::recordings::{self, Found};
use yunling_app::secrets::Keyring;
use yunling_app::{App, Parts, campaigns, documents, submit_batch};
use yunling_assets::Packs;
use yunling_domain::Lang;
use yunling_store::ids::IdMint;
use yunling_store::lease::NodeLease;
use yunling_store::{Store, StoreError};
use yunling_switch::{
    FloodLimits, MediaConfig, SipListen, Switch, SwitchConfig, Timers, TlsIdentity,
};
use yunling_switch_contract::Transport;
use yunling_workers::Workers;

use crate::calls::{Calls, Routes};
use crate::clock::{SystemClock, SystemRandom};
use crate::http;
use crate::object_store::S3;
use crate::ports::{Minting, Pokes, Watchers};
use crate::roles::Roles;

/// How long the node number is held without being renewed.
const NODE_LEASE_MS: i64 = 30_000;
/// How often it is renewed, and identifiers are reserved ahead.
const NODE_RENEW: Duration = Duration::from_secs(1);
/// How often the stored configuration's version is looked at.
const CONFIG_LOOK: Duration = Duration::from_secs(1);
/// How often figures that nobody fetched are folded together.
const METRICS_UPKEEP: Duration = Duration::from_secs(5);
/// How long a callee's answer waits to be stored before it is acknowledged all the same: a busy
/// database must not hold up a conversation, and the callee repeats its answer after 500 ms.
const ACKNOWLEDGE: Duration = Duration::from_millis(200);
/// Commands that may wait for the engine.
const COMMAND_QUEUE: usize = 8_192;

/// A node that runs.
pub(crate) struct Node {
    pub(crate) app: App,
    pub(crate) watchers: Watchers,
    pub(crate) metrics: PrometheusHandle,
    pub(crate) switch: Option<Switch>,
    /// Where the engine's events go, until [`Node::begin`].
    routes: Option<Arc<Routes>>,
    pokes: Pokes,
    calls: Option<Calls>,
    workers: Option<Workers>,
    lease: Arc<NodeLease>,
    /// Cancelled when the node begins to drain.
    pub(crate) draining: CancellationToken,
    /// Cancelled when another process has taken this node's number: stop dialling.
    pub(crate) lost: CancellationToken,
    /// Cancelled when the node stops: the chores end.
    stopping: CancellationToken,
    chores: TaskTracker,
}

impl Node {
    /// Starts every part but the HTTP server and the dialling.
    pub(crate) async fn start(settings: Settings, roles: Roles) -> anyhow::Result<Self> {
        let metrics = PrometheusBuilder::new()
            .install_recorder()
            .context("cannot start the metrics recorder")?;
        std::fs::create_dir_all(&settings.data_dir).with_context(|| {
            format!("data_dir {}: cannot create it", settings.data_dir.display())
        })?;
        let keyring = Keyring::open(&settings.data_dir, &SystemRandom)?;
        let sip_key = keyring.derive("sip identifiers");
        let packs = Packs::load(settings.speech.packs.as_deref())?;
        for warning in Lang::ALL.iter().flat_map(|lang| packs.get(*lang).warnings()) {
            tracing::warn!("speech.packs: {warning}");
        }
        let now = SystemClock.now();
        let store = Store::open(&settings.database.url, settings.open_options(now))
            .await
            .context("database.url: cannot open the database")?;
        let number = settings.node.0;
        let until = now.plus_ms(NODE_LEASE_MS);
        let lease = NodeLease::claim(&store, number, &settings.data_dir, now, until).await?;
        let lease = Arc::new(lease);
        let mint = Arc::new(IdMint::open(&store, number, settings.zone.0, now).await?);
        let pokes = Pokes::default();
        let watchers = Watchers::default();
        let app = App::assemble(Parts {
            store,
            packs,
            settings,
            keyring,
            clock: Arc::new(SystemClock),
            ids: Arc::new(Minting(Arc::clone(&mint))),
            random: Arc::new(SystemRandom),
            poke: Arc::new(pokes.clone()),
            events: Arc::new(watchers.clone()),
        })
        .await
        .context("the node cannot be assembled")?;
        apply_resources(&app, &app.settings().resources.clone()).await?;
        submit_batch::discard_unready(&app)
            .await
            .context("the database does not let go of half a batch")?;
        campaigns::reset_unfinished_lists(&app)
            .await
            .context("the database does not let go of half a campaign's list")?;
        if let Some(settings) = app.settings().recordings.objects() {
            app.keep_recordings_in(Arc::new(S3::new(settings)?));
        }

        let stopping = CancellationToken::new();
        let mut node = Self {
            app,
            watchers,
            metrics,
            switch: None,
            routes: None,
            pokes,
            calls: None,
            workers: None,
            lease,
            draining: CancellationToken::new(),
            lost: CancellationToken::new(),
            stopping,
            chores: TaskTracker::new(),
        };
        if roles.calls {
            settle_recordings(&node.app).await?;
            node.start_switch(sip_key).await?;
        }
        if roles.workers {
            let poked = Arc::clone(&node.pokes.deliveries);
            let workers = Workers::start(node.app.clone(), poked).await;
            node.workers = Some(workers.context("the workers cannot start")?);
        }
        node.start_chores(mint);
        node.start_upkeep();
        Ok(node)
    }

    async fn start_switch(&mut self, sip_key: [u8; 32]) -> anyhow::Result<()> {
        let routes = Arc::new(Routes::default());
        routes.gather(Arc::clone(self.app.sip_traces()));
        let config = switch_config(self.app.settings(), sip_key)?;
        self.switch = Some(Switch::start(config, Arc::clone(&routes) as _).await?);
        self.routes = Some(routes);
        Ok(())
    }

    /// Begins to recover and to dial. To be called last: whatever else may fail at the start has
    /// not, so nobody is rung by a process that is about to leave.
    pub(crate) fn begin(&mut self) {
        if let (Some(switch), Some(routes)) = (&self.switch, self.routes.take()) {
            self.calls = Some(Calls::start(
                self.app.clone(),
                Arc::new(switch.clone()),
                routes,
                self.app.settings().node.0,
                Arc::clone(&self.pokes.dispatcher),
            ));
        }
    }

    /// Keeps the node number, reserves identifiers ahead, follows the stored configuration.
    fn start_chores(&self, mint: Arc<IdMint>) {
        let (lease, stopping) = (Arc::clone(&self.lease), self.stopping.clone());
        let lost = self.lost.clone();
        self.chores.spawn(async move {
            let mut tick = tokio::time::interval(NODE_RENEW);
            while stopping.run_until_cancelled(tick.tick()).await.is_some() {
                let now = SystemClock.now();
                match lease.renew(now.plus_ms(NODE_LEASE_MS)).await {
                    Ok(()) => {}
                    Err(error @ StoreError::NodeTaken { .. }) => {
                        tracing::error!(%error, "this node has lost its number and stops");
                        lost.cancel();
                    }
                    Err(error) => tracing::error!(%error, "the node number was not renewed"),
                }
                if let Err(error) = mint.reserve_ahead(now).await {
                    tracing::error!(%error, "no identifiers were reserved ahead");
                }
            }
        });
        let (app, stopping) = (self.app.clone(), self.stopping.clone());
        self.chores.spawn(async move {
            let mut tick = tokio::time::interval(CONFIG_LOOK);
            while stopping.run_until_cancelled(tick.tick()).await.is_some() {
                if let Err(error) = app.reload_if_moved().await {
                    tracing::warn!(%error, "the stored configuration could not be looked at");
                }
            }
        });
    }

    /// Keeps the figures small: what nobody fetches is folded together.
    fn start_upkeep(&self) {
        let (metrics, stopping) = (self.metrics.clone(), self.stopping.clone());
        self.chores.spawn(async move {
            let mut tick = tokio::time::interval(METRICS_UPKEEP);
            while stopping.run_until_cancelled(tick.tick()).await.is_some() {
                metrics.run_upkeep();
            }
        });
    }

    /// How many calls are under way.
    pub(crate) fn live_calls(&self) -> usize {
        self.calls.as_ref().map_or(0, Calls::live)
    }

    /// Stops: claims nothing more, lets calls end, stops the HTTP server, delivers what is in
    /// flight, flushes the writer, gives the leases back.
    pub(crate) async fn stop(self, server: Option<http::Server>) {
        let patience = Duration::from_secs(u64::from(self.app.settings().calls.drain_s));
        self.draining.cancel();
        self.app.begin_to_drain();
        if let Some(calls) = self.calls {
            calls.drain(patience).await;
        }
        if let Some(server) = server {
            server.stop().await;
        }
        if let Some(switch) = self.switch {
            switch.close().await;
        }
        if let Some(workers) = self.workers {
            workers.stop().await;
        }
        self.stopping.cancel();
        self.chores.close();
        self.chores.wait().await;
        if let Some(lease) = Arc::into_inner(self.lease)
            && let Err(error) = lease.release().await
        {
            tracing::warn!(%error, "the node number was not given back; it runs out by itself");
        }
        if let Err(error) = self.app.store().clone().close().await {
            tracing::warn!(%error, "the database was not closed in order");
        }
    }
}

/// Makes whole and publishes what an earlier process was recording. Before the engine starts: nothing
/// else tells a recording that runs from one that does not.
async fn settle_recordings(app: &App) -> anyhow::Result<()> {
    let folder = app.settings().recordings.folder().join(app.settings().node.0.to_string());
    let mended = tokio::task::spawn_blocking(move || yunling_switch::repair(&folder))
        .await
        .context("recordings: what a crash left cannot be looked at")?
        .with_context(|| {
            format!(
                "recordings.folder {}: cannot be read",
                app.settings().recordings.folder().display()
            )
        })?;
    let found: Vec<_> = mended
        .into_iter()
        .map(|one| Found { path: one.path, duration_ms: one.duration_ms, octets: one.octets })
        .collect();
    recordings::settle(app, &found)
        .await
        .context("recordings: what a crash left is not settled")?;
    Ok(())
}

/// Applies the documents that the settings name, as the process itself.
async fn apply_resources(app: &App, files: &[PathBuf]) -> anyhow::Result<()> {
    if files.is_empty() {
        return Ok(());
    }
    let documents = documents::load(files)?;
    let operator = Operator::proven("start");
    match apply::apply(app, &operator, &documents, apply::Options::default()).await {
        Ok(report) => {
            if !report.plan.is_empty() {
                tracing::info!("resources applied:\n{report}");
            }
            if let Some(file) = report.keep_minted(&app.settings().data_dir)? {
                tracing::warn!(file = %file.display(), "secrets were minted: read them there, then delete the file");
            }
            Ok(())
        }
        Err(ApplyError::Problems(plan)) => anyhow::bail!("resources: not applied\n{plan}"),
        Err(error) => Err(error).context("resources: not applied"),
    }
}

pub(crate) fn switch_config(settings: &Settings, id_key: [u8; 32]) -> anyhow::Result<SwitchConfig> {
    let read = |file: &Path, key: &str| {
        std::fs::read(file)
            .with_context(|| format!("sip.tls.{key}: cannot read {}", file.display()))
    };
    let tls = match &settings.sip.tls {
        Some(files) => Some(TlsIdentity {
            certificate: read(&files.certificate, "certificate")?,
            key: read(&files.key, "key")?,
        }),
        None => None,
    };
    let listen = settings.sip.listen.iter().map(|listen| SipListen {
        transport: match listen.0.transport {
            SipTransport::Udp => Transport::Udp,
            SipTransport::Tcp => Transport::Tcp,
            SipTransport::Tls => Transport::Tls,
        },
        address: listen.0.address,
        advertised: settings.sip.public_address.map(|ip| (ip, listen.0.address.port()).into()),
    });
    Ok(SwitchConfig {
        sip_listen: listen.collect(),
        tls,
        dns: settings.sip.dns.clone(),
        flood: FloodLimits {
            per_source_per_s: settings.sip.flood.per_source_per_s,
            burst: settings.sip.flood.burst,
        },
        rtp: MediaConfig {
            address: settings.rtp.address,
            advertised: settings.rtp.public_address.unwrap_or(settings.rtp.address),
            ports: settings.rtp.ports.0.first..=settings.rtp.ports.0.last,
            silence: Duration::from_secs(settings.rtp.silence_s.into()),
            shards: 0,
        },
        user_agent: concat!("Yunling/", env!("CARGO_PKG_VERSION")).to_owned(),
        id_key,
        timers: Timers { acknowledge: ACKNOWLEDGE, ..Timers::default() },
        command_queue: COMMAND_QUEUE,
    })
}
