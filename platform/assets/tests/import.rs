//! Importing recordings of every common kind, and of hostile kinds.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::f64::consts::PI;
use std::io::Cursor;

use proptest::prelude::*;
use yunling_assets::{AudioError, AudioFormat, ImportOptions, Imported, Level, Warning, import};

/// As recordings are taken in where nobody says otherwise.
fn taken(bytes: &[u8]) -> Result<Imported, AudioError> {
    import(bytes, ImportOptions::default())
}

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

/// A sine of 1 kHz of this amplitude has the loudness that recordings are brought to.
const USUAL: f64 = 0.141_42;

#[test]
fn every_common_rate_and_width_sounds_the_same() {
    for rate_hz in [8000, 11_025, 16_000, 44_100, 48_000, 96_000] {
        for (bits, float) in [(8, false), (16, false), (24, false), (32, false), (32, true)] {
            for channels in [1, 2] {
                let what = format!("{rate_hz} Hz, {bits} bits, {channels} channels, float {float}");
                let wav = tone(rate_hz, channels, bits, float, USUAL);
                let imported = taken(&wav).unwrap();
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
                let mixed = (channels > 1).then_some(Warning::Mixed { channels });
                assert_eq!(imported.warnings.as_slice(), mixed.as_slice(), "{what}");
            }
        }
    }
}

#[test]
fn loudness_is_mended_or_warned_about() {
    // amplitude, loudness as it came, gain, names of the warnings
    let cases: [(f64, f32, f32, &[&str]); 6] = [
        (USUAL, -20.0, 0.0, &[]),
        (0.5, -9.0, -11.0, &[]),
        (0.02, -37.0, 17.0, &[]),
        (0.004, -51.0, 20.0, &["too_quiet"]),
        (0.0, -120.0, 0.0, &["silent"]),
        (3.0, 6.5, -26.5, &["clipped"]),
    ];
    for (amplitude, lufs, gain_db, names) in cases {
        let file = tone(16_000, 1, 32, true, amplitude);
        let imported = taken(&file).unwrap();
        let found = imported.before.integrated_lufs;
        assert!((found - lufs).abs() < 0.3, "{amplitude}: {found}");
        assert!((imported.gain_db - gain_db).abs() < 0.3, "{amplitude}: {}", imported.gain_db);
        let codes: Vec<&str> = imported.warnings.iter().map(Warning::code).collect();
        assert_eq!(codes, names, "{amplitude}");

        let options = ImportOptions { level: Level::AsItIs, ..ImportOptions::default() };
        let kept = import(&file, options).unwrap();
        assert_eq!((kept.gain_db, kept.before, kept.after), (0.0, imported.before, kept.before));
    }
}

#[test]
fn a_knock_does_not_keep_speech_quiet() {
    // Quiet speech with one loud knock: the knock is held down, the speech is raised all the same.
    let mut samples: Vec<f32> =
        (0..16_000).map(|n| 0.02 * (2.0 * PI * f64::from(n) / 16.0).sin() as f32).collect();
    samples[8000] = 0.8;
    let imported = taken(&wav(3, 1, 16_000, 32, &float_bytes(&samples))).unwrap();
    assert!(imported.gain_db > 14.0, "{}", imported.gain_db);
    assert!(imported.after.true_peak_dbtp < -0.7, "{:?}", imported.after);
    assert!(matches!(imported.warnings[..], [Warning::Limited { .. }]), "{:?}", imported.warnings);
}

