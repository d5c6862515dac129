//! Takes a recording out of an application's media library, where nothing plays it any more.

use crate::apply::Owner;
use crate::documents::ResourceKind;
use crate::get_media;
use crate::principal::{Granted, WriteMedia};
use crate::upload_media::sweep;
use crate::{App, Refusal};
use serde_json::json;
use yunling_domain::ApplicationId;
use yunling_domain::contents::{Content, NoticeSpec};
use yunling_domain::error_code::{CONFLICT, MEDIA_IN_USE};
use yunling_store::audit::{self, AuditEntry};
use yunling_store::requests::{self, Request};
use yunling_store::{Lane, resources};

/// Requests that are named in a refusal.
const MOST_NAMED: usize = 5;

/// Takes the recording of this name out.
///
/// # Errors
/// `UNKNOWN_APPLICATION`, `NOT_FOUND`: the account has none such. `MEDIA_IN_USE` while requests whose
/// calls wait or run name it; `CONFLICT` where a file set manages it, which would only bring it back.
pub async fn run(
    app: &App,
    caller: &Granted<WriteMedia>,
    application: &ApplicationId,
    name: &str,
) -> Result<(), Refusal> {
    let (row, _) = get_media::stored(app, caller, application, name).await?;
    if let Ok(Owner::Set(set)) = row.owner.parse() {
        return Err(Refusal::new(CONFLICT).with_detail(format!(
            "the file set {set} manages this recording and would bring it back: take it out of the file, and apply that with --prune"
        )));
    }
    let live = requests::live(app.store().reader(), caller.account(), application).await?;
    let playing: Vec<&Request> = live.iter().filter(|request| plays(request, name)).collect();
    if !playing.is_empty() {
        return Err(in_use(&playing));
    }
    let now = app.clock().now();
    let entry = AuditEntry {
        at: now,
        account: caller.account().clone(),
        who: caller.who().to_owned(),
        action: "resource.delete".to_owned(),
        object: format!("{}/{}", ResourceKind::Media, row.key),
        detail: json!({ "sha256": row.doc["sha256"] }),
    };
    app.store()
        .writer()
        .write(Lane::Live, move |tx| {
            Box::pin(async move {
                if !resources::delete(tx, &row.kind, &row.account_sid, &row.key).await? {
                    return Ok(());
                }
                audit::append(tx, &entry).await?;
                sweep(tx, now).await
            })
        })
        .await?;
    app.follow().await;
    Ok(())
}

/// Whether a request's contents name the recording. One that cannot be read may.
fn plays(request: &Request, name: &str) -> bool {
    let Ok(spec) = serde_json::from_value::<NoticeSpec>(request.accepted.spec.clone()) else {
        return true;
    };
    let in_contents = spec.contents.iter().any(|(content, _)| match content {
        Content::Voice { name: voice } => voice == name,
        _ => false,
    });
    in_contents || spec.finish_voice.as_deref() == Some(name)
}

fn in_use(playing: &[&Request]) -> Refusal {
    let named = playing.iter().take(MOST_NAMED).map(|request| request.accepted.id.as_str());
    let named = named.collect::<Vec<_>>().join(", ");
    let rest = playing.len().saturating_sub(MOST_NAMED);
    let rest = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    Refusal::field(
        MEDIA_IN_USE,
        "mediaName",
        format!(
            "requests whose calls wait or run play this recording: {named}{rest}; try again when they are over"
        ),
    )
}
