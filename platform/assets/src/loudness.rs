//! How loud a recording is to the ear, and bringing it to one loudness with the others.
//!
//! Measured as EBU R 128 says: integrated loudness by ITU-T BS.1770 with its two gates, of what the
//! telephone will carry. The target is not broadcasting's -23 LUFS: G.711 has some 38 dB of
//! signal-to-noise ratio and is heard in streets, so recordings are brought to the loudness of the
//! prompt packs (-20 to -22 LUFS), beside which they are heard. Peaks that stand in the way are held down by a limiter,
//! which looks between the samples too: a gateway's converter plays what is there.

use std::f64::consts::PI;

use ebur128::{EbuR128, Mode};

use crate::encoded::TELEPHONE_RATE_HZ;
use crate::level::{FLOOR_DBFS, SILENT_DBFS, active_dbfs, gain};

/// The loudness that recordings are brought to.
pub(crate) const TARGET_LUFS: f32 = -20.0;
/// Raising further would only raise the noise.
pub(crate) const MOST_GAIN_DB: f32 = 20.0;
/// True peaks stay below this.
pub(crate) const CEILING_DBTP: f32 = -1.0;

/// Points between two samples at which peaks are looked for, as in BS.1770, annex 2.
const BETWEEN: usize = 4;
/// Samples on each side that tell what lies between two.
const WING: usize = 6;
/// How long before a peak the limiter begins to give way, and how long after it comes back: 5 ms.
const REACH: usize = TELEPHONE_RATE_HZ as usize * 5 / 1000;

/// How loud a recording is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Loudness {
    /// Integrated loudness in LUFS; -120 for silence. Of what is too short to be gated (less than
    /// 400 ms) it is the level of its loud frames.
    pub integrated_lufs: f32,
    /// The highest peak, between samples too, in dB below full scale.
    pub true_peak_dbtp: f32,
}

impl Loudness {
    /// Measures a recording at 8 kHz.
    pub(crate) fn of(samples_8k: &[f32]) -> Self {
        let peak = peaks(samples_8k).fold(0.0, f32::max);
        let level = active_dbfs(samples_8k);
        let integrated = if level < SILENT_DBFS { None } else { integrated(samples_8k) };
        Self {
            integrated_lufs: integrated.unwrap_or(level),
            true_peak_dbtp: (20.0 * peak.max(1e-9).log10()).max(FLOOR_DBFS),
        }
    }

    /// Whether there is nothing to be heard.
    pub fn is_silent(&self) -> bool {
        self.integrated_lufs < SILENT_DBFS
    }
}

/// `None` where every block was below the gates, or there was no whole block.
fn integrated(samples_8k: &[f32]) -> Option<f32> {
    // One channel at a rate of the standard's filter: never refused.
    let mut meter = EbuR128::new(1, TELEPHONE_RATE_HZ, Mode::I).ok()?;
    meter.add_frames_f32(samples_8k).ok()?;
    let lufs = meter.loudness_global().ok()? as f32;
    lufs.is_finite().then_some(lufs)
}

/// What was done to a recording's loudness.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Normalised {
    /// Decibels by which all of it was raised, or lowered where negative.
    pub(crate) gain_db: f32,
    /// Decibels by which the limiter held down the highest peak; 0 where it had nothing to do.
    pub(crate) limited_db: f32,
}

/// Brings a recording of this loudness to the target, as far as noise allows.
pub(crate) fn normalise(samples_8k: &mut [f32], found: Loudness) -> Normalised {
    if found.is_silent() {
        return Normalised { gain_db: 0.0, limited_db: 0.0 };
    }
    let gain_db = (TARGET_LUFS - found.integrated_lufs).min(MOST_GAIN_DB);
    let factor = gain(gain_db);
    samples_8k.iter_mut().for_each(|sample| *sample *= factor);
    Normalised { gain_db, limited_db: limit(samples_8k) }
}

