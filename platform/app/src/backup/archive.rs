//! The tar file itself: written and read as a stream, a hash for each entry.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Component, Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};
use tar::{Archive, Builder, EntryType, Header};

use super::manifest::{Entry, Manifest};
use super::{BackupError, Progress, readable};

/// Bytes between two words of progress.
const TELL_EVERY: u64 = 1_000_000_000;
/// A manifest that is longer is none: a million files make some 200 MB.
const LONGEST_MANIFEST: u64 = 512 << 20;

/// An archive that is being written.
pub(super) struct Writer<W: Write> {
    tar: Builder<W>,
    manifest: Manifest,
    progress: Progress,
    untold: u64,
}

impl<W: Write> Writer<W> {
    pub(super) fn new(into: W, manifest: Manifest, progress: Progress) -> Self {
        Self { tar: Builder::new(into), manifest, progress, untold: 0 }
    }

    /// Adds a file. What is written to it from now on is left out; where it is gone, nothing is
    /// added.
    pub(super) fn add(&mut self, name: &str, file: &Path) -> Result<(), BackupError> {
        let mut open = match File::open(file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other.map_err(BackupError::io("cannot read", file))?,
        };
        let meta = open.metadata().map_err(BackupError::io("cannot read", file))?;
        let bytes = meta.len();
        let mut header = self.header(bytes);
        let mut content = Hashed::new((&mut open).take(bytes));
        self.tar
            .append_data(&mut header, name, &mut content)
            .map_err(BackupError::io("cannot archive", file))?;
        if content.bytes != bytes {
            let shrunk = io::Error::other("it became shorter while it was read");
            return Err(BackupError::io("cannot archive", file)(shrunk));
        }
        let sha256 = content.finish();
        self.manifest.entries.push(Entry { path: name.to_owned(), bytes, sha256 });
        self.untold += bytes;
        if self.untold >= TELL_EVERY {
            self.untold = 0;
            (self.progress)(&format!("{} so far", readable(self.manifest.bytes())));
        }
        Ok(())
    }

    /// Readable by its owner only, whoever unpacks it.
    fn header(&self, bytes: u64) -> Header {
        let mut header = Header::new_gnu();
        header.set_size(bytes);
        header.set_mode(0o600);
        header.set_mtime(self.manifest.taken_at.unsigned_abs() / 1_000_000);
        header.set_entry_type(EntryType::Regular);
        header
    }

    /// Notes that a file is not in it on purpose.
    pub(super) fn leave_out(&mut self, name: &str) {
        self.manifest.left_out.push(name.to_owned());
    }

    /// Adds the manifest and closes the archive.
    pub(super) fn finish(mut self, path: &Path) -> Result<(W, Manifest), BackupError> {
        let cannot = || BackupError::io("cannot write", path);
        let text =
            serde_json::to_vec_pretty(&self.manifest).map_err(io::Error::other).map_err(cannot())?;
        let mut header = self.header(text.len() as u64);
        self.tar.append_data(&mut header, Manifest::NAME, &text[..]).map_err(cannot())?;
        let mut into = self.tar.into_inner().map_err(cannot())?;
        into.flush().map_err(cannot())?;
        Ok((into, self.manifest))
    }
}

/// Reads an archive to its end and compares every file with the manifest.
///
/// # Errors
/// [`BackupError::Damaged`], [`BackupError::Format`], [`BackupError::Io`].
pub fn verify(file: &Path) -> Result<Manifest, BackupError> {
    read(file, None)
}

/// As [`verify`], and puts the files into `into` under their names in the archive.
pub(super) fn unpack(file: &Path, into: &Path) -> Result<Manifest, BackupError> {
    read(file, Some(into))
}

