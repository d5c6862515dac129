//! Puts a recording into an application's media library, in place of the one that had its name. Calls
//! that have begun keep what they began with.

use crate::apply::Owner;
use crate::documents::{MediaDoc, MediaName, ResourceKind, fields};
use crate::get_media::{self, MediaView};
use crate::import_media;
use crate::principal::{Granted, WriteMedia};
use crate::yaml::Parsed;
use crate::{App, Refusal};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::sync::Arc;
use yunling_assets::Level;
use yunling_domain::error_code::{BAD_PARAMETER, CONFLICT, MEDIA_EXISTS};
use yunling_domain::{ApplicationId, Micros};
use yunling_store::audit::{self, AuditEntry};
use yunling_store::resources::{self, NewResource, Resource};
use yunling_store::{Lane, StoreError, media_blobs};

/// Somebody else may change or sweep between our reading and our writing so often.
const MOST_TRIES: u32 = 3;

/// A recording to be taken in.
#[derive(Debug, Clone)]
pub struct Upload {
    /// Whose library.
    pub application: ApplicationId,
    /// What `contents` will call it.
    pub name: String,
    /// The file.
    pub bytes: Arc<[u8]>,
    /// What becomes of its loudness.
    pub level: Level,
    /// What has to be there before.
    pub condition: Condition,
}

/// What has to be there for an upload to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Anything, or nothing.
    Whatever,
    /// Nothing of that name.
    Nothing,
    /// The recording in this version.
    Version(i64),
}

/// What an upload has made.
#[derive(Debug, Clone, PartialEq)]
pub enum Uploaded {
    /// There was none of that name.
    Created(MediaView),
    /// It took the place of another, or was there already, the same.
    Replaced(MediaView),
}

/// Takes a recording in. The same file again changes nothing.
///
/// # Errors
/// `UNKNOWN_APPLICATION`, `BAD_PARAMETER` for the name, `MEDIA_UNUSABLE` and `BODY_TOO_LARGE` for the
/// file, `MEDIA_EXISTS` and `CONFLICT` where the condition does not hold.
pub async fn run(
    app: &App,
    caller: &Granted<WriteMedia>,
    upload: Upload,
) -> Result<Uploaded, Refusal> {
    get_media::known_application(app, caller, &upload.application)?;
    let name: MediaName = upload
        .name
        .parse()
        .map_err(|problem: String| Refusal::field(BAD_PARAMETER, "mediaName", problem))?;
    let key = get_media::key(&upload.application, name.as_str());
    let (kind, account) = (ResourceKind::Media.as_str(), caller.account().as_str().to_owned());
    let doc = MediaDoc {
        name: Parsed(name),
        sha256: media_blobs::content_name(&upload.bytes),
        normalise: (upload.level == Level::AsItIs).then_some(false),
    };
    let stored_name = doc.stored_name();

    for _ in 0..MOST_TRIES {
        let before = resources::get(app.store().reader(), kind, &account, &key).await?;
        check(upload.condition, before.as_ref())?;
        if !media_blobs::exists(app.store().reader(), &stored_name).await? {
            take_in(app, &stored_name, &upload).await?;
        }
        let now = app.clock().now();
        let same = before.as_ref().is_some_and(|row| has_fields(&row.doc, &doc));
        if !same {
            let new = row(&account, &key, &doc, before.as_ref());
            let entry = entry(caller, &new, before.as_ref(), now);
            let expected = before.as_ref().map_or(0, |row| row.version);
            if !commit(app, new, entry, expected, stored_name.clone(), now).await? {
                continue;
            }
            app.follow().await;
        }
        let reader = app.store().reader();
        let facts = media_blobs::facts(reader, vec![stored_name]).await?;
        let row = resources::get(reader, kind, &account, &key).await?;
        let Some((row, doc)) = row.and_then(get_media::read) else {
            return Err(moving());
        };
        let view = MediaView::of(&upload.application, row, doc, &facts);
        return Ok(match before {
            None => Uploaded::Created(view),
            Some(_) => Uploaded::Replaced(view),
        });
    }
    Err(moving())
}

fn moving() -> Refusal {
    Refusal::new(CONFLICT)
        .with_detail("the recording is being changed by somebody else at the same time")
}

