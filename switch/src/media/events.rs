//! How a leg reports to its owner.

use std::sync::Arc;
use std::time::Instant;

use yunling_switch_contract::{
    Event, EventKind, EventSink, KeySource, LegId, Owner, PlayEnd, PlayId,
};

/// The sink, and what every event of one leg carries.
pub(super) struct LegEvents {
    pub(super) owner: Owner,
    pub(super) leg: LegId,
    pub(super) sink: Arc<dyn EventSink>,
}

impl LegEvents {
    /// A play is over.
    pub(super) fn finished(&self, play: PlayId, end: PlayEnd) {
        self.emit(EventKind::PlayFinished { play, end });
    }

    /// A play got to a mark.
    pub(super) fn mark(&self, play: PlayId, mark: u32) {
        self.emit(EventKind::PlayMark { play, mark });
    }

    /// A key was pressed.
    pub(super) fn key(&self, key: char, source: KeySource) {
        self.emit(EventKind::Key { key, source });
    }

    fn emit(&self, kind: EventKind) {
        let (owner, leg) = (self.owner, self.leg.clone());
        self.sink.deliver(Event { owner, leg, at: Instant::now(), kind });
    }
}
