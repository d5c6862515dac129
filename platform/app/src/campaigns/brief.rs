//! What a call of a campaign says, and whether it still may: asked right before it is dialled, so
//! that a pause or an entry in the do-not-call list holds for calls that wait for a line too.

use crate::{App, Refusal};
use serde_json::Value;
use yunling_domain::CallId;
use yunling_domain::campaign::{CANCELLED_RULE, CampaignContents, PAUSED_RULE, Rule, Variables};
use yunling_domain::contents::NoticeSpec;
use yunling_domain::error_code::{INTERNAL, UNSPEAKABLE};
use yunling_store::campaigns::CampaignState;
use yunling_store::campaigns::platform_side::briefing;

/// What is to become of a call.
#[derive(Debug, Clone, PartialEq)]
pub enum Brief {
    /// It says this.
    Say(NoticeSpec),
    /// It is not dialled; its number goes back.
    Withhold(&'static str),
}

/// Briefs a call. `spec` is its request's.
///
/// # Errors
/// `INTERNAL` where the rows are not to be read; `UNSPEAKABLE` where the contents cannot be said to
/// this number; a passing fault of the database.
pub async fn run(app: &App, call: &CallId, spec: Value) -> Result<Brief, Refusal> {
    let unreadable = |detail: String| {
        tracing::error!(detail, call = %call, "the rows of a campaign's call cannot be read");
        Refusal::new(INTERNAL).with_detail("a campaign's rows cannot be read")
    };
    let found = briefing(app.store().reader(), call).await?;
    let found = found.ok_or_else(|| unreadable("the call is none of a campaign's".to_owned()))?;
    match found.state {
        CampaignState::Running => {}
        CampaignState::Paused | CampaignState::Draft | CampaignState::Loading => {
            return Ok(Brief::Withhold(PAUSED_RULE));
        }
        CampaignState::Cancelled | CampaignState::Finished => {
            return Ok(Brief::Withhold(CANCELLED_RULE));
        }
    }
    if found.is_listed {
        return Ok(Brief::Withhold(Rule::DoNotCall.name()));
    }
    let contents: CampaignContents =
        serde_json::from_value(spec).map_err(|error| unreadable(error.to_string()))?;
    let variables: Variables =
        serde_json::from_value(found.variables).map_err(|error| unreadable(error.to_string()))?;
    let spec = contents
        .fill(&variables)
        .map_err(|error| Refusal::new(UNSPEAKABLE).with_detail(error.to_string()))?;
    Ok(Brief::Say(spec))
}
