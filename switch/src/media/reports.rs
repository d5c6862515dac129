//! A leg's RTCP: when its reports go out, and what the peer's say.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use super::cname::cname;
use super::figures::PeerView;
use super::latch::{Latch, Source};
use super::meter::Meter;
use super::reception::Reception;
use super::rtcp::{self, SenderInfo, SinceSenderReport};
use super::sender::Sender;
use super::socket::Datagram;
use super::{Agreed, wall_clock};
use crate::random::Spread;

/// The mean time between packets (RFC 3550 §6.2); each is drawn from half to one and a half of it,
/// and the first comes in half the time (§6.3.1).
const INTERVAL_MS: u64 = 5_000;

/// Seconds from NTP's epoch (1900) to Unix's.
const NTP_OFFSET_S: u64 = 2_208_988_800;

/// The RTCP side of a connected leg.
pub(super) struct Reports {
    latch: Latch,
    cname: [u8; rtcp::CNAME_LEN],
    spread: Spread,
    due: Instant,
    /// The peer's last sender report and when it came.
    sender_report: Option<(u32, Instant)>,
    peer: PeerView,
    /// Packets of the peer's.
    taken: u64,
    foreign: u64,
}

impl Reports {
    pub(super) fn new(agreed: &Agreed, seed: u64, now: Instant) -> Self {
        let mut spread = Spread::new(seed);
        let first_ms = INTERVAL_MS / 4 + spread.below(INTERVAL_MS / 2);
        Self {
            latch: Latch::new(agreed.remote_rtcp, agreed.allowed.clone()),
            cname: cname(),
            spread,
            due: now + Duration::from_millis(first_ms),
            sender_report: None,
            peer: PeerView::default(),
            taken: 0,
            foreign: 0,
        }
    }

    /// After a re-INVITE.
    pub(super) fn renew(&mut self, agreed: &Agreed) {
        self.latch.renew(agreed.remote_rtcp, agreed.allowed.clone());
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        now >= self.due
    }

    /// Sends a report and draws the time of the next.
    pub(super) fn send(
        &mut self,
        socket: &UdpSocket,
        sender: &Sender,
        reception: &mut Reception,
        now: Instant,
        bye: bool,
    ) {
        let info = sender.timestamp_at(now).map(|timestamp| SenderInfo {
            ntp: ntp_now(),
            timestamp,
            // Both wrap (RFC 3550 §6.4.1).
            packets: sender.packets() as u32,
            octets: sender.octets() as u32,
        });
        let since = self.sender_report.map_or_else(SinceSenderReport::default, |(last, came)| {
            let delay = now.saturating_duration_since(came).as_micros() * 65_536 / 1_000_000;
            SinceSenderReport { last_report: last, delay: u32::try_from(delay).unwrap_or(u32::MAX) }
        });
        let report = rtcp::Report {
            ssrc: sender.ssrc(),
            sender: info,
            block: reception.report().map(|block| (block, since)),
            cname: &self.cname,
            bye,
        };
        let mut buffer = [0; rtcp::MAX_LEN];
        let length = rtcp::build(&report, &mut buffer);
        // A lost report is made good by the next.
        let _ = socket.send_to(&buffer[..length], self.latch.destination());
        let wait_ms = INTERVAL_MS / 2 + self.spread.below(INTERVAL_MS);
        self.due = now + Duration::from_millis(wait_ms);
    }

    /// Takes what came to the RTCP port.
    pub(super) fn take(&mut self, datagram: Datagram<'_>, sender: &Sender, meter: &mut Meter) {
        let source = self.latch.judge(datagram.from);
        match source {
            Source::Peer | Source::Candidate => {}
            Source::Straggler => return,
            Source::Foreign => {
                self.foreign += 1;
                meter.foreign();
                return;
            }
        }
        let Some(heard) = rtcp::parse(datagram.bytes, sender.ssrc()) else { return };
        if source == Source::Candidate {
            self.latch.hold(datagram.from);
        }
        self.taken += 1;
        if let Some(sender_report) = heard.sender_report {
            self.sender_report = Some((sender_report, Instant::now()));
        }
        if let Some(about_us) = heard.about_us {
            let now = (ntp_now() >> 16) as u32;
            self.peer.report(&about_us, now, sender.packets(), sender.first_sequence());
        }
    }

    /// What the peer last said of our stream.
    pub(super) fn peer(&self) -> PeerView {
        self.peer
    }

    /// Packets of the peer's.
    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    /// Packets from somebody else.
    pub(super) fn foreign(&self) -> u64 {
        self.foreign
    }
}

/// The wall clock as an NTP time, 32.32 bits (RFC 3550 §4).
fn ntp_now() -> u64 {
    let now = wall_clock::since_epoch();
    let fraction = (u64::from(now.subsec_nanos()) << 32) / 1_000_000_000;
    (now.as_secs().wrapping_add(NTP_OFFSET_S) << 32) | fraction
}
