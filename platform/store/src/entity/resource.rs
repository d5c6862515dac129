//! Configuration documents: every kind of resource in one table.
use sea_orm::entity::prelude::*;

/// One row of `resource`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "resource")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) kind: String,
    /// Empty for a resource of the platform's own.
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) account_sid: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) key: String,
    pub(crate) doc: Json,
    /// What `apply` wrote last: the base of the three-way merge.
    pub(crate) applied: Option<Json>,
    pub(crate) owner: String,
    pub(crate) version: i64,
    pub(crate) updated_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
