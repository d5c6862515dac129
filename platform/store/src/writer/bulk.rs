use futures_util::future::BoxFuture;
use sea_orm::DatabaseTransaction;

use super::{Lane, Writer};
use crate::StoreError;

/// Rows of one bulk turn at most: a live operation behind it then waits some 20 ms and not the
/// 600 ms that were measured behind turns of 10,000.
pub const BULK_ROWS: usize = 500;

/// A bulk write that came to a stop: the turns before are kept.
#[derive(Debug, Clone, thiserror::Error)]
#[error("stopped after {written} rows: {error}")]
pub struct BulkStopped {
    /// Rows that are committed, from the first on: the rest may be written again from here.
    pub written: usize,
    /// Why it stopped.
    #[source]
    pub error: StoreError,
}

impl Writer {
    /// Writes any number of rows, in their order, in bulk turns of at most [`BULK_ROWS`]; each turn
    /// is committed for itself. Waits for room where the lane is full.
    ///
    /// # Errors
    /// [`BulkStopped`] at the first turn that fails.
    pub async fn write_rows<R, F>(&self, rows: Vec<R>, turn: F) -> Result<(), BulkStopped>
    where
        R: Send + 'static,
        F: for<'t> Fn(&'t DatabaseTransaction, Vec<R>) -> BoxFuture<'t, Result<(), StoreError>>
            + Clone
            + Send
            + 'static,
    {
        let mut written = 0;
        let mut rest = rows.into_iter();
        loop {
            let some: Vec<R> = rest.by_ref().take(BULK_ROWS).collect();
            if some.is_empty() {
                return Ok(());
            }
            let count = some.len();
            let turn = turn.clone();
            self.write_patiently(Lane::Bulk, move |tx| turn(tx, some))
                .await
                .map_err(|error| BulkStopped { written, error })?;
            written += count;
        }
    }
}
