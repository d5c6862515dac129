//! Every sound that the fake network makes, computed once and encoded in both laws.

use std::f32::consts::TAU;
use std::sync::Arc;

use crate::dice::Dice;
use crate::g711::{Law, RATE_HZ};

/// Milliseconds that a key is held down.
pub(crate) const KEY_MS: u32 = 100;

/// Audio that is ready to be sent.
#[derive(Debug, Clone)]
pub(crate) struct Sound {
    a_law: Arc<[u8]>,
    u_law: Arc<[u8]>,
}

impl Sound {
    fn new(samples: &[f32]) -> Self {
        let encode = |law: Law| samples.iter().map(|&sample| law.encode(sample as i16)).collect();
        Self { a_law: encode(Law::Pcma), u_law: encode(Law::Pcmu) }
    }

    pub(crate) fn bytes(&self, law: Law) -> &[u8] {
        match law {
            Law::Pcma => &self.a_law,
            Law::Pcmu => &self.u_law,
        }
    }
}

/// The network's repertoire.
#[derive(Debug)]
pub(crate) struct Sounds {
    /// A quiet room, to be repeated.
    pub(crate) room: Sound,
    /// Ringback as in China: 450 Hz, 1 s on, 4 s off; to be repeated.
    pub(crate) ringback: Sound,
    /// Somebody says hello.
    pub(crate) hello: Sound,
    /// A machine's announcement and its beep.
    pub(crate) greeting: Sound,
}

impl Sounds {
    pub(crate) fn new() -> Self {
        let mut ringback = tone(&[450.0], 1_000, 8_000.0);
        ringback.extend(silence(4_000));
        let mut hello = silence(300);
        hello.extend(voice(500));
        let mut greeting = silence(400);
        greeting.extend(voice(3_200));
        greeting.extend(silence(400));
        greeting.extend(tone(&[1_000.0], 500, 9_000.0));
        Self {
            room: Sound::new(&room(1_000)),
            ringback: Sound::new(&ringback),
            hello: Sound::new(&hello),
            greeting: Sound::new(&greeting),
        }
    }
}

/// The two tones of a key (ITU-T Q.23), with the pause that must follow (Q.24); `None` if there is
/// no such key.
pub(crate) fn key(key: char) -> Option<Sound> {
    const ROWS: [f32; 4] = [697.0, 770.0, 852.0, 941.0];
    const COLUMNS: [f32; 4] = [1209.0, 1336.0, 1477.0, 1633.0];
    let at = "123A456B789C*0#D".find(key.to_ascii_uppercase())?;
    let mut samples = tone(&[ROWS[at / 4], COLUMNS[at % 4]], KEY_MS, 7_000.0);
    samples.extend(silence(60));
    Some(Sound::new(&samples))
}

fn samples_of(ms: u32) -> usize {
    (ms * RATE_HZ / 1_000) as usize
}

fn silence(ms: u32) -> Vec<f32> {
    vec![0.0; samples_of(ms)]
}

/// Sines of equal strength, faded in and out over 4 ms against clicks.
fn tone(frequencies_hz: &[f32], ms: u32, amplitude: f32) -> Vec<f32> {
    let (length, fade) = (samples_of(ms), samples_of(4));
    (0..length)
        .map(|at| {
            let edge = (at.min(length - 1 - at) as f32 / fade as f32).min(1.0);
            let seconds = at as f32 / RATE_HZ as f32;
            let sum: f32 = frequencies_hz.iter().map(|hz| (TAU * hz * seconds).sin()).sum();
            sum * amplitude * edge
        })
        .collect()
}

/// Not words, but what a detector takes for a voice: a buzz of 130 Hz through a moving formant, in
/// syllables of 250 ms.
fn voice(ms: u32) -> Vec<f32> {
    (0..samples_of(ms))
        .map(|at| {
            let seconds = at as f32 / RATE_HZ as f32;
            let formant_hz = 600.0 + 250.0 * (TAU * 1.7 * seconds).sin();
            let buzz: f32 = (1..=20_u8)
                .map(|harmonic| {
                    let hz = 130.0 * f32::from(harmonic);
                    let weight = (-((hz - formant_hz) / 400.0).powi(2)).exp() + 0.1;
                    weight * (TAU * hz * seconds).sin()
                })
                .sum();
            let syllable = (TAU * 2.0 * seconds).sin().abs().sqrt();
            buzz * syllable * 2_500.0
        })
        .collect()
}

/// Noise at about −68 dB of full scale.
fn room(ms: u32) -> Vec<f32> {
    let mut dice = Dice::new(0, "room");
    (0..samples_of(ms)).map(|_| f32::from(dice.next_u16() % 49) - 24.0).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a missing sound is a failed test")]
    use super::*;

    /// Power of one frequency, by Goertzel's recurrence.
    fn power(samples: &[i16], hz: f32) -> f32 {
        let factor = 2.0 * (TAU * hz / RATE_HZ as f32).cos();
        let (mut a, mut b) = (0.0, 0.0);
        for &sample in samples {
            (a, b) = (f32::from(sample) + factor * a - b, a);
        }
        (a * a + b * b - factor * a * b) / (samples.len() as f32).powi(2)
    }

    fn decoded(sound: &Sound, law: Law) -> Vec<i16> {
        sound.bytes(law).iter().map(|&byte| law.decode(byte)).collect()
    }

    #[test]
    fn a_key_is_its_two_tones_and_no_other() {
        let all = [697.0, 770.0, 852.0, 941.0, 1209.0, 1336.0, 1477.0, 1633.0];
        for (pressed, tones) in [
            ('1', [697.0, 1209.0]),
            ('#', [941.0, 1477.0]),
            ('0', [941.0, 1336.0]),
            ('d', [941.0, 1633.0]),
        ] {
            for law in [Law::Pcma, Law::Pcmu] {
                let samples = decoded(&key(pressed).unwrap(), law);
                let mut strongest = all;
                strongest.sort_by(|a, b| {
                    power(&samples[..800], *b).total_cmp(&power(&samples[..800], *a))
                });
                let mut two = [strongest[0], strongest[1]];
                two.sort_by(f32::total_cmp);
                assert_eq!(two, tones, "{pressed}");
                assert!(
                    power(&samples[..800], two[0]) > 50.0 * power(&samples[..800], strongest[2])
                );
            }
        }
        assert!(key('x').is_none());
    }

    #[test]
    fn ringback_has_its_cadence() {
        let samples = decoded(&Sounds::new().ringback, Law::Pcma);
        assert_eq!(samples.len(), 40_000);
        assert!(power(&samples[..8_000], 450.0) > 1e6);
        assert!(samples[8_000..].iter().all(|sample| sample.unsigned_abs() <= 8));
    }

    #[test]
    fn voices_are_loud_and_the_room_is_not() {
        let sounds = Sounds::new();
        let peak = |sound: &Sound| {
            decoded(sound, Law::Pcmu).iter().map(|s| s.unsigned_abs()).max().unwrap()
        };
        assert!(
            peak(&sounds.hello) > 4_000 && peak(&sounds.hello) < 30_000,
            "{}",
            peak(&sounds.hello)
        );
        assert!(peak(&sounds.greeting) > 4_000);
        assert!(peak(&sounds.room) < 40);
    }
}
