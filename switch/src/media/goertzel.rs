//! Keys by their tones (ITU-T Q.23), found by Goertzel's algorithm within the limits of Q.24.

/// Samples of one look: 12.75 ms, so that the shortest tone that must be taken (40 ms) always holds
/// two whole looks, and the longest that must not (20 ms) never does.
const LOOK: usize = 102;

/// Hz, low group then high group.
const TONES_HZ: [f32; 8] = [697.0, 770.0, 852.0, 941.0, 1209.0, 1336.0, 1477.0, 1633.0];

const KEYS: [[char; 4]; 4] =
    [['1', '2', '3', 'A'], ['4', '5', '6', 'B'], ['7', '8', '9', 'C'], ['*', '0', '#', 'D']];

/// The weakest tone that counts: −30 dBm0 (Q.24: −25 dBm or less is taken everywhere), as the power
/// of a sine in 16-bit samples squared, where 3.17 dBm0 is full scale (32,256).
const WEAKEST: f32 = 251_000.0;

/// How much stronger the low tone may be: 8 dB and a margin for what a look loses of a tone that is
/// 1.5 % off.
const LOW_OVER_HIGH: f32 = 7.9;

/// How much stronger the high tone may be: 4 dB and the same margin.
const HIGH_OVER_LOW: f32 = 3.2;

/// How far the strongest tone of a group stands above the others: 8 dB.
const OVER_NEIGHBOURS: f32 = 6.3;

/// The share of all power that the two tones have: speech and music spread theirs. Two tones 1.5 %
/// off still have 0.8 in one look.
const SHARE: f32 = 0.7;

/// The share that lets a key that is held go on: a look with a gap of a few milliseconds.
const SHARE_HELD: f32 = 0.35;

/// How far a tone's power may differ between the two looks that make a key: 4 dB. A key's tones are
/// steady, a voice's are not.
const STEADY: f32 = 2.5;

/// Parts of a look that are compared with each other.
const PARTS: usize = 3;

/// How far the weakest part of a look may lie below the strongest. A tone that fills only part of
/// the look is not there yet, or gone; the beat of two tones (268 Hz at the least) makes 0.8.
const EVEN: f32 = 0.5;

/// Looks without a key that end it: 25 ms, within the shortest pause (40 ms).
const GAP_LOOKS: u8 = 2;

/// The detector for one leg.
#[derive(Debug, Clone)]
pub(super) struct KeyDetector {
    coefficients: [f32; 8],
    /// Goertzel's two delays for each tone.
    delays: [[f32; 2]; 8],
    /// Sum of squares, by parts of the look.
    energy: [f32; PARTS],
    samples: usize,
    /// What the last look showed, if no key is held.
    candidate: Option<Look>,
    held: Option<(usize, usize)>,
    gap: u8,
}

/// What one look shows: the strongest tone of each group.
#[derive(Debug, Clone, Copy)]
struct Look {
    low: usize,
    high: usize,
    low_power: f32,
    high_power: f32,
    /// Of all power.
    share: f32,
    /// The two keep every limit of a key.
    key: bool,
}

impl Look {
    /// The same tones, as strong as before.
    fn matches(&self, other: &Self) -> bool {
        let steady = |one: f32, two: f32| one <= two * STEADY && two <= one * STEADY;
        (self.low, self.high) == (other.low, other.high)
            && steady(self.low_power, other.low_power)
            && steady(self.high_power, other.high_power)
    }
}

impl KeyDetector {
    pub(super) fn new() -> Self {
        let coefficients = TONES_HZ.map(|hz| 2.0 * (std::f32::consts::TAU * hz / 8_000.0).cos());
        Self {
            coefficients,
            delays: [[0.0; 2]; 8],
            energy: [0.0; PARTS],
            samples: 0,
            candidate: None,
            held: None,
            gap: 0,
        }
    }

    /// Forgets what was heard.
    pub(super) fn reset(&mut self) {
        *self = Self { coefficients: self.coefficients, ..Self::new() };
    }

    /// Hears linear 16-bit samples; reports each key once, when it is certain.
    pub(super) fn feed(
        &mut self,
        samples: impl IntoIterator<Item = i16>,
        mut on_key: impl FnMut(char),
    ) {
        for sample in samples {
            let sample = f32::from(sample);
            self.energy[self.samples * PARTS / LOOK] += sample * sample;
            for (delay, coefficient) in self.delays.iter_mut().zip(self.coefficients) {
                *delay = [sample + coefficient * delay[0] - delay[1], delay[0]];
            }
            self.samples += 1;
            if self.samples == LOOK {
                let look = self.look();
                self.delays = [[0.0; 2]; 8];
                self.energy = [0.0; PARTS];
                self.samples = 0;
                if let Some(key) = self.judge(look) {
                    on_key(key);
                }
            }
        }
    }

