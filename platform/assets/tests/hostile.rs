//! Recordings, mutated: whatever a file holds, it is taken or refused, at a bounded cost.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::io::Cursor;

use yunling_assets::{ImportOptions, Level, import};
use yunling_fuzz::{Limits, Target};

/// The longest recording that the targets take, in seconds: what a few bytes may decode to is bounded
/// by it, not by the file's length.
const LONGEST_S: u64 = 10;

/// Twelve seconds of 8 channels at 192 kHz would be 74 MB: nothing may hold a recording before it is
/// brought down to 8 kHz.
const LIMITS: Limits = Limits { cpu_ms: 10_000, fixed_bytes: 24 << 20, bytes_per_byte: 64 };

fn wav(rate_hz: u32, channels: u16, bits: u16) -> Vec<u8> {
    let spec = hound::WavSpec {
        channels,
        sample_rate: rate_hz,
        bits_per_sample: bits,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut file, spec).unwrap();
    for n in 0..800i32 {
        for _ in 0..channels {
            writer.write_sample(n % 100).unwrap();
        }
    }
    writer.finalize().unwrap();
    file.into_inner()
}

fn survive(name: &str, seeds: Vec<Vec<u8>>, words: &[&str]) {
    let longest = seeds.iter().map(Vec::len).max().unwrap() + 4_096;
    let run_by = "test -p yunling-assets --test hostile";
    let target = Target { name, run_by, seeds, words, longest, limits: LIMITS };
    let options = ImportOptions { longest_s: LONGEST_S, level: Level::Normalised };
    target.run(|input| match import(input, options) {
        Ok(taken) => {
            let most = usize::try_from(LONGEST_S).unwrap() * 8_000 + 8_000;
            assert!(taken.samples_8k.len() <= most, "{} samples", taken.samples_8k.len());
            assert_eq!(
                (taken.alaw.len(), taken.ulaw.len()),
                (taken.samples_8k.len(), taken.samples_8k.len())
            );
            assert!(taken.gain_db.is_finite() && (1..=8).contains(&taken.channels));
            (true, usize::from(taken.channels), taken.warnings.len(), String::new())
        }
        Err(error) => {
            let told = error.to_string();
            assert!(!told.is_empty() && told.len() < 1_024, "{told}");
            let kind = told.chars().filter(char::is_ascii_alphabetic).take(32).collect();
            (false, 0, 0, kind)
        }
    });
}

#[test]
fn any_wav_is_taken_or_refused() {
    let seeds = vec![wav(8_000, 1, 16), wav(44_100, 2, 24), wav(192_000, 8, 8)];
    survive(
        "media_wav",
        seeds,
        &["RIFF", "WAVE", "fmt ", "data", "LIST", "fact", "\x03\0", "\u{7}\0"],
    );
}

#[test]
fn any_compressed_recording_is_taken_or_refused() {
    let seeds = vec![
        include_bytes!("fixtures/speech.mp3").to_vec(),
        include_bytes!("fixtures/speech.ogg").to_vec(),
        include_bytes!("fixtures/speech.flac").to_vec(),
    ];
    survive(
        "media_compressed",
        seeds,
        &["OggS", "fLaC", "ID3", "\x01vorbis", "\x05vorbis", "OpusHead"],
    );
}
