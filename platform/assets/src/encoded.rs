//! Recordings as the telephone carries them.

use std::sync::Arc;

use crate::g711;

/// The sample rate of G.711, in Hz: one byte a sample.
pub const TELEPHONE_RATE_HZ: u32 = 8000;

/// A recording in both G.711 laws (ITU-T G.711), ready to be sent; cheap to clone.
#[derive(Debug, Clone)]
pub struct Encoded {
    /// What it is called in timelines and logs: `zh/n12`, `prompt1.wav`.
    pub name: Arc<str>,
    /// A-law, 8000 bytes a second.
    pub alaw: Arc<[u8]>,
    /// µ-law, of the same length.
    pub ulaw: Arc<[u8]>,
}

impl Encoded {
    /// Encodes samples at 8 kHz.
    pub fn from_samples(name: impl Into<Arc<str>>, samples_8k: &[i16]) -> Self {
        Encoded {
            name: name.into(),
            alaw: samples_8k.iter().map(|&sample| g711::alaw(sample)).collect(),
            ulaw: samples_8k.iter().map(|&sample| g711::ulaw(sample)).collect(),
        }
    }

    /// How long it lasts, in ms, rounded up.
    pub fn duration_ms(&self) -> u64 {
        (self.alaw.len() as u64 * 1000).div_ceil(TELEPHONE_RATE_HZ.into())
    }
}

/// Rounds to 16 bits; what is beyond full scale stays at its limit.
pub(crate) fn to_i16(samples: &[f32]) -> Vec<i16> {
    // The cast saturates, which is what is wanted.
    samples.iter().map(|sample| (sample * 32_768.0).round() as i16).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duration_is_that_of_both_laws() {
        let encoded = Encoded::from_samples("x", &[0; 8001]);
        assert_eq!((encoded.alaw.len(), encoded.ulaw.len()), (8001, 8001));
        assert_eq!(encoded.duration_ms(), 1001);
    }

    #[test]
    fn out_of_range_is_clipped_not_wrapped() {
        assert_eq!(
            to_i16(&[2.0, -2.0, 1.0, -1.0, 0.0]),
            [i16::MAX, i16::MIN, i16::MAX, i16::MIN, 0]
        );
    }
}
