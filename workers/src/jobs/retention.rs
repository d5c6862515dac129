//! Removes what has served its time, and refreshes the planner's statistics.

use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use yunling_domain::Micros;
use yunling_store::{
    BULK_ROWS, DatabaseTransaction, JobPool, Lane, StoreError, attempts, endpoints, idempotency,
    sip_traces, trace_contexts,
};

use super::desk::Desk;
use super::schedule::Recurring;
use super::worker::Job;
use super::{on_postgres, on_sqlite};

/// How long the answer to an `Idempotency-Key` is kept (RESOLUTIONS.md).
const IDEMPOTENCY_MS: i64 = 24 * 3_600 * 1_000;
/// How long attempts that have ended are kept, and endpoints that nothing refers to. Call records
/// stay.
const WEEK_MS: i64 = 7 * DAY_MS;
const DAY_MS: i64 = 24 * 3_600 * 1_000;
/// Endpoints that are deleted in one turn: for each of them the database looks for deliveries.
const ENDPOINTS_A_TURN: u32 = 20;
/// How long jobs that have ended are kept: longer than the longest slot of a schedule, whose keys
/// they hold.
pub(super) const JOBS_S: i64 = 2 * 3_600;
/// How long workers that are gone are kept.
pub(super) const WORKERS_S: i64 = 24 * 3_600;
/// Jobs that are removed in one turn.
pub(super) const TURN: i64 = BULK_ROWS as i64;

/// Carries nothing.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Retention {}

impl Recurring for Retention {
    const EVERY_S: u32 = 3_600;
}

impl Job for Retention {
    const QUEUE: &'static str = "retention";
    const POLL: Duration = Duration::from_secs(1);

    async fn run(self, desk: Desk) -> Result<(), StoreError> {
        let now = desk.app().clock().now();
        let keys = purge_idempotency(&desk, now.plus_ms(-IDEMPOTENCY_MS)).await?;
        let week_ago = now.plus_ms(-WEEK_MS);
        let attempts = purge_attempts(&desk, week_ago).await?;
        let endpoints = purge_endpoints(&desk, week_ago).await?;
        let keep_days = i64::from(desk.app().settings().sip_trace.keep_days);
        let sip_traces =
            purge_in_turns(&desk, now.plus_ms(-keep_days * DAY_MS), |tx, before, turn| {
                Box::pin(sip_traces::platform_side::purge(tx, before, turn))
            })
            .await?;
        let contexts = purge_in_turns(&desk, week_ago, |tx, before, turn| {
            Box::pin(trace_contexts::platform_side::purge(tx, before, turn))
        })
        .await?;
        let jobs = purge_jobs(&desk, now).await?;
        // SQLite scans tables that it has an index for, until it has seen some of their rows.
        desk.app().store().analyze().await?;
        tracing::info!(
            keys,
            attempts,
            endpoints,
            sip_traces,
            contexts,
            jobs,
            "what had served its time was removed"
        );
        Ok(())
    }
}

/// In bulk turns, so that no call waits for it.
async fn purge_idempotency(desk: &Desk, before: Micros) -> Result<u64, StoreError> {
    let mut purged = 0;
    loop {
        let turn = u32::try_from(BULK_ROWS).unwrap_or(u32::MAX);
        let writer = desk.app().store().writer();
        let some = writer
            .write_patiently(Lane::Bulk, move |tx| {
                Box::pin(async move { idempotency::platform_side::purge(tx, before, turn).await })
            })
            .await?;
        purged += some;
        if some < u64::from(turn) {
            return Ok(purged);
        }
    }
}

/// Rows of one kind that are deleted by age.
type Purge =
    for<'t> fn(&'t DatabaseTransaction, Micros, u32) -> BoxFuture<'t, Result<u64, StoreError>>;

async fn purge_in_turns(desk: &Desk, before: Micros, purge: Purge) -> Result<u64, StoreError> {
    let mut purged = 0;
    loop {
        let turn = u32::try_from(BULK_ROWS).unwrap_or(u32::MAX);
        let writer = desk.app().store().writer();
        let some = writer.write_patiently(Lane::Bulk, move |tx| purge(tx, before, turn)).await?;
        purged += some;
        if some < u64::from(turn) {
            return Ok(purged);
        }
    }
}

async fn purge_attempts(desk: &Desk, before: Micros) -> Result<u64, StoreError> {
    let store = desk.app().store();
    let (mut purged, mut above) = (0, 0);
    loop {
        let turn = BULK_ROWS as u64;
        let ids = attempts::platform_side::ended(store.reader(), before, above, turn).await?;
        let Some(last) = ids.last() else { return Ok(purged) };
        above = *last;
        purged += store
            .writer()
            .write_patiently(Lane::Bulk, move |tx| {
                Box::pin(async move { attempts::platform_side::purge_ended(tx, &ids).await })
            })
            .await?;
    }
}

async fn purge_endpoints(desk: &Desk, before: Micros) -> Result<u64, StoreError> {
    let mut purged = 0;
    loop {
        let turn = ENDPOINTS_A_TURN;
        let writer = desk.app().store().writer();
        let some = writer
            .write_patiently(Lane::Bulk, move |tx| {
                Box::pin(
                    async move { endpoints::platform_side::purge_idle(tx, before, turn).await },
                )
            })
            .await?;
        purged += some;
        if some < u64::from(turn) {
            return Ok(purged);
        }
    }
}

async fn purge_jobs(desk: &Desk, now: Micros) -> Result<u64, StoreError> {
    let purged = match desk.pool() {
        JobPool::Sqlite(pool) => on_sqlite::purge(pool, now).await,
        JobPool::Postgres(pool) => on_postgres::purge(pool, now).await,
    };
    purged.map_err(|error| StoreError::Statement(format!("the job library's tables: {error}")))
}
