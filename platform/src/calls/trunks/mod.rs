//! What calls and the engine learn of trunks goes through here: into the health that the gate reads,
//! to the log, to the figures, and to the calls that wait for a trunk.

mod keep;

use yunling_app::App;
use yunling_app::trunks::News;
use yunling_domain::trunk_health::{TrunkFact, TrunkState};
use yunling_domain::{Micros, Termination};
use yunling_switch_contract::{EventKind, TrunkEvent};

pub(super) use keep::keep;

use super::map;

/// The desk that hears of trunks.
#[derive(Debug, Clone)]
pub(crate) struct TrunkDesk {
    app: App,
}

impl TrunkDesk {
    /// Tells `app`.
    pub(crate) fn new(app: App) -> Self {
        Self { app }
    }

    /// The engine has something to tell. Never blocks.
    pub(super) fn event(&self, event: &TrunkEvent) {
        tracing::debug!(trunk = %event.trunk, kind = ?event.kind, "a trunk's state");
        self.learn(&event.trunk, map::trunk_fact(&event.kind), self.app.clock().now());
    }

    /// A call has met something.
    pub(super) fn learn(&self, trunk: &str, fact: TrunkFact, now: Micros) {
        // A trunk that has just registered opens without a change of state.
        let may_open = matches!(fact, TrunkFact::Registered { .. });
        if let Some(news) = self.app.trunks().learn(trunk, fact, now) {
            self.spread(&news);
        } else if may_open {
            self.app.poke().dispatcher();
        }
    }

    /// A call over a trunk has met something; `was_answered` before it did, or by it.
    pub(super) fn watch(&self, trunk: &str, at: Micros, met: &EventKind, was_answered: bool) {
        let ended = match met {
            EventKind::Ended { termination, .. } => Some(map::termination(termination)),
            _ => None,
        };
        let fact = match (met, &ended) {
            (EventKind::Trying | EventKind::Ringing { .. } | EventKind::Answered { .. }, _) => {
                Some(TrunkFact::CallHeard)
            }
            (_, Some(termination)) => TrunkFact::of_call_end(termination),
            _ => None,
        };
        if let Some(fact) = fact {
            self.learn(trunk, fact, at);
        }
        match ended {
            Some(termination) if !was_answered => self.failed(trunk, &termination),
            None if matches!(met, EventKind::Answered { .. }) => self.answered(trunk),
            _ => {}
        }
    }

    /// Whether no call is sent over a trunk now.
    pub(super) fn is_closed(&self, trunk: &str) -> bool {
        self.app.trunks().closed().contains(trunk)
    }

    /// A call went past a trunk, because it was down or took no new calls.
    pub(super) fn passed_over(&self, trunk: &str) {
        self.app.trunks().skipped(trunk);
        count("yunling_trunk_skipped_total", trunk);
    }

    /// A call is on its way over a trunk.
    pub(super) fn dialled(&self, trunk: &str, now: Micros) {
        self.app.trunks().dialled(trunk, now);
        count("yunling_trunk_dialled_total", trunk);
    }

    /// A call over a trunk was answered.
    pub(super) fn answered(&self, trunk: &str) {
        self.app.trunks().answered(trunk);
        count("yunling_trunk_answered_total", trunk);
    }

    /// A call over a trunk ended without an answer.
    pub(super) fn failed(&self, trunk: &str, termination: &Termination) {
        let how = match termination.sip_code {
            Some(code) => code.to_string(),
            None => termination.kind.name().to_owned(),
        };
        self.app.trunks().failed(trunk, &how);
        metrics::counter!("yunling_trunk_failed_total", "trunk" => trunk.to_owned(), "code" => how)
            .increment(1);
    }

    /// A call goes from this trunk to the next.
    pub(super) fn failed_over(&self, trunk: &str) {
        self.app.trunks().failed_over(trunk);
        count("yunling_trunk_failed_over_total", trunk);
    }

    /// Lets time pass.
    pub(super) fn tick(&self, now: Micros) {
        for news in self.app.trunks().tick(now) {
            self.spread(&news);
        }
    }

    fn spread(&self, News { trunk, standing }: &News) {
        show_up(trunk, standing.state);
        match (standing.state, &standing.why) {
            (TrunkState::Down, Some(why)) => {
                tracing::error!(%trunk, why = why.name(), detail = why.detail(), "a trunk is down");
            }
            (TrunkState::Down, None) => tracing::error!(%trunk, "a trunk is down"),
            (TrunkState::Up, _) => tracing::info!(%trunk, "a trunk is up"),
            (TrunkState::Unknown, _) => {
                tracing::info!(%trunk, "a trunk that was silent is tried again");
            }
        }
        if standing.state != TrunkState::Down {
            self.app.poke().dispatcher();
        }
    }
}

fn count(figure: &'static str, trunk: &str) {
    metrics::counter!(figure, "trunk" => trunk.to_owned()).increment(1);
}

/// 1 but for a trunk that is known to be down.
fn show_up(trunk: &str, state: TrunkState) {
    let up = if state == TrunkState::Down { 0.0 } else { 1.0 };
    metrics::gauge!("yunling_trunk_up", "trunk" => trunk.to_owned()).set(up);
}
