//! A telephone's own tone. It is a function of the network's time, sample by sample, so that what
//! two telephones say at one moment can be compared wherever it is heard.

use std::f64::consts::TAU;

use crate::g711::RATE_HZ;

/// Loud enough to be found under two others, low enough that three together do not clip.
const AMPLITUDE: f64 = 6_000.0;

/// A tone, steady or in beats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Voice {
    /// Its frequency.
    pub(crate) hz: u16,
    /// Samples that it lasts, and then pauses; 0: it never pauses.
    pub(crate) beat: u64,
}

impl Voice {
    /// A tone of `beat_ms` on and off.
    pub(crate) fn new(hz: u16, beat_ms: Option<u16>) -> Self {
        let beat = u64::from(beat_ms.unwrap_or(0)) * u64::from(RATE_HZ) / 1_000;
        Self { hz, beat }
    }

    /// The sample at a moment: samples since the network began.
    pub(crate) fn sample(self, at: u64) -> i16 {
        if self.beat > 0 && !(at / self.beat).is_multiple_of(2) {
            return 0;
        }
        // Whole seconds hold whole periods: the argument stays small and exact.
        let within = (at % u64::from(RATE_HZ)) as f64 / f64::from(RATE_HZ);
        (AMPLITUDE * (TAU * f64::from(self.hz) * within).sin()) as i16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_goes_on_through_the_seconds_and_stops_in_its_pauses() {
        let voice = Voice::new(610, None);
        let crossings =
            (7_000..15_000).filter(|at| voice.sample(*at) < 0 && voice.sample(at + 1) >= 0).count();
        assert!((609..=611).contains(&crossings), "{crossings} periods in a second");
        let beats = Voice::new(610, Some(500));
        assert!((0..4_000).any(|at| beats.sample(at) > 5_000));
        assert!((4_000..8_000).all(|at| beats.sample(at) == 0));
        assert_eq!(beats.sample(8_001), voice.sample(8_001));
    }
}
