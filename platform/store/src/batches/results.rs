//! Counting a batch's results. Each is a row of its own in the transaction that ends its call, so
//! that no two calls wait for one another; the rows are added up into the batch a minute later.

use sea_orm::{ActiveValue, ConnectionTrait, EntityTrait, FromQueryResult};
use yunling_domain::batch::BatchOutcome;
use yunling_domain::{Micros, RequestId};

use super::BatchState;
use crate::{
    StoreError,
    backend::{self, in_time},
    entity::batch_result::{ActiveModel, Entity},
};

/// Notes what became of a number.
///
/// # Errors
/// Those of a write.
pub async fn note_result(
    tx: &impl ConnectionTrait,
    id: &RequestId,
    at: Micros,
    outcome: BatchOutcome,
) -> Result<(), StoreError> {
    let row = ActiveModel {
        id: ActiveValue::NotSet,
        request_id: ActiveValue::Set(id.to_string()),
        at: ActiveValue::Set(at.0),
        outcome: ActiveValue::Set(outcome as i16),
    };
    Entity::insert(row).exec_without_returning(tx).await?;
    Ok(())
}

#[derive(FromQueryResult)]
struct Taken {
    outcome: i16,
}

/// What there is to add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// There are results from before the instant that was asked about.
    pub has_older: bool,
    /// Every number has its result.
    pub is_complete: bool,
}

#[derive(FromQueryResult)]
struct Found {
    older: i64,
    lacking: i64,
}

/// Whether there is anything to add up, or to finish.
///
/// # Errors
/// Those of a read.
pub async fn tally(
    connection: &impl ConnectionTrait,
    id: &RequestId,
    before: Micros,
) -> Result<Tally, StoreError> {
    let sql = "SELECT CASE WHEN EXISTS (SELECT 1 FROM batch_result \
               WHERE request_id = ? AND at < ?) THEN 1 ELSE 0 END + CAST(0 AS BIGINT) AS older, \
               total - answered - unanswered - failed - refused - invalid - cancelled - \
               (SELECT COUNT(*) FROM batch_result WHERE request_id = ?) AS lacking \
               FROM batch WHERE request_id = ?";
    let id = id.as_str();
    let values = vec![id.into(), before.0.into(), id.into(), id.into()];
    let statement = backend::statement(connection.get_database_backend(), sql, values);
    let found = Found::find_by_statement(statement);
    let found = in_time(async { Ok(found.one(connection).await?) }).await?;
    Ok(found.map_or(Tally { has_older: false, is_complete: false }, |found| Tally {
        has_older: found.older != 0,
        is_complete: found.lacking <= 0,
    }))
}

/// Adds results from before `before` up into the batch, at most `limit` of them. Gives how many.
///
/// # Errors
/// Those of a write.
pub async fn add_up(
    tx: &impl ConnectionTrait,
    id: &RequestId,
    before: Micros,
    limit: u32,
) -> Result<u64, StoreError> {
    // Of several nodes that add up at the same time each takes rows of its own.
    let some = backend::among(
        tx.get_database_backend(),
        "id",
        "SELECT id FROM batch_result WHERE request_id = ? AND at < ? LIMIT ?",
    );
    let sql = format!("DELETE FROM batch_result WHERE {some} RETURNING outcome");
    let values = vec![id.as_str().into(), before.0.into(), i64::from(limit).into()];
    let statement = backend::statement(tx.get_database_backend(), &sql, values);
    let taken = Taken::find_by_statement(statement).all(tx).await?;
    if taken.is_empty() {
        return Ok(0);
    }
    let counts = BatchOutcome::ALL.map(|outcome| {
        let same = taken.iter().filter(|row| row.outcome == outcome as i16).count();
        i32::try_from(same).unwrap_or(i32::MAX)
    });
    let sql = "UPDATE batch SET answered = answered + ?, unanswered = unanswered + ?, \
               failed = failed + ?, refused = refused + ?, invalid = invalid + ?, \
               cancelled = cancelled + ? WHERE request_id = ?";
    let mut values: Vec<sea_orm::Value> = counts.into_iter().map(Into::into).collect();
    values.push(id.as_str().into());
    tx.execute_raw(backend::statement(tx.get_database_backend(), sql, values)).await?;
    Ok(taken.len() as u64)
}

/// Finishes a batch whose every result has been added up. Says whether it did: there may be numbers
/// or results yet to come.
///
/// # Errors
/// Those of a write.
pub async fn finish(
    tx: &impl ConnectionTrait,
    id: &RequestId,
    now: Micros,
) -> Result<bool, StoreError> {
    let sql = "UPDATE batch SET finished_at = ?, \
               state = CASE WHEN state = ? THEN state ELSE ? END \
               WHERE request_id = ? AND finished_at IS NULL AND unqueued = 0 AND \
               answered + unanswered + failed + refused + invalid + cancelled >= total";
    let values = vec![
        now.0.into(),
        BatchState::Cancelled.as_str().into(),
        BatchState::Finished.as_str().into(),
        id.as_str().into(),
    ];
    let statement = backend::statement(tx.get_database_backend(), sql, values);
    if tx.execute_raw(statement).await?.rows_affected() == 0 {
        return Ok(false);
    }
    let sql = "UPDATE request SET state = 'finished' WHERE id = ? AND state = 'accepted'";
    tx.execute_raw(backend::statement(tx.get_database_backend(), sql, vec![id.as_str().into()]))
        .await?;
    Ok(true)
}
