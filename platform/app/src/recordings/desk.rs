use crate::ports::Objects;
use parking_lot::Mutex;
use std::collections::HashSet;
use std::sync::{Arc, OnceLock};
use tokio::sync::Semaphore;
use yunling_domain::RecordingId;

/// Files that are moved to the object store at once; more wait for their turn.
const MOVES_AT_ONCE: usize = 4;

/// What recordings are kept with.
pub(crate) struct RecordingDesk {
    /// The object store, where one is configured.
    pub(crate) objects: OnceLock<Arc<dyn Objects>>,
    pub(super) moves: Semaphore,
    /// What this process has begun and not ended: the engine may write it. As many as there are
    /// recorded conversations, and those whose end the engine never told.
    under_way: Mutex<HashSet<RecordingId>>,
}

impl Default for RecordingDesk {
    fn default() -> Self {
        Self {
            objects: OnceLock::new(),
            moves: Semaphore::new(MOVES_AT_ONCE),
            under_way: Mutex::default(),
        }
    }
}

impl RecordingDesk {
    /// Says where complete recordings go; the first word counts.
    pub(crate) fn move_to(&self, objects: Arc<dyn Objects>) {
        // A process has one object store.
        let _ = self.objects.set(objects);
    }

    pub(super) fn begun(&self, id: &RecordingId) {
        self.under_way.lock().insert(id.clone());
    }

    pub(super) fn ended(&self, id: &RecordingId) {
        self.under_way.lock().remove(id);
    }

    pub(super) fn is_under_way(&self, id: &RecordingId) -> bool {
        self.under_way.lock().contains(id)
    }
}
