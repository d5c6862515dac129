//! A campaign as it is asked for and as it is shown.

use poem_openapi::{Enum, Object};
use yunling_app::Refusal;
use yunling_app::campaigns::get::CampaignView;
use yunling_app::campaigns::{Definition, ItemText, RetryText, WindowText};
use yunling_domain::campaign::{Caps, RestRule, RetryOn, Rules, Window};
use yunling_domain::{Micros, Number};

use crate::api::admin::query::{range, shown};

/// What a campaign says, when, how often, and what callees see.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub(super) struct NewCampaign {
    /// For people.
    name: String,
    /// The application.
    appid: String,
    /// What is said, as of a notice; `{name}` in a `content` stands for the column `name` of the
    /// list.
    contents: Vec<CampaignContent>,
    /// The language of contents that name none: `zh` or `en`.
    #[oai(skip_serializing_if_is_none)]
    lang: Option<String>,
    /// How often it is said, 1 to 3; usually 2.
    #[oai(skip_serializing_if_is_none)]
    times: Option<u8>,
    /// The key that confirms.
    #[oai(skip_serializing_if_is_none)]
    finishkey: Option<String>,
    /// The key that asks for a replay.
    #[oai(skip_serializing_if_is_none)]
    repeatkey: Option<String>,
    /// The voice file that is played after the confirming key.
    #[oai(skip_serializing_if_is_none)]
    finishvoice: Option<String>,
    /// What result callbacks echo where a row of the list has no `userdata` of its own.
    #[oai(skip_serializing_if_is_none)]
    userdata: Option<String>,
    /// Where result callbacks go, instead of the application's URL.
    #[oai(skip_serializing_if_is_none)]
    cdr_url: Option<String>,
    /// Where it is told once, as `campaignFinished`, that the campaign is over; absent: nowhere.
    #[oai(skip_serializing_if_is_none)]
    finished_url: Option<String>,
    /// Nobody is called before; RFC 3339.
    #[oai(skip_serializing_if_is_none)]
    starts_at: Option<String>,
    /// Nobody is called at or after it; RFC 3339.
    #[oai(skip_serializing_if_is_none)]
    ends_at: Option<String>,
    /// Calling hours in the callee's zone; where there are none, those that the operator allows.
    #[oai(default)]
    windows: Vec<CallingWindow>,
    /// Dates in the callee's zone on which nobody is called.
    #[oai(default)]
    holidays: Vec<String>,
    /// The zone of callees whose number does not tell it; absent: the account's.
    #[oai(skip_serializing_if_is_none)]
    zone: Option<String>,
    /// Zones by the beginning of numbers, before those that we know.
    #[oai(default)]
    zones: Vec<ZoneOfPrefix>,
    /// When a number is called again; at most one for each kind of call.
    #[oai(default)]
    retries: Vec<CampaignRetry>,
    /// How often one callee is called, by all campaigns of the account together.
    #[oai(skip_serializing_if_is_none)]
    caps: Option<CampaignCaps>,
    /// What callees see; absent: the application's first caller ID.
    #[oai(skip_serializing_if_is_none)]
    caller_ids: Option<CampaignCallerIds>,
    /// Makes it a recurring campaign: minute, hour, day of the month, month, day of the week, in the
    /// zone above. Each time a run of it calls the whole list.
    #[oai(skip_serializing_if_is_none)]
    cron: Option<String>,
}

/// One item of what is said.
#[derive(Debug, Object)]
pub(super) struct CampaignContent {
    /// `voice`, `time`, `money`, `number` or `digits`.
    #[oai(rename = "type")]
    kind: String,
    content: String,
    /// `zh` or `en`.
    #[oai(skip_serializing_if_is_none)]
    lang: Option<String>,
}

/// Hours of some days of the week.
#[derive(Debug, Object)]
pub(super) struct CallingWindow {
    /// `mon` to `sun`; empty: every day.
    #[oai(default)]
    days: Vec<String>,
    /// `HH:MM`
    from: String,
    /// `HH:MM`, up to `24:00`; later than `from`.
    to: String,
}

