//! The early dialogs of an INVITE, one for each branch that rings (RFC 3261 §12.1), and the PRACK of
//! what is sent reliably in them (RFC 3262 §4, the client's side).

use std::time::Instant;

use super::{Call, Message, Output, PeerSide, Purpose, Sending, Stage};
use crate::sdp::{Agreement, take_answer};
use crate::sip::authorizer::Tries;
use crate::sip::dialog::Dialog;
use crate::sip::fields::options;
use crate::sip::stack::Method;
use crate::sip::transaction::{ClientTransaction, Due};

/// Branches of an INVITE that may ring at once. What more there are is not acknowledged and not
/// told: their peers give up by themselves.
const MOST_BRANCHES: usize = 16;

/// A branch that rings.
#[derive(Debug)]
pub(super) struct Early {
    pub dialog: Dialog,
    pub peer: PeerSide,
    /// What the last description agreed on.
    pub agreement: Option<Agreement>,
    /// A reliable response had the answer to our offer: no later response can have another
    /// (RFC 3261 §13.2.1), and either side may make the next offer.
    pub is_settled: bool,
    prack: Option<Prack>,
}

/// The last PRACK of a branch.
#[derive(Debug)]
struct Prack {
    /// RSeq of what it acknowledges.
    rseq: u32,
    /// RAck.
    rack: String,
    tries: Tries,
    cseq: u32,
    transaction: ClientTransaction,
    is_answered: bool,
}

/// What to do with a provisional response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Provisional {
    /// Tell it.
    New,
    /// It came before, or before its time: nothing is told.
    Dropped,
}

impl Early {
    fn new(dialog: Dialog) -> Self {
        let peer = PeerSide::default();
        Self { dialog, peer, agreement: None, is_settled: false, prack: None }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let prack = self.prack.as_ref().filter(|prack| !prack.is_answered)?;
        prack.transaction.deadline()
    }
}

/// The branches of one INVITE.
#[derive(Debug, Default)]
pub(super) struct Branches(Vec<Early>);

impl Branches {
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.0.iter().filter_map(Early::deadline).min()
    }

    /// The branch that a request of the peer's is in.
    pub(super) fn owner_of(&mut self, request: &Message) -> Option<&mut Early> {
        self.0.iter_mut().find(|early| early.dialog.owns(request))
    }

    /// The branch that has answered; the rest is over for us.
    pub(super) fn take(mut self, to_tag: &str) -> Option<Early> {
        let answered = self.0.iter().position(|early| early.dialog.remote_tag() == to_tag)?;
        Some(self.0.swap_remove(answered))
    }

    /// What the branch of this tag agreed on.
    pub(super) fn agreement_of(&self, to_tag: &str) -> Option<Agreement> {
        self.0.iter().find(|early| early.dialog.remote_tag() == to_tag)?.agreement
    }

    fn find(&mut self, to_tag: &str) -> Option<usize> {
        self.0.iter().position(|early| early.dialog.remote_tag() == to_tag)
    }
}

impl Call {
    /// Takes a provisional response with a To tag: keeps its branch, and acknowledges it if it was
    /// sent reliably. `branches` are those of the INVITE that it answers.
    pub(super) fn on_early_response(
        &mut self,
        branches: &mut Branches,
        response: &Message,
        now: Instant,
        out: &mut Vec<Output>,
    ) -> Provisional {
        let to_tag = response.tag_of_to().unwrap_or_default();
        let index = match branches.find(to_tag) {
            Some(index) => index,
            None if branches.0.len() >= MOST_BRANCHES => return Provisional::Dropped,
            None => {
                let dialog = Dialog::of_answer(&self.invite, response, self.trunk);
                branches.0.push(Early::new(dialog));
                branches.0.len() - 1
            }
        };
        let early = &mut branches.0[index];
        let reliable = options::names(response.headers("Require"), options::RELIABLE);
        let rseq = response.header("RSeq").and_then(|rseq| rseq.trim().parse::<u32>().ok());
        let rseq = rseq.filter(|_| reliable);
        if let Some(rseq) = rseq {
            match early.prack.as_ref().map(|prack| prack.rseq) {
                // Ours was lost, or is under way: the same once more, as a proxy would see it.
                Some(last) if rseq == last => {
                    early.resend_prack(out);
                    return Provisional::Dropped;
                }
                // One in between is missing; it will be sent again, and this one after it.
                Some(last) if rseq != last.wrapping_add(1) => return Provisional::Dropped,
                Some(_) | None => {}
            }
        }
        early.dialog.refresh_target(response);
        early.peer.learn(response);
        if let Some(sdp) = response.sdp().filter(|_| !early.is_settled)
            && let Ok(agreement) = take_answer(sdp, &self.session)
        {
            early.agreement = Some(agreement);
            early.is_settled = rseq.is_some();
        }
        if let Some(rseq) = rseq {
            let rack = format!("{rseq} {} {}", response.cseq(), Method::Invite.as_str());
            self.send_prack(early, (rseq, rack), Tries::default(), now, out);
        }
        Provisional::New
    }

