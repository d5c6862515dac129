//! G.711 to linear samples, by table.

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
    fn silence_is_silent() {
        for codec in [Codec::Pcma, Codec::Pcmu] {
            assert!(linear(codec)[usize::from(codec.silence())].abs() <= 8, "{codec}");
        }
    }
}
