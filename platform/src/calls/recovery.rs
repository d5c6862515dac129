//! After a start: what an earlier process of this node left behind is ended at the carrier and
//! recorded. A row that was never invited goes back into the queue; one that was is never dialled
//! again.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use tracing::Instrument;
use yunling_domain::{CallId, ConversationId, EndKind, Micros, Number, Termination};
use yunling_store::attempts::platform_side::{Orphaned, orphans, release};
use yunling_store::attempts::{Attempt, AttemptLane};
use yunling_store::{Lane, StoreError};
use yunling_switch_contract::{Command, DialogState, EventKind, LegId, Orphan, Owner, ReapOutcome};

use super::admission::Permit;
use super::anchor::Anchor;
use super::shell::Shell;
use super::supervision::{self, Reaped};
use super::{map, sip_trace, talk, trunk};

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
    let mut interrupted: Vec<Interrupted> = Vec::new();
    let mut talks: HashMap<ConversationId, usize> = HashMap::new();
    for attempt in invited {
        let trunk = attempt.trunk.as_deref().unwrap_or_default();
        let permit = shell.admission.hold(&attempt.queued.account, trunk);
        if attempt.queued.lane == AttemptLane::Talk {
            let next = interrupted.len();
            let place = *talks.entry(attempt.queued.conversation_id.clone()).or_insert(next);
            if let Some(of_its_conversation) = interrupted.get_mut(place) {
                of_its_conversation.legs.push((attempt, permit));
                continue;
            }
        }
        interrupted.push(Interrupted { legs: vec![(attempt, permit)] });
    }
    Ok(interrupted)
}

/// The calls of a conversation of an earlier process, at least one, and their shares of the limits.
pub(super) struct Interrupted {
    legs: Vec<(Attempt, Permit)>,
}

/// Ends every interrupted call at the carrier, and records its conversation.
pub(super) async fn end_all(shell: &Shell, interrupted: Vec<Interrupted>) {
    stream::iter(interrupted)
        .for_each_concurrent(AT_ONCE, |Interrupted { legs }| async move {
            let Some((first, _)) = legs.first() else { return };
            let span = tracing::info_span!(
                "recovery",
                conversation = %first.queued.conversation_id,
                call = %first.queued.call_id,
                account = %first.queued.account,
                trace_id = tracing::field::Empty,
                result = tracing::field::Empty,
                cause = tracing::field::Empty,
                fault = tracing::field::Empty,
            );
            supervision::join_trace(shell, first, &span).await;
            recover_one(shell, legs).instrument(span).await;
        })
        .await;
}

async fn recover_one(shell: &Shell, legs: Vec<(Attempt, Permit)>) {
    let (mut legs, permits): (Vec<_>, Vec<_>) = legs.into_iter().unzip();
    let mut told = reap(shell, &legs).await;
    drop(permits);
    let first = legs.swap_remove(0);
    match first.queued.lane {
        AttemptLane::Talk => talk::interrupted(shell, first, told).await,
        AttemptLane::Captcha | AttemptLane::Notice | AttemptLane::Batch => {
            let reaped = told.pop().and_then(|(_, reaped)| reaped);
            supervision::interrupted(shell, first, reaped).await;
        }
    }
}

/// Ends the orphans of one conversation at the carrier; gives what the carrier said of each. Those
/// that had left their conversation before are over.
async fn reap(shell: &Shell, legs: &[Attempt]) -> Vec<(CallId, Option<Reaped>)> {
    let mut told: Vec<(CallId, Option<Reaped>)> =
        legs.iter().map(|attempt| (attempt.queued.call_id.clone(), None)).collect();
    let Some(first) = legs.first() else { return told };
    let mut route = shell.routes.open();
    let anchor = Anchor::new(shell.app.clock().now());
    sip_trace::open(shell.app.sip_traces(), route.owner(), &first.queued, &anchor);
    let mut awaited = 0;
    for (attempt, (_, reaped)) in legs.iter().zip(&mut told) {
        if attempt.ended_at.is_some() {
            continue;
        }
        match send_reap(shell, attempt, route.owner()) {
            Ok(()) => awaited += 1,
            // Nobody knows what became of it: it was up for as long as its node was.
            Err(termination) => *reaped = Some(Reaped { was_up: false, termination }),
        }
    }
    let all_told = async {
        while awaited > 0 {
            let event = route.next().await;
            if let EventKind::Reaped { outcome } = event.kind {
                awaited -= 1;
                tracing::info!(leg = %event.leg, ?outcome, "an interrupted call was ended");
                let leg = told.iter_mut().find(|(call, _)| call.as_str() == event.leg.as_str());
                if let Some((_, reaped)) = leg {
                    *reaped = Some(self::reaped(outcome));
                }
            }
        }
    };
    if tokio::time::timeout(REAP_WITHIN, all_told).await.is_err() {
        tracing::warn!("the engine did not say what became of an interrupted call");
        let asked = legs.iter().map(|attempt| attempt.ended_at.is_none());
        let silent =
            told.iter_mut().zip(asked).filter(|((_, reaped), asked)| *asked && reaped.is_none());
        for ((_, reaped), _) in silent {
            let termination = Termination::new(EndKind::NoReply);
            *reaped = Some(Reaped { was_up: false, termination });
        }
    }
    told
}

/// Asks the engine to end an orphan, which it will tell of; where it cannot be asked, gives what is
/// said of the call instead.
fn send_reap(shell: &Shell, attempt: &Attempt, owner: Owner) -> Result<(), Termination> {
    let unreachable = |text: String| Termination { text, ..Termination::new(EndKind::Unreachable) };
    let Some(orphan) = orphan(shell, attempt) else {
        tracing::warn!(
            trunk = attempt.trunk,
            "the trunk of an interrupted call is no longer configured"
        );
        return Err(unreachable("its trunk is no longer configured".to_owned()));
    };
    let leg = LegId::new(attempt.queued.call_id.as_str());
    let command = Command::Reap { leg, owner, orphan: Box::new(orphan) };
    shell.engine.send(command).map_err(|error| {
        tracing::warn!(%error, "an interrupted call was not ended at the carrier");
        unreachable(error.to_string())
    })
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
