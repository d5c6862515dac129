//! Configuration documents. Every change moves `config_version`, from which the Directory learns
//! that it is to be rebuilt.
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder,
    sea_query::{Expr, OnConflict},
};
use serde_json::Value;
use yunling_domain::Micros;

use crate::{
    StoreError,
    backend::in_time,
    entity::{
        meta,
        resource::{ActiveModel, Column, Entity, Model},
    },
};

/// A document with its history. Secrets in it are hashed or sealed before they come here.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    /// What it describes: `trunk`, `account`, `application`…
    pub kind: String,
    /// The account that it belongs to; empty for the platform's own.
    pub account_sid: String,
    /// Its name within the account and kind.
    pub key: String,
    /// The document.
    pub doc: Value,
    /// What `apply` wrote last; absent where it never did.
    pub applied: Option<Value>,
    /// Who manages it: a named file set, or the console.
    pub owner: String,
    /// 1, then one more with every change.
    pub version: i64,
    /// The last change.
    pub updated_at: Micros,
}

/// A document to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct NewResource {
    /// As [`Resource::kind`].
    pub kind: String,
    /// As [`Resource::account_sid`].
    pub account_sid: String,
    /// As [`Resource::key`].
    pub key: String,
    /// As [`Resource::doc`].
    pub doc: Value,
    /// As [`Resource::applied`].
    pub applied: Option<Value>,
    /// As [`Resource::owner`].
    pub owner: String,
}

impl From<Model> for Resource {
    fn from(row: Model) -> Self {
        Self {
            kind: row.kind,
            account_sid: row.account_sid,
            key: row.key,
            doc: row.doc,
            applied: row.applied,
            owner: row.owner,
            version: row.version,
            updated_at: Micros(row.updated_at),
        }
    }
}

/// The version of the whole configuration. Read it before [`load_all`]: a change in between is
/// then seen as one more rebuild and never missed.
///
/// # Errors
/// Those of a read.
pub async fn config_version(connection: &impl ConnectionTrait) -> Result<i64, StoreError> {
    let find = meta::Entity::find_by_id("config_version");
    let row = in_time(async { Ok(find.one(connection).await?) }).await?;
    row.map(|row| row.value)
        .ok_or_else(|| StoreError::Schema("meta has no config_version".to_owned()))
}

/// Every document, by kind, account and key.
///
/// # Errors
/// Those of a read.
pub async fn load_all(connection: &impl ConnectionTrait) -> Result<Vec<Resource>, StoreError> {
    let rows = Entity::find()
        .order_by_asc(Column::Kind)
        .order_by_asc(Column::AccountSid)
        .order_by_asc(Column::Key)
        .all(connection)
        .await?;
    Ok(rows.into_iter().map(Resource::from).collect())
}

/// One document.
///
/// # Errors
/// Those of a read.
pub async fn get(
    connection: &impl ConnectionTrait,
    kind: &str,
    account_sid: &str,
    key: &str,
) -> Result<Option<Resource>, StoreError> {
    let row = Entity::find_by_id((kind.to_owned(), account_sid.to_owned(), key.to_owned()))
        .one(connection)
        .await?;
    Ok(row.map(Resource::from))
}

/// The documents of one kind and account that have one of these keys, in no order.
///
/// # Errors
/// Those of a read.
pub async fn of_keys(
    connection: &impl ConnectionTrait,
    kind: &str,
    account_sid: &str,
    keys: Vec<String>,
) -> Result<Vec<Resource>, StoreError> {
    let rows = Entity::find()
        .filter(Column::Kind.eq(kind))
        .filter(Column::AccountSid.eq(account_sid))
        .filter(Column::Key.is_in(keys))
        .all(connection)
        .await?;
    Ok(rows.into_iter().map(Resource::from).collect())
}

/// Every document of one kind, of all accounts, in no order.
///
/// # Errors
/// Those of a read.
pub async fn of_kind(
    connection: &impl ConnectionTrait,
    kind: &str,
) -> Result<Vec<Resource>, StoreError> {
    let rows = Entity::find().filter(Column::Kind.eq(kind)).all(connection).await?;
    Ok(rows.into_iter().map(Resource::from).collect())
}

/// Writes a document and gives its new version. With `expected`, only where the stored version is
/// that one (0: not stored).
///
/// # Errors
/// [`StoreError::Conflict`] where it is another version.
pub async fn upsert(
    tx: &impl ConnectionTrait,
    new: &NewResource,
    expected: Option<i64>,
    now: Micros,
) -> Result<i64, StoreError> {
    // First, because this row is what changes of the configuration wait for each other on.
    moved(tx).await?;
    let stored = get(tx, &new.kind, &new.account_sid, &new.key).await?;
    let version = stored.map_or(0, |resource| resource.version);
    if expected.is_some_and(|expected| expected != version) {
        return Err(StoreError::Conflict(format!(
            "{} {:?} has version {version}: somebody changed it in between",
            new.kind, new.key
        )));
    }
    let row = ActiveModel {
        kind: Set(new.kind.clone()),
        account_sid: Set(new.account_sid.clone()),
        key: Set(new.key.clone()),
        doc: Set(new.doc.clone()),
        applied: Set(new.applied.clone()),
        owner: Set(new.owner.clone()),
        version: Set(version + 1),
        updated_at: Set(now.0),
    };
    let replace = OnConflict::columns([Column::Kind, Column::AccountSid, Column::Key])
        .update_columns([
            Column::Doc,
            Column::Applied,
            Column::Owner,
            Column::Version,
            Column::UpdatedAt,
        ])
        .to_owned();
    Entity::insert(row).on_conflict(replace).exec_without_returning(tx).await?;
    Ok(version + 1)
}

/// Deletes a document; false where there was none.
///
/// # Errors
/// Those of a write.
pub async fn delete(
    tx: &impl ConnectionTrait,
    kind: &str,
    account_sid: &str,
    key: &str,
) -> Result<bool, StoreError> {
    let deleted = Entity::delete_many()
        .filter(Column::Kind.eq(kind))
        .filter(Column::AccountSid.eq(account_sid))
        .filter(Column::Key.eq(key))
        .exec(tx)
        .await?;
    if deleted.rows_affected == 0 {
        return Ok(false);
    }
    moved(tx).await?;
    Ok(true)
}

/// Moves `config_version` by hand, where something else that the Directory holds was changed (a
/// credential).
///
/// # Errors
/// Those of a write.
pub async fn moved(tx: &impl ConnectionTrait) -> Result<(), StoreError> {
    meta::Entity::update_many()
        .col_expr(meta::Column::Value, Expr::cust("value + 1"))
        .filter(meta::Column::Key.eq("config_version"))
        .exec(tx)
        .await?;
    Ok(())
}
