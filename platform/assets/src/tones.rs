//! What the network would let a caller hear, and music for who waits: made by arithmetic, so that
//! nothing has to be licensed or shipped. Tones are those of mainland China (GF 002-9002.1): 450 Hz.

use std::f64::consts::TAU;
use std::sync::LazyLock;

use crate::encoded::{Encoded, TELEPHONE_RATE_HZ, to_i16};

/// The one frequency of the network's tones.
const TONE_HZ: f64 = 450.0;
/// Some -13 dBm0: as loud as exchanges send tones.
const TONE_LEVEL: f64 = 0.155;
/// How often the busy tone comes before the call is given up: some five seconds.
const BUSY_TIMES: usize = 7;

/// Ringback tone: 1 s on, 4 s off. One period, to be repeated.
pub fn ringback() -> Encoded {
    static TONE: LazyLock<Encoded> = LazyLock::new(|| cadence("tone/ringback", 1_000, 4_000, 1));
    TONE.clone()
}

/// Busy tone: 0.35 s on, 0.35 s off, for some five seconds.
pub fn busy() -> Encoded {
    static TONE: LazyLock<Encoded> = LazyLock::new(|| cadence("tone/busy", 350, 350, BUSY_TIMES));
    TONE.clone()
}

/// Hold music: a quiet pentatonic melody of 19.2 s, whose end leads into its beginning.
pub fn hold_music() -> Encoded {
    static MUSIC: LazyLock<Encoded> = LazyLock::new(|| melody("tone/hold"));
    MUSIC.clone()
}

fn samples_of(ms: u32) -> usize {
    (ms as usize) * (TELEPHONE_RATE_HZ as usize) / 1_000
}

/// 450 Hz has a whole number of half periods in both lengths, so it ends without a click.
fn cadence(name: &str, on_ms: u32, off_ms: u32, times: usize) -> Encoded {
    let tone = |n: usize| {
        let at_s = n as f64 / f64::from(TELEPHONE_RATE_HZ);
        (TONE_LEVEL * (TAU * TONE_HZ * at_s).sin()) as f32
    };
    let mut period: Vec<f32> = (0..samples_of(on_ms)).map(tone).collect();
    period.resize(samples_of(on_ms) + samples_of(off_ms), 0.0);
    Encoded::from_samples(name, &to_i16(&period.repeat(times)))
}

/// Half steps above the A below middle C; `None` rests. Each lasts a beat.
const MELODY: [Option<i32>; 32] = {
    const fn n(step: i32) -> Option<i32> {
        Some(step)
    }
    [
        n(3),
        None,
        n(7),
        n(10),
        n(12),
        None,
        n(10),
        n(7), //
        n(5),
        None,
        n(10),
        n(12),
        n(15),
        None,
        n(12),
        None, //
        n(10),
        None,
        n(7),
        n(5),
        n(3),
        None,
        n(5),
        n(7), //
        n(10),
        n(7),
        n(5),
        n(0),
        n(3),
        None,
        None,
        None,
    ]
};
/// The basses, a bar of four beats each.
const BASSES: [i32; 8] = [-9, -9, -7, -7, -2, -2, -9, -9];
const BEAT_MS: u32 = 600;
const A3_HZ: f64 = 220.0;

fn melody(name: &str) -> Encoded {
    let mut sound = vec![0.0_f32; samples_of(BEAT_MS) * MELODY.len()];
    for (beat, note) in MELODY.iter().enumerate() {
        if let Some(step) = note {
            pluck(&mut sound, samples_of(BEAT_MS) * beat, *step, 0.11, 1.1);
        }
    }
    for (bar, step) in BASSES.iter().enumerate() {
        pluck(&mut sound, samples_of(BEAT_MS) * bar * 4, *step, 0.08, 1.8);
    }
    Encoded::from_samples(name, &to_i16(&sound))
}

/// A plucked string that dies away; what is left at the end sounds on at the beginning.
fn pluck(sound: &mut [f32], from: usize, step: i32, level: f64, lasts_s: f64) {
    let rate = f64::from(TELEPHONE_RATE_HZ);
    let hz = A3_HZ * (f64::from(step) / 12.0).exp2();
    let whole = sound.len();
    for n in 0..(lasts_s * 2.0 * rate) as usize {
        let at_s = n as f64 / rate;
        // The first 5 ms swell, or the string would click.
        let swell = (at_s / 0.005).min(1.0);
        let fade = (-3.0 * at_s / lasts_s).exp();
        let wave = (TAU * hz * at_s).sin() + 0.35 * (2.0 * TAU * hz * at_s).sin();
        sound[(from + n) % whole] += (level * swell * fade * wave) as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use audio_codec::Decoder;
    use audio_codec::pcma::PcmaDecoder;

    fn heard(encoded: &Encoded) -> Vec<i16> {
        PcmaDecoder::new().decode(&encoded.alaw)
    }

    /// The power at a frequency, as a share of the power of all (Goertzel).
    fn share_at(hz: f64, samples: &[i16]) -> f64 {
        let coefficient = 2.0 * (TAU * hz / f64::from(TELEPHONE_RATE_HZ)).cos();
        let (mut last, mut before, mut all) = (0.0, 0.0, 0.0);
        for sample in samples {
            let sample = f64::from(*sample);
            let now = sample + coefficient * last - before;
            (before, last) = (last, now);
            all += sample * sample;
        }
        let power = last * last + before * before - coefficient * last * before;
        2.0 * power / (all * samples.len() as f64).max(1.0)
    }

    fn level(samples: &[i16]) -> f64 {
        let sum: f64 = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum();
        (sum / samples.len() as f64).sqrt()
    }

    #[test]
    fn tones_are_450_hz_in_their_cadences() {
        let ringing = heard(&ringback());
        assert_eq!(ringing.len(), 40_000);
        assert!(share_at(450.0, &ringing[..8_000]) > 0.98);
        assert!(level(&ringing[8_000..]) < 10.0, "4 s of silence");
        let busy = heard(&busy());
        assert_eq!(busy.len(), 7 * 5_600);
        for period in busy.chunks_exact(5_600) {
            assert!(share_at(450.0, &period[..2_800]) > 0.98);
            assert!(level(&period[..2_800]) > 2_000.0);
            assert!(level(&period[2_800..]) < 10.0);
        }
    }

    #[test]
    fn the_music_is_no_tone_never_silent_for_long_and_not_too_loud() {
        let music = heard(&hold_music());
        assert_eq!(music.len(), 32 * 4_800);
        let twice = [&music[..], &music[..]].concat();
        for second in twice.chunks_exact(8_000) {
            assert!(level(second) > 100.0);
            assert!(share_at(450.0, second) < 0.5);
        }
        assert!(music.iter().all(|sample| sample.unsigned_abs() < 20_000));
        let seam = (i32::from(music[0]) - i32::from(*music.last().unwrap_or(&0))).abs();
        assert!(seam < 2_000, "its end leads into its beginning: {seam}");
    }
}
