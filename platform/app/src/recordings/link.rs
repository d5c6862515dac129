//! Links to recordings, signed: whoever has one can listen without credentials, until it expires.

use crate::{App, Refusal, signed_link};
use yunling_domain::RecordingId;
use yunling_store::recordings::Recording;

/// What the signing key is for.
const PURPOSE: &str = "recording links";

/// A link that holds for as long as the application's recordings' links do.
pub fn fresh(app: &App, recording: &Recording) -> String {
    let begun = &recording.begun;
    let directory = app.directory();
    let own = directory
        .application(&begun.account, &begun.application)
        .and_then(|application| application.recording_link_s);
    let holds_s = own.unwrap_or(app.settings().recordings.link_s);
    let (base, path) = (app.settings().public_url(), &begun.key);
    format!("{base}/record/{path}{}", signed_link::query(app, PURPOSE, path, holds_s))
}

/// Whether a link is one of ours and holds still; gives the recording that its path names.
///
/// # Errors
/// `LINK_INVALID`, `LINK_EXPIRED`.
pub fn check(
    app: &App,
    path: &str,
    expires: Option<&str>,
    signature: Option<&str>,
) -> Result<RecordingId, Refusal> {
    signed_link::check(app, PURPOSE, path, expires, signature)?;
    let file = path.rsplit('/').next().unwrap_or_default();
    let id = file.split("_D_").next().unwrap_or_default();
    Ok(RecordingId::new(id))
}