fn read(file: &Path, into: Option<&Path>) -> Result<Manifest, BackupError> {
    let open = File::open(file).map_err(BackupError::io("cannot read", file))?;
    let mut archive = Archive::new(io::BufReader::with_capacity(1 << 20, open));
    let broken = |error: io::Error| BackupError::Damaged(format!("{}: {error}", file.display()));
    let mut found = Vec::new();
    let mut manifest: Option<Manifest> = None;
    for entry in archive.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        if manifest.is_some() {
            return Err(BackupError::Damaged("there is more behind the manifest".to_owned()));
        }
        let name = safe_name(&entry.path().map_err(broken)?)?;
        if entry.header().entry_type() != EntryType::Regular {
            return Err(BackupError::Damaged(format!("{name} is no file")));
        }
        if name == Manifest::NAME {
            let mut text = Vec::new();
            entry.by_ref().take(LONGEST_MANIFEST).read_to_end(&mut text).map_err(broken)?;
            manifest = Some(Manifest::read(&text)?);
            continue;
        }
        let mut content = Hashed::new(&mut entry);
        match into {
            None => io::copy(&mut content, &mut io::sink()).map(drop).map_err(broken)?,
            Some(into) => write_out(&mut content, &into.join(&name))?,
        }
        let bytes = content.bytes;
        found.push(Entry { path: name, bytes, sha256: content.finish() });
    }
    let manifest = manifest.ok_or_else(|| {
        BackupError::Damaged(format!("it has no {}: it was cut short", Manifest::NAME))
    })?;
    compare(&found, &manifest)?;
    Ok(manifest)
}

fn write_out(content: &mut impl Read, to: &Path) -> Result<(), BackupError> {
    let cannot = || BackupError::io("cannot unpack", to);
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).map_err(cannot())?;
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(to).map_err(cannot())?;
    io::copy(content, &mut file).map_err(cannot())?;
    file.sync_all().map_err(cannot())
}

fn compare(found: &[Entry], manifest: &Manifest) -> Result<(), BackupError> {
    for (found, listed) in found.iter().zip(&manifest.entries) {
        if found != listed {
            return Err(BackupError::Damaged(format!(
                "{} is not as it was written: {} bytes, SHA-256 {}; the manifest says {}, {} bytes, {}",
                found.path, found.bytes, found.sha256, listed.path, listed.bytes, listed.sha256
            )));
        }
    }
    if found.len() != manifest.entries.len() {
        return Err(BackupError::Damaged(format!(
            "it has {} files, and the manifest lists {}",
            found.len(),
            manifest.entries.len()
        )));
    }
    let names: HashSet<&str> = found.iter().map(|entry| entry.path.as_str()).collect();
    if names.len() != found.len() {
        return Err(BackupError::Damaged("a name is in it twice".to_owned()));
    }
    Ok(())
}

/// A name that stays within the folder that it is unpacked into.
fn safe_name(path: &Path) -> Result<String, BackupError> {
    let is_plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    match path.to_str() {
        Some(name) if is_plain && !name.is_empty() => Ok(name.to_owned()),
        _ => Err(BackupError::Damaged(format!("the name {path:?} leads elsewhere"))),
    }
}

/// Hashes what is read through it.
struct Hashed<R> {
    inner: R,
    hash: Context,
    bytes: u64,
}

impl<R: Read> Hashed<R> {
    fn new(inner: R) -> Self {
        Self { inner, hash: Context::new(&SHA256), bytes: 0 }
    }

    fn finish(self) -> String {
        hex::encode(self.hash.finish())
    }
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hash.update(&buffer[..count]);
        self.bytes += count as u64;
        Ok(count)
    }
}

/// A file that is removed again unless it is kept: no half archive stays behind.
pub(super) struct Draft {
    file: Option<File>,
    path: PathBuf,
    kept: bool,
}

impl Draft {
    pub(super) fn create(path: PathBuf) -> Result<Self, BackupError> {
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path).map_err(BackupError::io("cannot write", &path))?;
        Ok(Self { file: Some(file), path, kept: false })
    }

    /// The file, once.
    pub(super) fn writer(&mut self) -> File {
        self.file.take().expect("the file of a draft is taken once, right after it was made")
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives it its name.
    pub(super) fn keep_as(mut self, path: &Path) -> Result<(), BackupError> {
        fs::rename(&self.path, path).map_err(BackupError::io("cannot write", path))?;
        self.kept = true;
        if let Some(folder) = path.parent()
            && let Ok(folder) = File::open(folder)
        {
            // A folder that cannot be synced (some network file systems) has the name all the same.
            let _ = folder.sync_all();
        }
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.kept {
            let _ = fs::remove_file(&self.path);
        }
    }
}
