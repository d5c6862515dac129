//! The fields of a notice, in the document's order: first what is missing, then what is wrong, then
//! what the media library lacks.

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

/// A request whose fields are all sound.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) to: Number,
    pub(super) to_raw: String,
    pub(super) from: Option<Number>,
    pub(super) spec: NoticeSpec,
    pub(super) userdata: Option<String>,
    pub(super) cdr_url: Option<String>,
    pub(super) status_url: Option<String>,
}

pub(super) fn check(
    request: &NoticeRequest,
    application: &Application,
) -> Result<Checked, Refusal> {
    let to_raw = required("to", &request.to)?;
    let contents = request.contents.as_ref().ok_or_else(|| missing("contents"))?;
    let to = voice_number("to", to_raw)?;
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
        to_raw: to_raw.to_owned(),
        from,
        userdata: userdata.map(str::to_owned),
        cdr_url: url("cdrUrl", &request.cdr_url)?,
        status_url: url("statusUrl", &request.status_url)?,
        spec,
    };
    media_are_there(&checked.spec, application)?;
    Ok(checked)
}

fn lang(field: impl Into<String>, text: &str) -> Result<Lang, Refusal> {
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
