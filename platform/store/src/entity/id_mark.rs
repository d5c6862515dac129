//! The identifiers' high-water mark of each node.
use sea_orm::entity::prelude::*;

/// One row of `id_mark`.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "id_mark")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) node: String,
    /// No identifier was minted with a stamp at or after this instant.
    pub(crate) micros: i64,
    /// The zone in which the stamps are printed.
    pub(crate) zone: String,
    /// How often the zone was changed.
    pub(crate) era: i32,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
