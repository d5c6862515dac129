use std::{path::PathBuf, str::FromStr, time::Duration};

use sea_orm::{DatabaseConnection, SqlxPostgresConnector, SqlxSqliteConnector};
use sqlx::{
    ConnectOptions, PgPool, SqliteConnection, SqlitePool,
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use yunling_domain::Micros;

use crate::{StoreError, Unavailability, writer::Connector};

/// How the store is opened. The defaults suit one node.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// Who brings the schema up to date.
    pub migrate: Migrate,
    /// Where a SQLite database is copied to before a migration changes it; none: nowhere.
    pub copies: Option<Copies>,
    /// Connections of the read-only pool.
    pub readers: u32,
    /// Connections of the writer on PostgreSQL; SQLite has one. More than one take up each other's
    /// rows in different orders: under load some transactions then wait a second for the server to
    /// see the deadlock, and one operation of each fails.
    pub writers: u32,
    /// Live operations that may wait; beyond, callers get [`StoreError::Overloaded`].
    pub live_queue: usize,
    /// Bulk operations that may wait.
    pub bulk_queue: usize,
    /// How long SQLite waits for another process's lock.
    pub busy_timeout_ms: u64,
    /// After this time an operation is given up and undone.
    pub operation_limit_ms: u64,
}

/// Who brings the schema up to date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Migrate {
    /// Whoever opens the store.
    Automatic,
    /// The operator, with `yunling migrate`: a schema that is behind is refused.
    Manual,
}

/// Copies that are taken before migrations.
#[derive(Debug, Clone)]
pub struct Copies {
    /// Their folder; made where it is missing.
    pub folder: PathBuf,
    /// The copy's name tells when it was taken.
    pub now: Micros,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            migrate: Migrate::Automatic,
            copies: None,
            readers: 4,
            writers: 1,
            live_queue: 8_192,
            bulk_queue: 64,
            busy_timeout_ms: 5_000,
            operation_limit_ms: 10_000,
        }
    }
}

/// Where the database is.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    Sqlite(Box<SqlitePlace>),
    Postgres(Box<PgConnectOptions>),
}

/// A SQLite file and how it is used.
#[derive(Debug, Clone)]
pub(crate) struct SqlitePlace {
    pub(crate) file: PathBuf,
    options: SqliteConnectOptions,
}

/// Statements that a connection keeps prepared: more than the crate has.
const STATEMENTS: usize = 256;
/// Bytes that the write-ahead log keeps on the disk after a checkpoint.
const LOG_BYTES: &str = "67108864";
const ACQUIRE: Duration = Duration::from_secs(10);
/// How long a PostgreSQL server may take to give a connection. A server that restarts is waited for
/// within it; one that is away for longer is told to whoever waits.
const ACQUIRE_FROM_SERVER: Duration = Duration::from_secs(3);
/// How long a statement waits for a row that another transaction has changed. Longer than
/// PostgreSQL takes to see a deadlock (1 s), shorter than an operation may last.
const LOCK_TIMEOUT_MS: u64 = 5_000;

/// How often a start tries to open a file that others are opening too.
const FIRST_TRIES: u32 = 200;
/// How long between two of these tries.
const FIRST_PAUSE: Duration = Duration::from_millis(25);

impl Place {
    /// # Errors
    /// [`StoreError::Configuration`].
    pub(crate) fn of_url(url: &str, options: &OpenOptions) -> Result<Self, StoreError> {
        if url.starts_with("sqlite:") {
            Ok(Self::Sqlite(Box::new(SqlitePlace::of_url(url, options)?)))
        } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            let options =
                PgConnectOptions::from_str(url).map_err(|error| StoreError::Configuration {
                    what: format!("url: {error}"),
                    expected: "postgres://user:password@host:port/database",
                })?;
            Ok(Self::Postgres(Box::new(options.disable_statement_logging())))
        } else {
            Err(StoreError::Configuration {
                what: format!("url {url:?}"),
                expected: "sqlite://path/to/file.db or postgres://user@host/database",
            })
        }
    }
}

