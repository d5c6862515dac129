//! What a test needs to judge sound: G.711 by its table's arithmetic, a studio's recordings at the
//! telephone's rate, and the likeness of two stretches. Nothing of it is shared with the product.

use std::ops::Range;
use std::path::Path;

/// The telephone's sample rate.
pub(crate) const RATE_HZ: usize = 8_000;

/// Samples of a packet of 20 ms.
const PACKET: usize = RATE_HZ / 50;

/// A law of G.711.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Law {
    Pcma,
    Pcmu,
}

impl Law {
    /// Samples of these codes (ITU-T G.711, tables 1 and 2, at 16 bits).
    pub(crate) fn decode(self, codes: &[u8]) -> Vec<i16> {
        codes.iter().map(|code| self.sample(*code)).collect()
    }

    /// The code that is nearest to this sample.
    pub(crate) fn code(self, sample: i16) -> u8 {
        let far = |code: &u8| self.sample(*code).abs_diff(sample);
        (0..=u8::MAX).min_by_key(far).expect("there are codes")
    }

    /// What a quiet line sounds like.
    pub(crate) fn silence(self) -> i16 {
        match self {
            Self::Pcma => self.sample(0xD5),
            Self::Pcmu => self.sample(0xFF),
        }
    }

    fn sample(self, code: u8) -> i16 {
        match self {
            Self::Pcma => {
                let code = code ^ 0x55;
                let (segment, step) = ((code >> 4) & 7, i16::from(code & 15));
                let magnitude = match segment {
                    0 => (step << 4) + 8,
                    _ => ((step << 4) + 0x108) << (segment - 1),
                };
                if code & 0x80 == 0 { -magnitude } else { magnitude }
            }
            Self::Pcmu => {
                let code = !code;
                let magnitude = ((i16::from(code & 15) << 3) + 0x84) << ((code >> 4) & 7);
                if code & 0x80 == 0 { magnitude - 0x84 } else { 0x84 - magnitude }
            }
        }
    }
}

/// Samples as numbers to reckon with.
pub(crate) fn floats(samples: &[i16]) -> Vec<f32> {
    samples.iter().map(|sample| f32::from(*sample)).collect()
}

/// The speech of a recording at 16 kHz as the telephone can carry it: half its rate, and without
/// the silence around it.
pub(crate) fn studio_recording(path: &Path) -> Vec<f32> {
    let mut reader = hound::WavReader::open(path).unwrap();
    assert_eq!((reader.spec().sample_rate, reader.spec().channels), (16_000, 1), "{path:?}");
    let samples: Vec<i16> = reader.samples().map(Result::unwrap).collect();
    loud_part(&halved(&floats(&samples)))
}

/// Every second sample, after a low pass at the new half rate (a windowed sinc of 63 taps).
fn halved(samples: &[f32]) -> Vec<f32> {
    const REACH: i32 = 31;
    let tap = |n: i32| {
        let x = n as f32 * std::f32::consts::FRAC_PI_2;
        let sinc = if n == 0 { 0.5 } else { x.sin() / (x * 2.0) };
        let turn = std::f32::consts::PI * n as f32 / (REACH + 1) as f32;
        sinc * (0.5 + 0.5 * turn.cos())
    };
    let taps: Vec<f32> = (-REACH..=REACH).map(tap).collect();
    let reach = REACH as usize;
    (0..samples.len())
        .step_by(2)
        .map(|at| {
            let from = at.saturating_sub(reach);
            let to = (at + reach + 1).min(samples.len());
            let taps = &taps[from + reach - at..];
            samples[from..to].iter().zip(taps).map(|(sample, tap)| sample * tap).sum()
        })
        .collect()
}

/// From the first to the last 10 ms that are within 30 dB of the loudest.
fn loud_part(samples: &[f32]) -> Vec<f32> {
    const FRAME: usize = RATE_HZ / 100;
    let energy = |frame: &[f32]| frame.iter().map(|sample| sample * sample).sum::<f32>();
    let energies: Vec<f32> = samples.chunks(FRAME).map(energy).collect();
    let least = energies.iter().copied().fold(0.0, f32::max) / 1_000.0;
    let first = energies.iter().position(|energy| *energy > least).unwrap_or(0);
    let last = energies.iter().rposition(|energy| *energy > least).unwrap_or(0);
    samples[first * FRAME..((last + 1) * FRAME).min(samples.len())].to_vec()
}

/// Where something was found, and how alike it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found {
    /// Its first sample's place.
    pub(crate) at: usize,
    /// Normalised cross-correlation, at most 1.
    pub(crate) likeness: f32,
}

