//! The numbering of the stream that we send.

use std::time::{Duration, Instant};

use yunling_switch_contract::SAMPLE_RATE_HZ;

use super::rtp::Header;

/// Our stream: one SSRC for the whole leg, sequence numbers without a gap, timestamps that follow
/// the time.
#[derive(Debug, Clone)]
pub(super) struct Sender {
    ssrc: u32,
    first_sequence: u16,
    /// Of the next packet.
    sequence: u16,
    /// Of the next packet.
    timestamp: u32,
    /// The next packet begins a talk spurt.
    marker: bool,
    packets: u64,
    octets: u64,
    /// The last packet's timestamp, and when it was due.
    last: Option<(u32, Instant)>,
}

impl Sender {
    /// A stream that begins at these numbers, which ought to be random (RFC 3550 §5.1).
    pub(super) fn new(ssrc: u32, sequence: u16, timestamp: u32) -> Self {
        Self {
            ssrc,
            first_sequence: sequence,
            sequence,
            timestamp,
            marker: true,
            packets: 0,
            octets: 0,
            last: None,
        }
    }

    /// The next packet's header; `samples` is its length.
    pub(super) fn next(&mut self, payload_type: u8, samples: u16, due: Instant) -> Header {
        let header = Header {
            marker: std::mem::take(&mut self.marker),
            payload_type,
            sequence: self.sequence,
            timestamp: self.timestamp,
            ssrc: self.ssrc,
        };
        self.last = Some((self.timestamp, due));
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(u32::from(samples));
        header
    }

    /// The packet has left.
    pub(super) fn sent(&mut self, octets: u16) {
        self.packets += 1;
        self.octets += u64::from(octets);
    }

    /// Time passes without a packet: the peer holds us, or this machine stood still.
    pub(super) fn pass(&mut self, samples: u32) {
        self.timestamp = self.timestamp.wrapping_add(samples);
        self.marker = true;
    }

    /// What comes next is a new talk spurt (RFC 3551 §4.1).
    pub(super) fn begin_spurt(&mut self) {
        self.marker = true;
    }

    pub(super) fn ssrc(&self) -> u32 {
        self.ssrc
    }

    pub(super) fn first_sequence(&self) -> u16 {
        self.first_sequence
    }

    pub(super) fn packets(&self) -> u64 {
        self.packets
    }

    pub(super) fn octets(&self) -> u64 {
        self.octets
    }

    /// The RTP timestamp of an instant, reckoned from the last packet (RFC 3550 §6.4.1); none
    /// before the first.
    pub(super) fn timestamp_at(&self, now: Instant) -> Option<u32> {
        let (timestamp, due) = self.last?;
        Some(timestamp.wrapping_add(samples_in(now.saturating_duration_since(due))))
    }
}

/// Samples that fit into a time, modulo 2^32 as timestamps are.
fn samples_in(time: Duration) -> u32 {
    let samples = time.as_nanos() * u128::from(SAMPLE_RATE_HZ) / 1_000_000_000;
    (samples & u128::from(u32::MAX)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_on_and_wrap() {
        let due = Instant::now();
        let mut sender = Sender::new(7, u16::MAX, u32::MAX - 159);
        let first = sender.next(8, 160, due);
        let second = sender.next(8, 160, due);
        assert_eq!(
            (first.marker, first.sequence, first.timestamp),
            (true, u16::MAX, u32::MAX - 159)
        );
        assert_eq!((second.marker, second.sequence, second.timestamp), (false, 0, 0));
        assert_eq!((first.ssrc, first.payload_type), (7, 8));
    }

    #[test]
    fn time_without_packets_moves_the_timestamp_alone() {
        let due = Instant::now();
        let mut sender = Sender::new(7, 0, 0);
        sender.next(8, 160, due);
        sender.pass(480);
        let after = sender.next(8, 160, due);
        assert_eq!((after.marker, after.sequence, after.timestamp), (true, 1, 640));
        sender.begin_spurt();
        assert!(sender.next(8, 160, due).marker);
    }

    #[test]
    fn an_instant_has_its_timestamp() {
        let due = Instant::now();
        let mut sender = Sender::new(7, 0, 1_000);
        assert_eq!(sender.timestamp_at(due), None);
        sender.next(8, 160, due);
        assert_eq!(sender.timestamp_at(due + Duration::from_millis(5)), Some(1_040));
    }

    #[test]
    fn only_what_left_is_counted() {
        let mut sender = Sender::new(7, 0, 0);
        sender.next(8, 160, Instant::now());
        assert_eq!((sender.packets(), sender.octets()), (0, 0));
        sender.sent(160);
        assert_eq!((sender.packets(), sender.octets()), (1, 160));
    }
}
