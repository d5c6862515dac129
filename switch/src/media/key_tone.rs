//! Keys as their tones (ITU-T Q.23), for a peer that agreed to no telephone-event: what another one
//! presses is made audible, packet by packet. Pure.

use std::time::{Duration, Instant};

use yunling_switch_contract::{Codec, SAMPLE_RATE_HZ};

use super::g711;

/// Rows and columns of the keypad.
const LOW_HZ: [f32; 4] = [697.0, 770.0, 852.0, 941.0];
const HIGH_HZ: [f32; 4] = [1_209.0, 1_336.0, 1_477.0, 1_633.0];

/// Row and column of each event code: `0` to `9`, `*`, `#`, `A` to `D` (RFC 4733 §3.2).
const PLACES: [(usize, usize); 16] = [
    (3, 1),
    (0, 0),
    (0, 1),
    (0, 2),
    (1, 0),
    (1, 1),
    (1, 2),
    (2, 0),
    (2, 1),
    (2, 2),
    (3, 0),
    (3, 2),
    (0, 3),
    (1, 3),
    (2, 3),
    (3, 3),
];

/// Amplitudes: some −9 and −7 dBm0, the upper tone louder, as lines damp it more.
const LOW: f32 = 8_000.0;
const HIGH: f32 = 10_000.0;

/// Samples that one packet may add: 60 ms. A tone of which more was lost begins late.
const MOST: u16 = 480;

/// How far tones may run ahead of the time: a peer cannot have more of them sent than it could
/// speak.
const AHEAD: Duration = Duration::from_millis(100);

/// The key whose tone is under way.
#[derive(Debug, Default)]
pub(super) struct KeyTone {
    key: Option<Key>,
    /// When all that was made is over.
    over_at: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Key {
    code: u8,
    timestamp: u32,
    /// Samples that were made.
    made: u16,
}

/// What a packet adds to a key's tone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stretch {
    /// Samples between the key's beginning and it.
    pub(super) offset: u16,
    /// Its samples.
    pub(super) samples: u16,
}

impl KeyTone {
    /// Writes what an event packet adds to its key's tone into `frame`: nothing if it says nothing
    /// new, is no key, or comes faster than time passes.
    pub(super) fn extend(
        &mut self,
        timestamp: u32,
        event: &[u8],
        codec: Codec,
        frame: &mut [u8],
        now: Instant,
    ) -> Option<Stretch> {
        let &[code, _, high, low] = event.first_chunk::<4>()?;
        let (row, column) = *PLACES.get(usize::from(code))?;
        let duration = u16::from_be_bytes([high, low]);
        let made = match self.key {
            Some(key) if (key.code, key.timestamp) == (code, timestamp) => key.made,
            _ => 0,
        };
        let begin = self.over_at.filter(|over_at| *over_at > now).unwrap_or(now);
        if duration <= made || begin > now + AHEAD {
            return None;
        }
        let offset = made.max(duration.saturating_sub(MOST));
        let samples = (duration - offset).min(u16::try_from(frame.len()).unwrap_or(MOST));
        let tone = |hz: f32, sample: f32| {
            (std::f32::consts::TAU * hz * sample / SAMPLE_RATE_HZ as f32).sin()
        };
        for (at, place) in (offset..duration).zip(&mut frame[..usize::from(samples)]) {
            let sample = f32::from(at);
            let sum = LOW * tone(LOW_HZ[row], sample) + HIGH * tone(HIGH_HZ[column], sample);
            *place = g711::encoded(sum as i16, codec);
        }
        self.key = Some(Key { code, timestamp, made: offset + samples });
        let time_ms = u64::from(samples) * 1_000 / u64::from(SAMPLE_RATE_HZ);
        self.over_at = Some(begin + Duration::from_millis(time_ms));
        Some(Stretch { offset, samples })
    }
}

#[cfg(test)]
mod tests {
    use super::super::goertzel::KeyDetector;
    use super::*;

    fn event(code: u8, duration: u16) -> [u8; 4] {
        let [high, low] = duration.to_be_bytes();
        [code, 10, high, low]
    }

    #[test]
    fn each_key_is_heard_as_itself() {
        for (code, key) in (0..16).zip("0123456789*#ABCD".chars()) {
            let (mut tone, mut detector) = (KeyTone::default(), KeyDetector::new());
            let mut heard = String::new();
            let start = Instant::now();
            let silence = |detector: &mut KeyDetector, heard: &mut String| {
                detector.feed(std::iter::repeat_n(0, 800), |key| heard.push(key));
            };
            silence(&mut detector, &mut heard);
            for n in 1..=5 {
                let mut frame = [0; 480];
                let now = start + Duration::from_millis(20) * u32::from(n);
                let stretch = tone.extend(7, &event(code, n * 160), Codec::Pcmu, &mut frame, now);
                assert_eq!(stretch, Some(Stretch { offset: (n - 1) * 160, samples: 160 }));
                let linear = g711::linear(Codec::Pcmu);
                let samples = frame[..160].iter().map(|code| linear[usize::from(*code)]);
                detector.feed(samples, |key| heard.push(key));
            }
            silence(&mut detector, &mut heard);
            assert_eq!(heard, key.to_string());
        }
    }

    #[test]
    fn what_adds_nothing_makes_nothing() {
        let now = Instant::now();
        let mut tone = KeyTone::default();
        let mut frame = [0; 480];
        let mut extend = |timestamp, event: &[u8]| {
            let stretch = tone.extend(timestamp, event, Codec::Pcma, &mut frame, now);
            stretch.map(|stretch| (stretch.offset, stretch.samples))
        };
        assert_eq!(extend(1, &event(5, 0)), None);
        assert_eq!(extend(1, &event(5, 160)), Some((0, 160)));
        assert_eq!(extend(1, &event(5, 160)), None, "its end, sent again");
        assert_eq!(extend(1, &event(16, 160)), None, "not a key");
        assert_eq!(extend(1, &[5, 0]), None, "cut");
        assert_eq!(extend(2, &event(5, 1_000)), Some((520, 480)), "the beginning was lost");
        assert_eq!(extend(3, &event(5, u16::MAX)), Some((65_055, 480)), "the longest");
    }

    #[test]
    fn no_more_is_made_than_time_passes() {
        let now = Instant::now();
        let (mut tone, mut frame) = (KeyTone::default(), [0; 480]);
        let made: u16 = (0..1_000)
            .filter_map(|n| tone.extend(n, &event(1, 480), Codec::Pcma, &mut frame, now))
            .map(|stretch| stretch.samples)
            .sum();
        assert!(made <= 2 * 800, "{made}");
    }
}
