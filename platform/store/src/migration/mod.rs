//! The schema's history. A released migration is never edited; the next one is appended.
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, TransactionTrait,
};
use sea_orm_migration::{MigrationTrait, MigratorTrait, SchemaManager};

use crate::{StoreError, backend};

mod m20261124_000001_foundation;
mod m20261124_000002_trunk_states;
mod m20261124_000003_media_library;
mod m20261124_000005_sip_traces;
mod m20261124_000006_conversations;
mod m20261124_000007_recordings;
mod m20261124_000008_batches;
mod m20261124_000009_talk_leg_causes;
mod m20261124_000010_cdrs;
mod m20261124_000011_campaigns;
mod table;

/// An arbitrary number that every Yunling process locks while it migrates on PostgreSQL.
const ADVISORY_LOCK: i64 = 0x0079_756E_6C69_6E67;
/// Where the applied migrations are noted.
const HISTORY: &str = "seaql_migrations";

struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261124_000001_foundation::Migration),
            Box::new(m20261124_000002_trunk_states::Migration),
            Box::new(m20261124_000003_media_library::Migration),
            Box::new(m20261124_000005_sip_traces::Migration),
            Box::new(m20261124_000006_conversations::Migration),
            Box::new(m20261124_000007_recordings::Migration),
            Box::new(m20261124_000008_batches::Migration),
            Box::new(m20261124_000009_talk_leg_causes::Migration),
            Box::new(m20261124_000010_cdrs::Migration),
            Box::new(m20261124_000011_campaigns::Migration),
        ]
    }
}

/// How a database stands to this release, by the names of migrations, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SchemaState {
    /// What was applied.
    pub applied: Vec<String>,
    /// What this release would apply.
    pub pending: Vec<String>,
}

impl SchemaState {
    /// Of a database that is not there yet.
    pub(crate) fn absent() -> Self {
        Self { applied: Vec::new(), pending: known() }
    }

    /// # Errors
    /// [`StoreError::Schema`] where a migration was applied that this release does not know.
    pub fn of_history(applied: Vec<String>) -> Result<Self, StoreError> {
        let known = known();
        if let Some(newer) = applied.iter().find(|name| !known.contains(name)) {
            let newest = known.last().map_or("none", String::as_str);
            return Err(StoreError::Schema(format!(
                "the database has the migration {newer:?}, and {newest:?} is the newest that this \
                 release ({}) knows: it was written by a newer release; start that one, or restore \
                 a backup from before",
                env!("CARGO_PKG_VERSION")
            )));
        }
        let pending = known.into_iter().filter(|name| !applied.contains(name)).collect();
        Ok(Self { applied, pending })
    }
}

fn known() -> Vec<String> {
    Migrator::migrations().iter().map(|migration| migration.name().to_owned()).collect()
}

/// Looks, and changes nothing.
///
/// # Errors
/// [`StoreError::Schema`] where a newer release has migrated the database.
pub(crate) async fn state(connection: &DatabaseConnection) -> Result<SchemaState, StoreError> {
    if !SchemaManager::new(connection).has_table(HISTORY).await? {
        return Ok(SchemaState::absent());
    }
    let applied = Migrator::get_migration_models(connection).await?;
    SchemaState::of_history(applied.into_iter().map(|row| row.version).collect())
}

/// Brings the schema up to date, in one transaction that also is the lock: of several processes
/// that start at once, one migrates and the others find nothing left to do.
///
/// # Errors
/// [`StoreError::Schema`] where the database was migrated by a newer release.
pub(crate) async fn run(connection: &DatabaseConnection) -> Result<(), StoreError> {
    let tx = connection.begin_with_options(backend::write_transaction()).await?;
    lock(&tx).await?;
    Migrator::install(&tx).await?;
    let applied = Migrator::get_migration_models(&tx).await?;
    SchemaState::of_history(applied.into_iter().map(|row| row.version).collect())?;
    Migrator::up(&tx, None).await?;
    tx.commit().await?;
    Ok(())
}

async fn lock(tx: &DatabaseTransaction) -> Result<(), StoreError> {
    // On SQLite BEGIN IMMEDIATE already holds the database's only write lock.
    if tx.get_database_backend() == DbBackend::Postgres {
        tx.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({ADVISORY_LOCK})")).await?;
    }
    Ok(())
}
