//! To which distributed trace a request or a callback belongs.
use sea_orm::entity::prelude::*;

/// One row of `trace_context`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "trace_context")]
pub(crate) struct Model {
    /// A request's or a delivery's identifier.
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) key: String,
    pub(crate) traceparent: String,
    pub(crate) created_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
