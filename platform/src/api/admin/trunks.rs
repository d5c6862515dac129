//! The trunks as this node sees them, and draining one. For the platform's operator.

use std::collections::BTreeMap;

use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{Enum, Object, OpenApi};
use yunling_app::App;
use yunling_app::directory;
use yunling_app::drain_trunk::{self, Change};
use yunling_app::list_trunks::{self, TrunkView};
use yunling_app::trunks::{Counts, Observed};
use yunling_domain::Micros;
use yunling_domain::trunk_health::{self, Registration};

use super::Problem;
use super::caller::OperatorCaller;
use super::query::shown;
use crate::api::tags::Tags;

/// A failure's kinds that are shown, the most frequent ones.
const TOP_FAILURES: usize = 10;

/// How a trunk stands.
#[derive(Debug, Clone, Copy, Enum)]
#[oai(rename_all = "snake_case")]
enum TrunkState {
    /// A call or an OPTIONS was answered, or it has registered us.
    Up,
    /// It takes no calls; `why` says why. Calls go past it.
    Down,
    /// Nothing was heard of it yet. Calls go to it, but where it has to register us first.
    Unknown,
    /// It is not enabled.
    Disabled,
}

/// A carrier peer, as this node sees it.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct Trunk {
    name: String,
    /// Host and port, `host` alone where the port comes from SRV records.
    address: String,
    /// `udp`, `tcp` or `tls`.
    transport: String,
    enabled: bool,
    /// Whether it gets no new calls until it is resumed.
    draining: bool,
    #[oai(skip_serializing_if_is_none)]
    draining_since: Option<String>,
    /// Who began to drain it.
    #[oai(skip_serializing_if_is_none)]
    drained_by: Option<String>,
    state: TrunkState,
    /// Since when; absent where it is disabled.
    #[oai(skip_serializing_if_is_none)]
    since: Option<String>,
    /// `not_registered`, `options_silent` or `calls_silent`, where it is down.
    #[oai(skip_serializing_if_is_none)]
    why: Option<String>,
    /// What the trunk said, or what stood in the way.
    #[oai(skip_serializing_if_is_none)]
    detail: Option<String>,
    /// Where it registers us.
    #[oai(skip_serializing_if_is_none)]
    registration: Option<TrunkRegistration>,
    /// Where it is asked for signs of life.
    #[oai(skip_serializing_if_is_none)]
    probe: Option<TrunkProbe>,
    load: TrunkLoad,
    counts: TrunkCounts,
    /// The node that sees it so.
    node: String,
}

/// Our registration with a trunk.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct TrunkRegistration {
    /// `registered`, `not_registered`, or `pending` before the first answer.
    state: String,
    /// Until when it holds.
    #[oai(skip_serializing_if_is_none)]
    expires_at: Option<String>,
    /// The SIP status of the last try.
    #[oai(skip_serializing_if_is_none)]
    last_code: Option<u16>,
    /// The registrar's words at the last failure, or what stood in the way.
    #[oai(skip_serializing_if_is_none)]
    text: Option<String>,
}

/// A trunk's answers to OPTIONS.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct TrunkProbe {
    /// How often it is asked, seconds.
    every_s: u32,
    /// Of the last one, where it was answered.
    #[oai(skip_serializing_if_is_none)]
    round_trip_ms: Option<f64>,
    /// When the last one was answered or given up.
    #[oai(skip_serializing_if_is_none)]
    last_at: Option<String>,
    /// Unanswered ones in a row.
    silent_times: u32,
}

/// What a trunk carries now.
#[derive(Debug, Default, Object)]
#[oai(rename_all = "camelCase")]
struct TrunkLoad {
    calls: u32,
    #[oai(skip_serializing_if_is_none)]
    max_calls: Option<u32>,
    /// Calls sent to it within the last second.
    cps: u32,
    #[oai(skip_serializing_if_is_none)]
    max_cps: Option<u32>,
}

/// What became of a trunk's calls since this node was started.
#[derive(Debug, Default, Object)]
#[oai(rename_all = "camelCase")]
struct TrunkCounts {
    dialled: u64,
    answered: u64,
    /// Calls that ended without an answer, by SIP status or by the way in which they ended: the ten
    /// most frequent.
    failed_by_code: BTreeMap<String, u64>,
    /// Calls that were tried again over the next trunk.
    failed_over: u64,
    /// Calls that went past it while it was down or being drained.
    skipped: u64,
    /// Answer-seizure ratio: answered calls among those answered or failed, 0 to 1.
    #[oai(skip_serializing_if_is_none)]
    asr: Option<f64>,
}

/// Every trunk.
#[derive(Debug, Object)]
struct TrunkList {
    /// By name. There are as many as the operator has configured, so there are no pages.
    trunks: Vec<Trunk>,
}

