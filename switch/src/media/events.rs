//! How a leg reports to its owner.

use std::sync::Arc;
use std::time::{Duration, Instant};

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

    /// The first audio came before the answer.
    pub(super) fn early_audio(&self) {
        self.emit(EventKind::EarlyAudio);
    }

    /// The peer has sent nothing for so long.
    pub(super) fn media_lost(&self, silent: Duration) {
        let silent_ms = u64::try_from(silent.as_millis()).unwrap_or(u64::MAX);
        self.emit(EventKind::MediaLost { silent_ms });
    }

    fn emit(&self, kind: EventKind) {
        let (owner, leg) = (self.owner, self.leg.clone());
        self.sink.deliver(Event { owner, leg, at: Instant::now(), kind });
    }
}
