use sea_orm_migration::prelude::*;

/// What was found in each recording, and since when nobody refers to it.
#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let columns = [
            ColumnDef::new(Alias::new("report")).json_binary().to_owned(),
            ColumnDef::new(Alias::new("unused_since")).big_integer().to_owned(),
        ];
        // SQLite adds one column a statement.
        for mut column in columns {
            let mut alter = Table::alter();
            alter.table(Alias::new("media_blob")).add_column(&mut column);
            manager.alter_table(alter.to_owned()).await?;
        }
        Ok(())
    }
}
