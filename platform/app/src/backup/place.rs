//! Putting restored files where they belong, and what was there before aside.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::BackupError;
use super::files::BEFORE_RESTORE;

/// Moves files and folders into place, one rename each.
pub(super) struct Mover {
    /// Tells this restore from others.
    stamp: i64,
    /// Folders that hold what was replaced.
    aside: Vec<PathBuf>,
}

impl Mover {
    pub(super) fn new(stamp: i64) -> Self {
        Self { stamp, aside: Vec::new() }
    }

    /// Puts `from` at `to`.
    pub(super) fn put(&mut self, from: &Path, to: &Path) -> Result<(), BackupError> {
        self.set_aside(to)?;
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder).map_err(BackupError::io("cannot make", folder))?;
        }
        match fs::rename(from, to) {
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => across(from, to),
            other => other.map_err(BackupError::io("cannot put into place", to)),
        }
    }

    /// Keeps what is at `path`, if anything, in a folder beside it.
    pub(super) fn set_aside(&mut self, path: &Path) -> Result<(), BackupError> {
        if path.symlink_metadata().is_err() {
            return Ok(());
        }
        let parent = path.parent().unwrap_or(Path::new("."));
        let folder = parent.join(format!("{BEFORE_RESTORE}{}", self.stamp));
        fs::create_dir_all(&folder).map_err(BackupError::io("cannot make", &folder))?;
        let to = folder.join(path.file_name().unwrap_or_default());
        fs::rename(path, &to).map_err(BackupError::io("cannot set aside", path))?;
        if !self.aside.contains(&folder) {
            self.aside.push(folder);
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Vec<PathBuf> {
        self.aside
    }
}

/// A rename is not possible to another file system: a copy beside the place first, then one within
/// it. Only single files (the database) lie outside of the data folder.
fn across(from: &Path, to: &Path) -> Result<(), BackupError> {
    let mut name = to.file_name().unwrap_or_default().to_owned();
    name.push(".restoring");
    let draft = to.with_file_name(name);
    let copied = fs::copy(from, &draft)
        .and_then(|_| File::open(&draft)?.sync_all())
        .and_then(|()| fs::rename(&draft, to));
    if copied.is_err() {
        let _ = fs::remove_file(&draft);
    }
    copied.map_err(BackupError::io("cannot put into place", to))
}
