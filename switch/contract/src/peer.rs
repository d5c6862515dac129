use std::fmt;
use std::sync::Arc;

/// A SIP transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// A stream.
    Tcp,
    /// A stream inside TLS (RFC 3261 §26.2.1). The peer's certificate is checked.
    Tls,
}

impl Transport {
    /// The value of the URI's `transport` parameter, lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        }
    }

    /// The port where neither a URI nor a SRV record names one (RFC 3261 §19.1.2).
    pub const fn usual_port(self) -> u16 {
        match self {
            Self::Udp | Self::Tcp => 5060,
            Self::Tls => 5061,
        }
    }

    /// Whether messages arrive in order or not at all: no retransmissions then.
    pub const fn is_reliable(self) -> bool {
        !matches!(self, Self::Udp)
    }
}

/// The far end of a trunk, as the engine needs it to place one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// The trunk's name, for logs only.
    pub name: String,
    /// Host name or address, without port.
    pub host: String,
    /// Port, 1 to 65535. Absent: the SRV records of `host` say where to go, in their order; where
    /// there are none, the transport's usual port (RFC 3263 §4.2). A literal address has no records.
    pub port: Option<u16>,
    /// How to reach it.
    pub transport: Transport,
    /// What to answer a 401 or 407 with; absent: a challenge ends the call.
    pub credentials: Option<Credentials>,
    /// Where the caller's number is asserted besides From.
    pub identity: IdentityHeader,
    /// The domain of From and of the identity header; absent: our own address.
    pub from_domain: Option<String>,
    /// Whose certificates are believed; only for [`Transport::Tls`].
    pub trust: TlsTrust,
    /// How long a call may go without a sign of life.
    pub session_timer: SessionTimer,
    /// Whether provisional responses are acknowledged.
    pub reliable: ReliableProvisionals,
}

impl Peer {
    /// A peer that asks for nothing special.
    pub fn new(name: impl Into<String>, host: impl Into<String>, transport: Transport) -> Self {
        Self {
            name: name.into(),
            host: host.into(),
            port: None,
            transport,
            credentials: None,
            identity: IdentityHeader::default(),
            from_domain: None,
            trust: TlsTrust::default(),
            session_timer: SessionTimer::default(),
            reliable: ReliableProvisionals::default(),
        }
    }
}

/// A digest user (RFC 7616, RFC 8760).
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user name.
    pub username: String,
    /// The password; never printed.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({}, …)", self.username)
    }
}

/// Which header carries the caller's identity besides From.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IdentityHeader {
    /// From alone.
    None,
    /// `P-Asserted-Identity` (RFC 3325 §9.1).
    #[default]
    PAssertedIdentity,
    /// `Remote-Party-ID` (a draft that many gateways speak).
    RemotePartyId,
}

/// Whose certificates a TLS trunk may show. Its name must match [`Peer::host`] (RFC 5922 §7.2).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum TlsTrust {
    /// Those that the system trusts.
    #[default]
    System,
    /// Those of these authorities alone, PEM.
    Authorities(Arc<[u8]>),
    /// The certificate with this SHA-256 fingerprint, whatever it says.
    Pinned([u8; 32]),
}

/// Session timers (RFC 4028): a call whose refresh fails to come is ended, so that a peer that died
/// is not talked to for hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionTimer {
    /// Not offered. A peer that asks for one all the same and refreshes itself is answered.
    Off,
    /// Offered.
    Offered {
        /// Session-Expires that we ask for, seconds; at least `min_s`.
        interval_s: u32,
        /// The smallest that we take, seconds; at least 90 (§5).
        min_s: u32,
        /// Who refreshes, as we ask for it; absent: as the peer likes, we where it says nothing.
        refresher: Option<Refresher>,
    },
}

impl Default for SessionTimer {
    /// Half an hour, as §4 recommends.
    fn default() -> Self {
        Self::Offered { interval_s: 1_800, min_s: 90, refresher: None }
    }
}

/// Who sends the refreshes of a session timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refresher {
    /// We do.
    Us,
    /// The peer does.
    Peer,
}

/// Reliable provisional responses (RFC 3262).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ReliableProvisionals {
    /// Not offered: for peers that stumble over it.
    Off,
    /// Offered: the peer may require a PRACK.
    #[default]
    Supported,
    /// Demanded of the peer.
    Required,
}
