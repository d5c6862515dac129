//! From the INVITE to its final response, and CANCEL at every moment in between (RFC 3261 §9, §13).

use std::time::Instant;

use yunling_switch_contract::{HangUpWhy, ReliableProvisionals, Termination, TerminationKind};

use super::early::{Branches, Early, Provisional};
use super::{
    Call, HeldAck, Hop, MOST_RAISES, Message, Output, Purpose, Sending, Stage, Talking, Terms,
    shortened, termination_of,
};
use crate::sdp::{Agreement, Unusable, take_answer};
use crate::sip::authorizer::{Refusal, Tries};
use crate::sip::dialog::Dialog;
use crate::sip::fields::options;
use crate::sip::fields::reason::of_hang_up;
use crate::sip::stack::Method;
use crate::sip::transaction::{ClientTransaction, Due};

/// An INVITE under way.
#[derive(Debug)]
pub(super) struct Inviting {
    invite: ClientTransaction,
    cseq: u32,
    authorization: Vec<(&'static str, String)>,
    reply: Reply,
    cancel: Cancel,
    resent: bool,
    attempts: Attempts,
    /// The branches that ring.
    pub branches: Branches,
    /// What the last 18x agreed on, for peers whose 2xx does not repeat it.
    early: Option<Agreement>,
    /// Whose media is heard meanwhile: that of the branch that described its own last.
    heard: Option<Agreement>,
}

/// What was tried for this call, over all repetitions of the INVITE.
#[derive(Debug, Clone, Default)]
pub(super) struct Attempts {
    tries: Tries,
    /// How often the session interval was raised.
    raises: u32,
}

/// What has come so far, over all repetitions of the INVITE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reply {
    Nothing,
    /// Any 1xx, or a response that asked for another INVITE.
    Something,
}

#[derive(Debug)]
enum Cancel {
    NotWanted,
    /// Wanted, but no provisional response allows it yet (§9.1).
    Held(HangUpWhy),
    Sent {
        /// Absent once the CANCEL itself is answered.
        transaction: Option<ClientTransaction>,
        report_at: Instant,
        over_at: Instant,
    },
}

impl Inviting {
    pub(super) fn deadline(&self, reported: bool) -> Option<Instant> {
        let cancel = match &self.cancel {
            Cancel::Sent { transaction, report_at, over_at } => {
                let resend = transaction.as_ref().and_then(ClientTransaction::deadline);
                let report = (!reported).then_some(*report_at);
                [resend, report, Some(*over_at)].into_iter().flatten().min()
            }
            Cancel::NotWanted | Cancel::Held(_) => None,
        };
        [self.invite.deadline(), cancel, self.branches.deadline()].into_iter().flatten().min()
    }

    /// Nothing has come at all, over all repetitions of the INVITE.
    pub(super) fn is_unanswered(&self) -> bool {
        self.reply == Reply::Nothing
    }

    /// The INVITE is on its first way out.
    pub(super) fn is_first_sending(&self) -> bool {
        self.is_unanswered() && !self.resent
    }

    fn is_cancelled(&self) -> bool {
        !matches!(self.cancel, Cancel::NotWanted)
    }
}

impl Call {
    /// Sends an INVITE, the first one or one that does what a response to the one before asked for.
    pub(super) fn send_invite(
        &mut self,
        cseq: u32,
        again: Option<Attempts>,
        now: Instant,
        out: &mut Vec<Output>,
    ) {
        let authorization = self.authorizer.headers("INVITE", &self.invite.uri);
        let sdp = self.session.offer();
        let mut further = authorization.clone();
        further.extend(self.terms.iter().flat_map(Terms::headers));
        let request = self.invite.request(cseq, &sdp, &further);
        let reliable = self.trunk.is_reliable();
        self.send(request.clone(), Hop::Known(self.trunk), Purpose::Invite, out);
        self.stage = Stage::Inviting(Inviting {
            invite: ClientTransaction::invite(request, reliable, &self.timers, now),
            cseq,
            authorization,
            reply: again.as_ref().map_or(Reply::Nothing, |_| Reply::Something),
            cancel: Cancel::NotWanted,
            resent: false,
            attempts: again.unwrap_or_default(),
            branches: Branches::default(),
            early: None,
            heard: None,
        });
    }

