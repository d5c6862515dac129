//! A campaign as its tenant describes it, and what it means.

use crate::directory::{Account, Application};
use crate::field_text::{FieldText, bad, media_is_there, missing, number, parameter, url};
use crate::submit_notice::validate::lang;
use crate::{App, Refusal};
use chrono::{NaiveDate, Weekday};
use std::collections::BTreeSet;
use std::fmt::Display;
use std::str::FromStr;
use yunling_domain::campaign::{
    CampaignContents, Caps, ContentTemplate, FillError, Lines, RestRule, RetryOn, RetryRule, Rules,
    Schedule, TimeOfDay, Window, Zones,
};
use yunling_domain::contents::MAX_CONTENTS;
use yunling_domain::cron::Cron;
use yunling_domain::error_code::{
    CALLER_ID_NOT_FOR_APPLICATION, CALLER_ID_NOT_OWNED, NO_CALLER_ID, UNSPEAKABLE,
};
use yunling_domain::parameter::{DEFAULT_TIMES, userdata};
use yunling_domain::time::parse_zone;
use yunling_domain::{Lang, Micros};

/// The longest name, characters.
const NAME_CHARS: usize = 128;

/// A campaign as it is asked for. What is absent or empty has its usual value.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Definition {
    /// For people.
    pub name: String,
    /// The application it is made for.
    pub appid: String,
    /// What is said.
    pub contents: Vec<ItemText>,
    /// The language of contents that name none.
    pub lang: Option<String>,
    /// How often it is said, 1 to 3.
    pub times: Option<u8>,
    /// The key that confirms.
    pub finishkey: Option<String>,
    /// The key that asks for a replay.
    pub repeatkey: Option<String>,
    /// The voice file that is played after the confirming key.
    pub finishvoice: Option<String>,
    /// What callbacks echo.
    pub userdata: Option<String>,
    /// Where result callbacks go, instead of the application's URL.
    pub cdr_url: Option<String>,
    /// Where it is told that the campaign is over; absent: nowhere.
    pub finished_url: Option<String>,
    /// Nobody is called before.
    pub starts_at: Option<Micros>,
    /// Nobody is called at or after it.
    pub ends_at: Option<Micros>,
    /// Calling hours; none: as wide as the operator allows.
    pub windows: Vec<WindowText>,
    /// Dates without calls.
    pub holidays: Vec<String>,
    /// The zone of callees whose number does not tell it; absent: the account's.
    pub zone: Option<String>,
    /// Zones by the beginning of numbers.
    pub zones: Vec<(String, String)>,
    /// When a number is called again.
    pub retries: Vec<RetryText>,
    /// Calls of the account's campaigns that one callee gets.
    pub caps: Caps,
    /// What callees see; none: the application's first caller ID.
    pub caller_ids: Vec<String>,
    /// Caller IDs go in turns.
    pub rotate: bool,
    /// A callee sees the same caller ID again.
    pub sticky: bool,
    /// A callee sees a caller ID of the own area.
    pub local_presence: bool,
    /// When a caller ID rests.
    pub rest: Option<RestRule>,
    /// When it comes round, for a recurring campaign.
    pub cron: Option<String>,
}

/// One item of the contents.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ItemText {
    /// `type`
    pub kind: String,
    /// `content`, with `{name}` where a row's own text belongs.
    pub content: String,
    /// Its language.
    pub lang: Option<String>,
}

/// Calling hours.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WindowText {
    /// `mon` to `sun`; none: every day.
    pub days: Vec<String>,
    /// `HH:MM`
    pub from: String,
    /// `HH:MM`
    pub to: String,
}

/// A rule of retries.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RetryText {
    /// `busy`, `no_answer`, `failed` or `unconfirmed`.
    pub on: String,
    /// Pauses, minutes.
    pub after_min: Vec<u32>,
    /// With another caller ID.
    pub other_caller_id: bool,
}

/// What a definition means.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) name: String,
    pub(super) contents: CampaignContents,
    pub(super) rules: Rules,
    pub(super) userdata: Option<String>,
    pub(super) cdr_url: Option<String>,
    pub(super) finished_url: Option<String>,
    pub(super) cron: Option<Cron>,
}

