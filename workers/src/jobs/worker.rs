//! One worker a kind of job: started again whenever it ends, whatever the reason.

use std::time::Duration;

use apalis::prelude::{BackendExt, BoxDynError, Data, WorkerBuilder, WorkerError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;
use yunling_store::{JobPool, StoreError};

use super::desk::Desk;
use super::poll_tick::PollTick;
use super::{on_postgres, on_sqlite};

/// How long running jobs may go on at the stop.
pub(crate) const FINISH: Duration = Duration::from_secs(5);
/// A worker ends at any failure of the database. It is started again after this time, and not at
/// once as the library's monitor would: that spins while the disk is full.
const START_AGAIN: Duration = Duration::from_secs(1);

/// A kind of job.
pub(crate) trait Job: Serialize + DeserializeOwned + Send + Sync + Unpin + 'static {
    /// The queue's name, as stored.
    const QUEUE: &'static str;
    /// How often its worker asks for jobs.
    const POLL: Duration;

    /// Does it. It may be done twice.
    fn run(self, desk: Desk) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Works until `stopping`.
pub(crate) async fn work<J: Job>(desk: Desk, stopping: CancellationToken) {
    while !stopping.is_cancelled() {
        let builder = WorkerBuilder::new(worker_name(&desk, J::QUEUE));
        let tick = PollTick::new(J::POLL);
        let stop = stopping.clone();
        let stopped = async move {
            stop.cancelled().await;
            Ok::<(), WorkerError>(())
        };
        let ended = match desk.pool() {
            JobPool::Sqlite(pool) => {
                let storage = on_sqlite::storage::<J>(pool).poll_with_strategy(tick);
                let worker = builder.backend(storage).data(desk.clone()).build(run::<J>);
                worker.run_until(stopped).await
            }
            JobPool::Postgres(pool) => {
                let storage = on_postgres::storage::<J>(pool).poll_with_strategy(tick);
                let worker = builder.backend(storage).data(desk.clone()).build(run::<J>);
                worker.run_until(stopped).await
            }
        };
        if let Err(error) = ended {
            tracing::warn!(queue = J::QUEUE, %error, "a worker ended; it is started again");
            metrics::counter!("yunling_job_workers_restarted_total", "queue" => J::QUEUE)
                .increment(1);
        }
        // Stopped meanwhile: no need to wait.
        let _ = stopping.run_until_cancelled(tokio::time::sleep(START_AGAIN)).await;
    }
}

/// Under one name a second start would be taken for the first, and its jobs for orphans.
fn worker_name(desk: &Desk, queue: &str) -> String {
    let mut bytes = [0; 8];
    desk.app().random().fill(&mut bytes);
    format!("{queue}-{:016x}", u64::from_le_bytes(bytes))
}

/// In a task of its own: a panic that reached the library would leave the job "Running" for ever.
async fn run<J: Job>(job: J, desk: Data<Desk>) -> Result<(), BoxDynError> {
    let desk = desk.0.clone();
    let outcome = tokio::spawn(async move { job.run(desk).await }).await;
    let (told, result) = match outcome {
        Ok(Ok(())) => ("done", Ok(())),
        Ok(Err(error)) => {
            tracing::warn!(queue = J::QUEUE, %error, "a job failed; it comes again with its schedule");
            ("failed", Err(error.into()))
        }
        Err(error) => {
            tracing::error!(queue = J::QUEUE, %error, "a job panicked");
            ("panicked", Err(error.into()))
        }
    };
    metrics::counter!("yunling_jobs_total", "queue" => J::QUEUE, "outcome" => told).increment(1);
    result
}
