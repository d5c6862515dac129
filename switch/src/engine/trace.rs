//! Hands the SIP messages of legs to whoever looks into calls, credentials removed.
//!
//! Messages are told apart by Call-ID at the sockets, so that repetitions, and what is answered for
//! a call that is over, are seen too. What was sent is shown byte for byte. What was received is
//! written anew from the parsed message: the same headers in the same order, but compact names in
//! their long form and folded lines on one.
//!
//! Where nobody wants a trace, a message costs one call that says so.

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::RwLock;
use yunling_switch_contract::{EventSink, LegId, Owner, SipTrace, TraceDirection};

use crate::sip::stack::{Message, Path, Watch};

/// Stands for what was removed.
const REMOVED: &str = "…";

/// Headers that hold what a password was made into. A challenge's nonce is worth nothing without
/// them, and is shown.
const SECRET: [&str; 4] =
    ["Authorization", "Proxy-Authorization", "Authentication-Info", "Proxy-Authentication-Info"];

/// See the module's head.
pub(super) struct Tracer {
    sink: Arc<dyn EventSink>,
    /// How long a call is followed behind its end.
    linger: Duration,
    calls: RwLock<Calls>,
}

#[derive(Default)]
struct Calls {
    followed: HashMap<String, Followed>,
    /// Calls that are over, in the order in which they are forgotten.
    expiring: VecDeque<(Instant, String, u64)>,
    next: u64,
}

struct Followed {
    owner: Owner,
    leg: LegId,
    attempt: u8,
    /// Tells a call from an earlier one of the same Call-ID.
    number: u64,
}

/// A call is followed until a while after this is dropped.
pub(super) struct Following {
    tracer: Arc<Tracer>,
    call_id: String,
    number: u64,
}

impl Drop for Following {
    fn drop(&mut self) {
        let expires = Instant::now() + self.tracer.linger;
        let call_id = std::mem::take(&mut self.call_id);
        self.tracer.calls.write().expiring.push_back((expires, call_id, self.number));
    }
}

impl Tracer {
    /// `linger`: how long late repetitions are expected.
    pub(super) fn new(sink: Arc<dyn EventSink>, linger: Duration) -> Arc<Self> {
        Arc::new(Self { sink, linger, calls: RwLock::default() })
    }

    /// Follows a call; nothing where nobody wants to see it.
    pub(super) fn follow(
        self: &Arc<Self>,
        call_id: &str,
        owner: Owner,
        leg: &LegId,
        attempt: u8,
    ) -> Option<Following> {
        if !self.sink.wants_trace() {
            return None;
        }
        let mut calls = self.calls.write();
        calls.forget_expired(Instant::now());
        calls.next += 1;
        let number = calls.next;
        let followed = Followed { owner, leg: leg.clone(), attempt, number };
        calls.followed.insert(call_id.to_owned(), followed);
        Some(Following { tracer: Arc::clone(self), call_id: call_id.to_owned(), number })
    }

    fn give(
        &self,
        call_id: &str,
        direction: TraceDirection,
        (path, at): (Path, Instant),
        text: impl FnOnce() -> Arc<str>,
    ) {
        let (owner, leg, attempt) = {
            let calls = self.calls.read();
            let Some(call) = calls.followed.get(call_id) else { return };
            (call.owner, call.leg.clone(), call.attempt)
        };
        let Path { transport, local, remote } = path;
        let message = text();
        self.sink.trace(SipTrace {
            owner,
            leg,
            attempt,
            at,
            direction,
            transport,
            local,
            remote,
            message,
        });
    }
}

impl Watch for Tracer {
    fn sent(&self, bytes: &[u8], path: Path, at: Instant) {
        if !self.sink.wants_trace() {
            return;
        }
        let text = String::from_utf8_lossy(bytes);
        // Ours always write it so.
        let Some((_, rest)) = text.split_once("\r\nCall-ID: ") else { return };
        let call_id = rest.split('\r').next().unwrap_or_default();
        let shown = || without_secrets(&text).into();
        self.give(call_id, TraceDirection::Sent, (path, at), shown);
    }

    fn received(&self, message: &Message, path: Path) {
        if !self.sink.wants_trace() {
            return;
        }
        let shown = || {
            let is_secret = |name: &str| SECRET.iter().any(|one| one.eq_ignore_ascii_case(name));
            let written = message.written(|name| is_secret(name).then_some(REMOVED));
            without_keys(&written).into()
        };
        let now = Instant::now();
        self.give(message.call_id(), TraceDirection::Received, (path, now), shown);
    }
}

impl Calls {
    fn forget_expired(&mut self, now: Instant) {
        while self.expiring.front().is_some_and(|(expires, ..)| *expires <= now) {
            let Some((_, call_id, number)) = self.expiring.pop_front() else { return };
            if self.followed.get(&call_id).is_some_and(|call| call.number == number) {
                self.followed.remove(&call_id);
            }
        }
    }
}

/// A message of ours with the values of secret headers removed, its scheme (`Digest`) left.
fn without_secrets(text: &str) -> Cow<'_, str> {
    if !text.contains("uthorization:") {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        match line.split_once(": ") {
            Some((name, value)) if SECRET.contains(&name) => {
                let scheme = value.split(' ').next().unwrap_or_default();
                shown.push_str(&format!("{name}: {scheme} {REMOVED}\r\n"));
            }
            _ => shown.push_str(line),
        }
    }
    Cow::Owned(shown)
}

