//! Symmetric RTP: where a leg's packets go, and whose packets it takes.
//!
//! SDP tells an address that may be wrong behind a NAT, so the peer's real source is learnt from
//! its first packet; but only an address that signalling vouches for is believed, or anybody could
//! take a call over by sending first. A packet from exactly where SDP says is never in doubt, and
//! corrects what another one of the same gateway taught us.

use std::net::{IpAddr, SocketAddr};

/// Packets (one second's) from where the peer was before it moved that are still under way and must
/// not draw us back. A peer that goes on from there has not moved, whatever its SDP says.
const STRAGGLERS: u8 = 50;

/// One stream's destination and permitted source.
#[derive(Debug, Clone)]
pub(super) struct Latch {
    destination: SocketAddr,
    latched: bool,
    allowed: Vec<IpAddr>,
    /// What SDP said last.
    told: SocketAddr,
    /// Where the peer was before it moved, and how many more packets from there are thrown away.
    left: Option<(SocketAddr, u8)>,
}

/// Whose packet it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// The peer's.
    Peer,
    /// Perhaps the peer's: [`Latch::hold`] it if the packet proves to be sound.
    Candidate,
    /// The peer's, from before it moved: no longer of use.
    Straggler,
    /// Somebody else's.
    Foreign,
}

impl Latch {
    /// Before the first packet: send to where SDP said.
    pub(super) fn new(told: SocketAddr, allowed: Vec<IpAddr>) -> Self {
        Self { destination: told, latched: false, allowed, told, left: None }
    }

    /// After a re-INVITE: the next sound packet from an allowed address decides anew. Until then
    /// packets go to the new address, or, if SDP says what it said before, to where they went.
    pub(super) fn renew(&mut self, told: SocketAddr, allowed: Vec<IpAddr>) {
        self.left = None;
        if told != self.told || !allowed.contains(&self.destination.ip()) {
            if self.latched && self.destination != told {
                self.left = Some((self.destination, STRAGGLERS));
            }
            self.destination = told;
        }
        self.told = told;
        self.allowed = allowed;
        self.latched = false;
    }

    /// Where to send.
    pub(super) fn destination(&self) -> SocketAddr {
        self.destination
    }

    /// Judges a packet by where it came from.
    pub(super) fn judge(&mut self, from: SocketAddr) -> Source {
        if self.latched && from == self.destination {
            return Source::Peer;
        }
        if let Some((left, stragglers @ 1..)) = &mut self.left
            && from == *left
        {
            *stragglers -= 1;
            return Source::Straggler;
        }
        // Exactly where SDP says that the peer is: whatever was first, such as the last packets of
        // a ringback server behind the same gateway, gives way to it. Only once, because nobody
        // takes over from there.
        let may_take_over = !self.latched || from == self.told;
        if may_take_over && self.allowed.contains(&from.ip()) {
            Source::Candidate
        } else {
            Source::Foreign
        }
    }

    /// From now on this is the peer, and nobody else but where SDP says that it is.
    pub(super) fn hold(&mut self, from: SocketAddr) {
        self.destination = from;
        self.latched = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap_or_else(|_| panic!("{text} is an address"))
    }

    fn latch() -> Latch {
        Latch::new(at("192.0.2.1:4000"), vec![at("192.0.2.1:0").ip(), at("192.0.2.9:0").ip()])
    }

    #[test]
    fn the_first_allowed_source_is_held() {
        let mut latch = latch();
        assert_eq!(latch.destination(), at("192.0.2.1:4000"));
        assert_eq!(latch.judge(at("198.51.100.7:4000")), Source::Foreign);
        assert_eq!(latch.judge(at("192.0.2.9:9999")), Source::Candidate);
        latch.hold(at("192.0.2.9:9999"));
        assert_eq!(latch.destination(), at("192.0.2.9:9999"));
        for (from, source) in [
            ("192.0.2.9:9999", Source::Peer),
            ("192.0.2.9:9998", Source::Foreign),
            ("192.0.2.9:4000", Source::Foreign),
            ("198.51.100.7:4000", Source::Foreign),
        ] {
            assert_eq!(latch.judge(at(from)), source, "{from}");
        }
    }

    #[test]
    fn where_sdp_says_the_peer_is_takes_over_once() {
        for first in ["192.0.2.1:6000", "192.0.2.9:9999"] {
            let mut latch = latch();
            latch.hold(at(first));
            assert_eq!(latch.judge(at("192.0.2.1:4000")), Source::Candidate, "{first}");
            latch.hold(at("192.0.2.1:4000"));
            assert_eq!(latch.destination(), at("192.0.2.1:4000"));
            assert_eq!(latch.judge(at(first)), Source::Foreign, "there and not back");
        }
    }

    #[test]
    fn an_address_that_nobody_vouches_for_never_takes_over() {
        let mut latch = Latch::new(at("192.0.2.1:4000"), vec![at("192.0.2.9:0").ip()]);
        assert_eq!(latch.judge(at("192.0.2.1:4000")), Source::Foreign);
        latch.hold(at("192.0.2.9:9999"));
        assert_eq!(latch.judge(at("192.0.2.1:4000")), Source::Foreign);
    }

    #[test]
    fn the_same_sdp_again_keeps_sending_to_the_learnt_address() {
        let mut latch = latch();
        latch.hold(at("192.0.2.9:9999"));
        latch.renew(at("192.0.2.1:4000"), vec![at("192.0.2.1:0").ip(), at("192.0.2.9:0").ip()]);
        assert_eq!(latch.destination(), at("192.0.2.9:9999"));
        assert_eq!(latch.judge(at("192.0.2.1:4000")), Source::Candidate);
        latch.hold(at("192.0.2.1:4000"));
        assert_eq!(latch.judge(at("192.0.2.9:9999")), Source::Foreign);
    }

    #[test]
    fn another_sdp_moves_the_destination_at_once() {
        let mut latch = latch();
        latch.hold(at("192.0.2.9:9999"));
        latch.renew(at("203.0.113.5:6000"), vec![at("203.0.113.5:0").ip()]);
        assert_eq!(latch.destination(), at("203.0.113.5:6000"));
        assert_eq!(latch.judge(at("192.0.2.9:9999")), Source::Straggler);
        assert_eq!(latch.judge(at("203.0.113.5:6000")), Source::Candidate);
    }

    #[test]
    fn stragglers_do_not_draw_us_back_but_a_peer_that_stays_does() {
        let (before, now) = ("192.0.2.9:9999", "192.0.2.9:6000");
        let mut latch = latch();
        latch.hold(at(before));
        latch.renew(at(now), vec![at(now).ip()]);
        for _ in 0..STRAGGLERS {
            assert_eq!(latch.judge(at(before)), Source::Straggler);
        }
        assert_eq!(latch.judge(at(before)), Source::Candidate);
        latch.hold(at(now));
        assert_eq!(latch.judge(at(before)), Source::Foreign);
    }

    #[test]
    fn an_address_that_is_no_longer_allowed_is_left() {
        let mut latch = latch();
        latch.hold(at("192.0.2.9:9999"));
        latch.renew(at("192.0.2.1:4000"), vec![at("192.0.2.1:0").ip()]);
        assert_eq!(latch.destination(), at("192.0.2.1:4000"));
    }
}
