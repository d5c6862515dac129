//! Batches and how far they are.
use sea_orm::entity::prelude::*;

/// One row of `batch`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "batch")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) request_id: String,
    pub(crate) account: String,
    pub(crate) application: String,
    pub(crate) state: String,
    /// The node that took it in.
    pub(crate) node: String,
    pub(crate) from_number: Option<String>,
    /// Numbers without the duplicates.
    pub(crate) total: i32,
    pub(crate) duplicates: i32,
    /// Rows of `batch_number`.
    pub(crate) unqueued: i32,
    /// Results that were added up already; the latest are rows of `batch_result`.
    pub(crate) answered: i32,
    pub(crate) unanswered: i32,
    pub(crate) failed: i32,
    pub(crate) refused: i32,
    pub(crate) invalid: i32,
    pub(crate) cancelled: i32,
    pub(crate) created_at: i64,
    pub(crate) finished_at: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