fn check(condition: Condition, before: Option<&Resource>) -> Result<(), Refusal> {
    match (condition, before) {
        (Condition::Whatever, _) | (Condition::Nothing, None) => Ok(()),
        (Condition::Nothing, Some(row)) => Err(Refusal::field(
            MEDIA_EXISTS,
            "If-None-Match",
            format!(
                "the library has a file of this name, of version {}: leave If-None-Match out to replace it",
                row.version
            ),
        )),
        (Condition::Version(expected), Some(row)) if row.version == expected => Ok(()),
        (Condition::Version(expected), found) => {
            let found = found.map_or("none".to_owned(), |row| format!("version {}", row.version));
            let detail = format!("expected version {expected} to be there, found {found}");
            Err(Refusal::field(CONFLICT, "If-Match", detail))
        }
    }
}

fn has_fields(stored: &Value, doc: &MediaDoc) -> bool {
    stored.as_object().is_some_and(|stored| *stored == fields(doc))
}

/// Audio first, in a transaction of its own: it lies there under its hash and harms nobody if the
/// rest does not come about.
async fn take_in(app: &App, stored_name: &str, upload: &Upload) -> Result<(), Refusal> {
    let (blob, _) = import_media::run(app, Arc::clone(&upload.bytes), upload.level).await?;
    let stored_name = stored_name.to_owned();
    app.store()
        .writer()
        .write_patiently(Lane::Bulk, move |tx| {
            Box::pin(async move { media_blobs::put(tx, &stored_name, blob).await })
        })
        .await?;
    Ok(())
}

/// The new row. What a file set manages, it goes on to manage: its next `apply` finds the recording
/// changed here and leaves it.
fn row(account: &str, key: &str, doc: &MediaDoc, before: Option<&Resource>) -> NewResource {
    NewResource {
        kind: ResourceKind::Media.as_str().to_owned(),
        account_sid: account.to_owned(),
        key: key.to_owned(),
        doc: Value::Object(fields(doc)),
        applied: before.and_then(|row| row.applied.clone()),
        owner: before.map_or_else(|| Owner::Console.to_string(), |row| row.owner.clone()),
    }
}

fn entry(
    caller: &Granted<WriteMedia>,
    new: &NewResource,
    before: Option<&Resource>,
    now: Micros,
) -> AuditEntry {
    let action = if before.is_some() { "resource.update" } else { "resource.create" };
    let sha256_before = before.map(|row| row.doc["sha256"].clone());
    AuditEntry {
        at: now,
        account: caller.account().clone(),
        who: caller.who().to_owned(),
        action: action.to_owned(),
        object: format!("{}/{}", ResourceKind::Media, new.key),
        detail: json!({ "sha256": new.doc["sha256"], "before": sha256_before }),
    }
}

/// Writes the row where it is still of that version and its audio still there; else nothing, and
/// false.
async fn commit(
    app: &App,
    new: NewResource,
    entry: AuditEntry,
    expected: i64,
    stored_name: String,
    now: Micros,
) -> Result<bool, Refusal> {
    let written = app
        .store()
        .writer()
        .write(Lane::Live, move |tx| {
            Box::pin(async move {
                resources::upsert(tx, &new, Some(expected), now).await?;
                // The row that `upsert` moved keeps sweeps away from here on.
                if !media_blobs::exists(tx, &stored_name).await? {
                    return Err(StoreError::Conflict("the audio was swept".to_owned()));
                }
                audit::append(tx, &entry).await
            })
        })
        .await;
    match written {
        Ok(()) => {
            sweep(app, now).await;
            Ok(true)
        }
        Err(StoreError::Conflict(_)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Deletes the audio that nobody has referred to for long, behind whatever is live. What fails is
/// done by the next sweep.
pub(crate) async fn sweep(app: &App, now: Micros) {
    let swept = app
        .store()
        .writer()
        .write(Lane::Bulk, move |tx| {
            Box::pin(async move {
                // Keeps uploads away until the end.
                resources::moved(tx).await?;
                let rows = resources::of_kind(tx, ResourceKind::Media.as_str()).await?;
                let docs = rows.into_iter().filter_map(get_media::read);
                let referred_to: HashSet<String> = docs.map(|(_, doc)| doc.stored_name()).collect();
                media_blobs::sweep(tx, &referred_to, now).await
            })
        })
        .await;
    if let Err(error) = swept {
        tracing::warn!(%error, "unused recordings were not swept");
    }
}