impl Trunk {
    fn of(app: &App, view: TrunkView) -> Self {
        let TrunkView { trunk, draining, observed } = view;
        let standing = observed.as_ref().map(|observed| &observed.standing);
        let why = standing.and_then(|standing| standing.why.as_ref());
        let now = app.clock().now();
        Self {
            name: trunk.name.to_string(),
            address: address(&trunk),
            transport: trunk.transport.as_str().to_owned(),
            enabled: trunk.enabled,
            draining: draining.is_some(),
            draining_since: draining.as_ref().map(|draining| shown(draining.since)),
            drained_by: draining.map(|draining| draining.who),
            state: standing.map_or(TrunkState::Disabled, |standing| standing.state.into()),
            since: standing.map(|standing| shown(standing.since)),
            why: why.map(|why| why.name().to_owned()),
            detail: why.map(|why| why.detail().to_owned()).filter(|detail| !detail.is_empty()),
            registration: observed
                .as_ref()
                .and_then(|observed| observed.registration.as_ref())
                .map(|registration| TrunkRegistration::of(registration, now)),
            probe: observed.as_ref().zip(trunk.probe_s).map(|(observed, every_s)| TrunkProbe {
                every_s,
                round_trip_ms: observed.probing.round_trip_ms.map(to_microseconds),
                last_at: observed.probing.last_at.map(shown),
                silent_times: observed.probing.silent_times,
            }),
            load: TrunkLoad {
                calls: observed.as_ref().map_or(0, |observed| observed.calls),
                max_calls: trunk.limits.max_calls,
                cps: observed.as_ref().map_or(0, |observed| observed.cps),
                max_cps: trunk.limits.max_cps,
            },
            counts: observed.map(|Observed { counts, .. }| counts.into()).unwrap_or_default(),
            node: app.settings().node.0.to_string(),
        }
    }
}

fn address(trunk: &directory::Trunk) -> String {
    match trunk.port {
        Some(port) if trunk.host.contains(':') => format!("[{}]:{port}", trunk.host),
        Some(port) => format!("{}:{port}", trunk.host),
        None => trunk.host.clone(),
    }
}

impl TrunkRegistration {
    fn of(registration: &Registration, now: Micros) -> Self {
        Self {
            state: registration.state(now).to_owned(),
            expires_at: registration.expires_at.map(shown),
            last_code: registration.last_code,
            text: Some(registration.text.clone()).filter(|text| !text.is_empty()),
        }
    }
}

impl From<trunk_health::TrunkState> for TrunkState {
    fn from(state: trunk_health::TrunkState) -> Self {
        match state {
            trunk_health::TrunkState::Up => Self::Up,
            trunk_health::TrunkState::Down => Self::Down,
            trunk_health::TrunkState::Unknown => Self::Unknown,
        }
    }
}

impl From<Counts> for TrunkCounts {
    fn from(counts: Counts) -> Self {
        let asr = counts.answer_seizure_ratio();
        let mut failures: Vec<_> = counts.failed.into_iter().collect();
        // Stable: of two that are alike the first by name.
        failures.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        failures.truncate(TOP_FAILURES);
        Self {
            dialled: counts.dialled,
            answered: counts.answered,
            failed_by_code: failures.into_iter().collect(),
            failed_over: counts.failed_over,
            skipped: counts.skipped,
            asr,
        }
    }
}

/// The operations.
pub(super) struct TrunksApi;

#[OpenApi]
impl TrunksApi {
    /// List trunks
    ///
    /// Every trunk with its state, load and counts, as the node that answers sees them. Needs the
    /// operator's token.
    #[oai(
        path = "/api/v1/trunks",
        method = "get",
        operation_id = "listTrunks",
        tag = "Tags::Trunks"
    )]
    async fn list_trunks(
        &self,
        operator: OperatorCaller,
        app: Data<&App>,
    ) -> Result<Json<TrunkList>, Problem> {
        let views = list_trunks::run(&app, &operator.0);
        Ok(Json(TrunkList {
            trunks: views.into_iter().map(|view| Trunk::of(&app, view)).collect(),
        }))
    }

    /// Read a trunk
    ///
    /// Its state, load and counts, as the node that answers sees them. Needs the operator's token.
    #[oai(
        path = "/api/v1/trunks/:name",
        method = "get",
        operation_id = "getTrunk",
        tag = "Tags::Trunks"
    )]
    async fn get_trunk(
        &self,
        operator: OperatorCaller,
        app: Data<&App>,
        /// The trunk's name.
        name: Path<String>,
    ) -> Result<Json<Trunk>, Problem> {
        Ok(Json(Trunk::of(&app, list_trunks::get(&app, &operator.0, &name.0)?)))
    }

    /// Drain a trunk
    ///
    /// From now on it gets no new call on any node, within a second; calls on it go on to their end.
    /// It stays so, over restarts, until it is resumed. A second time changes nothing. While every
    /// trunk that a request may use is down or being drained, the request is answered `-6`. Needs the
    /// operator's token.
    #[oai(
        path = "/api/v1/trunks/:name/drain",
        method = "post",
        operation_id = "drainTrunk",
        tag = "Tags::Trunks"
    )]
    async fn drain_trunk(
        &self,
        operator: OperatorCaller,
        app: Data<&App>,
        /// The trunk's name.
        name: Path<String>,
    ) -> Result<Json<Trunk>, Problem> {
        changed(&app, &operator, &name.0, Change::Drain).await
    }

    /// Resume a trunk
    ///
    /// It gets calls again. Where it was not being drained, nothing changes. Needs the operator's
    /// token.
    #[oai(
        path = "/api/v1/trunks/:name/resume",
        method = "post",
        operation_id = "resumeTrunk",
        tag = "Tags::Trunks"
    )]
    async fn resume_trunk(
        &self,
        operator: OperatorCaller,
        app: Data<&App>,
        /// The trunk's name.
        name: Path<String>,
    ) -> Result<Json<Trunk>, Problem> {
        changed(&app, &operator, &name.0, Change::Resume).await
    }
}

async fn changed(
    app: &App,
    operator: &OperatorCaller,
    name: &str,
    change: Change,
) -> Result<Json<Trunk>, Problem> {
    let view = drain_trunk::run(app, &operator.0, name, change).await?;
    Ok(Json(Trunk::of(app, view)))
}

/// Milliseconds to three places: more is noise, and a shorter number in the answer.
fn to_microseconds(ms: f32) -> f64 {
    (f64::from(ms) * 1_000.0).round() / 1_000.0
}
