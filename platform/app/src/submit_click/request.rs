//! The fields of click-to-call's requests, from JSON or from a form: both are read alike.

use crate::Refusal;
use crate::field_text::{FieldText, bad, json_fields, missing};
use serde_json::{Map, Value};
use yunling_domain::error_code::{BAD_PARAMETER, MALFORMED_JSON};

/// What a request asks for: the discriminator `action`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// `click2call`
    Click2Call,
    /// `cancelCall`
    CancelCall,
    /// `addCall`
    AddCall,
}

impl Action {
    const ALL: [Self; 3] = [Self::Click2Call, Self::CancelCall, Self::AddCall];

    /// As the document writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Click2Call => "click2call",
            Self::CancelCall => "cancelCall",
            Self::AddCall => "addCall",
        }
    }
}

/// The fields of click2call and addCall as they came; what an action does not have stays absent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClickRequest {
    action: FieldText,
    /// `caller`
    pub caller: FieldText,
    /// `callee`
    pub callee: FieldText,
    /// `callerCli`
    pub caller_cli: FieldText,
    /// `calleeCli`
    pub callee_cli: FieldText,
    /// `greetVoice`
    pub greet_voice: FieldText,
    /// `ringbackMode`, also `ringback_mode`, as the document's own remarks spell it.
    pub ringback_mode: FieldText,
    /// `ringbackVoice`
    pub ringback_voice: FieldText,
    /// `failVoice`
    pub fail_voice: FieldText,
    /// `calleeVoice`
    pub callee_voice: FieldText,
    /// `callerVoice`
    pub caller_voice: FieldText,
    /// `userData`
    pub user_data: FieldText,
    /// `statusUrl`
    pub status_url: FieldText,
    /// `cdrUrl`
    pub cdr_url: FieldText,
    /// `record`
    pub record: FieldText,
    /// `maxDuration`
    pub max_duration: FieldText,
    /// `lastMinVoice`
    pub last_min_voice: FieldText,
    /// `timeout`, of addCall.
    pub timeout: FieldText,
    /// Additive `maskedCallee`.
    pub masked_callee: FieldText,
}

impl ClickRequest {
    /// Reads a body: JSON whatever the Content-Type says, or a form.
    ///
    /// # Errors
    /// `MALFORMED_JSON`: it is neither, or not UTF-8.
    pub fn from_body(content_type: Option<&str>, body: &[u8]) -> Result<Self, Refusal> {
        let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
        let is_form =
            content_type.is_some_and(is_form) && !matches!(first, Some(b'{' | b'[' | 0xEF));
        let fields = if is_form { form_fields(body)? } else { json_fields(body)? };
        Ok(Self::from_fields(&fields))
    }

    fn from_fields(fields: &Map<String, Value>) -> Self {
        let field = |name: &str| FieldText::of(fields.get(name));
        let ringback_mode = match field("ringbackMode") {
            FieldText::Absent => field("ringback_mode"),
            given => given,
        };
        Self {
            action: field("action"),
            caller: field("caller"),
            callee: field("callee"),
            caller_cli: field("callerCli"),
            callee_cli: field("calleeCli"),
            greet_voice: field("greetVoice"),
            ringback_mode,
            ringback_voice: field("ringbackVoice"),
            fail_voice: field("failVoice"),
            callee_voice: field("calleeVoice"),
            caller_voice: field("callerVoice"),
            user_data: field("userData"),
            status_url: field("statusUrl"),
            cdr_url: field("cdrUrl"),
            record: field("record"),
            max_duration: field("maxDuration"),
            last_min_voice: field("lastMinVoice"),
            timeout: field("timeout"),
            masked_callee: field("maskedCallee"),
        }
    }

    /// What it asks for, matched without case (RESOLUTIONS, action), among those that the path
    /// takes.
    ///
    /// # Errors
    /// `MISSING_PARAMETER`, `BAD_PARAMETER` for `action`.
    pub fn action(&self, taken: &[Action]) -> Result<Action, Refusal> {
        let expected = || {
            let names: Vec<_> = taken.iter().map(|action| action.as_str()).collect();
            bad("action", format!("expected {} here", names.join(" or ")))
        };
        match &self.action {
            FieldText::Absent => Err(missing("action")),
            FieldText::NotText => Err(expected()),
            FieldText::Text(text) => Action::ALL
                .into_iter()
                .find(|action| action.as_str().eq_ignore_ascii_case(text.trim()))
                .filter(|action| taken.contains(action))
                .ok_or_else(expected),
        }
    }
}

