//! The fields of click2call and addCall: first what is missing, then what is wrong, then what the
//! media library lacks. Rules: docs/spec/RESOLUTIONS.md, "Click-to-call surface".

use super::request::ClickRequest;
use crate::Refusal;
use crate::click::VoiceNames;
use crate::directory::Application;
use crate::field_text::{
    FieldText, bad, media_is_there, number, optional, parameter, required, url,
};
use crate::principal::Page;
use yunling_domain::Number;
use yunling_domain::click_parameter::{
    masked, max_duration_s, record, ringback, timeout_s, user_data,
};
use yunling_domain::conversation::{Record, Ringback};

/// A click2call whose fields are all sound.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) caller: Number,
    pub(super) callee: Number,
    pub(super) callee_raw: String,
    pub(super) caller_cli: Option<Number>,
    pub(super) callee_cli: Option<Number>,
    pub(super) voices: VoiceNames,
    pub(super) ringback: Ringback,
    pub(super) record: Record,
    pub(super) max_duration_s: Option<u32>,
    pub(super) last_minute_voice: Option<String>,
    pub(super) masked: bool,
    pub(super) user_data: Option<String>,
    pub(super) cdr_url: Option<String>,
    pub(super) status_url: Option<String>,
}

/// An addCall whose fields are all sound.
#[derive(Debug)]
pub(crate) struct CheckedAddition {
    pub(crate) callee: Number,
    pub(crate) callee_cli: Option<Number>,
    pub(crate) voices: VoiceNames,
    pub(crate) ringback: Ringback,
    pub(crate) record: Record,
    pub(crate) timeout_s: u32,
}

pub(super) fn click(
    request: &ClickRequest,
    application: &Application,
    page: Option<&Page>,
) -> Result<Checked, Refusal> {
    let request = &match page {
        Some(page) => within_its_token(request, page)?,
        None => request.clone(),
    };
    let caller = required("caller", &request.caller)?;
    let callee_raw = required("callee", &request.callee)?;
    let checked = Checked {
        caller: number("caller", caller)?,
        callee: number("callee", callee_raw)?,
        callee_raw: callee_raw.to_owned(),
        caller_cli: line("callerCli", &request.caller_cli)?,
        callee_cli: line("calleeCli", &request.callee_cli)?,
        voices: voices(request)?,
        ringback: ringback(optional("ringbackMode", &request.ringback_mode)?).map_err(parameter)?,
        user_data: optional("userData", &request.user_data)?
            .map(user_data)
            .transpose()
            .map_err(parameter)?
            .map(str::to_owned),
        status_url: url("statusUrl", &request.status_url)?,
        cdr_url: url("cdrUrl", &request.cdr_url)?,
        record: record(optional("record", &request.record)?).map_err(parameter)?,
        max_duration_s: max_duration_s(optional("maxDuration", &request.max_duration)?)
            .map_err(parameter)?,
        last_minute_voice: name("lastMinVoice", &request.last_min_voice)?,
        masked: masked(optional("maskedCallee", &request.masked_callee)?).map_err(parameter)?,
    };
    voices_are_there(&checked.voices, application)?;
    if let Some(name) = &checked.last_minute_voice {
        media_is_there("lastMinVoice", name, application)?;
    }
    Ok(checked)
}

pub(crate) fn addition(
    request: &ClickRequest,
    application: &Application,
) -> Result<CheckedAddition, Refusal> {
    let callee = required("callee", &request.callee)?;
    let checked = CheckedAddition {
        callee: number("callee", callee)?,
        callee_cli: line("calleeCli", &request.callee_cli)?,
        voices: voices(request)?,
        ringback: ringback(optional("ringbackMode", &request.ringback_mode)?).map_err(parameter)?,
        record: record(optional("record", &request.record)?).map_err(parameter)?,
        timeout_s: timeout_s(optional("timeout", &request.timeout)?).map_err(parameter)?,
    };
    voices_are_there(&checked.voices, application)?;
    Ok(checked)
}

/// What the browser token settles is not the page's to choose; nor are addresses of callbacks, by
/// which a page could have the call's record sent elsewhere.
fn within_its_token(request: &ClickRequest, page: &Page) -> Result<ClickRequest, Refusal> {
    let mut request = request.clone();
    for (field, given) in [("statusUrl", &request.status_url), ("cdrUrl", &request.cdr_url)] {
        if *given != FieldText::Absent {
            return Err(bad(field, "expected none: a browser token takes the application's"));
        }
    }
    if let Some(fixed) = &page.caller {
        let given = optional("caller", &request.caller)?;
        let same = given.is_none_or(|given| {
            Number::parse_dialable(given).is_ok_and(|number| number.stored() == *fixed)
        });
        if !same {
            return Err(bad("caller", "expected none, or the one that the browser token fixes"));
        }
        request.caller = FieldText::Text(fixed.clone());
    }
    if let Some(fixed) = &page.user_data {
        let given = optional("userData", &request.user_data)?;
        if given.is_some_and(|given| given != fixed) {
            return Err(bad("userData", "expected none, or what the browser token fixes"));
        }
        request.user_data = FieldText::Text(fixed.clone());
    }
    Ok(request)
}

fn line(field: &str, text: &FieldText) -> Result<Option<Number>, Refusal> {
    optional(field, text)?.map(|text| number(field, text)).transpose()
}

fn name(field: &str, text: &FieldText) -> Result<Option<String>, Refusal> {
    Ok(optional(field, text)?.map(|name| name.trim().to_owned()))
}

fn voices(request: &ClickRequest) -> Result<VoiceNames, Refusal> {
    Ok(VoiceNames {
        greet: name("greetVoice", &request.greet_voice)?,
        ringback: name("ringbackVoice", &request.ringback_voice)?,
        fail: name("failVoice", &request.fail_voice)?,
        caller: name("callerVoice", &request.caller_voice)?,
        callee: name("calleeVoice", &request.callee_voice)?,
    })
}

fn voices_are_there(voices: &VoiceNames, application: &Application) -> Result<(), Refusal> {
    let named = [
        ("greetVoice", &voices.greet),
        ("ringbackVoice", &voices.ringback),
        ("failVoice", &voices.fail),
        ("calleeVoice", &voices.callee),
        ("callerVoice", &voices.caller),
    ];
    named.into_iter().try_for_each(|(field, name)| match name {
        Some(name) => media_is_there(field, name, application),
        None => Ok(()),
    })
}
