//! The SIP messages of a conversation, and how they are shown: as a [`ladder`], as a packet capture
//! ([`pcap`]), and without what a tenant need not know of the trunk ([`tenant`]).

pub mod ladder;
pub mod pcap;
pub mod tenant;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{CallId, ConversationId, Micros};

/// One SIP message as it went over the wire, credentials removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SipMessage {
    /// When it was sent or received.
    pub at: Micros,
    /// The call that it belongs to.
    pub leg: CallId,
    /// Which try of the call, from 0: one for each trunk tried.
    pub attempt: u8,
    /// Which way it went.
    pub direction: Direction,
    /// How.
    pub transport: Transport,
    /// Our address.
    pub local: SocketAddr,
    /// The peer's.
    pub remote: SocketAddr,
    /// The whole message.
    pub text: Arc<str>,
}

/// Which way a message went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From us to the trunk.
    Sent,
    /// From the trunk to us.
    Received,
}

/// By which transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// A stream.
    Tcp,
    /// A stream inside TLS.
    Tls,
}

impl Transport {
    /// As URIs write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        }
    }
}

/// What a start line says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start<'a> {
    /// A request and its method.
    Request {
        /// `INVITE`, …
        method: &'a str,
    },
    /// A response.
    Response {
        /// 100 to 699; 0 where the line is not to be understood.
        status: u16,
        /// The peer's own words.
        phrase: &'a str,
    },
}

impl SipMessage {
    /// The first line.
    pub fn start_line(&self) -> &str {
        self.text.lines().next().unwrap_or_default()
    }

    /// What the first line says.
    pub fn start(&self) -> Start<'_> {
        let line = self.start_line();
        match line.strip_prefix("SIP/2.0 ") {
            Some(rest) => {
                let (status, phrase) = rest.split_once(' ').unwrap_or((rest, ""));
                Start::Response { status: status.parse().unwrap_or(0), phrase }
            }
            None => Start::Request { method: line.split(' ').next().unwrap_or_default() },
        }
    }

    /// The value of CSeq, `1 INVITE`.
    pub fn cseq(&self) -> &str {
        let headers = self.text.lines().skip(1).take_while(|line| !line.is_empty());
        let mut fields = headers.filter_map(|line| line.split_once(':'));
        let found = fields.find(|(name, _)| name.trim().eq_ignore_ascii_case("cseq"));
        found.map_or("", |(_, value)| value.trim())
    }

    /// The bytes that it takes in memory, about.
    pub fn bytes(&self) -> usize {
        self.text.len() + size_of::<Self>()
    }
}

/// The messages of one conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SipTrace {
    /// Which.
    pub conversation: ConversationId,
    /// In the order in which they went.
    pub messages: Vec<SipMessage>,
    /// How many were not kept, because there was no room or too many came.
    pub dropped: u32,
}

impl SipTrace {
    /// For each message whether it is a repetition: the same bytes, the same way, to or from the
    /// same peer.
    pub fn repetitions(&self) -> Vec<bool> {
        let mut seen = HashSet::new();
        let is_new = |message: &SipMessage| {
            seen.insert((message.direction, message.remote, Arc::clone(&message.text)))
        };
        self.messages.iter().map(is_new).map(|is_new| !is_new).collect()
    }

    /// The peers, in the order of their first message.
    pub fn peers(&self) -> Vec<SocketAddr> {
        let mut peers = Vec::new();
        for message in &self.messages {
            if !peers.contains(&message.remote) {
                peers.push(message.remote);
            }
        }
        peers
    }

    /// All messages joined, each under a line that says when and where it went.
    pub fn joined(&self) -> String {
        let mut text = String::new();
        for message in &self.messages {
            let arrow = match message.direction {
                Direction::Sent => "->",
                Direction::Received => "<-",
            };
            text.push_str(&format!(
                "---- {} {} {} {arrow} {} ({})\r\n{}\r\n",
                message.at.rfc3339(chrono_tz::UTC),
                message.leg,
                message.local,
                message.remote,
                message.transport.as_str(),
                message.text.trim_end_matches(['\r', '\n']),
            ));
        }
        text
    }
}
