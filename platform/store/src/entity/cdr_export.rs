//! One row for each export of call records, which outlives its file.
use sea_orm::entity::prelude::*;

/// One row of `cdr_export`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "cdr_export")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: String,
    pub(crate) account: String,
    pub(crate) who: String,
    pub(crate) format: String,
    pub(crate) state: String,
    pub(crate) filter: Json,
    pub(crate) sees_numbers: i16,
    pub(crate) sees_recordings: i16,
    pub(crate) schedule_id: Option<String>,
    pub(crate) created_at: i64,
    pub(crate) due_at: i64,
    pub(crate) node: Option<String>,
    pub(crate) holder: Option<String>,
    pub(crate) lease_until: Option<i64>,
    pub(crate) checkpoint: Option<Json>,
    pub(crate) records: i64,
    pub(crate) octets: i64,
    pub(crate) reached_at: Option<i64>,
    pub(crate) finished_at: Option<i64>,
    pub(crate) expires_at: Option<i64>,
    #[sea_orm(column_type = "Text", nullable)]
    pub(crate) failure: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
