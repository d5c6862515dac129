//! The schema's history. A released migration is never edited; the next one is appended.
use sea_orm::{DatabaseConnection, DatabaseTransaction, DbBackend, TransactionTrait};
use sea_orm_migration::{MigrationTrait, MigratorTrait};

use crate::{StoreError, backend};

mod m20261124_000001_foundation;
mod table;

/// An arbitrary number that every Yunling process locks while it migrates on PostgreSQL.
const ADVISORY_LOCK: i64 = 0x0079_756E_6C69_6E67;

struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(m20261124_000001_foundation::Migration)]
    }
}

/// Brings the schema up to date, in one transaction that also is the lock: of several processes
/// that start at once, one migrates and the others find nothing left to do.
///
/// # Errors
/// [`StoreError::Schema`] where the database was migrated by a newer release.
pub(crate) async fn run(connection: &DatabaseConnection) -> Result<(), StoreError> {
    let tx = connection.begin_with_options(backend::write_transaction()).await?;
    lock(&tx).await?;
    refuse_newer(&tx).await?;
    Migrator::up(&tx, None).await?;
    tx.commit().await?;
    Ok(())
}

async fn lock(tx: &DatabaseTransaction) -> Result<(), StoreError> {
    use sea_orm::ConnectionTrait;
    // On SQLite BEGIN IMMEDIATE already holds the database's only write lock.
    if tx.get_database_backend() == DbBackend::Postgres {
        tx.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({ADVISORY_LOCK})")).await?;
    }
    Ok(())
}

async fn refuse_newer(tx: &DatabaseTransaction) -> Result<(), StoreError> {
    Migrator::install(tx).await?;
    let known: Vec<String> =
        Migrator::migrations().iter().map(|migration| migration.name().to_owned()).collect();
    for applied in Migrator::get_migration_models(tx).await? {
        if !known.contains(&applied.version) {
            return Err(StoreError::Schema(format!(
                "the database has the migration {:?}, which this release does not know: it was \
                 written by a newer release; start that one, or restore a backup",
                applied.version
            )));
        }
    }
    Ok(())
}
