use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend};
use sqlx::SqlitePool;
use tokio::sync::Mutex;

use crate::{
    Lane, OpenOptions, StoreError, Writer, migration,
    open::{self, Access, Place},
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
    sqlite: Option<Sqlite>,
}

struct Sqlite {
    file: PathBuf,
    jobs: SqlitePool,
}

impl Store {
    /// Opens `sqlite://path` or `postgres://…`: makes what is missing, migrates under a lock, and
    /// starts the writer on the current tokio runtime.
    ///
    /// # Errors
    /// [`StoreError::Configuration`], [`StoreError::Unavailable`], or [`StoreError::Schema`] where a
    /// newer release has written to it.
    pub async fn open(url: &str, options: OpenOptions) -> Result<Self, StoreError> {
        let queue = Arc::new(Queue::new(options.live_queue, options.bulk_queue));
        let (reader, connectors, sqlite) = match Place::of_url(url, &options)? {
            Place::Sqlite(place) => {
                let first = place.first_writer().await?;
                migration::run(&first).await?;
                // Readers can only open a database in WAL mode while a writer has it open.
                let reader = place.readers(options.readers).await?;
                let sqlite = Sqlite { jobs: place.jobs(), file: place.file.clone() };
                first.close().await?;
                (reader, vec![place.connector()], Some(sqlite))
            }
            Place::Postgres(server) => {
                let first = open::postgres(&server, 1, Access::Write).await?;
                migration::run(&first).await?;
                first.close().await?;
                let reader = open::postgres(&server, options.readers, Access::ReadOnly).await?;
                let connectors = (0..options.writers.max(1))
                    .map(|_| open::postgres_connector(&server))
                    .collect();
                (reader, connectors, None)
            }
        };
        let tasks = Tasks::start(&queue, connectors);
        let store = Self {
            inner: Arc::new(Inner {
                reader,
                writer: Writer::new(queue, options.operation_limit_ms),
                tasks: Mutex::new(tasks),
                sqlite,
            }),
        };
        store.analyze().await?;
        Ok(store)
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

    /// Refreshes the planner's statistics. To be repeated from time to time: without them SQLite
    /// scans tables that it has an index for.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn analyze(&self) -> Result<(), StoreError> {
        self.writer()
            .write(Lane::Bulk, |tx| {
                Box::pin(async move {
                    if tx.get_database_backend() == DbBackend::Sqlite {
                        // Looks at this many rows of an index at most: milliseconds on any size.
                        tx.execute_unprepared("PRAGMA analysis_limit = 1000").await?;
                    }
                    tx.execute_unprepared("ANALYZE").await?;
                    Ok(())
                })
            })
            .await
    }

    /// For the job library, on SQLite.
    pub fn sqlite_pool(&self) -> Option<SqlitePool> {
        self.inner.sqlite.as_ref().map(|sqlite| sqlite.jobs.clone())
    }

    /// The database's file, on SQLite.
    pub fn sqlite_file(&self) -> Option<&Path> {
        self.inner.sqlite.as_ref().map(|sqlite| sqlite.file.as_path())
    }

    /// Carries out what is queued, commits it and closes every connection. Further writes, of other
    /// clones too, are refused as [`StoreError::Closed`].
    ///
    /// # Errors
    /// A connection that does not close; everything acknowledged is safe all the same.
    pub async fn close(self) -> Result<(), StoreError> {
        self.inner.tasks.lock().await.close().await;
        if let Some(sqlite) = &self.inner.sqlite {
            sqlite.jobs.close().await;
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
