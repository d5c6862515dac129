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

/// How much one stranger may send, an IPv4 address or an IPv6 network of 64 bits: datagrams and
/// messages alike. The peers of calls and trunks are no strangers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FloodLimits {
    /// Messages a second, over time; at least 1. A new connection counts as ten.
    pub per_source_per_s: u32,
    /// Messages at once; at least 1.
    pub burst: u32,
}

impl Default for FloodLimits {
    /// Far more than a monitoring probe asks for, far less than a scanner wants.
    fn default() -> Self {
        Self { per_source_per_s: 50, burst: 100 }
    }
}

/// Whom sockets for TLS show themselves as.
#[derive(Clone)]
pub struct TlsIdentity {
    /// Our certificate and those that lead to its authority, PEM.
    pub certificate: Vec<u8>,
    /// Its private key, PEM: PKCS #8, PKCS #1 or SEC1.
    pub key: Vec<u8>,
}

/// How an engine is set up.
#[derive(Clone)]
pub struct SwitchConfig {
    /// Where SIP listens. Calls leave by the first socket of the trunk's transport and family.
    pub sip_listen: Vec<SipListen>,
    /// Needed where SIP listens for TLS. Trunks are called over TLS without it.
    pub tls: Option<TlsIdentity>,
    /// The name servers that trunks' names are asked of, instead of the system's.
    pub dns: Option<Vec<SocketAddr>>,
    /// How much of what strangers send is looked at.
    pub flood: FloodLimits,
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
    /// A socket for TLS without a certificate.
    #[error("sip.listen has a tls: address, and sip.tls names no certificate and key for it")]
    NoTlsIdentity,
    /// The certificate or its key cannot be used.
    #[error("{0}")]
    Tls(String),
    /// The media plane does not start.
    #[error("{0}")]
    Media(String),
}
