//! What a tenant may do to a campaign.

use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, sea_query::Expr};
use yunling_domain::campaign::{CANCELLED_RULE, PAUSED_RULE};
use yunling_domain::{AccountId, Micros, RequestId};

use super::CampaignState;
use crate::{
    StoreError, backend,
    entity::campaign::{Column, Entity},
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
    NotIn(CampaignState),
    /// It has no numbers.
    Empty,
}

/// Takes a campaign from one of some states to another. Nothing where there is no such one.
async fn change(
    tx: &impl ConnectionTrait,
    account: &AccountId,
    id: &RequestId,
    from: &[CampaignState],
    to: CampaignState,
    needs_numbers: bool,
) -> Result<Option<Changed>, StoreError> {
    let row = Entity::find_by_id(id.as_str())
        .filter(Column::Account.eq(account.as_str()))
        .one(tx)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let state = CampaignState::parse(&row.state)?;
    if state == to {
        return Ok(Some(Changed::AlreadySo));
    }
    if row.finished_at.is_some() || !from.contains(&state) {
        return Ok(Some(Changed::NotIn(state)));
    }
    if needs_numbers && row.total == 0 {
        return Ok(Some(Changed::Empty));
    }
    let changed = Entity::update_many()
        .col_expr(Column::State, Expr::value(to.as_str()))
        .filter(Column::RequestId.eq(id.as_str()))
        .filter(Column::State.eq(state.as_str()))
        .exec(tx)
        .await?;
    match changed.rows_affected {
        0 => Err(StoreError::Conflict(format!("campaign {id} is being changed by somebody else"))),
        _ => Ok(Some(Changed::Yes)),
    }
}

/// The time of the campaign's attempts that no dispatcher has taken yet is up: it puts their numbers
/// back.
async fn withdraw_queued(
    tx: &impl ConnectionTrait,
    id: &RequestId,
    rule: &str,
    now: Micros,
) -> Result<(), StoreError> {
    let sql = "UPDATE attempt SET deadline_at = ?, rule = ? WHERE request_id = ? AND state = 0";
    let values = vec![now.0.into(), rule.into(), id.as_str().into()];
    tx.execute_raw(backend::statement(tx.get_database_backend(), sql, values)).await?;
    Ok(())
}

/// Starts a draft that has numbers. `next_fire_at` is for a recurring one. Nothing where there is no
/// such campaign.
///
/// # Errors
/// Those of a write.
pub async fn start(
    tx: &impl ConnectionTrait,
    account: &AccountId,
    id: &RequestId,
    next_fire_at: Option<Micros>,
    now: Micros,
) -> Result<Option<Changed>, StoreError> {
    let from = [CampaignState::Draft];
    let changed = change(tx, account, id, &from, CampaignState::Running, true).await?;
    if changed == Some(Changed::Yes) {
        let sql = "UPDATE campaign SET started_at = ?, next_fire_at = ? WHERE request_id = ?";
        let next = next_fire_at.map(|at| at.0);
        let values = vec![now.0.into(), next.into(), id.as_str().into()];
        tx.execute_raw(backend::statement(tx.get_database_backend(), sql, values)).await?;
    }
    Ok(changed)
}

/// Stops a campaign for a while: its queued numbers go back. Nothing where there is no such one.
///
/// # Errors
/// Those of a write.
pub async fn pause(
    tx: &impl ConnectionTrait,
    account: &AccountId,
    id: &RequestId,
    now: Micros,
) -> Result<Option<Changed>, StoreError> {
    let from = [CampaignState::Running];
    let changed = change(tx, account, id, &from, CampaignState::Paused, false).await?;
    if changed == Some(Changed::Yes) {
        withdraw_queued(tx, id, PAUSED_RULE, now).await?;
    }
    Ok(changed)
}

/// Lets a paused campaign go on. Nothing where there is no such one.
///
/// # Errors
/// Those of a write.
pub async fn resume(
    tx: &impl ConnectionTrait,
    account: &AccountId,
    id: &RequestId,
) -> Result<Option<Changed>, StoreError> {
    change(tx, account, id, &[CampaignState::Paused], CampaignState::Running, false).await
}

/// Ends a campaign before its time: calls that are under way go on to their end, no other number is
/// called. A draft and a recurring campaign are over at once. Nothing where there is no such one.
///
/// # Errors
/// Those of a write.
pub async fn cancel(
    tx: &impl ConnectionTrait,
    account: &AccountId,
    id: &RequestId,
    now: Micros,
) -> Result<Option<Changed>, StoreError> {
    let from = [CampaignState::Draft, CampaignState::Running, CampaignState::Paused];
    let changed = change(tx, account, id, &from, CampaignState::Cancelled, false).await?;
    if changed == Some(Changed::Yes) {
        withdraw_queued(tx, id, CANCELLED_RULE, now).await?;
        // Its numbers are closed in turns, but for those that nobody would have called.
        let sql = "UPDATE campaign SET finished_at = ? WHERE request_id = ? AND \
                   (cron IS NOT NULL OR started_at IS NULL)";
        let values = vec![now.0.into(), id.as_str().into()];
        tx.execute_raw(backend::statement(tx.get_database_backend(), sql, values)).await?;
        crate::requests::set_state(tx, account, id, RequestState::Cancelled).await?;
    }
    Ok(changed)
}