/// The zone of numbers.
#[derive(Debug, Object)]
pub(super) struct ZoneOfPrefix {
    /// Their beginning, such as `+1212` or `0991`.
    prefix: String,
    /// IANA name.
    zone: String,
}

/// When a number is called again after one kind of call.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub(super) struct CampaignRetry {
    on: RetryAfter,
    /// Minutes after the first such call, after the second…: as many further calls as entries.
    after_min: Vec<u32>,
    /// The next call shows another caller ID.
    #[oai(default)]
    other_caller_id: bool,
}

/// What a call came to that is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "snake_case")]
pub(super) enum RetryAfter {
    /// The callee was on the phone.
    Busy,
    /// Nobody answered.
    NoAnswer,
    /// The carriers or we could not connect it.
    Failed,
    /// Somebody answered and did not press the confirming key.
    Unconfirmed,
}

impl RetryAfter {
    const fn rule(self) -> RetryOn {
        match self {
            Self::Busy => RetryOn::Busy,
            Self::NoAnswer => RetryOn::NoAnswer,
            Self::Failed => RetryOn::Failed,
            Self::Unconfirmed => RetryOn::Unconfirmed,
        }
    }

    const fn of(on: RetryOn) -> Self {
        match on {
            RetryOn::Busy => Self::Busy,
            RetryOn::NoAnswer => Self::NoAnswer,
            RetryOn::Failed => Self::Failed,
            RetryOn::Unconfirmed => Self::Unconfirmed,
        }
    }
}

/// How often one callee is called, by all campaigns of the account together; days and weeks of the
/// callee's zone.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub(super) struct CampaignCaps {
    #[oai(skip_serializing_if_is_none)]
    a_day: Option<u32>,
    /// From Monday on.
    #[oai(skip_serializing_if_is_none)]
    a_week: Option<u32>,
}

/// What callees see.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub(super) struct CampaignCallerIds {
    /// Caller IDs that the application may show, in order.
    numbers: Vec<String>,
    /// Each is shown equally often; else the first that may be.
    #[oai(default)]
    rotate: bool,
    /// A callee sees the caller ID that called last time.
    #[oai(default)]
    sticky: bool,
    /// A callee sees a caller ID of the own area, where there is one.
    #[oai(default)]
    local_presence: bool,
    /// When a caller ID is left alone for a while.
    #[oai(skip_serializing_if_is_none)]
    rest: Option<CallerIdRest>,
}

/// A caller ID rests when fewer than `belowPercent` of its last `overCalls` calls were answered.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
pub(super) struct CallerIdRest {
    below_percent: u8,
    over_calls: u32,
    /// So long, minutes.
    rest_min: u32,
}

impl NewCampaign {
    pub(super) fn definition(self) -> Result<Definition, Refusal> {
        let instant = |field: &str, text: Option<&str>| -> Result<Option<Micros>, Refusal> {
            // Both fields are read as a query's are; a refusal names the field here.
            range(text, None)
                .map(|range| range.from)
                .map_err(|refusal| Refusal::field(refusal.code, field, refusal.detail.clone()))
        };
        let caps = self
            .caps
            .map_or(Caps::default(), |caps| Caps { a_day: caps.a_day, a_week: caps.a_week });
        let starts_at = instant("startsAt", self.starts_at.as_deref())?;
        let ends_at = instant("endsAt", self.ends_at.as_deref())?;
        let mut definition = Definition {
            name: self.name,
            appid: self.appid,
            contents: self.contents.into_iter().map(CampaignContent::text).collect(),
            lang: self.lang,
            times: self.times,
            finishkey: self.finishkey,
            repeatkey: self.repeatkey,
            finishvoice: self.finishvoice,
            userdata: self.userdata,
            cdr_url: self.cdr_url,
            finished_url: self.finished_url,
            starts_at,
            ends_at,
            windows: self.windows.into_iter().map(CallingWindow::text).collect(),
            holidays: self.holidays,
            zone: self.zone,
            zones: self.zones.into_iter().map(|one| (one.prefix, one.zone)).collect(),
            retries: self.retries.into_iter().map(CampaignRetry::text).collect(),
            caps,
            cron: self.cron,
            ..Definition::default()
        };
        if let Some(ids) = self.caller_ids {
            definition.caller_ids = ids.numbers;
            definition.rotate = ids.rotate;
            definition.sticky = ids.sticky;
            definition.local_presence = ids.local_presence;
            definition.rest = ids.rest.map(|rest| RestRule {
                below_percent: rest.below_percent,
                over_calls: rest.over_calls,
                rest_min: rest.rest_min,
            });
        }
        Ok(definition)
    }

