//! The SIP messages of a conversation, where they were kept.
use sea_orm::entity::prelude::*;

/// One row of `sip_trace`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "sip_trace")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) conversation_id: String,
    pub(crate) account: String,
    pub(crate) started_at: i64,
    pub(crate) messages: i32,
    /// Before they were packed.
    pub(crate) bytes: i64,
    pub(crate) packed: Vec<u8>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
