//! Answers that are replayed to a repeated `Idempotency-Key` (at most 255 characters, kept 24 h).
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, sea_query::Expr,
};
use yunling_domain::{AccountId, Micros};

use crate::{
    StoreError,
    entity::idempotency::{ActiveModel, Column, Entity, Model},
};

/// A key as it came with a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey {
    /// Whose it is.
    pub account: AccountId,
    /// The header's value.
    pub key: String,
    /// The operation that it was sent to.
    pub route: String,
}

/// What is known of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// Nothing: the request is new. [`reserve`] has taken the key for it.
    New,
    /// The first request is still under way.
    UnderWay,
    /// The first request was answered so.
    Answered {
        /// HTTP status.
        status: u16,
        /// Body.
        response: String,
    },
    /// It was used with another body.
    OtherBody,
}

/// An answer, and the key that it is to stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAnswer {
    /// The key.
    pub key: IdempotencyKey,
    /// The digest of the request's body.
    pub body_sha: String,
    /// HTTP status.
    pub status: u16,
    /// Body.
    pub response: String,
}

fn find(key: &IdempotencyKey) -> sea_orm::Select<Entity> {
    Entity::find_by_id((key.account.to_string(), key.key.clone(), key.route.clone()))
}

fn known(row: Option<Model>, body_sha: &str) -> Known {
    match row {
        None => Known::New,
        Some(row) if row.body_sha != body_sha => Known::OtherBody,
        Some(Model { status: Some(status), response, .. }) => Known::Answered {
            status: status.unsigned_abs(),
            response: response.unwrap_or_default(),
        },
        Some(_) => Known::UnderWay,
    }
}

/// What is known of a key, without taking it.
///
/// # Errors
/// Those of a read.
pub async fn lookup(
    connection: &impl ConnectionTrait,
    key: &IdempotencyKey,
    body_sha: &str,
) -> Result<Known, StoreError> {
    Ok(known(find(key).one(connection).await?, body_sha))
}

/// Takes a key, in the transaction that stores the request; or tells what it stands for already.
///
/// # Errors
/// Those of a write; on PostgreSQL [`StoreError::Conflict`] where another transaction takes it at
/// the same moment: [`lookup`] then tells.
pub async fn reserve(
    tx: &impl ConnectionTrait,
    key: &IdempotencyKey,
    body_sha: &str,
    now: Micros,
) -> Result<Known, StoreError> {
    let known = lookup(tx, key, body_sha).await?;
    if known == Known::New {
        let row = ActiveModel {
            account: Set(key.account.to_string()),
            key: Set(key.key.clone()),
            route: Set(key.route.clone()),
            body_sha: Set(body_sha.to_owned()),
            status: Set(None),
            response: Set(None),
            created_at: Set(now.0),
        };
        Entity::insert(row).exec_without_returning(tx).await?;
    }
    Ok(known)
}

/// Stores the answer: in the same transaction where it is known then, so that a crash leaves no key
/// without an answer.
///
/// # Errors
/// [`StoreError::NotFound`] where the key was not reserved.
pub async fn complete(
    tx: &impl ConnectionTrait,
    key: &IdempotencyKey,
    status: u16,
    response: &str,
) -> Result<(), StoreError> {
    let changed = Entity::update_many()
        .col_expr(Column::Status, Expr::value(i16::try_from(status).unwrap_or(i16::MAX)))
        .col_expr(Column::Response, Expr::value(response))
        .filter(Column::Account.eq(key.account.as_str()))
        .filter(Column::Key.eq(key.key.as_str()))
        .filter(Column::Route.eq(key.route.as_str()))
        .exec(tx)
        .await?;
    if changed.rows_affected == 0 { Err(StoreError::NotFound("idempotency key")) } else { Ok(()) }
}

/// Takes a key and stores its answer, in the transaction that stores what is answered. Anything but
/// [`Known::New`] is an earlier request's: then nothing was written, and nothing is to be. A request
/// without a key is new.
///
/// # Errors
/// As [`reserve`].
pub async fn keep(
    tx: &impl ConnectionTrait,
    answer: Option<&KeptAnswer>,
    now: Micros,
) -> Result<Known, StoreError> {
    let Some(KeptAnswer { key, body_sha, status, response }) = answer else {
        return Ok(Known::New);
    };
    let known = reserve(tx, key, body_sha, now).await?;
    if known == Known::New {
        complete(tx, key, *status, response).await?;
    }
    Ok(known)
}

/// What the platform needs across tenants.
pub mod platform_side {
    use super::{ConnectionTrait, Micros, StoreError};

    /// Deletes keys from before `before`, at most `limit` of them. Gives how many.
    ///
    /// # Errors
    /// Those of a write.
    pub async fn purge(
        tx: &impl ConnectionTrait,
        before: Micros,
        limit: u32,
    ) -> Result<u64, StoreError> {
        let sql = "DELETE FROM idempotency WHERE (account, key, route) IN (\
                   SELECT account, key, route FROM idempotency WHERE created_at < ? \
                   ORDER BY created_at LIMIT ?)";
        let values = vec![before.0.into(), i64::from(limit).into()];
        let statement = crate::backend::statement(tx.get_database_backend(), sql, values);
        Ok(tx.execute_raw(statement).await?.rows_affected())
    }
}
