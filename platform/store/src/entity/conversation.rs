//! One record for each conversation, with its whole story as one compressed blob.
use sea_orm::entity::prelude::*;

/// One row of `conversation`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "conversation")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: String,
    pub(crate) account: String,
    pub(crate) application: String,
    pub(crate) kind: String,
    pub(crate) started_at: i64,
    pub(crate) ended_at: i64,
    pub(crate) story: Vec<u8>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
