use crate::App;
use crate::ports::{ObjectError, Objects};
use std::path::Path;
use std::time::Duration;
use yunling_domain::{Micros, RecordingId};
use yunling_store::recordings::{self, Recording, RecordingPlace, platform_side};
use yunling_store::{Lane, StoreError};

/// Recordings that are read at a time.
const TURN: u64 = 200;

/// So many failures in a row are the store's.
const FAILURES: u32 = 3;

/// How often the deletion of an expired recording is tried again; the last pause is half a minute.
const DELETE_TRIES: u32 = 6;
/// The first pause.
const DELETE_PAUSE: Duration = Duration::from_secs(1);

/// A recording was not moved; it can be had from the disk meanwhile, and is tried again.
#[derive(Debug, thiserror::Error)]
pub enum NotMoved {
    /// The object store did not take it.
    #[error("the object store: {0}")]
    Objects(String),
    /// Neither the file nor the folder of its day is there.
    #[error("the folder {0} is not there: is its disk mounted?")]
    NoFolder(String),
    /// The move was not noted: the file is in both places.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Moves a recording from the disk to the object store, where there is one: first there, then
/// noted, then gone from here. It may be done twice. Gives whether it was moved now.
///
/// # Errors
/// [`NotMoved`].
pub async fn move_out(app: &App, recording: &Recording) -> Result<bool, NotMoved> {
    let Some(objects) = app.objects().filter(|_| recording.place == RecordingPlace::Disk) else {
        return Ok(false);
    };
    let begun = &recording.begun;
    let path = app.settings().recordings.folder().join(&begun.key);
    let Ok(_turn) = app.recording_desk().moves.acquire().await else {
        return Ok(false);
    };
    match objects.put(&begun.key, &path, recording.octets).await {
        Ok(()) => {}
        Err(ObjectError::NotFound) if !path.exists() => {
            note_missing(app, recording, &path).await?;
            return Ok(false);
        }
        Err(ObjectError::NotFound) => return Err(NotMoved::Objects("no such bucket".to_owned())),
        Err(ObjectError::Unavailable(error)) => return Err(NotMoved::Objects(error)),
    }
    let (account, id) = (begun.account.clone(), begun.id.clone());
    let is_kept = app
        .store()
        .writer()
        .write_patiently(Lane::Bulk, move |tx| {
            Box::pin(async move {
                recordings::mark_moved(tx, &account, &id, RecordingPlace::Objects).await
            })
        })
        .await?;
    if !is_kept {
        // Its time was over while it was moved: nobody would ask for it, or delete it, again.
        delete_for_good(objects.as_ref(), &begun.key).await?;
    }
    if let Err(error) = tokio::fs::remove_file(&path).await
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(path = %path.display(), %error, "a recording that was moved is still here");
    }
    Ok(true)
}

/// The file is not there: somebody else has moved it meanwhile, or somebody has removed it, and then
/// it is told of once and not looked for again. Where the folder of its day is not there either, a
/// whole disk may be missing, which can come back.
async fn note_missing(app: &App, recording: &Recording, path: &Path) -> Result<(), NotMoved> {
    if !path.parent().is_some_and(Path::exists) {
        let folder = path.parent().unwrap_or(path).display();
        return Err(NotMoved::NoFolder(folder.to_string()));
    }
    let (account, id) = (recording.begun.account.clone(), recording.begun.id.clone());
    let now = app.clock().now();
    let is_missing = app
        .store()
        .writer()
        .write_patiently(Lane::Bulk, move |tx| {
            Box::pin(async move {
                recordings::mark_missing(tx, &account, &id, now, "its file was removed").await
            })
        })
        .await?;
    if is_missing {
        let recording = &recording.begun.id;
        tracing::warn!(%recording, path = %path.display(), "a recording's file was removed: nothing is left to be moved");
        metrics::counter!("yunling_recordings_missing_total").increment(1);
    }
    Ok(())
}

async fn delete_for_good(objects: &dyn Objects, key: &str) -> Result<(), NotMoved> {
    let mut tries = 0;
    loop {
        match objects.delete(key).await {
            Ok(()) | Err(ObjectError::NotFound) => return Ok(()),
            Err(ObjectError::Unavailable(error)) if tries == DELETE_TRIES => {
                tracing::error!(
                    key,
                    error,
                    "an expired recording lies in the object store, and nothing will delete it: delete it by hand"
                );
                return Err(NotMoved::Objects(error));
            }
            Err(ObjectError::Unavailable(_)) => {
                tokio::time::sleep(DELETE_PAUSE * 2_u32.pow(tries)).await;
                tries += 1;
            }
        }
    }
}

/// Moves what this node still has on its disk. Gives how many were moved.
///
/// # Errors
/// Those of a read. What is not moved is tried again the next time.
pub async fn move_leftovers(app: &App) -> Result<u64, StoreError> {
    if app.objects().is_none() {
        return Ok(0);
    }
    let node = app.settings().node.0.to_string();
    let (mut moved, mut failed, mut seen) = (0, 0, None::<(Micros, RecordingId)>);
    let mut without_folder = 0_u64;
    'turns: loop {
        let after = seen.as_ref().map(|(at, id)| (*at, id));
        let some = platform_side::on_disk(app.store().reader(), &node, after, TURN).await?;
        let Some(last) = some.last() else { break };
        seen = Some((last.begun.created_at, last.begun.id.clone()));
        for recording in &some {
            match move_out(app, recording).await {
                Ok(is_moved) => {
                    moved += u64::from(is_moved);
                    failed = 0;
                }
                // Of a day or of all: not the store's fault, and told of together.
                Err(NotMoved::NoFolder(_)) => without_folder += 1,
                Err(error) => {
                    tell(recording, &error);
                    // What is wrong with the store is wrong for the next one too; what is wrong with
                    // a file is not.
                    failed += 1;
                    if failed == FAILURES {
                        break 'turns;
                    }
                }
            }
        }
    }
    if without_folder > 0 {
        let folder = app.settings().recordings.folder().display();
        tracing::warn!(recordings = without_folder, %folder, "the folders of recordings that are to be moved are not there: is their disk mounted?");
        metrics::counter!("yunling_recordings_not_moved_total").increment(without_folder);
    }
    Ok(moved)
}

/// Moves a recording that has just become complete, without anybody waiting for it.
pub(super) fn in_background(app: &App, recording: Recording) {
    if app.objects().is_none() {
        return;
    }
    let app = app.clone();
    tokio::spawn(async move {
        if let Err(error) = move_out(&app, &recording).await {
            tell(&recording, &error);
        }
    });
}

fn tell(recording: &Recording, error: &NotMoved) {
    tracing::warn!(recording = %recording.begun.id, %error, "a recording stays on the disk for now");
    metrics::counter!("yunling_recordings_not_moved_total").increment(1);
}