impl SqlitePlace {
    fn of_url(url: &str, options: &OpenOptions) -> Result<Self, StoreError> {
        let bad = |what: String| StoreError::Configuration {
            what,
            expected: "sqlite://path/to/file.db, a file",
        };
        let parsed = SqliteConnectOptions::from_str(url)
            .map_err(|error| bad(format!("url {url:?}: {error}")))?;
        let file = parsed.get_filename().to_owned();
        if url.contains(":memory:") || url.contains("mode=memory") || file.as_os_str().is_empty() {
            return Err(bad(format!("url {url:?} names no file")));
        }
        let options = parsed
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_millis(options.busy_timeout_ms))
            .foreign_keys(true)
            .statement_cache_capacity(STATEMENTS)
            .pragma("journal_size_limit", LOG_BYTES)
            .disable_statement_logging();
        Ok(Self { file, options })
    }

    /// One connection that may write, and makes the file where it is missing.
    pub(crate) async fn writer(&self) -> Result<DatabaseConnection, StoreError> {
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .min_connections(0)
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .acquire_timeout(ACQUIRE)
            .connect_with(self.options.clone().create_if_missing(true))
            .await;
        pool.map(SqlxSqliteConnector::from_sqlx_sqlite_pool)
            .map_err(|error| StoreError::from_sqlx(&error))
    }

    /// The same for a start: of several processes that start at once, each waits until the others
    /// have switched the file to its journal mode. SQLite answers that as locked at once, whatever
    /// `busy_timeout` says.
    pub(crate) async fn first_writer(&self) -> Result<DatabaseConnection, StoreError> {
        if let Some(parent) = self.file.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            std::fs::create_dir_all(parent).map_err(|error| StoreError::Configuration {
                what: format!("url: the folder {} cannot be made: {error}", parent.display()),
                expected: "a folder that this process may write to",
            })?;
        }
        let mut left = FIRST_TRIES;
        loop {
            match self.writer().await {
                Err(StoreError::Unavailable { reason: Unavailability::Locked, .. }) if left > 0 => {
                    left -= 1;
                    tokio::time::sleep(FIRST_PAUSE).await;
                }
                other => return other,
            }
        }
    }

    /// One connection to a file that is there, for work beside the writer.
    pub(crate) async fn visitor(&self) -> Result<SqliteConnection, StoreError> {
        let options = self.options.clone().create_if_missing(false);
        options.connect().await.map_err(|error| StoreError::from_sqlx(&error))
    }

    pub(crate) async fn readers(&self, connections: u32) -> Result<DatabaseConnection, StoreError> {
        let pool = SqlitePoolOptions::new()
            .max_connections(connections.max(1))
            .idle_timeout(None)
            .max_lifetime(None)
            .test_before_acquire(false)
            .acquire_timeout(ACQUIRE)
            .connect_with(self.options.clone().read_only(true).pragma("query_only", "ON"))
            .await;
        pool.map(SqlxSqliteConnector::from_sqlx_sqlite_pool)
            .map_err(|error| StoreError::from_sqlx(&error))
    }

    /// A pool for the job library, which brings statements of its own. It writes beside the writer,
    /// so its transactions must stay short.
    pub(crate) fn jobs(&self) -> SqlitePool {
        SqlitePoolOptions::new()
            .max_connections(4)
            .acquire_timeout(ACQUIRE)
            .after_release(|connection, _| Box::pin(give_up_transaction(connection)))
            .connect_lazy_with(self.options.clone())
    }

    pub(crate) fn connector(&self) -> Connector {
        let place = self.clone();
        Connector::new(move || {
            let place = place.clone();
            Box::pin(async move { place.writer().await })
        })
    }
}

/// Whether a connection that comes back may be used again. One that is still in a transaction (its
/// commit failed, on a full disk for one) would hold the database's only write lock for ever: the
/// transaction is given up, and the connection with it.
async fn give_up_transaction(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    let was_open = sqlx::query("ROLLBACK").execute(connection).await.is_ok();
    if was_open {
        tracing::warn!("a job's transaction was still open and was given up");
    }
    Ok(!was_open)
}

/// What a connection to PostgreSQL is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// The writer, or the job library. The limit is an operation's, milliseconds.
    Write { limit_ms: u64 },
    /// The readers, under the same limit.
    Read { limit_ms: u64 },
    /// A migration, which takes as long as it takes.
    Migrate,
}

/// The server keeps these limits by itself: a process that is stopped in mid-transaction, or whose
/// machine is gone, must not keep its rows from the others.
fn limited(server: &PgConnectOptions, purpose: Use) -> PgConnectOptions {
    let options = server.clone().application_name("yunling");
    let limits = |limit_ms: u64| {
        [
            ("statement_timeout", limit_ms.to_string()),
            ("lock_timeout", LOCK_TIMEOUT_MS.min(limit_ms).to_string()),
            ("idle_in_transaction_session_timeout", (2 * limit_ms).to_string()),
        ]
    };
    match purpose {
        Use::Write { limit_ms } => options.options(limits(limit_ms)),
        Use::Read { limit_ms } => {
            options.options(limits(limit_ms)).options([("default_transaction_read_only", "on")])
        }
        Use::Migrate => options,
    }
}

/// A pool on PostgreSQL.
pub(crate) async fn postgres(
    server: &PgConnectOptions,
    connections: u32,
    purpose: Use,
) -> Result<DatabaseConnection, StoreError> {
    let pool: Result<PgPool, sqlx::Error> = PgPoolOptions::new()
        .max_connections(connections.max(1))
        .acquire_timeout(ACQUIRE_FROM_SERVER)
        .connect_with(limited(server, purpose))
        .await;
    pool.map(SqlxPostgresConnector::from_sqlx_postgres_pool)
        .map_err(|error| StoreError::from_sqlx(&error))
}

/// A pool for the job library, beside the writer.
pub(crate) fn postgres_jobs(server: &PgConnectOptions, limit_ms: u64) -> PgPool {
    PgPoolOptions::new()
        .max_connections(4)
        .acquire_timeout(ACQUIRE_FROM_SERVER)
        .connect_lazy_with(limited(server, Use::Write { limit_ms }))
}

/// One connection of a PostgreSQL writer, which finds out by itself when it is lost.
pub(crate) fn postgres_connector(server: &PgConnectOptions, limit_ms: u64) -> Connector {
    let options = limited(server, Use::Write { limit_ms });
    Connector::new(move || {
        let options = options.clone();
        Box::pin(async move {
            let pool = PgPoolOptions::new()
                .max_connections(1)
                .idle_timeout(None)
                .max_lifetime(None)
                .test_before_acquire(false)
                .acquire_timeout(ACQUIRE_FROM_SERVER)
                .connect_with(options)
                .await;
            pool.map(SqlxPostgresConnector::from_sqlx_postgres_pool)
                .map_err(|error| StoreError::from_sqlx(&error))
        })
    })
}
