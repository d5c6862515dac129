//! The job library's tables in a SQLite database.

use apalis::prelude::{Task, TaskSink};
use apalis_sqlite::{Config, SqliteStorage};
use futures_util::stream;
use sqlx::SqlitePool;
use yunling_domain::Micros;

use super::desk::{BATCH, Keyed};
use super::retention::{JOBS_S, TURN, WORKERS_S};
use super::worker::Job;

/// The library's own clearing ends in a `VACUUM`, which rewrites the whole database.
const PURGE_JOBS: &str = "DELETE FROM Jobs WHERE id IN (\
    SELECT id FROM Jobs WHERE status IN ('Done', 'Failed', 'Killed') AND done_at < ?1 LIMIT ?2)";
const PURGE_WORKERS: &str = "DELETE FROM Workers WHERE last_seen < ?1 \
    AND NOT EXISTS (SELECT 1 FROM Jobs WHERE Jobs.lock_by = Workers.id)";

/// Not the library's `setup`: it would turn the syncing of the whole database off.
pub(super) async fn migrate(pool: &SqlitePool) -> Result<(), String> {
    SqliteStorage::migrations().run(pool).await.map_err(|error| error.to_string())
}

/// How many of the library's migrations are still to be applied.
pub(super) async fn pending(pool: &SqlitePool) -> Result<usize, sqlx::Error> {
    let all = SqliteStorage::migrations().iter().count();
    let history = "SELECT COUNT(*) FROM sqlite_schema WHERE name = '_sqlx_migrations'";
    if sqlx::query_scalar::<_, i64>(history).fetch_one(pool).await? == 0 {
        return Ok(all);
    }
    let applied: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM _sqlx_migrations WHERE success")
        .fetch_one(pool)
        .await?;
    Ok(all.saturating_sub(usize::try_from(applied).unwrap_or_default()))
}

/// The queue of one kind of job.
pub(super) fn storage<J: Job>(pool: &SqlitePool) -> SqliteStorage<J> {
    SqliteStorage::new(pool).with_config(Config::default().queue(J::QUEUE).batch_size(BATCH))
}

/// Pushes jobs; those whose key is there already are left out.
pub(super) async fn push<J: Job>(pool: &SqlitePool, jobs: Vec<Keyed<J>>) -> Result<(), String> {
    let tasks: Vec<Task<J>> = jobs.into_iter().map(Keyed::into_task).collect();
    let mut storage = storage::<J>(pool);
    storage.push_all(stream::iter(tasks)).await.map_err(|error| error.to_string())
}

/// Removes jobs that ended long ago and workers that are gone. Gives how many jobs.
pub(super) async fn purge(pool: &SqlitePool, now: Micros) -> Result<u64, sqlx::Error> {
    let mut purged = 0;
    loop {
        let turn = sqlx::query(PURGE_JOBS).bind(now.second() - JOBS_S).bind(TURN);
        let some = turn.execute(pool).await?.rows_affected();
        purged += some;
        if some < TURN.unsigned_abs() {
            break;
        }
    }
    sqlx::query(PURGE_WORKERS).bind(now.second() - WORKERS_S).execute(pool).await?;
    Ok(purged)
}
