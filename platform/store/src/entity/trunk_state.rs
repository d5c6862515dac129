//! What an operator has said of trunks besides their documents.
use sea_orm::entity::prelude::*;

/// One row of `trunk_state`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "trunk_state")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) trunk: String,
    pub(crate) draining_since: i64,
    pub(crate) who: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
