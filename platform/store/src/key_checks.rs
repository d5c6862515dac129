//! Check numbers of the keys that secrets in the database are hashed and sealed under: by them a
//! node sees at start that its key file is another database's.
use std::collections::BTreeMap;

use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};

use crate::{
    StoreError,
    entity::meta::{ActiveModel, Column, Entity},
};

const PREFIX: &str = "key_check:";

/// The check number of every key that was ever remembered, by the key's name.
///
/// # Errors
/// Those of a read.
pub async fn load(connection: &impl ConnectionTrait) -> Result<BTreeMap<String, i64>, StoreError> {
    let rows = Entity::find().filter(Column::Key.starts_with(PREFIX)).all(connection).await?;
    let named = rows
        .into_iter()
        .filter_map(|row| row.key.strip_prefix(PREFIX).map(|name| (name.to_owned(), row.value)));
    Ok(named.collect())
}

/// Remembers a key's check number.
///
/// # Errors
/// [`StoreError::Conflict`] where the key is known already.
pub async fn remember(tx: &impl ConnectionTrait, name: &str, check: i64) -> Result<(), StoreError> {
    let row = ActiveModel { key: Set(format!("{PREFIX}{name}")), value: Set(check) };
    Entity::insert(row).exec_without_returning(tx).await?;
    Ok(())
}
