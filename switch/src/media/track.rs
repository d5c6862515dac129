//! What one party says, laid out on the shard's own clock, so that others may hear it mixed, or a
//! recording may take it down. Pure.
//!
//! Packets come when the network lets them; their timestamps say where their samples belong. The
//! first packet of a run is placed [`DELAY`] ahead of now, the later ones by their distance from it,
//! so that whoever reads at the present sees a steady stream as long as no packet is later than
//! that. How far ahead of the present packets really come is watched: a run whose first packet was
//! late, or whose peer's clock is fast or slow, is moved before samples are lost.

/// Samples between a run's first packet and its being heard: 40 ms take the jitter of two packets.
pub(super) const DELAY: u64 = 320;

/// How far behind the present somebody may still read: 100 ms. What comes later than it could be
/// heard is there for recordings, which are in no hurry.
pub(super) const BEHIND: u64 = 800;

/// A packet that would be placed further ahead than this is no longer in step: 120 ms.
const MOST_AHEAD: u64 = 960;

/// Packets after which it is looked how far ahead of the present they came: half a second's.
const WATCHED: u8 = 25;

/// How far ahead the latest of them ought to have come, from 10 to 45 ms. If it did not, the run is
/// moved so that it would have been [`WANTED`]; a step of some milliseconds is less of a fault than
/// what is lost or late without it.
const IN_STEP: std::ops::RangeInclusive<i64> = 80..=360;
const WANTED: i64 = 240;

/// Samples that a track holds: more than [`MOST_AHEAD`], [`BEHIND`] and the longest packet.
const LENGTH: usize = 4_096;

/// The longest packet: longer than any that is read.
const LONGEST: usize = LENGTH / 2;

/// One party's sound. Positions are samples of the shard's clock.
#[derive(Debug)]
pub(super) struct Track {
    samples: [i16; LENGTH],
    /// The first position that nothing was written to.
    end: u64,
    run: Option<Run>,
}

/// Packets that follow on one another.
#[derive(Debug, Clone, Copy)]
struct Run {
    ssrc: u32,
    /// Which timestamp belongs to which position.
    timestamp: u32,
    position: u64,
    watched: u8,
    /// How far ahead of the present the latest of the watched ones was placed.
    least_ahead: i64,
}

impl Track {
    /// A silent one.
    pub(super) fn new() -> Self {
        Self { samples: [0; LENGTH], end: 0, run: None }
    }

    /// Takes a packet's samples; `now` is the present position. What comes too late to be read by
    /// anybody is dropped.
    pub(super) fn write(
        &mut self,
        (ssrc, timestamp): (u32, u32),
        now: u64,
        samples: impl ExactSizeIterator<Item = i16>,
    ) {
        let position = self.place(ssrc, timestamp, now);
        let oldest = now.saturating_sub(BEHIND);
        // What lies between the last packet and this one was lost, and is silent. Readers who are
        // not quite at the oldest find silence there too.
        for gap in self.end.max(oldest.saturating_sub(BEHIND))..position {
            self.samples[index(gap)] = 0;
        }
        let mut at = position;
        for sample in samples.take(LONGEST) {
            if at >= oldest {
                self.samples[index(at)] = sample;
            }
            at += 1;
        }
        self.end = self.end.max(at);
    }

    /// Where a packet belongs.
    fn place(&mut self, ssrc: u32, timestamp: u32, now: u64) -> u64 {
        let in_step = self.run.filter(|run| run.ssrc == ssrc).and_then(|run| {
            let distance = timestamp.wrapping_sub(run.timestamp).cast_signed();
            let position = run.position.checked_add_signed(i64::from(distance))?;
            let in_reach = position <= now + MOST_AHEAD && position + BEHIND >= now;
            in_reach.then_some((run, position))
        });
        let Some((mut run, position)) = in_step else {
            let position = now + DELAY;
            let least_ahead = DELAY.cast_signed();
            self.run = Some(Run { ssrc, timestamp, position, watched: 1, least_ahead });
            return position;
        };
        run.least_ahead = run.least_ahead.min(position.cast_signed() - now.cast_signed());
        run.watched += 1;
        if run.watched >= WATCHED {
            if !IN_STEP.contains(&run.least_ahead) {
                run.position = run.position.saturating_add_signed(WANTED - run.least_ahead);
            }
            (run.watched, run.least_ahead) = (0, i64::MAX);
        }
        self.run = Some(run);
        position
    }

    /// Adds what is said from a position on to a mix. Silence where nothing came.
    pub(super) fn add(&self, position: u64, mix: &mut [i32]) {
        let said = usize::try_from(self.end.saturating_sub(position)).unwrap_or(usize::MAX);
        for (at, sum) in (position..).zip(mix.iter_mut().take(said.min(LENGTH))) {
            *sum += i32::from(self.samples[index(at)]);
        }
    }
}

fn index(position: u64) -> usize {
    (position % LENGTH as u64) as usize
}

