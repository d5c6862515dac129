//! The time between the packets of each stream, as the network saw them.

use std::collections::HashMap;
use std::net::SocketAddr;

use serde_json::{Value, json};

/// Microseconds of one bin.
const BIN_US: u64 = 100;
/// Bins: up to 200 ms; what is longer falls into the last.
const BINS: usize = 2_001;
/// What the streams here ought to have.
const WANTED_US: u64 = 20_000;
/// How far from it a packet may be and still be in time.
const TOLERANCE_US: u64 = 2_000;

/// The spacing of all streams.
pub(crate) struct Spacing {
    streams: HashMap<(SocketAddr, u32), Last>,
    bins: Box<[u64; BINS]>,
    packets: u64,
    lost: u64,
    late_or_double: u64,
    not_rtp: u64,
    longest_us: u64,
}

/// The last packet of a stream.
struct Last {
    sequence: u16,
    at_us: u64,
}

impl Spacing {
    pub(crate) fn new() -> Self {
        Self {
            streams: HashMap::new(),
            bins: Box::new([0; BINS]),
            packets: 0,
            lost: 0,
            late_or_double: 0,
            not_rtp: 0,
            longest_us: 0,
        }
    }

    /// Begins a new measurement: counts fall to zero, streams go on.
    pub(crate) fn reset(&mut self) {
        *self = Self { streams: std::mem::take(&mut self.streams), ..Self::new() };
    }

    /// Forgets the streams too.
    pub(crate) fn forget(&mut self) {
        *self = Self::new();
    }

    /// Takes a datagram that came at a time, microseconds since any beginning.
    pub(crate) fn take(&mut self, from: SocketAddr, bytes: &[u8], at_us: u64) {
        let &[first, second, s0, s1, _, _, _, _, r0, r1, r2, r3, ..] = bytes else {
            self.not_rtp += 1;
            return;
        };
        // RTCP has the packet types 192 to 223 where RTP has marker and payload type (RFC 5761 §4).
        if first >> 6 != 2 || (192..=223).contains(&second) {
            self.not_rtp += 1;
            return;
        }
        self.packets += 1;
        let (sequence, marker) = (u16::from_be_bytes([s0, s1]), second & 0x80 != 0);
        let key = (from, u32::from_be_bytes([r0, r1, r2, r3]));
        let Some(last) = self.streams.get_mut(&key) else {
            self.streams.insert(key, Last { sequence, at_us });
            return;
        };
        let ahead = sequence.wrapping_sub(last.sequence);
        if ahead == 0 || ahead > u16::MAX / 2 {
            self.late_or_double += 1;
            return;
        }
        self.lost += u64::from(ahead - 1);
        // A marker begins a talk spurt: the pause before it is no fault.
        if ahead == 1 && !marker {
            let gap_us = at_us.saturating_sub(last.at_us);
            let bin = usize::try_from(gap_us / BIN_US).unwrap_or(BINS).min(BINS - 1);
            self.bins[bin] += 1;
            self.longest_us = self.longest_us.max(gap_us);
        }
        *last = Last { sequence, at_us };
    }

    /// The figures since the last reset.
    pub(crate) fn report(&self) -> Value {
        json!({
            "streams": self.streams.len(),
            "packets": self.packets,
            "lost": self.lost,
            "late_or_double": self.late_or_double,
            "not_rtp": self.not_rtp,
            "gap_p50_ms": self.quantile_ms(0.5),
            "gap_p99_ms": self.quantile_ms(0.99),
            "gap_max_ms": self.longest_us as f64 / 1_000.0,
            "in_time": self.in_time(),
        })
    }

    fn gaps(&self) -> u64 {
        self.bins.iter().sum()
    }

    /// The share of packets within 20 ± 2 ms of the one before; none without packets.
    fn in_time(&self) -> Option<f64> {
        let from = ((WANTED_US - TOLERANCE_US) / BIN_US) as usize;
        let to = ((WANTED_US + TOLERANCE_US) / BIN_US) as usize;
        let within: u64 = self.bins[from..=to].iter().sum();
        let all = self.gaps();
        (all > 0).then(|| within as f64 / all as f64)
    }

    /// The lower edge of the bin that holds the quantile.
    fn quantile_ms(&self, share: f64) -> f64 {
        let wanted = (self.gaps() as f64 * share).ceil() as u64;
        let mut seen = 0;
        for (bin, count) in self.bins.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return (bin as u64 * BIN_US) as f64 / 1_000.0;
            }
        }
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(sequence: u16, marker: bool) -> [u8; 12] {
        let [s0, s1] = sequence.to_be_bytes();
        [0x80, 8 | u8::from(marker) << 7, s0, s1, 0, 0, 0, 0, 0, 0, 0, 7]
    }

    fn heard(packets: &[(u16, bool, u64)]) -> Value {
        let from = SocketAddr::from(([127, 0, 0, 1], 4_000));
        let mut spacing = Spacing::new();
        for (sequence, marker, at_ms) in packets {
            spacing.take(from, &packet(*sequence, *marker), at_ms * 1_000);
        }
        spacing.take(from, &[0x80, 200, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 0);
        spacing.report()
    }

    #[test]
    fn gaps_are_of_neighbours_within_a_spurt() {
        let report = heard(&[
            (65_535, true, 0),
            (0, false, 20),
            (1, false, 45),
            (4, false, 100), // two lost: no gap
            (4, false, 101), // a double
            (3, false, 102), // late
            (5, true, 900),  // a new spurt: no gap
            (6, false, 920),
        ]);
        assert_eq!(report["packets"], 8);
        assert_eq!(report["lost"], 2);
        assert_eq!(report["late_or_double"], 2);
        assert_eq!(report["not_rtp"], 1);
        assert_eq!(report["gap_p50_ms"], 20.0);
        assert_eq!(report["gap_max_ms"], 25.0);
        let in_time = report["in_time"].as_f64().unwrap_or_default();
        assert!((in_time - 2.0 / 3.0).abs() < 1e-9, "{in_time}");
    }

    #[test]
    fn a_reset_keeps_the_streams() {
        let from = SocketAddr::from(([127, 0, 0, 1], 4_000));
        let mut spacing = Spacing::new();
        spacing.take(from, &packet(1, false), 0);
        spacing.reset();
        assert_eq!(spacing.report()["in_time"], Value::Null);
        spacing.take(from, &packet(2, false), 20_000);
        assert_eq!(spacing.report()["in_time"], 1.0);
    }
}
