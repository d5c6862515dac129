//! The jobs that run beside the calls, on apalis. It is an at-least-once wake-up here: state, retry
//! times and attempts are in our own rows, jobs carry nothing that matters, are idempotent and are
//! tried once; whatever is lost comes again with the next slot of the schedule.
//!
//! Jobs are pushed on the pool that the store keeps for this library, beside its writer: sea-orm's
//! transactions give no access to the connection that `push` wants. So a wake-up is stored just
//! after the attempt that it belongs to and not with it; [`sweep`] covers the gap.

mod call_records;
mod dead_endpoints;
mod desk;
mod exports;
mod far_wakes;
mod on_postgres;
mod on_sqlite;
mod poll_tick;
mod recordings;
mod retention;
mod schedule;
mod sweep;
pub mod tables;
mod wake_delivery;
mod worker;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use yunling_app::config::Migration;
use yunling_store::StoreError;

use call_records::CallRecords;
use dead_endpoints::DeadEndpoints;
pub(crate) use desk::Desk;
use exports::Exports;
use recordings::Recordings;
use retention::Retention;
use sweep::Sweep;
use wake_delivery::WakeDelivery;

/// The jobs, running.
#[derive(Debug)]
pub(crate) struct Jobs {
    stopping: CancellationToken,
    tasks: JoinSet<()>,
}

impl Jobs {
    /// Makes the library's tables and starts the workers and the schedule. `far` gives the instants
    /// at which deliveries are due again.
    ///
    /// # Errors
    /// [`StoreError::Schema`] where the tables cannot be made, or are behind and left to the
    /// operator.
    pub(crate) async fn start(desk: Desk, far: mpsc::Receiver<i64>) -> Result<Self, StoreError> {
        let store = desk.app().store();
        match desk.app().settings().database.migrate {
            Migration::Automatic => tables::migrate(store).await?,
            Migration::Manual => match tables::pending(store).await? {
                0 => {}
                pending => return Err(left_to_the_operator(pending)),
            },
        }
        let stopping = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(worker::work::<WakeDelivery>(desk.clone(), stopping.clone()));
        tasks.spawn(worker::work::<Sweep>(desk.clone(), stopping.clone()));
        tasks.spawn(worker::work::<Retention>(desk.clone(), stopping.clone()));
        tasks.spawn(worker::work::<Recordings>(desk.clone(), stopping.clone()));
        tasks.spawn(worker::work::<DeadEndpoints>(desk.clone(), stopping.clone()));
        tasks.spawn(worker::work::<CallRecords>(desk.clone(), stopping.clone()));
        tasks.spawn(worker::work::<Exports>(desk.clone(), stopping.clone()));
        tasks.spawn(schedule::keep::<Sweep>(desk.clone(), stopping.clone()));
        tasks.spawn(schedule::keep::<Retention>(desk.clone(), stopping.clone()));
        tasks.spawn(schedule::keep::<Recordings>(desk.clone(), stopping.clone()));
        tasks.spawn(schedule::keep::<DeadEndpoints>(desk.clone(), stopping.clone()));
        tasks.spawn(schedule::keep::<CallRecords>(desk.clone(), stopping.clone()));
        tasks.spawn(schedule::keep::<Exports>(desk.clone(), stopping.clone()));
        tasks.spawn(far_wakes::store(desk, far, stopping.clone()));
        Ok(Self { stopping, tasks })
    }

    /// Lets running jobs end for a moment, then drops them: they come again.
    pub(crate) async fn stop(mut self) {
        self.stopping.cancel();
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(worker::FINISH, ended).await.is_err() {
            tracing::warn!("jobs were dropped at the stop; they come again");
        }
        self.tasks.shutdown().await;
    }
}

fn left_to_the_operator(pending: usize) -> StoreError {
    StoreError::Schema(format!(
        "{pending} changes of the job library's tables are still to be applied, and \
         `database.migrate: manual` leaves that to the operator: run `yunling migrate --config FILE`"
    ))
}