/// Holds peaks below the ceiling. Gives by how many decibels, at most.
fn limit(samples: &mut [f32]) -> f32 {
    let ceiling = gain(CEILING_DBTP);
    let wanted: Vec<f32> =
        peaks(samples).map(|peak| (ceiling / peak.max(ceiling)).min(1.0)).collect();
    if wanted.iter().all(|factor| *factor >= 1.0) {
        return 0.0;
    }
    // The least factor within the reach, smoothed over as long again: at every peak all that the
    // mean is taken of is at most what the peak needs.
    let lowest = sliding_least(&wanted, REACH);
    let mut deepest = 1.0_f32;
    let mut sum: f64 = lowest.iter().take(REACH).map(|factor| f64::from(*factor)).sum();
    let mut inside = lowest.len().min(REACH);
    for (n, sample) in samples.iter_mut().enumerate() {
        if let Some(entering) = lowest.get(n + REACH) {
            sum += f64::from(*entering);
            inside += 1;
        }
        if n > REACH {
            sum -= f64::from(lowest[n - REACH - 1]);
            inside -= 1;
        }
        let factor = (sum / inside.max(1) as f64) as f32;
        deepest = deepest.min(factor);
        *sample *= factor;
    }
    -20.0 * deepest.log10()
}

/// For each place the least value at most `reach` away.
fn sliding_least(values: &[f32], reach: usize) -> Vec<f32> {
    // Places whose values rise: the first is the least of the window.
    let mut rising = std::collections::VecDeque::new();
    let mut least = Vec::with_capacity(values.len());
    let mut next = 0;
    for n in 0..values.len() {
        while next < values.len() && next <= n + reach {
            while rising.back().is_some_and(|&last| values[last] >= values[next]) {
                rising.pop_back();
            }
            rising.push_back(next);
            next += 1;
        }
        while rising.front().is_some_and(|&first| first + reach < n) {
            rising.pop_front();
        }
        least.push(rising.front().map_or(1.0, |&first| values[first]));
    }
    least
}

/// For each sample the highest magnitude from half a sample before it to half a sample after.
fn peaks(samples: &[f32]) -> impl Iterator<Item = f32> {
    let rows = interpolation();
    (0..samples.len()).map(move |n| {
        let from_first = (WING - 1).saturating_sub(n);
        let first = (n + 1).saturating_sub(WING);
        let after = &samples[first..(n + 1 + WING).min(samples.len())];
        let between = |row: &[f32; 2 * WING]| -> f32 {
            row[from_first..].iter().zip(after).map(|(tap, sample)| tap * sample).sum::<f32>().abs()
        };
        rows.iter().map(between).fold(samples[n].abs(), f32::max)
    })
}

