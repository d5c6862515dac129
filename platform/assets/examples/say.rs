//! Says values as a caller would hear them, into A-law WAV files: for the ear and for a recogniser.
//!
//! Reads lines `LANG TAB KIND TAB VALUE` and writes `0.wav`, `1.wav` … into a folder, printing what
//! each should say.
//!
//! `printf 'zh\tmoney\t2.14\n' | cargo run -p yunling-assets --example say -- FOLDER [PACKS]`

use std::error::Error;
use std::io::BufRead;
use std::path::PathBuf;

use yunling_assets::{Packs, Piece, TELEPHONE_RATE_HZ, speak};
use yunling_domain::Lang;
use yunling_domain::speech::{Kind, Settings, say, written};

const ALAW_SILENCE: u8 = 0xD5;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let folder = arguments.next().ok_or("expected a folder to write to")?;
    let packs = Packs::load(arguments.next().as_deref())?;
    for (n, line) in std::io::stdin().lock().lines().enumerate() {
        let line = line?;
        let [lang, kind, value] = line.splitn(3, '\t').collect::<Vec<_>>()[..] else {
            return Err(format!("line {}: expected LANG TAB KIND TAB VALUE", n + 1).into());
        };
        let lang: Lang = lang.parse()?;
        let kind: Kind = serde_json::from_value(kind.into())?;
        let tokens = say(kind, value, lang, &Settings::default())?;
        let mut alaw = Vec::new();
        for piece in speak(&tokens, packs.get(lang))? {
            match piece {
                Piece::Play(recording) => alaw.extend_from_slice(&recording.alaw),
                Piece::Silence { ms } => {
                    let bytes = ms as usize * TELEPHONE_RATE_HZ as usize / 1000;
                    alaw.resize(alaw.len() + bytes, ALAW_SILENCE);
                }
            }
        }
        std::fs::write(folder.join(format!("{n}.wav")), alaw_wav(&alaw))?;
        println!("{}", written(&tokens, lang));
    }
    Ok(())
}

fn alaw_wav(data: &[u8]) -> Vec<u8> {
    let mut wav = Vec::new();
    wav.extend_from_slice(b"RIFF");
    wav.extend_from_slice(&(36 + data.len() as u32).to_le_bytes());
    wav.extend_from_slice(b"WAVEfmt ");
    wav.extend_from_slice(&16_u32.to_le_bytes());
    for field in [6_u16, 1] {
        wav.extend_from_slice(&field.to_le_bytes());
    }
    for field in [TELEPHONE_RATE_HZ, TELEPHONE_RATE_HZ] {
        wav.extend_from_slice(&field.to_le_bytes());
    }
    for field in [1_u16, 8] {
        wav.extend_from_slice(&field.to_le_bytes());
    }
    wav.extend_from_slice(b"data");
    wav.extend_from_slice(&(data.len() as u32).to_le_bytes());
    wav.extend_from_slice(data);
    wav
}