#[test]
fn long_silence_and_opposite_channels_are_told() {
    let beep = tone(8000, 1, 16, false, USUAL)[44..].to_vec();
    let padded = [vec![0; 16_000 * 3], beep.clone(), vec![0; 16_000]].concat();
    let imported = taken(&wav(1, 1, 8000, 16, &padded)).unwrap();
    assert_eq!(
        imported.warnings,
        [Warning::LongSilence { before_ms: 3000, after_ms: 1000 }],
        "silence is kept and told"
    );
    assert_eq!(imported.duration_ms, 5000);

    let opposite: Vec<u8> = beep
        .chunks_exact(2)
        .flat_map(|left| {
            let right = -i16::from_le_bytes([left[0], left[1]]);
            [left, &right.to_le_bytes()[..]].concat()
        })
        .collect();
    let imported = taken(&wav(1, 2, 8000, 16, &opposite)).unwrap();
    assert_eq!(imported.warnings, [Warning::Cancelled, Warning::Silent]);
}

/// The same words in every format: the prompt pack's `confirm`, 1.9 s, made with ffmpeg.
const SPEECH: [(&str, &[u8]); 3] = [
    ("speech.mp3", include_bytes!("fixtures/speech.mp3")),
    ("speech.ogg", include_bytes!("fixtures/speech.ogg")),
    ("speech.flac", include_bytes!("fixtures/speech.flac")),
];
const SPEECH_WAV: &[u8] = include_bytes!("../packs/zh/phrases/confirm.wav");

/// How alike two recordings are where they fit best, 1 for the same, looking 60 ms both ways.
fn likeness(a: &[i16], b: &[i16]) -> f64 {
    let at = |samples: &[i16], n: usize| samples.get(n).map_or(0.0, |s| f64::from(*s));
    let length = a.len().min(b.len());
    let of_shift = |shift: i64| {
        let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
        for n in 480..length - 480 {
            let (x, y) = (at(a, n), at(b, (n as i64 + shift) as usize));
            (ab, aa, bb) = (ab + x * y, aa + x * x, bb + y * y);
        }
        ab / (aa * bb).sqrt().max(1.0)
    };
    (-480..=480).map(of_shift).fold(0.0, f64::max)
}

#[test]
fn every_format_says_the_same_words() {
    let original = taken(SPEECH_WAV).unwrap();
    let expected = [
        (AudioFormat::Mp3, 44_100, 2),
        (AudioFormat::OggVorbis, 48_000, 2),
        (AudioFormat::Flac, 16_000, 1),
    ];
    for ((name, file), (format, rate_hz, channels)) in SPEECH.into_iter().zip(expected) {
        let imported = taken(file).unwrap();
        let shape = (imported.format, imported.original_rate_hz, imported.channels);
        assert_eq!(shape, (format, rate_hz, channels), "{name}");
        let longer_ms = imported.duration_ms.abs_diff(original.duration_ms);
        assert!(longer_ms <= 60, "{name}: {} ms", imported.duration_ms);
        let likeness = likeness(&original.samples_8k, &imported.samples_8k);
        assert!(likeness > 0.97, "{name}: {likeness:.3}");
        let louder = imported.after.integrated_lufs - original.after.integrated_lufs;
        assert!(louder.abs() < 0.5, "{name}: {louder} dB louder");
    }
}

#[test]
fn the_same_file_gives_the_same_bytes_in_every_release() {
    let digest = |bytes: &[u8]| {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
        hex::encode(&digest.as_ref()[..8])
    };
    let found: Vec<String> = [("confirm.wav", SPEECH_WAV)]
        .into_iter()
        .chain(SPEECH)
        .map(|(name, file)| {
            let imported = taken(file).unwrap();
            format!("{name} {} {}", digest(&imported.alaw), digest(&imported.ulaw))
        })
        .collect();
    assert_eq!(found, GOLDEN, "a changed render is heard by every tenant: is it meant?");
}

/// FLAC is exact: it sounds as the WAV that it was made of.
const GOLDEN: [&str; 4] = [
    "confirm.wav f6e6d2bbe984afc1 7f07cad792149081",
    "speech.mp3 efd0895c3563eef7 dba6f41803d52481",
    "speech.ogg ca86c0935d6df8d5 330c18d11ff4d1d5",
    "speech.flac f6e6d2bbe984afc1 7f07cad792149081",
];

