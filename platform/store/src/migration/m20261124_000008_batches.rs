use sea_orm::DbBackend;
use sea_orm_migration::prelude::*;

use super::table::{NewTable, index};

/// Batches: their progress, the numbers that are still to be queued, and the latest results.
#[derive(DeriveMigrationName)]
pub(super) struct Migration;

const ID: u32 = 64;
const NUMBER: u32 = 32;
const WORD: u32 = 16;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let tables = [
            NewTable::named("batch")
                .name("request_id", ID)
                .name("account", ID)
                .name("application", ID)
                .name("state", WORD)
                .name("node", WORD)
                .name_or_null("from_number", NUMBER)
                .int("total")
                .int("duplicates")
                .int("unqueued")
                .int("answered")
                .int("unanswered")
                .int("failed")
                .int("refused")
                .int("invalid")
                .int("cancelled")
                .long("created_at")
                .long_or_null("finished_at")
                .key(&["request_id"]),
            // Only what is not queued yet: a number that is queued is an attempt.
            NewTable::named("batch_number")
                .name("request_id", ID)
                .int("n")
                .name("to_number", NUMBER)
                .text("to_shown")
                .key(&["request_id", "n"]),
            // One row a result, added up into `batch` after a minute: two calls that end at the
            // same moment never wait for one another's row.
            NewTable::named("batch_result")
                .serial("id")
                .name("request_id", ID)
                .long("at")
                .small("outcome"),
        ];
        for table in tables {
            manager.create_table(table.statement()).await?;
        }
        manager.create_index(index("batch", &["account", "created_at", "request_id"])).await?;
        manager.create_index(index("batch_result", &["request_id", "at", "outcome"])).await?;
        let connection = manager.get_connection();
        for sql in PARTIAL_INDEXES {
            connection.execute_unprepared(sql).await?;
        }
        if manager.get_database_backend() == DbBackend::Postgres {
            // An entry that is no number is echoed as it came, however long it is.
            connection
                .execute_unprepared("ALTER TABLE attempt ALTER COLUMN to_shown TYPE text")
                .await?;
        }
        Ok(())
    }
}

/// Their conditions are repeated word for word by the statements that use them.
const PARTIAL_INDEXES: &[&str] = &[
    "CREATE INDEX batch_live ON batch (account) WHERE finished_at IS NULL",
    "CREATE INDEX attempt_queued_request ON attempt (request_id) WHERE state = 0",
];