fn is_form(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// The first of several fields of one name counts.
fn form_fields(body: &[u8]) -> Result<Map<String, Value>, Refusal> {
    let mut fields = Map::new();
    for (name, value) in url::form_urlencoded::parse(body) {
        // The decoder puts U+FFFD where bytes are no UTF-8.
        if value.contains('\u{FFFD}') || name.contains('\u{FFFD}') {
            return Err(Refusal::new(MALFORMED_JSON).with_detail("the form is not UTF-8"));
        }
        if value.contains('\0') || name.contains('\0') {
            let detail = "a text holds %00: expected texts without that character";
            return Err(Refusal::new(BAD_PARAMETER).with_detail(detail));
        }
        fields.entry(name.into_owned()).or_insert_with(|| Value::String(value.trim().to_owned()));
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const FORM: Option<&str> = Some("application/x-www-form-urlencoded; charset=utf-8");

    #[test]
    fn json_and_forms_are_read_alike() {
        let json = br#" {"action":"CLICK2CALL","caller":13800100001,"callee":"010-80001001",
                         "ringback_mode":1,"record":true,"userData":""}"#;
        let form = b"action=click2Call&caller=13800100001&callee=010-80001001&ringbackMode=1&record=true&userData=&caller=1";
        for (kind, body) in
            [(None, &json[..]), (Some("text/plain"), json), (FORM, json), (FORM, form)]
        {
            let request = ClickRequest::from_body(kind, body).unwrap();
            assert_eq!(request.action(&[Action::Click2Call]), Ok(Action::Click2Call));
            assert_eq!(request.caller, FieldText::Text("13800100001".into()), "{kind:?}");
            assert_eq!(request.callee, FieldText::Text("010-80001001".into()));
            assert_eq!(request.ringback_mode, FieldText::Text("1".into()));
            assert_eq!(request.record, FieldText::Text("true".into()));
            assert_eq!(request.user_data, FieldText::Absent);
        }
        let spaced = ClickRequest::from_body(FORM, b"callee=%2B86+138+0010+0001").unwrap();
        assert_eq!(spaced.callee, FieldText::Text("+86 138 0010 0001".into()));
    }

    #[test]
    fn what_is_neither_is_refused() {
        for (kind, body, said) in [
            (None, &b"action=click2call"[..], "line 1"),
            (FORM, b"[]", "JSON object"),
            (FORM, b"a=%ff", "UTF-8"),
            (None, b"", "EOF"),
        ] {
            let refusal = ClickRequest::from_body(kind, body).unwrap_err();
            assert_eq!(refusal.code, MALFORMED_JSON, "{body:?}");
            assert!(refusal.detail.contains(said), "{body:?}: {refusal}");
        }
        let refusal = ClickRequest::from_body(FORM, b"a=%00").unwrap_err();
        assert_eq!(refusal.code, BAD_PARAMETER);
    }

    #[test]
    fn actions_belong_to_their_paths() {
        let of = |action: &str| {
            let body = format!("{{\"action\":{action}}}");
            ClickRequest::from_body(None, body.as_bytes()).unwrap()
        };
        let there = [Action::CancelCall, Action::AddCall];
        assert_eq!(of("\"cancelcall\"").action(&there), Ok(Action::CancelCall));
        assert_eq!(of("\" addCall \"").action(&there), Ok(Action::AddCall));
        for action in ["\"click2call\"", "\"hangup\"", "{}", "1"] {
            let refusal = of(action).action(&there).unwrap_err();
            assert_eq!(refusal.field.as_deref(), Some("action"), "{action}");
            assert!(refusal.detail.contains("cancelCall or addCall"), "{refusal}");
        }
        assert_eq!(of("null").action(&there).unwrap_err().code.name, "missing_parameter");
    }
}
