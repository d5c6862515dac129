//! ITU-T G.711 encoding, by the arithmetic of the reference code in ITU-T G.191.
//!
//! audio-codec's A-law encoder takes negative samples half a step too high, which is audible as a
//! rougher noise floor in quiet speech; recordings are encoded once and heard often.

/// A-law: 13 bits with sign, even bits inverted.
pub(crate) fn alaw(sample: i16) -> u8 {
    let (sign, magnitude) = match sample {
        0.. => (0x80, sample as u16 >> 4),
        _ => (0x00, !sample as u16 >> 4),
    };
    let code = match magnitude {
        0..32 => magnitude,
        _ => {
            let exponent = magnitude.ilog2() - 3;
            ((exponent as u16) << 4) | ((magnitude >> (exponent - 1)) & 0x0F)
        }
    };
    (code as u8 | sign) ^ 0x55
}

/// µ-law: 14 bits with sign, all bits inverted.
pub(crate) fn ulaw(sample: i16) -> u8 {
    const BIAS: u16 = 33;
    const LARGEST: u16 = 0x1FFF;
    let (sign, magnitude) = match sample {
        0.. => (0x80, sample as u16 >> 2),
        _ => (0x00, !sample as u16 >> 2),
    };
    let biased = (magnitude + BIAS).min(LARGEST);
    let segment = biased.ilog2() - 4;
    let code = ((segment as u16 - 1) << 4) | ((biased >> segment) & 0x0F);
    (!(code as u8) & 0x7F) | sign
}

#[cfg(test)]
mod tests {
    use audio_codec::Decoder;
    use audio_codec::pcma::PcmaDecoder;
    use audio_codec::pcmu::PcmuDecoder;

    use super::*;

    fn check(encode: impl Fn(i16) -> u8, mut decoder: impl Decoder) {
        let mut decode = |code: u8| decoder.decode(&[code])[0];
        for code in 0..=255_u8 {
            let value = decode(code);
            // µ-law has two codes for 0.
            assert!(encode(value) == code || value == 0, "{code:#x} came back otherwise");
        }
        let mut last = 0;
        for sample in 0..=i16::MAX {
            let code = encode(sample);
            assert_eq!(encode(!sample), code ^ 0x80, "{sample}: the halves differ");
            let value = decode(code);
            assert!(value >= last, "{sample}: quieter than the sample before");
            last = value;
            // Half a step of the coarser law: 1/32 of the value and µ-law's bias; it ends at 32124.
            let miss = (i32::from(sample) - i32::from(value)).abs();
            let half_step = (i32::from(sample) + 132) / 32 + 4;
            assert!(miss <= half_step, "{sample} became {value}");
        }
    }

    #[test]
    fn both_laws_are_exact_and_even() {
        check(alaw, PcmaDecoder::new());
        check(ulaw, PcmuDecoder::new());
    }

    #[test]
    fn silence_is_the_usual_byte() {
        assert_eq!((alaw(0), ulaw(0)), (0xD5, 0xFF));
        assert_eq!((alaw(-1), ulaw(-1)), (0x55, 0x7F));
        assert_eq!((alaw(i16::MAX), ulaw(i16::MAX)), (0xAA, 0x80));
        assert_eq!((alaw(i16::MIN), ulaw(i16::MIN)), (0x2A, 0x00));
    }
}
