//! From a batch's numbers to attempts.

use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, FromQueryResult, QueryFilter, QueryOrder,
    sea_query::Expr,
};
use yunling_domain::Micros;

use super::{Batch, BatchNumber, BatchState};
use crate::{
    StoreError,
    attempts::platform_side::release,
    backend::{self, in_time},
    entity::{
        batch::{Column, Entity},
        batch_number,
    },
};

/// When the attempts of a paused batch are due: never.
pub const PARKED: Micros = Micros(i64::MAX);

/// A batch that is not finished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveBatch {
    /// The batch.
    pub batch: Batch,
    /// Its attempts that no dispatcher has taken yet.
    pub queued: u32,
}

#[derive(FromQueryResult)]
struct Queued {
    request_id: String,
    rows: i64,
}

/// Every batch that was answered and is not finished, oldest first.
///
/// # Errors
/// Those of a read.
pub async fn live(connection: &impl ConnectionTrait) -> Result<Vec<LiveBatch>, StoreError> {
    let find = Entity::find()
        // The condition of the partial index, word for word.
        .filter(Expr::cust("finished_at IS NULL"))
        .filter(Column::State.ne(BatchState::Loading.as_str()))
        .order_by_asc(Column::CreatedAt)
        .order_by_asc(Column::RequestId);
    let rows = in_time(async { Ok(find.all(connection).await?) }).await?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let sql = "SELECT request_id, COUNT(*) AS rows FROM attempt \
               WHERE state = 0 AND lane = 2 GROUP BY request_id";
    let statement = backend::statement(connection.get_database_backend(), sql, Vec::new());
    let find = Queued::find_by_statement(statement);
    let queued = in_time(async { Ok(find.all(connection).await?) }).await?;
    rows.into_iter()
        .map(|row| {
            let rows = queued.iter().find(|one| one.request_id == row.request_id);
            let queued = rows.map_or(0, |one| u32::try_from(one.rows).unwrap_or(u32::MAX));
            Ok(LiveBatch { batch: Batch::try_from(row)?, queued })
        })
        .collect()
}

/// Takes the next numbers of a batch out, in their order, at most `limit`: in the same transaction
/// they become attempts. A batch that was paused in the meantime gives none.
///
/// # Errors
/// Those of a write.
pub async fn take(
    tx: &impl ConnectionTrait,
    batch: &Batch,
    limit: u32,
) -> Result<Vec<BatchNumber>, StoreError> {
    let id = batch.request_id.as_str();
    // Nodes that feed at the same time pass by each other's rows; SQLite has one writer.
    let next = backend::among(
        tx.get_database_backend(),
        "n",
        "SELECT n FROM batch_number WHERE request_id = ? ORDER BY n LIMIT ?",
    );
    let sql = format!(
        "DELETE FROM batch_number WHERE request_id = ? AND {next} \
         AND EXISTS (SELECT 1 FROM batch WHERE request_id = ? AND state = ?) RETURNING *"
    );
    let values =
        vec![id.into(), id.into(), i64::from(limit).into(), id.into(), batch.state.as_str().into()];
    let statement = backend::statement(tx.get_database_backend(), &sql, values);
    let mut rows = batch_number::Entity::find().from_raw_sql(statement).all(tx).await?;
    // RETURNING has no order of its own.
    rows.sort_by_key(|row| row.n);
    if !rows.is_empty() {
        let taken = i32::try_from(rows.len()).unwrap_or(i32::MAX);
        let sql = "UPDATE batch SET unqueued = unqueued - ? WHERE request_id = ?";
        let values = vec![taken.into(), id.into()];
        tx.execute_raw(backend::statement(tx.get_database_backend(), sql, values)).await?;
    }
    Ok(rows
        .into_iter()
        .map(|row| BatchNumber {
            n: row.n.unsigned_abs(),
            to_number: row.to_number,
            to_shown: row.to_shown,
        })
        .collect())
}

/// Puts claimed rows of batches that are believed to be paused back into the queue: parked where the
/// batch is paused indeed, else due at `due_at`, because it was resumed in the meantime.
///
/// # Errors
/// Those of a write.
pub async fn park(
    tx: &impl ConnectionTrait,
    ids: &[i64],
    due_at: Micros,
) -> Result<(), StoreError> {
    if ids.is_empty() {
        return Ok(());
    }
    // A node that resumes such a batch at this moment waits for the end of this transaction, and
    // then finds the rows in the queue; SQLite has one writer.
    let lock = match tx.get_database_backend() {
        DbBackend::Postgres => " FOR SHARE",
        _ => "",
    };
    let marks = vec!["?"; ids.len()].join(", ");
    let of_ids = || ids.iter().map(|id| (*id).into()).collect::<Vec<sea_orm::Value>>();
    let sql = format!(
        "SELECT request_id FROM batch WHERE state = 'paused' AND request_id IN (\
         SELECT request_id FROM attempt WHERE id IN ({marks})){lock}"
    );
    let statement = backend::statement(tx.get_database_backend(), &sql, of_ids());
    let paused = Paused::find_by_statement(statement).all(tx).await?;
    release(tx, ids, due_at).await?;
    for Paused { request_id } in paused {
        let sql = format!(
            "UPDATE attempt SET due_at = ? WHERE request_id = ? AND state = 0 AND id IN ({marks})"
        );
        let mut values = vec![PARKED.0.into(), request_id.into()];
        values.extend(of_ids());
        tx.execute_raw(backend::statement(tx.get_database_backend(), &sql, values)).await?;
    }
    Ok(())
}

#[derive(FromQueryResult)]
struct Paused {
    request_id: String,
}
