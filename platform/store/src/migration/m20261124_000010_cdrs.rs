use sea_orm_migration::prelude::*;

use super::table::{NewTable, index};

/// What a search of call records by conversation needs of each leg, and exports with their schedules.
#[derive(DeriveMigrationName)]
pub(super) struct Migration;

const ID: u32 = 64;
const NAME: u32 = 128;
const WORD: u32 = 32;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // SQLite adds one column at a time.
        for column in [
            ColumnDef::new(Alias::new("leg")).small_integer().not_null().default(0).to_owned(),
            ColumnDef::new(Alias::new("bye_type")).small_integer().to_owned(),
            ColumnDef::new(Alias::new("hangup_reason")).string_len(WORD).to_owned(),
        ] {
            let table = Table::alter().table(Alias::new("call")).add_column(column).to_owned();
            manager.alter_table(table).await?;
        }
        let connection = manager.get_connection();
        connection.execute_unprepared(LEGS_OF_CLICKS).await?;
        manager.create_table(export().statement()).await?;
        manager.create_table(schedule().statement()).await?;
        for (table, columns) in [
            ("cdr_export", &["account", "created_at", "id"][..]),
            ("cdr_export", &["expires_at"]),
            ("cdr_export_schedule", &["account", "created_at", "id"]),
            ("cdr_export_schedule", &["next_at"]),
        ] {
            manager.create_index(index(table, columns)).await?;
        }
        connection.execute_unprepared(OPEN_EXPORTS).await?;
        Ok(())
    }
}

/// Their order is that in which they were dialled.
const LEGS_OF_CLICKS: &str = "UPDATE \"call\" SET \
    leg = (SELECT COUNT(*) FROM \"call\" AS earlier \
           WHERE earlier.conversation_id = \"call\".conversation_id \
           AND (earlier.started_at, earlier.call_id) < (\"call\".started_at, \"call\".call_id)), \
    bye_type = (SELECT talk.bye_type FROM talk \
                WHERE talk.conversation_id = \"call\".conversation_id) \
    WHERE kind = 'click'";

/// Its condition is repeated word for word by the statements that use it.
const OPEN_EXPORTS: &str =
    "CREATE INDEX cdr_export_open ON cdr_export (due_at, id) WHERE finished_at IS NULL";

fn export() -> NewTable {
    NewTable::named("cdr_export")
        .name("id", ID)
        .name("account", ID)
        .name("who", NAME)
        .name("format", WORD)
        .name("state", WORD)
        .json("filter")
        .small("sees_numbers")
        .small("sees_recordings")
        .name_or_null("schedule_id", ID)
        .long("created_at")
        .long("due_at")
        .name_or_null("node", WORD)
        .name_or_null("holder", ID)
        .long_or_null("lease_until")
        .json_or_null("checkpoint")
        .long("records")
        .long("octets")
        .long_or_null("reached_at")
        .long_or_null("finished_at")
        .long_or_null("expires_at")
        .text_or_null("failure")
        .key(&["id"])
}

fn schedule() -> NewTable {
    NewTable::named("cdr_export_schedule")
        .name("id", ID)
        .name("account", ID)
        .name("who", NAME)
        .name("cron", NAME)
        .name("zone", ID)
        .name("format", WORD)
        .json("filter")
        .small("sees_numbers")
        .small("sees_recordings")
        .long("created_at")
        .long("covered_to")
        .long("next_at")
        .key(&["id"])
}
