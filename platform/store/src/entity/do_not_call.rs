//! Numbers that an account does not call unless their owners ask for it.
use sea_orm::entity::prelude::*;

/// One row of `do_not_call`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "do_not_call")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) account: String,
    /// As `attempt.to_number`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) number: String,
    #[sea_orm(column_type = "Text")]
    pub(crate) note: String,
    #[sea_orm(column_type = "Text")]
    pub(crate) added_by: String,
    pub(crate) added_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
