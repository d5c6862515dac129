use crate::App;
use std::path::{Path, PathBuf};
use yunling_domain::{AccountId, ApplicationId, ConversationId, IdKind, Micros, RecordingId};
use yunling_store::recordings::{self, NewRecording};
use yunling_store::{Lane, StoreError};

const MIB: u64 = 1024 * 1024;

/// Where a recording is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The recording.
    pub recording: RecordingId,
    /// Its file, in a folder that is there.
    pub file: PathBuf,
}

/// Why nothing is recorded: the fault of the platform's operator, or of the database.
#[derive(Debug, thiserror::Error)]
pub enum NotBegun {
    /// The disk is nearly full: what room there is, is for the database.
    #[error(
        "{free_mib} MiB are free in {folder}, and recordings.min_free_mib is {min_free_mib}: make room",
        folder = .folder.display()
    )]
    NoRoom {
        /// Where.
        folder: PathBuf,
        /// What is free there.
        free_mib: u64,
        /// What must be.
        min_free_mib: u64,
    },
    /// The folder cannot be made or looked at.
    #[error("the folder {folder} cannot be used: {error}", folder = .folder.display())]
    Folder {
        /// Which.
        folder: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The recording was not noted.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Notes a recording and makes room for its file. To be called before the engine is told.
///
/// # Errors
/// [`NotBegun`]: nothing is to be recorded; the call goes on.
pub async fn begin(
    app: &App,
    account: &AccountId,
    application: &ApplicationId,
    conversation: &ConversationId,
) -> Result<Place, NotBegun> {
    let now = app.clock().now();
    let recording = RecordingId::new(app.ids().mint(IdKind::Recording));
    let zone = app.directory().account(account).map_or(app.settings().zone.0, |one| one.zone);
    let node = app.settings().node.0.to_string();
    let key = key(&node, &recording, now, zone);
    let settings = &app.settings().recordings;
    let (folder, min_free_mib) = (settings.folder().to_owned(), u64::from(settings.min_free_mib));
    let file = folder.join(&key);
    let of_day = file.parent().unwrap_or(&folder).to_owned();
    let prepared =
        tokio::task::spawn_blocking(move || prepare(&folder, &of_day, min_free_mib)).await;
    prepared.map_err(|error| NotBegun::Folder {
        folder: settings.folder().to_owned(),
        error: std::io::Error::other(error),
    })??;
    let new = NewRecording {
        id: recording.clone(),
        account: account.clone(),
        application: application.clone(),
        conversation: conversation.clone(),
        node,
        key,
        created_at: now,
    };
    app.store()
        .writer()
        .write(Lane::Live, move |tx| Box::pin(async move { recordings::insert(tx, &new).await }))
        .await?;
    app.recording_desk().begun(&recording);
    Ok(Place { recording, file })
}

/// `{node}/{day}/{RE…}_D_2_{stamp}.wav`, as in the document's sample: two channels, one a side.
fn key(node: &str, recording: &RecordingId, at: Micros, zone: chrono_tz::Tz) -> String {
    let stamp = at.stamp14(zone);
    format!("{node}/{}/{recording}_D_2_{stamp}.wav", &stamp[..8])
}

fn prepare(folder: &Path, of_day: &Path, min_free_mib: u64) -> Result<(), NotBegun> {
    let unusable = |error| NotBegun::Folder { folder: of_day.to_owned(), error };
    std::fs::create_dir_all(of_day).map_err(unusable)?;
    let disk = rustix::fs::statvfs(of_day).map_err(|error| unusable(error.into()))?;
    let free_mib = disk.f_bavail.saturating_mul(disk.f_frsize) / MIB;
    if free_mib < min_free_mib {
        let folder = folder.to_owned();
        return Err(NotBegun::NoRoom { folder, free_mib, min_free_mib });
    }
    Ok(())
}