    /// What the samples of this look show.
    fn look(&self) -> Look {
        let mut powers = [0.0; 8];
        for (power, (delay, coefficient)) in
            powers.iter_mut().zip(self.delays.iter().zip(self.coefficients))
        {
            let squared =
                delay[0] * delay[0] + delay[1] * delay[1] - coefficient * delay[0] * delay[1];
            // Of a sine with amplitude A this is (A·LOOK/2)²; its power is A²/2.
            *power = squared * 2.0 / (LOOK * LOOK) as f32;
        }
        let (low_group, high_group) = powers.split_at(4);
        let (low, high) = (strongest(low_group), strongest(high_group));
        let (low_power, high_power) = (low_group[low], high_group[high]);
        let total: f32 = self.energy.iter().sum();
        let share = (low_power + high_power) * LOOK as f32 / total.max(1.0);
        let weakest = self.energy.iter().copied().fold(f32::INFINITY, f32::min);
        let key = low_power >= WEAKEST
            && high_power >= WEAKEST
            && low_power <= high_power * LOW_OVER_HIGH
            && high_power <= low_power * HIGH_OVER_LOW
            && share >= SHARE
            && stands_out(low_group, low)
            && stands_out(high_group, high)
            && self.energy.iter().all(|part| weakest >= part * EVEN);
        Look { low, high, low_power, high_power, share, key }
    }

    fn judge(&mut self, look: Look) -> Option<char> {
        if let Some(held) = self.held {
            if (look.low, look.high) == held && look.share >= SHARE_HELD {
                self.gap = 0;
                return None;
            }
            self.gap += 1;
            if self.gap < GAP_LOOKS {
                return None;
            }
            self.held = None;
        }
        let before = std::mem::replace(&mut self.candidate, look.key.then_some(look))?;
        let look = self.candidate?;
        if !before.matches(&look) {
            return None;
        }
        self.candidate = None;
        self.held = Some((look.low, look.high));
        self.gap = 0;
        Some(KEYS[look.low][look.high])
    }
}

fn strongest(group: &[f32]) -> usize {
    let strongest = group.iter().enumerate().max_by(|one, other| one.1.total_cmp(other.1));
    strongest.map_or(0, |(tone, _)| tone)
}

