//! One row for each export of call records that comes again.
use sea_orm::entity::prelude::*;

/// One row of `cdr_export_schedule`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "cdr_export_schedule")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: String,
    pub(crate) account: String,
    pub(crate) who: String,
    pub(crate) cron: String,
    pub(crate) zone: String,
    pub(crate) format: String,
    pub(crate) filter: Json,
    pub(crate) sees_numbers: i16,
    pub(crate) sees_recordings: i16,
    pub(crate) created_at: i64,
    pub(crate) covered_to: i64,
    pub(crate) next_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
