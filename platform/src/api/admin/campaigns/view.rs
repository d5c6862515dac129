//! How campaigns, plans and reports are shown.

use poem_openapi::Object;
use std::collections::BTreeMap;
use yunling_app::campaigns::get::CampaignView;
use yunling_app::campaigns::plan::{Fate, Plan, Planned};
use yunling_app::campaigns::report::{Report, state};
use yunling_domain::campaign::{CallResult, NumberResult};
use yunling_store::campaigns::{NumberRow, Progress};

use super::definition::NewCampaign;
use crate::api::admin::query::shown;

/// How far a campaign is.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub(super) struct CampaignSummary {
    campaign_id: String,
    name: String,
    appid: String,
    /// `draft`, `loading`, `running`, `paused`, `cancelled` or `finished`. A cancelled one is over
    /// when `finishedAt` is there.
    state: String,
    /// Of a run: the recurring campaign.
    #[oai(skip_serializing_if_is_none)]
    run_of: Option<String>,
    /// Of a recurring one: when its next run begins.
    #[oai(skip_serializing_if_is_none)]
    next_run_at: Option<String>,
    created_at: String,
    #[oai(skip_serializing_if_is_none)]
    started_at: Option<String>,
    /// When its last number was done.
    #[oai(skip_serializing_if_is_none)]
    finished_at: Option<String>,
    /// Its numbers. The counts below add up to it.
    total: u32,
    /// Rows of the list that were not taken.
    rejected: u32,
    /// Rows of the list that named a number again.
    duplicates: u32,
    /// Calls that were dialled and are over.
    calls: u32,
    counts: CampaignCounts,
}

/// A campaign's numbers by what became of them.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub(super) struct CampaignCounts {
    /// They wait for their time.
    waiting: u32,
    /// They wait for a line, or their calls are under way.
    out: u32,
    /// Somebody answered and pressed the confirming key.
    confirmed: u32,
    /// Somebody answered.
    answered: u32,
    /// The last call met a busy line.
    busy: u32,
    /// Nobody answered the last call.
    no_answer: u32,
    /// The callee sent the last call away.
    declined: u32,
    /// There is no such number.
    no_such_number: u32,
    /// The last call could not be connected.
    failed: u32,
    /// A rule let no call through.
    refused: u32,
    /// The campaign was cancelled before.
    cancelled: u32,
}

impl From<&Progress> for CampaignCounts {
    fn from(progress: &Progress) -> Self {
        let count = |result| progress.campaign.count(result);
        Self {
            waiting: progress.waiting(),
            out: progress.out,
            confirmed: count(NumberResult::Confirmed),
            answered: count(NumberResult::Answered),
            busy: count(NumberResult::Busy),
            no_answer: count(NumberResult::NoAnswer),
            declined: count(NumberResult::Declined),
            no_such_number: count(NumberResult::NoSuchNumber),
            failed: count(NumberResult::Failed),
            refused: count(NumberResult::Refused),
            cancelled: count(NumberResult::Cancelled),
        }
    }
}

impl From<&Progress> for CampaignSummary {
    fn from(progress: &Progress) -> Self {
        let campaign = &progress.campaign;
        Self {
            campaign_id: campaign.id.to_string(),
            name: campaign.name.clone(),
            appid: campaign.application.to_string(),
            state: campaign.state.as_str().to_owned(),
            run_of: campaign.parent.as_ref().map(ToString::to_string),
            next_run_at: campaign.next_fire_at.map(shown),
            created_at: shown(campaign.created_at),
            started_at: campaign.started_at.map(shown),
            finished_at: campaign.finished_at.map(shown),
            total: campaign.total,
            rejected: campaign.rejected,
            duplicates: campaign.duplicates,
            calls: campaign.calls,
            counts: CampaignCounts::from(progress),
        }
    }
}

/// A campaign.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub(super) struct Campaign {
    progress: CampaignSummary,
    /// As it was asked for, with what was left out.
    definition: NewCampaign,
}

