//! One trunk's task: keeps it registered, and asks it for signs of life.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use tokio::time::{sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use yunling_switch_contract::{Registering, TrunkEvent, TrunkEventKind, TrunkPlan};

use super::exchange::{Series, cancelled, chance};
use super::outcome::Outcome;
use super::probe::Probe;
use super::registration::Registration;
use super::requests::Request;
use super::{Office, figures};

/// A question is given up after so many T1: sooner than a request that matters, because the next
/// one comes soon.
const PROBE_T1: u32 = 16;

/// Asks a keeper to leave.
#[derive(Debug, Clone, Default)]
pub(super) struct Leave {
    asked: CancellationToken,
    silently: Arc<AtomicBool>,
}

impl Leave {
    /// The trunk is gone: its registration is taken back.
    pub(super) fn ask(&self) {
        self.asked.cancel();
    }

    /// Whoever comes next registers the same contact, or there is nobody left to care.
    pub(super) fn ask_silently(&self) {
        self.silently.store(true, Ordering::Release);
        self.asked.cancel();
    }

    pub(super) async fn asked(&self) {
        self.asked.cancelled().await;
    }

    fn is_silent(&self) -> bool {
        self.silently.load(Ordering::Acquire)
    }
}

/// Keeps a trunk until it is asked to leave.
pub(super) async fn keep(office: &Office, plan: &TrunkPlan, leave: &Leave) {
    let registering = async {
        match &plan.register {
            Some(registering) => keep_registered(office, plan, registering, leave).await,
            None => leave.asked().await,
        }
    };
    // Each has its own pace: a registrar that is waited for does not hold up the questions.
    tokio::join!(registering, keep_probed(office, plan, leave));
}

async fn keep_registered(
    office: &Office,
    plan: &TrunkPlan,
    registering: &Registering,
    leave: &Leave,
) {
    let Registering { user, expires_s } = registering;
    let peer = &plan.peer;
    let second = office.timers.second;
    let mut series = Series::begin(office, peer.credentials.clone());
    let mut registration = Registration::new(user, *expires_s, second, Instant::now());
    let mut lost: Option<CancellationToken> = None;
    figures::registered(&plan.name, false);
    // Whether the registrar may have something of ours that we do not know of.
    let in_doubt = loop {
        tokio::select! {
            biased;
            () = leave.asked() => break false,
            () = cancelled(lost.as_ref()), if registration.is_registered(Instant::now()) => {
                lost = None;
                registration.on_connection_lost(Instant::now(), chance());
                continue;
            }
            () = sleep_until(registration.due().into()) => {}
        }
        let request = Request::register(peer, user, registration.asks_for_s());
        let asking = series.ask(office, peer, &request, office.timers.t1x64());
        let ended = tokio::select! {
            biased;
            () = leave.asked() => break true,
            ended = asking => ended,
        };
        lost = ended.lost;
        let event = registration.on_outcome(&ended.outcome, Instant::now(), chance());
        figures::registered(&plan.name, registration.is_registered(Instant::now()));
        if let Some(event) = event {
            log_registration(plan, &event);
            report(office, plan, event);
        }
    };
    let holds = in_doubt || registration.is_registered(Instant::now());
    if holds && !leave.is_silent() {
        let request = Request::register(peer, user, 0);
        let asking = series.ask(office, peer, &request, office.timers.farewell);
        match timeout(office.timers.farewell, asking).await.map(|ended| ended.outcome) {
            Ok(Outcome::Answered(answer)) if answer.code < 300 => {
                tracing::info!(trunk = %plan.name, "unregistered");
            }
            Ok(outcome) => {
                let text = outcome.text();
                tracing::warn!(trunk = %plan.name, text, "not unregistered: it will run out");
            }
            Err(_elapsed) => {
                tracing::warn!(trunk = %plan.name, "not unregistered in time: it will run out");
            }
        }
    }
    figures::registered(&plan.name, false);
}

fn log_registration(plan: &TrunkPlan, event: &TrunkEventKind) {
    match event {
        TrunkEventKind::Registered { expires_s } => {
            tracing::debug!(trunk = %plan.name, expires_s, "registered");
        }
        TrunkEventKind::NotRegistered { sip_code, text, retry_ms } => {
            tracing::warn!(trunk = %plan.name, sip_code, text, retry_ms, "not registered");
        }
        TrunkEventKind::Alive { .. } | TrunkEventKind::Silent { .. } => {}
    }
}

async fn keep_probed(office: &Office, plan: &TrunkPlan, leave: &Leave) {
    let Some(every) = plan.probe_every else { return leave.asked().await };
    let second = office.timers.second;
    let mut series = Series::begin(office, None);
    let mut probe = Probe::new(every, second, Instant::now(), chance());
    loop {
        tokio::select! {
            biased;
            () = leave.asked() => break,
            () = sleep_until(probe.due().into()) => {}
        }
        let request = Request::options(&plan.peer);
        let asking = series.ask(office, &plan.peer, &request, office.timers.t1 * PROBE_T1);
        let ended = tokio::select! {
            biased;
            () = leave.asked() => break,
            ended = asking => ended,
        };
        let event = probe.on_outcome(&ended.outcome, ended.round_trip, Instant::now(), chance());
        figures::probed(&plan.name, &event);
        if let TrunkEventKind::Silent { text, times: 1, .. } = &event {
            tracing::warn!(trunk = %plan.name, text, "the trunk shows no sign of life");
        }
        report(office, plan, event);
    }
    figures::not_probed(&plan.name);
}

fn report(office: &Office, plan: &TrunkPlan, kind: TrunkEventKind) {
    office.sink.trunk(TrunkEvent { trunk: Arc::clone(&plan.name), at: Instant::now(), kind });
}
