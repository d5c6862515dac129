//! The numbering of the stream that we send.

use std::time::{Duration, Instant};

use yunling_switch_contract::SAMPLE_RATE_HZ;

use super::heard::Said;
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
    /// The stream that is being passed on; none since a packet of our own.
    passing: Option<Passing>,
}

/// Where another stream's numbers lie in ours: those of its latest packet.
#[derive(Debug, Clone, Copy)]
struct Passing {
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    our_sequence: u16,
    our_timestamp: u32,
    /// Sequence numbers since its first packet that was passed on; no more than matter.
    span: u16,
}

/// Sequence numbers by which a passed stream may jump before it counts as another one
/// (RFC 3550 §A.1).
const MAX_JUMP: u16 = 3_000;

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
            passing: None,
        }
    }

    /// The header under which another stream's packet is passed on as ours: its gaps stay gaps, so
    /// that the peer knows what was lost, and its order stays as it came. None for what is older
    /// than the stream's first packet that was passed.
    pub(super) fn pass_on(
        &mut self,
        said: &Said,
        payload_type: u8,
        samples: u16,
        now: Instant,
    ) -> Option<Header> {
        let distance =
            |passing: &Passing| said.sequence.wrapping_sub(passing.sequence).cast_signed();
        let goes_on = self.passing.filter(|passing| {
            passing.ssrc == said.ssrc && distance(passing).unsigned_abs() < MAX_JUMP
        });
        let (passing, is_new) = match goes_on {
            Some(passing) => (passing, false),
            None => (self.begin_passing(said, now), true),
        };
        let ahead = distance(&passing);
        if ahead < 0 && ahead.unsigned_abs() > passing.span {
            return None;
        }
        let sequence = passing.our_sequence.wrapping_add_signed(ahead);
        let later = said.timestamp.wrapping_sub(passing.timestamp);
        let timestamp = passing.our_timestamp.wrapping_add(later);
        if ahead > 0 {
            self.passing = Some(Passing {
                ssrc: said.ssrc,
                sequence: said.sequence,
                timestamp: said.timestamp,
                our_sequence: sequence,
                our_timestamp: timestamp,
                span: passing.span.saturating_add_signed(ahead).min(MAX_JUMP),
            });
        }
        if ahead > 0 || is_new {
            self.sequence = sequence.wrapping_add(1);
            let end = timestamp.wrapping_add(u32::from(samples));
            if end.wrapping_sub(self.timestamp).cast_signed() > 0 {
                self.timestamp = end;
            }
            // An event's packets all bear the time of its beginning, which is over.
            if samples > 0 || is_new {
                self.last = Some((timestamp, now));
            }
        }
        self.marker = false;
        let marker = is_new || said.marker;
        Some(Header { marker, payload_type, sequence, timestamp, ssrc: self.ssrc })
    }

    /// A packet of the stream that is passed on is not: those after it follow on without a gap.
    pub(super) fn leave_out(&mut self, said: &Said) {
        let Some(passing) = self.passing.filter(|passing| passing.ssrc == said.ssrc) else {
            return;
        };
        let ahead = said.sequence.wrapping_sub(passing.sequence);
        if (1..MAX_JUMP).contains(&ahead) {
            let our_sequence = passing.our_sequence.wrapping_add(ahead - 1);
            self.sequence = our_sequence.wrapping_add(1);
            // What is older would take a number that is taken.
            let sequence = said.sequence;
            self.passing = Some(Passing { sequence, our_sequence, span: 0, ..passing });
        }
    }

    fn begin_passing(&mut self, said: &Said, now: Instant) -> Passing {
        let by_clock = self.timestamp_at(now).unwrap_or(self.timestamp);
        let is_later = by_clock.wrapping_sub(self.timestamp).cast_signed() > 0;
        let our_timestamp = if is_later { by_clock } else { self.timestamp };
        let passing = Passing {
            ssrc: said.ssrc,
            sequence: said.sequence,
            timestamp: said.timestamp,
            our_sequence: self.sequence,
            our_timestamp,
            span: 0,
        };
        self.passing = Some(passing);
        passing
    }

    /// The next packet's header; `samples` is its length. After packets that were passed on it goes
    /// on at the time that it is by now.
    pub(super) fn next(&mut self, payload_type: u8, samples: u16, due: Instant) -> Header {
        if self.passing.take().is_some() {
            self.marker = true;
            if let Some(by_clock) = self.timestamp_at(due)
                && by_clock.wrapping_sub(self.timestamp).cast_signed() > 0
            {
                self.timestamp = by_clock;
            }
        }
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
    pub(super) fn sent(&mut self, octets: usize) {
        self.packets += 1;
        self.octets += octets as u64;
    }

    /// Time passes without a packet, because the peer holds us. What is passed on afterwards follows
    /// on without a gap, for none of it was lost.
    pub(super) fn pass(&mut self, samples: u32) {
        self.skip(samples);
        self.passing = None;
    }

    /// This machine stood still for so long. What is passed on goes on as it was: packets that came
    /// meanwhile were still read, and those that did not were lost.
    pub(super) fn skip(&mut self, samples: u32) {
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

    fn said(ssrc: u32, sequence: u16, timestamp: u32) -> Said {
        Said::for_test(ssrc, sequence, timestamp)
    }

    /// Passes packets of a source on, 20 ms apart; gives our numbers, relative to our first.
    fn pass(sender: &mut Sender, packets: &[(u32, u16, u32)]) -> Vec<Option<(bool, u16, u32)>> {
        let start = Instant::now();
        let numbers = (0u32..).zip(packets).map(|(n, (ssrc, sequence, timestamp))| {
            let now = start + Duration::from_millis(20) * n;
            let header = sender.pass_on(&said(*ssrc, *sequence, *timestamp), 8, 160, now)?;
            Some((header.marker, header.sequence, header.timestamp))
        });
        numbers.collect()
    }

    #[test]
    fn a_passed_stream_keeps_its_gaps_and_its_order() {
        let mut sender = Sender::new(7, 100, 5_000);
        let passed = pass(
            &mut sender,
            &[(1, 65_534, 800), (1, 65_535, 960), (1, 2, 1_440), (1, 1, 1_280), (1, 3, 1_600)],
        );
        let expected = [
            (true, 100, 5_000),
            (false, 101, 5_160),
            (false, 104, 5_640),
            (false, 103, 5_480),
            (false, 105, 5_800),
        ];
        assert_eq!(passed, expected.map(Some));
        let own = sender.next(8, 160, Instant::now());
        assert_eq!((own.marker, own.sequence, own.timestamp), (true, 106, 5_960));
    }

    #[test]
    fn our_own_after_a_pause_of_the_passed_stream_follows_the_time() {
        let mut sender = Sender::new(7, 100, 5_000);
        let start = Instant::now();
        let passed = sender.pass_on(&said(1, 9, 9), 8, 160, start).expect("it is new");
        let own = sender.next(8, 160, start + Duration::from_millis(120));
        assert_eq!(own.sequence, passed.sequence + 1);
        assert_eq!(own.timestamp, passed.timestamp + 960);
        assert!(own.marker);
    }

    #[test]
    fn a_passed_stream_goes_on_without_a_gap_after_a_hold() {
        let mut sender = Sender::new(7, 100, 5_000);
        let start = Instant::now();
        let before = sender.pass_on(&said(1, 9, 1_440), 8, 160, start).expect("it is new");
        (0..500).for_each(|_| sender.pass(160));
        let later = start + Duration::from_secs(10);
        let after = sender.pass_on(&said(1, 509, 81_440), 8, 160, later).expect("it is new");
        assert_eq!(after.sequence, before.sequence + 1);
        assert_eq!(after.timestamp, before.timestamp + 501 * 160);
        assert!(after.marker);
    }

    #[test]
    fn a_passed_stream_keeps_its_gap_when_the_machine_stood_still() {
        let mut sender = Sender::new(7, 100, 5_000);
        let start = Instant::now();
        sender.pass_on(&said(1, 9, 1_440), 8, 160, start);
        sender.skip(2_400);
        let later = start + Duration::from_millis(320);
        let after = sender.pass_on(&said(1, 25, 4_000), 8, 160, later).expect("it follows");
        assert_eq!((after.sequence, after.timestamp), (116, 7_560));
    }

    #[test]
    fn an_event_does_not_hold_the_clock() {
        let mut sender = Sender::new(7, 100, 5_000);
        let start = Instant::now();
        sender.pass_on(&said(1, 9, 1_440), 8, 160, start);
        for (n, sequence) in (1..=10).zip(10..) {
            let now = start + Duration::from_millis(20 * n);
            sender.pass_on(&said(1, sequence, 1_600), 101, 0, now);
        }
        let now = start + Duration::from_millis(200);
        assert_eq!(sender.timestamp_at(now), Some(5_000 + 1_600));
    }

    #[test]
    fn what_is_left_out_leaves_no_gap() {
        let mut sender = Sender::new(7, 100, 5_000);
        let now = Instant::now();
        let mut pass = |sequence| {
            let said = said(1, sequence, u32::from(sequence) * 160);
            sender.pass_on(&said, 8, 160, now).map(|header| header.sequence)
        };
        assert_eq!(pass(10), Some(100));
        let mut leave_out = sender.clone();
        leave_out.leave_out(&said(1, 11, 1_760));
        leave_out.leave_out(&said(1, 13, 2_080));
        let after = leave_out.pass_on(&said(1, 14, 2_240), 8, 160, now).expect("it follows");
        assert_eq!((after.sequence, after.timestamp), (102, 5_640), "12 was lost");
        assert_eq!(leave_out.pass_on(&said(1, 10, 1_600), 8, 160, now), None, "it is taken");
        sender.leave_out(&said(2, 11, 0));
        assert_eq!(sender.next(8, 160, now).sequence, 101, "another stream's");
    }

    #[test]
    fn another_stream_or_one_after_ours_goes_on_from_there() {
        let mut sender = Sender::new(7, 100, 5_000);
        let start = Instant::now();
        sender.next(8, 160, start);
        let first = sender.pass_on(&said(1, 9, 9), 8, 160, start + Duration::from_millis(100));
        let first = first.expect("it is new");
        assert_eq!((first.marker, first.sequence, first.timestamp), (true, 101, 5_800));
        let other = sender.pass_on(&said(2, 700, 4), 8, 160, start + Duration::from_millis(120));
        let other = other.expect("it is new");
        assert_eq!((other.marker, other.sequence, other.timestamp), (true, 102, 5_960));
        let jump = sender.pass_on(&said(2, 40_000, 4), 8, 160, start + Duration::from_millis(140));
        assert_eq!(jump.map(|header| header.sequence), Some(103), "as another stream");
    }

    #[test]
    fn what_is_older_than_the_first_would_take_a_number_of_ours() {
        let mut sender = Sender::new(7, 100, 5_000);
        let passed = pass(&mut sender, &[(1, 10, 1_600), (1, 9, 1_440), (1, 11, 1_760)]);
        assert_eq!(passed.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false, true]);
    }

    #[test]
    fn a_long_stream_wraps_without_a_seam() {
        let mut sender = Sender::new(7, 100, 0);
        let start = Instant::now();
        for n in 0..200_000_u32 {
            let source = said(1, (n & 0xFFFF) as u16, n.wrapping_mul(160));
            let header = sender.pass_on(&source, 8, 160, start).expect("it follows");
            assert_eq!(header.sequence, (100 + n) as u16);
            assert_eq!(header.timestamp, n.wrapping_mul(160));
        }
    }
}
