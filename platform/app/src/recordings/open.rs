use super::range::{NotSatisfiable, part};
use crate::ports::ObjectError;
use crate::{App, Refusal};
use std::io::SeekFrom;
use std::pin::Pin;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncSeekExt as _};
use yunling_domain::error_code::{
    RANGE_NOT_SATISFIABLE, RECORDING_DELETED, RECORDING_NOT_READY, RECORDING_STORE_UNAVAILABLE,
};
use yunling_store::recordings::{self, Recording, RecordingPlace, RecordingState};

/// A recording's bytes on their way out.
pub struct Sound {
    /// The file's name.
    pub name: String,
    /// The whole file's length.
    pub whole: u64,
    /// The first and the last byte of what is sent, where only a part was asked for.
    pub part: Option<(u64, u64)>,
    /// They come as they are read.
    pub bytes: Pin<Box<dyn AsyncRead + Send>>,
}

impl std::fmt::Debug for Sound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sound({}, {:?} of {})", self.name, self.part, self.whole)
    }
}

impl Sound {
    /// How many bytes are sent.
    pub fn length(&self) -> u64 {
        self.part.map_or(self.whole, |(first, last)| last - first + 1)
    }
}

/// Opens a recording, whole or the part that a `Range` header asks for.
///
/// # Errors
/// `RECORDING_NOT_READY`, `RECORDING_DELETED`, `RANGE_NOT_SATISFIABLE`;
/// `RECORDING_STORE_UNAVAILABLE` where the file cannot be read now, or lies on another node.
pub async fn open(app: &App, recording: &Recording, range: Option<&str>) -> Result<Sound, Refusal> {
    match recording.state {
        RecordingState::Ready => {}
        RecordingState::Deleted => return Err(Refusal::new(RECORDING_DELETED)),
        RecordingState::Writing => {
            return Err(Refusal::new(RECORDING_NOT_READY).with_detail("the call is not over"));
        }
        RecordingState::Failed => {
            let why = recording.failure.as_deref().unwrap_or("nothing was recorded");
            tracing::debug!(recording = %recording.begun.id, why, "a recording without a file");
            return Err(Refusal::new(RECORDING_NOT_READY).with_detail("there is no file of it"));
        }
    }
    let whole = recording.octets;
    let part = part(range, whole).map_err(|NotSatisfiable| {
        Refusal::new(RANGE_NOT_SATISFIABLE).with_detail(format!("the file has {whole} bytes"))
    })?;
    let key = &recording.begun.key;
    let name = key.rsplit('/').next().unwrap_or(key).to_owned();
    if recording.place == RecordingPlace::Disk {
        if let Some(bytes) = on_disk(app, key, part).await? {
            return Ok(Sound { name, whole, part, bytes });
        }
        // It may have been moved in between.
        let (account, id) = (&recording.begun.account, &recording.begun.id);
        let again = recordings::get(app.store().reader(), account, id).await?;
        if again.is_none_or(|again| again.place == RecordingPlace::Disk) {
            return Err(lost(app, recording));
        }
    }
    let objects = app.objects().ok_or_else(|| {
        tracing::error!(key, "a recording lies in an object store, and none is configured");
        Refusal::new(RECORDING_STORE_UNAVAILABLE)
    })?;
    match objects.get(key, part).await {
        Ok(bytes) => Ok(Sound { name, whole, part, bytes }),
        Err(ObjectError::NotFound) => Err(lost(app, recording)),
        Err(ObjectError::Unavailable(error)) => {
            tracing::error!(key, error, "the object store gives no recording");
            Err(Refusal::new(RECORDING_STORE_UNAVAILABLE))
        }
    }
}

/// Nothing where the file is not there.
async fn on_disk(
    app: &App,
    key: &str,
    part: Option<(u64, u64)>,
) -> Result<Option<Pin<Box<dyn AsyncRead + Send>>>, Refusal> {
    let path = app.settings().recordings.folder().join(key);
    let unreadable = |error: std::io::Error| {
        tracing::error!(path = %path.display(), %error, "a recording cannot be read");
        Refusal::new(RECORDING_STORE_UNAVAILABLE)
    };
    let mut file = match tokio::fs::File::open(&path).await {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    let Some((first, last)) = part else {
        return Ok(Some(Box::pin(file)));
    };
    file.seek(SeekFrom::Start(first)).await.map_err(unreadable)?;
    Ok(Some(Box::pin(file.take(last - first + 1))))
}

fn lost(app: &App, recording: &Recording) -> Refusal {
    let own = app.settings().node.0.to_string();
    let begun = &recording.begun;
    if recording.place == RecordingPlace::Disk && begun.node != own {
        return Refusal::new(RECORDING_STORE_UNAVAILABLE)
            .with_detail(format!("the recording lies on the disk of node {}", begun.node));
    }
    tracing::error!(key = begun.key, "a recording's file is not where it was put");
    Refusal::new(RECORDING_STORE_UNAVAILABLE)
}
