//! A conversation's recording as its customer downloads it, and when each side was heard in it.

use std::io::Cursor;
use std::ops::Range;

use super::hearing::amplitude;
use super::sound::RATE_HZ;

/// A tone in a recording is louder than this; telephones speak with 6,000.
const AUDIBLE: f32 = 2_500.0;
/// The windows in which a tone is looked for: 10 ms, every 2.5 ms.
const WINDOW: usize = RATE_HZ / 100;
const STEP: usize = RATE_HZ / 400;

/// Two channels: the caller's, and everybody else's.
pub(crate) struct Stereo {
    pub(crate) left: Vec<i16>,
    pub(crate) right: Vec<i16>,
}

impl Stereo {
    /// From the bytes of a WAV file, which has to be 8 kHz, 16 bits, two channels, and whole.
    pub(crate) fn read(file: &[u8]) -> Self {
        let mut reader =
            hound::WavReader::new(Cursor::new(file)).expect("a recording is a WAV file");
        let spec = reader.spec();
        assert_eq!(
            (usize::try_from(spec.sample_rate).unwrap(), spec.channels, spec.bits_per_sample),
            (RATE_HZ, 2, 16)
        );
        let samples: Vec<i16> = reader.samples().map(Result::unwrap).collect();
        let channel = |at: usize| samples.iter().copied().skip(at).step_by(2).collect();
        Self { left: channel(0), right: channel(1) }
    }

    /// Its length, milliseconds.
    pub(crate) fn ms(&self) -> usize {
        self.left.len() * 1_000 / RATE_HZ
    }
}

/// From which sample to which a tone is heard in a channel.
pub(crate) fn stretches(channel: &[i16], hz: u16) -> Vec<Range<usize>> {
    let mut stretches: Vec<Range<usize>> = Vec::new();
    for at in (0..channel.len().saturating_sub(WINDOW)).step_by(STEP) {
        if amplitude(&channel[at..at + WINDOW], hz) < AUDIBLE {
            continue;
        }
        // A window that is half full is as loud as this: its middle is the edge.
        let middle = at + WINDOW / 2;
        match stretches.last_mut() {
            Some(last) if middle - last.end <= STEP => last.end = middle,
            _ => stretches.push(middle..middle),
        }
    }
    stretches
}
