use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use sqlx::{PgPool, SqlitePool};
use tokio::sync::Mutex;
use yunling_domain::Micros;

use crate::{
    Copies, Lane, Migrate, OpenOptions, SchemaState, StoreError, Writer, backup, migration,
    open::{self, Place, SqlitePlace, Use},
    writer::{Queue, Tasks},
};

/// The open database. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    reader: DatabaseConnection,
    writer: Writer,
    tasks: Mutex<Tasks>,
    jobs: JobPool,
    /// The database's file, on SQLite.
    file: Option<PathBuf>,
}

/// A pool that the job library may use for its own statements, beside the writer.
#[derive(Debug, Clone)]
pub enum JobPool {
    /// On SQLite.
    Sqlite(SqlitePool),
    /// On PostgreSQL.
    Postgres(PgPool),
}

impl Store {
    /// Opens `sqlite://path` or `postgres://…`: makes what is missing, migrates under a lock, and
    /// starts the writer on the current tokio runtime.
    ///
    /// # Errors
    /// [`StoreError::Configuration`], [`StoreError::Unavailable`], or [`StoreError::Schema`] where a
    /// newer release has written to it, or where it is behind and [`Migrate::Manual`] leaves that to
    /// the operator.
    pub async fn open(url: &str, options: OpenOptions) -> Result<Self, StoreError> {
        let queue = Arc::new(Queue::new(options.live_queue, options.bulk_queue));
        let limit_ms = options.operation_limit_ms;
        let place = Place::of_url(url, &options)?;
        let (reader, connectors, jobs, file) = match &place {
            Place::Sqlite(place) => {
                let first = place.first_writer().await?;
                bring_up_to_date(&first, Some(place), &options).await?;
                // Readers can only open a database in WAL mode while a writer has it open.
                let reader = place.readers(options.readers).await?;
                first.close().await?;
                let jobs = JobPool::Sqlite(place.jobs());
                (reader, vec![place.connector()], jobs, Some(place.file.clone()))
            }
            Place::Postgres(server) => {
                let first = open::postgres(server, 1, Use::Migrate).await?;
                bring_up_to_date(&first, None, &options).await?;
                first.close().await?;
                let reader =
                    open::postgres(server, options.readers, Use::Read { limit_ms }).await?;
                let connectors = (0..options.writers.max(1))
                    .map(|_| open::postgres_connector(server, limit_ms))
                    .collect();
                let jobs = JobPool::Postgres(open::postgres_jobs(server, limit_ms));
                (reader, connectors, jobs, None)
            }
        };
        let step_limit = match &place {
            // A slow disk is waited for: what it has taken it has taken.
            Place::Sqlite(_) => None,
            Place::Postgres(_) => Some(Duration::from_millis(limit_ms)),
        };
        let tasks = Tasks::start(&queue, connectors, step_limit);
        let store = Self {
            inner: Arc::new(Inner {
                reader,
                writer: Writer::new(queue, limit_ms),
                tasks: Mutex::new(tasks),
                jobs,
                file,
            }),
        };
        store.analyze().await?;
        Ok(store)
    }

