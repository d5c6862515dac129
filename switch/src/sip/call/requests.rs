//! The peer's requests within the dialog (RFC 3261 §12.2.2, §14.2, §15.1.2; RFC 3311 UPDATE).

use std::time::{Duration, Instant};

use bytes::Bytes;
use yunling_switch_contract::{Termination, TerminationKind};

use super::session_timer::{self, Answer};
use super::{Call, Hop, Message, Output, Purpose, Sending, SentReply, Stage, Talking, shortened};
use crate::sdp::{Unusable, take_answer, take_offer};
use crate::sip::compose::{ALLOW, Composer};
use crate::sip::fields::reason::TIMER_EXPIRY;
use crate::sip::fields::{Reason, dtmf, options};
use crate::sip::stack::{Method, Target};

/// The options that a peer may require of us.
const KNOWN_OPTIONS: [&str; 2] = [options::TIMER, options::RELIABLE];

/// A 2xx of ours to a re-INVITE, repeated until its ACK comes. A peer that sends none in 64·T1 is
/// taken for gone, and the call is ended (§13.3.1.4, §14.2).
#[derive(Debug)]
pub(super) struct AwaitedAck {
    cseq: u32,
    answer: Bytes,
    back: Target,
    /// The 2xx carried our offer: the ACK carries the answer.
    offered: bool,
    resend_at: Instant,
    interval: Duration,
    over_at: Instant,
}

impl AwaitedAck {
    pub(super) fn deadline(&self) -> Instant {
        self.resend_at.min(self.over_at)
    }
}

impl Call {
    /// Runs the session timer; repeats the 2xx to a re-INVITE if it is due, and ends the call if it
    /// was in vain.
    pub(super) fn talking_on_time(
        &mut self,
        talking: Talking,
        now: Instant,
        out: &mut Vec<Output>,
    ) {
        let Some(mut talking) = self.session_on_time(talking, now, out) else { return };
        if let Some(awaited) = &mut talking.peer.awaited_ack {
            if now >= awaited.over_at {
                let mut termination = Termination::new(TerminationKind::LocalBye);
                termination.text =
                    "the peer never acknowledged our answer to its re-INVITE".to_owned();
                return self.leave(
                    talking.dialog,
                    talking.peer,
                    termination,
                    Some(TIMER_EXPIRY),
                    now,
                    out,
                );
            }
            if now >= awaited.resend_at {
                awaited.interval = (awaited.interval * 2).min(self.timers.t2);
                awaited.resend_at = now + awaited.interval;
                let (bytes, hop) = (awaited.answer.clone(), Hop::Back(awaited.back));
                out.push(Output::Send(Sending { bytes, hop, purpose: Purpose::Reply }));
            }
        }
        self.stage = Stage::Talking(talking);
    }

    pub(super) fn on_request(
        &mut self,
        request: &Message,
        method: Method,
        back: Target,
        now: Instant,
        out: &mut Vec<Output>,
    ) {
        if let Some(reply) = self.last_reply.as_ref().filter(|reply| reply.is_for(request))
            && !matches!(method, Method::Ack | Method::Cancel)
        {
            self.send(reply.bytes.clone(), Hop::Back(back), Purpose::Reply, out);
            return;
        }
        let (dialog, peer) = match &mut self.stage {
            Stage::Talking(talking) => (&talking.dialog, &mut talking.peer),
            Stage::Leaving(leaving) => (&leaving.dialog, &mut leaving.peer),
            Stage::Inviting(_) => return self.on_early_request(request, method, back, out),
            Stage::Over => return self.no_such_call(request, method, back, out),
        };
        if !dialog.owns(request) {
            return self.no_such_call(request, method, back, out);
        }
        match method {
            Method::Ack => return self.on_ack(request, out),
            Method::Cancel => {
                // What it would cancel is answered already (§9.2).
                let ok = self.response(request, 200, "OK").bare();
                return self.send(ok, Hop::Back(back), Purpose::Reply, out);
            }
            _ => {}
        }
        if peer.cseq.is_some_and(|last| request.cseq() <= last) {
            let refusal = self.response(request, 500, "Request Out Of Order").bare();
            return self.send(refusal, Hop::Back(back), Purpose::Reply, out);
        }
        peer.cseq = Some(request.cseq());
        peer.learn(request);
        let unknown = options::unknown(request.headers("Require"), &KNOWN_OPTIONS);
        if let Some(unknown) = unknown.filter(|_| method != Method::Bye) {
            let refusal = self.response(request, 420, "Bad Extension");
            return self.reply(request, refusal.header("Unsupported", unknown).bare(), back, out);
        }
        match method {
            Method::Bye => self.on_bye(request, back, out),
            Method::Invite | Method::Update => self.on_offer(request, method, back, now, out),
            Method::Info => self.on_info(request, back, out),
            Method::Options => {
                let ok = self.response(request, 200, "OK").header("Allow", ALLOW);
                self.reply(request, ok.header("Accept", "application/sdp").bare(), back, out);
            }
            // We send no provisional response that it could acknowledge (RFC 3262 §3).
            Method::Prack => self.no_such_call(request, method, back, out),
            Method::Ack | Method::Cancel | Method::Register | Method::Other => {
                let refusal = self.response(request, 405, "Method Not Allowed");
                self.reply(request, refusal.header("Allow", ALLOW).bare(), back, out);
            }
        }
    }

