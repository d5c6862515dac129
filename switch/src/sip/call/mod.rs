//! One outbound call as a user agent client sees it, from the INVITE to the last response: a pure
//! machine. Messages, timers and the platform's wishes go in; what to send and what happened come
//! out as [`Output`]s, in order.
//!
//! ```text
//! Inviting ──2xx──▶ Talking ──BYE──▶ Leaving ──▶ Over
//!    │  └────3xx–6xx, nothing, transport lost────▶ │
//!    └─2xx after our CANCEL, or no common media──▶ Leaving
//! ```
//! [`Output::Ended`] comes exactly once. The machine may live on behind it as a guard: a CANCEL
//! that waits for a sign of life, a BYE that nobody answered yet ([`Call::is_over`]).
//!
//! Within `Inviting` each branch of the call has an early dialog of its own (`early`); within
//! `Talking` a session timer runs (`session_timer`) and is refreshed (`refreshing`).

mod early;
mod errands;
mod inviting;
mod leaving;
mod refreshing;
mod remains;
mod requests;
mod session_timer;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::time::Instant;

use bytes::Bytes;
use yunling_switch_contract::{
    Credentials, DialogState, HangUpWhy, Termination, TerminationKind, Transport,
};

use super::authorizer::Authorizer;
use super::dialog::Dialog;
use super::fields::{Reason, options};
use super::invite::Invite;
use super::stack::{Message, Method, Start, Target};
use super::timers::Timers;
use super::transaction::ClientTransaction;
use crate::sdp::{Agreement, Session};
use errands::Errands;
use inviting::Inviting;
use leaving::Leaving;
use refreshing::{Refresh, Reinvite};
pub(crate) use remains::{Late, Remains};
use remains::{SentAck, SentReply};
use requests::AwaitedAck;
pub(crate) use session_timer::MOST_RAISES;
use session_timer::{Clock, Terms};

/// Where something goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Hop {
    /// There.
    Known(Target),
    /// Back to where a request came from: a response, for which no connection is ever made.
    Back(Target),
    /// To the host of a URI that the peer gave us.
    Uri {
        uri: String,
        /// By this transport unless the URI names another. A peer that was called by TCP and
        /// forgets to say so in its Contact is not fallen upon with datagrams.
        usual: Transport,
        /// To there if the URI leads nowhere: the trunk, which called itself the next hop to
        /// whatever name its own network knows.
        otherwise: Target,
    },
}

/// What is being sent, for the case that it cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Invite,
    Cancel,
    Bye,
    /// A re-INVITE or UPDATE of ours.
    Refresh,
    /// An ACK, a PRACK or a response: the peer asks again if it is lost.
    Reply,
}

/// Bytes on their way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sending {
    pub bytes: Bytes,
    pub hop: Hop,
    pub purpose: Purpose,
}

/// What the shell carries out.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Output {
    Send(Sending),
    /// The first 1xx, and it is not an 18x.
    Trying,
    /// An 18x.
    Ringing {
        code: u16,
        early_media: bool,
    },
    /// A branch of the call described its media before the answer: it may be heard.
    Early(Agreement),
    /// A 2xx; audio may flow. It is acknowledged, or its ACK waits ([`Call::acknowledge`]).
    Answered {
        dialog: Box<DialogState>,
        agreement: Agreement,
    },
    /// The peer changed the session.
    Changed(Agreement),
    /// A key by INFO.
    Key(char),
    /// Somebody who is not the trunk asked for its password: to be counted.
    ForeignChallenge(SocketAddr),
    /// Audio ends now, the leg a little later.
    StopMedia,
    /// The leg is over. Once.
    Ended(Termination),
}

/// See the module's head.
#[derive(Debug)]
pub(crate) struct Call {
    invite: Invite,
    trunk: Target,
    timers: Timers,
    session: Session,
    authorizer: Authorizer,
    /// Absent: no session timer.
    terms: Option<Terms>,
    acks: Vec<SentAck>,
    /// The last of them, while it waits to be sent.
    held: Option<HeldAck>,
    last_reply: Option<SentReply>,
    /// The last re-INVITE of ours.
    reinvite: Option<Reinvite>,
    errands: Errands,
    stage: Stage,
    reported: bool,
}

/// The ACK of an answer that is being stored.
#[derive(Debug)]
struct HeldAck {
    bytes: Bytes,
    hop: Hop,
    /// It is sent then at the latest.
    until: Instant,
}

#[derive(Debug)]
enum Stage {
    Inviting(Inviting),
    Talking(Talking),
    Leaving(Leaving),
    Over,
}

/// Answered, nobody has hung up.
#[derive(Debug)]
struct Talking {
    dialog: Dialog,
    peer: PeerSide,
    /// What is sent and taken at present.
    agreement: Agreement,
    /// Absent: no session timer.
    clock: Option<Clock>,
    /// A refresh under way.
    refresh: Option<Refresh>,
}

/// What the peer sent us within the dialog.
#[derive(Debug, Default)]
struct PeerSide {
    cseq: Option<u32>,
    awaited_ack: Option<AwaitedAck>,
    /// Its Allow names UPDATE.
    takes_update: bool,
}