    pub(super) fn on_invite_response(
        &mut self,
        response: &Message,
        status: u16,
        now: Instant,
        out: &mut Vec<Output>,
    ) {
        if self.dialog().is_some_and(|dialog| dialog.is_answered_by(response, Method::Invite)) {
            return self.on_reinvite_response(response, status, now, out);
        }
        if !self.invite.owns(response) {
            return;
        }
        if status >= 200 {
            let to_tag = response.tag_of_to().unwrap_or_default();
            let sent = self.acks.iter().find(|ack| ack.is_for(response.cseq(), to_tag));
            if let Some(ack) = sent {
                // A repetition: our ACK was lost.
                self.send(ack.bytes.clone(), ack.hop.clone(), Purpose::Reply, out);
                self.held = None;
                return;
            }
        }
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Inviting(inviting) if inviting.cseq == response.cseq() => match status {
                ..200 => self.on_provisional(inviting, response, status, now, out),
                200..300 => self.on_answer(inviting, response, now, out),
                _ => self.on_failure(inviting, response, status, now, out),
            },
            stage => {
                self.stage = stage;
                if (200..300).contains(&status) {
                    self.refuse_fork(response, now, out);
                } else if status >= 300 {
                    self.acknowledge_failure(response, out);
                }
            }
        }
    }

    fn on_provisional(
        &mut self,
        mut inviting: Inviting,
        response: &Message,
        status: u16,
        now: Instant,
        out: &mut Vec<Output>,
    ) {
        let first = inviting.reply == Reply::Nothing;
        inviting.reply = Reply::Something;
        inviting.invite.provisional(&self.timers);
        let has_tag = status > 100 && response.tag_of_to().is_some();
        if has_tag
            && self.on_early_response(&mut inviting.branches, response, now, out)
                == Provisional::Dropped
        {
            self.stage = Stage::Inviting(inviting);
            return;
        }
        match inviting.cancel {
            Cancel::Held(why) => return self.send_cancel(inviting, why, now, out),
            // An 18x is told behind our CANCEL too: somebody is being rung, and must not be rung
            // again over another trunk.
            Cancel::NotWanted | Cancel::Sent { .. } if (180..190).contains(&status) => {
                let early = response.sdp().and_then(|sdp| take_answer(sdp, &self.session).ok());
                inviting.early = early.or(inviting.early);
                if !self.reported {
                    out.push(Output::Ringing { code: status, early_media: early.is_some() });
                }
                // What a reliable response has settled no later one changes.
                let of_branch =
                    response.tag_of_to().and_then(|tag| inviting.branches.agreement_of(tag));
                let heard = early.and(of_branch).or(early);
                if heard.is_some() && heard != inviting.heard && !inviting.is_cancelled() {
                    inviting.heard = heard;
                    out.extend(heard.map(Output::Early));
                }
            }
            Cancel::NotWanted if first => out.push(Output::Trying),
            Cancel::NotWanted | Cancel::Sent { .. } => {}
        }
        self.stage = Stage::Inviting(inviting);
    }

    fn on_answer(
        &mut self,
        inviting: Inviting,
        response: &Message,
        now: Instant,
        out: &mut Vec<Output>,
    ) {
        let mut dialog = Dialog::of_answer(&self.invite, response, self.trunk);
        let mut early = inviting.branches.take(response.tag_of_to().unwrap_or_default());
        if let Some(early) = &mut early {
            dialog.continue_from(&early.dialog);
            self.leave_prack(early);
        }
        let hop = dialog.hop();
        let ack = dialog.ack(response.cseq(), &inviting.authorization);
        self.remember_ack(response, ack.clone(), hop.clone());
        self.held = Some(HeldAck { bytes: ack, hop, until: now + self.timers.acknowledge });
        let (settled, agreed_early, mut peer) = match early {
            Some(Early { peer, agreement, is_settled, .. }) => {
                (agreement.filter(|_| is_settled), agreement.or(inviting.early), peer)
            }
            None => (None, inviting.early, Default::default()),
        };
        peer.learn(response);
        if let Cancel::Held(_) | Cancel::Sent { .. } = inviting.cancel {
            let termination = termination_of(TerminationKind::CancelledAfterAnswer, response);
            return self.leave(dialog, peer, termination, None, now, out);
        }
        let agreed = match (settled, response.sdp(), agreed_early) {
            (Some(settled), _, _) => Ok(settled),
            (None, Some(sdp), _) => take_answer(sdp, &self.session),
            (None, None, Some(early)) => Ok(early),
            (None, None, None) => Err(Unusable::Missing),
        };
        match agreed {
            Ok(agreement) => {
                if self.timers.acknowledge.is_zero() {
                    self.acknowledge(out);
                }
                let state = Box::new(dialog.state().clone());
                out.push(Output::Answered { dialog: state, agreement });
                let clock =
                    self.terms.as_ref().map(|terms| terms.agreed(response, &self.timers, now));
                self.stage =
                    Stage::Talking(Talking { dialog, peer, agreement, clock, refresh: None });
            }
            Err(why) => {
                let mut termination = termination_of(TerminationKind::NoCommonMedia, response);
                termination.text = why.to_string();
                let reason = "Q.850;cause=88;text=\"Incompatible destination\"";
                self.leave(dialog, peer, termination, Some(reason), now, out);
            }
        }
    }

    fn on_failure(
        &mut self,
        inviting: Inviting,
        response: &Message,
        status: u16,
        now: Instant,
        out: &mut Vec<Output>,
    ) {
        self.acknowledge_failure(response, out);
        if inviting.is_cancelled() {
            return self.end(termination_of(TerminationKind::Cancelled, response), out);
        }
        let Inviting { cseq, mut attempts, .. } = inviting;
        let why = match self.take_demand(&mut attempts, response, status) {
            Ok(()) => return self.send_invite(cseq + 1, Some(attempts), now, out),
            Err(why) => why,
        };
        let mut termination = termination_of(TerminationKind::Rejected, response);
        if let Some(why) = why {
            termination.text = shortened(&format!("the trunk {why}"));
        }
        self.end(termination, out);
    }

    /// Whether a failure only asks for another INVITE, and we can send that one. If not: what the
    /// trunk does that its own words may not tell, if there is anything.
    fn take_demand(
        &mut self,
        attempts: &mut Attempts,
        response: &Message,
        status: u16,
    ) -> Result<(), Option<String>> {
        match status {
            401 | 407 => {
                let taken = self.authorizer.take(&mut attempts.tries, response, status);
                taken.map_err(|why: Refusal| Some(why.to_string()))
            }
            422 => {
                let raised = attempts.raises < MOST_RAISES
                    && self.terms.as_mut().is_some_and(|terms| terms.raise_for_invite(response));
                attempts.raises += 1;
                let why = "calls every session interval too small, the one that it asked for too";
                if raised { Ok(()) } else { Err(Some(why.to_owned())) }
            }
            420 if self.invite.reliable == ReliableProvisionals::Required
                && options::names(response.headers("Unsupported"), options::RELIABLE) =>
            {
                let why = "has no reliable provisional responses, and its setting requires them";
                Err(Some(why.to_owned()))
            }
            _ => Err(None),
        }
    }

    fn acknowledge_failure(&mut self, response: &Message, out: &mut Vec<Output>) {
        let (ack, hop) = (self.invite.ack_of_failure(response), Hop::Known(self.trunk));
        self.remember_ack(response, ack.clone(), hop.clone());
        self.send(ack, hop, Purpose::Reply, out);
    }

    /// The platform wants it to end before an answer. Without any reply to the present INVITE there
    /// is nothing that a CANCEL may be sent for yet: the leg is reported at once, and the CANCEL
    /// waits behind it. A challenge is no reply in that sense: it ended the INVITE before.
    pub(super) fn cancel(
        &mut self,
        mut inviting: Inviting,
        why: HangUpWhy,
        now: Instant,
        out: &mut Vec<Output>,
    ) {
        match (&inviting.cancel, inviting.reply) {
            (Cancel::NotWanted, Reply::Something) if inviting.invite_is_proceeding() => {
                self.send_cancel(inviting, why, now, out);
            }
            (Cancel::NotWanted, _) => {
                inviting.cancel = Cancel::Held(why);
                inviting.invite.stop_resending();
                let no_reply = matches!(why, HangUpWhy::NoReply | HangUpWhy::RingTimeout);
                let kind =
                    if no_reply { TerminationKind::NoReply } else { TerminationKind::Cancelled };
                self.end(Termination::new(kind), out);
                self.stage = Stage::Inviting(inviting);
            }
            _ => self.stage = Stage::Inviting(inviting),
        }
    }

    fn send_cancel(
        &mut self,
        mut inviting: Inviting,
        why: HangUpWhy,
        now: Instant,
        out: &mut Vec<Output>,
    ) {
        let request = self.invite.cancel(inviting.cseq, Some(of_hang_up(why)));
        self.send(request.clone(), Hop::Known(self.trunk), Purpose::Cancel, out);
        let reliable = self.trunk.is_reliable();
        inviting.cancel = Cancel::Sent {
            transaction: Some(ClientTransaction::other(request, reliable, &self.timers, now)),
            report_at: now + self.timers.farewell,
            over_at: now + self.timers.t1x64(),
        };
        self.stage = Stage::Inviting(inviting);
    }

    pub(super) fn on_cancel_response(&mut self, response: &Message, status: u16) {
        if !self.invite.owns(response) || status < 200 {
            return;
        }
        // Whatever it says: the INVITE's own final response is what counts.
        if let Stage::Inviting(Inviting { cancel: Cancel::Sent { transaction, .. }, .. }) =
            &mut self.stage
        {
            *transaction = None;
        }
    }

    pub(super) fn inviting_on_time(
        &mut self,
        mut inviting: Inviting,
        now: Instant,
        out: &mut Vec<Output>,
    ) {
        match inviting.invite.on_time(&self.timers, now) {
            Due::GaveUp => {
                self.end(Termination::new(TerminationKind::NoReply), out);
                return;
            }
            Due::Resend => {
                inviting.resent = true;
                let bytes = inviting.invite.request().clone();
                self.send(bytes, Hop::Known(self.trunk), Purpose::Invite, out);
            }
            Due::Nothing => {}
        }
        self.branches_on_time(&mut inviting.branches, now, out);
        if let Cancel::Sent { transaction, report_at, over_at } = &mut inviting.cancel {
            if let Some(cancel) = transaction
                && cancel.on_time(&self.timers, now) == Due::Resend
            {
                let bytes = cancel.request().clone();
                let hop = Hop::Known(self.trunk);
                out.push(Output::Send(Sending { bytes, hop, purpose: Purpose::Cancel }));
            }
            if now >= *report_at && !self.reported {
                self.end(Termination::new(TerminationKind::Cancelled), out);
            }
            if now >= *over_at {
                return;
            }
        }
        self.stage = Stage::Inviting(inviting);
    }
}

impl Inviting {
    /// A provisional response to the present INVITE came: its timers are off.
    fn invite_is_proceeding(&self) -> bool {
        self.invite.deadline().is_none()
    }
}
