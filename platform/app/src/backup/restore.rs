//! Restoring a node from an archive. Everything is unpacked and checked beside the data first;
//! nothing is replaced before, and what is replaced is kept.

use std::fs;
use std::path::{Path, PathBuf};

use yunling_domain::{Micros, NodeNumber};
use yunling_store::{Lane, OpenOptions, SchemaState, Store, backup, lease, restore_target};

use super::archive;
use super::files::RESTORING;
use super::place::Mover;
use super::server;
use super::{BackupError, DatabaseKind, Manifest, Progress};
use crate::config::Settings;
use crate::secrets::Keyring;

/// What becomes of numbers that waited for a line when the copy was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Queued {
    /// They are closed as interrupted: the node went on after the copy, and may have rung them.
    Hold,
    /// They are dialled: whoever says so knows that the node did not.
    Dial,
}

/// What is to be done.
#[derive(Debug, Clone)]
pub struct Restore {
    /// The archive.
    pub from: PathBuf,
    /// Whether existing data may be replaced; it is kept aside.
    pub over_existing: bool,
    /// What waited for a line.
    pub queued: Queued,
    /// The time.
    pub now: Micros,
}

/// What was done.
#[derive(Debug)]
pub struct Restored {
    /// What the archive said of itself.
    pub manifest: Manifest,
    /// Numbers that are not dialled any more.
    pub held: u64,
    /// Folders that keep what was replaced.
    pub aside: Vec<PathBuf>,
    /// The key file is neither in the archive nor in the data folder: it is to be put there.
    pub key_is_missing: bool,
}

/// Restores an archive.
///
/// # Errors
/// [`BackupError`]. Before the last step nothing was replaced.
pub async fn restore(
    settings: &Settings,
    wanted: Restore,
    progress: Progress,
) -> Result<Restored, BackupError> {
    let url = &settings.database.url;
    let target = backup::sqlite_file(url)?;
    refuse_running(settings, target.as_deref())?;
    progress("unpacking and checking");
    let (stage, manifest) = {
        let (data_dir, from) = (settings.data_dir.clone(), wanted.from.clone());
        let now = wanted.now;
        let unpacked = tokio::task::spawn_blocking(move || {
            let stage = Stage::make(&data_dir, now)?;
            let manifest = archive::unpack(&from, stage.path())?;
            Ok::<_, BackupError>((stage, manifest))
        });
        unpacked.await.map_err(|panic| {
            BackupError::Damaged(format!("the task that reads it ended badly: {panic}"))
        })??
    };
    SchemaState::of_history(manifest.schema.clone())?;
    let configured = match target {
        Some(_) => DatabaseKind::Sqlite,
        None => DatabaseKind::Postgres,
    };
    if manifest.database != configured {
        return Err(BackupError::OtherDatabase {
            archived: manifest.database.name(),
            configured: configured.name(),
        });
    }
    let files = Files::of(&stage, settings)?;
    if !wanted.over_existing {
        files.refuse_existing()?;
        refuse_existing_database(url, target.as_deref(), wanted.now).await?;
    }
    let copy = stage.path().join(configured.entry());
    let held = match &target {
        Some(_) => {
            backup::check_sqlite(&copy).await?;
            let held = settle(&format!("sqlite://{}", copy.display()), &manifest, &wanted).await?;
            backup::fold_log(&copy).await?;
            held
        }
        None => {
            progress("restoring the database");
            let there = restore_target::look(url, wanted.now).await?;
            if !there.live_nodes.is_empty() {
                return Err(BackupError::NodesRun(there.live_nodes));
            }
            if there.has_tables {
                restore_target::clear(url).await?;
            }
            server::load(url, &copy).await?;
            settle(url, &manifest, &wanted).await?
        }
    };
    progress("putting it into place");
    let mut mover = Mover::new(wanted.now.0);
    for (from, to) in &files.moves {
        mover.put(from, to)?;
    }
    if let Some(target) = &target {
        for suffix in ["-wal", "-shm"] {
            mover.set_aside(&with_suffix(target, suffix))?;
        }
        mover.put(&copy, target)?;
    }
    // The other secrets are made anew where they are missing.
    let key = settings.data_dir.join(Keyring::FILE_NAME);
    let key_is_missing = !key.exists();
    Ok(Restored { held, aside: mover.finish(), key_is_missing, manifest })
}

