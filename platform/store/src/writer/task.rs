use std::{sync::Arc, time::Duration};

use sea_orm::DatabaseConnection;
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

use super::{
    Connector,
    batch::{Batches, Connection, Unsettled},
    queue::Queue,
    receipt::{Fate, Receipt},
};
use crate::{StoreError, Unavailability};

/// After a refusal, before the database is tried again: long enough not to spin, short enough that
/// nobody notices once the trouble is over. Doubled with each refusal in a row, up to the second.
const PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(800);
/// How long a server is asked what became of a commit. Whoever waits for it waits so long at most.
const SETTLE_LIMIT: Duration = Duration::from_secs(60);
/// How long a connection may take to be closed in order.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);

/// The running writer tasks: one on SQLite, a few on PostgreSQL.
pub(crate) struct Tasks {
    queue: Arc<Queue>,
    handles: Vec<JoinHandle<()>>,
}

impl Tasks {
    /// Starts a task for each connector. They live until [`close`](Self::close). `step_limit` is
    /// how long a server may take to begin, undo or commit.
    pub(crate) fn start(
        queue: &Arc<Queue>,
        connectors: Vec<Connector>,
        step_limit: Option<Duration>,
    ) -> Self {
        let handles = connectors
            .into_iter()
            .map(|connector| tokio::spawn(serve(Arc::clone(queue), connector, step_limit)))
            .collect();
        Self { queue: Arc::clone(queue), handles }
    }

    /// Takes no more operations, carries out those queued, and ends.
    pub(crate) async fn close(&mut self) {
        self.queue.close();
        for handle in self.handles.drain(..) {
            if let Err(error) = handle.await {
                tracing::error!(%error, "a writer task ended badly");
            }
        }
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        // The tasks then end by themselves, after what is queued.
        self.queue.close();
    }
}

/// A connection, and whether a transaction was ever begun on it.
struct Open {
    connection: DatabaseConnection,
    is_proven: bool,
}

/// Serves the queue until it is closed and empty. No failure of the database ends it: it throws
/// the connection away, tells who waits, and begins anew.
async fn serve(queue: Arc<Queue>, connector: Connector, step_limit: Option<Duration>) {
    let mut batches = Batches::new(&queue, step_limit);
    let mut open: Option<Open> = None;
    let mut pause = PAUSE;
    while queue.ready().await {
        let Open { connection, is_proven } = match open.take() {
            Some(open) => open,
            None => match connector.connect().await {
                Ok(connection) => Open { connection, is_proven: false },
                Err(error) => {
                    refuse_all(&queue, &error);
                    rest(&mut pause).await;
                    continue;
                }
            },
        };
        match batches.run_one(&connection).await {
            Connection::Sound => {
                pause = PAUSE;
                open = Some(Open { connection, is_proven: true });
            }
            Connection::Doubtful => discard(connection).await,
            Connection::Unsettled(unsettled) => {
                discard(connection).await;
                settle(&queue, &connector, unsettled).await;
            }
            Connection::Refused(error) => {
                discard(connection).await;
                // One that worked before may have been lost while nobody wrote: nobody needs to
                // hear of it if the next one works.
                if !(is_proven && is_lost(&error)) {
                    refuse_all(&queue, &error);
                    rest(&mut pause).await;
                }
            }
        }
    }
    if let Some(Open { connection, .. }) = open {
        discard(connection).await;
    }
}

fn is_lost(error: &StoreError) -> bool {
    matches!(error, StoreError::Unavailable { reason: Unavailability::NoConnection, .. })
}

async fn rest(pause: &mut Duration) {
    sleep(*pause).await;
    *pause = (*pause * 2).min(LONGEST_PAUSE);
}

/// Finds out what became of a commit whose answer did not come, and tells. Meanwhile everybody else
/// is refused as long as the server is away.
async fn settle(queue: &Queue, connector: &Connector, unsettled: Unsettled) {
    let (receipt, seen) = (unsettled.receipt.clone(), unsettled.error.clone());
    tracing::warn!(error = %seen, "a commit was not answered; the server is asked what became of it");
    let (give_up_at, mut pause) = (Instant::now() + SETTLE_LIMIT, PAUSE);
    while Instant::now() < give_up_at {
        match fate(connector, &receipt).await {
            Ok(Fate::Committed) => return unsettled.settle(&Ok(())),
            Ok(Fate::Undone) => return unsettled.settle(&Err(seen)),
            Ok(Fate::Forgotten) => break,
            Ok(Fate::Open) => {}
            Err(error) => refuse_all(queue, &error),
        }
        rest(&mut pause).await;
    }
    tracing::error!("what became of a commit could not be found out");
    metrics::counter!("yunling_store_unsettled_commits_total").increment(1);
    let error = StoreError::unavailable(Unavailability::Unsettled, seen);
    unsettled.settle(&Err(error));
}

async fn fate(connector: &Connector, receipt: &Receipt) -> Result<Fate, StoreError> {
    let connection = connector.connect().await?;
    let asked = timeout(CLOSE_LIMIT, receipt.fate(&connection)).await;
    discard(connection).await;
    asked.unwrap_or_else(|_| {
        Err(StoreError::unavailable(Unavailability::NoConnection, "no answer from the server"))
    })
}

fn refuse_all(queue: &Queue, error: &StoreError) {
    let jobs = queue.drain();
    tracing::error!(%error, operations = jobs.len(), "the database takes no transaction");
    metrics::counter!("yunling_store_refused_transactions_total").increment(1);
    for job in jobs {
        job.operation.refuse(error.clone());
    }
}

async fn discard(connection: DatabaseConnection) {
    match timeout(CLOSE_LIMIT, connection.close()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "closing a database connection"),
        Err(_) => tracing::warn!("a database connection was dropped: it does not close"),
    }
}
