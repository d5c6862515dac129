//! Importing recordings of every common kind, and of hostile kinds.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::f64::consts::PI;
use std::io::Cursor;

use proptest::prelude::*;
use yunling_assets::{AudioError, Imported, import_wav};

/// One second of a 1 kHz tone, full scale 1, written by an independent library.
fn tone(rate_hz: u32, channels: u16, bits: u16, float: bool, amplitude: f64) -> Vec<u8> {
    let spec = hound::WavSpec {
        channels,
        sample_rate: rate_hz,
        bits_per_sample: bits,
        sample_format: if float { hound::SampleFormat::Float } else { hound::SampleFormat::Int },
    };
    let mut file = Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut file, spec).unwrap();
    for n in 0..rate_hz {
        let sample = amplitude * (2.0 * PI * 1000.0 * f64::from(n) / f64::from(rate_hz)).sin();
        for _ in 0..channels {
            if float {
                writer.write_sample(sample as f32).unwrap();
            } else {
                let scale = f64::from(1_u32 << (bits - 1)) - 1.0;
                writer.write_sample((sample * scale).round() as i32).unwrap();
            }
        }
    }
    writer.finalize().unwrap();
    file.into_inner()
}

/// The level of 1 kHz in dBFS of a sine, by Goertzel's method, and the level of everything else.
fn heard_db(samples: &[i16]) -> (f64, f64) {
    let inner = &samples[800..samples.len() - 800];
    let coefficient = 2.0 * (2.0 * PI * 1000.0 / 8000.0).cos();
    let (mut s1, mut s2, mut power) = (0.0, 0.0, 0.0);
    for &sample in inner {
        let sample = f64::from(sample) / 32_768.0;
        power += sample * sample;
        (s1, s2) = (sample + coefficient * s1 - s2, s1);
    }
    let length = inner.len() as f64;
    let tone = 2.0 * (s1 * s1 + s2 * s2 - coefficient * s1 * s2) / (length * length);
    let rest = (power / length - tone).max(1e-12);
    (10.0 * (2.0 * tone).log10(), 10.0 * (2.0 * rest).log10())
}

/// -20 dBFS of mean power is a sine of this amplitude.
const USUAL: f64 = 0.141_42;

#[test]
fn every_common_rate_and_width_sounds_the_same() {
    for rate_hz in [8000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000] {
        for (bits, float) in [(8, false), (16, false), (24, false), (32, false), (32, true)] {
            for channels in [1, 2] {
                let what = format!("{rate_hz} Hz, {bits} bits, {channels} channels, float {float}");
                let wav = tone(rate_hz, channels, bits, float, USUAL);
                let imported = import_wav(&wav).unwrap();
                let (tone_db, rest_db) = heard_db(&imported.samples_8k);
                assert!((tone_db + 17.0).abs() < 0.3, "{what}: {tone_db:.2} dB");
                // 8 bits cannot be cleaner than their own steps.
                let noise_db = if bits == 8 { -48.0 } else { -65.0 };
                assert!(rest_db < noise_db, "{what}: noise of {rest_db:.1} dB");
                assert_eq!(imported.samples_8k.len(), 8000, "{what}");
                assert_eq!(imported.duration_ms, 1000, "{what}");
                assert_eq!(imported.original_rate_hz, rate_hz, "{what}");
                assert_eq!(imported.channels, channels, "{what}");
                assert_eq!(imported.alaw.len(), 8000, "{what}");
                assert_eq!(imported.ulaw.len(), 8000, "{what}");
                assert_eq!(imported.warnings, [""; 0], "{what}");
            }
        }
    }
}

#[test]
fn levels_are_mended_or_warned_about() {
    // amplitude, speech level as it came, gain, words of the warnings
    let cases: [(f64, f32, f32, &[&str]); 7] = [
        (USUAL, -20.0, 0.0, &[]),
        (0.11, -22.2, 0.0, &[]),
        (0.5, -9.0, -11.0, &["lowered by 11 dB"]),
        (0.02, -37.0, 17.0, &["raised by 17 dB"]),
        (0.004, -51.0, 20.0, &["could not be brought"]),
        (0.0, -120.0, 0.0, &["silent"]),
        (3.0, 6.5, -26.5, &["distorted", "lowered by"]),
    ];
    for (amplitude, active_dbfs, gain_db, words) in cases {
        let imported = import_wav(&tone(16_000, 1, 32, true, amplitude)).unwrap();
        assert!((imported.active_dbfs - active_dbfs).abs() < 0.3, "{}", imported.active_dbfs);
        assert!((imported.gain_db - gain_db).abs() < 0.3, "{amplitude}: {}", imported.gain_db);
        assert_eq!(imported.warnings.len(), words.len(), "{:?}", imported.warnings);
        for (warning, word) in imported.warnings.iter().zip(words) {
            assert!(warning.contains(word), "{warning}");
        }
    }
}

