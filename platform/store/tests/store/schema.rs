//! Opening, migrating, and the ways that both are refused.
use yunling_store::{Copies, Migrate, OpenOptions, Store, StoreError, backup, test_database};

use crate::{
    database::{TestDatabase, execute, number},
    rows::NOON,
};

#[tokio::test]
async fn opening_twice_migrates_once() {
    let database = TestDatabase::fresh().await;
    let again = Store::open(&database.url, OpenOptions::default()).await.unwrap();
    let state = Store::schema(&database.url).await.unwrap();
    assert!(state.pending.is_empty(), "{state:?}");
    let history = number(&again, "SELECT COUNT(*) FROM seaql_migrations").await;
    assert_eq!(history, i64::try_from(state.applied.len()).unwrap());
    again.ping_writable().await.unwrap();
}

#[tokio::test]
async fn of_many_that_start_at_once_one_migrates() {
    let folder = tempfile::tempdir().unwrap();
    let url = test_database::fresh(folder.path()).await;
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
    let database = TestDatabase::fresh().await;
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
    let database = TestDatabase::fresh().await;
    database.store.analyze().await.unwrap();
}

/// The newest migration as if it had not been applied; applied once more it fails, because its
/// tables are there.
async fn forget_the_newest(database: &TestDatabase) -> String {
    let newest = Store::schema(&database.url).await.unwrap().applied.pop().unwrap();
    let sql = format!("DELETE FROM seaql_migrations WHERE version = '{newest}'");
    execute(&database.store, &sql).await.unwrap();
    newest
}

#[tokio::test]
async fn a_schema_that_is_behind_is_left_to_the_operator() {
    let database = TestDatabase::fresh().await;
    let manual = OpenOptions { migrate: Migrate::Manual, ..OpenOptions::default() };
    Store::open(&database.url, manual.clone()).await.unwrap().close().await.unwrap();
    let newest = forget_the_newest(&database).await;
    assert_eq!(Store::schema(&database.url).await.unwrap().pending, std::slice::from_ref(&newest));
    let error = Store::open(&database.url, manual).await.unwrap_err();
    assert!(
        matches!(&error, StoreError::Schema(what)
            if what.contains(&newest) && what.contains("yunling migrate")),
        "{error:?}"
    );
}

#[tokio::test]
async fn looking_at_a_schema_makes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("made/yunling.db");
    let state = Store::schema(&format!("sqlite://{}", file.display())).await.unwrap();
    assert!(state.applied.is_empty() && !state.pending.is_empty());
    assert!(!folder.path().join("made").exists());
}

#[tokio::test]
async fn a_copy_is_taken_before_a_migration_and_three_are_kept() {
    let database = TestDatabase::sqlite(OpenOptions::default()).await;
    execute(&database.store, "UPDATE meta SET value = 41 WHERE key = 'ping'").await.unwrap();
    let newest = forget_the_newest(&database).await;
    let folder = database.folder().join("backups");
    let with_copies = |n: i64| OpenOptions {
        copies: Some(Copies { folder: folder.clone(), now: NOON.plus_ms(n) }),
        ..OpenOptions::default()
    };
    for n in 0..5 {
        // The migration fails; what there was is safe.
        Store::open(&database.url, with_copies(n)).await.unwrap_err();
    }
    let mut copies: Vec<_> =
        std::fs::read_dir(&folder).unwrap().map(|f| f.unwrap().path()).collect();
    copies.sort();
    assert_eq!(copies.len(), 3, "{copies:?}");
    assert!(copies[0].to_str().unwrap().contains(&newest), "{copies:?}");
    let state = backup::check_sqlite(&copies[2]).await.unwrap();
    assert_eq!(state.pending, [newest]);
}

#[tokio::test]
async fn without_room_for_the_copy_nothing_is_migrated() {
    let database = TestDatabase::sqlite(OpenOptions::default()).await;
    let newest = forget_the_newest(&database).await;
    let file = database.folder().join("no-folder");
    std::fs::write(&file, "").unwrap();
    let copies = Some(Copies { folder: file, now: NOON });
    let options = OpenOptions { copies, ..OpenOptions::default() };
    let error = Store::open(&database.url, options).await.unwrap_err().to_string();
    assert!(error.contains("database.copy_before_migration: false"), "{error}");
    assert!(error.contains("nothing was changed"), "{error}");
    assert_eq!(Store::schema(&database.url).await.unwrap().pending, [newest]);
}

/// A copy is one moment's, however much is written meanwhile; and it keeps nobody from writing.
#[tokio::test]
async fn a_copy_of_a_database_in_use_is_consistent() {
    let database = TestDatabase::sqlite(OpenOptions::default()).await;
    let store = database.store.clone();
    execute(&store, "CREATE TABLE pair (n BIGINT PRIMARY KEY, twice BIGINT)").await.unwrap();
    let writing = tokio::spawn(async move {
        let mut n: i64 = 0;
        loop {
            execute(&store, &format!("INSERT INTO pair VALUES ({n}, 2 * {n})")).await.unwrap();
            n += 1;
        }
    });
    while number(&database.store, "SELECT COUNT(*) FROM pair").await < 50 {
        tokio::task::yield_now().await;
    }
    let copy = database.folder().join("copy.db");
    backup::copy_sqlite(&database.url, &copy).await.unwrap();
    let before = number(&database.store, "SELECT COUNT(*) FROM pair").await;
    while number(&database.store, "SELECT COUNT(*) FROM pair").await <= before {
        tokio::task::yield_now().await;
    }
    writing.abort();
    let url = format!("sqlite://{}", copy.display());
    let copied = Store::open(&url, OpenOptions::default()).await.unwrap();
    let rows = number(&copied, "SELECT COUNT(*) FROM pair").await;
    assert!((50..=before).contains(&rows), "{rows} of {before}");
    assert_eq!(number(&copied, "SELECT MAX(n) FROM pair").await, rows - 1, "no row is missing");
}
