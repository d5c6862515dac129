//! One orphan's task: the shell round the reaping machine.

use std::sync::Arc;
use std::time::Instant;

use tokio::time::sleep_until;
use yunling_switch_contract::{LegId, Orphan, Owner, ReapOutcome, Termination, TerminationKind};

use super::registry::Registry;
use super::report::ReapReport;
use super::{Core, figures};
use crate::sip::authorizer::Authorizer;
use crate::sip::call::Sending;
use crate::sip::dialog::Dialog;
use crate::sip::invite::Invite;
use crate::sip::reap::{Output, Reaping};
use crate::sip::stack::Reached;

/// Ends an orphan.
pub(super) async fn run(core: Arc<Core>, leg: LegId, owner: Owner, orphan: Orphan) {
    let mut report = ReapReport::new(Arc::clone(&core), leg.clone(), owner);
    if core.registry.is_live(&leg) {
        // Fault of the platform: the leg is nobody's orphan.
        tracing::error!(%leg, "reaped while it lives");
        return;
    }
    let (peer, lot) = match &orphan {
        Orphan::Invited { peer, attempt, .. } => (peer, core.ids.of(&leg, *attempt).lot()),
        Orphan::Answered { peer, dialog } => (peer, core.ids.restored(&leg, dialog).lot()),
    };
    let Reached { target: trunk, party, .. } = match core.stack.reach(peer, lot).await {
        Ok(reached) => reached,
        Err(error) => {
            tracing::warn!(trunk = peer.name, %error, "an orphan's peer cannot be reached");
            let mut termination = Termination::new(TerminationKind::Unreachable);
            termination.text = error.to_string().chars().take(128).collect();
            return report.reaped(ReapOutcome::Unknown(termination));
        }
    };
    let (mut out, now, timers) = (Vec::new(), Instant::now(), core.timers);
    let (mut inbox, mut reaping, _followed) = match orphan {
        Orphan::Invited { peer, attempt, to, from } => {
            let invite = Invite::new(&core.ids, &leg, attempt, &peer, (&to, &from), party);
            let inbox = Registry::open_inbox(&core.registry, &invite.ids.call_id);
            let followed = core.tracer.follow(&invite.ids.call_id, owner, &leg, attempt);
            let reaping = Reaping::invited(invite, trunk, peer.credentials, timers, now, &mut out);
            (inbox, reaping, followed)
        }
        Orphan::Answered { peer, dialog } => {
            let inbox = Registry::open_inbox(&core.registry, &dialog.call_id);
            let followed = core.tracer.follow(&dialog.call_id, owner, &leg, 0);
            let ids = core.ids.restored(&leg, &dialog);
            let authorizer = Authorizer::new(peer.credentials, ids.cnonce.clone());
            let dialog = Dialog::restored(dialog, ids, party, trunk);
            let reaping = Reaping::answered(dialog, trunk, authorizer, timers, now, &mut out);
            (inbox, reaping, followed)
        }
    };
    loop {
        for output in std::mem::take(&mut out) {
            match output {
                Output::Send(Sending { bytes, hop, .. }) => {
                    if let Err(error) = core.courier.send(&bytes, &hop).await {
                        tracing::debug!(%leg, %error, "an orphan's peer cannot be reached");
                    }
                }
                Output::ForeignChallenge(source) => figures::foreign_challenge(source),
                Output::Reaped(outcome) => report.reaped(outcome),
            }
        }
        if reaping.is_over(Instant::now()) {
            break;
        }
        tokio::select! {
            Some(letter) = inbox.recv() => {
                reaping.on_message(&letter.0, letter.1, Instant::now(), &mut out);
            }
            () = sleep_until(reaping.deadline().into()) => reaping.on_time(Instant::now(), &mut out),
        }
    }
}
