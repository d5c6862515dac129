//! A recording as callees hear it, as a file that any computer plays.

use audio_codec::Decoder;
use audio_codec::pcma::PcmaDecoder;

use crate::encoded::TELEPHONE_RATE_HZ;

const BITS: u16 = 16;
const PCM: u16 = 1;

/// A WAV file, 8 kHz, 16 bits, mono, of what this A-law decodes to. Beyond 2 GiB, which no recording
/// reaches, its header's lengths end at their limit.
pub fn preview_wav(alaw: &[u8]) -> Vec<u8> {
    let samples: Vec<i16> = PcmaDecoder::new().decode(alaw);
    let bytes = u32::try_from(samples.len() * 2).unwrap_or(u32::MAX - 36);
    let frame_bytes = BITS / 8;
    let mut file = Vec::with_capacity(44 + samples.len() * 2);
    file.extend_from_slice(b"RIFF");
    file.extend_from_slice(&(36 + bytes).to_le_bytes());
    file.extend_from_slice(b"WAVEfmt ");
    file.extend_from_slice(&16_u32.to_le_bytes());
    file.extend_from_slice(&PCM.to_le_bytes());
    file.extend_from_slice(&1_u16.to_le_bytes());
    file.extend_from_slice(&TELEPHONE_RATE_HZ.to_le_bytes());
    file.extend_from_slice(&(TELEPHONE_RATE_HZ * u32::from(frame_bytes)).to_le_bytes());
    file.extend_from_slice(&frame_bytes.to_le_bytes());
    file.extend_from_slice(&BITS.to_le_bytes());
    file.extend_from_slice(b"data");
    file.extend_from_slice(&bytes.to_le_bytes());
    file.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    file
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::g711::alaw;

    #[test]
    fn other_libraries_read_it() {
        let samples: Vec<i16> = (0..800).map(|n| (n * 40 - 16_000) as i16).collect();
        let codes: Vec<u8> = samples.iter().map(|&sample| alaw(sample)).collect();
        let file = preview_wav(&codes);
        let mut reader = hound::WavReader::new(&file[..]).unwrap();
        let spec = reader.spec();
        assert_eq!((spec.channels, spec.sample_rate, spec.bits_per_sample), (1, 8000, 16));
        let read: Vec<i16> = reader.samples().map(Result::unwrap).collect();
        assert_eq!(read.len(), 800);
        for (heard, sample) in read.iter().zip(&samples) {
            assert!((i32::from(*heard) - i32::from(*sample)).abs() < 600, "{heard} {sample}");
        }
    }
}