pub(super) fn check(
    app: &App,
    account: &Account,
    application: &Application,
    definition: &Definition,
) -> Result<Checked, Refusal> {
    let name = definition.name.trim();
    if !(1..=NAME_CHARS).contains(&name.chars().count()) || name.contains('\0') {
        return Err(bad("name", format!("expected 1 to {NAME_CHARS} characters")));
    }
    let contents = contents(definition, application)?;
    let rules = rules(app, account, application, definition, contents.finish_key.is_some())?;
    let hours = &app.settings().calls.campaign_hours;
    rules
        .check((hours.from, hours.to))
        .map_err(|problem| bad(problem.field.clone(), problem.problem))?;
    let echoed = definition.userdata.as_deref().filter(|text| !text.is_empty());
    let address = |field: &str, text: &Option<String>| {
        let text = text.clone().filter(|text| !text.trim().is_empty());
        url(field, &text.map_or(FieldText::Absent, FieldText::Text))
    };
    Ok(Checked {
        name: name.to_owned(),
        contents,
        rules,
        userdata: echoed.map(userdata).transpose().map_err(parameter)?.map(str::to_owned),
        cdr_url: address("cdrUrl", &definition.cdr_url)?,
        finished_url: address("finishedUrl", &definition.finished_url)?,
        cron: read_option("cron", definition.cron.as_deref())?,
    })
}

/// Reads a text of a field.
fn read<T: FromStr<Err: Display>>(field: impl Into<String>, text: &str) -> Result<T, Refusal> {
    text.trim().parse().map_err(|error| bad(field, error))
}

fn read_option<T: FromStr<Err: Display>>(
    field: &str,
    text: Option<&str>,
) -> Result<Option<T>, Refusal> {
    text.filter(|text| !text.trim().is_empty()).map(|text| read(field, text)).transpose()
}

fn contents(
    definition: &Definition,
    application: &Application,
) -> Result<CampaignContents, Refusal> {
    if definition.contents.is_empty() {
        return Err(missing("contents"));
    }
    if definition.contents.len() > MAX_CONTENTS {
        return Err(bad("contents", format!("expected at most {MAX_CONTENTS}")));
    }
    let usual = match definition.lang.as_deref().filter(|text| !text.is_empty()) {
        Some(text) => lang("lang", text)?,
        None => Lang::default(),
    };
    let items = definition.contents.iter().enumerate().map(|(index, item)| {
        let own = item.lang.as_deref().filter(|text| !text.is_empty());
        Ok(ContentTemplate {
            kind: item.kind.trim().to_owned(),
            content: item.content.clone(),
            lang: match own {
                Some(text) => lang(format!("contents[{index}].lang"), text)?,
                None => usual,
            },
        })
    });
    let times = definition.times.unwrap_or(DEFAULT_TIMES);
    if !(1..=3).contains(&times) {
        return Err(bad("times", format!("expected 1, 2 or 3, found {times}")));
    }
    let finish_voice = definition.finishvoice.as_deref().map(str::trim);
    let contents = CampaignContents {
        contents: items.collect::<Result<_, Refusal>>()?,
        times,
        finish_key: read_option("finishkey", definition.finishkey.as_deref())?,
        repeat_key: read_option("repeatkey", definition.repeatkey.as_deref())?,
        finish_voice: finish_voice.filter(|name| !name.is_empty()).map(str::to_owned),
    };
    contents.places().map_err(|error| unspeakable(&error))?;
    for (index, item) in contents.contents.iter().enumerate() {
        let fixed = item.kind == "voice" && !item.content.contains('{');
        if fixed {
            media_is_there(
                &format!("contents[{index}].content"),
                item.content.trim(),
                application,
            )?;
        }
    }
    if let Some(name) = &contents.finish_voice {
        media_is_there("finishvoice", name, application)?;
    }
    Ok(contents)
}

fn unspeakable(error: &FillError) -> Refusal {
    let field = match error {
        FillError::BadPlace { index } | FillError::Missing { index, .. } => {
            format!("contents[{index}].content")
        }
        FillError::Content { index, .. } => format!("contents[{index}]"),
    };
    Refusal::field(UNSPEAKABLE, field, error.to_string())
}

