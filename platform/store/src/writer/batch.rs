//! One transaction of the writer.
use std::time::Duration;

use sea_orm::{ConnectionTrait, DatabaseConnection, DatabaseTransaction, TransactionTrait};
use tokio::{sync::OwnedSemaphorePermit, time::Instant};

use super::{
    Lane,
    operation::Done,
    queue::{Job, Queue},
    receipt::Receipt,
};
use crate::{StoreError, Unavailability, backend};

/// How many operations one transaction takes at most.
const OPERATIONS: usize = 256;
/// After this time a transaction takes no further operation, so that the first one's answer does
/// not wait for ever newer ones.
const WINDOW: Duration = Duration::from_millis(2);
/// A bulk turn waits while live operations do, but not for more transactions than this.
const BULK_PATIENCE: u32 = 8;

/// What is known of the connection after a transaction.
pub(super) enum Connection {
    /// It can be used again.
    Sound,
    /// Its state is not known: it must be thrown away.
    Doubtful,
    /// No transaction could be begun.
    Refused(StoreError),
    /// It was lost during the commit.
    Unsettled(Unsettled),
}

/// Operations of a transaction of which nobody knows whether it was committed.
pub(super) struct Unsettled {
    kept: Vec<Kept>,
    pub(super) receipt: Receipt,
    /// What was seen instead of the commit's answer.
    pub(super) error: StoreError,
}

impl Unsettled {
    /// Tells everybody what became of it.
    pub(super) fn settle(self, committed: &Result<(), StoreError>) {
        for operation in self.kept {
            operation.done.answer(committed.clone());
        }
    }
}

/// Takes what is queued, one transaction after the other.
pub(super) struct Batches<'q> {
    queue: &'q Queue,
    /// How long a server may take to begin, undo or commit; none for a file of one's own.
    step_limit: Option<Duration>,
    /// Transactions that went by while a bulk operation waited.
    bulk_waited: u32,
}

/// An operation that waits for the commit, with its place in the queue.
struct Kept {
    done: Done,
    _place: OwnedSemaphorePermit,
}

/// The savepoint that an operation is undone to. One that is missing where it should be tells that
/// the transaction was lost unnoticed.
enum Savepoint {
    /// Not set yet.
    None,
    /// Set, and nothing was written since.
    Fresh,
    /// Set before the last operation that was kept.
    Used,
}

/// What became of one operation.
enum Step {
    Kept(Kept),
    /// It failed, was undone and was answered.
    Undone,
    /// It failed, and took with it what the transaction held before (SQLite rolls back everything
    /// on some failures, a full disk among them). It was answered.
    TransactionLost(StoreError),
}

impl<'q> Batches<'q> {
    pub(super) fn new(queue: &'q Queue, step_limit: Option<Duration>) -> Self {
        Self { queue, step_limit, bulk_waited: 0 }
    }

    /// One transaction: carries out what is queued, up to the bounds above, commits and answers.
    pub(super) async fn run_one(&mut self, connection: &DatabaseConnection) -> Connection {
        let began = Instant::now();
        let limit = self.step_limit;
        let begin = connection.begin_with_options(backend::write_transaction());
        let tx = match within(limit, begin).await {
            Ok(tx) => tx,
            Err(error) => return Connection::Refused(error),
        };
        let mut live = 0;
        let mut first = self.queue.pop(Lane::Live);
        if let Some(job) = first.take_if(|_| self.queue.is_empty()) {
            return carry_out_alone(tx, job, limit).await;
        }
        let mut kept = Vec::new();
        let mut savepoint = Savepoint::None;
        while let Some(job) = first.take().or_else(|| self.next(live, began)) {
            live += 1;
            match carry_out(&tx, &mut savepoint, job, limit).await {
                Step::Kept(operation) => kept.push(operation),
                Step::Undone => {}
                Step::TransactionLost(error) => return lost(kept, &error),
            }
        }
        if let Some(job) = self.bulk_turn() {
            match carry_out(&tx, &mut savepoint, job, limit).await {
                Step::Kept(operation) => kept.push(operation),
                Step::Undone => {}
                Step::TransactionLost(error) => return lost(kept, &error),
            }
        }
        commit(tx, kept, limit).await
    }

    /// The next live operation that this transaction takes.
    fn next(&self, taken: usize, began: Instant) -> Option<Job> {
        if taken >= OPERATIONS || (taken > 0 && began.elapsed() >= WINDOW) {
            return None;
        }
        self.queue.pop(Lane::Live)
    }