    fn on_bye(&mut self, request: &Message, back: Target, out: &mut Vec<Output>) {
        let ok = self.response(request, 200, "OK").bare();
        self.reply(request, ok, back, out);
        match std::mem::replace(&mut self.stage, Stage::Over) {
            // Both hung up at once: ours was first.
            Stage::Leaving(leaving) => self.end(leaving.termination, out),
            _ => {
                let reason = Reason::from_headers(request.headers("Reason"));
                out.push(Output::StopMedia);
                self.end(
                    Termination {
                        kind: TerminationKind::RemoteBye,
                        sip_code: None,
                        q850: reason.q850,
                        text: shortened(reason.text.unwrap_or_default()),
                    },
                    out,
                );
            }
        }
    }

    /// A request in a dialog that is not answered yet: only UPDATE has any business there.
    fn on_early_request(
        &mut self,
        request: &Message,
        method: Method,
        back: Target,
        out: &mut Vec<Output>,
    ) {
        let Stage::Inviting(inviting) = &mut self.stage else { return };
        let early = inviting.branches.owner_of(request).filter(|_| method == Method::Update);
        let Some(early) = early else { return self.no_such_call(request, method, back, out) };
        if early.peer.cseq.is_some_and(|last| request.cseq() <= last) {
            let refusal = self.response(request, 500, "Request Out Of Order").bare();
            return self.send(refusal, Hop::Back(back), Purpose::Reply, out);
        }
        early.peer.cseq = Some(request.cseq());
        early.peer.learn(request);
        if let Some(unknown) = options::unknown(request.headers("Require"), &KNOWN_OPTIONS) {
            let refusal = self.response(request, 420, "Bad Extension");
            return self.reply(request, refusal.header("Unsupported", unknown).bare(), back, out);
        }
        let (answer, heard) = match request.sdp() {
            // RFC 3311 §5.2: our own offer is not answered yet.
            Some(_) if !early.is_settled => {
                let refusal = self.response(request, 491, "Request Pending").bare();
                return self.reply(request, refusal, back, out);
            }
            Some(offer) => match take_offer(offer, &mut self.session) {
                Ok((agreement, answer)) => {
                    early.agreement = Some(agreement);
                    (Some(answer), Some(agreement))
                }
                Err(why) => return self.refuse_offer(request, &why, back, out),
            },
            None => (None, None),
        };
        early.dialog.refresh_target(request);
        let ok = self.accepted(request).sdp(answer.as_deref());
        self.reply(request, ok, back, out);
        out.extend(heard.map(Output::Early));
    }

