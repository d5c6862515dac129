//! How loud a recording is, whether it is distorted, and where its speech begins and ends.

use crate::encoded::TELEPHONE_RATE_HZ;

/// What prompts are brought to: loud enough for a street, 9 dB below G.711's usual speech peaks.
pub(crate) const TARGET_DBFS: f32 = -20.0;
/// A level this near to the target needs no mention.
pub(crate) const TOLERANCE_DB: f32 = 3.0;
/// Below this there is no speech to be measured.
pub(crate) const SILENT_DBFS: f32 = -60.0;
pub(crate) const FLOOR_DBFS: f32 = -120.0;
const FRAME: usize = TELEPHONE_RATE_HZ as usize / 100;

/// Silence, relative to the active level. Weak consonants (f, s, h) lie up to 25 dB below vowels.
const SILENCE_BELOW_ACTIVE_DB: f32 = 26.0;
const KEEP_BEFORE: usize = TELEPHONE_RATE_HZ as usize * 15 / 1000;
const KEEP_AFTER: usize = TELEPHONE_RATE_HZ as usize * 30 / 1000;
/// 5 ms: short enough for a plosive, long enough against clicks.
const FADE: usize = TELEPHONE_RATE_HZ as usize * 5 / 1000;

/// Converts a ratio of amplitudes to decibels.
fn decibels(amplitude: f32) -> f32 {
    (20.0 * amplitude.max(1e-9).log10()).max(FLOOR_DBFS)
}

pub(crate) fn gain(db: f32) -> f32 {
    10_f32.powf(db / 20.0)
}

fn rms(samples: &[f32]) -> f32 {
    let power: f64 = samples.iter().map(|s| f64::from(*s).powi(2)).sum();
    (power / samples.len().max(1) as f64).sqrt() as f32
}

/// The level of the speech without its pauses, in dB below a full-scale square wave: the mean power
/// of the 10 ms frames that pass a gate, first 20 dB below the mean of all, then 15.9 dB below the
/// mean of those, the margin of ITU-T P.56.
pub(crate) fn active_dbfs(samples_8k: &[f32]) -> f32 {
    let mut frames: Vec<f32> = samples_8k.chunks(FRAME).map(rms).collect();
    for margin_db in [20.0, 15.9] {
        let gate = rms(&frames) * gain(-margin_db);
        frames.retain(|&frame| frame > gate);
    }
    decibels(rms(&frames))
}

/// Milliseconds in which the signal stands at its limit.
pub(crate) fn clipped_ms(samples: &[f32], rate_hz: u32) -> u64 {
    let mut clipping = Clipping::default();
    clipping.watch(samples);
    clipping.ms(rate_hz)
}

/// Looks for a signal that stands at its limit: three full-scale samples in a row do not happen in
/// speech that was recorded in range.
#[derive(Debug, Default)]
pub(crate) struct Clipping {
    clipped: u64,
    run: u64,
}

impl Clipping {
    pub(crate) fn watch(&mut self, samples: &[f32]) {
        const FULL_SCALE: f32 = 0.999;
        const RUN: u64 = 3;
        for sample in samples {
            if sample.abs() < FULL_SCALE {
                self.run = 0;
                continue;
            }
            self.run += 1;
            self.clipped += match self.run.cmp(&RUN) {
                std::cmp::Ordering::Less => 0,
                std::cmp::Ordering::Equal => RUN,
                std::cmp::Ordering::Greater => 1,
            };
        }
    }

    /// How long it stood there, at this rate.
    pub(crate) fn ms(&self, rate_hz: u32) -> u64 {
        (self.clipped * 1000).div_ceil(u64::from(rate_hz).max(1))
    }
}

/// The frames from the first that is loud to the last, in samples; none where nothing is.
fn spoken(samples_8k: &[f32]) -> Option<std::ops::Range<usize>> {
    let active = active_dbfs(samples_8k);
    let threshold = gain(active - SILENCE_BELOW_ACTIVE_DB);
    let loud = |frame: &[f32]| active > SILENT_DBFS && rms(frame) > threshold;
    let frames = || samples_8k.chunks(FRAME);
    let (first, last) = (frames().position(loud)?, frames().rposition(loud)?);
    Some(first * FRAME..((last + 1) * FRAME).min(samples_8k.len()))
}

/// How long it is silent before and after, in ms; none where it is silent altogether.
pub(crate) fn silent_ends_ms(samples_8k: &[f32]) -> Option<[u64; 2]> {
    let spoken = spoken(samples_8k)?;
    let ms = |samples: usize| samples as u64 * 1000 / u64::from(TELEPHONE_RATE_HZ);
    Some([ms(spoken.start), ms(samples_8k.len() - spoken.end)])
}

/// Cuts the silence before and after, and fades the ends. A silent recording comes back empty.
pub(crate) fn trimmed(samples_8k: &[f32]) -> Vec<f32> {
    let Some(spoken) = spoken(samples_8k) else {
        return Vec::new();
    };
    let start = spoken.start.saturating_sub(KEEP_BEFORE);
    let end = (spoken.end + KEEP_AFTER).min(samples_8k.len());
    let mut kept = samples_8k[start..end].to_vec();
    fade_ends(&mut kept);
    kept
}

fn fade_ends(samples: &mut [f32]) {
    let length = samples.len();
    let fade = FADE.min(length / 2);
    for n in 0..fade {
        let factor = n as f32 / fade as f32;
        samples[n] *= factor;
        samples[length - 1 - n] *= factor;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hum(amplitude: f32, ms: usize) -> Vec<f32> {
        (0..ms * 8).map(|n| amplitude * if n % 16 < 8 { 1.0 } else { -1.0 }).collect()
    }

    #[test]
    fn pauses_do_not_count_as_level() {
        let speech = hum(0.1, 500);
        let with_pauses = [hum(0.0, 2000), speech.clone(), hum(0.0003, 3000)].concat();
        for samples in [speech, with_pauses] {
            let level = active_dbfs(&samples);
            assert!((level + 20.0).abs() < 0.1, "{level}");
        }
        assert_eq!(active_dbfs(&[]), FLOOR_DBFS);
        assert_eq!(active_dbfs(&hum(0.0, 100)), FLOOR_DBFS);
    }

    #[test]
    fn trimming_keeps_speech_and_a_breath_around_it() {
        let recording =
            [hum(0.0002, 700), hum(0.1, 300), hum(0.0, 100), hum(0.02, 100), hum(0.0, 900)];
        let kept = trimmed(&recording.concat());
        assert_eq!(kept.len() / 8, 15 + 500 + 30);
        assert!(kept[0].abs() < 1e-6 && kept[kept.len() - 1].abs() < 1e-6);
        assert!(trimmed(&hum(0.0, 500)).is_empty());
        assert!(trimmed(&[]).is_empty());
    }

    #[test]
    fn trimming_twice_changes_no_length() {
        let once = trimmed(&[hum(0.0, 300), hum(0.1, 300), hum(0.0, 300)].concat());
        assert_eq!(trimmed(&once).len(), once.len());
    }

    #[test]
    fn clipping_is_runs_of_full_scale() {
        assert_eq!(clipped_ms(&[1.0, 0.5, -1.0, 1.0, 0.2], 8000), 0);
        assert_eq!(clipped_ms(&[1.0; 80], 8000), 10);
        assert_eq!(clipped_ms(&hum(0.9, 50), 8000), 0);
    }
}
