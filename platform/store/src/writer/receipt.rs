//! What became of a commit whose answer never came: PostgreSQL is asked by the transaction's number.
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, Statement,
};

use crate::StoreError;

/// The number by which a server remembers a transaction. It outlives the connection, and a restart
/// of the server.
#[derive(Debug, Clone)]
pub(super) struct Receipt(String);

/// What the server says of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// All of it is kept.
    Committed,
    /// Nothing of it is.
    Undone,
    /// The connection's other end has not noticed its loss yet.
    Open,
    /// It is too long ago.
    Forgotten,
}

impl Receipt {
    /// Of a transaction that is about to be committed; none on SQLite, where a commit has answered
    /// or has not happened. Fails where the transaction is broken already, which a COMMIT would
    /// not tell.
    pub(super) async fn of(tx: &DatabaseTransaction) -> Result<Option<Self>, DbErr> {
        if tx.get_database_backend() != DbBackend::Postgres {
            return Ok(None);
        }
        let sql = "SELECT pg_current_xact_id()::text";
        let row = tx.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await?;
        let row = row.ok_or_else(|| DbErr::RecordNotFound("a transaction's number".to_owned()))?;
        Ok(Some(Self(row.try_get_by_index(0)?)))
    }

    /// Asks for it on another connection (PostgreSQL's manual, transaction ID functions).
    pub(super) async fn fate(&self, connection: &DatabaseConnection) -> Result<Fate, StoreError> {
        let statement = Statement::from_sql_and_values(
            DbBackend::Postgres,
            "SELECT pg_xact_status($1::xid8)",
            [self.0.clone().into()],
        );
        let row = connection.query_one_raw(statement).await?;
        let status: Option<String> = match row {
            Some(row) => row.try_get_by_index(0)?,
            None => None,
        };
        Ok(match status.as_deref() {
            Some("committed") => Fate::Committed,
            Some("aborted") => Fate::Undone,
            Some(_) => Fate::Open,
            None => Fate::Forgotten,
        })
    }
}
