use sea_orm_migration::prelude::*;

use super::table::{NewTable, index};

/// What click-to-call conversations came to: what their call records do not say.
#[derive(DeriveMigrationName)]
pub(super) struct Migration;

const ID: u32 = 64;
const WORD: u32 = 32;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let talk = NewTable::named("talk")
            .name("conversation_id", ID)
            .name("account", ID)
            .name("application", ID)
            .name("request_id", ID)
            .small("bye_type")
            .name("ended_by", WORD)
            .name("hangup_reason", WORD)
            .long_or_null("bridged_at")
            .name_or_null("recording_id", ID)
            .long("ended_at")
            .key(&["conversation_id"]);
        manager.create_table(talk.statement()).await?;
        let order = ["account", "application", "ended_at", "conversation_id"];
        manager.create_index(index("talk", &order)).await
    }
}
