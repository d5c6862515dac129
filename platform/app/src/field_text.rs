//! Fields of the published requests as they come: any JSON scalar counts as its text, `""` and
//! `null` as absent (RESOLUTIONS.md, "Everywhere"). What is neither is kept as such, so that it is
//! refused for its field and not for the whole.

use crate::Refusal;
use crate::documents::CallbackUrl;
use serde_json::{Map, Value};
use std::fmt::Display;
use yunling_domain::error_code::{
    BAD_NUMBER, BAD_PARAMETER, MALFORMED_JSON, MISSING_PARAMETER, UNKNOWN_MEDIA,
};
use yunling_domain::parameter::ParameterError;
use yunling_domain::{Number, NumberClass};

use crate::directory::Application;

/// One field's text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum FieldText {
    /// Not there, `null` or `""`.
    #[default]
    Absent,
    /// A string as it is, a number or a boolean as JSON writes it.
    Text(String),
    /// An object or a list where a text belongs.
    NotText,
}

impl FieldText {
    /// Reads a JSON value.
    pub fn of(value: Option<&Value>) -> Self {
        match value {
            None | Some(Value::Null) => Self::Absent,
            Some(Value::String(text)) if text.is_empty() => Self::Absent,
            Some(Value::String(text)) => Self::Text(text.clone()),
            Some(Value::Number(number)) => Self::Text(number.to_string()),
            Some(Value::Bool(truth)) => Self::Text(truth.to_string()),
            Some(Value::Array(_) | Value::Object(_)) => Self::NotText,
        }
    }

    /// The text, if it is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Absent | Self::NotText => None,
        }
    }
}

/// The fields of a JSON object, whatever the Content-Type said.
///
/// # Errors
/// `MALFORMED_JSON`: it is not a JSON object in UTF-8; the detail says where.
pub(crate) fn json_fields(body: &[u8]) -> Result<Map<String, Value>, Refusal> {
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    match serde_json::from_slice(body) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err(Refusal::new(MALFORMED_JSON).with_detail("expected a JSON object")),
        Err(error) => Err(Refusal::new(MALFORMED_JSON).with_detail(error.to_string())),
    }
}

pub(crate) fn missing(field: &str) -> Refusal {
    Refusal::field(MISSING_PARAMETER, field, format!("missing {field}"))
}

pub(crate) fn bad(field: impl Into<String>, expected: impl Display) -> Refusal {
    Refusal::field(BAD_PARAMETER, field, expected.to_string())
}

pub(crate) fn parameter(error: ParameterError) -> Refusal {
    Refusal::field(error.code, error.field, format!("expected {}", error.expected))
}

pub(crate) fn required<'a>(field: &str, text: &'a FieldText) -> Result<&'a str, Refusal> {
    optional(field, text)?.ok_or_else(|| missing(field))
}

pub(crate) fn optional<'a>(field: &str, text: &'a FieldText) -> Result<Option<&'a str>, Refusal> {
    match text {
        FieldText::Absent => Ok(None),
        FieldText::Text(text) => Ok(Some(text)),
        FieldText::NotText => {
            Err(bad(field, "expected a text or a number, found an object or a list"))
        }
    }
}

/// A destination of a notice. An emergency number is a number; the gate refuses it by name.
pub(crate) fn voice_number(field: &str, text: &str) -> Result<Number, Refusal> {
    match Number::parse_dialable(text) {
        Ok(number) if number.class() == NumberClass::Emergency => Ok(number),
        _ => Number::parse_voice(text)
            .map_err(|error| Refusal::field(BAD_NUMBER, field, error.to_string())),
    }
}

/// Any number of the grammar: a destination of click-to-call, or a line number.
pub(crate) fn number(field: &str, text: &str) -> Result<Number, Refusal> {
    Number::parse_dialable(text)
        .map_err(|error| Refusal::field(BAD_NUMBER, field, error.to_string()))
}

/// A callback's address.
pub(crate) fn url(field: &str, text: &FieldText) -> Result<Option<String>, Refusal> {
    let Some(text) = optional(field, text)? else {
        return Ok(None);
    };
    text.parse::<CallbackUrl>()
        .map(|url| Some(url.to_string()))
        .map_err(|problem| bad(field, problem))
}

/// The application's media library has this file.
pub(crate) fn media_is_there(
    field: &str,
    name: &str,
    application: &Application,
) -> Result<(), Refusal> {
    if application.media.contains_key(name) {
        return Ok(());
    }
    let shown: String = name.chars().take(128).collect();
    let detail = format!("the application's media library has no file {shown:?}");
    Err(Refusal::field(UNKNOWN_MEDIA, field, detail))
}
