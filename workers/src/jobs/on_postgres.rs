//! The job library's tables on PostgreSQL, in the schema `apalis`.

use std::time::Duration;

use apalis_postgres::{Config, PostgresStorage};
use sqlx::PgPool;
use yunling_domain::Micros;

use super::desk::{BATCH, Keyed};
use super::retention::{JOBS_S, TURN, WORKERS_S};
use super::worker::Job;

/// A worker that has not been heard of for so many heartbeats of 30 s is dead, and its jobs are
/// done by another: as on SQLite, and not after the library's five minutes.
const MISSED_HEARTBEATS: usize = 2;
const HEARTBEAT: Duration = Duration::from_secs(30);

/// The library's own statement fails as a whole where one key is there already; and a failed
/// statement is an error in the server's log, ten seconds after ten seconds.
const PUSH: &str = "INSERT INTO apalis.jobs \
    (id, job_type, job, status, attempts, max_attempts, run_at, priority, idempotency_key) \
    SELECT apalis.generate_ulid(), $1, new.job, 'Pending', 0, 1, \
        coalesce(to_timestamp(new.run_at), now()), 0, new.key \
    FROM unnest($2::bytea[], $3::bigint[], $4::text[]) AS new (job, run_at, key) \
    ON CONFLICT (job_type, idempotency_key) DO NOTHING";
const PURGE_JOBS: &str = "DELETE FROM apalis.jobs WHERE id IN (\
    SELECT id FROM apalis.jobs WHERE status IN ('Done', 'Failed', 'Killed') \
    AND done_at < to_timestamp($1) LIMIT $2)";
const PURGE_WORKERS: &str = "DELETE FROM apalis.workers WHERE last_seen < to_timestamp($1) \
    AND NOT EXISTS (SELECT 1 FROM apalis.jobs WHERE jobs.lock_by = workers.id)";

/// Needs the right to make a schema and the extension `hstore` in this database.
pub(super) async fn migrate(pool: &PgPool) -> Result<(), String> {
    PostgresStorage::migrations().run(pool).await.map_err(|error| {
        format!(
            "{error} (they need the extension hstore: its owner says `CREATE EXTENSION hstore` in \
             this database, or `GRANT CREATE ON DATABASE … TO` this user)"
        )
    })
}

/// How many of the library's migrations are still to be applied.
pub(super) async fn pending(pool: &PgPool) -> Result<usize, sqlx::Error> {
    let all = PostgresStorage::migrations().iter().count();
    let history = "SELECT to_regclass('apalis._sqlx_migrations') IS NOT NULL";
    if !sqlx::query_scalar::<_, bool>(history).fetch_one(pool).await? {
        return Ok(all);
    }
    let applied: i64 =
        sqlx::query_scalar("SELECT COUNT(*) FROM apalis._sqlx_migrations WHERE success")
            .fetch_one(pool)
            .await?;
    Ok(all.saturating_sub(usize::try_from(applied).unwrap_or_default()))
}

/// The queue of one kind of job.
pub(super) fn storage<J: Job>(pool: &PgPool) -> PostgresStorage<J> {
    let config = Config::default()
        .queue(J::QUEUE)
        .batch_size(BATCH)
        .heartbeat_interval(HEARTBEAT)
        .missed_heartbeats(MISSED_HEARTBEATS);
    PostgresStorage::new(pool).with_config(config)
}

/// Pushes jobs; those whose key is there already are left out.
pub(super) async fn push<J: Job>(pool: &PgPool, jobs: Vec<Keyed<J>>) -> Result<(), String> {
    let mut bodies = Vec::with_capacity(jobs.len());
    let mut run_at_s: Vec<Option<i64>> = Vec::with_capacity(jobs.len());
    let mut keys = Vec::with_capacity(jobs.len());
    for job in jobs {
        bodies.push(serde_json::to_vec(&job.job).map_err(|error| error.to_string())?);
        run_at_s.push(job.run_at_s.and_then(|second| i64::try_from(second).ok()));
        keys.push(job.key);
    }
    let push = sqlx::query(PUSH).bind(J::QUEUE).bind(bodies).bind(run_at_s).bind(keys);
    push.execute(pool).await.map(drop).map_err(|error| error.to_string())
}

/// Removes jobs that ended long ago and workers that are gone. Gives how many jobs.
pub(super) async fn purge(pool: &PgPool, now: Micros) -> Result<u64, sqlx::Error> {
    let mut purged = 0;
    loop {
        let turn = sqlx::query(PURGE_JOBS).bind((now.second() - JOBS_S) as f64).bind(TURN);
        let some = turn.execute(pool).await?.rows_affected();
        purged += some;
        if some < TURN.unsigned_abs() {
            break;
        }
    }
    let workers = sqlx::query(PURGE_WORKERS).bind((now.second() - WORKERS_S) as f64);
    workers.execute(pool).await?;
    Ok(purged)
}
