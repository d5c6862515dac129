use std::net::IpAddr;
use std::ops::RangeInclusive;

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
    /// Threads; 0 means the number of cores less one, and at least one.
    pub shards: usize,
}
