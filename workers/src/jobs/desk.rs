//! What jobs work with, and how they are pushed.

use std::sync::Arc;

use apalis::prelude::{Task, TaskBuilder, TaskSink};
use apalis_sqlite::{Config, SqliteStorage};
use futures_util::stream;
use sqlx::SqlitePool;
use tokio::sync::Notify;
use yunling_app::App;
use yunling_store::StoreError;

use super::worker::Job;

/// Jobs that one worker takes at once. Its jobs are short; long ones would need a queue with 1.
const BATCH: usize = 4;

/// What jobs work with. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Desk {
    app: App,
    poked: Arc<Notify>,
    pool: SqlitePool,
}

impl Desk {
    /// # Errors
    /// [`StoreError::Configuration`] where the database is not SQLite.
    pub(crate) fn new(app: App, poked: Arc<Notify>) -> Result<Self, StoreError> {
        let pool = app.store().sqlite_pool().ok_or_else(|| StoreError::Configuration {
            what: "database.url: the role `workers` has no job storage on this database".to_owned(),
            expected: "sqlite://path/to/file.db",
        })?;
        Ok(Self { app, poked, pool })
    }

    pub(crate) fn app(&self) -> &App {
        &self.app
    }

    pub(crate) fn pool(&self) -> &SqlitePool {
        &self.pool
    }

    /// Deliveries may have become due.
    pub(crate) fn poke_deliveries(&self) {
        self.poked.notify_one();
    }

    /// The queue of one kind of job.
    pub(crate) fn storage<J: Job>(&self) -> SqliteStorage<J> {
        let config = Config::default().queue(J::QUEUE).batch_size(BATCH);
        SqliteStorage::new(&self.pool).with_config(config)
    }

    /// Pushes jobs, each with a key: of two with the same key only the first is kept, whichever
    /// node pushes it.
    ///
    /// # Errors
    /// The storage's words.
    pub(crate) async fn push<J: Job>(&self, jobs: Vec<Keyed<J>>) -> Result<(), String> {
        let tasks: Vec<Task<J>> = jobs.into_iter().map(Keyed::into_task).collect();
        let mut storage = self.storage::<J>();
        storage.push_all(stream::iter(tasks)).await.map_err(|error| error.to_string())
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
    fn into_task(self) -> Task<J> {
        // The library's own retries know no back-off.
        let task = TaskBuilder::new(self.job).idempotency_key(self.key).max_attempts(1);
        match self.run_at_s {
            Some(second) => task.run_at_timestamp(second).build(),
            None => task.build(),
        }
    }
}
