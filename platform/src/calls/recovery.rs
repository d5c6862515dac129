//! After a start: what an earlier process of this node left behind is ended at the carrier and
//! recorded. A row that was never invited goes back into the queue; one that was is never dialled
//! again.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use tracing::Instrument;
use yunling_domain::{EndKind, Micros, Number, Termination};
use yunling_store::attempts::Attempt;
use yunling_store::attempts::platform_side::{Orphaned, orphans, release};
use yunling_store::{Lane, StoreError};
use yunling_switch_contract::{Command, DialogState, EventKind, LegId, Orphan, ReapOutcome};

use super::admission::Permit;
use super::anchor::Anchor;
use super::shell::Shell;
use super::supervision::{self, Reaped};
use super::{map, sip_trace, trunk};

/// How many orphans are ended at once.
const AT_ONCE: usize = 256;
/// How long the engine may take for one; recovery as a whole is to be done within 30 s.
const REAP_WITHIN: Duration = Duration::from_secs(12);
/// Rows read at a time; more than a node can hold.
const MOST_ORPHANS: u64 = 100_000;

/// Finds what an earlier process left behind: puts rows that were never invited back into the
/// queue, and gives the others. To be done before anything is claimed anew.
pub(super) async fn take_stock(shell: &Shell) -> Result<Vec<Interrupted>, StoreError> {
    let store = shell.app.store();
    let left = orphans(store.reader(), Orphaned::By(shell.node), MOST_ORPHANS).await?;
    let (invited, claimed): (Vec<_>, Vec<_>) =
        left.into_iter().partition(|attempt| attempt.invited_at.is_some());
    let ids: Vec<i64> = claimed.iter().map(|attempt| attempt.id).collect();
    // Due as they were: their time is long past.
    let requeued = store
        .writer()
        .write(Lane::Live, move |tx| {
            Box::pin(async move { release(tx, &ids, Micros(i64::MIN)).await })
        })
        .await?;
    if requeued > 0 || !invited.is_empty() {
        tracing::info!(requeued, interrupted = invited.len(), "recovering from an earlier run");
    }
    // Their lines are taken until the carrier has let go of them.
    let interrupted = invited.into_iter().map(|attempt| {
        let trunk = attempt.trunk.as_deref().unwrap_or_default();
        let permit = shell.admission.hold(&attempt.queued.account, trunk);
        Interrupted { attempt, permit }
    });
    Ok(interrupted.collect())
}

/// A call of an earlier process, and its share of the limits.
pub(super) struct Interrupted {
    attempt: Attempt,
    permit: Permit,
}

/// Ends every interrupted call at the carrier, and records it.
pub(super) async fn end_all(shell: &Shell, interrupted: Vec<Interrupted>) {
    stream::iter(interrupted)
        .for_each_concurrent(AT_ONCE, |Interrupted { attempt, permit }| {
            let span = tracing::info_span!(
                "recovery",
                conversation = %attempt.queued.conversation_id,
                call = %attempt.queued.call_id,
                account = %attempt.queued.account,
                trace_id = tracing::field::Empty,
                result = tracing::field::Empty,
                cause = tracing::field::Empty,
                fault = tracing::field::Empty,
            );
            async move {
                supervision::join_trace(shell, &attempt, &span).await;
                recover_one(shell, attempt, permit).instrument(span).await;
            }
        })
        .await;
}

async fn recover_one(shell: &Shell, attempt: Attempt, permit: Permit) {
    let reaped = reap(shell, &attempt).await;
    drop(permit);
    supervision::interrupted(shell, attempt, reaped).await;
}

/// Ends an orphan at the carrier; gives what the carrier said.
async fn reap(shell: &Shell, attempt: &Attempt) -> Option<Reaped> {
    let Some(orphan) = orphan(shell, attempt) else {
        tracing::warn!(
            trunk = attempt.trunk,
            "the trunk of an interrupted call is no longer configured"
        );
        return None;
    };
    let mut route = shell.routes.open();
    let anchor = Anchor::new(shell.app.clock().now());
    sip_trace::open(shell.app.sip_traces(), route.owner(), &attempt.queued, &anchor);
    let command = Command::Reap {
        leg: LegId::new(attempt.queued.call_id.as_str()),
        owner: route.owner(),
        orphan: Box::new(orphan),
    };
    if let Err(error) = shell.engine.send(command) {
        tracing::warn!(%error, "an interrupted call was not ended at the carrier");
        return None;
    }
    let told = tokio::time::timeout(REAP_WITHIN, async {
        loop {
            if let EventKind::Reaped { outcome } = route.next().await.kind {
                return outcome;
            }
        }
    });
    match told.await {
        Ok(outcome) => {
            tracing::info!(?outcome, "an interrupted call was ended");
            Some(reaped(outcome))
        }
        Err(_) => {
            tracing::warn!("the engine did not say what became of an interrupted call");
            Some(Reaped { was_up: false, termination: Termination::new(EndKind::NoReply) })
        }
    }
}

fn reaped(outcome: ReapOutcome) -> Reaped {
    let (was_up, termination) = match outcome {
        ReapOutcome::NeverAnswered(termination) | ReapOutcome::Unknown(termination) => {
            (false, termination)
        }
        ReapOutcome::Ended(termination) => (true, termination),
    };
    Reaped { was_up, termination: map::termination(&termination) }
}

fn orphan(shell: &Shell, attempt: &Attempt) -> Option<Orphan> {
    let directory = shell.app.directory();
    let dialled = directory.trunk(attempt.trunk.as_deref()?)?;
    let peer = trunk::peer(dialled);
    let dialog =
        attempt.dialog.clone().and_then(|value| serde_json::from_value::<DialogState>(value).ok());
    if let Some(dialog) = dialog {
        return Some(Orphan::Answered { peer, dialog });
    }
    let number = |stored: &str| {
        Number::parse_dialable(stored).ok().map(|number| trunk::number(&number, dialled))
    };
    Some(Orphan::Invited {
        peer,
        attempt: attempt.try_no.saturating_sub(1),
        to: number(&attempt.queued.to_number)?,
        from: number(attempt.queued.from_number.as_deref()?)?,
    })
}