#[test]
fn peaks_limit_how_far_a_recording_is_raised() {
    // Quiet speech with one loud knock: raising it by 17 dB would break the knock.
    let mut samples = vec![0.02_f32; 16_000];
    samples[8000] = 0.5;
    let imported = import_wav(&wav(3, 1, 16_000, 32, &float_bytes(&samples))).unwrap();
    assert!((imported.gain_db - 5.0).abs() < 0.2, "{}", imported.gain_db);
    assert!(imported.warnings[0].contains("could not be brought"));
}

fn float_bytes(samples: &[f32]) -> Vec<u8> {
    samples.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

/// A WAV file with the fields as given, right or wrong.
fn wav(format: u16, channels: u16, rate_hz: u32, bits: u16, data: &[u8]) -> Vec<u8> {
    let align = channels.wrapping_mul(bits / 8);
    let mut wav = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0".to_vec();
    wav.extend_from_slice(&format.to_le_bytes());
    wav.extend_from_slice(&channels.to_le_bytes());
    wav.extend_from_slice(&rate_hz.to_le_bytes());
    wav.extend_from_slice(&rate_hz.wrapping_mul(align.into()).to_le_bytes());
    wav.extend_from_slice(&align.to_le_bytes());
    wav.extend_from_slice(&bits.to_le_bytes());
    wav.extend_from_slice(b"data");
    wav.extend_from_slice(&(data.len() as u32).to_le_bytes());
    wav.extend_from_slice(data);
    wav
}

#[test]
fn companded_files_are_taken() {
    let original = import_wav(&tone(8000, 1, 16, false, USUAL)).unwrap();
    for (format, data) in [(6, &original.alaw), (7, &original.ulaw)] {
        let imported = import_wav(&wav(format, 1, 8000, 8, data)).unwrap();
        let (tone_db, rest_db) = heard_db(&imported.samples_8k);
        assert!((tone_db + 17.0).abs() < 0.3, "{tone_db}");
        assert!(rest_db < -50.0, "{rest_db}");
        // Encoded again, nothing changes: the codes are where they were.
        let again: &Imported = &imported;
        let same = if format == 6 { &again.alaw } else { &again.ulaw };
        assert_eq!(&same[..], &data[..]);
    }
}

#[test]
fn lengths_of_streams_and_strange_chunks_are_understood() {
    let good = tone(8000, 1, 16, false, USUAL);
    let at = good.windows(4).position(|four| four == b"data").unwrap();

    let mut streamed = good.clone();
    streamed[at + 4..at + 8].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(import_wav(&streamed).unwrap().duration_ms, 1000);

    let mut with_list = good[..at].to_vec();
    with_list.extend_from_slice(b"LIST\x03\0\0\0abc\0");
    with_list.extend_from_slice(&good[at..]);
    with_list.extend_from_slice(b"junk\xFF\xFF\xFF\x7Fafter the data nothing matters");
    assert_eq!(import_wav(&with_list).unwrap().duration_ms, 1000);
}

#[test]
fn bad_files_are_refused_with_the_reason() {
    let good = tone(8000, 1, 16, false, USUAL);
    let at = good.windows(4).position(|four| four == b"data").unwrap();
    let mut data_first = good[..12].to_vec();
    data_first.extend_from_slice(&good[at..]);
    let mut bad_align = good.clone();
    bad_align[32] = 7;
    let extensible = [&wav(0xFFFE, 1, 8000, 16, &[0; 4])[..]].concat();
    let long = vec![0_u8; 601 * 8000];
    let truncated = |what, declared, present| AudioError::Truncated { what, declared, present };
    let coding = |format, bits| AudioError::UnsupportedCoding { format, bits };
    let cases: Vec<(&str, Vec<u8>, AudioError)> = vec![
        ("nothing", vec![], AudioError::NotWav),
        ("mp3", b"ID3\x03\0\0\0\0\0\0\0\0\0\0".to_vec(), AudioError::NotWav),
        ("big endian", [b"RIFX", &good[4..]].concat(), AudioError::NotWav),
        ("header only", good[..12].to_vec(), AudioError::NoChunk("fmt ")),
        ("no data chunk", good[..at].to_vec(), AudioError::NoChunk("data")),
        ("data before fmt", data_first, AudioError::NoChunk("fmt ")),
        ("short fmt", good[..26].to_vec(), truncated("fmt chunk", 16, 6)),
        ("cut short", good[..at + 108].to_vec(), truncated("data", 16_000, 100)),
        ("no samples", wav(1, 1, 8000, 16, &[]), AudioError::Empty),
        ("half a sample", wav(1, 1, 8000, 16, &[1]), AudioError::Empty),
        ("no channels", wav(1, 0, 8000, 16, &[0; 8]), AudioError::UnsupportedChannels(0)),
        ("surround", wav(1, 6, 8000, 16, &[0; 24]), AudioError::UnsupportedChannels(6)),
        ("rate 0", wav(1, 1, 0, 16, &[0; 8]), AudioError::UnsupportedRate(0)),
        ("rate too high", wav(1, 1, 96_000, 16, &[0; 8]), AudioError::UnsupportedRate(96_000)),
        ("rate too low", wav(1, 1, 7999, 16, &[0; 8]), AudioError::UnsupportedRate(7999)),
        ("12 bits", wav(1, 1, 8000, 12, &[0; 8]), coding(1, 12)),
        ("0 bits", wav(1, 1, 8000, 0, &[0; 8]), coding(1, 0)),
        ("GSM", wav(0x31, 1, 8000, 0, &[0; 65]), coding(0x31, 0)),
        ("ADPCM", wav(2, 1, 8000, 4, &[0; 8]), coding(2, 4)),
        ("block size", bad_align, AudioError::BadHeader("block size, channels and bits disagree")),
        (
            "extended format missing",
            extensible,
            AudioError::BadHeader("the extended format is missing"),
        ),
        ("too long", wav(1, 1, 8000, 8, &long), AudioError::TooLong { found_s: 601, limit_s: 600 }),
    ];
    for (what, file, expected) in cases {
        assert_eq!(import_wav(&file).unwrap_err(), expected, "{what}");
    }
}

#[test]
fn a_claimed_length_allocates_nothing() {
    let mut lying = wav(1, 2, 48_000, 16, &[0; 4]);
    lying[40..44].copy_from_slice(&0xFFFF_FFF0_u32.to_le_bytes());
    let error = import_wav(&lying).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the WAV file is cut short: its data should have 4294967280 bytes, 4 are there"
    );
}

