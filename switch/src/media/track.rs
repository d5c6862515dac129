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

/// How far ahead the latest of them ought to have come, from 22 to 41 ms: two sides that are in step
/// are less than 20 ms apart. If it did not, the run is moved so that it would have been [`WANTED`].
const IN_STEP: std::ops::RangeInclusive<i64> = 176..=328;
const WANTED: i64 = 240;

/// A run is moved by this part of what is left with each of its packets, which are stretched or
/// squeezed as much: 15 ms take a second and a half, and nobody hears it. A step would be heard.
const MOVED_AT_ONCE: i64 = 32;

/// Samples that a track holds, a second's: more than [`MOST_AHEAD`], the longest packet, and what a
/// shard that stood still has not read yet.
const LENGTH: usize = 8_192;

/// The longest packet: longer than any that is read.
const LONGEST: usize = 2_048;

/// One party's sound. Positions are samples of the shard's clock.
#[derive(Debug)]
pub(super) struct Track {
    samples: [i16; LENGTH],
    /// The first position that nothing was written to.
    end: u64,
    run: Option<Run>,
}

/// When a packet came, and what is still read, as positions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Came {
    /// When the machine got it, however late the shard looked.
    pub(super) at: u64,
    /// Nobody will read what is before this.
    pub(super) oldest: u64,
}

/// The present, by the shard's clock and by the one that packets are stamped with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    /// The present position.
    pub(super) position: u64,
    /// The same by the kernel's clock, in samples as [`Said::arrived`](super::heard::Said::arrived).
    pub(super) arrived: u32,
    /// Nobody will read what is before this.
    pub(super) oldest: u64,
}

/// A packet cannot have waited longer than this, 2 s: the kernel's clock was set meanwhile.
const CLOCK_STEP: u32 = 16_000;

impl Now {
    /// When a packet came.
    pub(super) fn came(self, arrived: u32) -> Came {
        let waited = self.arrived.wrapping_sub(arrived);
        let waited = if waited > CLOCK_STEP { 0 } else { waited };
        Came { at: self.position.saturating_sub(waited.into()), oldest: self.oldest }
    }
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
    /// By how much it is still to be moved; later if it is positive.
    owed: i64,
}

/// Where a packet goes, and how many samples longer it is to become.
struct Place {
    position: u64,
    longer: i64,
}

impl Track {
    /// A silent one.
    pub(super) fn new() -> Self {
        Self { samples: [0; LENGTH], end: 0, run: None }
    }

    /// Takes a packet's samples. What comes too late to be read by anybody is dropped.
    pub(super) fn write(
        &mut self,
        (ssrc, timestamp): (u32, u32),
        came: Came,
        samples: impl ExactSizeIterator<Item = i16>,
    ) {
        let length = samples.len().min(LONGEST);
        let Place { position, longer } = self.place((ssrc, timestamp), came, length);
        let held = (came.at + MOST_AHEAD + LONGEST as u64).saturating_sub(LENGTH as u64);
        let oldest = came.oldest.max(held);
        // What lies between the last packet and this one was lost, and is silent.
        for gap in self.end.max(oldest)..position {
            self.samples[index(gap)] = 0;
        }
        if longer == 0 {
            self.lay(position, oldest, samples.take(length));
        } else {
            let mut said = [0; LONGEST];
            said.iter_mut().zip(samples).for_each(|(place, sample)| *place = sample);
            let wanted = length.saturating_add_signed(isize::try_from(longer).unwrap_or(0));
            self.lay(position, oldest, stretched(&said[..length], wanted));
        }
    }

    fn lay(&mut self, position: u64, oldest: u64, samples: impl Iterator<Item = i16>) {
        let mut at = position;
        for sample in samples {
            if at >= oldest {
                self.samples[index(at)] = sample;
            }
            at += 1;
        }
        self.end = self.end.max(at);
    }

