//! What was received, by sequence numbers and timestamps: loss and jitter (RFC 3550 §6.4.1, §A.1,
//! §A.3, §A.8).

/// Sequence numbers that may be missing at once (§A.1).
const MAX_DROPOUT: u16 = 3_000;

/// Sequence numbers by which a packet may come late (§A.1).
const MAX_MISORDER: u16 = 100;

/// Transit times that differ by more than this, in samples, are a clock that was set (ours, or the
/// peer's timestamps), not jitter.
const CLOCK_STEP_SAMPLES: u32 = 16_000;

/// One peer's stream, through all changes of its SSRC.
///
/// Unlike §A.1 a new source is not on probation: `latch` has already made sure whose it is.
#[derive(Debug, Clone, Default)]
pub(super) struct Reception {
    run: Option<Run>,
    /// Of all runs.
    received: u64,
    /// Of the runs before this one.
    lost_before: u64,
    /// Samples, scaled by 16 as in §A.8.
    jitter_16: u32,
}

/// One SSRC's unbroken sequence.
#[derive(Debug, Clone)]
struct Run {
    ssrc: u32,
    base: u16,
    highest: u16,
    /// Shifted count of wraps.
    cycles: u32,
    /// What the next packet must be, if the last one jumped too far.
    jumped_to: Option<u16>,
    received: u32,
    /// Transit time of the last packet that counts for jitter.
    transit: Option<u32>,
    expected_prior: u32,
    received_prior: u32,
}

impl Run {
    fn new(ssrc: u32, sequence: u16) -> Self {
        Self {
            ssrc,
            base: sequence,
            highest: sequence,
            cycles: 0,
            jumped_to: None,
            received: 0,
            transit: None,
            expected_prior: 0,
            received_prior: 0,
        }
    }

    fn extended_highest(&self) -> u32 {
        self.cycles.wrapping_add(u32::from(self.highest))
    }

    fn expected(&self) -> u32 {
        self.extended_highest().wrapping_sub(u32::from(self.base)).wrapping_add(1)
    }

    /// Negative where there were duplicates.
    fn lost(&self) -> i64 {
        i64::from(self.expected()) - i64::from(self.received)
    }
}

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// It goes on from what came before.
    Yes,
    /// It is the first of another SSRC.
    NewSource,
    /// Its sequence number jumped too far; the next one will tell.
    No,
}

/// A reception report block's figures (§6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ReportBlock {
    pub(super) ssrc: u32,
    /// Of the time since the last report, in 256ths.
    pub(super) fraction_lost: u8,
    /// −2^23 to 2^23 − 1.
    pub(super) cumulative_lost: i32,
    pub(super) extended_highest: u32,
    /// Samples.
    pub(super) jitter: u32,
}

impl Reception {
    /// Counts a packet by its sequence number (§A.1).
    pub(super) fn packet(&mut self, ssrc: u32, sequence: u16) -> Taken {
        let taken = match &mut self.run {
            Some(run) if run.ssrc == ssrc => {
                let ahead = sequence.wrapping_sub(run.highest);
                if ahead < MAX_DROPOUT {
                    if sequence < run.highest {
                        run.cycles = run.cycles.wrapping_add(1 << 16);
                    }
                    run.highest = sequence;
                    run.jumped_to = None;
                    Taken::Yes
                } else if ahead <= u16::MAX - MAX_MISORDER {
                    if run.jumped_to == Some(sequence) {
                        self.restart(ssrc, sequence);
                        Taken::Yes
                    } else {
                        run.jumped_to = Some(sequence.wrapping_add(1));
                        return Taken::No;
                    }
                } else {
                    Taken::Yes
                }
            }
            Some(_) => {
                self.restart(ssrc, sequence);
                Taken::NewSource
            }
            None => {
                self.run = Some(Run::new(ssrc, sequence));
                Taken::Yes
            }
        };
        if let Some(run) = &mut self.run {
            run.received = run.received.wrapping_add(1);
        }
        self.received += 1;
        taken
    }

    /// Measures jitter from a packet that was taken (§A.8). Both times in samples; only their
    /// differences matter. Not for telephone-event, whose timestamps stand still.
    pub(super) fn arrival(&mut self, timestamp: u32, arrived: u32) {
        let Some(run) = &mut self.run else { return };
        let transit = arrived.wrapping_sub(timestamp);
        if let Some(before) = run.transit.replace(transit) {
            let change = transit.wrapping_sub(before).cast_signed().unsigned_abs();
            if change <= CLOCK_STEP_SAMPLES {
                self.jitter_16 = self.jitter_16 + change - ((self.jitter_16 + 8) >> 4);
            }
        }
    }

    /// Packets taken.
    pub(super) fn received(&self) -> u64 {
        self.received
    }

    /// Packets that never came; duplicates do not make up for lost ones of another SSRC.
    pub(super) fn lost(&self) -> u64 {
        let now = self.run.as_ref().map_or(0, Run::lost);
        self.lost_before + u64::try_from(now).unwrap_or(0)
    }

    /// Interarrival jitter, in samples.
    pub(super) fn jitter(&self) -> u32 {
        self.jitter_16 >> 4
    }

