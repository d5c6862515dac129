//! Our refreshes of the session (RFC 4028 §7.4, §10): by UPDATE where the peer takes that (RFC 3311),
//! else by a re-INVITE that changes nothing (RFC 3261 §14.1); and the end of a session that nobody
//! refreshes.

use std::time::{Duration, Instant};

use bytes::Bytes;
use yunling_switch_contract::{Refresher, Termination, TerminationKind};

use super::requests::AwaitedAck;
use super::session_timer::Clock;
use super::{
    Call, Hop, MOST_RAISES, Message, Output, Purpose, SentAck, Stage, Talking, termination_of,
};
use crate::sdp::take_answer;
use crate::sip::authorizer::Tries;
use crate::sip::compose::ALLOW;
use crate::sip::fields::reason::TIMER_EXPIRY;
use crate::sip::fields::session_expires::delta_seconds;
use crate::sip::stack::Method;
use crate::sip::timers::Timers;
use crate::sip::transaction::{ClientTransaction, Due};

/// A refresh under way.
#[derive(Debug)]
pub(super) struct Refresh {
    method: Method,
    cseq: u32,
    transaction: ClientTransaction,
    resent: bool,
    tries: Tries,
    raises: u32,
}

/// A re-INVITE of ours. Its final response is acknowledged however late it comes, and each time.
#[derive(Debug)]
pub(super) struct Reinvite {
    cseq: u32,
    ack_of_failure: Bytes,
    hop: Hop,
    authorization: Vec<(&'static str, String)>,
    ack: Option<SentAck>,
}

impl Reinvite {
    /// Its ACK, if it was sent.
    pub(super) fn into_ack(self) -> Option<SentAck> {
        self.ack
    }
}

impl Talking {
    /// When [`Call::talking_on_time`] wants to be called next.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let ack = self.peer.awaited_ack.as_ref().map(AwaitedAck::deadline);
        let refresh = match &self.refresh {
            Some(refresh) => refresh.transaction.deadline(),
            None => self.refresh_due(),
        };
        let over = self.clock.as_ref().map(Clock::over_at);
        [ack, refresh, over].into_iter().flatten().min()
    }

    /// When a refresh is due that may be sent: no INVITE while one of the peer's is not acknowledged
    /// (RFC 3261 §14.1).
    fn refresh_due(&self) -> Option<Instant> {
        let due = self.clock.as_ref()?.refresh_at()?;
        (self.peer.takes_update || self.peer.awaited_ack.is_none()).then_some(due)
    }

    /// A re-INVITE of ours has no final response yet.
    pub(super) fn awaits_answer(&self) -> bool {
        self.refresh.as_ref().is_some_and(|refresh| refresh.method == Method::Invite)
    }

    /// A refresh could not be sent. A repetition that fails is no worse than one that is lost.
    pub(super) fn refresh_not_sent(&mut self, timers: &Timers, now: Instant) {
        if self.refresh.as_ref().is_some_and(|refresh| !refresh.resent) {
            self.refresh = None;
            self.retry(timers, now);
        }
    }

    /// After a failure that says no time.
    fn retry(&mut self, timers: &Timers, now: Instant) {
        if let Some(clock) = &mut self.clock {
            clock.retry_after(Duration::MAX, timers.second * 5, now);
        }
    }

    fn retry_after(&mut self, wait: Duration, timers: &Timers, now: Instant) {
        if let Some(clock) = &mut self.clock {
            clock.retry_after(wait, timers.second, now);
        }
    }
}

impl Call {
    /// Runs the session timer and the refresh under way. Gives the stage back, or nothing if the
    /// call has left it.
    pub(super) fn session_on_time(
        &mut self,
        mut talking: Talking,
        now: Instant,
        out: &mut Vec<Output>,
    ) -> Option<Talking> {
        if let Some(clock) = talking.clock.as_ref().filter(|clock| now >= clock.over_at()) {
            let why = match clock.refresher() {
                Refresher::Us => "no refresh of the session succeeded in time",
                Refresher::Peer => "the peer did not refresh the session in time",
            };
            self.expire(talking, None, why, now, out);
            return None;
        }
        let due = talking.refresh_due().is_some_and(|due| due <= now);
        match &mut talking.refresh {
            Some(refresh) => match refresh.transaction.on_time(&self.timers, now) {
                Due::GaveUp => {
                    self.expire(talking, None, "nobody answered the session's refresh", now, out);
                    return None;
                }
                Due::Resend => {
                    refresh.resent = true;
                    let bytes = refresh.transaction.request().clone();
                    self.send(bytes, talking.dialog.hop(), Purpose::Refresh, out);
                }
                Due::Nothing => {}
            },
            None if due => self.send_refresh(&mut talking, Tries::default(), 0, now, out),
            None => {}
        }
        Some(talking)
    }