    /// Where a packet belongs.
    fn place(&mut self, (ssrc, timestamp): (u32, u32), came: Came, length: usize) -> Place {
        let in_step = self.run.filter(|run| run.ssrc == ssrc).and_then(|run| {
            let distance = timestamp.wrapping_sub(run.timestamp).cast_signed();
            let position = run.position.checked_add_signed(i64::from(distance))?;
            let in_reach = position <= came.at + MOST_AHEAD && position + BEHIND >= came.at;
            in_reach.then_some((run, position))
        });
        let Some((mut run, mut position)) = in_step else {
            let position = came.at + DELAY;
            let least_ahead = DELAY.cast_signed();
            let run = Run { ssrc, timestamp, position, watched: 1, least_ahead, owed: 0 };
            self.run = Some(run);
            return Place { position, longer: 0 };
        };
        run.least_ahead = run.least_ahead.min(position.cast_signed() - came.at.cast_signed());
        run.watched += 1;
        if run.watched >= WATCHED {
            if !IN_STEP.contains(&run.least_ahead) || run.owed != 0 {
                run.owed = WANTED - run.least_ahead;
            }
            (run.watched, run.least_ahead) = (0, i64::MAX);
        }
        let mut longer = 0;
        if position > self.end {
            // After a pause nobody hears a step.
            let earliest = self.end.cast_signed() - position.cast_signed();
            let step = run.owed.max(earliest);
            position = position.saturating_add_signed(step);
            run.position = run.position.saturating_add_signed(step);
            run.owed -= step;
        } else if position == self.end && run.owed != 0 && length > 1 {
            // Half of it at the most, whatever length a packet has.
            let most = (length / 2).cast_signed() as i64;
            let part = (run.owed.abs() / MOVED_AT_ONCE).max(1) * run.owed.signum();
            longer = part.clamp(-most, most);
            run.position = run.position.saturating_add_signed(longer);
            run.owed -= longer;
        }
        self.run = Some(run);
        Place { position, longer }
    }

    /// Adds what is said from a position on to a mix. Silence where nothing came.
    pub(super) fn add(&self, position: u64, mix: &mut [i32]) {
        let first = self.end.saturating_sub(LENGTH as u64).saturating_sub(position);
        let first = usize::try_from(first).unwrap_or(usize::MAX);
        let said = usize::try_from(self.end.saturating_sub(position)).unwrap_or(usize::MAX);
        for (at, sum) in (position..).zip(mix.iter_mut().take(said)).skip(first) {
            *sum += i32::from(self.samples[index(at)]);
        }
    }
}

