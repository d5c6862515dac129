//! Numbers of batches that are not queued yet.
use sea_orm::entity::prelude::*;

/// One row of `batch_number`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "batch_number")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) request_id: String,
    /// Its place in the request.
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) n: i32,
    /// As `attempt.to_number`; empty for what is no number.
    pub(crate) to_number: String,
    #[sea_orm(column_type = "Text")]
    pub(crate) to_shown: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