#[test]
fn floats_that_are_no_numbers_are_silence() {
    let samples = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30, -1e30, 0.1];
    let data = float_bytes(&samples.repeat(1000));
    let imported = import_wav(&wav(3, 1, 8000, 32, &data)).unwrap();
    assert!(imported.active_dbfs.is_finite() && imported.gain_db.is_finite());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = import_wav(&bytes);
        let _ = import_wav(&[b"RIFF\0\0\0\0WAVE", &bytes[..]].concat());
    }

    #[test]
    fn random_headers_never_panic(
        format in prop_oneof![Just(1_u16), Just(3), Just(6), Just(7), Just(0xFFFE), any::<u16>()],
        channels in 0_u16..4,
        rate_hz in prop_oneof![7990_u32..48_010, any::<u32>()],
        bits in prop_oneof![Just(8_u16), Just(16), Just(24), Just(32), Just(64), any::<u16>()],
        data in proptest::collection::vec(any::<u8>(), 0..400),
    ) {
        if let Ok(imported) = import_wav(&wav(format, channels, rate_hz, bits, &data)) {
            prop_assert_eq!(imported.alaw.len(), imported.ulaw.len());
            prop_assert_eq!(imported.alaw.len(), imported.samples_8k.len());
            prop_assert!(imported.samples_8k.len() <= data.len());
        }
    }

    #[test]
    fn damaged_files_never_panic(cut in 0_usize..16_100, at in 0_usize..60, byte in any::<u8>()) {
        let mut file = tone(8000, 1, 16, false, USUAL);
        file.truncate(cut);
        if let Some(place) = file.get_mut(at) {
            *place = byte;
        }
        let _ = import_wav(&file);
    }
}
