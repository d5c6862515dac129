//! Ending what an earlier process left behind: a pure machine beside [`super::call`], fed in the
//! same way. [`Output::Reaped`] comes exactly once; the machine lives on behind it until 64·T1 to
//! acknowledge and end what answers late.

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::ops::Range;
use std::time::Instant;

use bytes::Bytes;
use yunling_switch_contract::{
    Credentials, HangUpWhy, ReapOutcome, SessionTimer, Termination, TerminationKind,
};

use super::authorizer::{Authorizer, MOST_SENDINGS, Tries};
use super::call::{Hop, MOST_RAISES, Purpose, Sending, is_foreign_challenge, termination_of};
use super::compose::Composer;
use super::dialog::Dialog;
use super::fields::reason::of_hang_up;
use super::invite::Invite;
use super::stack::{Message, Method, Start, Target};
use super::timers::Timers;
use super::transaction::{ClientTransaction, Due};

/// What the shell carries out.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Output {
    Send(Sending),
    /// Somebody who is not the trunk asked for its password: to be counted.
    ForeignChallenge(SocketAddr),
    /// Once.
    Reaped(ReapOutcome),
}

/// See the module's head.
#[derive(Debug)]
pub(crate) struct Reaping {
    trunk: Target,
    timers: Timers,
    authorizer: Authorizer,
    tries: Tries,
    /// Absent if the leg had been answered.
    invite: Option<Invite>,
    /// INVITEs of the earlier process that may be pending: its first, and those that answered
    /// challenges.
    cancels: Vec<Cancelling>,
    /// CSeqs that are cancelled too if nobody knows those: of INVITEs that asked for a longer
    /// session, which is rare.
    later: Range<u32>,
    bye: Option<Byeing>,
    tag: String,
    report_at: Instant,
    over_at: Instant,
    reported: bool,
}

#[derive(Debug)]
struct Cancelling {
    cseq: u32,
    transaction: Option<ClientTransaction>,
    /// The CANCEL found nothing (481).
    unknown: bool,
    /// The INVITE ended with a demand for another one.
    challenged: bool,
}

#[derive(Debug)]
struct Byeing {
    dialog: Dialog,
    transaction: Option<ClientTransaction>,
    /// Reported when the BYE is answered.
    outcome: ReapOutcome,
}

impl Reaping {
    /// Cancels an INVITE that may be pending.
    pub(crate) fn invited(
        invite: Invite,
        trunk: Target,
        credentials: Option<Credentials>,
        timers: Timers,
        now: Instant,
        out: &mut Vec<Output>,
    ) -> Self {
        // A challenged INVITE was repeated with the next CSeq, if there was a password. Which one is
        // pending is not known: a CANCEL for nothing does no harm.
        let first = if credentials.is_some() { MOST_SENDINGS } else { 1 };
        let raises = if invite.session_timer == SessionTimer::Off { 0 } else { MOST_RAISES };
        let tag = invite.ids.tag.clone();
        let authorizer = Authorizer::new(credentials, invite.ids.cnonce.clone());
        let mut reaping = Self::new(Some(invite), tag, (authorizer, trunk, timers), now);
        reaping.send_cancels(1..first + 1, now, out);
        reaping.later = first + 1..first + 1 + raises;
        reaping
    }

    fn send_cancels(&mut self, cseqs: Range<u32>, now: Instant, out: &mut Vec<Output>) {
        let Some(invite) = &self.invite else { return };
        let reason = of_hang_up(HangUpWhy::PlatformFault);
        for cseq in cseqs {
            let request = invite.cancel(cseq, Some(reason));
            out.push(sending(request.clone(), Hop::Known(self.trunk)));
            let transaction =
                ClientTransaction::other(request, self.trunk.is_reliable(), &self.timers, now);
            let transaction = Some(transaction);
            self.cancels.push(Cancelling { cseq, transaction, unknown: false, challenged: false });
        }
    }

    /// Ends a stored dialog with BYE.
    pub(crate) fn answered(
        dialog: Dialog,
        trunk: Target,
        authorizer: Authorizer,
        timers: Timers,
        now: Instant,
        out: &mut Vec<Output>,
    ) -> Self {
        let tag = dialog.state().local_tag.clone();
        let mut reaping = Self::new(None, tag, (authorizer, trunk, timers), now);
        let outcome = ReapOutcome::Ended(Termination::new(TerminationKind::LocalBye));
        reaping.send_bye(dialog, outcome, now, out);
        reaping
    }

