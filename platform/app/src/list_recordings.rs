//! Recordings of an account, newest first.

use crate::principal::{Granted, ReadRecordings};
use crate::{App, Refusal};
use yunling_store::recordings::{self, Recording, RecordingFilter};
use yunling_store::{Page, PageRequest};

/// One page of the recordings that the filter picks.
///
/// # Errors
/// `BAD_PARAMETER` for a cursor that is none of ours.
pub async fn run(
    app: &App,
    caller: &Granted<ReadRecordings>,
    filter: &RecordingFilter,
    page: &PageRequest,
) -> Result<Page<Recording>, Refusal> {
    Ok(recordings::list(app.store().reader(), caller.account(), filter, page).await?)
}
