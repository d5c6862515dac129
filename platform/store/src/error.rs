use sea_orm::{DbErr, RuntimeErr, SqlErr, sqlx};
use yunling_domain::Fault;

use crate::Lane;

/// Why the store did not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The disk, or the database's allowed size, is full. Nothing of the operation was kept.
    #[error("the database has no room left: {0}")]
    Full(String),
    /// The database cannot be reached, read or written at the moment. Nothing of the operation was
    /// kept, except perhaps where the reason is [`Unavailability::Unsettled`].
    #[error("the database is unavailable ({reason}): {detail}")]
    Unavailable {
        /// What stands in the way.
        reason: Unavailability,
        /// The database's own words.
        detail: String,
    },
    /// So many operations wait already that this one was not taken. Nothing of it was done.
    #[error("{capacity} {lane} operations wait for the database already")]
    Overloaded {
        /// Whose queue is full.
        lane: Lane,
        /// How many it holds.
        capacity: usize,
    },
    /// The row is there already, or is not in the state that the operation needs.
    #[error("conflict: {0}")]
    Conflict(String),
    /// The account has no such row.
    #[error("no such {0}")]
    NotFound(&'static str),
    /// A page's cursor is none of ours: the caller's fault.
    #[error("cursor: expected the `nextCursor` of an earlier page, unchanged")]
    BadCursor,
    /// The schema cannot be used by this release.
    #[error("schema: {0}")]
    Schema(String),
    /// A setting cannot be used.
    #[error("database: {what}: expected {expected}")]
    Configuration {
        /// The setting and its value.
        what: String,
        /// What would do.
        expected: &'static str,
    },
    /// Another process runs under this node number.
    #[error("node {node} is taken: {detail}; give this process another `node`, or stop the other")]
    NodeTaken {
        /// The number.
        node: String,
        /// By whom.
        detail: String,
    },
    /// A stored row cannot be understood: a defect, or an outside hand.
    #[error("{table}: cannot understand {what}")]
    Undecodable {
        /// Where it is.
        table: &'static str,
        /// What is wrong with it.
        what: String,
    },
    /// An operation panicked; nothing of it was kept, others were not touched.
    #[error("a database operation panicked: {0}")]
    Panicked(String),
    /// An operation took longer than [`OpenOptions::operation_limit_ms`](crate::OpenOptions);
    /// nothing of it was kept.
    #[error("a database operation was given up after {limit_ms} ms")]
    TooSlow {
        /// The limit.
        limit_ms: u64,
    },
    /// The store is closing; the operation was not taken.
    #[error("the store is closed")]
    Closed,
    /// A statement that the database refuses: a defect of ours.
    #[error("the database refused a statement: {0}")]
    Statement(String),
}

/// What stands between us and the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Unavailability {
    /// Another process holds the write lock longer than we wait.
    #[error("locked by another process")]
    Locked,
    /// The file, the file system or the server's session is read-only.
    #[error("read-only")]
    ReadOnly,
    /// Reading or writing the file failed.
    #[error("input/output failure")]
    Io,
    /// The file cannot be opened.
    #[error("cannot be opened")]
    CannotOpen,
    /// The file is no database, or a damaged one.
    #[error("damaged")]
    Damaged,
    /// The connection was refused, lost, or not given in time.
    #[error("no connection")]
    NoConnection,
    /// A transaction was undone by its own earlier failure, or in favour of another one.
    #[error("transaction undone")]
    Undone,
    /// The connection was lost during a commit, and the server was away for too long to be asked
    /// what became of it. Whoever wrote looks it up by its key, or writes again.
    #[error("outcome of a commit not known")]
    Unsettled,
}

impl StoreError {
    /// Whose fault it is: the caller's where what it named is not there or stands in the way,
    /// else the platform's.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Conflict(_) | Self::NotFound(_) | Self::BadCursor => Fault::Client,
            Self::Full(_)
            | Self::Unavailable { .. }
            | Self::Overloaded { .. }
            | Self::Schema(_)
            | Self::Configuration { .. }
            | Self::NodeTaken { .. }
            | Self::Undecodable { .. }
            | Self::Panicked(_)
            | Self::TooSlow { .. }
            | Self::Closed
            | Self::Statement(_) => Fault::Platform,
        }
    }

    /// Whether the same operation may succeed later with nothing else changed.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Full(_)
                | Self::Unavailable { .. }
                | Self::Overloaded { .. }
                | Self::TooSlow { .. }
        )
    }

    pub(crate) fn unavailable(reason: Unavailability, detail: impl ToString) -> Self {
        Self::Unavailable { reason, detail: detail.to_string() }
    }

    /// Reads a driver's failure.
    pub(crate) fn from_sqlx(error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(database) => {
                let code = database.code().unwrap_or_default();
                if database.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some() {
                    of_sqlite(code.parse().unwrap_or_default(), database.message())
                } else {
                    of_postgres(&code, database.message())
                }
            }
            sqlx::Error::RowNotFound => Self::NotFound("row"),
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => Self::unavailable(Unavailability::NoConnection, error),
            sqlx::Error::BeginFailed => Self::unavailable(Unavailability::Undone, error),
            _ => Self::Statement(error.to_string()),
        }
    }
}

