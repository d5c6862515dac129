//! Trunks that an operator drains: they get no new call until they are resumed. Runtime state, not
//! configuration: no document says it, and it survives restarts. Every change moves
//! `config_version`, so that all nodes learn of it as they learn of changed documents.
use sea_orm::{ActiveValue::Set, ConnectionTrait, EntityTrait};
use yunling_domain::Micros;

use crate::{
    StoreError,
    entity::trunk_state::{ActiveModel, Entity, Model},
    resources,
};

/// A trunk that is being drained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draining {
    /// The trunk's name.
    pub trunk: String,
    /// Since when.
    pub since: Micros,
    /// Who said so.
    pub who: String,
}

impl From<Model> for Draining {
    fn from(row: Model) -> Self {
        Self { trunk: row.trunk, since: Micros(row.draining_since), who: row.who }
    }
}

/// Every trunk that is being drained, in no order. They are the platform's own, so there is no
/// account to ask for.
///
/// # Errors
/// Those of a read.
pub async fn draining(connection: &impl ConnectionTrait) -> Result<Vec<Draining>, StoreError> {
    let rows = Entity::find().all(connection).await?;
    Ok(rows.into_iter().map(Draining::from).collect())
}

/// Notes that a trunk is being drained. False where it was already: then nothing changes.
///
/// # Errors
/// Those of a write.
pub async fn drain(tx: &impl ConnectionTrait, draining: &Draining) -> Result<bool, StoreError> {
    if Entity::find_by_id(draining.trunk.as_str()).one(tx).await?.is_some() {
        return Ok(false);
    }
    let row = ActiveModel {
        trunk: Set(draining.trunk.clone()),
        draining_since: Set(draining.since.0),
        who: Set(draining.who.clone()),
    };
    Entity::insert(row).exec_without_returning(tx).await?;
    resources::moved(tx).await?;
    Ok(true)
}

/// Notes that a trunk takes calls again, or is no more. False where it was not being drained.
///
/// # Errors
/// Those of a write.
pub async fn resume(tx: &impl ConnectionTrait, trunk: &str) -> Result<bool, StoreError> {
    let deleted = Entity::delete_by_id(trunk).exec(tx).await?;
    if deleted.rows_affected == 0 {
        return Ok(false);
    }
    resources::moved(tx).await?;
    Ok(true)
}
