use core::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use crate::{LegId, Owner, Transport};

/// One SIP message of a leg as it went over the wire, secrets removed: for people who look into
/// why a call went as it did.
#[derive(Debug, Clone)]
pub struct SipTrace {
    /// Who owns the leg.
    pub owner: Owner,
    /// The leg.
    pub leg: LegId,
    /// Which try of the leg.
    pub attempt: u8,
    /// When it was sent or received.
    pub at: Instant,
    /// Which way it went.
    pub direction: TraceDirection,
    /// The transport.
    pub transport: Transport,
    /// Our address.
    pub local: SocketAddr,
    /// The peer's.
    pub remote: SocketAddr,
    /// The message.
    pub message: Arc<str>,
}

/// Which way a message went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TraceDirection {
    /// From us to the peer.
    Sent,
    /// From the peer to us.
    Received,
}
