//! One request to a trunk, up to its final answer: the shell round a client transaction. Challenges
//! are answered, and a server that cannot serve makes way for the next.

use std::time::{Duration, Instant};

use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;
use yunling_switch_contract::{Credentials, Peer};

use super::Office;
use super::outcome::{Answer, Outcome};
use super::requests::{Labels, Request};
use crate::engine::{Inbox, Letter, Registry, foreign_challenge};
use crate::random;
use crate::sip::authorizer::{Authorizer, Tries};
use crate::sip::call::is_foreign_challenge;
use crate::sip::stack::{Reached, Start};
use crate::sip::transaction::{ClientTransaction, Due};

/// Servers of one trunk that one request is sent to at most.
const MOST_SERVERS: usize = 3;

/// A series of requests to one trunk: the same Call-ID and tag, rising CSeq (RFC 3261 §10.2.4).
pub(super) struct Series {
    inbox: Inbox,
    call_id: String,
    tag: String,
    branch_stem: String,
    /// Decides between servers of the same rank: the same for the whole series, so that a
    /// registration is refreshed where it is.
    lot: u64,
    cseq: u32,
    authorizer: Authorizer,
}

/// How an exchange ended.
pub(super) struct Ended {
    pub outcome: Outcome,
    /// From the last sending of a new request to its answer.
    pub round_trip: Duration,
    /// Cancelled when the connection that it went over is lost; absent where it took none.
    pub lost: Option<CancellationToken>,
}

impl Series {
    /// Begins a series. Credentials answer challenges.
    pub(super) fn begin(office: &Office, credentials: Option<Credentials>) -> Self {
        let call_id = hex::encode(random::bytes::<16>());
        Self {
            inbox: Registry::open_inbox(&office.registry, &call_id),
            call_id,
            tag: hex::encode(random::bytes::<8>()),
            branch_stem: hex::encode(random::bytes::<8>()),
            lot: chance(),
            cseq: 0,
            authorizer: Authorizer::new(credentials, hex::encode(random::bytes::<8>())),
        }
    }

    /// Sends a request and waits for its final answer, for `patience` at each server. A server that
    /// is silent or unavailable is left out for a while, and the request goes to the next one of
    /// the trunk at once (RFC 3263 §4.3).
    pub(super) async fn ask(
        &mut self,
        office: &Office,
        peer: &Peer,
        request: &Request,
        patience: Duration,
    ) -> Ended {
        let mut servers = 0;
        loop {
            servers += 1;
            let reached = match office.stack.reach(peer, self.lot).await {
                Ok(reached) => reached,
                Err(error) => {
                    let outcome = Outcome::Unreachable(error.to_string());
                    return Ended { outcome, round_trip: Duration::ZERO, lost: None };
                }
            };
            let (outcome, round_trip) = self.converse(office, &reached, request, patience).await;
            if outcome.blames_server() {
                office.stack.shun(&reached.target);
                if servers < MOST_SERVERS && office.stack.has_fresh(peer, self.lot).await {
                    continue;
                }
            }
            return Ended { outcome, round_trip, lost: reached.lost };
        }
    }

    /// The request, and again with answers to what it is challenged with, to one server.
    async fn converse(
        &mut self,
        office: &Office,
        reached: &Reached,
        request: &Request,
        patience: Duration,
    ) -> (Outcome, Duration) {
        let Reached { target, party, lost } = reached;
        let mut tries = Tries::default();
        loop {
            self.cseq += 1;
            let branch = format!("z9hG4bK{}{}", self.branch_stem, self.cseq);
            let labels =
                Labels { call_id: &self.call_id, tag: &self.tag, branch: &branch, cseq: self.cseq };
            let answers = self.authorizer.headers(request.method.as_str(), &request.uri);
            let bytes = request.write(party, labels, &answers);
            let sent_at = Instant::now();
            if let Err(error) = office.stack.send(&bytes, *target).await {
                return (Outcome::Unreachable(error.to_string()), sent_at.elapsed());
            }
            let mut transaction =
                ClientTransaction::other(bytes, target.is_reliable(), &office.timers, sent_at);
            let letter = loop {
                let give_up_at = sent_at + patience;
                let wake_at = transaction.deadline().map_or(give_up_at, |at| at.min(give_up_at));
                tokio::select! {
                    biased;
                    Some(letter) = self.inbox.recv() => {
                        match self.weigh(&letter, &branch, reached) {
                            Weight::Final => break letter,
                            Weight::Provisional => transaction.provisional(&office.timers),
                            Weight::Nothing => {}
                        }
                    }
                    () = cancelled(lost.as_ref()) => {
                        return (Outcome::ConnectionLost, sent_at.elapsed());
                    }
                    () = sleep_until(wake_at.into()) => {
                        let now = Instant::now();
                        match transaction.on_time(&office.timers, now) {
                            Due::Resend => {
                                // One that fails is no worse than one that is lost.
                                let again = transaction.request();
                                let _sent = office.stack.send(again, *target).await;
                            }
                            Due::Nothing if now < give_up_at => {}
                            Due::Nothing | Due::GaveUp => {
                                return (Outcome::Silent, sent_at.elapsed());
                            }
                        }
                    }
                }
            };
            let round_trip = sent_at.elapsed();
            let answer = Answer::read(&letter.0, &request.contact(party));
            if !matches!(answer.code, 401 | 407) || !self.authorizer.has_password() {
                return (Outcome::Answered(answer), round_trip);
            }
            if let Err(refusal) = self.authorizer.take(&mut tries, &letter.0, answer.code) {
                let text = refusal.to_string();
                return (Outcome::Refused { sip_code: answer.code, text }, round_trip);
            }
        }
    }

    /// What a message means to the request with this branch.
    fn weigh(&self, letter: &Letter, branch: &str, reached: &Reached) -> Weight {
        let (message, from) = (&letter.0, &letter.1);
        let Start::Response { status, .. } = message.start() else { return Weight::Nothing };
        if message.branch() != Some(branch) || message.cseq() != self.cseq {
            return Weight::Nothing;
        }
        match *status {
            ..200 => Weight::Provisional,
            status
                if is_foreign_challenge(status, *from, reached.target)
                    && self.authorizer.has_password() =>
            {
                foreign_challenge(from.address);
                Weight::Nothing
            }
            _ => Weight::Final,
        }
    }
}

/// What a message means.
enum Weight {
    Nothing,
    Provisional,
    Final,
}

/// Completes when a connection is lost.
pub(super) async fn cancelled(lost: Option<&CancellationToken>) {
    match lost {
        Some(lost) => lost.cancelled().await,
        None => std::future::pending().await,
    }
}

/// A number by chance.
pub(super) fn chance() -> u64 {
    u64::from_ne_bytes(random::bytes())
}