impl PeerSide {
    /// Takes what a message says of the methods that its sender takes, if it says it.
    fn learn(&mut self, message: &Message) {
        if message.header("Allow").is_some() {
            self.takes_update = options::names(message.headers("Allow"), Method::Update.as_str());
        }
    }
}

/// ACKs that are kept to be sent again: more than the repetitions of an INVITE and the branches of
/// any network. Beyond, branches that answer too are not even acknowledged, so that a peer that
/// invents them costs nothing.
const MOST_ACKS: usize = 32;

impl Call {
    /// Begins the call: the INVITE is among the outputs.
    pub(crate) fn start(
        invite: Invite,
        trunk: Target,
        credentials: Option<Credentials>,
        session: Session,
        timers: Timers,
        now: Instant,
        out: &mut Vec<Output>,
    ) -> Self {
        let authorizer = Authorizer::new(credentials, invite.ids.cnonce.clone());
        let terms = Terms::of(invite.session_timer);
        let mut call = Self {
            invite,
            trunk,
            timers,
            session,
            authorizer,
            terms,
            acks: Vec::new(),
            held: None,
            last_reply: None,
            reinvite: None,
            errands: Errands::default(),
            stage: Stage::Over,
            reported: false,
        };
        call.send_invite(1, None, now, out);
        call
    }