/// The place within `starts` where `heard` is most like `wanted`.
pub(crate) fn find(wanted: &[f32], heard: &[f32], starts: Range<usize>) -> Found {
    let energy = |samples: &[f32]| samples.iter().map(|sample| sample * sample).sum::<f32>();
    let own = energy(wanted);
    let mut best = Found { at: starts.start, likeness: -1.0 };
    for at in starts {
        let Some(stretch) = heard.get(at..at + wanted.len()) else { break };
        let product: f32 = stretch.iter().zip(wanted).map(|(a, b)| a * b).sum();
        let likeness = product / (own * energy(stretch)).sqrt().max(f32::MIN_POSITIVE);
        if likeness > best.likeness {
            best = Found { at, likeness };
        }
    }
    best
}

/// How alike the two are where anything came: a packet that was lost is a run of one value.
pub(crate) fn likeness_of_what_came(wanted: &[f32], heard: &[f32]) -> f32 {
    const LOST: usize = RATE_HZ / 100;
    let mut came = vec![true; heard.len()];
    let mut from = 0;
    for run in heard.chunk_by(|a, b| a == b) {
        if run.len() >= LOST {
            came[from..from + run.len()].fill(false);
        }
        from += run.len();
    }
    let [mut product, mut own, mut other] = [0.0_f32; 3];
    for ((a, b), _) in wanted.iter().zip(heard).zip(came).filter(|(_, came)| *came) {
        (product, own, other) = (product + a * b, own + a * a, other + b * b);
    }
    product / (own * other).sqrt().max(f32::MIN_POSITIVE)
}

/// A place in a recording, for people.
pub(crate) fn seconds(samples: usize) -> String {
    format!("{:.3} s", samples as f64 / RATE_HZ as f64)
}

/// Reads a recording from its beginning: silence, and stretches whose every sample is known.
pub(crate) struct Listener<'a> {
    heard: &'a [i16],
    silence: i16,
    at: usize,
}

impl<'a> Listener<'a> {
    pub(crate) fn new(heard: &'a [i16], law: Law) -> Self {
        Self { heard, silence: law.silence(), at: 0 }
    }

    /// Where it stands.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// Passes over silence, and then has to hear all of `wanted`, sample by sample. Gives the place
    /// of its first sample.
    pub(crate) fn expect(&mut self, name: &str, wanted: &[i16]) -> usize {
        let (start, length) = self.common(name, wanted);
        assert!(
            length == wanted.len(),
            "{name}: heard as expected from {} on for {} of {}, then {:?} instead of {:?}",
            seconds(start),
            seconds(length),
            seconds(wanted.len()),
            self.heard[start + length..].iter().take(8).collect::<Vec<_>>(),
            wanted[length..].iter().take(8).collect::<Vec<_>>(),
        );
        self.at = start + length;
        start
    }

    /// Passes over silence, and then has to hear the beginning of `wanted`, which was cut between
    /// two packets. Gives the places of its first sample and of the first one after it.
    pub(crate) fn expect_cut(&mut self, name: &str, wanted: &[i16]) -> Range<usize> {
        let (start, length) = self.common(name, wanted);
        assert!(length < wanted.len(), "{name}: not cut, but heard as a whole");
        // What follows may go on alike for a few samples.
        self.at = (start + length) / PACKET * PACKET;
        assert!(self.at > start, "{name}: not heard at all");
        start..self.at
    }

    /// Only silence may be left.
    pub(crate) fn expect_end(&self) {
        let more = self.heard[self.at..].iter().position(|sample| *sample != self.silence);
        assert_eq!(more.map(|n| seconds(self.at + n)), None, "something is heard after the end");
    }

    /// How long what comes next is `wanted`, after silence: its start, and the samples in common.
    fn common(&self, name: &str, wanted: &[i16]) -> (usize, usize) {
        let loud = |sample: &i16| *sample != self.silence;
        let lead = wanted.iter().position(loud).expect("what is wanted is not silent");
        let quiet = self.heard[self.at..].iter().position(loud);
        let quiet = quiet.unwrap_or_else(|| panic!("{name}: nothing more is heard"));
        assert!(quiet >= lead, "{name}: begins too early, at {}", seconds(self.at + quiet));
        let start = self.at + quiet - lead;
        let pairs = self.heard[start..].iter().zip(wanted);
        (start, pairs.take_while(|(heard, wanted)| heard == wanted).count())
    }
}
