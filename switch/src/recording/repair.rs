//! What a crash left of recordings is made whole: every sample that reached the disk is kept.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use super::wav_file::{UNFINISHED, complete, duration_ms};

/// A recording that was made whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repaired {
    /// The file.
    pub path: PathBuf,
    /// What it holds.
    pub duration_ms: u64,
    /// Its length in octets.
    pub octets: u64,
}

/// Completes every unfinished recording in a folder and those inside it. To be called before the
/// engine starts, as nothing else tells a live recording from a dead one.
///
/// # Errors
/// A folder that cannot be read. A single file that cannot be mended is left as it is, and logged.
pub fn repair(folder: &Path) -> io::Result<Vec<Repaired>> {
    let mut repaired = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            let path = entry.path();
            if entry.file_type()?.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == UNFINISHED) {
                match mend(&path) {
                    Ok(one) => repaired.push(one),
                    Err(error) => {
                        tracing::error!(path = %path.display(), %error, "an unfinished recording cannot be mended");
                    }
                }
            }
        }
    }
    Ok(repaired)
}

fn mend(unfinished: &Path) -> io::Result<Repaired> {
    let mut file = OpenOptions::new().read(true).write(true).open(unfinished)?;
    let octets = complete(&mut file)?;
    let path = unfinished.with_extension("");
    fs::rename(unfinished, &path)?;
    Ok(Repaired { path, duration_ms: duration_ms(octets), octets })
}
