use crate::Refusal;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use yunling_domain::error_code::OVERLOADED;

/// Batches that are taken in at the same time. One of the largest takes some 30 MB of memory while
/// it is read and written.
const MOST_HELD: usize = 4;
/// How soon somebody whose batch was refused may try again, seconds.
const RETRY_S: u32 = 2;

/// Room for batches on their way in; one more than fits is refused.
#[derive(Debug)]
pub struct BatchRoom(Arc<Semaphore>);

/// A place for one batch, from its first byte until it is stored.
#[derive(Debug)]
pub struct BatchPlace(#[expect(dead_code, reason = "held for its end")] OwnedSemaphorePermit);

impl Default for BatchRoom {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MOST_HELD)))
    }
}

impl BatchRoom {
    /// A place for one more batch.
    ///
    /// # Errors
    /// `OVERLOADED` with a time to try again, where every place is taken.
    pub fn enter(&self) -> Result<BatchPlace, Refusal> {
        Arc::clone(&self.0).try_acquire_owned().map(BatchPlace).map_err(|_| {
            Refusal::new(OVERLOADED)
                .with_detail(format!("{MOST_HELD} batches are being taken in already"))
                .retry_after(RETRY_S)
        })
    }
}
