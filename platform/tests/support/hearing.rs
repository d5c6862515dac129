//! What a telephone heard, and when: tones by Goertzel's recurrence, packet by packet.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use super::sound::{Law, RATE_HZ};

/// A tone weaker than this was not meant: telephones speak with 6,000, prompts and tones with 4,500 or
/// more, music with less at these frequencies.
const AUDIBLE: f32 = 2_000.0;
/// Shorter than this it is a click's echo in the spectrum.
const SHORTEST_US: i64 = 60_000;
/// Shorter than this it is no pause: a packet may be late on a busy machine.
const PAUSE_US: i64 = 90_000;
/// A packet's length.
const PACKET_US: i64 = 20_000;

/// Everything that a telephone heard in a call.
#[derive(Debug, Default, Clone)]
pub(crate) struct Heard {
    packets: Vec<Packet>,
}

#[derive(Debug, Clone)]
struct Packet {
    /// Arrival, microseconds since the Unix epoch.
    at_us: i64,
    samples: Vec<i16>,
}

impl Heard {
    /// From the fake network's notes (switch/carrier-sim/src/notes.rs).
    pub(crate) fn read(notes: &Path, law: Law) -> Self {
        let text = std::fs::read_to_string(notes).unwrap();
        // The last line may not be whole yet.
        let lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        let packets = lines.map(|line| {
            let words: Vec<&str> = line.trim_end_matches('\n').split(' ').collect();
            let [at_us, _, _, payload] = words[..] else { panic!("a note is {line:?}") };
            let codes: Vec<u8> = (0..payload.len() / 2)
                .map(|at| u8::from_str_radix(&payload[2 * at..2 * at + 2], 16).unwrap())
                .collect();
            Packet { at_us: at_us.parse().unwrap(), samples: law.decode(&codes) }
        });
        Self { packets: packets.collect() }
    }

    /// One more packet.
    pub(crate) fn packet(&mut self, at_us: i64, samples: Vec<i16>) {
        self.packets.push(Packet { at_us, samples });
    }

    /// From when to when this tone was heard: microseconds since the Unix epoch.
    pub(crate) fn stretches(&self, hz: u16) -> Vec<Range<i64>> {
        let mut stretches: Vec<Range<i64>> = Vec::new();
        for packet in &self.packets {
            if amplitude(&packet.samples, hz) < AUDIBLE {
                continue;
            }
            match stretches.last_mut() {
                Some(last) if packet.at_us - last.end < PAUSE_US => {
                    last.end = packet.at_us + PACKET_US;
                }
                _ => stretches.push(packet.at_us..packet.at_us + PACKET_US),
            }
        }
        stretches.retain(|stretch| stretch.end - stretch.start >= SHORTEST_US);
        stretches
    }

    /// The only stretch of this tone.
    pub(crate) fn once(&self, name: &str, hz: u16) -> Range<i64> {
        let stretches = self.stretches(hz);
        let [one] = &stretches[..] else {
            panic!("{name}: {hz} Hz was heard {} times in {:?}", stretches.len(), self.summary())
        };
        one.clone()
    }

    /// Fails if this tone was heard at all.
    pub(crate) fn never(&self, name: &str, hz: u16) {
        let stretches = self.stretches(hz);
        assert!(stretches.is_empty(), "{name}: {hz} Hz was heard: {:?}", self.summary());
    }

    /// How loud it was between these times: the root of the mean square; 0 where nothing came.
    pub(crate) fn loudness(&self, between: &Range<i64>) -> f64 {
        let within = self.packets.iter().filter(|packet| between.contains(&packet.at_us));
        let samples: Vec<f64> =
            within.flat_map(|packet| &packet.samples).map(|sample| f64::from(*sample)).collect();
        let sum: f64 = samples.iter().map(|sample| sample * sample).sum();
        if samples.is_empty() { 0.0 } else { (sum / samples.len() as f64).sqrt() }
    }

    /// When the last packet came.
    pub(crate) fn last_us(&self) -> i64 {
        self.packets.last().map_or(0, |packet| packet.at_us)
    }

    /// Every tone of the tests that was heard, with its stretches in milliseconds since the first
    /// packet: for people.
    pub(crate) fn summary(&self) -> BTreeMap<u16, Vec<Range<i64>>> {
        let start = self.packets.first().map_or(0, |packet| packet.at_us);
        let ms = |at_us: i64| (at_us - start) / 1_000;
        (450..=3_050)
            .step_by(200)
            .map(|hz| {
                let stretches = self.stretches(hz).into_iter();
                (hz, stretches.map(|range| ms(range.start)..ms(range.end)).collect::<Vec<_>>())
            })
            .filter(|(_, stretches)| !stretches.is_empty())
            .collect()
    }
}

/// The amplitude of a tone in these samples; exact for whole periods.
pub(crate) fn amplitude(samples: &[i16], hz: u16) -> f32 {
    let angle = std::f32::consts::TAU * f32::from(hz) / RATE_HZ as f32;
    let factor = 2.0 * angle.cos();
    let (mut a, mut b) = (0.0_f32, 0.0_f32);
    for sample in samples {
        (a, b) = (f32::from(*sample) + factor * a - b, a);
    }
    let power = (a * a + b * b - factor * a * b).max(0.0);
    2.0 * power.sqrt() / samples.len().max(1) as f32
}
