//! Databases for tests.
use std::path::Path;

use sea_orm::{ConnectionTrait, Statement};
use tempfile::TempDir;
use yunling_store::{OpenOptions, Store, StoreError, test_database};

/// A database of its own, gone with this value (on PostgreSQL, with the server).
pub(crate) struct TestDatabase {
    pub(crate) url: String,
    pub(crate) store: Store,
    folder: TempDir,
}

impl TestDatabase {
    /// SQLite, for what only SQLite has.
    pub(crate) async fn sqlite(options: OpenOptions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/made/yunling.db", folder.path().display());
        let store = Store::open(&url, options).await.unwrap();
        Self { url, store, folder }
    }

    /// On the server that the run of the tests gives, else SQLite.
    pub(crate) async fn fresh() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = test_database::fresh(&folder.path().join("made")).await;
        let store = Store::open(&url, OpenOptions::default()).await.unwrap();
        Self { url, store, folder }
    }

    /// A folder of its own.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// The only value of a query.
pub(crate) async fn number(store: &Store, sql: &str) -> i64 {
    let reader = store.reader();
    let statement = Statement::from_string(reader.get_database_backend(), sql);
    reader.query_one_raw(statement).await.unwrap().unwrap().try_get_by_index(0).unwrap()
}

/// Changes something by hand, in the live lane.
pub(crate) async fn execute(store: &Store, sql: &str) -> Result<u64, StoreError> {
    let sql = sql.to_owned();
    store
        .writer()
        .write(yunling_store::Lane::Live, move |tx| {
            Box::pin(async move { Ok(tx.execute_unprepared(&sql).await?.rows_affected()) })
        })
        .await
}

/// Writes in the live lane: `write!(store, |tx| requests::insert(tx, &request))`.
macro_rules! write {
    ($store:expr, |$tx:ident| $operation:expr) => {
        $store
            .writer()
            .write(yunling_store::Lane::Live, move |$tx| Box::pin(async move { $operation.await }))
            .await
    };
}
pub(crate) use write;