/// The keys of media that a session description may hold (RFC 4568, RFC 8866 §5.12).
fn without_keys(text: &str) -> Cow<'_, str> {
    const KEYS: [&str; 2] = ["a=crypto:", "k="];
    if !KEYS.iter().any(|key| text.contains(key)) {
        return Cow::Borrowed(text);
    }
    let lines = text.split_inclusive('\n').map(|line| {
        match KEYS.iter().find(|key| line.starts_with(**key)) {
            Some(key) => Cow::Owned(format!("{key}{REMOVED}\r\n")),
            None => Cow::Borrowed(line),
        }
    });
    Cow::Owned(lines.collect())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may panic")]

    use parking_lot::Mutex;
    use yunling_switch_contract::{Event, Transport, TrunkEvent};

    use super::*;

    /// Keeps what it is given.
    #[derive(Default)]
    struct Book {
        is_closed: bool,
        messages: Mutex<Vec<SipTrace>>,
    }

    impl EventSink for Book {
        fn deliver(&self, _: Event) {}
        fn trunk(&self, _: TrunkEvent) {}
        fn wants_trace(&self) -> bool {
            !self.is_closed
        }
        fn trace(&self, message: SipTrace) {
            self.messages.lock().push(message);
        }
    }

    fn path() -> Path {
        Path {
            transport: Transport::Udp,
            local: "127.0.0.1:5060".parse().unwrap(),
            remote: "127.0.0.2:5060".parse().unwrap(),
        }
    }

    const ASKED: &str = "INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=1\r\n\
        From: <sip:x@y>;tag=f\r\nTo: <sip:a@b>\r\nCall-ID: i\r\nCSeq: 2 INVITE\r\n\
        Proxy-Authorization: Digest username=\"u\", response=\"0123456789abcdef\"\r\n\
        Content-Length: 0\r\n\r\n";
    const ANSWERED: &str = "SIP/2.0 200 Fine\r\nv: SIP/2.0/UDP h;branch=1\r\nf: <sip:x@y>;tag=f\r\n\
        t: <sip:a@b>;tag=t\r\ni: i\r\nCSeq: 2 INVITE\r\nAuthentication-Info: rspauth=\"0123\"\r\n\
        X-Own: 1\r\nContent-Type: application/sdp\r\nContent-Length: 50\r\n\r\n\
        v=0\r\na=crypto:1 AES_CM inline:c2VjcmV0\r\na=sendrecv\r\n\r\n";

    #[test]
    fn a_followed_calls_messages_are_given_without_their_secrets() {
        let book = Arc::new(Book::default());
        let tracer = Tracer::new(Arc::clone(&book) as _, Duration::from_secs(32));
        let following = tracer.follow("i", Owner(7), &LegId::new("CA1"), 1).unwrap();
        tracer.sent(ASKED.as_bytes(), path(), Instant::now());
        tracer.sent(
            ASKED.replace("Call-ID: i", "Call-ID: other").as_bytes(),
            path(),
            Instant::now(),
        );
        tracer.received(&Message::parse(ANSWERED), path());
        // The repetitions of a call that is over are still its own.
        drop(following);
        tracer.sent(b"ACK sip:a@b SIP/2.0\r\nCall-ID: i\r\n\r\n", path(), Instant::now());

        let messages = book.messages.lock();
        let told: Vec<_> = messages.iter().map(|one| (one.direction, one.attempt)).collect();
        let (sent, received) = (TraceDirection::Sent, TraceDirection::Received);
        assert_eq!(told, [(sent, 1), (received, 1), (sent, 1)]);
        assert_eq!(messages[0].owner, Owner(7));
        let asked = ASKED.replace("username=\"u\", response=\"0123456789abcdef\"", REMOVED);
        assert_eq!(*messages[0].message, asked);
        let answered = &messages[1].message;
        assert!(answered.starts_with("SIP/2.0 200 Fine\r\nVia: SIP/2.0/UDP h;branch=1\r\n"));
        assert!(
            answered.contains(
                "\r\nCall-ID: i\r\nCSeq: 2 INVITE\r\nAuthentication-Info: …\r\nX-Own: 1\r\n"
            ),
            "{answered}"
        );
        assert!(answered.contains("\r\n\r\nv=0\r\na=crypto:…\r\na=sendrecv"), "{answered}");
    }

    #[test]
    fn a_call_is_forgotten_in_time() {
        let tracer = Tracer::new(Arc::new(Book::default()) as _, Duration::ZERO);
        let leg = LegId::new("CA1");
        for _ in 0..3 {
            drop(tracer.follow("i", Owner(1), &leg, 0));
        }
        let again = tracer.follow("i", Owner(1), &leg, 0);
        drop(tracer.follow("j", Owner(1), &leg, 0));
        tracer.calls.write().forget_expired(Instant::now());
        assert_eq!(tracer.calls.read().followed.len(), 1, "the one that is followed again");
        drop(again);
    }

    #[test]
    fn what_nobody_wants_is_not_followed() {
        let book = Arc::new(Book { is_closed: true, ..Book::default() });
        let tracer = Tracer::new(Arc::clone(&book) as _, Duration::from_secs(32));
        assert!(tracer.follow("i", Owner(1), &LegId::new("CA1"), 0).is_none());
        tracer.sent(ASKED.as_bytes(), path(), Instant::now());
        assert!(book.messages.lock().is_empty());
    }
}
