use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

/// Where the media plane lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaConfig {
    /// The address that RTP sockets are bound to.
    pub address: IpAddr,
    /// The address that peers are told in SDP; differs from `address` behind a static NAT.
    pub advertised: IpAddr,
    /// UDP ports. Each leg takes an even one for RTP and the odd one above it for RTCP
    /// (RFC 3550 §11).
    pub ports: RangeInclusive<u16>,
    /// After so long without a packet a peer is taken for gone; zero: never.
    pub silence: Duration,
    /// Threads; 0 means the number of cores less one, and at least one.
    pub shards: usize,
}