impl From<CampaignView> for Campaign {
    fn from(view: CampaignView) -> Self {
        Self {
            progress: CampaignSummary::from(&view.progress),
            definition: NewCampaign::shown(&view),
        }
    }
}

/// A page of campaigns.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub(super) struct CampaignPage {
    /// Newest first.
    pub(super) campaigns: Vec<CampaignSummary>,
    /// Where the next page begins; absent on the last one.
    #[oai(skip_serializing_if_is_none)]
    pub(super) next_cursor: Option<String>,
}

/// One number of a campaign.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub(super) struct CampaignNumber {
    /// National form.
    number: String,
    /// What its callbacks echo, where that is its own.
    #[oai(skip_serializing_if_is_none)]
    userdata: Option<String>,
    /// `waiting`, `out` or `done`.
    state: String,
    /// What it came to, as the counts are called.
    #[oai(skip_serializing_if_is_none)]
    result: Option<String>,
    /// What it waits for, or what ended it without a call.
    #[oai(skip_serializing_if_is_none)]
    rule: Option<String>,
    /// Its calls that were dialled and are over.
    calls: u32,
    /// When it is asked about next.
    #[oai(skip_serializing_if_is_none)]
    next_at: Option<String>,
}

impl From<NumberRow> for CampaignNumber {
    fn from(row: NumberRow) -> Self {
        Self {
            state: state(&row).to_owned(),
            result: row.result.map(|result| result.name().to_owned()),
            number: row.to_shown,
            userdata: row.userdata,
            rule: row.rule,
            calls: row.calls,
            next_at: row.due_at.map(shown),
        }
    }
}

/// A page of a campaign's numbers.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub(super) struct CampaignNumberPage {
    /// In the order of the list.
    pub(super) numbers: Vec<CampaignNumber>,
    /// What `after` is for the next page; absent on the last one.
    #[oai(skip_serializing_if_is_none)]
    pub(super) next_after: Option<u32>,
}

/// What came of a list.
#[derive(Debug, Object)]
pub(super) struct UploadedList {
    /// Numbers that were taken.
    pub(super) total: u32,
    /// Rows that were not; `rejected.csv` says why.
    pub(super) rejected: u32,
    /// Rows that named a number again; the first one counts.
    pub(super) duplicates: u32,
}

/// What a campaign would do now, if nobody answered and lines were free.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub(super) struct CampaignPlan {
    /// Numbers that wait, all of which were asked about.
    waiting: u32,
    /// Those that would be called now.
    now: u32,
    /// Those that would be called later, by the hour.
    later: Vec<PlannedHour>,
    /// Those that would not be called, by the campaign's rule.
    never: BTreeMap<String, u32>,
    /// Those that the gate would refuse, by the gate's rule.
    refused: BTreeMap<String, u32>,
    /// The first 200, one by one.
    numbers: Vec<PlannedNumber>,
}

/// Numbers whose time begins within one hour.
#[derive(Debug, Object)]
pub(super) struct PlannedHour {
    /// The hour's beginning.
    at: String,
    numbers: u32,
}

/// What would become of one number.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub(super) struct PlannedNumber {
    /// National form.
    number: String,
    /// `called`, `later`, `never` or `refused`.
    fate: String,
    /// What it would see.
    #[oai(skip_serializing_if_is_none)]
    caller_id: Option<String>,
    /// Not before.
    #[oai(skip_serializing_if_is_none)]
    at: Option<String>,
    /// The rule that decides.
    #[oai(skip_serializing_if_is_none)]
    rule: Option<String>,
    /// The same in words.
    #[oai(skip_serializing_if_is_none)]
    because: Option<String>,
}