/// Brings the restored database up to date, and keeps it from ringing anybody a second time.
async fn settle(url: &str, manifest: &Manifest, wanted: &Restore) -> Result<u64, BackupError> {
    let store = Store::open(url, OpenOptions::default()).await?;
    let damaged = |_| BackupError::Damaged(format!("its node is {:?}", manifest.node));
    let node: NodeNumber = manifest.node.parse().map_err(damaged)?;
    let (taken_at, queued) = (Micros(manifest.taken_at), wanted.queued);
    let held = store
        .writer()
        .write(Lane::Live, move |tx| {
            Box::pin(async move {
                lease::forget_all(tx).await?;
                match queued {
                    Queued::Hold => backup::hold_queued(tx, node, taken_at).await,
                    Queued::Dial => Ok(0),
                }
            })
        })
        .await;
    store.close().await?;
    Ok(held?)
}

fn refuse_running(settings: &Settings, database: Option<&Path>) -> Result<(), BackupError> {
    let beside = database.and_then(Path::parent);
    for folder in [Some(settings.data_dir.as_path()), beside].into_iter().flatten() {
        let locked = lease::locked_in(folder).map_err(BackupError::io("cannot read", folder))?;
        if let Some(lock) = locked {
            return Err(BackupError::Running(lock));
        }
    }
    Ok(())
}

const EMPTY: &str = "restore into an empty place, or add --force (what is there is kept aside)";

async fn refuse_existing_database(
    url: &str,
    file: Option<&Path>,
    now: Micros,
) -> Result<(), BackupError> {
    match file {
        Some(file) if file.exists() => {
            Err(BackupError::Exists(format!("the database {}", file.display()), EMPTY))
        }
        Some(_) => Ok(()),
        None if !restore_target::look(url, now).await?.has_tables => Ok(()),
        None => Err(BackupError::Exists(
            "a database with tables".to_owned(),
            "restore into an empty one, or add --force (its tables are dropped)",
        )),
    }
}

/// What moves from the stage into the data folder.
struct Files {
    moves: Vec<(PathBuf, PathBuf)>,
}

impl Files {
    fn of(stage: &Stage, settings: &Settings) -> Result<Self, BackupError> {
        let data = stage.path().join("data");
        if !data.exists() {
            return Ok(Self { moves: Vec::new() });
        }
        let entries = fs::read_dir(&data).map_err(BackupError::io("cannot read", &data))?;
        let mut moves = Vec::new();
        for entry in entries {
            let entry = entry.map_err(BackupError::io("cannot read", &data))?;
            moves.push((entry.path(), settings.data_dir.join(entry.file_name())));
        }
        Ok(Self { moves })
    }

    fn refuse_existing(&self) -> Result<(), BackupError> {
        match self.moves.iter().find(|(_, to)| to.exists()) {
            Some((_, to)) => Err(BackupError::Exists(to.display().to_string(), EMPTY)),
            None => Ok(()),
        }
    }
}

fn with_suffix(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    file.with_file_name(name)
}

/// Where the archive is unpacked: in the data folder, so that its files only change their names.
/// Removed when dropped, and by the next restore if this one is killed.
struct Stage(PathBuf);

impl Stage {
    fn make(data_dir: &Path, now: Micros) -> Result<Self, BackupError> {
        fs::create_dir_all(data_dir).map_err(BackupError::io("cannot make", data_dir))?;
        let entries = fs::read_dir(data_dir).map_err(BackupError::io("cannot read", data_dir))?;
        for entry in entries.flatten() {
            if entry.file_name().to_string_lossy().starts_with(RESTORING) {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
        let folder = data_dir.join(format!("{RESTORING}{}", now.0));
        fs::create_dir(&folder).map_err(BackupError::io("cannot make", &folder))?;
        Ok(Self(folder))
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
