//! Campaigns, their rules and how far they are.
use sea_orm::entity::prelude::*;

/// One row of `campaign`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "campaign")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) request_id: String,
    pub(crate) account: String,
    pub(crate) application: String,
    #[sea_orm(column_type = "Text")]
    pub(crate) name: String,
    pub(crate) state: String,
    /// The node that takes a list in.
    pub(crate) node: String,
    /// Of a run: the recurring campaign.
    pub(crate) parent: Option<String>,
    /// Of a run: its time.
    pub(crate) fires_at: Option<i64>,
    /// Of a recurring campaign, whose numbers only its runs call.
    pub(crate) cron: Option<String>,
    pub(crate) next_fire_at: Option<i64>,
    pub(crate) rules: Json,
    /// Its numbers.
    pub(crate) total: i32,
    pub(crate) rejected: i32,
    pub(crate) duplicates: i32,
    /// Calls that were dialled and are over.
    pub(crate) calls: i32,
    pub(crate) talk_s: i64,
    /// What numbers came to in the end.
    pub(crate) confirmed: i32,
    pub(crate) answered: i32,
    pub(crate) busy: i32,
    pub(crate) no_answer: i32,
    pub(crate) declined: i32,
    pub(crate) no_such_number: i32,
    pub(crate) failed: i32,
    pub(crate) refused: i32,
    pub(crate) cancelled: i32,
    pub(crate) created_at: i64,
    pub(crate) started_at: Option<i64>,
    pub(crate) finished_at: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
