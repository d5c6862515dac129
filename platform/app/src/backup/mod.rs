//! Backup and restore of a node: its database as it is at one moment, the files of its data folder,
//! and a manifest that tells what there has to be, in one tar archive that any machine can open.
//!
//! ```text
//! database/yunling.db        or database/yunling.pgdump
//! data/…                     the data folder, without what follows from the rest
//! manifest.json              the last entry: an archive that was cut short has none
//! ```

mod archive;
mod error;
mod files;
mod manifest;
mod place;
mod restore;
mod server;
mod take;

pub use archive::verify;
pub use error::BackupError;
pub use manifest::{DatabaseKind, Entry, Manifest};
pub use restore::{Queued, Restore, Restored, restore};
pub use take::{Backup, Secrets, Target, take};

/// Hears what is being done, a line at a time.
pub type Progress = std::sync::Arc<dyn Fn(&str) + Send + Sync>;

/// A file size as people read it.
fn readable(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if bytes < 1_000 {
        return format!("{bytes} bytes");
    }
    let mut amount = bytes as f64 / 1_000.0;
    let mut unit = 0;
    while amount >= 999.95 && unit + 1 < UNITS.len() {
        amount /= 1_000.0;
        unit += 1;
    }
    format!("{amount:.1} {}", UNITS[unit])
}

#[cfg(test)]
mod tests;