/// A windowed sinc at each quarter after a sample.
fn interpolation() -> [[f32; 2 * WING]; BETWEEN - 1] {
    std::array::from_fn(|phase| {
        let offset = (phase + 1) as f64 / BETWEEN as f64;
        std::array::from_fn(|tap| {
            let x = tap as f64 - (WING as f64 - 1.0) - offset;
            let window = 0.5 + 0.5 * (PI * x / WING as f64).cos();
            ((PI * x).sin() / (PI * x) * window) as f32
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sine(hz: f64, amplitude: f32, ms: usize, phase: f64) -> Vec<f32> {
        let step = 2.0 * PI * hz / f64::from(TELEPHONE_RATE_HZ);
        (0..ms * 8).map(|n| amplitude * (n as f64 * step + phase).sin() as f32).collect()
    }

    #[test]
    fn a_sine_of_1_khz_is_as_loud_as_the_standard_says() {
        // BS.1770: 997 Hz at full scale in one channel is -3.01 LUFS.
        for (amplitude, lufs) in [(1.0, -3.01), (0.1, -23.01), (0.01, -43.01)] {
            let found = Loudness::of(&sine(997.0, amplitude, 3000, 0.0)).integrated_lufs;
            assert!((found - lufs).abs() < 0.1, "{amplitude}: {found}");
        }
    }

    #[test]
    fn peaks_between_samples_are_found() {
        // At a quarter of the rate, samples at 45° miss the peaks by 3 dB.
        let tone = sine(2000.0, 1.0, 500, PI / 4.0);
        let found = Loudness::of(&tone).true_peak_dbtp;
        assert!(found.abs() < 0.3, "{found}");
    }

    #[test]
    fn pauses_do_not_count() {
        let speech = sine(997.0, 0.1, 2000, 0.0);
        let paused = [&speech[..], &[0.0; 8000 * 6], &speech[..]].concat();
        let found = Loudness::of(&paused).integrated_lufs;
        assert!((found + 23.0).abs() < 0.4, "{found}");
    }

    #[test]
    fn the_short_and_the_silent_are_measured_too() {
        for (what, samples, lufs) in [
            ("nothing", vec![], FLOOR_DBFS),
            ("one sample", vec![0.5], -6.0),
            ("silence", vec![0.0; 8000], FLOOR_DBFS),
            ("a short beep", sine(997.0, 0.1, 100, 0.0), -23.0),
        ] {
            let found = Loudness::of(&samples);
            assert!((found.integrated_lufs - lufs).abs() < 0.3, "{what}: {found:?}");
            let mut normalised = samples.clone();
            let done = normalise(&mut normalised, found);
            assert!(done.gain_db.is_finite() && done.limited_db.is_finite(), "{what}");
        }
    }

    #[test]
    fn the_target_is_met_and_peaks_are_held() {
        let knock = |mut samples: Vec<f32>| {
            samples[9000] = 0.9;
            samples
        };
        // what, samples, gain, whether the limiter has work
        for (what, samples, gain_db, limits) in [
            ("usual", sine(997.0, 0.1413, 3000, 0.0), 0.0, false),
            ("quiet", sine(997.0, 0.02, 3000, 0.0), 17.0, false),
            ("loud", sine(997.0, 0.9, 3000, 0.0), -16.1, false),
            ("beyond help", sine(997.0, 0.002, 3000, 0.0), 20.0, false),
            ("a knock", knock(sine(997.0, 0.04, 3000, 0.0)), 11.0, true),
        ] {
            let mut samples = samples;
            let found = Loudness::of(&samples);
            let done = normalise(&mut samples, found);
            assert!((done.gain_db - gain_db).abs() < 0.5, "{what}: {done:?}");
            assert_eq!(done.limited_db > 0.0, limits, "{what}: {done:?}");
            let after = Loudness::of(&samples);
            assert!(after.true_peak_dbtp < CEILING_DBTP + 0.2, "{what}: {after:?}");
            if gain_db < MOST_GAIN_DB {
                assert!((after.integrated_lufs - TARGET_LUFS).abs() < 0.6, "{what}: {after:?}");
            }
        }
    }

    #[test]
    fn the_limiter_is_quiet_away_from_the_peak() {
        let mut samples = sine(440.0, 0.3, 1000, 0.0);
        samples[4000] = 3.0;
        let before = samples.clone();
        assert!(limit(&mut samples) > 9.0);
        assert_eq!(samples[..4000 - 3 * REACH], before[..4000 - 3 * REACH]);
        assert_eq!(samples[4000 + 3 * REACH..], before[4000 + 3 * REACH..]);
        assert!(samples[4000] <= gain(CEILING_DBTP) + 1e-6);
    }

    #[test]
    fn the_least_within_reach() {
        let values = [1.0, 0.5, 1.0, 1.0, 1.0, 0.2, 1.0];
        assert_eq!(sliding_least(&values, 1), [0.5, 0.5, 0.5, 1.0, 0.2, 0.2, 0.2]);
        assert_eq!(sliding_least(&values, 9), [0.2; 7]);
        assert_eq!(sliding_least(&[], 3), [0.0; 0]);
    }
}
