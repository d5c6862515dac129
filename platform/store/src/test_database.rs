//! Databases for the tests of every room: only this one talks to servers.
//!
//! `YUNLING_TEST_DATABASE` holds the address of a PostgreSQL server on which databases may be made;
//! without it tests run on SQLite. So one test runs on both, and names neither.
use std::path::Path;

use aws_lc_rs::rand;
use sqlx::{ConnectOptions, Connection, Executor, PgConnection, postgres::PgConnectOptions};

/// Names the server.
pub const VARIABLE: &str = "YUNLING_TEST_DATABASE";

/// The address of a database that nobody has used: a file in `folder`, or one on the server. It is
/// thrown away with the folder, or with the server.
///
/// # Panics
/// The server cannot be used: a test cannot go on then.
pub async fn fresh(folder: &Path) -> String {
    match std::env::var(VARIABLE) {
        Ok(server) => fresh_on(&server).await,
        Err(_) => format!("sqlite://{}", folder.join("yunling.db").display()),
    }
}

/// The address of a fresh database on this server, `postgres://user@host:port/…`.
///
/// # Panics
/// The server cannot be used.
pub async fn fresh_on(server: &str) -> String {
    let mut bytes = [0; 8];
    rand::fill(&mut bytes).expect("the operating system gives random bytes");
    let name = format!("test_{}", hex::encode(bytes));
    let options: PgConnectOptions = server.parse().expect("the server's address is a URL");
    let mut connection: PgConnection =
        options.connect().await.expect("the tests' database server answers");
    connection
        .execute(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}")))
        .await
        .expect("a database can be made on the tests' server");
    connection.close().await.expect("the tests' database server answers");
    let (base, _) = server.rsplit_once('/').expect("the server's address names a database");
    format!("{base}/{name}")
}
