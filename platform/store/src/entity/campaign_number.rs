//! The numbers of campaigns and how far each is.
use sea_orm::entity::prelude::*;

/// One row of `campaign_number`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "campaign_number")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) request_id: String,
    /// Its place in the list.
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) n: i32,
    /// As `attempt.to_number`.
    pub(crate) to_number: String,
    pub(crate) to_shown: String,
    pub(crate) variables: Json,
    #[sea_orm(column_type = "Text", nullable)]
    pub(crate) userdata: Option<String>,
    pub(crate) area: Option<String>,
    /// 0 waits, 1 is out, 2 is done.
    pub(crate) state: i16,
    pub(crate) due_at: i64,
    /// What it waits for, or what ended it.
    pub(crate) rule: Option<String>,
    pub(crate) result: Option<i16>,
    /// Its calls by what they came to.
    pub(crate) busy: i16,
    pub(crate) no_answer: i16,
    pub(crate) failed: i16,
    pub(crate) unconfirmed: i16,
    /// Its calls that were dialled.
    pub(crate) calls: i16,
    /// The caller ID that the next call shall not show.
    pub(crate) avoid: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
