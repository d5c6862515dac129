use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Instant;

use yunling_domain::sip_trace::{SipMessage, SipTrace};
use yunling_domain::{AccountId, ConversationId, Micros};

/// Messages of one conversation: far more than its calls exchange. What comes beyond is a peer's
/// flood, which must not cost the others theirs.
const MOST_MESSAGES: usize = 2_000;
/// The part of the whole that one conversation may take.
const SHARE: usize = 4;

/// A conversation that begins.
#[derive(Debug, Clone)]
pub struct Opening {
    /// What its messages will be given with. Rises from one conversation to the next.
    pub owner: u64,
    /// Which.
    pub conversation: ConversationId,
    /// Whose it is.
    pub account: AccountId,
    /// The same moment by both clocks: what a message's monotonic time is by the wall.
    pub clocks: (Micros, Instant),
}

/// What adding a message led to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Added {
    /// How many messages had to go for want of room, this one or others.
    pub(super) dropped: u32,
}

/// The messages, by conversation.
#[derive(Debug)]
pub(super) struct Ring {
    limit: usize,
    used: usize,
    traces: BTreeMap<u64, Held>,
    /// Those that hold messages: the first one is the oldest.
    filled: BTreeSet<u64>,
    owners: HashMap<ConversationId, u64>,
}

#[derive(Debug)]
struct Held {
    opening: Opening,
    messages: VecDeque<SipMessage>,
    bytes: usize,
    dropped: u32,
}

impl Ring {
    pub(super) fn new(limit_bytes: usize) -> Self {
        Self {
            limit: limit_bytes,
            used: 0,
            traces: BTreeMap::new(),
            filled: BTreeSet::new(),
            owners: HashMap::new(),
        }
    }

    pub(super) fn used(&self) -> usize {
        self.used
    }

    pub(super) fn open(&mut self, opening: Opening) {
        let owner = opening.owner;
        if let Some(earlier) = self.owners.insert(opening.conversation.clone(), owner) {
            self.remove(earlier);
        }
        let held = Held { opening, messages: VecDeque::new(), bytes: 0, dropped: 0 };
        self.traces.insert(owner, held);
    }

    pub(super) fn add(&mut self, owner: u64, at: Instant, mut message: SipMessage) -> Added {
        let Some(held) = self.traces.get_mut(&owner) else { return Added { dropped: 0 } };
        let bytes = message.bytes();
        if held.messages.len() >= MOST_MESSAGES || held.bytes + bytes > self.limit / SHARE {
            held.dropped = held.dropped.saturating_add(1);
            return Added { dropped: 1 };
        }
        message.at = wall_time(held.opening.clocks, at);
        // What left may be told behind what answered it: two threads saw them.
        let place = held.messages.partition_point(|earlier| earlier.at <= message.at);
        held.messages.insert(place, message);
        held.bytes += bytes;
        self.used += bytes;
        self.filled.insert(owner);
        let mut dropped = 0;
        while self.used > self.limit
            && let Some(oldest) = self.filled.pop_first()
        {
            dropped += self.empty(oldest);
        }
        Added { dropped }
    }

    /// Drops a conversation's messages; says how many.
    fn empty(&mut self, owner: u64) -> u32 {
        let Some(held) = self.traces.get_mut(&owner) else { return 0 };
        let count = u32::try_from(held.messages.len()).unwrap_or(u32::MAX);
        self.used -= std::mem::take(&mut held.bytes);
        held.messages = VecDeque::new();
        held.dropped = held.dropped.saturating_add(count);
        count
    }

    pub(super) fn get(
        &self,
        account: &AccountId,
        conversation: &ConversationId,
    ) -> Option<SipTrace> {
        self.peek(conversation).filter(|(owner, _)| owner == account).map(|(_, trace)| trace)
    }

    pub(super) fn peek(&self, conversation: &ConversationId) -> Option<(AccountId, SipTrace)> {
        let held = self.traces.get(self.owners.get(conversation)?)?;
        let trace = SipTrace {
            conversation: conversation.clone(),
            messages: held.messages.iter().cloned().collect(),
            dropped: held.dropped,
        };
        Some((held.opening.account.clone(), trace))
    }

    pub(super) fn take(&mut self, conversation: &ConversationId) -> Option<(AccountId, SipTrace)> {
        let owner = self.owners.remove(conversation)?;
        let held = self.remove(owner)?;
        let trace = SipTrace {
            conversation: conversation.clone(),
            messages: held.messages.into(),
            dropped: held.dropped,
        };
        Some((held.opening.account, trace))
    }

    fn remove(&mut self, owner: u64) -> Option<Held> {
        let held = self.traces.remove(&owner)?;
        self.filled.remove(&owner);
        self.used -= held.bytes;
        Some(held)
    }
}

