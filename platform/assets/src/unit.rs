//! One recording of a pack, checked and encoded.

use aws_lc_rs::digest::{SHA256, digest};

use crate::encoded::{Encoded, TELEPHONE_RATE_HZ, to_i16};
use crate::level::{TARGET_DBFS, TOLERANCE_DB, active_dbfs, clipped_ms, trimmed};
use crate::manifest::FileEntry;
use crate::resample::to_telephone_rate;
use crate::source::Source;
use crate::wav;

/// The longest recording in a pack, in seconds.
const LONGEST_S: u64 = 60;

/// A file of a pack: not there, unusable with the reason, or taken with warnings.
pub(crate) enum Found {
    Missing,
    Faulty(String),
    Taken(Encoded, Vec<String>),
}

/// Reads, checks, trims, resamples and encodes a recording. Its level is checked but not changed: a
/// studio's levels belong together.
pub(crate) fn load(source: &Source, name: &str, entry: &FileEntry) -> Found {
    let file = &entry.file;
    let bytes = match source.read(file) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Found::Missing,
        Err(error) => return Found::Faulty(format!("{file}: {error}")),
    };
    if let Some(expected) = &entry.sha256 {
        let found = hex::encode(digest(&SHA256, &bytes));
        if !found.eq_ignore_ascii_case(expected) {
            return Found::Faulty(format!(
                "{file}: sha256 is {found}, the manifest says {expected}"
            ));
        }
    }
    let audio = match wav::read(&bytes, LONGEST_S) {
        Ok(audio) => audio,
        Err(error) => return Found::Faulty(format!("{file}: {error}")),
    };

    let mut warnings = Vec::new();
    let clipped_ms = clipped_ms(&audio.samples, audio.rate_hz);
    if clipped_ms > 0 {
        warnings.push(format!("{file}: at full scale for {clipped_ms} ms"));
    }
    let samples = trimmed(&to_telephone_rate(audio.samples, audio.rate_hz));
    if samples.len() < TELEPHONE_RATE_HZ as usize / 50 {
        return Found::Faulty(format!("{file}: the recording is silent"));
    }
    let level = active_dbfs(&samples);
    if (level - TARGET_DBFS).abs() > TOLERANCE_DB {
        warnings.push(format!(
            "{file}: its level is {level:.1} dBFS, expected {TARGET_DBFS:.0} ± {TOLERANCE_DB:.0}"
        ));
    }
    Found::Taken(Encoded::from_samples(name, &to_i16(&samples)), warnings)
}
