use sea_orm_migration::prelude::*;

use super::table::index;

/// What a leg that has left its conversation came to, so that a crash afterwards does not forget it;
/// that a click was cancelled before it was dialled, whichever node is about to; and the order of one
/// subject's clicks.
#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // SQLite adds one column at a time.
        for column in [
            ColumnDef::new(Alias::new("left_as")).json_binary().to_owned(),
            ColumnDef::new(Alias::new("cancelled_at")).big_integer().to_owned(),
        ] {
            let table = Table::alter().table(Alias::new("attempt")).add_column(column).to_owned();
            manager.alter_table(table).await?;
        }
        let order = ["account", "application", "subject", "created_at", "conversation_id"];
        manager.create_index(index("click", &order)).await
    }
}