fn wall_time((wall, monotonic): (Micros, Instant), at: Instant) -> Micros {
    let micros = |time: std::time::Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
    Micros(match at.checked_duration_since(monotonic) {
        Some(after) => wall.0.saturating_add(micros(after)),
        None => wall.0.saturating_sub(micros(monotonic - at)),
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::time::Duration;

    use yunling_domain::CallId;
    use yunling_domain::sip_trace::{Direction, Transport};

    use super::*;

    /// What one message of the tests takes.
    const EACH: usize = 1_000 + size_of::<SipMessage>();

    fn opening(owner: u64) -> Opening {
        Opening {
            owner,
            conversation: conversation(owner),
            account: AccountId::new("A"),
            clocks: (Micros(1_000_000), Instant::now()),
        }
    }

    fn conversation(owner: u64) -> ConversationId {
        ConversationId::new(format!("CV{owner}"))
    }

    fn message(text: &str) -> SipMessage {
        SipMessage {
            at: Micros(0),
            leg: CallId::new("CA"),
            attempt: 0,
            direction: Direction::Sent,
            transport: Transport::Udp,
            local: "127.0.0.1:1".parse().unwrap(),
            remote: "127.0.0.1:2".parse().unwrap(),
            text: format!("{text:1000}").into(),
        }
    }

    fn texts(trace: &SipTrace) -> Vec<&str> {
        trace.messages.iter().map(|message| message.text.trim_end()).collect()
    }

    #[test]
    fn messages_are_given_back_in_the_order_of_their_times() {
        let mut ring = Ring::new(1 << 20);
        let opening = opening(1);
        let began = opening.clocks.1;
        ring.open(opening);
        for (after_ms, text) in [(30, "answer"), (20, "question"), (40, "thanks")] {
            ring.add(1, began + Duration::from_millis(after_ms), message(text));
        }
        ring.add(2, began, message("nobody's"));
        assert_eq!(ring.used(), 3 * EACH);
        assert!(ring.get(&AccountId::new("B"), &conversation(1)).is_none(), "another's");
        let live = ring.get(&AccountId::new("A"), &conversation(1)).unwrap();
        let (account, trace) = ring.take(&conversation(1)).unwrap();
        assert_eq!((account, &live), (AccountId::new("A"), &trace));
        assert_eq!(texts(&trace), ["question", "answer", "thanks"]);
        assert_eq!(trace.messages[0].at, Micros(1_020_000));
        assert_eq!((ring.used(), ring.take(&conversation(1))), (0, None));
    }

    #[test]
    fn the_oldest_conversations_give_way() {
        let mut ring = Ring::new(10 * EACH);
        let now = Instant::now();
        for owner in 1..=5 {
            ring.open(opening(owner));
        }
        for owner in 1..=5 {
            for text in ["one", "two"] {
                assert_eq!(ring.add(owner, now, message(text)), Added { dropped: 0 });
            }
        }
        ring.open(opening(6));
        assert_eq!(ring.add(6, now, message("one")), Added { dropped: 2 });
        assert_eq!(ring.used(), 9 * EACH);
        let oldest = ring.take(&conversation(1)).unwrap().1;
        assert_eq!((oldest.messages.len(), oldest.dropped), (0, 2));
        assert_eq!(texts(&ring.take(&conversation(2)).unwrap().1), ["one", "two"]);
    }

    #[test]
    fn a_flood_costs_only_its_own_conversation() {
        let mut ring = Ring::new(40 * EACH);
        let now = Instant::now();
        ring.open(opening(1));
        ring.open(opening(2));
        ring.add(1, now, message("quiet"));
        let dropped: u32 = (0..100).map(|_| ring.add(2, now, message("loud")).dropped).sum();
        assert_eq!(dropped, 90);
        assert_eq!(ring.take(&conversation(2)).unwrap().1.dropped, 90);
        assert_eq!(texts(&ring.take(&conversation(1)).unwrap().1), ["quiet"]);
        assert_eq!(ring.used(), 0);
    }

    #[test]
    fn a_conversation_that_is_opened_again_begins_anew() {
        let mut ring = Ring::new(1 << 20);
        ring.open(opening(1));
        ring.add(1, Instant::now(), message("before"));
        ring.open(Opening { owner: 2, ..opening(1) });
        ring.add(1, Instant::now(), message("late"));
        ring.add(2, Instant::now(), message("after"));
        assert_eq!(texts(&ring.take(&conversation(1)).unwrap().1), ["after"]);
        assert_eq!((ring.used(), ring.traces.len()), (0, 0));
    }
}
