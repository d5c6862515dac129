//! The runs of recurring campaigns. Making one is a few turns of the bulk lane, each of which can be
//! the last before a crash: whoever feeds goes on with it.

use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter,
    QuerySelect, sea_query::Expr,
};
use yunling_domain::{AccountId, Micros, RequestId};

use super::define::{self, NewCampaign};
use super::{Campaign, CampaignState};
use crate::{
    StoreError, backend,
    entity::campaign::{self, Column, Entity},
    requests,
};

/// A run to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRun {
    /// Its identifier.
    pub id: RequestId,
    /// Which time of the recurring campaign it is.
    pub fires_at: Micros,
    /// When that comes round again.
    pub next_fire_at: Option<Micros>,
    /// Now.
    pub created_at: Micros,
}

/// Whether a run of the campaign goes on.
///
/// # Errors
/// Those of a read.
pub async fn has_unfinished_run(
    connection: &impl ConnectionTrait,
    parent: &RequestId,
) -> Result<bool, StoreError> {
    let found = Entity::find()
        .select_only()
        .column(Column::RequestId)
        .filter(Column::Parent.eq(parent.as_str()))
        .filter(Expr::cust("finished_at IS NULL"))
        .limit(1)
        .into_tuple::<String>()
        .one(connection)
        .await?;
    Ok(found.is_some())
}

/// Has a recurring campaign come round again at `next`, if it was due at `due` until now. False where
/// somebody else has done so.
///
/// # Errors
/// Those of a write.
pub async fn next_fire(
    tx: &impl ConnectionTrait,
    parent: &RequestId,
    due: Micros,
    next: Option<Micros>,
) -> Result<bool, StoreError> {
    let sql = "UPDATE campaign SET next_fire_at = ? WHERE request_id = ? AND next_fire_at = ? \
               AND state = 'running'";
    let values = vec![next.map(|at| at.0).into(), parent.as_str().into(), due.0.into()];
    let statement = backend::statement(tx.get_database_backend(), sql, values);
    Ok(tx.execute_raw(statement).await?.rows_affected() > 0)
}

/// Begins a run, once for each time. False where it was begun before.
///
/// # Errors
/// Those of a write.
pub async fn begin_run(
    tx: &impl ConnectionTrait,
    parent: &Campaign,
    run: &NewRun,
) -> Result<bool, StoreError> {
    if !next_fire(tx, &parent.id, run.fires_at, run.next_fire_at).await? {
        return Ok(false);
    }
    let request = requests::get(tx, &parent.account, &parent.id)
        .await?
        .ok_or(StoreError::NotFound("request"))?;
    let request =
        requests::NewRequest { id: run.id.clone(), created_at: run.created_at, ..request.accepted };
    requests::insert(tx, &request).await?;
    let new = NewCampaign {
        id: run.id.clone(),
        account: parent.account.clone(),
        application: parent.application.clone(),
        name: parent.name.clone(),
        rules: parent.rules.clone(),
        cron: None,
        created_at: run.created_at,
    };
    let row = campaign::ActiveModel {
        parent: Set(Some(parent.id.to_string())),
        fires_at: Set(Some(run.fires_at.0)),
        started_at: Set(Some(run.created_at.0)),
        ..define::row(&new, CampaignState::Loading)?
    };
    Entity::insert(row).exec_without_returning(tx).await?;
    define::insert_lines(tx, &run.id, &parent.rules).await?;
    Ok(true)
}

/// Ends a recurring campaign that comes round no more.
///
/// # Errors
/// Those of a write.
pub async fn end_recurring(
    tx: &impl ConnectionTrait,
    id: &RequestId,
    now: Micros,
) -> Result<(), StoreError> {
    let sql = "UPDATE campaign SET state = 'finished', finished_at = ? WHERE request_id = ? \
               AND cron IS NOT NULL AND next_fire_at IS NULL AND state = 'running'";
    let values = vec![now.0.into(), id.as_str().into()];
    tx.execute_raw(backend::statement(tx.get_database_backend(), sql, values)).await?;
    Ok(())
}

#[derive(FromQueryResult)]
struct Copied {
    last: Option<i32>,
}

/// Copies some more of the recurring campaign's numbers into a run that is being made, at most
/// `limit`. Gives how many; 0 when all are there.
///
/// # Errors
/// Those of a write.
pub async fn copy_entries(
    tx: &impl ConnectionTrait,
    run: &RequestId,
    parent: &RequestId,
    limit: u32,
) -> Result<u64, StoreError> {
    let sql = "SELECT MAX(n) AS last FROM campaign_number WHERE request_id = ?";
    let values = vec![run.as_str().into()];
    let statement = backend::statement(tx.get_database_backend(), sql, values);
    let copied = Copied::find_by_statement(statement).one(tx).await?;
    let last = copied.and_then(|copied| copied.last).unwrap_or(-1);
    // The run's identifier is a parameter among columns: without the cast PostgreSQL cannot tell its
    // type.
    let sql = "INSERT INTO campaign_number (request_id, n, to_number, to_shown, variables, \
               userdata, area, state, due_at, busy, no_answer, failed, unconfirmed, calls) \
               SELECT CAST(? AS VARCHAR), n, to_number, to_shown, variables, userdata, area, \
               0, 0, 0, 0, 0, 0, 0 FROM campaign_number WHERE request_id = ? AND n > ? \
               AND EXISTS (SELECT 1 FROM campaign WHERE request_id = ? AND state = 'loading') \
               ORDER BY n LIMIT ?";
    let values = vec![
        run.as_str().into(),
        parent.as_str().into(),
        last.into(),
        run.as_str().into(),
        i64::from(limit).into(),
    ];
    let statement = backend::statement(tx.get_database_backend(), sql, values);
    Ok(tx.execute_raw(statement).await?.rows_affected())
}

/// The last step: the run has all its numbers, and runs.
///
/// # Errors
/// Those of a write.
pub async fn finish_copy(
    tx: &impl ConnectionTrait,
    account: &AccountId,
    run: &RequestId,
) -> Result<(), StoreError> {
    let sql = "UPDATE campaign SET state = 'running', total = (SELECT COUNT(*) \
               FROM campaign_number WHERE request_id = ?) \
               WHERE request_id = ? AND account = ? AND state = 'loading'";
    let values = vec![run.as_str().into(), run.as_str().into(), account.as_str().into()];
    tx.execute_raw(backend::statement(tx.get_database_backend(), sql, values)).await?;
    Ok(())
}
