//! A recording to be listened to: as callees hear it, or as it was uploaded.

use crate::get_media;
use crate::principal::{Granted, ReadMedia};
use crate::{App, Refusal};
use yunling_assets::preview_wav;
use yunling_domain::ApplicationId;

/// A WAV file, 8 kHz, 16 bits, mono, of what callees hear.
///
/// # Errors
/// `UNKNOWN_APPLICATION`, `NOT_FOUND`: the account has none such.
pub async fn run(
    app: &App,
    caller: &Granted<ReadMedia>,
    application: &ApplicationId,
    name: &str,
) -> Result<Vec<u8>, Refusal> {
    Ok(preview_wav(&get_media::blob(app, caller, application, name).await?.alaw))
}

/// The file as it was uploaded.
///
/// # Errors
/// As [`run`].
pub async fn original(
    app: &App,
    caller: &Granted<ReadMedia>,
    application: &ApplicationId,
    name: &str,
) -> Result<Vec<u8>, Refusal> {
    Ok(get_media::blob(app, caller, application, name).await?.original)
}
