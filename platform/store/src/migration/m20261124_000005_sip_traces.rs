use sea_orm_migration::prelude::*;

use super::table::{NewTable, index};

/// The SIP messages of conversations that were kept, and to which trace a request and a callback
/// belong.
#[derive(DeriveMigrationName)]
pub(super) struct Migration;

const ID: u32 = 64;
/// A delivery's identifier is a call's and a prefix.
const KEY: u32 = 128;
/// A W3C traceparent of version 00 has 55 characters.
const TRACEPARENT: u32 = 64;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let tables = [
            NewTable::named("sip_trace")
                .name("conversation_id", ID)
                .name("account", ID)
                .long("started_at")
                .int("messages")
                .long("bytes")
                .blob("packed")
                .key(&["conversation_id"]),
            NewTable::named("trace_context")
                .name("key", KEY)
                .name("traceparent", TRACEPARENT)
                .long("created_at")
                .key(&["key"]),
        ];
        for table in tables {
            manager.create_table(table.statement()).await?;
        }
        // Both are deleted by age.
        manager.create_index(index("sip_trace", &["started_at"])).await?;
        manager.create_index(index("trace_context", &["created_at"])).await
    }
}