fn stands_out(group: &[f32], tone: usize) -> bool {
    let rivals = group.iter().enumerate().filter(|(other, _)| *other != tone);
    rivals.map(|(_, power)| power).all(|power| power * OVER_NEIGHBOURS <= group[tone])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// dBm0 of a full-scale sine.
    const FULL_SCALE_DBM0: f32 = 3.17;

    fn amplitude(dbm0: f32) -> f32 {
        32_256.0 * 10f32.powf((dbm0 - FULL_SCALE_DBM0) / 20.0)
    }

    /// A stretch of a line: two tones (Hz, dBm0) for so many milliseconds.
    #[derive(Clone, Copy)]
    struct Stretch {
        low: (f32, f32),
        high: (f32, f32),
        ms: f32,
    }

    fn tone(key: char, dbm0: f32, ms: f32) -> Stretch {
        let at =
            (0..16).find(|n| KEYS[n / 4][n % 4] == key).unwrap_or_else(|| panic!("{key} is a key"));
        Stretch { low: (TONES_HZ[at / 4], dbm0), high: (TONES_HZ[4 + at % 4], dbm0), ms }
    }

    fn pause(ms: f32) -> Stretch {
        Stretch { low: (0.0, -200.0), high: (0.0, -200.0), ms }
    }

    fn synthesize(stretches: &[Stretch]) -> Vec<i16> {
        let mut samples = Vec::new();
        for stretch in stretches {
            let count = (stretch.ms * 8.0).round() as usize;
            let start = samples.len();
            for n in start..start + count {
                let sine = |(hz, dbm0): (f32, f32)| {
                    amplitude(dbm0) * (std::f32::consts::TAU * hz * n as f32 / 8_000.0).sin()
                };
                samples.push((sine(stretch.low) + sine(stretch.high)) as i16);
            }
        }
        samples
    }

    fn heard(samples: &[i16]) -> String {
        let mut keys = String::new();
        KeyDetector::new().feed(samples.iter().copied(), |key| keys.push(key));
        keys
    }

    /// At each offset of the tone against the looks.
    fn heard_at_all_offsets(stretches: &[Stretch]) -> Vec<String> {
        (0..LOOK)
            .step_by(3)
            .map(|offset| {
                let mut line = vec![pause(offset as f32 / 8.0)];
                line.extend_from_slice(stretches);
                line.push(pause(60.0));
                heard(&synthesize(&line))
            })
            .collect()
    }

    fn always(stretches: &[Stretch], keys: &str, name: &str) {
        for (offset, got) in heard_at_all_offsets(stretches).into_iter().enumerate() {
            assert_eq!(got, keys, "{name}, offset {}", offset * 3);
        }
    }

    #[test]
    fn every_key_is_known() {
        for key in KEYS.into_iter().flatten() {
            always(&[tone(key, -10.0, 60.0)], &key.to_string(), &format!("key {key}"));
        }
    }

    #[test]
    fn times_are_as_in_q24() {
        always(&[tone('5', -10.0, 40.0)], "5", "the shortest tone");
        always(&[tone('5', -10.0, 20.0)], "", "too short a tone");
        always(&[tone('5', -10.0, 3_000.0)], "5", "a long key is one");
        always(
            &[tone('5', -10.0, 40.0), pause(40.0), tone('5', -10.0, 40.0)],
            "55",
            "two presses with the shortest pause",
        );
        always(
            &[tone('5', -10.0, 60.0), pause(8.0), tone('5', -10.0, 60.0)],
            "5",
            "a gap in one press",
        );
        always(
            &[
                tone('1', -10.0, 50.0),
                pause(45.0),
                tone('9', -10.0, 50.0),
                pause(45.0),
                tone('#', -10.0, 50.0),
            ],
            "19#",
            "a number",
        );
    }

    #[test]
    fn levels_and_twist_are_as_in_q24() {
        always(&[tone('8', -2.9, 50.0)], "8", "loud");
        always(&[tone('8', -25.0, 50.0)], "8", "faint");
        always(&[tone('8', -40.0, 50.0)], "", "too faint");
        let twisted =
            |low: f32, high: f32| [Stretch { low: (852.0, low), high: (1336.0, high), ms: 50.0 }];
        always(&twisted(-8.0, -16.0), "8", "low 8 dB stronger");
        always(&twisted(-14.0, -10.0), "8", "high 4 dB stronger");
        always(&twisted(-8.0, -20.0), "", "low 12 dB stronger");
        always(&twisted(-18.0, -8.0), "", "high 10 dB stronger");
    }

    #[test]
    fn frequencies_may_be_off_by_a_little() {
        for key in KEYS.into_iter().flatten() {
            for off in [-0.015, 0.015] {
                let mut stretch = tone(key, -10.0, 50.0);
                stretch.low.0 *= 1.0 + off;
                stretch.high.0 *= 1.0 - off;
                always(&[stretch], &key.to_string(), &format!("key {key} off by {off}"));
            }
        }
        let between = Stretch { low: (811.0, -10.0), high: (1406.0, -10.0), ms: 100.0 };
        always(&[between], "", "half-way between the tones");
    }

    #[test]
    fn one_tone_is_no_key() {
        let single = |hz| [Stretch { low: (hz, -10.0), high: (0.0, -200.0), ms: 500.0 }];
        for hz in [350.0, 400.0, 440.0, 450.0, 697.0, 941.0, 1209.0, 1633.0, 2_100.0] {
            always(&single(hz), "", &format!("{hz} Hz"));
        }
    }

    #[test]
    fn noise_under_a_key_is_tolerated_and_alone_is_none() {
        // 15 dB below the key, from a fixed recurrence.
        let mut state = 1u32;
        let mut noise = |dbm0: f32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let unit = (state >> 8) as f32 / (1 << 23) as f32 - 1.0;
            unit * amplitude(dbm0) * 1.2
        };
        let mut key = synthesize(&[pause(20.0), tone('3', -10.0, 60.0), pause(60.0)]);
        for sample in &mut key {
            *sample = sample.saturating_add(noise(-22.0) as i16);
        }
        assert_eq!(heard(&key), "3");
        let alone: Vec<i16> = (0..80_000).map(|_| noise(-6.0) as i16).collect();
        assert_eq!(heard(&alone), "");
    }

    /// Speech has harmonics of one pitch; whichever of them fall on two tones, the others give it
    /// away.
    #[test]
    fn a_voice_is_no_key() {
        for pitch in 80..260 {
            let samples: Vec<i16> = (0..4_000)
                .map(|n| {
                    let t = n as f32 / 8_000.0;
                    let sum: f32 = (1..=(3_400 / pitch))
                        .map(|h| {
                            let hz = (h * pitch) as f32;
                            // Two broad formants.
                            let weight = 1.0 / (1.0 + ((hz - 700.0) / 200.0).powi(2))
                                + 0.6 / (1.0 + ((hz - 1_300.0) / 250.0).powi(2));
                            weight * (std::f32::consts::TAU * hz * t).sin()
                        })
                        .sum();
                    (sum * 4_000.0) as i16
                })
                .collect();
            assert_eq!(heard(&samples), "", "pitch {pitch} Hz");
        }
    }

    #[test]
    fn a_reset_forgets_a_key_that_is_held() {
        let line = synthesize(&[tone('5', -10.0, 51.0)]);
        let mut detector = KeyDetector::new();
        let mut keys = String::new();
        detector.feed(line.iter().copied(), |key| keys.push(key));
        detector.reset();
        detector.feed(line.iter().copied(), |key| keys.push(key));
        assert_eq!(keys, "55");
    }

    proptest! {
        #[test]
        fn anything_may_come(samples in prop::collection::vec(any::<i16>(), 0..3_000)) {
            prop_assert!(heard(&samples).len() <= samples.len() / LOOK);
        }
    }
}