#[test]
fn what_is_not_taken_is_named() {
    let cases: [(&str, &[u8], &str); 6] = [
        ("Opus", include_bytes!("fixtures/speech.opus"), "Opus in Ogg"),
        ("AAC", include_bytes!("fixtures/speech.aac"), "AAC"),
        ("MP4", include_bytes!("fixtures/speech.m4a"), "MP4 (AAC audio, or video)"),
        ("a page", b"<html><body>404</body></html>", "a text"),
        ("an image", b"\x89PNG\r\n\x1a\n", "an image"),
        ("noise", &[0x5A, 0x91, 0x07, 0x00, 0xC3, 0x11, 0x02, 0xEE], "of no known format"),
    ];
    for (what, file, found) in cases {
        let error = taken(file).unwrap_err();
        assert_eq!(error, AudioError::Unsupported { found }, "{what}");
        assert!(error.to_string().contains("expected WAV (PCM"), "{error}");
    }
    assert!(taken(&[]).unwrap_err().to_string().starts_with("the file has 0 bytes"));
}

#[test]
fn what_broke_off_or_is_damaged_is_refused_or_told() {
    for (name, file) in SPEECH {
        let whole_ms = taken(file).unwrap().duration_ms;
        // What is missing of the last tenth is less than encoders disagree about.
        for tenths in 0..9 {
            // An MP3 of constant rate has its length in its first frame, an Ogg file in its last.
            let cut = &file[..file.len() * tenths / 10];
            match taken(cut) {
                Ok(imported) => {
                    assert_eq!(name, "speech.ogg", "{name} cut at {tenths}/10 was taken");
                    assert!(imported.duration_ms < whole_ms);
                }
                Err(error) => {
                    let said = error.to_string();
                    let told = ["cut short", "damaged", "0 bytes", "empty", "Ogg file without"];
                    assert!(told.iter().any(|words| said.contains(words)), "{name}: {said}");
                }
            }
        }
        // Noise in its middle.
        let mut noisy = file.to_vec();
        let middle = noisy.len() / 2;
        for (n, byte) in noisy[middle..middle + 2000].iter_mut().enumerate() {
            *byte = (n * 167 + 13) as u8;
        }
        match taken(&noisy) {
            Ok(imported) => assert!(imported.duration_ms <= whole_ms + 100, "{name}"),
            Err(error) => {
                let told = ["damaged", "cut short"];
                assert!(told.iter().any(|words| error.to_string().contains(words)), "{error}");
            }
        }
    }
}

