use super::publish::{End, publish};
use crate::App;
use std::path::{Path, PathBuf};
use yunling_domain::Micros;
use yunling_store::StoreError;
use yunling_store::recordings::{Recording, platform_side};
use yunling_store::talks;

/// Bytes of a recording's head.
const HEAD_OCTETS: u64 = 44;
/// Two channels of 16 bits at 8 kHz.
const OCTETS_PER_MS: u64 = 32;
/// How long a conversation has been over before anybody wonders about its recording.
const LATE_MS: i64 = 60_000;

/// A file that the engine has made whole again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The file.
    pub path: PathBuf,
    /// What it holds.
    pub duration_ms: u64,
    /// Its length.
    pub octets: u64,
}

/// Publishes what an earlier process of this node was recording when it died, of the files that were
/// made whole. To be called before anything is recorded anew. Gives how many there were.
///
/// # Errors
/// The database cannot be read or written.
pub async fn settle(app: &App, found: &[Found]) -> Result<usize, StoreError> {
    let node = app.settings().node.0.to_string();
    let unfinished = platform_side::unfinished(app.store().reader(), &node).await?;
    for recording in &unfinished {
        let end = end_of(app, recording, found).await;
        publish(app, &recording.begun.account, &recording.begun.id, end).await?;
    }
    if !unfinished.is_empty() {
        let count = unfinished.len();
        tracing::warn!(count, "recordings that an earlier process did not finish were settled");
    }
    Ok(unfinished.len())
}

/// Publishes recordings of this node whose conversation has been over for a while, which nobody
/// writes any more, and whose end was not noted: the database was away when the engine told of it.
/// What is unfinished on the disk is left to the next start, which makes it whole. Gives how many.
///
/// # Errors
/// The database cannot be read or written.
pub async fn settle_late(app: &App) -> Result<u64, StoreError> {
    let node = app.settings().node.0.to_string();
    let (reader, before) = (app.store().reader(), app.clock().now().plus_ms(-LATE_MS));
    let mut settled = 0;
    for recording in platform_side::unfinished(reader, &node).await? {
        let begun = &recording.begun;
        if app.recording_desk().is_under_way(&begun.id) {
            continue;
        }
        let talk = talks::get(reader, &begun.account, &begun.conversation).await?;
        if talk.is_none_or(|talk| talk.ended_at > before) {
            continue;
        }
        let path = app.settings().recordings.folder().join(&begun.key);
        let end = match on_disk(&path).await {
            Some(end) => end,
            None if is_there(&unfinished(&path)).await => continue,
            None => nothing("its file is not there".to_owned()),
        };
        publish(app, &begun.account, &begun.id, end).await?;
        settled += 1;
    }
    if settled > 0 {
        tracing::warn!(settled, "recordings whose end was not noted were settled");
    }
    Ok(settled)
}

/// Where the engine writes a recording until it is complete (`Recording::file` of the contract).
fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

async fn is_there(path: &Path) -> bool {
    tokio::fs::try_exists(path).await.unwrap_or(true)
}

/// What a complete file holds; nothing where there is none.
async fn on_disk(path: &Path) -> Option<End> {
    let file = tokio::fs::metadata(path).await.ok()?;
    (file.len() >= HEAD_OCTETS).then(|| End {
        duration_ms: (file.len() - HEAD_OCTETS) / OCTETS_PER_MS,
        octets: file.len(),
        lost_ms: 0,
        failure: None,
    })
}

fn nothing(failure: String) -> End {
    End { duration_ms: 0, octets: 0, lost_ms: 0, failure: Some(failure) }
}

async fn end_of(app: &App, recording: &Recording, found: &[Found]) -> End {
    let path = app.settings().recordings.folder().join(&recording.begun.key);
    let interrupted = || {
        let at: Micros = recording.begun.created_at;
        format!("the node stopped while it recorded, begun {}", at.rfc3339(chrono_tz::UTC))
    };
    if let Some(found) = found.iter().find(|found| found.path == path) {
        let failure = Some(interrupted());
        return End { duration_ms: found.duration_ms, octets: found.octets, lost_ms: 0, failure };
    }
    // Complete, and only the note of it was lost.
    on_disk(&path).await.unwrap_or_else(|| nothing(interrupted()))
}