/// The same sound in another number of samples, by straight lines between them.
fn stretched(samples: &[i16], wanted: usize) -> impl Iterator<Item = i16> {
    let (last, last_wanted) = (samples.len().saturating_sub(1), wanted.saturating_sub(1).max(1));
    (0..wanted).map(move |at| {
        let (whole, part) = (at * last / last_wanted, at * last % last_wanted);
        let from = i32::from(samples[whole.min(last)]);
        let to = i32::from(samples[(whole + 1).min(last)]);
        // Between the two, which are samples. A packet's length times a difference of samples is
        // less than 2^28.
        (from + (to - from) * part as i32 / last_wanted as i32) as i16
    })
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

    /// A packet that is read as soon as it came; all that may be read by then is kept.
    fn came(at: u64) -> Came {
        Came { at, oldest: at.saturating_sub(BEHIND) }
    }

    fn frame(value: i16) -> impl ExactSizeIterator<Item = i16> {
        std::iter::repeat_n(value, FRAME)
    }

    /// Writes packet `n` of a stream at `now`.
    fn packet(track: &mut Track, n: u32, now: u64) {
        track.write((1, 1_000_u32.wrapping_add(n * 160)), came(now), frame(n as i16 + 1));
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
            track.write(source, came(now), frame(9));
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
            track.write((1, timestamp), came(now), frame(1));
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

    /// A tone of 500 Hz changes by 3,121 from one sample to the next, by more if it is squeezed; a
    /// seam by up to 16,000.
    const STEEPEST: i32 = 3_500;

    /// A peer's tone in packets that came at these times; gives all that was laid out.
    fn tone(times: impl Iterator<Item = u64>) -> (Vec<i32>, Track, u64) {
        let mut track = Track::new();
        let (mut heard, mut next, mut last) = (Vec::new(), DELAY, 0);
        for (n, at) in (0_u32..).zip(times) {
            let samples: Vec<i16> = (0..FRAME)
                .map(|i| f64::from(n * 160 + i as u32) * std::f64::consts::PI / 8.0)
                .map(|phase| (phase.sin() * 8_000.0) as i16)
                .collect();
            track.write((1, n * 160), came(at), samples.into_iter());
            while next + 160 <= track.end {
                heard.extend(read(&track, next));
                next += 160;
            }
            last = at;
        }
        (heard, track, last)
    }

    #[test]
    fn a_run_that_began_with_a_late_packet_comes_into_step_without_a_seam() {
        for late in [40, 100, 200, 400] {
            // What ought to have come within the first moments came then, all else in time.
            let (heard, track, last) = tone((0..300_u64).map(|n| (n * 160).max(late)));
            let ahead = track.end - 160 - last;
            assert!((176..=328).contains(&ahead), "{late} late: {ahead} ahead");
            assert!(heard.len() > 45_000, "{late}: {}", heard.len());
            let steepest = heard.windows(2).map(|pair| (pair[1] - pair[0]).abs()).max();
            assert!(steepest.is_some_and(|step| step <= STEEPEST), "{late} late: {steepest:?}");
        }
    }

    #[test]
    fn a_single_late_packet_leaves_a_run_in_step() {
        let times = (0..300_u64).map(|n| n * 160 + if n == 60 { 150 } else { 0 });
        let (_, track, last) = tone(times);
        let ahead = (track.end - 160 - last).cast_signed();
        assert!((176..=336).contains(&ahead), "{ahead}");
    }

    #[test]
    fn after_a_pause_a_run_is_moved_at_once() {
        let mut track = Track::new();
        for n in 0..52_u32 {
            packet(&mut track, n, u64::from(n * 160).max(400));
        }
        let (before, now) = (track.end, 80 * 160);
        packet(&mut track, 80, now);
        assert!(track.end > before);
        assert_eq!(track.end - 160 - now, 240);
    }

    #[test]
    fn a_shard_that_stood_still_puts_what_came_meanwhile_in_its_place() {
        let mut track = Track::new();
        packet(&mut track, 0, 0);
        // Half a second later it reads all; nothing has been read meanwhile.
        for n in 1..25_u32 {
            let came = Came { at: u64::from(n) * 160, oldest: 0 };
            track.write((1, 1_000 + n * 160), came, frame(n as i16 + 1));
        }
        for n in 0..25 {
            assert_eq!(read(&track, n * 160 + DELAY), [n as i32 + 1; FRAME], "packet {n}");
        }
    }

    #[test]
    fn a_reader_who_is_far_behind_hears_silence_not_something_else() {
        let mut track = Track::new();
        for n in 0..100_u32 {
            packet(&mut track, n, u64::from(n) * 160);
        }
        assert_eq!(read(&track, 160), [0; FRAME]);
        assert!(read(&track, track.end - LENGTH as u64).iter().all(|sample| *sample > 0));
    }

    #[test]
    fn a_packet_came_when_it_was_stamped() {
        let now = Now { position: 50_000, arrived: 100, oldest: 0 };
        let stamps =
            [(100, 50_000), (0, 49_900), (u32::MAX, 49_899), (101, 50_000), (20_000, 50_000)];
        for (arrived, at) in stamps {
            assert_eq!(now.came(arrived).at, at, "{arrived}");
        }
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
                track.write((ssrc, timestamp), came(now), std::iter::repeat_n(5, length));
                for position in [now, now.saturating_sub(BEHIND)] {
                    prop_assert!(read(&track, position).iter().all(|sample| [0, 5].contains(sample)));
                }
            }
        }
    }
}
