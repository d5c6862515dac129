use std::net::{IpAddr, SocketAddr};

use yunling_switch_contract::Codec;

/// How far a leg's call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// A provisional response had a description: the peer may be heard, and nobody is heard by it
    /// yet.
    Early,
    /// Both ways.
    Answered,
}

/// What an offer and its answer settled for one leg (RFC 3264).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Agreed {
    /// How far the call is.
    pub(crate) phase: Phase,
    /// Where RTP goes until the peer's real source is known.
    pub(crate) remote: SocketAddr,
    /// Where RTCP goes until its real source is known (RFC 3605, or the port above `remote`).
    pub(crate) remote_rtcp: SocketAddr,
    /// What we send. Either G.711 law is understood.
    pub(crate) codec: Codec,
    /// The payload type of telephone-event in packets to us (RFC 4733), if it was negotiated.
    pub(crate) telephone_event: Option<u8>,
    /// Another payload type that means telephone-event in packets to us: ours, where the peer
    /// answered our offer with a number of its own. RFC 3264 §5.1 has it send ours, and many send
    /// their own.
    pub(crate) telephone_event_too: Option<u8>,
    /// Milliseconds of audio in each packet of ours: 10, 20, 30, 40, 50 or 60. Anything else is
    /// rounded down to one of these, and is at least 10 and at most 60.
    pub(crate) ptime_ms: u8,
    /// Whether the peer takes media from us (not on hold).
    pub(crate) send: bool,
    /// Whether we take media from the peer.
    pub(crate) receive: bool,
    /// The addresses that the peer may send from: those of its SDP and of its signalling.
    pub(crate) allowed: Vec<IpAddr>,
}

impl Agreed {
    /// [`Self::ptime_ms`] as one of the frame lengths that the wheel can keep.
    pub(super) fn frame_ms(&self) -> u8 {
        (self.ptime_ms / 10 * 10).clamp(10, 60)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn odd_packet_times_are_rounded_down() {
        let agreed = |ptime_ms| Agreed {
            phase: Phase::Answered,
            remote: (Ipv4Addr::LOCALHOST, 4000).into(),
            remote_rtcp: (Ipv4Addr::LOCALHOST, 4001).into(),
            codec: Codec::Pcma,
            telephone_event: None,
            telephone_event_too: None,
            ptime_ms,
            send: true,
            receive: true,
            allowed: Vec::new(),
        };
        for (asked, kept) in [
            (0, 10),
            (5, 10),
            (10, 10),
            (20, 20),
            (25, 20),
            (30, 30),
            (60, 60),
            (100, 60),
            (255, 60),
        ] {
            assert_eq!(agreed(asked).frame_ms(), kept, "ptime {asked}");
        }
    }
}
