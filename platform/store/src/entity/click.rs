//! One row for each click2call that was taken.
use sea_orm::entity::prelude::*;

/// One row of `click`.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "click")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) conversation_id: String,
    pub(crate) account: String,
    pub(crate) application: String,
    pub(crate) request_id: String,
    pub(crate) caller_call_id: String,
    pub(crate) subject: Option<String>,
    pub(crate) masked: i16,
    pub(crate) created_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
