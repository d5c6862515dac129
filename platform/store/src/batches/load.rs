//! Taking a batch in: its row first, then its numbers in turns, then all of it at once becomes
//! something. What a process that died left half done is dropped by the next start.

use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect,
    sea_query::Expr,
};
use yunling_domain::{AccountId, ApplicationId, Micros, NodeNumber, RequestId};

use super::{BatchState, node_text};
use crate::{
    StoreError, backend,
    entity::{
        batch::{ActiveModel, Column, Entity},
        batch_number, request,
    },
    requests::RequestState,
};

/// A batch to be taken in; its request is stored in the same transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewBatch {
    /// Its `requestid`.
    pub request_id: RequestId,
    /// Whose it is.
    pub account: AccountId,
    /// The application it was made for.
    pub application: ApplicationId,
    /// The node that takes it in.
    pub node: NodeNumber,
    /// The line number to be shown; absent: chosen when a number is dialled.
    pub from_number: Option<String>,
    /// Its numbers, each counted once.
    pub total: u32,
    /// Entries that were dropped because they named a number again.
    pub duplicates: u32,
    /// When it came.
    pub created_at: Micros,
}

/// One number of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchNumber {
    /// Its place in the request, from 0.
    pub n: u32,
    /// The callee, as [`NewAttempt::to_number`](crate::attempts::NewAttempt); empty for an entry that
    /// is no number.
    pub to_number: String,
    /// The callee as callbacks echo it.
    pub to_shown: String,
}

/// Begins a batch: [`BatchState::Loading`].
///
/// # Errors
/// [`StoreError::Conflict`] where the identifier is taken.
pub async fn begin(tx: &impl ConnectionTrait, new: &NewBatch) -> Result<(), StoreError> {
    let row = ActiveModel {
        request_id: Set(new.request_id.to_string()),
        account: Set(new.account.to_string()),
        application: Set(new.application.to_string()),
        state: Set(BatchState::Loading.as_str().to_owned()),
        node: Set(node_text(new.node)),
        from_number: Set(new.from_number.clone()),
        total: Set(count(new.total)),
        duplicates: Set(count(new.duplicates)),
        unqueued: Set(count(new.total)),
        answered: Set(0),
        unanswered: Set(0),
        failed: Set(0),
        refused: Set(0),
        invalid: Set(0),
        cancelled: Set(0),
        created_at: Set(new.created_at.0),
        finished_at: Set(None),
    };
    Entity::insert(row).exec_without_returning(tx).await?;
    Ok(())
}

fn count(of: u32) -> i32 {
    i32::try_from(of).unwrap_or(i32::MAX)
}

/// Adds numbers, at most [`BULK_ROWS`](crate::BULK_ROWS) at a time.
///
/// # Errors
/// Those of a write.
pub async fn add(
    tx: &impl ConnectionTrait,
    id: &RequestId,
    numbers: &[BatchNumber],
) -> Result<(), StoreError> {
    let rows = numbers.iter().map(|number| batch_number::ActiveModel {
        request_id: Set(id.to_string()),
        n: Set(count(number.n)),
        to_number: Set(number.to_number.clone()),
        to_shown: Set(number.to_shown.clone()),
    });
    batch_number::Entity::insert_many(rows).exec_without_returning(tx).await?;
    Ok(())
}

/// The last step: from now on the batch is there, and it runs.
///
/// # Errors
/// [`StoreError::NotFound`] where the account has no such batch that loads.
pub async fn make_ready(
    tx: &impl ConnectionTrait,
    account: &AccountId,
    id: &RequestId,
) -> Result<(), StoreError> {
    let changed = Entity::update_many()
        .col_expr(Column::State, Expr::value(BatchState::Running.as_str()))
        .filter(Column::RequestId.eq(id.as_str()))
        .filter(Column::Account.eq(account.as_str()))
        .filter(Column::State.eq(BatchState::Loading.as_str()))
        .exec(tx)
        .await?;
    if changed.rows_affected == 0 {
        return Err(StoreError::NotFound("batch"));
    }
    crate::requests::set_state(tx, account, id, RequestState::Accepted).await
}

/// Drops some of the numbers of a batch that never became ready. Gives how many.
///
/// # Errors
/// Those of a write.
pub async fn drop_numbers(
    tx: &impl ConnectionTrait,
    account: &AccountId,
    id: &RequestId,
    limit: u32,
) -> Result<u64, StoreError> {
    let sql = "DELETE FROM batch_number WHERE request_id = ? AND n IN (\
               SELECT n FROM batch_number WHERE request_id = ? LIMIT ?) \
               AND EXISTS (SELECT 1 FROM batch WHERE request_id = ? AND account = ? \
               AND state = 'loading')";
    let values = vec![
        id.as_str().into(),
        id.as_str().into(),
        i64::from(limit).into(),
        id.as_str().into(),
        account.as_str().into(),
    ];
    let statement = backend::statement(tx.get_database_backend(), sql, values);
    Ok(tx.execute_raw(statement).await?.rows_affected())
}

/// Drops a batch that never became ready, once its numbers are gone, with its request.
///
/// # Errors
/// Those of a write.
pub async fn drop_unready(
    tx: &impl ConnectionTrait,
    account: &AccountId,
    id: &RequestId,
) -> Result<(), StoreError> {
    let dropped = Entity::delete_many()
        .filter(Column::RequestId.eq(id.as_str()))
        .filter(Column::Account.eq(account.as_str()))
        .filter(Column::State.eq(BatchState::Loading.as_str()))
        .exec(tx)
        .await?;
    if dropped.rows_affected > 0 {
        request::Entity::delete_many()
            .filter(request::Column::Id.eq(id.as_str()))
            .filter(request::Column::Account.eq(account.as_str()))
            .exec(tx)
            .await?;
    }
    Ok(())
}

/// Batches that a node had not finished taking in when it died: it has just started, so it takes in
/// none.
///
/// # Errors
/// Those of a read.
pub async fn unready_of(
    connection: &impl ConnectionTrait,
    node: NodeNumber,
) -> Result<Vec<(AccountId, RequestId)>, StoreError> {
    let rows = Entity::find()
        .select_only()
        .column(Column::Account)
        .column(Column::RequestId)
        .filter(Expr::cust("finished_at IS NULL"))
        .filter(Column::State.eq(BatchState::Loading.as_str()))
        .filter(Column::Node.eq(node_text(node)))
        .into_tuple::<(String, String)>()
        .all(connection)
        .await?;
    let ids = |(account, id)| (AccountId::new(account), RequestId::new(id));
    Ok(rows.into_iter().map(ids).collect())
}
