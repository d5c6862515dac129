//! The calls of campaigns: which number each is for, and what it came to.
use sea_orm::entity::prelude::*;

/// One row of `campaign_call`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "campaign_call")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) call_id: String,
    pub(crate) request_id: String,
    pub(crate) account: String,
    pub(crate) n: i32,
    pub(crate) to_number: String,
    pub(crate) from_number: Option<String>,
    /// When it was queued; once it is over, when dialling began.
    pub(crate) at: i64,
    pub(crate) answered_at: Option<i64>,
    pub(crate) ended_at: Option<i64>,
    pub(crate) talk_s: i64,
    pub(crate) result: Option<i16>,
    /// 0 is out, 1 is over, 2 has been counted.
    pub(crate) state: i16,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
