//! Recordings on their way in: decoded, measured and encoded apart from the threads that serve calls.
//! The one way for all of them, uploads and documents.

use crate::{App, Refusal};
use aws_lc_rs::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use yunling_assets::{ACCEPTED, AudioError, ImportOptions, Imported, Level, Loudness};
use yunling_domain::error_code::{INTERNAL, OVERLOADED};
use yunling_store::media_blobs::MediaBlob;

/// Recordings that are decoded at the same time: a second of sound takes some 10 ms of one core, and
/// the calls come first.
const DECODED_AT_ONCE: usize = 1;
/// Uploads that are held in memory at the same time, the one that is decoded too. One more is
/// refused.
const MOST_HELD: usize = 6;
/// How soon somebody whose upload was refused may try again, seconds.
const RETRY_S: u32 = 5;

/// Room for recordings on their way in.
#[derive(Debug)]
pub struct ImportRoom {
    decoding: Arc<Semaphore>,
    held: Arc<Semaphore>,
}

impl Default for ImportRoom {
    fn default() -> Self {
        let room = |places| Arc::new(Semaphore::new(places));
        Self { decoding: room(DECODED_AT_ONCE), held: room(MOST_HELD) }
    }
}

/// A place for one upload, from its first byte until it is stored.
#[derive(Debug)]
pub struct Place(#[expect(dead_code, reason = "held for its end")] OwnedSemaphorePermit);

impl ImportRoom {
    /// A place for one more upload.
    ///
    /// # Errors
    /// `OVERLOADED` with a time to try again, where every place is taken.
    pub fn enter(&self) -> Result<Place, Refusal> {
        Arc::clone(&self.held).try_acquire_owned().map(Place).map_err(|_| {
            Refusal::new(OVERLOADED)
                .with_detail(format!("{MOST_HELD} uploads are being taken in already"))
                .retry_after(RETRY_S)
        })
    }
}

/// What was found in a recording when it was taken in, as it is stored and shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MediaReport {
    /// `WAV`, `MP3`, `Ogg Vorbis` or `FLAC`.
    pub format: String,
    /// The file's size.
    pub bytes: u64,
    /// The file's sample rate, Hz.
    pub rate_hz: u32,
    /// The file's channels.
    pub channels: u16,
    /// Its loudness as it came, LUFS.
    pub lufs_before: f64,
    /// Its loudness as it is played, LUFS.
    pub lufs_after: f64,
    /// Its highest peak as it is played, dB below full scale.
    pub true_peak_dbtp: f64,
    /// What its owner should know.
    pub warnings: Vec<MediaWarning>,
}

/// Something that the owner of a recording should know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MediaWarning {
    /// Its stable name.
    pub code: String,
    /// For people.
    pub text: String,
}

impl MediaReport {
    fn of(bytes: usize, imported: &Imported) -> Self {
        let Loudness { integrated_lufs, true_peak_dbtp } = imported.after;
        let tenth = |value: f32| (f64::from(value) * 10.0).round() / 10.0;
        let warnings = imported.warnings.iter().map(|warning| MediaWarning {
            code: warning.code().to_owned(),
            text: warning.to_string(),
        });
        Self {
            format: imported.format.name().to_owned(),
            bytes: bytes as u64,
            rate_hz: imported.original_rate_hz,
            channels: imported.channels,
            lufs_before: tenth(imported.before.integrated_lufs),
            lufs_after: tenth(integrated_lufs),
            true_peak_dbtp: tenth(true_peak_dbtp),
            warnings: warnings.collect(),
        }
    }
}

/// A recording was not taken in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ImportError {
    /// Fault of the file.
    #[error("{0}")]
    Unfit(#[from] AudioError),
    /// Fault of the file.
    #[error(
        "the file has {bytes} bytes: expected at most {most} (the setting media.max_upload_mib) of {ACCEPTED}"
    )]
    TooLarge {
        /// What came.
        bytes: usize,
        /// What is taken.
        most: usize,
    },
    /// Fault of ours; the log has more.
    #[error("taking it in failed for a fault of the platform's")]
    Ours,
}

impl From<ImportError> for Refusal {
    fn from(error: ImportError) -> Self {
        use yunling_domain::error_code::{BODY_TOO_LARGE, MEDIA_UNUSABLE};
        let code = match &error {
            ImportError::Unfit(_) => MEDIA_UNUSABLE,
            ImportError::TooLarge { .. } => BODY_TOO_LARGE,
            ImportError::Ours => return Self::new(INTERNAL),
        };
        Self::field(code, "body", error.to_string())
    }
}

/// Under which name the audio of a file is stored that was taken in at this level.
pub(crate) fn stored_name(sha256: &str, level: Level) -> String {
    match level {
        Level::Normalised => sha256.to_owned(),
        Level::AsItIs => {
            let mut context = Context::new(&SHA256);
            context.update(b"as it is ");
            context.update(sha256.as_bytes());
            hex::encode(context.finish())
        }
    }
}

/// Takes a recording in: waits for its turn, then decodes it on a thread for such work.
pub(crate) async fn run(
    app: &App,
    bytes: Arc<[u8]>,
    level: Level,
) -> Result<(MediaBlob, MediaReport), ImportError> {
    let settings = &app.settings().media;
    let most = settings.max_upload_bytes();
    if bytes.len() > most {
        return Err(ImportError::TooLarge { bytes: bytes.len(), most });
    }
    let options = ImportOptions { longest_s: settings.max_length_s.into(), level };
    let decoding = Arc::clone(&app.import_room().decoding);
    let turn = decoding.acquire_owned().await.map_err(|_| ImportError::Ours)?;
    let work = move || {
        let _turn = turn;
        let imported = yunling_assets::import(&bytes, options)?;
        let report = MediaReport::of(bytes.len(), &imported);
        let blob = MediaBlob {
            original: bytes.to_vec(),
            alaw: imported.alaw.to_vec(),
            ulaw: imported.ulaw.to_vec(),
            ms: u32::try_from(imported.duration_ms).unwrap_or(u32::MAX),
            report: serde_json::to_value(&report).ok(),
        };
        Ok((blob, report))
    };
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        tracing::error!(%error, "taking a recording in panicked");
        Err(ImportError::Ours)
    })
}
