//! One campaign of an account, with its counts.

use super::{FINISHED_URL, not_found};
use crate::principal::{Granted, ReadCalls, ScopeKind};
use crate::{App, Refusal};
use yunling_domain::RequestId;
use yunling_domain::campaign::CampaignContents;
use yunling_domain::error_code::INTERNAL;
use yunling_store::campaigns::{self, Progress};
use yunling_store::requests;

/// A campaign as its tenant sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct CampaignView {
    /// The campaign and its counts.
    pub progress: Progress,
    /// What it says.
    pub contents: CampaignContents,
    /// What callbacks echo where a row has nothing of its own.
    pub userdata: Option<String>,
    /// Where result callbacks go.
    pub cdr_url: Option<String>,
    /// Where it is told that the campaign is over.
    pub finished_url: Option<String>,
}

/// The campaign with this identifier.
///
/// # Errors
/// `NOT_FOUND`, for another account's too.
pub async fn run(
    app: &App,
    caller: &Granted<ReadCalls>,
    id: &RequestId,
) -> Result<CampaignView, Refusal> {
    view(app, caller, id).await
}

/// The same for whoever has just changed it.
pub(super) async fn view<S: ScopeKind>(
    app: &App,
    caller: &Granted<S>,
    id: &RequestId,
) -> Result<CampaignView, Refusal> {
    let reader = app.store().reader();
    let progress = campaigns::get(reader, caller.account(), id).await?;
    let request = requests::get(reader, caller.account(), id).await?;
    let (Some(progress), Some(request)) = (progress, request) else { return Err(not_found(id)) };
    let contents = serde_json::from_value(request.accepted.spec).map_err(|error| {
        tracing::error!(%error, request = %id, "a stored campaign cannot be read");
        Refusal::new(INTERNAL)
    })?;
    let urls = request.accepted.urls;
    let url = |name: &str| urls.get(name).and_then(|url| url.as_str()).map(str::to_owned);
    Ok(CampaignView {
        progress,
        contents,
        userdata: request.accepted.userdata,
        cdr_url: url("cdr"),
        finished_url: url(FINISHED_URL),
    })
}
