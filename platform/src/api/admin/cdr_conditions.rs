//! Conditions on call detail records: the same of a list, of an export, and of a range that is pushed
//! again.

use poem_openapi::{Enum, Object};
use serde_json::json;
use yunling_app::Refusal;
use yunling_domain::conversation::ByeType;
use yunling_domain::error_code::{BAD_NUMBER, BAD_PARAMETER};
use yunling_domain::{ApplicationId, Number, RequestId};
use yunling_store::RequestKind;
use yunling_store::cdrs::CdrFilter;

use super::query::{range, shown};

/// Which records; conditions are joined by "and". One that we do not know is refused: overlooked, it
/// would pick more than is wanted.
#[derive(Debug, Default, Object)]
#[oai(rename = "CdrConditions", rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Conditions {
    /// Of this application.
    pub(super) application: Option<String>,
    /// Of this request.
    pub(super) request_id: Option<String>,
    /// Of this kind.
    pub(super) call_type: Option<CallType>,
    /// One of whose legs called this number, in any form: a click's caller or callee.
    pub(super) to: Option<String>,
    /// One of whose legs showed this line number, in any form.
    pub(super) from: Option<String>,
    /// One of whose legs was last dialled on this trunk.
    pub(super) trunk: Option<String>,
    /// One of whose legs has this cause.
    pub(super) cause: Option<Cause>,
    /// 0 the callee answered, 1 not.
    pub(super) result: Option<u8>,
    /// Click-to-call that ended so, 0 to 5.
    pub(super) bye_type: Option<u8>,
    /// Begun at this time or later (RFC 3339).
    pub(super) since: Option<String>,
    /// Begun before this time (RFC 3339).
    pub(super) until: Option<String>,
}

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename_all = "lowercase")]
pub(super) enum CallType {
    /// A notice to one number.
    Notice,
    /// A captcha.
    Captcha,
    /// A notice to many numbers.
    Batch,
    /// Two phones that are connected.
    Click,
    /// A campaign.
    Campaign,
}

/// Why a leg ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename = "CallCause", rename_all = "kebab-case")]
pub(super) enum Cause {
    /// It was answered.
    Completed,
    /// The network says that nobody answered.
    NoAnswer,
    /// Our ring timer ran out.
    TimeOut,
    /// Anything else.
    Failed,
}

impl CallType {
    const fn kind(self) -> RequestKind {
        match self {
            Self::Notice => RequestKind::Notice,
            Self::Captcha => RequestKind::Captcha,
            Self::Batch => RequestKind::Batch,
            Self::Click => RequestKind::Click,
            Self::Campaign => RequestKind::Campaign,
        }
    }
}

impl Cause {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::NoAnswer => "no-answer",
            Self::TimeOut => "time-out",
            Self::Failed => "failed",
        }
    }
}

impl Conditions {
    /// The filter that they mean.
    ///
    /// # Errors
    /// `BAD_NUMBER`, `BAD_PARAMETER` for the first that is wrong.
    pub(super) fn filter(self) -> Result<CdrFilter, Refusal> {
        if self.result.is_some_and(|result| result > 1) {
            return Err(Refusal::field(BAD_PARAMETER, "result", "expected 0 or 1"));
        }
        let bye_type = self
            .bye_type
            .map(ByeType::try_from)
            .transpose()
            .map_err(|error| Refusal::field(BAD_PARAMETER, "byeType", error))?;
        Ok(CdrFilter {
            to_number: number("to", self.to)?,
            masked_numbers: false,
            from_number: number("from", self.from)?,
            trunk: self.trunk,
            cause: self.cause.map(|cause| cause.as_str().to_owned()),
            application: self.application.map(ApplicationId::new),
            request_id: self.request_id.map(RequestId::new),
            kind: self.call_type.map(CallType::kind),
            result: self.result,
            bye_type,
            started: range(self.since.as_deref(), self.until.as_deref())?,
        })
    }
}

/// A stored filter in the words of [`Conditions`].
pub(super) fn described(filter: &CdrFilter) -> serde_json::Value {
    let mut described = json!({
        "application": filter.application,
        "requestId": filter.request_id,
        "callType": filter.kind.map(RequestKind::as_str),
        "to": filter.to_number,
        "from": filter.from_number,
        "trunk": filter.trunk,
        "cause": filter.cause,
        "result": filter.result,
        "byeType": filter.bye_type.map(ByeType::number),
        "since": filter.started.from.map(shown),
        "until": filter.started.to.map(shown),
    });
    if let Some(fields) = described.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    described
}

/// A number in its stored form.
fn number(field: &str, text: Option<String>) -> Result<Option<String>, Refusal> {
    let parse = |text: String| Number::parse_dialable(&text).map(|number| number.stored());
    text.map(parse)
        .transpose()
        .map_err(|error| Refusal::field(BAD_NUMBER, field, error.to_string()))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn conditions_are_read_and_told_in_the_same_words() {
        let conditions = Conditions {
            to: Some("138 0013 8000".to_owned()),
            result: Some(1),
            bye_type: Some(4),
            call_type: Some(CallType::Click),
            cause: Some(Cause::TimeOut),
            since: Some("2026-11-24T14:00:00+08:00".to_owned()),
            ..Conditions::default()
        };
        let filter = conditions.filter().unwrap();
        assert_eq!(
            described(&filter),
            json!({
                "to": "+8613800138000", "result": 1, "byeType": 4, "callType": "click",
                "cause": "time-out", "since": "2026-11-24T06:00:00.000000Z",
            })
        );
        assert_eq!(described(&Conditions::default().filter().unwrap()), json!({}));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let cases = [
            (Conditions { result: Some(2), ..Conditions::default() }, "result"),
            (Conditions { bye_type: Some(6), ..Conditions::default() }, "byeType"),
            (Conditions { to: Some("x".to_owned()), ..Conditions::default() }, "to"),
            (Conditions { from: Some("".to_owned()), ..Conditions::default() }, "from"),
            (Conditions { since: Some("today".to_owned()), ..Conditions::default() }, "since"),
        ];
        for (conditions, field) in cases {
            assert_eq!(conditions.filter().unwrap_err().field.as_deref(), Some(field));
        }
    }
}
