//! Down to the telephone's 8 kHz, without aliases.
//!
//! A Kaiser-windowed sinc, evaluated as a polyphase filter for the exact ratio of the two rates.
//! The own filter is here because audio-codec's resampler has 24 taps at any ratio: from 48 kHz that
//! lets through most of what lies between 4 and 8 kHz.

use std::f64::consts::PI;
use std::ops::Range;

use crate::encoded::TELEPHONE_RATE_HZ;

/// Half power here; with the window's slopes speech passes to 3.4 kHz and 4.3 kHz is stopped.
const CUTOFF_HZ: f64 = 3800.0;
/// Length of each wing of the filter in seconds: 24 samples at 8 kHz.
const WING_S: f64 = 24.0 / 8000.0;
/// Kaiser's β: stops by some 60 dB.
const BETA: f64 = 5.65;

/// Resamples to 8 kHz. Audio at 8 kHz is returned as it is.
pub(crate) fn to_telephone_rate(samples: Vec<f32>, rate_hz: u32) -> Vec<f32> {
    if rate_hz == TELEPHONE_RATE_HZ || rate_hz == 0 {
        return samples;
    }
    let mut resampler = Resampler::from_rate(rate_hz);
    let mut resampled = Vec::new();
    resampler.push(&samples, &mut resampled);
    resampler.finish(&mut resampled);
    resampled
}

/// Resamples to 8 kHz piece by piece, so that a long file is never whole in memory at its own rate.
pub(crate) struct Resampler {
    rate_hz: u32,
    /// None where there is nothing to be done.
    filter: Option<Polyphase>,
    /// The end of the input, as far as it is needed still.
    held: Vec<f32>,
    /// Where in the input that begins.
    held_from: u64,
    /// The next output.
    next: u64,
}

impl Resampler {
    /// From so many hertz, which are not 0.
    pub(crate) fn from_rate(rate_hz: u32) -> Self {
        let filter = (rate_hz != TELEPHONE_RATE_HZ).then(|| Polyphase::new(rate_hz));
        Self { rate_hz, filter, held: Vec::new(), held_from: 0, next: 0 }
    }

    /// Takes more input, and appends the output that it settles.
    pub(crate) fn push(&mut self, samples: &[f32], resampled: &mut Vec<f32>) {
        let Some(filter) = &self.filter else {
            resampled.extend_from_slice(samples);
            return;
        };
        self.held.extend_from_slice(samples);
        let taken = self.held_from + self.held.len() as u64;
        while filter.inputs_of(self.next).end <= taken {
            resampled.push(filter.output(&self.held, self.held_from, self.next));
            self.next += 1;
        }
        let needed_from = filter.inputs_of(self.next).start.min(taken);
        self.held.drain(..(needed_from - self.held_from) as usize);
        self.held_from = needed_from;
    }

    /// Appends the rest, as if silence followed.
    pub(crate) fn finish(&mut self, resampled: &mut Vec<f32>) {
        let Some(filter) = &self.filter else {
            return;
        };
        let taken = self.held_from + self.held.len() as u64;
        let length = (taken * u64::from(TELEPHONE_RATE_HZ)).div_ceil(self.rate_hz.into());
        let rest = self.next..length;
        resampled.extend(rest.map(|n| filter.output(&self.held, self.held_from, n)));
        self.next = length;
    }
}

/// Output n lies at input position n × step / phases.
struct Polyphase {
    step: u64,
    phases: u64,
    /// Input samples on each side of an output.
    wing: usize,
    /// `phases` rows of `2 × wing` coefficients.
    rows: Vec<f32>,
}

impl Polyphase {
    fn new(rate_hz: u32) -> Self {
        let common = gcd(rate_hz, TELEPHONE_RATE_HZ);
        let (step, phases) = (rate_hz / common, TELEPHONE_RATE_HZ / common);
        let wing = (WING_S * f64::from(rate_hz)).ceil() as usize;
        let mut rows = Vec::with_capacity(phases as usize * 2 * wing);
        for phase in 0..phases {
            let offset = f64::from(phase) / f64::from(phases);
            let row = (0..2 * wing).map(|tap| {
                // The tap's distance from the output, in seconds.
                let distance = tap as f64 - (wing as f64 - 1.0) - offset;
                impulse_response(distance / f64::from(rate_hz))
            });
            let row: Vec<f64> = row.collect();
            // Each phase passes a constant unchanged.
            let sum: f64 = row.iter().sum();
            rows.extend(row.iter().map(|tap| (tap / sum) as f32));
        }
        Polyphase { step: step.into(), phases: phases.into(), wing, rows }
    }

    /// The input around output n, without what would lie before the first sample.
    fn inputs_of(&self, n: u64) -> Range<u64> {
        let (whole, wing) = (n * self.step / self.phases, self.wing as u64);
        (whole + 1).saturating_sub(wing)..whole + 1 + wing
    }

