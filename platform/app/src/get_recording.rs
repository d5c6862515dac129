//! One recording: of an account, or by its signed link.

use crate::principal::{Granted, ReadRecordings};
use crate::{App, Refusal};
use yunling_domain::RecordingId;
use yunling_domain::error_code::NOT_FOUND;
use yunling_store::recordings::{self, Recording};

/// The account's recording of this identifier.
///
/// # Errors
/// `NOT_FOUND`, for another account's too.
pub async fn run(
    app: &App,
    caller: &Granted<ReadRecordings>,
    id: &RecordingId,
) -> Result<Recording, Refusal> {
    let found = recordings::get(app.store().reader(), caller.account(), id).await?;
    found.ok_or_else(|| unknown(id))
}

/// The recording that a link names whose signature was checked: the signature stands for the tenant.
///
/// # Errors
/// `NOT_FOUND`: there is none, or its file has another name.
pub async fn by_link(app: &App, id: &RecordingId, path: &str) -> Result<Recording, Refusal> {
    let found = recordings::platform_side::get(app.store().reader(), id).await?;
    found.filter(|recording| recording.begun.key == path).ok_or_else(|| unknown(id))
}

fn unknown(id: &RecordingId) -> Refusal {
    Refusal::new(NOT_FOUND).with_detail(format!("there is no recording {id}"))
}
