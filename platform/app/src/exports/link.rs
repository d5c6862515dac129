//! Links to finished exports: whoever has one can download without credentials, until it expires.

use crate::{App, Refusal, signed_link};
use yunling_store::exports::Export;

use super::sheet;

/// What the signing key is for.
const PURPOSE: &str = "export links";

/// The file's name below the folder, in the object store, and in links.
pub(super) fn name(export: &Export) -> String {
    let ordered = &export.ordered;
    format!("{}.{}", ordered.id, sheet::extension(ordered.format))
}

/// A link that holds for as long as the settings say.
pub fn fresh(app: &App, export: &Export) -> String {
    let (base, name) = (app.settings().public_url(), name(export));
    let holds_s = app.settings().exports.link_s;
    format!("{base}/export/{name}{}", signed_link::query(app, PURPOSE, &name, holds_s))
}

/// Whether a link is one of ours and holds still; gives the identifier of its export.
///
/// # Errors
/// `LINK_INVALID`, `LINK_EXPIRED`.
pub fn check<'a>(
    app: &App,
    name: &'a str,
    expires: Option<&str>,
    signature: Option<&str>,
) -> Result<&'a str, Refusal> {
    signed_link::check(app, PURPOSE, name, expires, signature)?;
    Ok(name.split('.').next().unwrap_or_default())
}
