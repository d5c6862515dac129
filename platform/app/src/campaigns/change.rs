//! Starting a campaign, stopping it for a while or for good, and letting it go on.

use super::get::{CampaignView, view};
use super::not_found;
use crate::principal::{Granted, SendNotices};
use crate::{App, Refusal};
use yunling_domain::cron::Cron;
use yunling_domain::error_code::{BAD_PARAMETER, CONFLICT, INTERNAL, QUEUE_FULL};
use yunling_domain::{Micros, RequestId};
use yunling_store::Lane;
use yunling_store::audit::{self, AuditEntry};
use yunling_store::campaigns::{self, Campaign, Changed};

/// What is to become of a campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Its numbers are called, as its rules say.
    Start,
    /// No further number is called for now.
    Pause,
    /// It goes on.
    Resume,
    /// No further number is called.
    Cancel,
}

impl Change {
    const fn action(self) -> &'static str {
        match self {
            Self::Start => "campaign.start",
            Self::Pause => "campaign.pause",
            Self::Resume => "campaign.resume",
            Self::Cancel => "campaign.cancel",
        }
    }
}

/// Starts, pauses, resumes or cancels a campaign. A second time changes nothing. Calls that are under
/// way go on to their end. Gives the campaign as it is then.
///
/// # Errors
/// `NOT_FOUND`, for another account's too; `CONFLICT` where its state does not allow it; `QUEUE_FULL`
/// where a start would have too many numbers of the account wait; `BAD_PARAMETER` for a recurring
/// time that never comes.
pub async fn run(
    app: &App,
    caller: &Granted<SendNotices>,
    id: &RequestId,
    change: Change,
) -> Result<CampaignView, Refusal> {
    let now = app.clock().now();
    let first_fire = match change {
        Change::Start => {
            let found = campaigns::get(app.store().reader(), caller.account(), id).await?;
            let campaign = found.ok_or_else(|| not_found(id))?.campaign;
            room_for_all(app, caller).await?;
            first_fire(&campaign, now)?
        }
        Change::Pause | Change::Resume | Change::Cancel => None,
    };
    let (account, request) = (caller.account().clone(), id.clone());
    let entry = AuditEntry {
        at: now,
        account: account.clone(),
        who: caller.who().to_owned(),
        action: change.action().to_owned(),
        object: format!("campaign/{id}"),
        detail: serde_json::json!({}),
    };
    let changed = app
        .store()
        .writer()
        .write(Lane::Live, move |tx| {
            Box::pin(async move {
                let changed = match change {
                    Change::Start => {
                        campaigns::start(tx, &account, &request, first_fire, now).await?
                    }
                    Change::Pause => campaigns::pause(tx, &account, &request, now).await?,
                    Change::Resume => campaigns::resume(tx, &account, &request).await?,
                    Change::Cancel => campaigns::cancel(tx, &account, &request, now).await?,
                };
                if changed == Some(Changed::Yes) {
                    audit::append(tx, &entry).await?;
                }
                Ok(changed)
            })
        })
        .await?;
    let conflict = |detail: String| Err(Refusal::new(CONFLICT).with_detail(detail));
    match changed {
        None => return Err(not_found(id)),
        Some(Changed::NotIn(state)) => {
            return conflict(format!("the campaign is {}", state.as_str()));
        }
        Some(Changed::Empty) => {
            return conflict("the campaign has no numbers: upload its list first".to_owned());
        }
        Some(Changed::Yes | Changed::AlreadySo) => {}
    }
    app.poke().dispatcher();
    view(app, caller, id).await
}

/// Numbers of drafts count: they are stored as well.
async fn room_for_all(app: &App, caller: &Granted<SendNotices>) -> Result<(), Refusal> {
    let most = app.settings().calls.batch_max_waiting;
    let (_, waiting) = campaigns::unfinished_of(app.store().reader(), caller.account()).await?;
    if waiting > u64::from(most) {
        let detail =
            format!("{waiting} numbers of the account's campaigns wait: at most {most} may");
        return Err(Refusal::new(QUEUE_FULL).with_detail(detail));
    }
    Ok(())
}

/// When a recurring campaign comes round for the first time; nothing for any other.
fn first_fire(campaign: &Campaign, now: Micros) -> Result<Option<Micros>, Refusal> {
    let Some(text) = &campaign.cron else { return Ok(None) };
    let cron: Cron = text.parse().map_err(|error| {
        tracing::error!(%error, request = %campaign.id, "a stored recurring time cannot be read");
        Refusal::new(INTERNAL)
    })?;
    let rules = &campaign.rules;
    let from = rules.schedule.starts_at.map_or(now, |start| start.max(now));
    let next = cron.next_after(rules.zones.default_zone(), from);
    match next.filter(|at| rules.schedule.ends_at.is_none_or(|end| *at < end)) {
        Some(next) => Ok(Some(next)),
        None => Err(Refusal::field(BAD_PARAMETER, "cron", "no such time comes before the end")),
    }
}