fn rules(
    app: &App,
    account: &Account,
    application: &Application,
    definition: &Definition,
    has_key: bool,
) -> Result<Rules, Refusal> {
    let zone = match definition.zone.as_deref().filter(|text| !text.is_empty()) {
        Some(name) => parse_zone(name).map_err(|error| bad("zone", error))?,
        None => account.zone,
    };
    let mut zones = Zones::with_default(zone);
    for (index, (prefix, name)) in definition.zones.iter().enumerate() {
        let zone = parse_zone(name).map_err(|error| bad(format!("zones[{index}].zone"), error))?;
        zones = zones.and(read(format!("zones[{index}].prefix"), prefix)?, zone);
    }
    let retries = definition.retries.iter().enumerate().map(|(index, text)| {
        let on = RetryOn::ALL.into_iter().find(|on| on.name() == text.on.trim());
        let on = on.ok_or_else(|| {
            let names = RetryOn::ALL.map(RetryOn::name).join(", ");
            bad(format!("retries[{index}].on"), format!("expected one of {names}"))
        })?;
        let (after_min, other_caller_id) = (text.after_min.clone(), text.other_caller_id);
        Ok(RetryRule { on, after_min, other_caller_id })
    });
    Ok(Rules {
        schedule: schedule(app, definition)?,
        zones,
        retries: retries.collect::<Result<_, Refusal>>()?,
        caps: definition.caps,
        lines: Lines {
            numbers: caller_ids(application, &definition.caller_ids)?,
            rotate: definition.rotate,
            sticky: definition.sticky,
            local_presence: definition.local_presence,
            rest: definition.rest,
        },
        has_key,
    })
}

fn schedule(app: &App, definition: &Definition) -> Result<Schedule, Refusal> {
    let windows = definition.windows.iter().enumerate().map(|(index, text)| {
        let days = text.days.iter().map(|day| {
            let expected = || bad(format!("windows[{index}].days"), "expected mon to sun");
            day.trim().parse::<Weekday>().map_err(|_| expected())
        });
        Ok(Window {
            days: days.collect::<Result<_, Refusal>>()?,
            from: read::<TimeOfDay>(format!("windows[{index}].from"), &text.from)?,
            to: read::<TimeOfDay>(format!("windows[{index}].to"), &text.to)?,
        })
    });
    let mut windows: Vec<Window> = windows.collect::<Result<_, Refusal>>()?;
    if windows.is_empty() {
        let hours = &app.settings().calls.campaign_hours;
        windows.push(Window::daily(hours.from, hours.to));
    }
    let holidays = definition.holidays.iter().enumerate().map(|(index, text)| {
        let expected = || bad(format!("holidays[{index}]"), "expected a date as YYYY-MM-DD");
        text.trim().parse::<NaiveDate>().map_err(|_| expected())
    });
    Ok(Schedule {
        starts_at: definition.starts_at,
        ends_at: definition.ends_at,
        windows,
        holidays: holidays.collect::<Result<BTreeSet<_>, Refusal>>()?,
    })
}

/// The caller IDs as they are stored, each of which the application may show.
fn caller_ids(application: &Application, texts: &[String]) -> Result<Vec<String>, Refusal> {
    if texts.is_empty() && !application.caller_ids.iter().any(|id| id.allowed_for_application) {
        return Err(Refusal::new(NO_CALLER_ID));
    }
    let ids = texts.iter().enumerate().map(|(index, text)| {
        let field = format!("callerIds.numbers[{index}]");
        let number = number(&field, text)?;
        match application.caller_ids.iter().find(|id| id.number == number) {
            None => Err(Refusal::field(CALLER_ID_NOT_OWNED, field, CALLER_ID_NOT_OWNED.en)),
            Some(id) if !id.allowed_for_application => {
                let code = CALLER_ID_NOT_FOR_APPLICATION;
                Err(Refusal::field(code, field, code.en))
            }
            Some(_) => Ok(number.stored()),
        }
    });
    ids.collect()
}
