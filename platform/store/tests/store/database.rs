//! Databases for tests.
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, Statement};
use tempfile::TempDir;
use yunling_store::{OpenOptions, Store, StoreError};

/// A database of its own, gone with this value (on PostgreSQL, when the server is thrown away).
pub(crate) struct TestDatabase {
    pub(crate) url: String,
    pub(crate) store: Store,
    _folder: Option<TempDir>,
}

impl TestDatabase {
    /// SQLite, for what only SQLite has.
    pub(crate) async fn sqlite(options: OpenOptions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/made/yunling.db", folder.path().display());
        let store = Store::open(&url, options).await.unwrap();
        Self { url, store, _folder: Some(folder) }
    }

    /// One of each kind that is at hand.
    pub(crate) async fn each() -> Vec<Self> {
        let mut all = vec![Self::sqlite(OpenOptions::default()).await];
        if let Ok(server) = std::env::var("YUNLING_TEST_POSTGRES") {
            all.push(Self::postgres(&server).await);
        }
        all
    }

    async fn postgres(server: &str) -> Self {
        let random = tempfile::tempdir().unwrap();
        let name: String = format!("yunling_{}", random.path().display())
            .to_lowercase()
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
            .collect();
        let admin: DatabaseConnection = Database::connect(server).await.unwrap();
        admin.execute_unprepared(&format!("CREATE DATABASE {name}")).await.unwrap();
        let (base, _) = server.rsplit_once('/').unwrap();
        let url = format!("{base}/{name}");
        let store = Store::open(&url, OpenOptions::default()).await.unwrap();
        Self { url, store, _folder: None }
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