    /// The block for a report that is being sent, if anything was received; begins the next
    /// interval (§A.3).
    pub(super) fn report(&mut self) -> Option<ReportBlock> {
        let jitter = self.jitter();
        let run = self.run.as_mut()?;
        let expected = run.expected();
        let expected_interval = expected.wrapping_sub(run.expected_prior);
        let received_interval = run.received.wrapping_sub(run.received_prior);
        run.expected_prior = expected;
        run.received_prior = run.received;
        let lost_interval = i64::from(expected_interval) - i64::from(received_interval);
        let fraction = match (u64::try_from(lost_interval), expected_interval) {
            (Err(_), _) | (_, 0) => 0,
            (Ok(lost), expected) => (lost << 8) / u64::from(expected),
        };
        let lost = run.lost().clamp(-(1 << 23), (1 << 23) - 1);
        Some(ReportBlock {
            ssrc: run.ssrc,
            fraction_lost: u8::try_from(fraction).unwrap_or(u8::MAX),
            cumulative_lost: i32::try_from(lost).expect("clamped to 24 bits"),
            extended_highest: run.extended_highest(),
            jitter,
        })
    }

    fn restart(&mut self, ssrc: u32, sequence: u16) {
        self.lost_before = self.lost();
        self.run = Some(Run::new(ssrc, sequence));
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn received(sequences: impl IntoIterator<Item = u16>) -> Reception {
        let mut reception = Reception::default();
        for sequence in sequences {
            reception.packet(1, sequence);
        }
        reception
    }

    #[test]
    fn loss_is_what_sequence_numbers_leave_out() {
        let cases: &[(&str, &[u16], u64, u64)] = &[
            ("none", &[], 0, 0),
            ("in order", &[5, 6, 7], 3, 0),
            ("two gone", &[5, 6, 9], 3, 2),
            ("out of order", &[5, 7, 6], 3, 0),
            ("twice", &[5, 5, 6], 3, 0),
            ("across the wrap", &[65_534, 65_535, 1, 2], 4, 1),
            ("late across the wrap", &[65_535, 1, 0], 3, 0),
            ("a stray jump is not taken", &[5, 6, 40_000, 7], 3, 0),
            ("two jumped packets in a row restart", &[5, 7, 40_000, 40_001, 40_003], 4, 2),
        ];
        for (name, sequences, taken, lost) in cases {
            let reception = received(sequences.iter().copied());
            assert_eq!((reception.received(), reception.lost()), (*taken, *lost), "{name}");
        }
    }

    #[test]
    fn a_new_source_begins_anew_and_keeps_what_was_lost() {
        let mut reception = received([1, 3]);
        assert_eq!(reception.packet(2, 500), Taken::NewSource);
        assert_eq!(reception.packet(2, 502), Taken::Yes);
        assert_eq!((reception.received(), reception.lost()), (4, 2));
        assert_eq!(reception.report().unwrap().ssrc, 2);
    }

    #[test]
    fn a_report_covers_the_time_since_the_last() {
        let mut reception = received([0, 1, 2, 4]);
        let first = reception.report().unwrap();
        assert_eq!(
            (first.fraction_lost, first.cumulative_lost, first.extended_highest),
            (51, 1, 4)
        );
        for sequence in 5..10 {
            reception.packet(1, sequence);
        }
        let second = reception.report().unwrap();
        assert_eq!(
            (second.fraction_lost, second.cumulative_lost, second.extended_highest),
            (0, 1, 9)
        );
        let idle = reception.report().unwrap();
        assert_eq!(idle.fraction_lost, 0);
        assert_eq!(Reception::default().report(), None);
    }

    #[test]
    fn cycles_are_in_the_extended_sequence_number() {
        let mut reception = received([65_535, 0, 1]);
        assert_eq!(reception.report().unwrap().extended_highest, 0x1_0001);
    }

    #[test]
    fn jitter_settles_at_the_mean_change_of_transit() {
        // Arrivals alternate 40 samples early and late: |D| is 80 from the second packet on.
        let mut reception = Reception::default();
        for n in 0u16..400 {
            reception.packet(1, n);
            let timestamp = u32::from(n) * 160;
            let shift = if n % 2 == 0 { 40 } else { 120 };
            reception.arrival(timestamp, timestamp + shift);
        }
        assert!((78..=80).contains(&reception.jitter()), "{}", reception.jitter());
    }

    #[test]
    fn a_steady_stream_has_no_jitter_and_a_clock_step_makes_none() {
        let mut reception = Reception::default();
        for n in 0u16..100 {
            reception.packet(1, n);
            let step = if n < 50 { 0 } else { 800_000 };
            reception.arrival(u32::from(n) * 160, (u32::from(n) * 160).wrapping_add(step));
        }
        assert_eq!(reception.jitter(), 0);
    }

    proptest! {
        #[test]
        fn anything_may_come(packets in prop::collection::vec(any::<(u8, u16, u32, u32, bool)>(), 0..300)) {
            let mut reception = Reception::default();
            for (ssrc, sequence, timestamp, arrived, report) in packets {
                reception.packet(u32::from(ssrc % 3), sequence);
                reception.arrival(timestamp, arrived);
                if report {
                    reception.report();
                }
            }
            prop_assert!(reception.jitter() <= CLOCK_STEP_SAMPLES);
        }

        /// Any packets lost from the inside of a run are counted, wherever it begins.
        #[test]
        fn each_loss_counts(start: u16, kept in prop::collection::vec(any::<bool>(), 0..500)) {
            let mut sequences = vec![start];
            let mut next = start;
            for keep in &kept {
                next = next.wrapping_add(1);
                if *keep { sequences.push(next); }
            }
            sequences.push(next.wrapping_add(1));
            let lost = kept.iter().filter(|keep| !**keep).count();
            prop_assert_eq!(received(sequences).lost(), lost as u64);
        }
    }
}