impl From<Planned> for PlannedNumber {
    fn from(planned: Planned) -> Self {
        let plain = |fate: &str| Self {
            number: planned.to.clone(),
            fate: fate.to_owned(),
            caller_id: None,
            at: None,
            rule: None,
            because: None,
        };
        let text = |text: &str| Some(text.to_owned());
        match planned.fate {
            Fate::Called { from } => Self { caller_id: Some(from), ..plain("called") },
            Fate::Later { at, rule } => Self {
                at: Some(shown(at)),
                rule: text(rule.name()),
                because: text(rule.en()),
                ..plain("later")
            },
            Fate::Never { rule } => {
                Self { rule: text(rule.name()), because: text(rule.en()), ..plain("never") }
            }
            Fate::Refused { rule } => {
                Self { rule: text(rule.name()), because: text(rule.en()), ..plain("refused") }
            }
        }
    }
}

impl From<Plan> for CampaignPlan {
    fn from(plan: Plan) -> Self {
        let named = |counts: BTreeMap<&'static str, u32>| {
            counts.into_iter().map(|(rule, count)| (rule.to_owned(), count)).collect()
        };
        let later = plan.later.into_iter();
        Self {
            waiting: plan.waiting,
            now: plan.now,
            later: later.map(|(at, numbers)| PlannedHour { at: shown(at), numbers }).collect(),
            never: named(plan.never),
            refused: named(plan.refused),
            numbers: plan.numbers.into_iter().map(PlannedNumber::from).collect(),
        }
    }
}

/// What came of a campaign so far.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub(super) struct CampaignReport {
    campaign_id: String,
    name: String,
    state: String,
    /// Its numbers by what they came to.
    numbers: CampaignCounts,
    calls: CallCounts,
    /// Answered calls for each call, 0 to 1.
    answer_rate: f64,
    /// How long answered calls took together, seconds.
    talk_s: u64,
    /// How long one took on average, seconds.
    mean_talk_s: f64,
    /// Hours in which somebody was called, oldest first.
    hours: Vec<ReportHour>,
}

/// Calls by what they came to.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub(super) struct CallCounts {
    /// All that were dialled and are over.
    all: u32,
    /// Answered and confirmed by the key.
    confirmed: u32,
    /// Answered and not confirmed.
    answered: u32,
    busy: u32,
    no_answer: u32,
    declined: u32,
    no_such_number: u32,
    failed: u32,
}

/// The calls of one hour.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub(super) struct ReportHour {
    /// The hour's beginning.
    at: String,
    calls: u32,
    /// Confirmed ones too.
    answered: u32,
    confirmed: u32,
    talk_s: u64,
}

impl From<&Report> for CampaignReport {
    fn from(report: &Report) -> Self {
        let campaign = &report.progress.campaign;
        let (all, answered) = (report.all_calls(), report.answered());
        let ratio = |part: f64, whole: u32| {
            if whole == 0 { 0.0 } else { (part / f64::from(whole) * 1_000.0).round() / 1_000.0 }
        };
        #[expect(clippy::cast_precision_loss, reason = "seconds of talk, far below 2^52")]
        let talk_s = report.talk_s() as f64;
        let hours = report.hours.iter().map(|hour| ReportHour {
            at: shown(hour.at),
            calls: hour.calls,
            answered: hour.answered,
            confirmed: hour.confirmed,
            talk_s: hour.talk_s,
        });
        Self {
            campaign_id: campaign.id.to_string(),
            name: campaign.name.clone(),
            state: campaign.state.as_str().to_owned(),
            numbers: CampaignCounts::from(&report.progress),
            calls: CallCounts {
                all,
                confirmed: report.calls(CallResult::Confirmed),
                answered: report.calls(CallResult::Answered),
                busy: report.calls(CallResult::Busy),
                no_answer: report.calls(CallResult::NoAnswer),
                declined: report.calls(CallResult::Declined),
                no_such_number: report.calls(CallResult::NoSuchNumber),
                failed: report.calls(CallResult::Failed),
            },
            answer_rate: ratio(f64::from(answered), all),
            talk_s: report.talk_s(),
            mean_talk_s: ratio(talk_s, answered),
            hours: hours.collect(),
        }
    }
}
