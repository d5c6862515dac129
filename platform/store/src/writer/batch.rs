//! One transaction of the writer.
use std::time::Duration;

use sea_orm::{ConnectionTrait, DatabaseConnection, DatabaseTransaction, TransactionTrait};
use tokio::{sync::OwnedSemaphorePermit, time::Instant};

use super::{
    Lane,
    operation::Done,
    queue::{Job, Queue},
};
use crate::{StoreError, backend};

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
}

/// Takes what is queued, one transaction after the other.
pub(super) struct Batches<'q> {
    queue: &'q Queue,
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
    pub(super) fn new(queue: &'q Queue) -> Self {
        Self { queue, bulk_waited: 0 }
    }

    /// One transaction: carries out what is queued, up to the bounds above, commits and answers.
    pub(super) async fn run_one(&mut self, connection: &DatabaseConnection) -> Connection {
        let began = Instant::now();
        let tx = match connection.begin_with_options(backend::write_transaction()).await {
            Ok(tx) => tx,
            Err(error) => return Connection::Refused(error.into()),
        };
        let mut live = 0;
        let mut first = self.queue.pop(Lane::Live);
        if let Some(job) = first.take_if(|_| self.queue.is_empty()) {
            return carry_out_alone(tx, job).await;
        }
        let mut kept = Vec::new();
        let mut savepoint = Savepoint::None;
        while let Some(job) = first.take().or_else(|| self.next(live, began)) {
            live += 1;
            match carry_out(&tx, &mut savepoint, job).await {
                Step::Kept(operation) => kept.push(operation),
                Step::Undone => {}
                Step::TransactionLost(error) => return lost(kept, &error),
            }
        }
        if let Some(job) = self.bulk_turn() {
            match carry_out(&tx, &mut savepoint, job).await {
                Step::Kept(operation) => kept.push(operation),
                Step::Undone => {}
                Step::TransactionLost(error) => return lost(kept, &error),
            }
        }
        commit(tx, kept).await
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
async fn carry_out_alone(tx: DatabaseTransaction, job: Job) -> Connection {
    let Job { operation, place } = job;
    let done = operation.run(&tx).await;
    if done.failure.is_none() {
        return commit(tx, vec![Kept { done, _place: place }]).await;
    }
    let undone = tx.rollback().await;
    done.answer(Ok(()));
    if undone.is_ok() { Connection::Sound } else { Connection::Doubtful }
}

/// Carries out one of several operations behind a savepoint. The last one's savepoint is let go in
/// the same step that sets the new one, and the commit lets go the very last: a step costs more
/// than the statement does, because SQLite runs on a thread of its own.
async fn carry_out(tx: &DatabaseTransaction, savepoint: &mut Savepoint, job: Job) -> Step {
    let Job { operation, place } = job;
    let set = match savepoint {
        Savepoint::None => "SAVEPOINT operation",
        Savepoint::Used => "RELEASE SAVEPOINT operation; SAVEPOINT operation",
        Savepoint::Fresh => "",
    };
    if !set.is_empty()
        && let Err(error) = tx.execute_unprepared(set).await
    {
        let error = StoreError::from(error);
        operation.refuse(error.clone());
        return Step::TransactionLost(error);
    }
    let done = operation.run(tx).await;
    let Some(failure) = done.failure.clone() else {
        *savepoint = Savepoint::Used;
        return Step::Kept(Kept { done, _place: place });
    };
    let undone = tx.execute_unprepared("ROLLBACK TO SAVEPOINT operation").await;
    done.answer(Ok(()));
    match undone {
        Ok(_) => {
            *savepoint = Savepoint::Fresh;
            Step::Undone
        }
        Err(_) => Step::TransactionLost(failure),
    }
}

async fn commit(tx: DatabaseTransaction, kept: Vec<Kept>) -> Connection {
    let began = Instant::now();
    let committed = tx.commit().await;
    metrics::histogram!("yunling_store_commit_seconds").record(began.elapsed());
    metrics::histogram!("yunling_store_commit_operations").record(kept.len() as f64);
    match committed {
        Ok(()) => {
            for operation in kept {
                operation.done.answer(Ok(()));
            }
            Connection::Sound
        }
        Err(error) => lost(kept, &error.into()),
    }
}

/// Nothing of the transaction is kept: whoever believed to be part of it learns why.
fn lost(kept: Vec<Kept>, error: &StoreError) -> Connection {
    for operation in kept {
        operation.done.answer(Err(error.clone()));
    }
    Connection::Doubtful
}