    /// How a database stands to this release. Makes and changes nothing.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn schema(url: &str) -> Result<SchemaState, StoreError> {
        match Place::of_url(url, &OpenOptions::default())? {
            Place::Sqlite(place) if !place.file.exists() => Ok(SchemaState::absent()),
            Place::Sqlite(place) => look(place.writer().await?).await,
            Place::Postgres(server) => look(open::postgres(&server, 1, Use::Migrate).await?).await,
        }
    }

    /// Brings the schema up to date under the lock, as [`open`](Self::open) does, and no more.
    /// Gives what it was before.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn migrate(url: &str, copies: Option<Copies>) -> Result<SchemaState, StoreError> {
        let options = OpenOptions { copies, ..OpenOptions::default() };
        let (connection, place) = match Place::of_url(url, &options)? {
            Place::Sqlite(place) => (place.first_writer().await?, Some(place)),
            Place::Postgres(server) => (open::postgres(&server, 1, Use::Migrate).await?, None),
        };
        let before = bring_up_to_date(&connection, place.as_deref(), &options).await;
        connection.close().await?;
        before
    }

    /// The read-only pool. What the writer has answered, it sees.
    pub fn reader(&self) -> &DatabaseConnection {
        &self.inner.reader
    }

    /// The writer: the only way to change anything.
    pub fn writer(&self) -> &Writer {
        &self.inner.writer
    }

    /// Whether a write reaches the disk: writes one.
    ///
    /// # Errors
    /// What stands in the way.
    pub async fn ping_writable(&self) -> Result<(), StoreError> {
        self.writer()
            .write(Lane::Live, |tx| {
                Box::pin(async move {
                    tx.execute_unprepared("UPDATE meta SET value = value + 1 WHERE key = 'ping'")
                        .await?;
                    Ok(())
                })
            })
            .await
    }

    /// The time that the database server has; none where the database is a file.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn clock(&self) -> Result<Option<Micros>, StoreError> {
        let reader = self.reader();
        if reader.get_database_backend() != DbBackend::Postgres {
            return Ok(None);
        }
        let sql = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now";
        let row = reader.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await?;
        let now: Option<i64> = row.map(|row| row.try_get("", "now")).transpose()?;
        Ok(now.map(Micros))
    }

    /// Refreshes the planner's statistics. To be repeated from time to time: without them SQLite
    /// scans tables that it has an index for.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn analyze(&self) -> Result<(), StoreError> {
        self.writer()
            .write(Lane::Bulk, |tx| {
                Box::pin(async move {
                    // PostgreSQL sees to it by itself (autovacuum).
                    if tx.get_database_backend() == DbBackend::Sqlite {
                        // Looks at this many rows of an index at most: milliseconds on any size.
                        tx.execute_unprepared("PRAGMA analysis_limit = 1000").await?;
                        tx.execute_unprepared("ANALYZE").await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    /// For the job library.
    pub fn job_pool(&self) -> &JobPool {
        &self.inner.jobs
    }

    /// The job library's pool, on SQLite.
    pub fn sqlite_pool(&self) -> Option<SqlitePool> {
        match &self.inner.jobs {
            JobPool::Sqlite(pool) => Some(pool.clone()),
            JobPool::Postgres(_) => None,
        }
    }

    /// The database's file, on SQLite.
    pub fn sqlite_file(&self) -> Option<&Path> {
        self.inner.file.as_deref()
    }

    /// Carries out what is queued, commits it and closes every connection. Further writes, of other
    /// clones too, are refused as [`StoreError::Closed`].
    ///
    /// # Errors
    /// A connection that does not close; everything acknowledged is safe all the same.
    pub async fn close(self) -> Result<(), StoreError> {
        self.inner.tasks.lock().await.close().await;
        match &self.inner.jobs {
            JobPool::Sqlite(pool) => pool.close().await,
            JobPool::Postgres(pool) => pool.close().await,
        }
        self.inner.reader.close_by_ref().await?;
        Ok(())
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("writer", &self.inner.writer).finish_non_exhaustive()
    }
}

async fn look(connection: DatabaseConnection) -> Result<SchemaState, StoreError> {
    let state = migration::state(&connection).await;
    connection.close().await?;
    state
}

/// Migrates what is behind, after a copy of what there is. Gives what it was before.
async fn bring_up_to_date(
    connection: &DatabaseConnection,
    place: Option<&SqlitePlace>,
    options: &OpenOptions,
) -> Result<SchemaState, StoreError> {
    let state = migration::state(connection).await?;
    let Some(first) = state.pending.first() else { return Ok(state) };
    if options.migrate == Migrate::Manual {
        return Err(StoreError::Schema(format!(
            "{} is still to be applied, and `database.migrate: manual` leaves that to the operator: \
             run `yunling migrate --config FILE`",
            state.pending.join(", ")
        )));
    }
    if let (Some(place), Some(copies), false) = (place, &options.copies, state.applied.is_empty()) {
        backup::before_migration(place, copies, first).await?;
    }
    migration::run(connection).await?;
    Ok(state)
}