    fn send_prack(
        &mut self,
        early: &mut Early,
        (rseq, rack): (u32, String),
        tries: Tries,
        now: Instant,
        out: &mut Vec<Output>,
    ) {
        let authorization =
            self.authorizer.headers(Method::Prack.as_str(), early.dialog.request_uri());
        let request =
            early.dialog.next_request(Method::Prack, &authorization).header("RAck", &rack).bare();
        self.send(request.clone(), early.dialog.hop(), Purpose::Reply, out);
        let transaction =
            ClientTransaction::other(request, self.trunk.is_reliable(), &self.timers, now);
        let cseq = early.dialog.state().local_cseq;
        early.prack = Some(Prack { rseq, rack, tries, cseq, transaction, is_answered: false });
    }

    /// A PRACK that fails, or that nobody answers, ends nothing by itself: whoever sent the response
    /// reliably ends its INVITE then (RFC 3262 §3), and that is what is told.
    pub(super) fn on_prack_response(
        &mut self,
        response: &Message,
        status: u16,
        now: Instant,
        out: &mut Vec<Output>,
    ) {
        let Stage::Inviting(inviting) = &mut self.stage else {
            if status >= 200 {
                self.errands.on_response(response);
            }
            return;
        };
        let mut branches = std::mem::take(&mut inviting.branches);
        let is_answered = |early: &&mut Early| early.dialog.is_answered_by(response, Method::Prack);
        if let Some(early) = branches.0.iter_mut().find(is_answered) {
            self.settle_prack(early, response, status, now, out);
        }
        if let Stage::Inviting(inviting) = &mut self.stage {
            inviting.branches = branches;
        }
    }

    fn settle_prack(
        &mut self,
        early: &mut Early,
        response: &Message,
        status: u16,
        now: Instant,
        out: &mut Vec<Output>,
    ) {
        let Some(prack) = early.prack.as_mut().filter(|prack| prack.cseq == response.cseq()) else {
            return;
        };
        if prack.is_answered {
            return;
        }
        if status < 200 {
            return prack.transaction.provisional(&self.timers);
        }
        prack.is_answered = true;
        let mut tries = std::mem::take(&mut prack.tries);
        if self.authorizer.take(&mut tries, response, status).is_ok() {
            let rack = (prack.rseq, std::mem::take(&mut prack.rack));
            self.send_prack(early, rack, tries, now, out);
        }
    }

    /// A PRACK that an answer overtook goes on by itself.
    pub(super) fn leave_prack(&mut self, early: &mut Early) {
        if let Some(prack) = early.prack.take()
            && !prack.is_answered
        {
            self.errands.add(Method::Prack, early.dialog.clone(), prack.transaction);
        }
    }

    pub(super) fn branches_on_time(
        &self,
        branches: &mut Branches,
        now: Instant,
        out: &mut Vec<Output>,
    ) {
        for early in &mut branches.0 {
            let Some(prack) = early.prack.as_mut().filter(|prack| !prack.is_answered) else {
                continue;
            };
            match prack.transaction.on_time(&self.timers, now) {
                Due::GaveUp => prack.is_answered = true,
                Due::Resend => early.resend_prack(out),
                Due::Nothing => {}
            }
        }
    }
}

impl Early {
    fn resend_prack(&self, out: &mut Vec<Output>) {
        if let Some(prack) = &self.prack {
            let (bytes, hop) = (prack.transaction.request().clone(), self.dialog.hop());
            out.push(Output::Send(Sending { bytes, hop, purpose: Purpose::Reply }));
        }
    }
}
