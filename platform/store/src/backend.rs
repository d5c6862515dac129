//! What differs between the databases.
use std::time::Duration;

use sea_orm::{DbBackend, SqliteTransactionMode, Statement, TransactionOptions, Value};

use crate::{StoreError, Unavailability};

/// Longer than the server lets a statement take: reached only where the server, or the way to it, is
/// silently gone.
const READ_LIMIT: Duration = Duration::from_secs(12);

/// A read that a loop goes round with: one whose answer never comes must not stop the loop. (The
/// driver sets no keep-alive, so a connection to a machine that vanished may wait for ever.)
pub(crate) async fn in_time<T>(
    read: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    tokio::time::timeout(READ_LIMIT, read).await.unwrap_or_else(|_| {
        let detail = format!("a read was not answered within {} s", READ_LIMIT.as_secs());
        Err(StoreError::unavailable(Unavailability::NoConnection, detail))
    })
}

/// How every write transaction begins: on SQLite IMMEDIATE, because a deferred transaction that
/// reads before it writes fails at once when another process has written in between.
pub(crate) fn write_transaction() -> TransactionOptions {
    TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    }
}

/// A statement written with `?` for each parameter, which PostgreSQL numbers. The text must have
/// no other question mark.
pub(crate) fn statement(backend: DbBackend, sql: &str, values: Vec<Value>) -> Statement {
    if backend != DbBackend::Postgres {
        return Statement::from_sql_and_values(backend, sql, values);
    }
    let mut numbered = String::with_capacity(sql.len() + values.len());
    for (index, part) in sql.split('?').enumerate() {
        if index > 0 {
            numbered.push_str(&format!("${index}"));
        }
        numbered.push_str(part);
    }
    Statement::from_sql_and_values(backend, numbered, values)
}

/// The condition that `column` is among the rows that `select` picks. On PostgreSQL the rows are
/// picked once, before anything else: a subquery that skips locked rows may otherwise be run again
/// and again within one statement, and pick others each time.
pub(crate) fn among(backend: DbBackend, column: &str, select: &str) -> String {
    match backend {
        DbBackend::Postgres => {
            format!("{column} = ANY (ARRAY({select} FOR UPDATE SKIP LOCKED))")
        }
        _ => format!("{column} IN ({select})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_numbered_for_postgresql_only() {
        let sql = "SELECT 1 WHERE a = ? AND b = ?";
        let values = || vec![Value::from(1), Value::from(2)];
        assert_eq!(statement(DbBackend::Sqlite, sql, values()).sql, sql);
        assert_eq!(
            statement(DbBackend::Postgres, sql, values()).sql,
            "SELECT 1 WHERE a = $1 AND b = $2"
        );
    }
}
