//! An application's media library of tones, one for each prompt of a click-to-call, so that whoever
//! hears one can be asked which and when.

use std::f64::consts::TAU;
use std::path::Path;

use serde_json::{Value, json};

use super::sound::RATE_HZ;

/// A prompt that is a tone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Voice {
    /// Its name in the library.
    pub(crate) name: &'static str,
    pub(crate) hz: u16,
    pub(crate) ms: usize,
}

const fn voice(name: &'static str, hz: u16, ms: usize) -> Voice {
    Voice { name, hz, ms }
}

/// The platform's own ringback and busy tone.
pub(crate) const NETWORK_HZ: u16 = 450;

pub(crate) const GREET: Voice = voice("greet.wav", 1_650, 2_000);
pub(crate) const RINGBACK: Voice = voice("ringback.wav", 1_850, 1_000);
pub(crate) const FAIL: Voice = voice("fail.wav", 2_050, 900);
pub(crate) const TO_CALLER: Voice = voice("to-caller.wav", 2_250, 1_400);
pub(crate) const TO_CALLEE: Voice = voice("to-callee.wav", 2_450, 700);
pub(crate) const LAST_MINUTE: Voice = voice("last-minute.wav", 2_650, 800);
/// All of them.
pub(crate) const ALL: [Voice; 6] = [GREET, RINGBACK, FAIL, TO_CALLER, TO_CALLEE, LAST_MINUTE];

/// Writes the files into a folder; gives back the library's entries for the tenant's document.
pub(crate) fn library(folder: &Path) -> Value {
    ALL.iter()
        .map(|voice| {
            let path = folder.join(voice.name);
            write(&path, voice);
            json!({ "name": voice.name, "file": path, "normalise": false })
        })
        .collect()
}

fn write(path: &Path, voice: &Voice) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: u32::try_from(RATE_HZ).unwrap(),
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = hound::WavWriter::create(path, spec).unwrap();
    for at in 0..voice.ms * RATE_HZ / 1_000 {
        let angle = TAU * f64::from(voice.hz) * at as f64 / RATE_HZ as f64;
        file.write_sample((4_500.0 * angle.sin()) as i16).unwrap();
    }
    file.finalize().unwrap();
}
