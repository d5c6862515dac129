//! What stands where a backup is to be restored on PostgreSQL, by plain SQL: the schema there may be
//! of any release, or half of one.
use std::str::FromStr;

use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection, postgres::PgConnectOptions,
};
use yunling_domain::Micros;

use crate::StoreError;

/// The schemas that this product makes tables in; the job library has its own.
const SCHEMAS: [&str; 2] = ["public", "apalis"];

/// What is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occupancy {
    /// Whether any table is.
    pub has_tables: bool,
    /// The numbers of the nodes whose lease holds.
    pub live_nodes: Vec<String>,
}

/// Looks at a database.
///
/// # Errors
/// [`StoreError::Configuration`], or what stands between us and the server.
pub async fn look(url: &str, now: Micros) -> Result<Occupancy, StoreError> {
    let mut connection = connect(url).await?;
    let found = occupancy(&mut connection, now).await;
    let closed = connection.close().await;
    let found = found.map_err(|error| StoreError::from_sqlx(&error))?;
    closed.map_err(|error| StoreError::from_sqlx(&error))?;
    Ok(found)
}

async fn occupancy(connection: &mut PgConnection, now: Micros) -> Result<Occupancy, sqlx::Error> {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT table_name::text FROM information_schema.tables WHERE table_schema = ANY($1)",
    )
    .bind(SCHEMAS.map(str::to_owned).to_vec())
    .fetch_all(&mut *connection)
    .await?;
    let live_nodes = if tables.iter().any(|table| table == "node_lease") {
        sqlx::query_scalar("SELECT node::text FROM node_lease WHERE until > $1 ORDER BY node")
            .bind(now.0)
            .fetch_all(connection)
            .await?
    } else {
        Vec::new()
    };
    Ok(Occupancy { has_tables: !tables.is_empty(), live_nodes })
}

/// Drops everything that a release of this product may have made there, of whatever schema it is.
///
/// # Errors
/// As [`look`]; a user who does not own the database may not.
pub async fn clear(url: &str) -> Result<(), StoreError> {
    let mut connection = connect(url).await?;
    let mut statements = SCHEMAS.map(|schema| format!("DROP SCHEMA IF EXISTS {schema} CASCADE"));
    statements.reverse();
    let all = format!("BEGIN; {}; CREATE SCHEMA public; COMMIT", statements.join("; "));
    let cleared = connection.execute(AssertSqlSafe(all)).await;
    let closed = connection.close().await;
    cleared.map_err(|error| StoreError::from_sqlx(&error))?;
    closed.map_err(|error| StoreError::from_sqlx(&error))
}

async fn connect(url: &str) -> Result<PgConnection, StoreError> {
    let options = PgConnectOptions::from_str(url).map_err(|error| StoreError::Configuration {
        what: format!("url: {error}"),
        expected: "postgres://user:password@host:port/database",
    })?;
    options
        .disable_statement_logging()
        .connect()
        .await
        .map_err(|error| StoreError::from_sqlx(&error))
}
