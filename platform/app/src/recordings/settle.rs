use super::publish::{End, publish};
use crate::App;
use std::path::PathBuf;
use yunling_domain::Micros;
use yunling_store::StoreError;
use yunling_store::recordings::{Recording, platform_side};

/// Bytes of a recording's head.
const HEAD_OCTETS: u64 = 44;
/// Two channels of 16 bits at 8 kHz.
const OCTETS_PER_MS: u64 = 32;

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

async fn end_of(app: &App, recording: &Recording, found: &[Found]) -> End {
    let path = app.settings().recordings.folder().join(&recording.begun.key);
    let interrupted = || {
        let at: Micros = recording.begun.created_at;
        Some(format!("the node stopped while it recorded, begun {}", at.rfc3339(chrono_tz::UTC)))
    };
    if let Some(found) = found.iter().find(|found| found.path == path) {
        let failure = interrupted();
        return End { duration_ms: found.duration_ms, octets: found.octets, lost_ms: 0, failure };
    }
    // Complete, and only the note of it was lost.
    match tokio::fs::metadata(&path).await {
        Ok(file) if file.len() >= HEAD_OCTETS => End {
            duration_ms: (file.len() - HEAD_OCTETS) / OCTETS_PER_MS,
            octets: file.len(),
            lost_ms: 0,
            failure: None,
        },
        _ => End { duration_ms: 0, octets: 0, lost_ms: 0, failure: interrupted() },
    }
}
