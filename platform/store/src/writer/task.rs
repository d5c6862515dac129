use std::{sync::Arc, time::Duration};

use sea_orm::DatabaseConnection;
use tokio::{task::JoinHandle, time::sleep};

use super::{
    Connector,
    batch::{Batches, Connection},
    queue::Queue,
};
use crate::StoreError;

/// After a refusal, before the database is tried again: long enough not to spin, short enough that
/// nobody notices once the trouble is over.
const PAUSE: Duration = Duration::from_millis(50);

/// The running writer tasks: one on SQLite, a few on PostgreSQL.
pub(crate) struct Tasks {
    queue: Arc<Queue>,
    handles: Vec<JoinHandle<()>>,
}

impl Tasks {
    /// Starts a task for each connector. They live until [`close`](Self::close).
    pub(crate) fn start(queue: &Arc<Queue>, connectors: Vec<Connector>) -> Self {
        let handles = connectors
            .into_iter()
            .map(|connector| tokio::spawn(serve(Arc::clone(queue), connector)))
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

/// Serves the queue until it is closed and empty. No failure of the database ends it: it throws
/// the connection away, tells who waits, and begins anew.
async fn serve(queue: Arc<Queue>, connector: Connector) {
    let mut batches = Batches::new(&queue);
    let mut connection: Option<DatabaseConnection> = None;
    while queue.ready().await {
        let open = match connection.take() {
            Some(open) => open,
            None => match connector.connect().await {
                Ok(open) => open,
                Err(error) => {
                    refuse_all(&queue, &error);
                    sleep(PAUSE).await;
                    continue;
                }
            },
        };
        match batches.run_one(&open).await {
            Connection::Sound => connection = Some(open),
            Connection::Doubtful => discard(open).await,
            Connection::Refused(error) => {
                discard(open).await;
                refuse_all(&queue, &error);
                sleep(PAUSE).await;
            }
        }
    }
    if let Some(open) = connection {
        discard(open).await;
    }
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
    if let Err(error) = connection.close().await {
        tracing::warn!(%error, "closing a database connection");
    }
}
