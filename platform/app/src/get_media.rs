//! One recording of an application's library, and what is known of it.

use crate::documents::{MediaDoc, ResourceKind};
use crate::import_media::MediaReport;
use crate::principal::{Granted, ReadMedia, ScopeKind};
use crate::{App, Refusal};
use std::collections::HashMap;
use yunling_domain::error_code::{NOT_FOUND, UNKNOWN_APPLICATION};
use yunling_domain::{ApplicationId, Micros};
use yunling_store::media_blobs::{self, MediaBlob, MediaFacts};
use yunling_store::resources::{self, Resource};

/// A recording of a library.
#[derive(Debug, Clone, PartialEq)]
pub struct MediaView {
    /// Whose library.
    pub application: ApplicationId,
    /// What `contents` calls it.
    pub name: String,
    /// SHA-256 of the file.
    pub sha256: String,
    /// Whether it was brought to the usual loudness.
    pub normalised: bool,
    /// How long it plays, milliseconds.
    pub length_ms: u32,
    /// What was found in it; absent where an earlier release took it in.
    pub report: Option<MediaReport>,
    /// Who manages it: `console`, or `file:` and the set.
    pub managed_by: String,
    /// One more with every change.
    pub version: i64,
    /// The last change.
    pub updated_at: Micros,
}

/// The recording of this name.
///
/// # Errors
/// `UNKNOWN_APPLICATION`, `NOT_FOUND`: the account has none such.
pub async fn run(
    app: &App,
    caller: &Granted<ReadMedia>,
    application: &ApplicationId,
    name: &str,
) -> Result<MediaView, Refusal> {
    let (row, doc) = stored(app, caller, application, name).await?;
    let facts = media_blobs::facts(app.store().reader(), vec![doc.stored_name()]).await?;
    Ok(MediaView::of(application, row, doc, &facts))
}

/// The recording of this name with its bytes.
///
/// # Errors
/// As [`run`].
pub(crate) async fn blob(
    app: &App,
    caller: &Granted<ReadMedia>,
    application: &ApplicationId,
    name: &str,
) -> Result<MediaBlob, Refusal> {
    let (_, doc) = stored(app, caller, application, name).await?;
    media_blobs::get(app.store().reader(), &doc.stored_name()).await?.ok_or_else(not_found)
}

/// The row of a recording.
pub(crate) async fn stored<S: ScopeKind>(
    app: &App,
    caller: &Granted<S>,
    application: &ApplicationId,
    name: &str,
) -> Result<(Resource, MediaDoc), Refusal> {
    known_application(app, caller, application)?;
    let key = key(application, name);
    let account = caller.account().as_str();
    let kind = ResourceKind::Media.as_str();
    let row = resources::get(app.store().reader(), kind, account, &key).await?;
    row.and_then(read).ok_or_else(not_found)
}

/// A row with its document; one that a newer release wrote is left out.
pub(crate) fn read(row: Resource) -> Option<(Resource, MediaDoc)> {
    match serde_json::from_value(row.doc.clone()) {
        Ok(doc) => Some((row, doc)),
        Err(error) => {
            tracing::error!(key = %row.key, %error, "a stored media document cannot be read");
            None
        }
    }
}

/// The key of a recording among the resources of its account.
pub(crate) fn key(application: &ApplicationId, name: &str) -> String {
    format!("{application}/{name}")
}

pub(crate) fn known_application<S: ScopeKind>(
    app: &App,
    caller: &Granted<S>,
    application: &ApplicationId,
) -> Result<(), Refusal> {
    match app.directory().application(caller.account(), application) {
        Some(_) => Ok(()),
        None => Err(Refusal::new(UNKNOWN_APPLICATION)),
    }
}

fn not_found() -> Refusal {
    Refusal::new(NOT_FOUND).with_detail("the application's media library has no file of this name")
}

impl MediaView {
    pub(crate) fn of(
        application: &ApplicationId,
        row: Resource,
        doc: MediaDoc,
        facts: &HashMap<String, MediaFacts>,
    ) -> Self {
        let found = facts.get(&doc.stored_name());
        let report = found.and_then(|facts| facts.report.clone());
        Self {
            application: application.clone(),
            name: doc.name.as_str().to_owned(),
            normalised: doc.normalise.unwrap_or(true),
            sha256: doc.sha256,
            length_ms: found.map_or(0, |facts| facts.ms),
            report: report.and_then(|report| serde_json::from_value(report).ok()),
            managed_by: row.owner,
            version: row.version,
            updated_at: row.updated_at,
        }
    }
}
