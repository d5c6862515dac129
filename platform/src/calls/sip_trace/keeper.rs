//! Stores the traces of conversations that are over. Beside the calls: nothing waits for it, and
//! what it cannot store in time is dropped and counted.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use yunling_app::App;
use yunling_app::sip_trace::SipTraces;
use yunling_domain::ConversationId;
use yunling_store::sip_traces::{self, NewSipTrace};
use yunling_store::{Lane, StoreError};

/// How long after a conversation's end its last messages may come: the answer to our BYE, a
/// repetition.
const LINGER: Duration = Duration::from_millis(1_500);
/// Conversations that may wait to be stored. Beyond, their traces are dropped and counted.
const QUEUE: usize = 1_024;
/// Traces of one bulk turn, each of some ten kilobytes.
const TURN: usize = 32;
/// How often one turn is tried.
const TRIES: u32 = 3;
/// How long to leave the database alone after it did not take a turn.
const RETRY: Duration = Duration::from_secs(1);

/// A conversation that is over.
struct Over {
    conversation: ConversationId,
    at: Instant,
}

/// Hands over what is to be stored. Cheap to clone.
#[derive(Clone)]
pub(in crate::calls) struct Keeper {
    traces: Arc<SipTraces>,
    queue: mpsc::Sender<Over>,
}

/// The task that stores.
pub(in crate::calls) struct Keeping {
    closing: CancellationToken,
    task: JoinHandle<()>,
}

impl Keeper {
    /// Starts the task.
    pub(in crate::calls) fn start(app: App) -> (Self, Keeping) {
        let (sender, queue) = mpsc::channel(QUEUE);
        let traces = Arc::clone(app.sip_traces());
        let closing = CancellationToken::new();
        let task = tokio::spawn(keep(app, queue, closing.clone()));
        (Self { traces, queue: sender }, Keeping { closing, task })
    }

    /// A conversation is over: the rule decides about its trace.
    pub(in crate::calls) fn ended(&self, conversation: &ConversationId, is_failure: bool) {
        if !self.traces.gathers() {
            return;
        }
        if !self.traces.rule().keeps(conversation.as_str(), is_failure) {
            return self.forget(conversation);
        }
        let over = Over { conversation: conversation.clone(), at: Instant::now() };
        if self.queue.try_send(over).is_err() {
            dropped("queue", 1);
            self.forget(conversation);
        }
    }

    /// Nothing more is to be known of a conversation.
    pub(in crate::calls) fn forget(&self, conversation: &ConversationId) {
        self.traces.take(conversation);
    }
}

impl Keeping {
    /// Stores what waits, at most for so long.
    pub(in crate::calls) async fn stop(mut self, patience: Duration) {
        self.closing.cancel();
        if tokio::time::timeout(patience, &mut self.task).await.is_err() {
            tracing::warn!("stopping before all SIP traces were stored");
            self.task.abort();
        }
    }
}

async fn keep(app: App, mut queue: mpsc::Receiver<Over>, closing: CancellationToken) {
    let mut turn = Vec::with_capacity(TURN);
    loop {
        let received = closing.run_until_cancelled(queue.recv_many(&mut turn, TURN)).await;
        if received.is_none() {
            // What waits now is all that there will be.
            queue.close();
            queue.recv_many(&mut turn, TURN).await;
        }
        let Some(last) = turn.last() else { return };
        let _hurried =
            closing.run_until_cancelled(tokio::time::sleep_until(last.at + LINGER)).await;
        let conversations = turn.drain(..).map(|over| over.conversation).collect();
        store(&app, conversations).await;
        metrics::gauge!("yunling_sip_trace_bytes").set(app.sip_traces().bytes() as f64);
    }
}

/// Stores the traces, and only then takes them out of memory: a reader finds them in either place.
async fn store(app: &App, conversations: Vec<ConversationId>) {
    let traces = Arc::clone(app.sip_traces());
    let wanted = conversations.clone();
    let packed = tokio::task::spawn_blocking(move || pack(&traces, &wanted)).await;
    let packed = packed.unwrap_or_default();
    let count = packed.len();
    for try_no in 1..=TRIES {
        let rows = packed.clone();
        let writer = app.store().writer();
        let written = writer
            .write_patiently(Lane::Bulk, move |tx| {
                Box::pin(async move { sip_traces::keep(tx, &rows).await })
            })
            .await;
        match written {
            Ok(()) => {
                metrics::counter!("yunling_sip_traces_stored_total").increment(count as u64);
                break;
            }
            Err(error) if error.is_transient() && try_no < TRIES => {
                tracing::warn!(%error, count, "SIP traces were not stored yet");
                tokio::time::sleep(RETRY).await;
            }
            Err(error) => {
                tracing::warn!(%error, count, "SIP traces were not stored");
                dropped("database", count as u64);
                break;
            }
        }
    }
    for conversation in &conversations {
        app.sip_traces().take(conversation);
    }
}

fn pack(traces: &SipTraces, conversations: &[ConversationId]) -> Vec<NewSipTrace> {
    let pack = |conversation| {
        let (account, trace) = traces.peek(conversation)?;
        match NewSipTrace::pack(account, &trace) {
            Ok(packed) => packed,
            Err::<_, StoreError>(error) => {
                tracing::error!(%error, %conversation, "a SIP trace cannot be packed");
                None
            }
        }
    };
    conversations.iter().filter_map(pack).collect()
}

fn dropped(why: &'static str, count: u64) {
    metrics::counter!("yunling_sip_trace_dropped_total", "why" => why).increment(count);
}