    fn send_refresh(
        &mut self,
        talking: &mut Talking,
        tries: Tries,
        raises: u32,
        now: Instant,
        out: &mut Vec<Output>,
    ) {
        let (Some(terms), Some(clock)) = (&self.terms, &talking.clock) else { return };
        let method = if talking.peer.takes_update { Method::Update } else { Method::Invite };
        let dialog = &mut talking.dialog;
        let authorization = self.authorizer.headers(method.as_str(), dialog.request_uri());
        let mut request = dialog
            .next_request(method, &authorization)
            .header("Contact", self.invite.local.contact(&self.invite.user))
            .header("Allow", ALLOW)
            .maybe("Supported", self.invite.supported());
        for (name, value) in terms.headers_of_refresh(clock) {
            request = request.header(name, value);
        }
        let (cseq, hop) = (dialog.state().local_cseq, dialog.hop());
        let reliable = self.trunk.is_reliable();
        let (request, transaction) = if method == Method::Invite {
            // The same description with the same version: nothing is to change (RFC 3264 §8).
            let request = request.sdp(Some(&self.session.current()));
            self.reinvite = Some(Reinvite {
                cseq,
                ack_of_failure: dialog.ack_of_failure(cseq),
                hop: hop.clone(),
                authorization,
                ack: None,
            });
            let begun = ClientTransaction::invite(request.clone(), reliable, &self.timers, now);
            (request, begun)
        } else {
            let request = request.bare();
            let begun = ClientTransaction::other(request.clone(), reliable, &self.timers, now);
            (request, begun)
        };
        self.send(request, hop, Purpose::Refresh, out);
        talking.refresh = Some(Refresh { method, cseq, transaction, resent: false, tries, raises });
    }

    /// A response to a re-INVITE of ours, known as such by its branch.
    pub(super) fn on_reinvite_response(
        &mut self,
        response: &Message,
        status: u16,
        now: Instant,
        out: &mut Vec<Output>,
    ) {
        if status >= 200 && !self.acknowledge_reinvite(response, status, out) {
            return;
        }
        self.on_refresh_response(response, status, now, out);
    }

    /// Acknowledges a final response to the re-INVITE. True if it is the first.
    fn acknowledge_reinvite(
        &mut self,
        response: &Message,
        status: u16,
        out: &mut Vec<Output>,
    ) -> bool {
        let Some(mut reinvite) = self.reinvite.take_if(|ours| ours.cseq == response.cseq()) else {
            // One that another has followed, whose ACK was lost.
            if let Some(dialog) = self.dialog() {
                let ack = match status {
                    ..300 => dialog.ack(response.cseq(), &[]),
                    _ => dialog.ack_of_failure(response.cseq()),
                };
                self.send(ack, dialog.hop(), Purpose::Reply, out);
            }
            return false;
        };
        let is_first = reinvite.ack.is_none();
        let ack = match (reinvite.ack.take(), self.dialog()) {
            (Some(sent), _) => sent,
            (None, Some(dialog)) => {
                let (bytes, hop) = if status < 300 {
                    (dialog.ack(reinvite.cseq, &reinvite.authorization), dialog.hop())
                } else {
                    (reinvite.ack_of_failure.clone(), reinvite.hop.clone())
                };
                let to_tag = response.tag_of_to().unwrap_or_default().to_owned();
                SentAck { cseq: reinvite.cseq, to_tag, bytes, hop }
            }
            (None, None) => return false,
        };
        self.send(ack.bytes.clone(), ack.hop.clone(), Purpose::Reply, out);
        reinvite.ack = Some(ack);
        self.reinvite = Some(reinvite);
        is_first
    }

