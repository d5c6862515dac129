//! One row for each recording, which outlives its file.
use sea_orm::entity::prelude::*;

/// One row of `recording`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "recording")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: String,
    pub(crate) account: String,
    pub(crate) application: String,
    pub(crate) conversation_id: String,
    pub(crate) node: String,
    pub(crate) state: String,
    pub(crate) place: String,
    pub(crate) key: String,
    pub(crate) created_at: i64,
    pub(crate) ready_at: Option<i64>,
    pub(crate) deleted_at: Option<i64>,
    pub(crate) duration_ms: i64,
    pub(crate) octets: i64,
    pub(crate) lost_ms: i64,
    pub(crate) failure: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