    /// As it is stored.
    pub(super) fn shown(view: &CampaignView) -> Self {
        let (campaign, contents) = (&view.progress.campaign, &view.contents);
        let rules = &campaign.rules;
        let schedule = &rules.schedule;
        let items = contents.contents.iter().map(|item| CampaignContent {
            kind: item.kind.clone(),
            content: item.content.clone(),
            lang: Some(item.lang.to_string()),
        });
        let zones = rules.zones.by_prefix().map(|(prefix, zone)| ZoneOfPrefix {
            prefix: prefix.to_string(),
            zone: zone.name().to_owned(),
        });
        let retries = rules.retries.iter().map(|rule| CampaignRetry {
            on: RetryAfter::of(rule.on),
            after_min: rule.after_min.clone(),
            other_caller_id: rule.other_caller_id,
        });
        Self {
            name: campaign.name.clone(),
            appid: campaign.application.to_string(),
            contents: items.collect(),
            lang: None,
            times: Some(contents.times),
            finishkey: contents.finish_key.map(|key| key.to_string()),
            repeatkey: contents.repeat_key.map(|key| key.to_string()),
            finishvoice: contents.finish_voice.clone(),
            userdata: view.userdata.clone(),
            cdr_url: view.cdr_url.clone(),
            finished_url: view.finished_url.clone(),
            starts_at: schedule.starts_at.map(shown),
            ends_at: schedule.ends_at.map(shown),
            windows: schedule.windows.iter().map(CallingWindow::of).collect(),
            holidays: schedule.holidays.iter().map(ToString::to_string).collect(),
            zone: Some(rules.zones.default_zone().name().to_owned()),
            zones: zones.collect(),
            retries: retries.collect(),
            caps: Some(CampaignCaps { a_day: rules.caps.a_day, a_week: rules.caps.a_week }),
            caller_ids: Some(CampaignCallerIds::of(rules)),
            cron: campaign.cron.clone(),
        }
    }
}

impl CampaignContent {
    fn text(self) -> ItemText {
        ItemText { kind: self.kind, content: self.content, lang: self.lang }
    }
}

impl CallingWindow {
    fn text(self) -> WindowText {
        WindowText { days: self.days, from: self.from, to: self.to }
    }

    fn of(window: &Window) -> Self {
        Self {
            days: window.days.iter().map(|day| day.to_string().to_lowercase()).collect(),
            from: window.from.to_string(),
            to: window.to.to_string(),
        }
    }
}

impl CampaignRetry {
    fn text(self) -> RetryText {
        RetryText {
            on: self.on.rule().name().to_owned(),
            after_min: self.after_min,
            other_caller_id: self.other_caller_id,
        }
    }
}

impl CampaignCallerIds {
    fn of(rules: &Rules) -> Self {
        let lines = &rules.lines;
        Self {
            numbers: lines.numbers.iter().map(|number| national(number)).collect(),
            rotate: lines.rotate,
            sticky: lines.sticky,
            local_presence: lines.local_presence,
            rest: lines.rest.map(|rest| CallerIdRest {
                below_percent: rest.below_percent,
                over_calls: rest.over_calls,
                rest_min: rest.rest_min,
            }),
        }
    }
}

fn national(stored: &str) -> String {
    Number::parse_dialable(stored)
        .map_or_else(|_| stored.to_owned(), |number| number.national().to_owned())
}
