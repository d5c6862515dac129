//! G.711 to linear samples and from one law to the other, by table; and back.

use yunling_switch_contract::Codec;

const ALAW: [i16; 256] = table(Codec::Pcma);
const ULAW: [i16; 256] = table(Codec::Pcmu);

/// The 16-bit samples of a law, by their code.
pub(super) const fn linear(codec: Codec) -> &'static [i16; 256] {
    match codec {
        Codec::Pcma => &ALAW,
        Codec::Pcmu => &ULAW,
    }
}

/// The codes of one law in the other, by their code.
pub(super) const fn translation(from: Codec, to: Codec) -> &'static [u8; 256] {
    const SAME: [u8; 256] = translated(Codec::Pcma, Codec::Pcma);
    const TO_ULAW: [u8; 256] = translated(Codec::Pcma, Codec::Pcmu);
    const TO_ALAW: [u8; 256] = translated(Codec::Pcmu, Codec::Pcma);
    match (from, to) {
        (Codec::Pcma, Codec::Pcmu) => &TO_ULAW,
        (Codec::Pcmu, Codec::Pcma) => &TO_ALAW,
        (Codec::Pcma, Codec::Pcma) | (Codec::Pcmu, Codec::Pcmu) => &SAME,
    }
}

const fn translated(from: Codec, to: Codec) -> [u8; 256] {
    let mut codes = [0; 256];
    let mut code = 0;
    while code < 256 {
        codes[code] = match (from, to) {
            (Codec::Pcma, Codec::Pcmu) => encoded(ALAW[code], Codec::Pcmu),
            (Codec::Pcmu, Codec::Pcma) => encoded(ULAW[code], Codec::Pcma),
            _ => code as u8,
        };
        code += 1;
    }
    codes
}

/// A sample in a law.
pub(super) const fn encoded(sample: i16, codec: Codec) -> u8 {
    match codec {
        Codec::Pcma => encoded_alaw(sample),
        Codec::Pcmu => encoded_ulaw(sample),
    }
}

/// ITU-T G.711 table 1, the other way.
const fn encoded_alaw(sample: i16) -> u8 {
    let sign = if sample >= 0 { 0x80 } else { 0 };
    // 11 bits of magnitude; that of −1 is 0, as of 0.
    let magnitude = (if sample >= 0 { sample } else { !sample } as u16) >> 4;
    let segment = if magnitude < 16 { 0 } else { 12 - magnitude.leading_zeros() as u16 };
    let step = if segment == 0 { magnitude } else { magnitude >> (segment - 1) } & 0x0F;
    (sign | (segment << 4 | step) as u8) ^ 0x55
}

/// ITU-T G.711 table 2, the other way.
const fn encoded_ulaw(sample: i16) -> u8 {
    const BIAS: i32 = 33 << 2;
    const LOUDEST: i32 = 32_635;
    let sign = if sample >= 0 { 0 } else { 0x80 };
    let wide = sample as i32;
    let magnitude = if wide >= 0 { wide } else { -wide };
    let magnitude = if magnitude > LOUDEST { LOUDEST } else { magnitude } + BIAS;
    let segment = 24 - magnitude.leading_zeros() as i32;
    let step = (magnitude >> (segment + 3)) & 0x0F;
    !(sign | (segment << 4 | step) as u8)
}

const fn table(codec: Codec) -> [i16; 256] {
    let mut table = [0; 256];
    let mut code = 0;
    while code < 256 {
        table[code] = match codec {
            Codec::Pcma => alaw(code as u8),
            Codec::Pcmu => ulaw(code as u8),
        };
        code += 1;
    }
    table
}

/// ITU-T G.711 table 1: even bits inverted, three bits of segment, four of step; 13 bits, scaled
/// to 16.
const fn alaw(code: u8) -> i16 {
    let code = code ^ 0x55;
    let segment = (code & 0x70) >> 4;
    let step = ((code & 0x0F) as i16) << 4;
    let magnitude = match segment {
        0 => step + 8,
        _ => (step + 0x108) << (segment - 1),
    };
    if code & 0x80 != 0 { magnitude } else { -magnitude }
}

/// ITU-T G.711 table 2: all bits inverted, a bias of 33 in 14 bits; scaled to 16.
const fn ulaw(code: u8) -> i16 {
    const BIAS: i16 = 33 << 2;
    let code = !code;
    let step = ((code & 0x0F) as i16) << 3;
    let magnitude = ((step + BIAS) << ((code & 0x70) >> 4)) - BIAS;
    if code & 0x80 != 0 { -magnitude } else { magnitude }
}

#[cfg(test)]
mod tests {
    use audio_codec::Decoder as _;

    use super::*;

    #[test]
    fn both_laws_agree_with_another_implementation() {
        let codes: Vec<u8> = (0..=255).collect();
        assert_eq!(linear(Codec::Pcma)[..], audio_codec::pcma::PcmaDecoder::new().decode(&codes));
        assert_eq!(linear(Codec::Pcmu)[..], audio_codec::pcmu::PcmuDecoder::new().decode(&codes));
    }

    #[test]
    fn every_code_comes_back_as_it_was() {
        for codec in [Codec::Pcma, Codec::Pcmu] {
            for code in 0..=255_u8 {
                let sample = linear(codec)[usize::from(code)];
                let again = linear(codec)[usize::from(encoded(sample, codec))];
                assert_eq!(again, sample, "{codec} {code:#x}");
            }
        }
    }

    #[test]
    fn each_sample_takes_the_nearest_code_or_the_one_beside_it() {
        for codec in [Codec::Pcma, Codec::Pcmu] {
            for sample in i16::MIN..=i16::MAX {
                let heard = i32::from(linear(codec)[usize::from(encoded(sample, codec))]);
                // half of the largest step of its segment, and what lies beyond the loudest code
                let allowed =
                    i32::from(sample).abs() / 32 + 8 + (i32::from(sample).abs() - 32_124).max(0);
                let error = (heard - i32::from(sample)).abs();
                assert!(error <= allowed, "{codec} {sample}: {heard}");
            }
        }
    }

    #[test]
    fn a_law_is_translated_by_its_samples() {
        let codes = translation(Codec::Pcma, Codec::Pcmu);
        for code in 0..=255_u8 {
            let here = i32::from(linear(Codec::Pcma)[usize::from(code)]);
            let there = i32::from(linear(Codec::Pcmu)[usize::from(codes[usize::from(code)])]);
            assert!((here - there).abs() <= here.abs() / 16 + 8, "{code:#x}: {here} {there}");
        }
        assert_eq!(translation(Codec::Pcmu, Codec::Pcmu)[7], 7);
    }

    #[test]
    fn silence_is_silent() {
        for codec in [Codec::Pcma, Codec::Pcmu] {
            assert!(linear(codec)[usize::from(codec.silence())].abs() <= 8, "{codec}");
        }
    }
}