    /// Nothing is left to be done, not even in the background.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over) && self.errands.is_empty()
    }

    /// Whether [`Output::Ended`] was given.
    pub(crate) fn is_reported(&self) -> bool {
        self.reported
    }

    /// No final response to the INVITE yet: the call hangs on its connection.
    pub(crate) fn awaits_answer(&self) -> bool {
        matches!(self.stage, Stage::Inviting(_)) && !self.reported
    }

    /// A message with this call's Call-ID; `back` is where its sender takes responses.
    pub(crate) fn on_message(
        &mut self,
        message: &Message,
        back: Target,
        now: Instant,
        out: &mut Vec<Output>,
    ) {
        let status = match message.start() {
            Start::Request(method) => {
                // The peer goes on within the dialog, and so do we.
                self.acknowledge(out);
                return self.on_request(message, *method, back, now, out);
            }
            Start::Response { status, .. } => *status,
        };
        if is_foreign_challenge(status, back, self.trunk) && self.authorizer.has_password() {
            out.push(Output::ForeignChallenge(back.address));
            return;
        }
        match message.cseq_method() {
            Method::Invite => self.on_invite_response(message, status, now, out),
            Method::Cancel => self.on_cancel_response(message, status),
            Method::Bye => self.on_bye_response(message, status, now, out),
            Method::Prack => self.on_prack_response(message, status, now, out),
            Method::Update => self.on_refresh_response(message, status, now, out),
            Method::Ack | Method::Options | Method::Info | Method::Register | Method::Other => {}
        }
    }

    /// The platform wants the leg to end. Idempotent.
    pub(crate) fn on_hang_up(&mut self, why: HangUpWhy, now: Instant, out: &mut Vec<Output>) {
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Inviting(inviting) => self.cancel(inviting, why, now, out),
            Stage::Talking(talking) => {
                let reason = super::fields::reason::of_hang_up(why);
                let termination = Termination::new(TerminationKind::LocalBye);
                self.leave(talking.dialog, talking.peer, termination, Some(reason), now, out);
            }
            stage => self.stage = stage,
        }
    }

    /// The answer is stored: its ACK leaves, if it was not sent before.
    pub(crate) fn acknowledge(&mut self, out: &mut Vec<Output>) {
        if let Some(HeldAck { bytes, hop, .. }) = self.held.take() {
            self.send(bytes, hop, Purpose::Reply, out);
        }
    }

    /// When [`Call::on_time`] wants to be called next.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let stage = match &self.stage {
            Stage::Inviting(inviting) => inviting.deadline(self.reported),
            Stage::Talking(talking) => talking.deadline(),
            Stage::Leaving(leaving) => leaving.deadline(self.reported),
            Stage::Over => None,
        };
        let held = self.held.as_ref().map(|ack| ack.until);
        [self.errands.deadline(), stage, held].into_iter().flatten().min()
    }

    /// Runs the timers that are due.
    pub(crate) fn on_time(&mut self, now: Instant, out: &mut Vec<Output>) {
        self.errands.on_time(&self.timers, now, out);
        if self.held.as_ref().is_some_and(|ack| ack.until <= now) {
            self.acknowledge(out);
        }
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Inviting(inviting) => self.inviting_on_time(inviting, now, out),
            Stage::Leaving(leaving) => self.leaving_on_time(leaving, now, out),
            Stage::Talking(talking) => self.talking_on_time(talking, now, out),
            Stage::Over => {}
        }
    }

    /// Something could not be sent.
    pub(crate) fn on_send_failed(
        &mut self,
        purpose: Purpose,
        why: &str,
        now: Instant,
        out: &mut Vec<Output>,
    ) {
        match (&mut self.stage, purpose) {
            // A repetition that fails is no worse than one that is lost.
            (Stage::Inviting(inviting), Purpose::Invite) if inviting.is_first_sending() => {
                let mut termination = Termination::new(TerminationKind::Unreachable);
                termination.text = shortened(why);
                self.end(termination, out);
                self.stage = Stage::Over;
            }
            (Stage::Leaving(leaving), Purpose::Bye) => {
                let termination = leaving.termination.clone();
                self.end(termination, out);
                self.stage = Stage::Over;
            }
            (Stage::Talking(talking), Purpose::Refresh) => {
                talking.refresh_not_sent(&self.timers, now)
            }
            _ => {}
        }
    }

    /// The connection that the INVITE left by is gone. The phone may ring all the same: it is
    /// cancelled over a new connection, behind the report. A trunk that had not replied at all may
    /// be passed over; one that had may be ringing somebody.
    pub(crate) fn on_connection_lost(&mut self, now: Instant, out: &mut Vec<Output>) {
        let Stage::Inviting(inviting) = &self.stage else { return };
        if self.reported {
            return;
        }
        let kind = if inviting.is_unanswered() {
            TerminationKind::Unreachable
        } else {
            TerminationKind::ConnectionLost
        };
        let mut termination = Termination::new(kind);
        termination.text = "the connection was lost".to_owned();
        self.end(termination, out);
        self.on_hang_up(HangUpWhy::PlatformFault, now, out);
    }

    /// The engine gives this leg up (a fault of its own): one CANCEL or BYE, whatever comes of it.
    pub(crate) fn abandon(&mut self, now: Instant, out: &mut Vec<Output>) {
        self.reported = true;
        self.on_hang_up(HangUpWhy::PlatformFault, now, out);
        out.retain(|output| matches!(output, Output::Send(_)));
    }

    /// What must be answered for a while after the call.
    pub(crate) fn into_remains(self) -> Remains {
        let mut acks = self.acks;
        acks.extend(self.reinvite.and_then(Reinvite::into_ack));
        Remains::new(acks, self.last_reply)
    }

    fn end(&mut self, termination: Termination, out: &mut Vec<Output>) {
        if !self.reported {
            self.reported = true;
            out.push(Output::Ended(termination));
        }
    }

    fn send(&self, bytes: Bytes, hop: Hop, purpose: Purpose, out: &mut Vec<Output>) {
        out.push(Output::Send(Sending { bytes, hop, purpose }));
    }

    /// Ends a dialog that another branch of the INVITE made beside ours (§13.2.2.4).
    fn refuse_fork(&mut self, answer: &Message, now: Instant, out: &mut Vec<Output>) {
        if self.acks.len() >= MOST_ACKS {
            return;
        }
        let mut dialog = Dialog::of_answer(&self.invite, answer, self.trunk);
        let hop = dialog.hop();
        let ack = dialog.ack(answer.cseq(), &[]);
        self.remember_ack(answer, ack.clone(), hop.clone());
        self.send(ack, hop.clone(), Purpose::Reply, out);
        let bye = dialog.bye(&[], None);
        self.send(bye.clone(), hop.clone(), Purpose::Reply, out);
        let transaction =
            ClientTransaction::other(bye, self.trunk.is_reliable(), &self.timers, now);
        self.errands.add(Method::Bye, dialog, transaction);
    }

    /// The dialog that the call has, once it was answered.
    fn dialog(&self) -> Option<&Dialog> {
        match &self.stage {
            Stage::Talking(talking) => Some(&talking.dialog),
            Stage::Leaving(leaving) => Some(&leaving.dialog),
            Stage::Inviting(_) | Stage::Over => None,
        }
    }

    fn remember_ack(&mut self, response: &Message, bytes: Bytes, hop: Hop) {
        let to_tag = response.tag_of_to().unwrap_or_default().to_owned();
        if self.acks.len() < MOST_ACKS {
            self.acks.push(SentAck { cseq: response.cseq(), to_tag, bytes, hop });
        }
    }
}

/// How a final response ended a leg.
pub(crate) fn termination_of(kind: TerminationKind, response: &Message) -> Termination {
    let reason = Reason::from_headers(response.headers("Reason"));
    let (sip_code, phrase) = match response.start() {
        Start::Response { status, phrase } => (Some(*status), phrase.as_str()),
        Start::Request(_) => (None, ""),
    };
    Termination {
        kind,
        sip_code,
        q850: reason.q850,
        text: shortened(reason.text.unwrap_or(phrase)),
    }
}

/// Whether a response asks for the trunk's password and does not come from the trunk: somebody who
/// chose the nonce wants to find the password out. Ports are not compared: carriers answer from
/// others than they are called at.
pub(crate) fn is_foreign_challenge(status: u16, source: Target, trunk: Target) -> bool {
    matches!(status, 401 | 407)
        && source.address.ip().to_canonical() != trunk.address.ip().to_canonical()
}

/// At most the 128 characters that a termination may carry, on one line.
fn shortened(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(128).collect()
}