    /// A response to our UPDATE or re-INVITE, whose ACK has left.
    pub(super) fn on_refresh_response(
        &mut self,
        response: &Message,
        status: u16,
        now: Instant,
        out: &mut Vec<Output>,
    ) {
        let method = response.cseq_method();
        let is_under_way = match &self.stage {
            Stage::Talking(Talking { dialog, refresh: Some(refresh), .. }) => {
                refresh.method == method
                    && refresh.cseq == response.cseq()
                    && dialog.is_answered_by(response, method)
            }
            _ => false,
        };
        if !is_under_way {
            return;
        }
        if let Stage::Talking(Talking { refresh: Some(refresh), .. }) = &mut self.stage
            && status < 200
        {
            return refresh.transaction.provisional(&self.timers);
        }
        let Stage::Talking(mut talking) = std::mem::replace(&mut self.stage, Stage::Over) else {
            return;
        };
        if let Some(refresh) = talking.refresh.take() {
            match status {
                ..300 => self.take_refreshed(&mut talking, response, now, out),
                408 | 481 => {
                    let why = "the peer no longer knew the call when its session was refreshed";
                    return self.expire(talking, Some(response), why, now, out);
                }
                _ => self.refresh_failed(&mut talking, refresh, response, status, now, out),
            }
        }
        self.stage = Stage::Talking(talking);
    }

    fn take_refreshed(
        &mut self,
        talking: &mut Talking,
        answer: &Message,
        now: Instant,
        out: &mut Vec<Output>,
    ) {
        talking.dialog.refresh_target(answer);
        talking.peer.learn(answer);
        if let (Some(terms), Some(clock)) = (&self.terms, &mut talking.clock) {
            *clock = terms.refreshed(answer, clock, &self.timers, now);
        }
        // An answer that cannot be used changes nothing, as our offer changed nothing.
        if let Some(sdp) = answer.sdp().filter(|_| answer.cseq_method() == Method::Invite)
            && let Ok(mut agreement) = take_answer(sdp, &self.session)
        {
            let before = talking.agreement;
            if agreement.telephone_event == before.telephone_event {
                agreement.telephone_event_too = before.telephone_event_too;
            }
            if agreement != before {
                talking.agreement = agreement;
                out.push(Output::Changed(agreement));
            }
        }
    }

    /// The session goes on after a failure, until it ends by itself (RFC 4028 §7.4).
    fn refresh_failed(
        &mut self,
        talking: &mut Talking,
        refresh: Refresh,
        response: &Message,
        status: u16,
        now: Instant,
        out: &mut Vec<Output>,
    ) {
        let Refresh { method, mut tries, raises, cseq, .. } = refresh;
        if self.authorizer.take(&mut tries, response, status).is_ok() {
            return self.send_refresh(talking, tries, raises, now, out);
        }
        match status {
            422 if raises < MOST_RAISES => {
                let raised = match (&mut self.terms, &mut talking.clock) {
                    (Some(terms), Some(clock)) => terms.raise_for_refresh(response, clock),
                    _ => false,
                };
                if raised {
                    return self.send_refresh(talking, tries, raises + 1, now, out);
                }
                talking.retry(&self.timers, now);
            }
            // Its Allow promised what it does not hold.
            405 | 501 if method == Method::Update => {
                talking.peer.takes_update = false;
                if let Some(clock) = &mut talking.clock {
                    clock.refresh_now(now);
                }
            }
            491 => talking.retry_after(self.glare_wait(cseq), &self.timers, now),
            500 => match response.header("Retry-After").and_then(delta_seconds) {
                Some(wait_s) => {
                    talking.retry_after(self.timers.second * wait_s, &self.timers, now);
                }
                None => talking.retry(&self.timers, now),
            },
            _ => talking.retry(&self.timers, now),
        }
    }

    /// 2.1 to 4 s in steps of 10 ms, as whoever made the Call-ID waits (RFC 3261 §14.1). Not the
    /// same each time, and not known to the peer: all that chance is wanted for.
    fn glare_wait(&self, cseq: u32) -> Duration {
        let mixed = (self.invite.ids.session_id() ^ cseq).wrapping_mul(0x9E37_79B1) >> 16;
        self.timers.second * (210 + mixed % 191) / 100
    }

    fn expire(
        &mut self,
        talking: Talking,
        response: Option<&Message>,
        why: &str,
        now: Instant,
        out: &mut Vec<Output>,
    ) {
        let kind = TerminationKind::SessionExpired;
        let mut termination =
            response.map_or_else(|| Termination::new(kind), |r| termination_of(kind, r));
        why.clone_into(&mut termination.text);
        self.leave(talking.dialog, talking.peer, termination, Some(TIMER_EXPIRY), now, out);
    }
}