    fn bulk_turn(&mut self) -> Option<Job> {
        if self.queue.waiting(Lane::Bulk) == 0 {
            self.bulk_waited = 0;
            return None;
        }
        self.bulk_waited += 1;
        if self.queue.waiting(Lane::Live) > 0 && self.bulk_waited <= BULK_PATIENCE {
            return None;
        }
        self.bulk_waited = 0;
        self.queue.pop(Lane::Bulk)
    }
}

/// With nobody else in line an operation needs no savepoint: the transaction is its own.
async fn carry_out_alone(tx: DatabaseTransaction, job: Job, limit: Option<Duration>) -> Connection {
    let Job { operation, place } = job;
    let done = operation.run(&tx).await;
    if done.failure.is_none() {
        return commit(tx, vec![Kept { done, _place: place }], limit).await;
    }
    let undone = within(limit, tx.rollback()).await;
    done.answer(Ok(()));
    if undone.is_ok() { Connection::Sound } else { Connection::Doubtful }
}

/// Carries out one of several operations behind a savepoint. The last one's savepoint is let go in
/// the same step that sets the new one, and the commit lets go the very last: a step costs more
/// than the statement does, because SQLite runs on a thread of its own.
async fn carry_out(
    tx: &DatabaseTransaction,
    savepoint: &mut Savepoint,
    job: Job,
    limit: Option<Duration>,
) -> Step {
    let Job { operation, place } = job;
    let set = match savepoint {
        Savepoint::None => "SAVEPOINT operation",
        Savepoint::Used => "RELEASE SAVEPOINT operation; SAVEPOINT operation",
        Savepoint::Fresh => "",
    };
    if !set.is_empty()
        && let Err(error) = within(limit, tx.execute_unprepared(set)).await
    {
        operation.refuse(error.clone());
        return Step::TransactionLost(error);
    }
    let done = operation.run(tx).await;
    let Some(failure) = done.failure.clone() else {
        *savepoint = Savepoint::Used;
        return Step::Kept(Kept { done, _place: place });
    };
    let undo = tx.execute_unprepared("ROLLBACK TO SAVEPOINT operation");
    let undone = within(limit, undo).await;
    done.answer(Ok(()));
    match undone {
        Ok(_) => {
            *savepoint = Savepoint::Fresh;
            Step::Undone
        }
        Err(_) => Step::TransactionLost(failure),
    }
}

async fn commit(tx: DatabaseTransaction, kept: Vec<Kept>, limit: Option<Duration>) -> Connection {
    if kept.is_empty() {
        // Everybody was refused and told so.
        let ended = within(limit, tx.rollback()).await;
        return if ended.is_ok() { Connection::Sound } else { Connection::Doubtful };
    }
    let began = Instant::now();
    let receipt = match within(limit, Receipt::of(&tx)).await {
        Ok(receipt) => receipt,
        Err(error) => return lost(kept, &error),
    };
    let committed = within(limit, tx.commit()).await;
    metrics::histogram!("yunling_store_commit_seconds").record(began.elapsed());
    metrics::histogram!("yunling_store_commit_operations").record(kept.len() as f64);
    match (committed, receipt) {
        (Ok(()), _) => {
            for operation in kept {
                operation.done.answer(Ok(()));
            }
            Connection::Sound
        }
        (Err(error), Some(receipt)) if leaves_open(&error) => {
            Connection::Unsettled(Unsettled { kept, receipt, error })
        }
        (Err(error), _) => lost(kept, &error),
    }
}

/// Whether a server may have committed all the same: its answer did not come.
fn leaves_open(error: &StoreError) -> bool {
    matches!(error, StoreError::Unavailable { reason: Unavailability::NoConnection, .. })
}

/// A server that stands still must not hold up whoever waits.
async fn within<T, E: Into<StoreError>>(
    limit: Option<Duration>,
    step: impl Future<Output = Result<T, E>>,
) -> Result<T, StoreError> {
    let Some(limit) = limit else { return step.await.map_err(Into::into) };
    match tokio::time::timeout(limit, step).await {
        Ok(outcome) => outcome.map_err(Into::into),
        Err(_) => {
            let detail = format!("no answer within {} ms", limit.as_millis());
            Err(StoreError::unavailable(Unavailability::NoConnection, detail))
        }
    }
}

/// Nothing of the transaction is kept: whoever believed to be part of it learns why.
fn lost(kept: Vec<Kept>, error: &StoreError) -> Connection {
    for operation in kept {
        operation.done.answer(Err(error.clone()));
    }
    Connection::Doubtful
}
