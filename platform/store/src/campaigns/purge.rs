//! Campaigns whose time is over: their rows go in turns, the request last.

use sea_orm::{ConnectionTrait, FromQueryResult};
use yunling_domain::{AccountId, Micros, RequestId};

use crate::{StoreError, backend, deliveries::DeliveryState};

#[derive(FromQueryResult)]
struct Old {
    request_id: String,
}

/// The account's campaigns that were over before `before`, at most `limit`, behind `after` in the
/// order of their identifiers.
///
/// # Errors
/// Those of a read.
pub async fn finished_before(
    connection: &impl ConnectionTrait,
    account: &AccountId,
    before: Micros,
    after: Option<&RequestId>,
    limit: u32,
) -> Result<Vec<RequestId>, StoreError> {
    let sql = "SELECT request_id FROM campaign WHERE account = ? AND finished_at < ? \
               AND request_id > ? ORDER BY request_id LIMIT ?";
    let values = vec![
        account.as_str().into(),
        before.0.into(),
        after.map_or("", RequestId::as_str).into(),
        i64::from(limit).into(),
    ];
    let statement = backend::statement(connection.get_database_backend(), sql, values);
    let rows = Old::find_by_statement(statement).all(connection).await?;
    Ok(rows.into_iter().map(|row| RequestId::new(row.request_id)).collect())
}

/// Deletes some rows of a campaign that is over: its numbers, the rows that were not taken, its
/// calls, at most `limit` of one kind. Gives how many; 0 when none is left.
///
/// # Errors
/// Those of a write.
pub async fn purge_rows(
    tx: &impl ConnectionTrait,
    account: &AccountId,
    id: &RequestId,
    limit: u32,
) -> Result<u64, StoreError> {
    let parts =
        [("campaign_number", "n"), ("campaign_rejected", "line"), ("campaign_call", "call_id")];
    for (table, key) in parts {
        let sql = format!(
            "DELETE FROM {table} WHERE request_id = ? AND {key} IN (\
             SELECT {key} FROM {table} WHERE request_id = ? LIMIT ?) AND EXISTS (\
             SELECT 1 FROM campaign WHERE request_id = ? AND account = ? \
             AND finished_at IS NOT NULL)"
        );
        let of = || sea_orm::Value::from(id.as_str());
        let values = vec![of(), of(), i64::from(limit).into(), of(), account.as_str().into()];
        let statement = backend::statement(tx.get_database_backend(), &sql, values);
        let gone = tx.execute_raw(statement).await?.rows_affected();
        if gone > 0 {
            return Ok(gone);
        }
    }
    Ok(0)
}

/// The last step: the campaign itself, with its request and what told that it was over. While call
/// records or attempts still refer to the request nothing goes: false.
///
/// # Errors
/// Those of a write.
pub async fn purge(
    tx: &impl ConnectionTrait,
    account: &AccountId,
    id: &RequestId,
) -> Result<bool, StoreError> {
    let backend = tx.get_database_backend();
    let sql = "DELETE FROM request WHERE id = ? AND account = ? \
               AND NOT EXISTS (SELECT 1 FROM attempt WHERE attempt.request_id = request.id) \
               AND NOT EXISTS (SELECT 1 FROM \"call\" AS c \
                               WHERE c.account = request.account AND c.request_id = request.id)";
    let values = vec![id.as_str().into(), account.as_str().into()];
    let gone = tx.execute_raw(backend::statement(backend, sql, values)).await?.rows_affected();
    if gone == 0 {
        return Ok(false);
    }
    for sql in [
        "DELETE FROM campaign_line WHERE request_id = ?",
        "DELETE FROM campaign WHERE request_id = ?",
    ] {
        tx.execute_raw(backend::statement(backend, sql, vec![id.as_str().into()])).await?;
    }
    let sql = "DELETE FROM delivery WHERE id = ? AND account = ? AND state <> ?";
    let pending = DeliveryState::Pending as i16;
    let values = vec![format!("msg_{id}").into(), account.as_str().into(), pending.into()];
    tx.execute_raw(backend::statement(backend, sql, values)).await?;
    Ok(true)
}