    /// Output n of an input of which `held` begins at sample `held_from`, no later than the output
    /// needs it.
    fn output(&self, held: &[f32], held_from: u64, n: u64) -> f32 {
        let position = n * self.step;
        let (whole, phase) = ((position / self.phases) as usize, (position % self.phases) as usize);
        let width = 2 * self.wing;
        let row = &self.rows[phase * width..(phase + 1) * width];
        // The row's first tap lies on input sample `whole + 1 - wing`; outside the input is silence.
        let before_start = (self.wing - 1).saturating_sub(whole);
        let inputs = self.inputs_of(n);
        let within = |at: u64| ((at - held_from) as usize).min(held.len());
        let samples = &held[within(inputs.start)..within(inputs.end)];
        let taps = row.iter().skip(before_start);
        taps.zip(samples).map(|(tap, sample)| tap * sample).sum()
    }
}

fn impulse_response(seconds: f64) -> f64 {
    let inside = 1.0 - (seconds / WING_S).powi(2);
    if inside <= 0.0 {
        return 0.0;
    }
    let x = 2.0 * CUTOFF_HZ * seconds;
    let sinc = if x.abs() < 1e-9 { 1.0 } else { (PI * x).sin() / (PI * x) };
    sinc * bessel_i0(BETA * inside.sqrt())
}

/// The modified Bessel function of the first kind and order zero, by its power series.
fn bessel_i0(x: f64) -> f64 {
    let mut term = 1.0;
    let mut sum = 1.0;
    for k in 1..=25 {
        term *= (x / 2.0 / f64::from(k)).powi(2);
        sum += term;
    }
    sum
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATES_HZ: [u32; 8] = [11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000];

    fn tone(frequency_hz: f64, rate_hz: u32) -> Vec<f32> {
        let sample = |n| (2.0 * PI * frequency_hz * f64::from(n) / f64::from(rate_hz)).sin() as f32;
        (0..rate_hz).map(sample).collect()
    }

    /// Level in dB against a full-scale sine, without the ends, where the filter swings in.
    fn level_db(samples: &[f32]) -> f64 {
        let inner = &samples[400..samples.len() - 400];
        let power = inner.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / inner.len() as f64;
        10.0 * (2.0 * power).max(1e-15).log10()
    }

    #[test]
    fn telephone_speech_passes() {
        for rate_hz in RATES_HZ {
            for frequency_hz in [50.0, 300.0, 1000.0, 2500.0, 3400.0] {
                let heard = to_telephone_rate(tone(frequency_hz, rate_hz), rate_hz);
                let db = level_db(&heard);
                assert!(db.abs() < 0.5, "{frequency_hz} Hz at {rate_hz}: {db:.2} dB");
                let expected = tone(frequency_hz, TELEPHONE_RATE_HZ);
                let difference: Vec<f32> =
                    heard.iter().zip(&expected).map(|(a, b)| a - b).collect();
                // Also in time: a shift of one sample in 50 would show here.
                let db = level_db(&difference);
                assert!(db < -24.0, "{frequency_hz} Hz at {rate_hz} is late or bent: {db:.1} dB");
            }
        }
    }

    #[test]
    fn what_8_khz_cannot_carry_is_stopped() {
        for rate_hz in RATES_HZ {
            for frequency_hz in (4300..rate_hz / 2).step_by(371) {
                let db = level_db(&to_telephone_rate(tone(frequency_hz.into(), rate_hz), rate_hz));
                assert!(db < -50.0, "{frequency_hz} Hz at {rate_hz} leaks with {db:.1} dB");
            }
        }
    }

    #[test]
    fn pieces_give_what_the_whole_gives() {
        for rate_hz in [8000, 11_025, 44_100, 48_000, 47_999] {
            let whole = tone(1234.0, rate_hz);
            let expected = to_telephone_rate(whole.clone(), rate_hz);
            for piece in [1, 7, 160, 4096, 100_000] {
                let (mut resampler, mut heard) = (Resampler::from_rate(rate_hz), Vec::new());
                for samples in whole.chunks(piece) {
                    resampler.push(samples, &mut heard);
                    assert!(resampler.held.len() < 2000 + piece, "held {}", resampler.held.len());
                }
                resampler.finish(&mut heard);
                assert!(heard == expected, "{rate_hz} Hz in pieces of {piece}");
            }
        }
    }

    #[test]
    fn length_follows_the_rates() {
        for (length, rate_hz, expected) in [
            (1, 48_000, 1),
            (48_000, 48_000, 8000),
            (44_100, 44_100, 8000),
            (441, 44_100, 80),
            (16_000, 8000, 16_000),
            (8001, 8001, 8000),
            (47_999, 47_999, 8000),
            (0, 44_100, 0),
        ] {
            let resampled = to_telephone_rate(vec![0.5; length], rate_hz);
            assert_eq!(resampled.len(), expected, "{length} at {rate_hz}");
        }
    }
}