    /// A re-INVITE or UPDATE: hold, a new address, another codec, or only a sign of life.
    fn on_offer(
        &mut self,
        request: &Message,
        method: Method,
        back: Target,
        now: Instant,
        out: &mut Vec<Output>,
    ) {
        let Stage::Talking(talking) = &mut self.stage else {
            return self.no_such_call(request, method, back, out);
        };
        let offers = request.sdp().is_some() || method == Method::Invite;
        let is_outstanding = talking.awaits_answer()
            || talking.peer.awaited_ack.as_ref().is_some_and(|awaited| awaited.offered);
        if offers && is_outstanding {
            // Ours is not answered yet (RFC 3261 §14.2, RFC 3311 §5.2).
            let refusal = self.response(request, 491, "Request Pending").bare();
            return self.reply(request, refusal, back, out);
        }
        let timer = session_timer::answer(self.terms.as_ref(), talking.clock.as_ref(), request);
        let (timer_headers, clock) = match timer {
            Answer::Take { headers, clock } => (headers, clock),
            Answer::TooSmall(min_s) => {
                let refusal = self.response(request, 422, "Session Interval Too Small");
                let refusal = refusal.header("Min-SE", min_s).bare();
                return self.reply(request, refusal, back, out);
            }
            Answer::NoTimer => {
                let refusal = self.response(request, 420, "Bad Extension");
                let refusal = refusal.header("Unsupported", options::TIMER).bare();
                return self.reply(request, refusal, back, out);
            }
        };
        let offered = request.sdp().is_none() && method == Method::Invite;
        let (sdp, changed) = match request.sdp() {
            Some(offer) => match take_offer(offer, &mut self.session) {
                Ok((agreement, answer)) => (Some(answer), Some(agreement)),
                Err(why) => return self.refuse_offer(request, &why, back, out),
            },
            None => (offered.then(|| self.session.offer()), None),
        };
        talking.dialog.refresh_target(request);
        if let Some(clock) = clock {
            talking.clock = Some(session_timer::restarted(clock, &self.timers, now));
        }
        let mut ok = self.accepted(request);
        for (name, value) in timer_headers {
            ok = ok.header(name, value);
        }
        let ok = ok.sdp(sdp.as_deref());
        self.reply(request, ok.clone(), back, out);
        let Stage::Talking(talking) = &mut self.stage else { return };
        if method == Method::Invite {
            talking.peer.awaited_ack = Some(AwaitedAck {
                cseq: request.cseq(),
                answer: ok,
                back,
                offered,
                resend_at: now + self.timers.t1,
                interval: self.timers.t1,
                over_at: now + self.timers.t1x64(),
            });
        }
        if let Some(agreement) = changed {
            talking.agreement = agreement;
            out.push(Output::Changed(agreement));
        }
    }

    /// The 2xx to a request that may change the session and the peer's address.
    fn accepted(&self, request: &Message) -> Composer {
        self.response(request, 200, "OK")
            .header("Contact", self.invite.local.contact(&self.invite.user))
            .header("Allow", ALLOW)
            .maybe("Supported", self.invite.supported())
    }

    fn refuse_offer(
        &mut self,
        request: &Message,
        why: &Unusable,
        back: Target,
        out: &mut Vec<Output>,
    ) {
        let refusal = self
            .response(request, 488, "Not Acceptable Here")
            .header("Warning", format_args!("399 yunling \"{why}\""));
        self.reply(request, refusal.bare(), back, out);
    }

    fn on_ack(&mut self, request: &Message, out: &mut Vec<Output>) {
        let Stage::Talking(talking) = &mut self.stage else { return };
        let awaited = talking.peer.awaited_ack.take_if(|awaited| awaited.cseq == request.cseq());
        if awaited.is_some_and(|awaited| awaited.offered)
            && let Some(agreement) =
                request.sdp().and_then(|sdp| take_answer(sdp, &self.session).ok())
        {
            talking.agreement = agreement;
            out.push(Output::Changed(agreement));
        }
    }

    fn on_info(&mut self, request: &Message, back: Target, out: &mut Vec<Output>) {
        let content_type = request.header("Content-Type").unwrap_or_default();
        let key = dtmf::key_of_info(content_type, request.body());
        let response = if key.is_some() || request.body().is_empty() {
            self.response(request, 200, "OK").bare()
        } else {
            self.response(request, 415, "Unsupported Media Type")
                .header("Accept", "application/dtmf-relay, application/dtmf")
                .bare()
        };
        self.reply(request, response, back, out);
        if let (Some(key), Stage::Talking(_)) = (key, &self.stage) {
            out.push(Output::Key(key));
        }
    }

    fn no_such_call(
        &mut self,
        request: &Message,
        method: Method,
        back: Target,
        out: &mut Vec<Output>,
    ) {
        if method != Method::Ack {
            let refusal = self.response(request, 481, "Call/Transaction Does Not Exist").bare();
            self.send(refusal, Hop::Back(back), Purpose::Reply, out);
        }
    }

    fn response(&self, request: &Message, status: u16, phrase: &str) -> Composer {
        Composer::response(request, status, phrase, &self.invite.ids.tag)
            .header("User-Agent", &self.invite.local.user_agent)
    }

    /// Answers a request, and remembers the answer in case it is asked for again.
    fn reply(&mut self, request: &Message, bytes: Bytes, back: Target, out: &mut Vec<Output>) {
        let branch = request.branch().unwrap_or_default().to_owned();
        self.last_reply = Some(SentReply { cseq: request.cseq(), branch, bytes: bytes.clone() });
        self.send(bytes, Hop::Back(back), Purpose::Reply, out);
    }
}
