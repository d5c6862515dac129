//! Puts a conversation's status callbacks into the outbox, each in a transaction of its own, in the
//! order in which they happened, beside the conversation.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use yunling_app::App;
use yunling_app::tell_status::{self, LegStatus, Listener};

/// Statuses that may wait for the database: those of every party that a conversation can have, so it
/// is never full.
const QUEUE: usize = 4 * 256;
/// How long to leave the database alone after it did not take one.
const RETRY: Duration = Duration::from_millis(200);

/// A conversation's teller.
pub(super) struct Teller {
    queue: Option<mpsc::Sender<LegStatus>>,
    writing: Option<JoinHandle<()>>,
    seq: u32,
}

impl Teller {
    /// Begins; where nobody listens nothing is told. `done` is cancelled once all is written, also
    /// where the conversation is lost.
    pub(super) fn start(
        app: App,
        listener: Option<Listener>,
        closing: CancellationToken,
        done: &CancellationToken,
    ) -> Self {
        let Some(listener) = listener else {
            done.cancel();
            return Self { queue: None, writing: None, seq: 0 };
        };
        let (queue, told) = mpsc::channel(QUEUE);
        let done = done.clone().drop_guard();
        let writing = tokio::spawn(async move {
            write(app, listener, told, closing).await;
            drop(done);
        });
        Self { queue: Some(queue), writing: Some(writing), seq: 0 }
    }

    /// The place of the next callback of the conversation.
    pub(super) fn next_seq(&mut self) -> u32 {
        let seq = self.seq;
        self.seq += 1;
        seq
    }

    /// Tells a state, in the place that is next.
    pub(super) fn tell(&mut self, status: LegStatus) {
        let status = LegStatus { seq: self.next_seq(), ..status };
        if let Some(queue) = &self.queue
            && queue.try_send(status).is_err()
        {
            tracing::error!(
                "a status callback was dropped: its queue is full or its writer is gone"
            );
        }
    }

    /// Waits until all is written, or the node may wait no longer: the next start tells what is
    /// missing.
    pub(super) async fn finish(&mut self) {
        self.queue = None;
        if let Some(writing) = self.writing.take() {
            // A panic of the writer has been logged; the record must be written all the same.
            let _ = writing.await;
        }
    }
}

async fn write(
    app: App,
    listener: Listener,
    mut told: mpsc::Receiver<LegStatus>,
    closing: CancellationToken,
) {
    while let Some(status) = told.recv().await {
        loop {
            match tell_status::run(&app, &listener, &status).await {
                Ok(_) => break,
                Err(error) if error.is_transient() => {
                    tracing::warn!(%error, "a status callback was not stored yet");
                    if closing.run_until_cancelled(tokio::time::sleep(RETRY)).await.is_none() {
                        return;
                    }
                }
                Err(error) => {
                    tracing::error!(%error, "a status callback was not stored");
                    break;
                }
            }
        }
    }
}
