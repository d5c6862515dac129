//! Links to recordings: they name their end and carry a signature, so that whoever has one can
//! listen without credentials, until then.

use crate::{App, Refusal};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use yunling_domain::RecordingId;
use yunling_domain::error_code::{LINK_EXPIRED, LINK_INVALID};
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
    let expires_s = app.clock().now().second().saturating_add(holds_s.into());
    let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&key(app), &signed(&begun.key, expires_s)));
    let (base, path) = (app.settings().public_url(), &begun.key);
    format!("{base}/record/{path}?expires={expires_s}&signature={signature}")
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
    let invalid = || Refusal::new(LINK_INVALID);
    let expires_s: i64 = expires.and_then(|text| text.parse().ok()).ok_or_else(invalid)?;
    let mark = signature.and_then(|text| URL_SAFE_NO_PAD.decode(text).ok()).ok_or_else(invalid)?;
    // In constant time.
    hmac::verify(&key(app), &signed(path, expires_s), &mark).map_err(|_| invalid())?;
    if app.clock().now().second() >= expires_s {
        return Err(Refusal::new(LINK_EXPIRED));
    }
    let file = path.rsplit('/').next().unwrap_or_default();
    let id = file.split("_D_").next().unwrap_or_default();
    Ok(RecordingId::new(id))
}

fn signed(path: &str, expires_s: i64) -> Vec<u8> {
    format!("{path}\n{expires_s}").into_bytes()
}

fn key(app: &App) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, &app.keyring().derive(PURPOSE))
}