    fn new(
        invite: Option<Invite>,
        tag: String,
        (authorizer, trunk, timers): (Authorizer, Target, Timers),
        now: Instant,
    ) -> Self {
        Self {
            trunk,
            authorizer,
            tries: Tries::default(),
            invite,
            cancels: Vec::new(),
            later: 0..0,
            bye: None,
            tag,
            report_at: now + timers.reap,
            over_at: now + timers.t1x64(),
            timers,
            reported: false,
        }
    }

    /// Nothing is left to be done.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        self.reported && now >= self.over_at
    }

    /// When [`Reaping::on_time`] wants to be called next.
    pub(crate) fn deadline(&self) -> Instant {
        let report = (!self.reported).then_some(self.report_at);
        self.transactions()
            .filter_map(ClientTransaction::deadline)
            .chain(report)
            .fold(self.over_at, Instant::min)
    }

    fn transactions(&self) -> impl Iterator<Item = &ClientTransaction> {
        let bye = self.bye.as_ref().and_then(|bye| bye.transaction.as_ref());
        self.cancels.iter().filter_map(|cancel| cancel.transaction.as_ref()).chain(bye)
    }

    /// A message with the orphan's Call-ID.
    pub(crate) fn on_message(
        &mut self,
        message: &Message,
        back: Target,
        now: Instant,
        out: &mut Vec<Output>,
    ) {
        let status = match message.start() {
            Start::Request(method) => return self.on_request(message, *method, back, out),
            Start::Response { status, .. } => *status,
        };
        if is_foreign_challenge(status, back, self.trunk) && self.authorizer.has_password() {
            out.push(Output::ForeignChallenge(back.address));
            return;
        }
        match message.cseq_method() {
            Method::Invite => self.on_invite_response(message, status, now, out),
            Method::Cancel if status >= 200 => self.on_cancel_response(message, status, now, out),
            Method::Bye if status >= 200 => self.on_bye_response(message, status, now, out),
            _ => {}
        }
    }

    /// Runs the timers that are due.
    pub(crate) fn on_time(&mut self, now: Instant, out: &mut Vec<Output>) {
        for cancel in &mut self.cancels {
            if let Some(transaction) = &mut cancel.transaction
                && transaction.on_time(&self.timers, now) == Due::Resend
            {
                out.push(sending(transaction.request().clone(), Hop::Known(self.trunk)));
            }
        }
        if let Some(bye) = &mut self.bye
            && let Some(transaction) = &mut bye.transaction
            && transaction.on_time(&self.timers, now) == Due::Resend
        {
            let hop = bye.dialog.hop();
            out.push(sending(transaction.request().clone(), hop));
        }
        if now >= self.report_at {
            let outcome = match &self.bye {
                // Its 200 came to us, so it had been answered whatever becomes of the BYE.
                Some(bye) if self.invite.is_some() => bye.outcome.clone(),
                _ => self.unknown(),
            };
            self.report(outcome, out);
        }
    }

    fn on_invite_response(
        &mut self,
        response: &Message,
        status: u16,
        now: Instant,
        out: &mut Vec<Output>,
    ) {
        let Some(invite) = self.invite.as_ref().filter(|invite| invite.owns(response)) else {
            return;
        };
        match status {
            ..200 => {}
            200..300 => {
                let dialog = Dialog::of_answer(invite, response, self.trunk);
                let hop = dialog.hop();
                out.push(sending(dialog.ack(response.cseq(), &[]), hop));
                let kind = TerminationKind::CancelledAfterAnswer;
                let outcome = ReapOutcome::Ended(termination_of(kind, response));
                if self.bye.is_none() {
                    for cancel in &mut self.cancels {
                        cancel.transaction = None;
                    }
                    self.send_bye(dialog, outcome, now, out);
                }
            }
            _ => {
                out.push(sending(invite.ack_of_failure(response), Hop::Known(self.trunk)));
                let has_successor = match status {
                    401 | 407 => self.authorizer.has_password(),
                    422 => true,
                    _ => false,
                };
                let known = self.cancels.iter().map(|cancel| cancel.cseq).max();
                let is_last = known == Some(response.cseq()) && self.later.is_empty();
                let cancel = self.cancels.iter_mut().find(|c| c.cseq == response.cseq());
                if let Some(cancel) = cancel
                    && has_successor
                    && !is_last
                {
                    // Its successor decides.
                    (cancel.challenged, cancel.transaction) = (true, None);
                    self.settle_if_nothing_is_pending(now, out);
                    return;
                }
                let kind = if status == 487 {
                    TerminationKind::Cancelled
                } else {
                    TerminationKind::Rejected
                };
                self.report(ReapOutcome::NeverAnswered(termination_of(kind, response)), out);
            }
        }
    }

    fn on_cancel_response(
        &mut self,
        response: &Message,
        status: u16,
        now: Instant,
        out: &mut Vec<Output>,
    ) {
        if !self.invite.as_ref().is_some_and(|invite| invite.owns(response)) {
            return;
        }
        let cancel = self.cancels.iter_mut().find(|cancel| cancel.cseq == response.cseq());
        if let Some(cancel) = cancel {
            cancel.transaction = None;
            cancel.unknown = status == 481;
        }
        self.settle_if_nothing_is_pending(now, out);
    }

    /// An INVITE was challenged and no later one is known: it never rang. If nothing at all
    /// is known (only 481s), a 200 may still be under way: that waits until `report_at`.
    fn settle_if_nothing_is_pending(&mut self, now: Instant, out: &mut Vec<Output>) {
        if !self.cancels.iter().all(|cancel| cancel.challenged || cancel.unknown) {
            return;
        }
        let later = std::mem::replace(&mut self.later, 0..0);
        if !later.is_empty() {
            return self.send_cancels(later, now, out);
        }
        if self.cancels.iter().any(|cancel| cancel.challenged) {
            let termination = Termination::new(TerminationKind::Cancelled);
            self.report(ReapOutcome::NeverAnswered(termination), out);
        }
    }

    fn send_bye(
        &mut self,
        mut dialog: Dialog,
        outcome: ReapOutcome,
        now: Instant,
        out: &mut Vec<Output>,
    ) {
        let authorization = self.authorizer.headers("BYE", dialog.request_uri());
        let reason = of_hang_up(HangUpWhy::PlatformFault);
        let request = dialog.bye(&authorization, Some(reason));
        out.push(sending(request.clone(), dialog.hop()));
        let transaction =
            ClientTransaction::other(request, self.trunk.is_reliable(), &self.timers, now);
        self.bye = Some(Byeing { dialog, transaction: Some(transaction), outcome });
    }

    fn on_bye_response(
        &mut self,
        response: &Message,
        status: u16,
        now: Instant,
        out: &mut Vec<Output>,
    ) {
        let ours = |bye: &&mut Byeing| {
            bye.dialog.state().local_cseq == response.cseq()
                && bye.dialog.is_answered_by(response, Method::Bye)
        };
        let Some(bye) = self.bye.as_mut().filter(ours) else { return };
        bye.transaction = None;
        if self.authorizer.take(&mut self.tries, response, status).is_ok() {
            let (dialog, outcome) = (bye.dialog.clone(), bye.outcome.clone());
            return self.send_bye(dialog, outcome, now, out);
        }
        let outcome = if self.invite.is_none() && !(200..300).contains(&status) {
            ReapOutcome::Unknown(termination_of(TerminationKind::LocalBye, response))
        } else {
            bye.outcome.clone()
        };
        self.report(outcome, out);
    }

    fn on_request(
        &mut self,
        request: &Message,
        method: Method,
        back: Target,
        out: &mut Vec<Output>,
    ) {
        let known = self.bye.as_ref().is_some_and(|bye| bye.dialog.owns(request));
        let (status, phrase) = match method {
            Method::Ack => return,
            Method::Bye if known => (200, "OK"),
            _ => (481, "Call/Transaction Does Not Exist"),
        };
        let response = Composer::response(request, status, phrase, &self.tag).bare();
        out.push(sending(response, Hop::Back(back)));
        if status == 200 {
            let termination = Termination::new(TerminationKind::RemoteBye);
            self.report(ReapOutcome::Ended(termination), out);
        }
    }

    fn unknown(&self) -> ReapOutcome {
        let mut termination = Termination::new(TerminationKind::NoReply);
        if self.cancels.iter().any(|cancel| cancel.unknown) {
            termination.sip_code = Some(481);
        }
        ReapOutcome::Unknown(termination)
    }

    fn report(&mut self, outcome: ReapOutcome, out: &mut Vec<Output>) {
        if !self.reported {
            self.reported = true;
            out.push(Output::Reaped(outcome));
        }
    }
}

fn sending(bytes: Bytes, hop: Hop) -> Output {
    Output::Send(Sending { bytes, hop, purpose: Purpose::Reply })
}
