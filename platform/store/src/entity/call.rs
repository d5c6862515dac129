//! Call detail records, one for each leg.
use sea_orm::entity::prelude::*;

/// One row of `call`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "call")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) call_id: String,
    pub(crate) conversation_id: String,
    pub(crate) request_id: String,
    pub(crate) account: String,
    pub(crate) application: String,
    pub(crate) kind: String,
    pub(crate) from_number: String,
    pub(crate) to_number: String,
    pub(crate) trunk: Option<String>,
    pub(crate) started_at: i64,
    pub(crate) ring_at: Option<i64>,
    pub(crate) answered_at: Option<i64>,
    pub(crate) ended_at: i64,
    pub(crate) duration_s: i64,
    pub(crate) result: i16,
    pub(crate) reason: Option<i16>,
    pub(crate) cause: String,
    pub(crate) fault: Option<String>,
    pub(crate) sip_code: Option<i16>,
    pub(crate) q850: Option<i16>,
    pub(crate) input_key: Option<String>,
    pub(crate) figures: Option<Json>,
    pub(crate) rule: Option<String>,
    pub(crate) leg: i16,
    pub(crate) bye_type: Option<i16>,
    pub(crate) hangup_reason: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
