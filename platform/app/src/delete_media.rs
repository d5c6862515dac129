//! Takes a recording out of an application's media library, where nothing plays it any more.

use crate::apply::Owner;
use crate::click::ClickSpec;
use crate::documents::ResourceKind;
use crate::get_media;
use crate::principal::{Granted, WriteMedia};
use crate::upload_media::sweep;
use crate::{App, Refusal};
use serde_json::json;
use yunling_domain::campaign::CampaignContents;
use yunling_domain::contents::{Content, NoticeSpec};
use yunling_domain::error_code::{CONFLICT, MEDIA_IN_USE};
use yunling_domain::{ApplicationId, RequestId};
use yunling_store::audit::{self, AuditEntry};
use yunling_store::requests::{self, LiveWindow, Request};
use yunling_store::{Lane, RequestKind, resources};

/// Requests that are named in a refusal.
const MOST_NAMED: usize = 5;

/// Requests that are looked at at once: each holds what its call says.
const PAGE: u64 = 200;

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
    let now = app.clock().now();
    let playing = playing(app, caller, application, name).await?;
    if !playing.is_empty() {
        return Err(in_use(&playing));
    }
    let entry = AuditEntry {
        at: now,
        account: caller.account().clone(),
        who: caller.who().to_owned(),
        action: "resource.delete".to_owned(),
        object: format!("{}/{}", ResourceKind::Media, row.key),
        detail: json!({ "sha256": row.doc["sha256"] }),
    };
    let (account, application, name) =
        (caller.account().clone(), application.clone(), name.to_owned());
    let since = LiveWindow { after: None, accepted_since: Some(now) };
    let since_then = app
        .store()
        .writer()
        .write(Lane::Live, move |tx| {
            Box::pin(async move {
                let stored = resources::get(tx, &row.kind, &row.account_sid, &row.key).await?;
                if stored.is_none_or(|stored| stored.version != row.version) {
                    return Ok(Since::Changed);
                }
                let accepted = requests::live(tx, &account, &application, &since, PAGE).await?;
                let playing = accepted.iter().filter(|request| plays(request, &name));
                let playing: Vec<_> = playing.map(|request| request.accepted.id.clone()).collect();
                if !playing.is_empty() {
                    return Ok(Since::Used(playing));
                }
                resources::delete(tx, &row.kind, &row.account_sid, &row.key).await?;
                audit::append(tx, &entry).await?;
                Ok(Since::Deleted)
            })
        })
        .await?;
    match since_then {
        Since::Deleted => {
            app.follow().await;
            sweep(app, now).await;
            Ok(())
        }
        Since::Used(playing) => Err(in_use(&playing)),
        Since::Changed => Err(Refusal::new(CONFLICT)
            .with_detail("somebody else has changed or deleted this recording just now")),
    }
}

/// What has happened since we looked.
enum Since {
    /// Nothing, so it is gone.
    Deleted,
    /// These requests play it.
    Used(Vec<RequestId>),
    /// It is another one, or none.
    Changed,
}

/// The first requests that play the recording while their calls wait or run: one more at most than
/// a refusal names.
async fn playing(
    app: &App,
    caller: &Granted<WriteMedia>,
    application: &ApplicationId,
    name: &str,
) -> Result<Vec<RequestId>, Refusal> {
    let (mut window, mut playing) = (LiveWindow::default(), Vec::new());
    while playing.len() <= MOST_NAMED {
        let reader = app.store().reader();
        let page = requests::live(reader, caller.account(), application, &window, PAGE).await?;
        let Some(last) = page.last() else { break };
        window.after = Some(last.accepted.id.clone());
        let found = page.iter().filter(|request| plays(request, name));
        playing.extend(found.map(|request| request.accepted.id.clone()));
    }
    Ok(playing)
}

/// Whether a request's contents name the recording. One that cannot be read may.
fn plays(request: &Request, name: &str) -> bool {
    let spec = request.accepted.spec.clone();
    if request.accepted.kind == RequestKind::Click {
        let spec = serde_json::from_value::<ClickSpec>(spec);
        return spec.map_or(true, |spec| spec.prompts().any(|prompt| prompt == name));
    }
    if request.accepted.kind == RequestKind::Campaign {
        let contents = serde_json::from_value::<CampaignContents>(spec);
        return contents.map_or(true, |contents| contents.may_play(name));
    }
    let Ok(spec) = serde_json::from_value::<NoticeSpec>(spec) else {
        return true;
    };
    let in_contents = spec.contents.iter().any(|(content, _)| match content {
        Content::Voice { name: voice } => voice == name,
        _ => false,
    });
    in_contents || spec.finish_voice.as_deref() == Some(name)
}

fn in_use(playing: &[RequestId]) -> Refusal {
    let named = playing.iter().take(MOST_NAMED).map(RequestId::as_str);
    let named = named.collect::<Vec<_>>().join(", ");
    let rest = if playing.len() > MOST_NAMED { " and more" } else { "" };
    Refusal::field(
        MEDIA_IN_USE,
        "mediaName",
        format!(
            "requests whose calls wait or run play this recording: {named}{rest}; try again when they are over"
        ),
    )
}
