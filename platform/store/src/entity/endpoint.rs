//! Addresses that callbacks go to, with their health.
use sea_orm::entity::prelude::*;

/// One row of `endpoint`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "endpoint")]
pub(crate) struct Model {
    #[sea_orm(primary_key)]
    pub(crate) id: i64,
    pub(crate) account: String,
    /// Hexadecimal SHA-256 of `url`: an index on the address itself would have no bound.
    pub(crate) url_hash: String,
    #[sea_orm(column_type = "Text")]
    pub(crate) url: String,
    pub(crate) disabled_at: Option<i64>,
    pub(crate) reason: Option<String>,
    pub(crate) consecutive_failures: i32,
    pub(crate) created_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
