use crate::App;
use crate::ports::ObjectError;
use std::sync::Arc;
use yunling_domain::{AccountId, ApplicationId, Micros, RecordingId};
use yunling_store::recordings::{self, Recording, RecordingPlace, platform_side};
use yunling_store::{Lane, StoreError};

const DAY_MS: i64 = 24 * 3_600 * 1_000;
/// Recordings that are looked at in one turn.
const TURN: u64 = 200;

/// Deletes the files of recordings whose time is over; their rows stay and say so. Gives how many.
///
/// An application's recordings are kept as long as it says, else as the node says; those of an
/// application that is gone, as long as the longest. What lies on another node's disk is left to it.
///
/// # Errors
/// The database cannot be read or written.
pub async fn expire(app: &App) -> Result<u64, StoreError> {
    let (directory, now) = (app.directory(), app.clock().now());
    let usual_days = app.settings().recordings.keep_days;
    let mut own: Vec<(AccountId, ApplicationId, u32)> = Vec::new();
    for account in directory.accounts() {
        for application in account.applications.values() {
            let days = application.recording_keep_days.unwrap_or(usual_days);
            own.push((account.id.clone(), application.id.clone(), days));
        }
    }
    let longest_days = own.iter().map(|(_, _, days)| *days).max().unwrap_or(0).max(usual_days);
    let before = |days: u32| now.plus_ms(-i64::from(days) * DAY_MS);
    let mut deleted = delete_before(app, before(longest_days), None).await?;
    for (account, application, days) in own.iter().filter(|(_, _, days)| *days < longest_days) {
        deleted += delete_before(app, before(*days), Some((account, application))).await?;
    }
    Ok(deleted)
}

async fn delete_before(
    app: &App,
    before: Micros,
    of: Option<(&AccountId, &ApplicationId)>,
) -> Result<u64, StoreError> {
    let (mut deleted, mut seen) = (0, None::<(Micros, RecordingId)>);
    loop {
        let after = seen.as_ref().map(|(at, id)| (*at, id));
        let reader = app.store().reader();
        let some = platform_side::begun_before(reader, of, before, after, TURN).await?;
        let Some(last) = some.last() else { return Ok(deleted) };
        seen = Some((last.begun.created_at, last.begun.id.clone()));
        for recording in &some {
            if remove(app, recording).await && forget(app, recording).await? {
                deleted += 1;
            }
        }
    }
}

/// Whether the file is gone.
async fn remove(app: &App, recording: &Recording) -> bool {
    let key = &recording.begun.key;
    let path = app.settings().recordings.folder().join(key);
    let is_own = recording.begun.node == app.settings().node.0.to_string();
    match recording.place {
        RecordingPlace::Disk => match tokio::fs::remove_file(&path).await {
            Ok(()) => true,
            // Gone already; or it lies on the disk of the node that recorded it.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => is_own,
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "a recording cannot be deleted");
                false
            }
        },
        RecordingPlace::Objects => {
            let Some(objects) = app.objects().map(Arc::clone) else { return false };
            match objects.delete(key).await {
                Ok(()) | Err(ObjectError::NotFound) => true,
                Err(ObjectError::Unavailable(error)) => {
                    tracing::warn!(key, error, "a recording cannot be deleted");
                    false
                }
            }
        }
    }
}

async fn forget(app: &App, recording: &Recording) -> Result<bool, StoreError> {
    let (account, id) = (recording.begun.account.clone(), recording.begun.id.clone());
    let now = app.clock().now();
    app.store()
        .writer()
        .write_patiently(Lane::Bulk, move |tx| {
            Box::pin(async move { recordings::mark_deleted(tx, &account, &id, now).await })
        })
        .await
}
