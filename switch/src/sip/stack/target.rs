//! Where bytes go, as plain data.

use std::net::SocketAddr;

use yunling_switch_contract::Transport;

use super::Message;
use crate::sip::fields::Via;

/// An address, how to reach it, and from which of our sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Target {
    pub transport: Transport,
    pub address: SocketAddr,
    /// Index of our socket; behind the last, the number of a trunk that is reached over TLS, from
    /// no socket of ours ([`super::tls`]).
    pub listener: usize,
}

impl Target {
    /// Whether the transport delivers by itself: nothing is ever sent twice on it.
    pub(crate) fn is_reliable(&self) -> bool {
        self.transport.is_reliable()
    }

    /// Where the response to a message goes (RFC 3261 §18.2.2, RFC 3581 §4): back by the same
    /// stream; for datagrams to the source address, and its port if asked for, else that of Via.
    pub(super) fn back(
        message: &Message,
        transport: Transport,
        source: SocketAddr,
        listener: usize,
    ) -> Self {
        let mut address = source;
        if transport == Transport::Udp
            && let Some(via) = message.header("Via").and_then(Via::parse)
            && !via.wants_source_port()
        {
            address.set_port(via.port.unwrap_or(5060));
        }
        Self { transport, address, listener }
    }
}
