//! Diseases of the database: typed errors while they last, and no restart once they are over.
use sea_orm::ConnectionTrait;
use sqlx::{Connection, SqliteConnection};
use yunling_store::{Lane, OpenOptions, Store, StoreError, Unavailability};

use crate::database::{TestDatabase, execute, number};

/// Writes a row of 8 KiB.
async fn fill(store: &Store, n: i64) -> Result<u64, StoreError> {
    execute(store, &format!("INSERT INTO ballast VALUES ({n}, zeroblob(8192))")).await
}

async fn ballast(store: &Store) {
    execute(store, "CREATE TABLE ballast (n BIGINT PRIMARY KEY, bytes BLOB)").await.unwrap();
}

/// SQLite takes a size limit for a full disk: the same code, at a page that the test chooses.
async fn limit_pages(store: &Store, pages: i64) {
    store
        .writer()
        .write(Lane::Live, move |tx| {
            Box::pin(async move {
                tx.execute_unprepared(&format!("PRAGMA max_page_count = {pages}")).await?;
                Ok(())
            })
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn a_full_disk_is_told_and_forgotten() {
    let database = TestDatabase::sqlite(OpenOptions::default()).await;
    let store = &database.store;
    ballast(store).await;
    let pages = number(store, "SELECT page_count FROM pragma_page_count").await;
    limit_pages(store, pages + 20).await;
    let mut acknowledged = Vec::new();
    let full = loop {
        let n = i64::try_from(acknowledged.len()).unwrap();
        match fill(store, n).await {
            Ok(_) => acknowledged.push(n),
            Err(error) => break error,
        }
        assert!(n < 100, "the limit does not hold");
    };
    assert!(matches!(full, StoreError::Full(_)), "{full:?}");
    assert!(full.is_transient());
    assert!(!acknowledged.is_empty());
    limit_pages(store, 1_000_000).await;
    fill(store, 1_000).await.unwrap();
    let kept = number(store, "SELECT COUNT(*) FROM ballast WHERE n < 1000").await;
    assert_eq!(kept, i64::try_from(acknowledged.len()).unwrap());
}

#[tokio::test]
async fn on_a_full_disk_nobody_is_told_that_a_lost_write_was_kept() {
    let database = TestDatabase::sqlite(OpenOptions::default()).await;
    let store = &database.store;
    ballast(store).await;
    for round in 0..10 {
        let pages = number(store, "SELECT page_count FROM pragma_page_count").await;
        limit_pages(store, pages + 8).await;
        // Together, so that they share transactions and the failing ones take others with them.
        let tasks: Vec<_> = (0..32)
            .map(|n| {
                let (store, n) = (store.clone(), round * 100 + n);
                tokio::spawn(async move { (n, fill(&store, n).await) })
            })
            .collect();
        let mut failures = 0;
        for task in tasks {
            let (n, answer) = task.await.unwrap();
            let seen = number(store, &format!("SELECT COUNT(*) FROM ballast WHERE n = {n}")).await;
            match answer {
                Ok(_) => assert_eq!(seen, 1, "row {n} was acknowledged"),
                Err(StoreError::Full(_)) => {
                    failures += 1;
                    assert_eq!(seen, 0, "row {n} was refused");
                }
                Err(other) => panic!("{other:?}"),
            }
        }
        assert!(failures > 0, "the disk was not full");
    }
}

#[tokio::test]
async fn a_lock_of_another_process_is_waited_for_and_then_told() {
    let options = OpenOptions { busy_timeout_ms: 50, ..OpenOptions::default() };
    let database = TestDatabase::sqlite(options).await;
    let store = &database.store;
    let mut other = SqliteConnection::connect(&database.url).await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    // All who wait are told at once, not one time-out after the other.
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move { store.ping_writable().await })
        })
        .collect();
    for task in tasks {
        let refused = task.await.unwrap().unwrap_err();
        assert!(
            matches!(&refused, StoreError::Unavailable { reason: Unavailability::Locked, .. }),
            "{refused:?}"
        );
    }
    assert_eq!(number(store, "SELECT value FROM meta WHERE key = 'ping'").await, 0);
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    store.ping_writable().await.unwrap();
    assert_eq!(number(store, "SELECT value FROM meta WHERE key = 'ping'").await, 1);
}

#[tokio::test]
async fn a_lock_that_is_let_go_in_time_goes_unnoticed() {
    let database = TestDatabase::sqlite(OpenOptions::default()).await;
    let mut other = SqliteConnection::connect(&database.url).await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let store = database.store.clone();
    let ping = tokio::spawn(async move { store.ping_writable().await });
    tokio::task::yield_now().await;
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    ping.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_read_only_database_is_told_and_forgotten() {
    let database = TestDatabase::sqlite(OpenOptions::default()).await;
    let store = &database.store;
    execute(store, "PRAGMA query_only = ON").await.unwrap();
    let refused = store.ping_writable().await.unwrap_err();
    assert!(
        matches!(&refused, StoreError::Unavailable { reason: Unavailability::ReadOnly, .. }),
        "{refused:?}"
    );
    execute(store, "PRAGMA query_only = OFF").await.unwrap();
    store.ping_writable().await.unwrap();
}

#[tokio::test]
async fn the_readers_cannot_write() {
    let database = TestDatabase::fresh().await;
    let error = database
        .store
        .reader()
        .execute_unprepared("UPDATE meta SET value = 7")
        .await
        .map_err(StoreError::from)
        .unwrap_err();
    assert!(
        matches!(&error, StoreError::Unavailable { reason: Unavailability::ReadOnly, .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_file_that_is_no_database_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("yunling.db");
    std::fs::write(&file, vec![b'x'; 8_192]).unwrap();
    let url = format!("sqlite://{}", file.display());
    let error = Store::open(&url, OpenOptions::default()).await.unwrap_err();
    assert!(
        matches!(&error, StoreError::Unavailable { reason: Unavailability::Damaged, .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn an_address_that_is_none_is_told() {
    for url in ["", "mysql://host/db", "sqlite::memory:", "sqlite://?mode=memory", "postgres://:x"]
    {
        let error = Store::open(url, OpenOptions::default()).await.unwrap_err();
        assert!(matches!(&error, StoreError::Configuration { .. }), "{url}: {error:?}");
    }
}

#[tokio::test]
async fn a_job_that_leaves_its_transaction_open_does_not_keep_the_lock() {
    let options = OpenOptions { busy_timeout_ms: 200, ..OpenOptions::default() };
    let database = TestDatabase::sqlite(options).await;
    let jobs = database.store.sqlite_pool().unwrap();
    let mut job = jobs.acquire().await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut *job).await.unwrap();
    assert!(database.store.ping_writable().await.is_err(), "the job holds the lock");
    drop(job);
    // The connection is looked at in the background once it is given back.
    let let_go = async {
        while database.store.ping_writable().await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), let_go).await.unwrap();
}
