//! Opening, migrating, and the ways that both are refused.
use yunling_store::{OpenOptions, Store, StoreError};

use crate::database::{TestDatabase, execute, number};

#[tokio::test]
async fn opening_twice_migrates_once() {
    for database in TestDatabase::each().await {
        let again = Store::open(&database.url, OpenOptions::default()).await.unwrap();
        assert_eq!(number(&again, "SELECT COUNT(*) FROM seaql_migrations").await, 1);
        again.ping_writable().await.unwrap();
    }
}

#[tokio::test]
async fn of_many_that_start_at_once_one_migrates() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/yunling.db", folder.path().display());
    let tasks: Vec<_> = (0..6)
        .map(|_| {
            let url = url.clone();
            tokio::spawn(async move { Store::open(&url, OpenOptions::default()).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap().ping_writable().await.unwrap();
    }
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    for database in TestDatabase::each().await {
        execute(
            &database.store,
            "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m20990101_000001_x', 0)",
        )
        .await
        .unwrap();
        let error = Store::open(&database.url, OpenOptions::default()).await.unwrap_err();
        assert!(
            matches!(&error, StoreError::Schema(what) if what.contains("m20990101_000001_x")),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn sqlite_is_set_up_to_keep_what_it_acknowledges() {
    let database = TestDatabase::sqlite(OpenOptions::default()).await;
    let store = &database.store;
    // Read on the writer's own connection, because these settings are a connection's.
    let settings = store
        .writer()
        .write(yunling_store::Lane::Live, |tx| {
            Box::pin(async move {
                use sea_orm::{ConnectionTrait, DbBackend, Statement};
                let mut found = Vec::new();
                for name in ["synchronous", "foreign_keys", "busy_timeout"] {
                    let sql = format!("PRAGMA {name}");
                    let row = tx
                        .query_one_raw(Statement::from_string(DbBackend::Sqlite, sql))
                        .await?
                        .unwrap();
                    found.push(row.try_get_by_index::<i64>(0)?);
                }
                Ok(found)
            })
        })
        .await
        .unwrap();
    // FULL is 2 (sqlite.org/pragma.html#pragma_synchronous).
    assert_eq!(settings, [2, 1, 5_000]);
    assert!(store.sqlite_file().unwrap().with_file_name("yunling.db-wal").exists());
    let jobs = store.sqlite_pool().unwrap();
    let rows: i64 =
        sqlx::query_scalar("SELECT COUNT(*) FROM request").fetch_one(&jobs).await.unwrap();
    assert_eq!(rows, 0);
}

#[tokio::test]
async fn statistics_are_gathered() {
    for database in TestDatabase::each().await {
        database.store.analyze().await.unwrap();
    }
}
