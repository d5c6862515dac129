//! What a server transaction must remember (RFC 3261 §17.2): when to send a response again, and
//! what was answered to a request that may come again.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use crate::address;
use crate::message::Message;

/// Estimate of the round trip.
const T1: Duration = Duration::from_millis(500);
/// Longest interval between two repeats.
const T2: Duration = Duration::from_secs(4);
/// 64 × T1: nobody waits any longer.
pub(crate) const GIVE_UP: Duration = Duration::from_secs(32);
/// Answers that are remembered; beyond it the oldest is forgotten early.
const REMEMBERED: usize = 50_000;

/// What is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    Nothing,
    Again,
    GiveUp,
}

/// When to send something again: after T1, doubling up to T2, until 64 × T1.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Repeats {
    interval: Duration,
    next: Instant,
    end: Instant,
}

impl Repeats {
    pub(crate) fn start(now: Instant) -> Self {
        Self { interval: T1, next: now + T1, end: now + GIVE_UP }
    }

    /// Over a reliable transport nothing is repeated, but waiting ends all the same.
    pub(crate) fn never(now: Instant) -> Self {
        Self { interval: T1, next: now + GIVE_UP, end: now + GIVE_UP }
    }

    pub(crate) fn poll(&mut self, now: Instant) -> Due {
        if now >= self.end {
            return Due::GiveUp;
        }
        if now < self.next {
            return Due::Nothing;
        }
        self.interval = (self.interval * 2).min(T2);
        self.next += self.interval;
        Due::Again
    }
}

/// Names a server transaction (RFC 3261 §17.2.3): branch, sent-by and method; ACK and CANCEL are
/// looked up under the method that they are about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct TransactionKey(String);

impl TransactionKey {
    pub(crate) fn of(request: &Message, method: &str) -> Self {
        let via = request.top_via();
        let branch = address::parameter(via, "branch").unwrap_or_default();
        if branch.starts_with("z9hG4bK") {
            return Self(format!("{branch} {} {method}", address::sent_by(via)));
        }
        // An RFC 2543 client: what it must not change between two copies.
        let from = request.header("From").and_then(address::tag).unwrap_or_default();
        let cseq = request.cseq().unwrap_or_default();
        Self(format!("{} {from} {cseq} {via} {method}", request.call_id()))
    }
}

/// Answers to requests other than INVITE, to be given again to a repeated request.
#[derive(Debug, Default)]
pub(crate) struct Answered {
    answers: HashMap<TransactionKey, Vec<u8>>,
    order: VecDeque<(Instant, TransactionKey)>,
}

impl Answered {
    pub(crate) fn get(&self, key: &TransactionKey) -> Option<&[u8]> {
        self.answers.get(key).map(Vec::as_slice)
    }

    pub(crate) fn remember(&mut self, now: Instant, key: TransactionKey, answer: Vec<u8>) {
        self.answers.insert(key.clone(), answer);
        self.order.push_back((now + GIVE_UP, key));
        while self
            .order
            .front()
            .is_some_and(|(until, _)| *until <= now || self.order.len() > REMEMBERED)
        {
            if let Some((_, key)) = self.order.pop_front() {
                self.answers.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed parse is a failed test")]
    use super::*;

    #[test]
    fn repeats_double_up_to_t2_and_end() {
        let start = Instant::now();
        let times = |mut repeats: Repeats| {
            let (mut again_ms, mut at_ms) = (Vec::new(), 0);
            loop {
                match repeats.poll(start + Duration::from_millis(at_ms)) {
                    Due::Nothing => {}
                    Due::Again => again_ms.push(at_ms),
                    Due::GiveUp => return (again_ms, at_ms),
                }
                at_ms += 100;
            }
        };
        let expected =
            vec![500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];
        assert_eq!(times(Repeats::start(start)), (expected, 32_000));
        assert_eq!(times(Repeats::never(start)), (vec![], 32_000));
    }

    fn request(via: &str) -> Message {
        let text = format!(
            "BYE sip:a SIP/2.0\r\nVia: {via}\r\nFrom: <sip:b>;tag=f\r\nTo: c\r\nCall-ID: d\r\nCSeq: 3 BYE\r\n\r\n"
        );
        Message::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn the_key_is_branch_and_sender_and_method() {
        let key = |via, method| TransactionKey::of(&request(via), method);
        let base = key("SIP/2.0/UDP h:1;branch=z9hG4bKx", "BYE");
        assert_eq!(base, key("SIP/2.0/UDP h:1;rport;branch=z9hG4bKx;x=y", "BYE"));
        assert_ne!(base, key("SIP/2.0/UDP h:2;branch=z9hG4bKx", "BYE"));
        assert_ne!(base, key("SIP/2.0/UDP h:1;branch=z9hG4bKy", "BYE"));
        assert_ne!(base, key("SIP/2.0/UDP h:1;branch=z9hG4bKx", "INFO"));
        assert_ne!(key("SIP/2.0/UDP h:1;branch=1", "BYE"), key("SIP/2.0/UDP h:1;branch=2", "BYE"));
    }

    #[test]
    fn answers_are_remembered_for_a_while() {
        let (start, key) = (Instant::now(), |n: u32| {
            TransactionKey::of(&request(&format!("U h;branch=z9hG4bK{n}")), "BYE")
        });
        let mut answered = Answered::default();
        answered.remember(start, key(1), b"one".to_vec());
        answered.remember(start + GIVE_UP - T1, key(2), b"two".to_vec());
        assert_eq!(answered.get(&key(1)), Some(&b"one"[..]));
        answered.remember(start + GIVE_UP, key(3), b"three".to_vec());
        assert_eq!((answered.get(&key(1)), answered.get(&key(2)).is_some()), (None, true));
    }
}
