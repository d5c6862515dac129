use crate::ports::Objects;
use std::sync::{Arc, OnceLock};
use tokio::sync::Semaphore;

/// Files that are moved to the object store at once; more wait for their turn.
const MOVES_AT_ONCE: usize = 4;

/// What recordings are kept with.
pub(crate) struct RecordingDesk {
    /// The object store, where one is configured.
    pub(crate) objects: OnceLock<Arc<dyn Objects>>,
    pub(super) moves: Semaphore,
}

impl Default for RecordingDesk {
    fn default() -> Self {
        Self { objects: OnceLock::new(), moves: Semaphore::new(MOVES_AT_ONCE) }
    }
}

impl RecordingDesk {
    /// Says where complete recordings go; the first word counts.
    pub(crate) fn move_to(&self, objects: Arc<dyn Objects>) {
        // A process has one object store.
        let _ = self.objects.set(objects);
    }
}
