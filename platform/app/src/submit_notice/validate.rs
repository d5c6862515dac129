//! The fields of a notice, in the document's order: first what is missing, then what is wrong, then
//! what the media library lacks. A batch's are the same but for `to`; a captcha shares the rules of
//! single fields.

use super::request::NoticeRequest;
use crate::Refusal;
use crate::directory::Application;
use crate::field_text::{
    FieldText, bad, media_is_there, missing, number, optional, parameter, required, url,
    voice_number,
};
use serde_json::Value;
use yunling_domain::contents::{Content, ContentError, KeyRule, MAX_CONTENTS, NoticeSpec};
use yunling_domain::error_code::UNSPEAKABLE;
use yunling_domain::parameter::{times, userdata};
use yunling_domain::{Lang, Number};

/// A request whose fields are all sound. `T` is whom to call: one number or many.
#[derive(Debug)]
pub(crate) struct Checked<T> {
    pub(crate) to: T,
    pub(crate) from: Option<Number>,
    pub(crate) spec: NoticeSpec,
    pub(crate) userdata: Option<String>,
    pub(crate) cdr_url: Option<String>,
    pub(crate) status_url: Option<String>,
}

/// One callee.
#[derive(Debug)]
pub(crate) struct Callee {
    pub(crate) number: Number,
    /// As the customer wrote it.
    pub(crate) raw: String,
}

pub(crate) fn callee(text: &str) -> Result<Callee, Refusal> {
    Ok(Callee { number: voice_number("to", text)?, raw: text.to_owned() })
}

pub(crate) fn check<T>(
    request: &NoticeRequest,
    application: &Application,
    callees: impl FnOnce(&str) -> Result<T, Refusal>,
) -> Result<Checked<T>, Refusal> {
    let to = required("to", &request.to)?;
    let contents = request.contents.as_ref().ok_or_else(|| missing("contents"))?;
    let to = callees(to)?;
    let from = optional("from", &request.from)?.map(|text| number("from", text)).transpose()?;
    let lang = optional("lang", &request.lang)?
        .map_or(Ok(Lang::default()), |text| self::lang("lang", text))?;
    let contents = self::contents(contents, lang)?;
    let userdata =
        optional("userdata", &request.userdata)?.map(userdata).transpose().map_err(parameter)?;
    let times = times(optional("times", &request.times)?).map_err(parameter)?;
    let spec = NoticeSpec {
        contents,
        times,
        finish_key: key("finishkey", &request.finishkey)?,
        repeat_key: key("repeatkey", &request.repeatkey)?,
        finish_voice: optional("finishvoice", &request.finishvoice)?
            .map(|name| name.trim().to_owned()),
    };
    let checked = Checked {
        to,
        from,
        userdata: userdata.map(str::to_owned),
        cdr_url: url("cdrUrl", &request.cdr_url)?,
        status_url: url("statusUrl", &request.status_url)?,
        spec,
    };
    media_are_there(&checked.spec, application)?;
    Ok(checked)
}

pub(crate) fn lang(field: impl Into<String>, text: &str) -> Result<Lang, Refusal> {
    text.trim().parse().map_err(|error| bad(field, error))
}

fn key(field: &str, text: &FieldText) -> Result<Option<KeyRule>, Refusal> {
    let Some(text) = optional(field, text)? else {
        return Ok(None);
    };
    text.trim().parse().map(Some).map_err(|error| bad(field, error))
}

fn contents(value: &Value, default: Lang) -> Result<Vec<(Content, Lang)>, Refusal> {
    let expected = || {
        bad(
            "contents",
            format!("expected a list of 1 to {MAX_CONTENTS} objects with type and content"),
        )
    };
    let written;
    let items = match value {
        Value::Array(items) => items,
        Value::String(text) => {
            written = serde_json::from_str::<Vec<Value>>(text).map_err(|_| expected())?;
            &written
        }
        _ => return Err(expected()),
    };
    if items.is_empty() || items.len() > MAX_CONTENTS {
        return Err(expected());
    }
    items.iter().enumerate().map(|(index, item)| content(index, item, default)).collect()
}

fn content(index: usize, item: &Value, default: Lang) -> Result<(Content, Lang), Refusal> {
    let at = |name: &str| format!("contents[{index}].{name}");
    let Value::Object(fields) = item else {
        return Err(bad(format!("contents[{index}]"), "expected an object with type and content"));
    };
    let field = |name: &str| FieldText::of(fields.get(name));
    let (kind, text, lang) = (field("type"), field("content"), field("lang"));
    let kind = required(&at("type"), &kind)?;
    let text = required(&at("content"), &text)?;
    let lang =
        optional(&at("lang"), &lang)?.map_or(Ok(default), |name| self::lang(at("lang"), name))?;
    match Content::parse(kind, text, lang) {
        Ok(content) => Ok((content, lang)),
        Err(error @ ContentError::UnknownType(_)) => Err(bad(at("type"), error)),
        Err(error @ ContentError::BadVoiceName) => Err(bad(at("content"), error)),
        Err(error @ ContentError::Unspeakable(_)) => {
            Err(Refusal::field(UNSPEAKABLE, at("content"), error.to_string()))
        }
    }
}

fn media_are_there(spec: &NoticeSpec, application: &Application) -> Result<(), Refusal> {
    let contents =
        spec.contents.iter().enumerate().filter_map(|(index, (content, _))| match content {
            Content::Voice { name } => Some((format!("contents[{index}].content"), name)),
            _ => None,
        });
    let finish = spec.finish_voice.iter().map(|name| ("finishvoice".to_owned(), name));
    contents.chain(finish).try_for_each(|(field, name)| media_is_there(&field, name, application))
}
