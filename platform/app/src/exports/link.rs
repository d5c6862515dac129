//! Links to finished exports: whoever has one can download without credentials, until it expires.

use crate::principal::{Granted, ScopeKind};
use crate::{App, Refusal, signed_link};
use yunling_store::exports::{Export, ExportFormat, ExportState};

use super::{order, sheet};

/// What the signing key is for.
const PURPOSE: &str = "export links";

/// The file's name below the folder, in the object store, and in links.
pub(super) fn name(export: &Export) -> String {
    let ordered = &export.ordered;
    format!("{}.{}", ordered.id, sheet::extension(ordered.format))
}

/// A fresh link for a caller who may see all that a finished file shows; nothing for others, and
/// where there is no file.
pub fn for_caller<S: ScopeKind>(app: &App, caller: &Granted<S>, export: &Export) -> Option<String> {
    let is_file = export.state == ExportState::Ready && export.ordered.format != ExportFormat::Push;
    (is_file && order::may_see(caller, export).is_ok()).then(|| fresh(app, export))
}

/// A link that holds for as long as the settings say.
pub(super) fn fresh(app: &App, export: &Export) -> String {
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
