//! G.711 (ITU-T G.711, tables 1 and 2), written from the standard: a fake network that borrowed
//! the engine's codec would share its faults.

use std::sync::LazyLock;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// Samples a second.
pub(crate) const RATE_HZ: u32 = 8_000;
/// Samples, and bytes, of a 20 ms frame.
pub(crate) const FRAME: usize = 160;

/// One of the two laws.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Law {
    /// A-law, RTP payload type 8
    Pcma,
    /// µ-law, RTP payload type 0
    Pcmu,
}

impl Law {
    /// The static payload type (RFC 3551 §6).
    pub(crate) const fn payload_type(self) -> u8 {
        match self {
            Self::Pcma => 8,
            Self::Pcmu => 0,
        }
    }

    /// The encoding name in SDP.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Pcma => "PCMA",
            Self::Pcmu => "PCMU",
        }
    }

    /// The 16-bit sample of one byte.
    pub(crate) fn decode(self, byte: u8) -> i16 {
        match self {
            Self::Pcma => DECODE_A[usize::from(byte)],
            Self::Pcmu => DECODE_U[usize::from(byte)],
        }
    }

    /// The byte whose sample is nearest.
    pub(crate) fn encode(self, sample: i16) -> u8 {
        let levels = match self {
            Self::Pcma => &*LEVELS_A,
            Self::Pcmu => &*LEVELS_U,
        };
        let above = levels.partition_point(|&(level, _)| level < sample);
        let candidates =
            [above.checked_sub(1).and_then(|below| levels.get(below)), levels.get(above)];
        candidates
            .into_iter()
            .flatten()
            .min_by_key(|(level, _)| level.abs_diff(sample))
            .map_or(0, |&(_, byte)| byte)
    }
}

static DECODE_A: [i16; 256] = table(true);
static DECODE_U: [i16; 256] = table(false);
static LEVELS_A: LazyLock<Vec<(i16, u8)>> = LazyLock::new(|| levels(&DECODE_A));
static LEVELS_U: LazyLock<Vec<(i16, u8)>> = LazyLock::new(|| levels(&DECODE_U));

const fn table(a_law: bool) -> [i16; 256] {
    let mut samples = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        samples[byte] = if a_law { expand_a(byte as u8) } else { expand_u(byte as u8) };
        byte += 1;
    }
    samples
}

/// Every level that a law knows, rising, with its byte.
fn levels(samples: &[i16; 256]) -> Vec<(i16, u8)> {
    let mut levels: Vec<_> = (0..=u8::MAX).map(|byte| (samples[usize::from(byte)], byte)).collect();
    // µ-law has two zeros; the positive one (0xFF, which sorts first by its key) is the usual.
    levels.sort_by_key(|&(level, byte)| (level, u8::MAX - byte));
    levels.dedup_by_key(|&mut (level, _)| level);
    levels
}

/// Even bits are inverted on the line; segment 0 and 1 share a step of 16 (in 16-bit scale).
const fn expand_a(byte: u8) -> i16 {
    let bits = byte ^ 0x55;
    let (segment, step) = ((bits >> 4) & 7, (bits & 15) as i16);
    let magnitude = match segment {
        0 => step * 16 + 8,
        _ => (step * 16 + 264) << (segment - 1),
    };
    if bits & 0x80 != 0 { magnitude } else { -magnitude }
}

/// All bits are inverted on the line; the bias of 132 makes every segment twice the last.
const fn expand_u(byte: u8) -> i16 {
    let bits = !byte;
    let (segment, step) = ((bits >> 4) & 7, (bits & 15) as i16);
    let magnitude = ((step * 8 + 132) << segment) - 132;
    if bits & 0x80 != 0 { -magnitude } else { magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_levels() {
        let cases = [
            (Law::Pcma, 0xD5, 8),
            (Law::Pcma, 0x55, -8),
            (Law::Pcma, 0xAA, 32_256),
            (Law::Pcma, 0x2A, -32_256),
            (Law::Pcmu, 0xFF, 0),
            (Law::Pcmu, 0x80, 32_124),
            (Law::Pcmu, 0x00, -32_124),
            (Law::Pcmu, 0xEF, 132),
        ];
        for (law, byte, sample) in cases {
            assert_eq!(law.decode(byte), sample, "{law:?} {byte:#x}");
        }
    }

    #[test]
    fn every_level_comes_back_and_between_levels_the_nearest() {
        for law in [Law::Pcma, Law::Pcmu] {
            for byte in 0..=u8::MAX {
                let sample = law.decode(byte);
                assert_eq!(law.decode(law.encode(sample)), sample, "{law:?} {byte:#x}");
            }
            for sample in i16::MIN..=i16::MAX {
                let error = law.decode(law.encode(sample)).abs_diff(sample);
                assert!(
                    u32::from(error) <= 16 + u32::from(sample.unsigned_abs()) / 30,
                    "{law:?} {sample}"
                );
            }
        }
    }

    #[test]
    fn silence_is_the_usual_byte() {
        assert_eq!((Law::Pcma.encode(0) & 0x7f, Law::Pcmu.encode(0)), (0x55, 0xFF));
    }
}
