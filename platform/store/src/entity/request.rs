//! Requests that were accepted on the published surface.
use sea_orm::entity::prelude::*;

/// One row of `request`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "request")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: String,
    pub(crate) account: String,
    pub(crate) application: String,
    pub(crate) kind: String,
    pub(crate) state: String,
    pub(crate) spec: Json,
    /// The callee or callees as the customer wrote them.
    #[sea_orm(column_type = "Text")]
    pub(crate) to_raw: String,
    #[sea_orm(column_type = "Text", nullable)]
    pub(crate) userdata: Option<String>,
    pub(crate) urls: Json,
    pub(crate) from_number: Option<String>,
    pub(crate) api_version: String,
    pub(crate) created_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
