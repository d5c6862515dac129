//! Whom to call, from when, in which lane: the rows that drive the dialling.
use sea_orm::entity::prelude::*;

/// One row of `attempt`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "attempt")]
pub(crate) struct Model {
    #[sea_orm(primary_key)]
    pub(crate) id: i64,
    #[sea_orm(unique)]
    pub(crate) call_id: String,
    pub(crate) conversation_id: String,
    pub(crate) request_id: String,
    pub(crate) account: String,
    pub(crate) application: String,
    pub(crate) lane: i16,
    pub(crate) to_number: String,
    pub(crate) to_shown: String,
    pub(crate) state: i16,
    pub(crate) due_at: i64,
    pub(crate) deadline_at: i64,
    pub(crate) node: Option<String>,
    pub(crate) lease_until: Option<i64>,
    pub(crate) invited_at: Option<i64>,
    pub(crate) trunk: Option<String>,
    pub(crate) try_no: i16,
    pub(crate) from_number: Option<String>,
    pub(crate) ring_at: Option<i64>,
    pub(crate) answered_at: Option<i64>,
    pub(crate) ended_at: Option<i64>,
    pub(crate) dialog: Option<Json>,
    pub(crate) input_key: Option<String>,
    pub(crate) rule: Option<String>,
    pub(crate) created_at: i64,
    pub(crate) left_as: Option<Json>,
    pub(crate) cancelled_at: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
