//! Keeps batches going: queues the next numbers of each for the dispatcher, adds their results up,
//! and finishes them. Run again and again by every node that dials; it holds nothing in memory, so a
//! crash between any two steps loses and doubles nothing.

use crate::App;
use yunling_domain::batch::{self, Backlog, CANCELLED_RULE, RATE_OVER_MS};
use yunling_domain::policy::Rule;
use yunling_domain::{CallId, ConversationId, IdKind, Micros};
use yunling_store::attempts::{self, AttemptLane, NewAttempt};
use yunling_store::batches::platform_side::{LiveBatch, PARKED, add_up, finish, live, take, tally};
use yunling_store::batches::{Batch, BatchNumber, BatchState};
use yunling_store::{BULK_ROWS, Lane, StoreError};

/// Results of a batch that are added up in one turn.
const ADDED_UP_A_TURN: u32 = 2_000;

/// What was found and done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fed {
    /// Every batch that is not finished.
    pub batches: Vec<LiveBatch>,
    /// How many numbers were queued.
    pub queued: usize,
}

/// Looks at every batch, and queues what is to be queued now: one turn of the bulk lane.
///
/// # Errors
/// Those of the database; whatever was not done is done the next time.
pub async fn run(app: &App) -> Result<Fed, StoreError> {
    let batches = live(app.store().reader()).await?;
    let wants: Vec<(Batch, Backlog)> = batches
        .iter()
        .filter_map(|batch| Some((batch.batch.clone(), backlog(app, batch)?)))
        .collect();
    let backlogs: Vec<Backlog> = wants.iter().map(|(_, backlog)| backlog.clone()).collect();
    let turn = u32::try_from(BULK_ROWS).unwrap_or(u32::MAX);
    let shares = batch::shares(&backlogs, turn);
    let plan: Vec<(Batch, u32)> = wants
        .into_iter()
        .zip(shares)
        .filter(|(_, share)| *share > 0)
        .map(|((batch, _), share)| (batch, share))
        .collect();
    if plan.is_empty() {
        return Ok(Fed { batches, queued: 0 });
    }
    let queued = queue(app, plan).await?;
    if queued > 0 {
        app.poke().dispatcher();
    }
    Ok(Fed { batches, queued })
}

/// What of a batch is to be queued; nothing of one that is paused or whose account is suspended: it
/// goes on when the account does.
fn backlog(app: &App, live: &LiveBatch) -> Option<Backlog> {
    let batch = &live.batch;
    let is_cancelled = match batch.state {
        BatchState::Running => {
            let directory = app.directory();
            if directory.account(&batch.account).is_some_and(|account| account.suspended) {
                return None;
            }
            false
        }
        BatchState::Cancelled => true,
        BatchState::Loading | BatchState::Paused | BatchState::Finished => return None,
    };
    (batch.unqueued > 0).then(|| Backlog {
        account: batch.account.clone(),
        is_cancelled,
        queued: live.queued,
        left: batch.unqueued,
    })
}

async fn queue(app: &App, plan: Vec<(Batch, u32)>) -> Result<usize, StoreError> {
    let clerk = app.clone();
    app.store()
        .writer()
        .write_patiently(Lane::Bulk, move |tx| {
            Box::pin(async move {
                let mut taken = Vec::new();
                for (batch, share) in plan {
                    let numbers = take(tx, &batch, share).await?;
                    taken.push((batch, numbers.into_iter()));
                }
                let attempts = in_turns(&clerk, taken);
                if !attempts.is_empty() {
                    attempts::insert(tx, &attempts).await?;
                }
                Ok(attempts.len())
            })
        })
        .await
}

/// The first number of each batch, then the second of each…: they go out side by side.
fn in_turns(
    app: &App,
    mut taken: Vec<(Batch, std::vec::IntoIter<BatchNumber>)>,
) -> Vec<NewAttempt> {
    let now = app.clock().now();
    let mut attempts = Vec::new();
    while !taken.is_empty() {
        taken.retain_mut(|(batch, numbers)| match numbers.next() {
            Some(number) => {
                attempts.push(attempt(app, batch, number, now));
                true
            }
            None => false,
        });
    }
    attempts
}

fn attempt(app: &App, batch: &Batch, number: BatchNumber, now: Micros) -> NewAttempt {
    let is_cancelled = batch.state == BatchState::Cancelled;
    let rule = if is_cancelled { CANCELLED_RULE } else { Rule::Passed.name() };
    NewAttempt {
        call_id: CallId::new(app.ids().mint(IdKind::Call)),
        conversation_id: ConversationId::new(app.ids().mint(IdKind::Conversation)),
        request_id: batch.request_id.clone(),
        account: batch.account.clone(),
        application: batch.application.clone(),
        lane: AttemptLane::Batch,
        to_number: number.to_number,
        to_shown: number.to_shown,
        from_number: batch.from_number.clone(),
        due_at: now,
        // A batch takes as long as it takes; of a cancelled one the dispatcher only writes results.
        deadline_at: if is_cancelled { now } else { PARKED },
        rule: Some(rule.to_owned()),
        created_at: now,
    }
}

/// Adds up what is older than a batch's rate looks back, and finishes the batches whose last number
/// has its result.
///
/// # Errors
/// Those of the database; whatever was not done is done the next time.
pub async fn add_up_and_finish(app: &App, batches: &[LiveBatch]) -> Result<(), StoreError> {
    let now = app.clock().now();
    for live in batches {
        let found = tally(app.store().reader(), &live.batch.request_id, older_than(now)).await?;
        if found.is_complete || found.has_older {
            let before = if found.is_complete { Micros(i64::MAX) } else { older_than(now) };
            add_up_one(app, live, before, now).await?;
        }
    }
    Ok(())
}

/// Results from before this instant are no part of any rate.
fn older_than(now: Micros) -> Micros {
    now.plus_ms(-RATE_OVER_MS)
}

async fn add_up_one(
    app: &App,
    live: &LiveBatch,
    before: Micros,
    now: Micros,
) -> Result<(), StoreError> {
    loop {
        let id = live.batch.request_id.clone();
        let (added, finished) = app
            .store()
            .writer()
            .write_patiently(Lane::Bulk, move |tx| {
                Box::pin(async move {
                    let added = add_up(tx, &id, before, ADDED_UP_A_TURN).await?;
                    Ok((added, finish(tx, &id, now).await?))
                })
            })
            .await?;
        if finished {
            tracing::info!(request = %live.batch.request_id, "a batch is finished");
        }
        if added < u64::from(ADDED_UP_A_TURN) {
            return Ok(());
        }
    }
}
