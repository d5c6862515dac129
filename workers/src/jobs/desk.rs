//! What jobs work with, and how they are pushed.

use std::sync::Arc;

use apalis::prelude::{Task, TaskBuilder};
use tokio::sync::Notify;
use yunling_app::App;
use yunling_store::JobPool;

use super::worker::Job;
use super::{on_postgres, on_sqlite};

/// Jobs that one worker takes at once. Its jobs are short; long ones would need a queue with 1.
pub(super) const BATCH: usize = 4;

/// What jobs work with. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Desk {
    app: App,
    poked: Arc<Notify>,
}

impl Desk {
    pub(crate) fn new(app: App, poked: Arc<Notify>) -> Self {
        Self { app, poked }
    }

    pub(crate) fn app(&self) -> &App {
        &self.app
    }

    /// Where the library's tables are.
    pub(crate) fn pool(&self) -> &JobPool {
        self.app.store().job_pool()
    }

    /// Deliveries may have become due.
    pub(crate) fn poke_deliveries(&self) {
        self.poked.notify_one();
    }

    /// Pushes jobs, each with a key: of two with the same key only the first is kept, whichever
    /// node pushes it.
    ///
    /// # Errors
    /// The storage's words.
    pub(crate) async fn push<J: Job>(&self, jobs: Vec<Keyed<J>>) -> Result<(), String> {
        match self.pool() {
            JobPool::Sqlite(pool) => on_sqlite::push(pool, jobs).await,
            JobPool::Postgres(pool) => on_postgres::push(pool, jobs).await,
        }
    }
}

/// A job to be pushed.
#[derive(Debug)]
pub(crate) struct Keyed<J> {
    pub(crate) job: J,
    pub(crate) key: String,
    /// Not before this second; none: at once.
    pub(crate) run_at_s: Option<u64>,
}

impl<J> Keyed<J> {
    pub(super) fn into_task(self) -> Task<J> {
        // The library's own retries know no back-off.
        let task = TaskBuilder::new(self.job).idempotency_key(self.key).max_attempts(1);
        match self.run_at_s {
            Some(second) => task.run_at_timestamp(second).build(),
            None => task.build(),
        }
    }
}
