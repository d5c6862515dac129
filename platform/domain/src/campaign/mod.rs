//! Campaigns, decided purely: whether a number may be called now, with which caller ID, and if not,
//! when next and why. Time, zone and history are arguments; [`decide`] is the one place.
//!
//! A campaign's [`Rules`] hold what its tenant chose: the [`Schedule`], the [`RetryRule`]s, the
//! [`Caps`] and the [`Lines`].

mod caps;
mod contents;
mod decide;
mod finished;
mod lines;
#[cfg(test)]
mod month;
mod result;
mod retry;
mod roster;
mod rules;
mod schedule;
mod time_of_day;
mod zones;

pub use caps::{Caps, PastCall};
pub use contents::{CampaignContents, ContentTemplate, FillError, Variables};
pub use decide::{Decision, Facts, Rule, decide};
pub use finished::{FinishedCallback, FinishedFacts};
pub use lines::{Line, LineCall, Lines, RestRule};
pub use result::{CallFacts, CallResult, NumberResult};
pub use retry::{Retry, RetryOn, RetryRule, Tries};
pub use roster::{Columns, Entry, RejectedRow, Roster, RosterError, read as read_roster};
pub use rules::{RuleProblem, Rules};
pub use schedule::{Opening, Schedule, Window};
pub use time_of_day::{BadTimeOfDay, TimeOfDay};
pub use zones::Zones;

/// The rule that is stored with attempts of a campaign that was paused before they were dialled.
pub const PAUSED_RULE: &str = "campaign_paused";
/// The same for one that was cancelled.
pub const CANCELLED_RULE: &str = "campaign_cancelled";
/// The rule that is stored with an attempt that [`decide`] let pass.
pub const CALLED_RULE: &str = "campaign";
