//! What a tenant may do to a batch that runs.

use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, sea_query::Expr};
use yunling_domain::batch::CANCELLED_RULE;
use yunling_domain::{AccountId, Micros, RequestId};

use super::{BatchState, feed::PARKED};
use crate::{
    StoreError, backend,
    entity::batch::{Column, Entity},
    requests::RequestState,
};

/// Whether there was anything to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// It is as asked for now.
    Yes,
    /// It was so before.
    AlreadySo,
    /// It is in a state that does not allow it.
    NotIn(BatchState),
}

/// Takes a batch from one of some states to another. Nothing where there is no such batch.
async fn change(
    tx: &impl ConnectionTrait,
    account: &AccountId,
    id: &RequestId,
    from: &[BatchState],
    to: BatchState,
) -> Result<Option<Changed>, StoreError> {
    let row = Entity::find_by_id(id.as_str())
        .filter(Column::Account.eq(account.as_str()))
        .one(tx)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let state = BatchState::parse(&row.state)?;
    if state == BatchState::Loading {
        return Ok(None);
    }
    if state == to {
        return Ok(Some(Changed::AlreadySo));
    }
    if row.finished_at.is_some() || !from.contains(&state) {
        return Ok(Some(Changed::NotIn(state)));
    }
    let changed = Entity::update_many()
        .col_expr(Column::State, Expr::value(to.as_str()))
        .filter(Column::RequestId.eq(id.as_str()))
        .filter(Column::State.eq(state.as_str()))
        .exec(tx)
        .await?;
    match changed.rows_affected {
        0 => Err(StoreError::Conflict(format!("batch {id} is being changed by somebody else"))),
        _ => Ok(Some(Changed::Yes)),
    }
}

/// Changes the batch's attempts that no dispatcher has taken yet.
async fn change_queued(
    tx: &impl ConnectionTrait,
    id: &RequestId,
    set: &str,
    values: Vec<sea_orm::Value>,
) -> Result<(), StoreError> {
    let sql = format!("UPDATE attempt SET {set} WHERE request_id = ? AND state = 0");
    let mut all = values;
    all.push(id.as_str().into());
    tx.execute_raw(backend::statement(tx.get_database_backend(), &sql, all)).await?;
    Ok(())
}

/// Stops a batch for a while: its queued attempts are parked. Nothing where there is no such batch.
///
/// # Errors
/// Those of a write.
pub async fn pause(
    tx: &impl ConnectionTrait,
    account: &AccountId,
    id: &RequestId,
) -> Result<Option<Changed>, StoreError> {
    let changed = change(tx, account, id, &[BatchState::Running], BatchState::Paused).await?;
    if changed == Some(Changed::Yes) {
        change_queued(tx, id, "due_at = ?", vec![PARKED.0.into()]).await?;
    }
    Ok(changed)
}

/// Lets a paused batch go on. Nothing where there is no such batch.
///
/// # Errors
/// Those of a write.
pub async fn resume(
    tx: &impl ConnectionTrait,
    account: &AccountId,
    id: &RequestId,
    now: Micros,
) -> Result<Option<Changed>, StoreError> {
    let changed = change(tx, account, id, &[BatchState::Paused], BatchState::Running).await?;
    if changed == Some(Changed::Yes) {
        change_queued(tx, id, "due_at = ?", vec![now.0.into()]).await?;
    }
    Ok(changed)
}

/// Ends a batch before its time: calls that are under way go on to their end, every other number gets
/// its result without a call. Nothing where there is no such batch.
///
/// # Errors
/// Those of a write.
pub async fn cancel(
    tx: &impl ConnectionTrait,
    account: &AccountId,
    id: &RequestId,
    now: Micros,
) -> Result<Option<Changed>, StoreError> {
    let from = [BatchState::Running, BatchState::Paused];
    let changed = change(tx, account, id, &from, BatchState::Cancelled).await?;
    if changed == Some(Changed::Yes) {
        // Their time is up: the dispatcher gives them their result.
        let values = vec![now.0.into(), CANCELLED_RULE.into()];
        change_queued(tx, id, "deadline_at = ?, rule = ?", values).await?;
        crate::requests::set_state(tx, account, id, RequestState::Cancelled).await?;
    }
    Ok(changed)
}
