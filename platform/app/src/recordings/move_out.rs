use crate::App;
use crate::ports::{ObjectError, Objects};
use std::time::Duration;
use yunling_store::recordings::{self, Recording, RecordingPlace};
use yunling_store::{Lane, StoreError};

/// Recordings that one turn looks at.
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
    /// The move was not noted: the file is in both places.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Moves a recording from the disk to the object store, where there is one: first there, then
/// noted, then gone from here. It may be done twice.
///
/// # Errors
/// [`NotMoved`].
pub async fn move_out(app: &App, recording: &Recording) -> Result<(), NotMoved> {
    let Some(objects) = app.objects().filter(|_| recording.place == RecordingPlace::Disk) else {
        return Ok(());
    };
    let begun = &recording.begun;
    let path = app.settings().recordings.folder().join(&begun.key);
    let Ok(_turn) = app.recording_desk().moves.acquire().await else {
        return Ok(());
    };
    match objects.put(&begun.key, &path, recording.octets).await {
        Ok(()) => {}
        // Somebody else has moved it meanwhile.
        Err(ObjectError::NotFound) if !path.exists() => return Ok(()),
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
    let (mut moved, mut failed) = (0, 0);
    for recording in recordings::platform_side::on_disk(app.store().reader(), &node, TURN).await? {
        match move_out(app, &recording).await {
            Ok(()) => {
                moved += 1;
                failed = 0;
            }
            Err(error) => {
                tell(&recording, &error);
                failed += 1;
                // What is wrong with the store is wrong for the next one too; what is wrong with a
                // file is not.
                if failed == FAILURES {
                    break;
                }
            }
        }
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
