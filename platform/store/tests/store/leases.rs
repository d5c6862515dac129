//! A node number belongs to one live process.
use yunling_store::{OpenOptions, Store, StoreError, lease::NodeLease};

use crate::{
    database::{TestDatabase, execute, number},
    rows::{NOON, node},
};

#[tokio::test]
async fn a_live_number_is_refused_and_a_free_one_is_given() {
    let database = TestDatabase::fresh().await;
    let store = &database.store;
    let until = NOON.plus_ms(15_000);
    let lease =
        NodeLease::claim(store, node(10_001), database.folder(), NOON, until).await.unwrap();
    let second = Store::open(&database.url, OpenOptions::default()).await.unwrap();
    let refused =
        NodeLease::claim(&second, node(10_001), database.folder(), NOON, until).await.unwrap_err();
    assert!(
        matches!(&refused, StoreError::NodeTaken { node, .. } if node == "10001"),
        "{refused:?}"
    );
    // Another number is nobody's.
    NodeLease::claim(&second, node(10_002), database.folder(), NOON, until).await.unwrap();
    lease.renew(NOON.plus_ms(30_000)).await.unwrap();
    assert_eq!(
        number(store, "SELECT until FROM node_lease WHERE node = '10001'").await,
        NOON.plus_ms(30_000).0
    );
    lease.release().await.unwrap();
    NodeLease::claim(&second, node(10_001), database.folder(), NOON, until).await.unwrap();
}

#[tokio::test]
async fn a_dead_process_leaves_its_number_free_at_once_on_its_folder() {
    let database = TestDatabase::fresh().await;
    let store = &database.store;
    let until = NOON.plus_ms(15_000);
    // Dropped and not released: the row stays, as after kill -9, and the lock file is let go.
    drop(NodeLease::claim(store, node(10_001), database.folder(), NOON, until).await.unwrap());
    assert_eq!(number(store, "SELECT COUNT(*) FROM node_lease").await, 1);
    NodeLease::claim(store, node(10_001), database.folder(), NOON, until).await.unwrap();
}

#[tokio::test]
async fn a_lease_that_was_lost_cannot_be_renewed() {
    let database = TestDatabase::fresh().await;
    let store = &database.store;
    let until = NOON.plus_ms(15_000);
    let lease =
        NodeLease::claim(store, node(10_001), database.folder(), NOON, until).await.unwrap();
    execute(store, "UPDATE node_lease SET holder = 'another'").await.unwrap();
    let lost = lease.renew(NOON.plus_ms(30_000)).await.unwrap_err();
    assert!(matches!(&lost, StoreError::NodeTaken { .. }), "{lost:?}");
}

/// To everybody else the row decides on PostgreSQL; on SQLite there is nobody else, because the
/// folder is the database's.
#[tokio::test]
async fn elsewhere_a_number_is_free_once_its_lease_has_run_out() {
    let database = TestDatabase::fresh().await;
    let store = &database.store;
    let (folder, elsewhere) = (database.folder(), tempfile::tempdir().unwrap());
    let until = NOON.plus_ms(15_000);
    drop(NodeLease::claim(store, node(10_001), folder, NOON, until).await.unwrap());
    let claim = NodeLease::claim(store, node(10_001), elsewhere.path(), NOON, until).await;
    if store.sqlite_file().is_some() {
        claim.unwrap();
        return;
    }
    let refused = claim.unwrap_err();
    assert!(matches!(&refused, StoreError::NodeTaken { .. }), "{refused:?}");
    // Refused once, it is not taken for the holder the next time.
    let again = NodeLease::claim(store, node(10_001), elsewhere.path(), NOON, until).await;
    assert!(again.is_err());
    let later = until.plus_ms(1);
    NodeLease::claim(store, node(10_001), elsewhere.path(), later, later.plus_ms(15_000))
        .await
        .unwrap();
    // Now that one is the holder, and the first folder knows nothing of it.
    let first = NodeLease::claim(store, node(10_001), folder, later, later.plus_ms(15_000)).await;
    assert!(first.is_err());
}