#[test]
fn a_small_file_does_not_unpack_without_end() {
    let options = ImportOptions { longest_s: 1, ..ImportOptions::default() };
    for (name, file) in SPEECH {
        let error = import(file, options).unwrap_err();
        assert_eq!(error, AudioError::TooLong { at_least_s: 2, limit_s: 1 }, "{name}");
    }
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
    let original = taken(&tone(8000, 1, 16, false, USUAL)).unwrap();
    for (format, data) in [(6, &original.alaw), (7, &original.ulaw)] {
        let imported = taken(&wav(format, 1, 8000, 8, data)).unwrap();
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
    assert_eq!(taken(&streamed).unwrap().duration_ms, 1000);

    let mut with_list = good[..at].to_vec();
    with_list.extend_from_slice(b"LIST\x03\0\0\0abc\0");
    with_list.extend_from_slice(&good[at..]);
    with_list.extend_from_slice(b"junk\xFF\xFF\xFF\x7Fafter the data nothing matters");
    assert_eq!(taken(&with_list).unwrap().duration_ms, 1000);
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
    let truncated = |what, declared, present| AudioError::Truncated {
        format: "WAV",
        what,
        unit: "bytes",
        declared,
        present,
    };
    let coding = |format, bits| AudioError::UnsupportedCoding { format, bits };
    let cases: Vec<(&str, Vec<u8>, AudioError)> = vec![
        ("nothing", vec![], AudioError::Nothing),
        ("four bytes", b"RIFF".to_vec(), AudioError::NotWav),
        ("header only", good[..12].to_vec(), AudioError::NoChunk("fmt ")),
        ("no data chunk", good[..at].to_vec(), AudioError::NoChunk("data")),
        ("data before fmt", data_first, AudioError::NoChunk("fmt ")),
        ("short fmt", good[..26].to_vec(), truncated("fmt chunk", 16, 6)),
        ("cut short", good[..at + 108].to_vec(), truncated("data", 16_000, 100)),
        ("no samples", wav(1, 1, 8000, 16, &[]), AudioError::Empty),
        ("half a sample", wav(1, 1, 8000, 16, &[1]), AudioError::Empty),
        ("no channels", wav(1, 0, 8000, 16, &[0; 8]), AudioError::UnsupportedChannels(0)),
        ("9 channels", wav(1, 9, 8000, 16, &[0; 36]), AudioError::UnsupportedChannels(9)),
        ("rate 0", wav(1, 1, 0, 16, &[0; 8]), AudioError::UnsupportedRate(0)),
        ("rate too high", wav(1, 1, 200_000, 16, &[0; 8]), AudioError::UnsupportedRate(200_000)),
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
        (
            "too long",
            wav(1, 1, 8000, 8, &long),
            AudioError::TooLong { at_least_s: 601, limit_s: 600 },
        ),
    ];
    for (what, file, expected) in cases {
        assert_eq!(taken(&file).unwrap_err(), expected, "{what}");
    }
}

#[test]
fn a_claimed_length_allocates_nothing() {
    let mut lying = wav(1, 2, 48_000, 16, &[0; 4]);
    lying[40..44].copy_from_slice(&0xFFFF_FFF0_u32.to_le_bytes());
    let error = taken(&lying).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the WAV file is cut short: its data should have 4294967280 bytes, 4 are there"
    );
}

#[test]
fn floats_that_are_no_numbers_are_silence() {
    let samples = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30, -1e30, 0.1];
    let data = float_bytes(&samples.repeat(1000));
    let imported = taken(&wav(3, 1, 8000, 32, &data)).unwrap();
    assert!(imported.after.integrated_lufs.is_finite() && imported.gain_db.is_finite());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = taken(&bytes);
        let ogg = [&b"OggS\0\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x1e\x01vorbis"[..], &bytes];
        for start in [&b"RIFF\0\0\0\0WAVE"[..], b"fLaC", b"\xFF\xFB\x90\x64", b"ID3", &ogg.concat()] {
            let _ = taken(&[start, &bytes[..]].concat());
        }
    }

    #[test]
    fn random_headers_never_panic(
        format in prop_oneof![Just(1_u16), Just(3), Just(6), Just(7), Just(0xFFFE), any::<u16>()],
        channels in 0_u16..4,
        rate_hz in prop_oneof![7990_u32..48_010, any::<u32>()],
        bits in prop_oneof![Just(8_u16), Just(16), Just(24), Just(32), Just(64), any::<u16>()],
        data in proptest::collection::vec(any::<u8>(), 0..400),
    ) {
        if let Ok(imported) = taken(&wav(format, channels, rate_hz, bits, &data)) {
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
        let _ = taken(&file);
    }

    #[test]
    fn damaged_compressed_files_never_panic(
        which in 0_usize..3,
        cut in 0_usize..50_000,
        places in proptest::collection::vec((0_usize..50_000, any::<u8>()), 0..8),
    ) {
        let mut file = SPEECH[which].1.to_vec();
        file.truncate(cut);
        for (at, byte) in places {
            if let Some(place) = file.get_mut(at) {
                *place = byte;
            }
        }
        if let Ok(imported) = taken(&file) {
            prop_assert!(imported.duration_ms <= 600_000);
        }
    }
}
