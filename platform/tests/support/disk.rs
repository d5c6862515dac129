//! A small disk that can be full: a tmpfs of its own. Mounting needs root, as in CI's container.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// Written at a time while it is filled.
const CHUNK: usize = 64 * 1024;

/// A mounted tmpfs; unmounted when dropped.
pub(crate) struct Disk {
    folder: TempDir,
}

impl Disk {
    /// Mounts one of so many mebibytes.
    pub(crate) fn mount(mebibytes: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = format!("size={mebibytes}m");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "tmpfs"])
            .arg(folder.path())
            .output()
            .expect("there is a mount command");
        assert!(
            mounted.status.success(),
            "a tmpfs cannot be mounted (this test needs root): {}",
            String::from_utf8_lossy(&mounted.stderr)
        );
        Self { folder }
    }

    /// Where it is mounted.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Takes every byte that is free, until the guard is dropped.
    pub(crate) fn fill(&self) -> Full {
        let path = self.path().join("ballast");
        let mut file = std::fs::File::create(&path).unwrap();
        let chunk = vec![0; CHUNK];
        // A write that fits in part is repeated with less, down to the last byte.
        let mut size = CHUNK;
        while size > 0 {
            match file.write(&chunk[..size]) {
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::StorageFull => size /= 2,
                Err(error) => panic!("the disk cannot be filled: {error}"),
            }
        }
        Full(path)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a process that is about to be killed may still have files open on it.
        let _ = Command::new("umount").arg("-l").arg(self.folder.path()).status();
    }
}

/// While it lives, nothing more goes onto the disk.
pub(crate) struct Full(PathBuf);

impl Drop for Full {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).unwrap();
    }
}
