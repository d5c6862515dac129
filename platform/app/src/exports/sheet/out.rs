use std::fs::{File, OpenOptions};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::Path;

/// A file that is appended to, and changed only where it says so.
#[derive(Debug)]
pub(in crate::exports) struct Out {
    file: File,
    octets: u64,
}

impl Out {
    /// Opens a file at its first `octets` bytes: what is behind them is cut off, for it was written
    /// after the checkpoint. Nothing where the file is not as long as that any more.
    ///
    /// # Errors
    /// It cannot be opened or cut.
    pub(in crate::exports) fn open(path: &Path, octets: u64) -> io::Result<Option<Self>> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        if file.metadata()?.len() < octets {
            return Ok(None);
        }
        file.set_len(octets)?;
        file.seek(SeekFrom::End(0))?;
        Ok(Some(Self { file, octets }))
    }

    /// Its length.
    pub(in crate::exports) const fn octets(&self) -> u64 {
        self.octets
    }

    pub(super) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.octets += bytes.len() as u64;
        Ok(())
    }

    /// Writes over bytes that are there.
    pub(super) fn patch(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(at))?;
        self.file.write_all(bytes)?;
        self.file.seek(SeekFrom::Start(self.octets))?;
        Ok(())
    }

    /// Sees to it that all of it is on the disk.
    pub(in crate::exports) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}
