//! Prompts as uploaded and as ready-encoded G.711, by content.
use sea_orm::entity::prelude::*;

/// One row of `media_blob`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "media_blob")]
pub(crate) struct Model {
    /// Hexadecimal SHA-256 of `original` and of how it was taken in.
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) sha256: String,
    pub(crate) original: Vec<u8>,
    pub(crate) alaw: Vec<u8>,
    pub(crate) ulaw: Vec<u8>,
    pub(crate) ms: i64,
    /// What was found in the file when it was taken in.
    pub(crate) report: Option<Json>,
    /// Since when no resource refers to it.
    pub(crate) unused_since: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
