//! What an engine needs to be told, and why it may refuse to start.

use std::io;
use std::net::SocketAddr;

use yunling_switch_contract::Transport;

use crate::media::MediaConfig;
pub use crate::sip::timers::Timers;

/// A socket to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SipListen {
    /// The transport.
    pub transport: Transport,
    /// The address to bind. Port 0 takes a free one, which only tests want: orphans of an earlier
    /// process can be reached only at the same port.
    pub address: SocketAddr,
    /// What peers are told in Via and Contact; the bound address if absent. Needed where `address`
    /// is a wildcard or behind a static NAT. Port 0 stands for the bound one.
    pub advertised: Option<SocketAddr>,
}

/// How an engine is set up.
#[derive(Clone)]
pub struct SwitchConfig {
    /// Where SIP listens. Calls leave by the first socket of the trunk's transport and family.
    pub sip_listen: Vec<SipListen>,
    /// Where audio flows.
    pub rtp: MediaConfig,
    /// The User-Agent header.
    pub user_agent: String,
    /// The key that Call-IDs, tags and branches are derived with. Secret, and the same after a
    /// restart: without it, orphans cannot be ended.
    pub id_key: [u8; 32],
    /// Times of the signalling.
    pub timers: Timers,
    /// Commands that may wait; [`yunling_switch_contract::Overloaded`] beyond. 8,192 is some
    /// seconds of a busy node.
    pub command_queue: usize,
}

/// Why an engine does not start: faults of the configuration, but for a machine that is out of
/// descriptors or threads, which [`StartError::Media`] then says.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No socket to listen on.
    #[error("sip.listen is empty: expected at least one address such as udp:0.0.0.0:5060")]
    NoListener,
    /// A socket cannot be bound.
    #[error("sip.listen {}:{} cannot be bound: {source}", listen.transport.as_str(), listen.address)]
    Bind {
        /// The entry.
        listen: SipListen,
        /// The system's reason.
        source: io::Error,
    },
    /// Peers cannot be told a wildcard address.
    #[error(
        "sip.listen {}:{} binds every address: expected an advertised address for Via and Contact",
        listen.transport.as_str(), listen.address
    )]
    NoAdvertisedAddress {
        /// The entry.
        listen: SipListen,
    },
    /// The media plane does not start.
    #[error("{0}")]
    Media(String),
}
