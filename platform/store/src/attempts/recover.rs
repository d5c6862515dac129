use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, SimpleExpr},
};
use yunling_domain::{AccountId, ConversationId, Micros, NodeNumber};

use super::{Attempt, AttemptState, read_all};
use crate::{
    StoreError,
    entity::attempt::{Column, Entity},
};

/// Whose rows are taken for left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Orphaned {
    /// This node's: it has just started, so it holds nothing yet.
    By(NodeNumber),
    /// Those of any node whose lease had run out at this instant.
    LeaseOver(Micros),
}

/// The condition of the partial index on held rows, word for word.
fn held() -> SimpleExpr {
    Expr::cust("state IN (1, 2, 3)")
}

fn left_behind(orphaned: Orphaned) -> Condition {
    let whose = match orphaned {
        Orphaned::By(node) => Column::Node.eq(node.to_string()),
        Orphaned::LeaseOver(now) => Column::LeaseUntil.lte(now.0),
    };
    Condition::all().add(held()).add(whose)
}

/// Rows that were claimed, invited or answered when their node died, oldest first. Those without
/// `invited_at` may be [released](release) and dialled; the others are to be ended as interrupted.
///
/// # Errors
/// Those of a read.
pub async fn orphans(
    connection: &impl ConnectionTrait,
    orphaned: Orphaned,
    limit: u64,
) -> Result<Vec<Attempt>, StoreError> {
    let rows = Entity::find()
        .filter(left_behind(orphaned))
        .order_by_asc(Column::Id)
        .limit(limit)
        .all(connection)
        .await?;
    read_all(rows)
}

/// Whether a call of the account that was dialled before an instant is still under way.
///
/// # Errors
/// Those of a read.
pub async fn is_any_dialled_before(
    connection: &impl ConnectionTrait,
    account: &AccountId,
    before: Micros,
) -> Result<bool, StoreError> {
    let found = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(held())
        .filter(Column::Account.eq(account.as_str()))
        .filter(Column::InvitedAt.lt(before.0))
        .into_tuple::<i64>()
        .one(connection)
        .await?;
    Ok(found.is_some())
}

/// Every row that a node holds now: what its admission is rebuilt from.
///
/// # Errors
/// Those of a read.
pub async fn unfinished(
    connection: &impl ConnectionTrait,
    node: NodeNumber,
) -> Result<Vec<Attempt>, StoreError> {
    orphans(connection, Orphaned::By(node), u64::from(u32::MAX)).await
}

/// The conversations that a node runs and is to end ([`mark_to_end`](super::mark_to_end)).
///
/// # Errors
/// Those of a read.
pub async fn to_end(
    connection: &impl ConnectionTrait,
    node: NodeNumber,
) -> Result<Vec<(AccountId, ConversationId)>, StoreError> {
    let rows: Vec<(String, String)> = Entity::find()
        .select_only()
        .columns([Column::Account, Column::ConversationId])
        .distinct()
        .filter(left_behind(Orphaned::By(node)))
        .filter(Column::InvitedAt.is_not_null())
        .filter(Column::CancelledAt.is_not_null())
        .into_tuple()
        .all(connection)
        .await?;
    let named = |(account, id)| (AccountId::new(account), ConversationId::new(id));
    Ok(rows.into_iter().map(named).collect())
}

/// Puts claimed rows that were never invited back into the queue, due at `due_at` or when they
/// were due before, whichever is later. Gives how many; an invited one is left alone.
///
/// # Errors
/// Those of a write.
pub async fn release(
    tx: &impl ConnectionTrait,
    ids: &[i64],
    due_at: Micros,
) -> Result<u64, StoreError> {
    if ids.is_empty() {
        return Ok(0);
    }
    let later = Expr::case(Column::DueAt.lt(due_at.0), due_at.0).finally(Expr::col(Column::DueAt));
    let released = Entity::update_many()
        .col_expr(Column::State, Expr::value(AttemptState::Queued as i16))
        .col_expr(Column::Node, Expr::value(Option::<String>::None))
        .col_expr(Column::LeaseUntil, Expr::value(Option::<i64>::None))
        .col_expr(Column::DueAt, later.into())
        .filter(Column::Id.is_in(ids.iter().copied()))
        .filter(Column::State.eq(AttemptState::Claimed as i16))
        .filter(Column::InvitedAt.is_null())
        .exec(tx)
        .await?;
    Ok(released.rows_affected)
}

/// Says that the node still holds its rows. Gives how many it holds.
///
/// # Errors
/// Those of a write.
pub async fn renew_leases(
    tx: &impl ConnectionTrait,
    node: NodeNumber,
    lease_until: Micros,
) -> Result<u64, StoreError> {
    let renewed = Entity::update_many()
        .col_expr(Column::LeaseUntil, Expr::value(lease_until.0))
        .filter(left_behind(Orphaned::By(node)))
        .exec(tx)
        .await?;
    Ok(renewed.rows_affected)
}

/// Keys of rows that ended before `before`, the oldest first, at most `limit` above `above`. A read
/// of its own, because it passes over rows that stay and must not hold up the writer.
///
/// # Errors
/// Those of a read.
pub async fn ended(
    connection: &impl ConnectionTrait,
    before: Micros,
    above: i64,
    limit: u64,
) -> Result<Vec<i64>, StoreError> {
    Ok(Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::Id.gt(above))
        .filter(Column::State.eq(AttemptState::Ended as i16))
        .filter(Column::EndedAt.lt(before.0))
        .order_by_asc(Column::Id)
        .limit(limit)
        .into_tuple()
        .all(connection)
        .await?)
}

/// Deletes those of `ids` that have [ended]; their call records stay. Gives how many.
///
/// # Errors
/// Those of a write.
pub async fn purge_ended(tx: &impl ConnectionTrait, ids: &[i64]) -> Result<u64, StoreError> {
    let purged = Entity::delete_many()
        .filter(Column::Id.is_in(ids.iter().copied()))
        .filter(Column::State.eq(AttemptState::Ended as i16))
        .exec(tx)
        .await?;
    Ok(purged.rows_affected)
}
