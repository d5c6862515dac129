//! The outbox: one row for each callback event.
use sea_orm::entity::prelude::*;

/// One row of `delivery`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "delivery")]
pub(crate) struct Model {
    /// The `webhook-id`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: String,
    pub(crate) account: String,
    pub(crate) application: String,
    pub(crate) endpoint_id: i64,
    pub(crate) conversation_id: Option<String>,
    pub(crate) seq: i32,
    pub(crate) kind: String,
    #[sea_orm(column_type = "Text")]
    pub(crate) url: String,
    /// Kept as sent, so that every repeat has the same bytes.
    #[sea_orm(column_type = "Text")]
    pub(crate) body: String,
    pub(crate) state: i16,
    pub(crate) next_at: i64,
    pub(crate) tries: i32,
    pub(crate) version: i64,
    pub(crate) created_at: i64,
    pub(crate) delivered_at: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
