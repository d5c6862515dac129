//! The job library's own tables, beside ours.

use yunling_store::{JobPool, Store, StoreError, Unavailability};

use super::{on_postgres, on_sqlite};

/// Brings them up to date, under the library's own lock.
///
/// # Errors
/// [`StoreError::Schema`] where they cannot be made.
pub async fn migrate(store: &Store) -> Result<(), StoreError> {
    let migrated = match store.job_pool() {
        JobPool::Sqlite(pool) => on_sqlite::migrate(pool).await,
        JobPool::Postgres(pool) => on_postgres::migrate(pool).await,
    };
    migrated.map_err(|error| StoreError::Schema(format!("the job library's tables: {error}")))
}

/// How many changes of them are still to be applied.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn pending(store: &Store) -> Result<usize, StoreError> {
    let pending = match store.job_pool() {
        JobPool::Sqlite(pool) => on_sqlite::pending(pool).await,
        JobPool::Postgres(pool) => on_postgres::pending(pool).await,
    };
    pending.map_err(|error| StoreError::Unavailable {
        reason: Unavailability::NoConnection,
        detail: format!("the job library's tables: {error}"),
    })
}
