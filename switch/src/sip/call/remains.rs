//! What is left of a call that is over: the answers that a peer may ask for again because they were
//! lost on the way (RFC 3261 §17.1.1.2 timer D, §17.2.2 timer J, RFC 6026 timer M).

use bytes::Bytes;

use super::{Hop, Message, Start};
use crate::sip::stack::Method;

/// An ACK of ours.
#[derive(Debug, Clone)]
pub(crate) struct SentAck {
    pub cseq: u32,
    pub to_tag: String,
    pub bytes: Bytes,
    pub hop: Hop,
}

impl SentAck {
    /// Whether it acknowledged the final response with this CSeq and To tag.
    pub(super) fn is_for(&self, cseq: u32, to_tag: &str) -> bool {
        self.cseq == cseq && self.to_tag == to_tag
    }
}

/// The last response of ours to a request of the peer's.
#[derive(Debug, Clone)]
pub(crate) struct SentReply {
    pub cseq: u32,
    pub branch: String,
    pub bytes: Bytes,
}

impl SentReply {
    /// Whether the request is the one that was answered, come again.
    pub(super) fn is_for(&self, request: &Message) -> bool {
        self.cseq == request.cseq() && request.branch() == Some(self.branch.as_str())
    }
}

/// See the module's head.
#[derive(Debug, Clone, Default)]
pub(crate) struct Remains {
    acks: Vec<SentAck>,
    last_reply: Option<SentReply>,
}

/// What to do with a late message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Late {
    /// Send this once more, there.
    Repeat(Bytes, Hop),
    /// Send this once more, to where the message came from.
    RepeatBack(Bytes),
    /// A request of a call that is over.
    NoSuchCall,
    /// Nothing.
    Ignore,
}

impl Remains {
    pub(super) fn new(acks: Vec<SentAck>, last_reply: Option<SentReply>) -> Self {
        Self { acks, last_reply }
    }

    /// What a late message wants.
    pub(crate) fn on_message(&self, message: &Message) -> Late {
        match message.start() {
            Start::Response { status, .. } if *status >= 200 => {
                let to_tag = message.tag_of_to().unwrap_or_default();
                let is_invite = message.cseq_method() == Method::Invite;
                let ack = self.acks.iter().find(|ack| ack.is_for(message.cseq(), to_tag));
                match ack.filter(|_| is_invite) {
                    Some(ack) => Late::Repeat(ack.bytes.clone(), ack.hop.clone()),
                    None => Late::Ignore,
                }
            }
            Start::Response { .. } | Start::Request(Method::Ack) => Late::Ignore,
            Start::Request(_) => match &self.last_reply {
                Some(reply) if reply.is_for(message) => Late::RepeatBack(reply.bytes.clone()),
                _ => Late::NoSuchCall,
            },
        }
    }
}