/// A mix as one sample: what is too loud is cut, not wrapped.
pub(super) fn limited(sum: i32) -> i16 {
    i16::try_from(sum.clamp(i32::from(i16::MIN), i32::from(i16::MAX))).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FRAME: usize = 160;

    fn read(track: &Track, position: u64) -> Vec<i32> {
        let mut mix = vec![0; FRAME];
        track.add(position, &mut mix);
        mix
    }

    fn frame(value: i16) -> impl ExactSizeIterator<Item = i16> {
        std::iter::repeat_n(value, FRAME)
    }

    /// Writes packet `n` of a stream at `now`.
    fn packet(track: &mut Track, n: u32, now: u64) {
        track.write((1, 1_000_u32.wrapping_add(n * 160)), now, frame(n as i16 + 1));
    }

    #[test]
    fn a_steady_stream_is_heard_whole_and_later() {
        let mut track = Track::new();
        let mut heard = Vec::new();
        for n in 0..20 {
            packet(&mut track, n, u64::from(n) * 160);
            heard.extend(read(&track, u64::from(n) * 160));
        }
        let expected: Vec<i32> =
            [0, 0].into_iter().chain(1..=18).flat_map(|n| [n; FRAME]).collect();
        assert_eq!(heard, expected);
    }

    #[test]
    fn order_and_jitter_within_the_delay_do_not_matter() {
        let mut track = Track::new();
        packet(&mut track, 0, 0);
        packet(&mut track, 2, 300);
        packet(&mut track, 1, 470);
        assert_eq!(read(&track, 480), [2; FRAME]);
        assert_eq!(read(&track, 640), [3; FRAME]);
    }

    #[test]
    fn a_lost_packet_is_silence_and_nothing_old_comes_back() {
        let mut track = Track::new();
        for n in 0..60_u32 {
            packet(&mut track, n, u64::from(n) * 160);
        }
        packet(&mut track, 61, 61 * 160);
        assert_eq!(read(&track, 60 * 160 + DELAY), [0; FRAME]);
        assert_eq!(read(&track, 61 * 160 + DELAY), [62; FRAME]);
        assert_eq!(read(&track, 70 * 160), [0; FRAME], "nobody speaks any more");
    }

    #[test]
    fn what_is_out_of_step_begins_anew() {
        for (name, source, now) in [
            ("another source", (2, 7), 3_200),
            ("a jump ahead", (1, 100_000), 3_200),
            ("a jump back", (1, 0_u32.wrapping_sub(100_000)), 3_200),
            ("after a pause of its own clock", (1, 1_160), 80_000),
        ] {
            let mut track = Track::new();
            packet(&mut track, 0, 0);
            track.write(source, now, frame(9));
            assert_eq!(read(&track, now + DELAY), [9; FRAME], "{name}");
        }
    }

    #[test]
    fn what_comes_too_late_is_not_heard_out_of_place() {
        let mut track = Track::new();
        packet(&mut track, 0, 0);
        packet(&mut track, 1, 160 + DELAY + 80);
        let mut heard = vec![0; 80];
        track.add(160 + DELAY + 80, &mut heard);
        assert_eq!(heard, [2; 80], "the half that is not over");
        let mut behind = vec![0; FRAME];
        track.add(160 + DELAY, &mut behind);
        assert_eq!(behind, [2; FRAME], "a recording has it whole");
    }

    /// A peer whose clock counts so many samples in a second of ours; gives the samples that nobody
    /// heard, and how far ahead of the present the last packet was placed.
    fn drift(samples_per_s: u64, seconds: u64) -> (u64, u64) {
        let mut track = Track::new();
        let mut lost = 0;
        for n in 0..seconds * 50 {
            let now = n * 160 * 8_000 / samples_per_s;
            let timestamp = (n * 160) as u32;
            track.write((1, timestamp), now, frame(1));
            lost += (0..160).filter(|at| n > 1 && now + at >= track.end).count() as u64;
        }
        let now = seconds * 50 * 160 * 8_000 / samples_per_s;
        (lost, track.end.saturating_sub(now))
    }

    #[test]
    fn a_peers_clock_may_be_fast_or_slow() {
        // 200 ppm are worse than any telephone; half an hour drifts by 360 ms.
        for samples_per_s in [7_998, 8_000, 8_002] {
            let (lost, ahead) = drift(samples_per_s, 1_800);
            assert_eq!(lost, 0, "{samples_per_s}");
            assert!((80..=520).contains(&ahead), "{samples_per_s}: {ahead}");
        }
    }

    #[test]
    fn a_run_that_began_with_a_late_packet_comes_into_step() {
        let mut track = Track::new();
        // What ought to have come within the first 50 ms came then, all else in time.
        for n in 0..60_u32 {
            packet(&mut track, n, u64::from(n * 160).max(400));
        }
        let last = 59 * 160;
        assert!(track.end - last <= 160 + 360, "{} ahead", track.end - last);
        assert_eq!(read(&track, track.end - 160), [60; FRAME]);
    }

    #[test]
    fn loud_mixes_are_cut() {
        assert_eq!([40_000, -40_000, 7].map(limited), [i16::MAX, i16::MIN, 7]);
    }

    proptest! {
        #[test]
        fn anything_may_come(
            packets in prop::collection::vec((0..3_u32, any::<u32>(), 0..2_000_u64, 0..600_usize), 0..100),
        ) {
            let mut track = Track::new();
            let mut now = 0;
            for (ssrc, timestamp, pause, length) in packets {
                now += pause;
                track.write((ssrc, timestamp), now, std::iter::repeat_n(5, length));
                for position in [now, now.saturating_sub(BEHIND)] {
                    prop_assert!(read(&track, position).iter().all(|sample| [0, 5].contains(sample)));
                }
            }
        }
    }
}
