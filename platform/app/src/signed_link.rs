//! Links that name their end and carry a signature, so that whoever has one needs no credentials,
//! until then. Each purpose has a key of its own: a link to one kind of file opens no other.

use crate::{App, Refusal};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use yunling_domain::error_code::{LINK_EXPIRED, LINK_INVALID};

/// `?expires=…&signature=…` for a path, to hold for so long.
pub(crate) fn query(app: &App, purpose: &str, path: &str, holds_s: u32) -> String {
    let expires_s = app.clock().now().second().saturating_add(holds_s.into());
    let mark = hmac::sign(&key(app, purpose), &signed(path, expires_s));
    format!("?expires={expires_s}&signature={}", URL_SAFE_NO_PAD.encode(mark))
}

/// Whether the path's signature is ours and holds still.
///
/// # Errors
/// `LINK_INVALID`, `LINK_EXPIRED`.
pub(crate) fn check(
    app: &App,
    purpose: &str,
    path: &str,
    expires: Option<&str>,
    signature: Option<&str>,
) -> Result<(), Refusal> {
    let invalid = || Refusal::new(LINK_INVALID);
    let expires_s: i64 = expires.and_then(|text| text.parse().ok()).ok_or_else(invalid)?;
    let mark = signature.and_then(|text| URL_SAFE_NO_PAD.decode(text).ok()).ok_or_else(invalid)?;
    // In constant time.
    hmac::verify(&key(app, purpose), &signed(path, expires_s), &mark).map_err(|_| invalid())?;
    if app.clock().now().second() >= expires_s {
        return Err(Refusal::new(LINK_EXPIRED));
    }
    Ok(())
}

fn signed(path: &str, expires_s: i64) -> Vec<u8> {
    format!("{path}\n{expires_s}").into_bytes()
}

fn key(app: &App, purpose: &str) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, &app.keyring().derive(purpose))
}
