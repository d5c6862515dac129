use sea_orm_migration::prelude::*;

use super::table::NewTable;

/// Which trunks are being drained.
#[derive(DeriveMigrationName)]
pub(super) struct Migration;

/// As wide as a resource's key and a file set's name.
const NAME: u32 = 256;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = NewTable::named("trunk_state")
            .name("trunk", NAME)
            .long("draining_since")
            .name("who", NAME)
            .key(&["trunk"]);
        manager.create_table(table.statement()).await
    }
}
