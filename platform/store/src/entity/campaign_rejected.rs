//! Rows of campaigns' lists that were not taken.
use sea_orm::entity::prelude::*;

/// One row of `campaign_rejected`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "campaign_rejected")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) request_id: String,
    /// Of the file, from 1.
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) line: i32,
    #[sea_orm(column_type = "Text")]
    pub(crate) reason: String,
    #[sea_orm(column_type = "Text")]
    pub(crate) content: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
