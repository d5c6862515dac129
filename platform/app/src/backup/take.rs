//! Taking a backup of a node, which may be running.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use yunling_domain::Micros;
use yunling_store::{Store, backup};

use super::archive::{self, Draft, Writer};
use super::files::{self, SECRETS};
use super::{BackupError, DatabaseKind, Manifest, Progress, readable, server};
use crate::config::{BACKUPS, Settings};

/// Whether the secrets are in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secrets {
    /// Who has the archive can read everything.
    Included,
    /// They are kept elsewhere, and wanted at the restore.
    LeftOut,
}

/// Where the archive goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A new file; read again and compared once it is written.
    File(PathBuf),
    /// Standard output, which cannot be read again.
    Output,
}

/// What is to be done.
#[derive(Debug, Clone)]
pub struct Backup {
    /// Where it goes.
    pub to: Target,
    /// What is in it.
    pub secrets: Secrets,
    /// The time.
    pub now: Micros,
}

/// Takes a backup. The database is copied as it is at one moment, the files after it: whatever a row
/// names is there.
///
/// # Errors
/// [`BackupError`]; nothing is left of the archive then.
pub async fn take(
    settings: &Settings,
    wanted: Backup,
    progress: Progress,
) -> Result<Manifest, BackupError> {
    if let Target::File(file) = &wanted.to
        && file.exists()
    {
        let what = file.display().to_string();
        return Err(BackupError::Exists(what, "name another file, or remove it"));
    }
    let scratch = Scratch::make(settings, &wanted)?;
    let copy = scratch.path().join("database");
    let url = &settings.database.url;
    let sqlite = backup::sqlite_file(url)?;
    progress("copying the database");
    let (kind, schema) = match &sqlite {
        Some(_) => (DatabaseKind::Sqlite, backup::copy_sqlite(url, &copy).await?),
        None => {
            server::dump(url, &copy).await?;
            (DatabaseKind::Postgres, Store::schema(url).await?)
        }
    };
    let manifest = Manifest::new(settings.node.0.to_string(), wanted.now.0, kind, schema.applied);
    let data_dir = settings.data_dir.clone();
    let written = tokio::task::spawn_blocking(move || {
        let source = Source { copy, data_dir, sqlite, scratch };
        write(source, &wanted, manifest, &progress)
    });
    written.await.map_err(|panic| {
        BackupError::Damaged(format!("the task that writes it ended badly: {panic}"))
    })?
}

/// What is archived.
struct Source {
    /// The copied database.
    copy: PathBuf,
    data_dir: PathBuf,
    sqlite: Option<PathBuf>,
    scratch: Scratch,
}

fn write(
    source: Source,
    wanted: &Backup,
    manifest: Manifest,
    progress: &Progress,
) -> Result<Manifest, BackupError> {
    match &wanted.to {
        Target::Output => {
            let path = Path::new("standard output");
            fill(io::stdout().lock(), path, &source, wanted.secrets, manifest, progress)
                .map(|(_, manifest)| manifest)
        }
        Target::File(file) => {
            let mut draft = Draft::create(beside(file, ".part"))?;
            let path = draft.path().to_owned();
            let into = draft.writer();
            let (into, manifest) = fill(into, &path, &source, wanted.secrets, manifest, progress)?;
            into.sync_all().map_err(BackupError::io("cannot write", &path))?;
            drop(into);
            progress("reading it again");
            let found = archive::verify(&path)?;
            if found != manifest {
                return Err(BackupError::Damaged("it is not read as it was written".to_owned()));
            }
            draft.keep_as(file)?;
            drop(source.scratch);
            Ok(manifest)
        }
    }
}

fn fill<W: Write>(
    into: W,
    path: &Path,
    source: &Source,
    secrets: Secrets,
    manifest: Manifest,
    progress: &Progress,
) -> Result<(W, Manifest), BackupError> {
    let kind = manifest.database;
    let buffer = BufWriter::with_capacity(1 << 20, into);
    let mut writer = Writer::new(buffer, manifest, Progress::clone(progress));
    writer.add(kind.entry(), &source.copy)?;
    let found = if source.data_dir.exists() {
        files::of_data_dir(&source.data_dir, source.sqlite.as_deref())?
    } else {
        Vec::new()
    };
    progress(&format!("archiving {} files", found.len()));
    for found in &found {
        writer.add(&found.name, &found.path)?;
    }
    for name in SECRETS {
        match secrets {
            Secrets::Included => {
                writer.add(&format!("data/{name}"), &source.data_dir.join(name))?;
            }
            Secrets::LeftOut if source.data_dir.join(name).exists() => writer.leave_out(name),
            Secrets::LeftOut => {}
        }
    }
    let (buffer, manifest): (BufWriter<W>, Manifest) = writer.finish(path)?;
    let into = buffer
        .into_inner()
        .map_err(io::IntoInnerError::into_error)
        .map_err(BackupError::io("cannot write", path))?;
    let (count, bytes) = (manifest.entries.len(), readable(manifest.bytes()));
    progress(&format!("{count} files, {bytes}"));
    Ok((into, manifest))
}

/// `FILE` with something behind its name.
fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    file.with_file_name(name)
}

/// A folder for the copy of the database, removed when dropped: beside the archive, where there is
/// room for it, else among the data.
struct Scratch(PathBuf);

impl Scratch {
    fn make(settings: &Settings, wanted: &Backup) -> Result<Self, BackupError> {
        let folder = match &wanted.to {
            Target::File(file) => beside(file, &format!(".{}.part", wanted.now.0)),
            Target::Output => {
                settings.data_dir.join(BACKUPS).join(format!("{}.part", wanted.now.0))
            }
        };
        // The copies in it hold what the archive does, which its owner alone may read.
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder);
        made.map_err(BackupError::io("cannot make", &folder))?;
        Ok(Self(folder))
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