impl From<DbErr> for StoreError {
    fn from(error: DbErr) -> Self {
        if let Some(
            SqlErr::UniqueConstraintViolation(what) | SqlErr::ForeignKeyConstraintViolation(what),
        ) = error.sql_err()
        {
            return Self::Conflict(what);
        }
        match &error {
            DbErr::Conn(RuntimeErr::SqlxError(cause))
            | DbErr::Exec(RuntimeErr::SqlxError(cause))
            | DbErr::Query(RuntimeErr::SqlxError(cause)) => Self::from_sqlx(cause),
            DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => {
                Self::unavailable(Unavailability::NoConnection, error)
            }
            DbErr::RecordNotFound(_) | DbErr::RecordNotUpdated => Self::NotFound("row"),
            DbErr::RecordNotInserted => Self::Conflict("the row is there already".to_owned()),
            DbErr::Migration(what) | DbErr::Custom(what) => Self::Schema(what.clone()),
            _ => Self::Statement(error.to_string()),
        }
    }
}

/// SQLite's extended result codes (sqlite.org/rescode.html); the low byte is the family.
fn of_sqlite(code: u32, message: &str) -> StoreError {
    let reason = match code & 0xFF {
        13 => return StoreError::Full(message.to_owned()),
        5 | 6 => Unavailability::Locked,
        8 => Unavailability::ReadOnly,
        7 | 10 => Unavailability::Io,
        14 => Unavailability::CannotOpen,
        11 | 26 => Unavailability::Damaged,
        4 | 9 => Unavailability::Undone,
        19 => return StoreError::Conflict(message.to_owned()),
        _ => return StoreError::Statement(message.to_owned()),
    };
    StoreError::unavailable(reason, message)
}

/// PostgreSQL's SQLSTATE classes (its manual, appendix A).
fn of_postgres(code: &str, message: &str) -> StoreError {
    let reason = match code {
        "53100" => return StoreError::Full(message.to_owned()),
        "25006" => Unavailability::ReadOnly,
        "55P03" => Unavailability::Locked,
        // Ours took longer than it may, or an operator cancelled it: the connection is whole.
        "57014" => Unavailability::Undone,
        _ => match code.get(..2).unwrap_or_default() {
            "08" | "57" | "53" | "28" => Unavailability::NoConnection,
            "40" | "25" => Unavailability::Undone,
            "58" => Unavailability::Io,
            "XX" => Unavailability::Damaged,
            "23" => return StoreError::Conflict(message.to_owned()),
            _ => return StoreError::Statement(message.to_owned()),
        },
    };
    StoreError::unavailable(reason, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_databases_codes_are_understood() {
        let sqlite: &[(u32, Option<Unavailability>)] = &[
            (5, Some(Unavailability::Locked)),
            (261, Some(Unavailability::Locked)), // BUSY_RECOVERY
            (1032, Some(Unavailability::ReadOnly)), // READONLY_DBMOVED
            (4874, Some(Unavailability::Io)),    // IOERR_SHMSIZE
            (14, Some(Unavailability::CannotOpen)),
            (26, Some(Unavailability::Damaged)),
            (1, None),
        ];
        for (code, expected) in sqlite {
            let found = match of_sqlite(*code, "m") {
                StoreError::Unavailable { reason, .. } => Some(reason),
                _ => None,
            };
            assert_eq!(found, *expected, "{code}");
        }
        assert!(matches!(of_sqlite(13, "m"), StoreError::Full(_)));
        assert!(matches!(of_postgres("53100", "m"), StoreError::Full(_)));
        assert!(matches!(
            of_postgres("57P01", "m"),
            StoreError::Unavailable { reason: Unavailability::NoConnection, .. }
        ));
        assert!(matches!(
            of_postgres("40P01", "m"),
            StoreError::Unavailable { reason: Unavailability::Undone, .. }
        ));
        assert!(matches!(of_postgres("42601", "m"), StoreError::Statement(_)));
    }
}
