//! One row for each click-to-call conversation that is over: how it ended.
use sea_orm::entity::prelude::*;

/// One row of `talk`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "talk")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) conversation_id: String,
    pub(crate) account: String,
    pub(crate) application: String,
    pub(crate) request_id: String,
    pub(crate) bye_type: i16,
    pub(crate) ended_by: String,
    pub(crate) hangup_reason: String,
    pub(crate) bridged_at: Option<i64>,
    pub(crate) recording_id: Option<String>,
    pub(crate) ended_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
