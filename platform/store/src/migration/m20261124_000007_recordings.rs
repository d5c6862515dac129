use sea_orm_migration::prelude::*;

use super::table::{NewTable, index};

/// What click-to-call took, and the recordings of its conversations: what there is and where it
/// lies. The files lie elsewhere.
#[derive(DeriveMigrationName)]
pub(super) struct Migration;

const ID: u32 = 64;
/// `{node}/{day}/{file}`.
const KEY: u32 = 192;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let click = NewTable::named("click")
            .name("conversation_id", ID)
            .name("account", ID)
            .name("application", ID)
            .name("request_id", ID)
            .name("caller_call_id", ID)
            .name_or_null("subject", ID)
            .small("masked")
            .long("created_at")
            .key(&["conversation_id"]);
        manager.create_table(click.statement()).await?;
        let order = ["account", "application", "created_at", "conversation_id"];
        manager.create_index(index("click", &order)).await?;
        let table = NewTable::named("recording")
            .name("id", ID)
            .name("account", ID)
            .name("application", ID)
            .name("conversation_id", ID)
            .name("node", 5)
            .name("state", 16)
            .name("place", 16)
            .name("key", KEY)
            .long("created_at")
            .long_or_null("ready_at")
            .long_or_null("deleted_at")
            .long("duration_ms")
            .long("octets")
            .long("lost_ms")
            .text_or_null("failure")
            .key(&["id"]);
        manager.create_table(table.statement()).await?;
        for columns in [
            // The tenant's list; the recording of a conversation.
            &["account", "created_at", "id"][..],
            &["conversation_id"],
            // What a crash left, what is still to be moved, what has served its time.
            &["state", "created_at"],
            &["account", "application", "state", "created_at"],
        ] {
            manager.create_index(index("recording", columns)).await?;
        }
        Ok(())
    }
}
