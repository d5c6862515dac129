//! The SIP messages of the conversations of this node, in memory until their end, when a rule says
//! which are stored.

mod ring;

use std::time::Instant;

use parking_lot::Mutex;
use yunling_domain::sip_trace::{SipMessage, SipTrace};
use yunling_domain::{AccountId, ConversationId};

pub use self::ring::Opening;
use self::ring::{Added, Ring};
use crate::config::SipTraceRule;

const MIB: usize = 1 << 20;

/// See the module's head. Bounded: where there is no room, the messages of the oldest conversations
/// go first, and are counted.
#[derive(Debug)]
pub struct SipTraces {
    rule: SipTraceRule,
    ring: Mutex<Ring>,
}

impl SipTraces {
    /// Empty, as the settings say.
    pub fn new(rule: SipTraceRule) -> Self {
        let limit = usize::try_from(rule.ring_mib).unwrap_or(usize::MAX).saturating_mul(MIB);
        Self { rule, ring: Mutex::new(Ring::new(limit)) }
    }

    /// The rule.
    pub fn rule(&self) -> &SipTraceRule {
        &self.rule
    }

    /// Whether messages are to be [added](Self::add).
    pub fn gathers(&self) -> bool {
        self.rule.gathers()
    }

    /// A conversation begins.
    pub fn open(&self, opening: Opening) {
        if self.gathers() {
            self.ring.lock().open(opening);
        }
    }

    /// Adds a message of the conversation that was opened for `owner`; its time is the wall time of
    /// `at`. One of a conversation that is over is nobody's.
    pub fn add(&self, owner: u64, at: Instant, message: SipMessage) {
        let Added { dropped } = self.ring.lock().add(owner, at, message);
        if dropped > 0 {
            metrics::counter!("yunling_sip_trace_dropped_total", "why" => "ring")
                .increment(dropped.into());
        }
    }

    /// The messages so far of the account's conversation, while it runs.
    pub fn live(&self, account: &AccountId, conversation: &ConversationId) -> Option<SipTrace> {
        self.ring.lock().get(account, conversation)
    }

    /// A conversation's messages so far, whosever it is.
    pub fn peek(&self, conversation: &ConversationId) -> Option<(AccountId, SipTrace)> {
        self.ring.lock().peek(conversation)
    }

    /// Takes a conversation's trace out: it is over.
    pub fn take(&self, conversation: &ConversationId) -> Option<(AccountId, SipTrace)> {
        self.ring.lock().take(conversation)
    }

    /// The bytes that all messages take.
    pub fn bytes(&self) -> usize {
        self.ring.lock().used()
    }
}
