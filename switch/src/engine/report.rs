//! The promise of exactly one last event: kept even if the task that made it is dropped.

use std::sync::Arc;
use std::time::Instant;

use yunling_switch_contract::{
    Event, EventKind, LegId, MediaFigures, Owner, ReapOutcome, Termination, TerminationKind,
};

use super::{Core, figures};

/// Delivers a leg's events; if it is dropped before [`Report::ended`], it says so itself.
pub(super) struct Report {
    core: Arc<Core>,
    leg: LegId,
    owner: Owner,
    ended: bool,
}

impl Report {
    /// For a leg that was entered in the registry.
    pub(super) fn new(core: Arc<Core>, leg: LegId, owner: Owner) -> Self {
        figures::leg_began();
        Self { core, leg, owner, ended: false }
    }

    /// An event that is not the last.
    pub(super) fn deliver(&self, kind: EventKind) {
        deliver(&self.core, &self.leg, self.owner, kind);
    }

    /// Takes no more commands: the last event is near.
    pub(super) fn shut(&self) {
        self.core.registry.shut(&self.leg);
    }

    /// Whether the last event was delivered.
    pub(super) fn is_ended(&self) -> bool {
        self.ended
    }

    /// The last event. The leg's id is free again when the sink gets it.
    pub(super) fn ended(&mut self, termination: Termination, figures: MediaFigures) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        self.shut();
        tracing::debug!(%termination, "the leg has ended");
        figures::leg_ended(termination.kind);
        self.deliver(EventKind::Ended { termination, figures });
        self.core.registry.leave();
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        let mut termination = Termination::new(TerminationKind::EngineFault);
        "the engine ended before the leg".clone_into(&mut termination.text);
        self.ended(termination, MediaFigures::default());
    }
}

/// The same promise for an orphan.
pub(super) struct ReapReport {
    core: Arc<Core>,
    leg: LegId,
    owner: Owner,
    done: bool,
}

impl ReapReport {
    pub(super) fn new(core: Arc<Core>, leg: LegId, owner: Owner) -> Self {
        Self { core, leg, owner, done: false }
    }

    /// The only event. Later calls do nothing.
    pub(super) fn reaped(&mut self, outcome: ReapOutcome) {
        if !std::mem::replace(&mut self.done, true) {
            deliver(&self.core, &self.leg, self.owner, EventKind::Reaped { outcome });
        }
    }
}

impl Drop for ReapReport {
    fn drop(&mut self) {
        self.reaped(ReapOutcome::Unknown(Termination::new(TerminationKind::EngineFault)));
    }
}

/// Gives the sink one event.
pub(super) fn deliver(core: &Core, leg: &LegId, owner: Owner, kind: EventKind) {
    core.sink.deliver(Event { owner, leg: leg.clone(), at: Instant::now(), kind });
}
