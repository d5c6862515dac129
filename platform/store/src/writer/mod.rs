//! The one writer: operations from everywhere are queued, carried out many to a transaction, and
//! answered after its commit. One sync of the disk then serves up to 256 operations.

mod batch;
mod bulk;
mod connector;
mod operation;
mod queue;
mod receipt;
mod task;

use std::{fmt, sync::Arc};

use futures_util::future::BoxFuture;
use sea_orm::DatabaseTransaction;
use tokio::sync::oneshot;

pub use bulk::{BULK_ROWS, BulkStopped};
pub(crate) use connector::Connector;
use operation::Typed;
pub(crate) use queue::Queue;
pub(crate) use task::Tasks;

use crate::StoreError;

/// Which queue an operation waits in. Live goes before bulk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lane {
    /// What a caller, a call or a callback waits for.
    Live,
    /// What may take its time: one operation a turn, of at most [`BULK_ROWS`] rows.
    Bulk,
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Live => "live",
            Self::Bulk => "bulk",
        })
    }
}

/// Puts operations in line for the database. Cheap to clone.
#[derive(Clone)]
pub struct Writer {
    queue: Arc<Queue>,
    operation_limit_ms: u64,
}

impl Writer {
    pub(crate) fn new(queue: Arc<Queue>, operation_limit_ms: u64) -> Self {
        Self { queue, operation_limit_ms }
    }

    /// Carries out `operation` in a transaction and answers once it is committed, which on SQLite
    /// means: synced to the disk.
    ///
    /// An operation that fails is undone alone; others of the same transaction are kept. Once
    /// queued it is carried out even if the caller stops waiting. It may await the database only.
    ///
    /// # Errors
    /// The operation's own, or [`StoreError::Overloaded`] at once where the lane is full, or
    /// [`StoreError::Full`] or [`StoreError::Unavailable`] where the commit failed. A commit on
    /// PostgreSQL whose answer was lost is looked up before anybody is told, for a minute; only
    /// after that [`Unavailability::Unsettled`](crate::Unavailability::Unsettled) says that it is
    /// not known.
    pub async fn write<T, F>(&self, lane: Lane, operation: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t DatabaseTransaction) -> BoxFuture<'t, Result<T, StoreError>>
            + Send
            + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.queue.push(lane, Box::new(Typed::new(operation, reply, self.operation_limit_ms)))?;
        answer.await.unwrap_or(Err(StoreError::Closed))
    }

    /// As [`write`](Self::write), for facts that must not be dropped: where the lane is full, waits
    /// for room.
    ///
    /// # Errors
    /// As [`write`](Self::write), but never [`StoreError::Overloaded`].
    pub async fn write_patiently<T, F>(&self, lane: Lane, operation: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t DatabaseTransaction) -> BoxFuture<'t, Result<T, StoreError>>
            + Send
            + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.queue
            .push_patiently(lane, Box::new(Typed::new(operation, reply, self.operation_limit_ms)))
            .await?;
        answer.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Operations that wait in a lane, for the metrics.
    pub fn waiting(&self, lane: Lane) -> usize {
        self.queue.waiting(lane)
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer")
            .field("live", &self.waiting(Lane::Live))
            .field("bulk", &self.waiting(Lane::Bulk))
            .finish_non_exhaustive()
    }
}
