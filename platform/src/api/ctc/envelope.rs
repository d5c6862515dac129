//! Click-to-call's envelope, in success and in failure (RESOLUTIONS, click-to-call surface,
//! envelope): `statusMsg` with a capital M, and five-digit codes of the one catalogue.

use poem::IntoResponse;
use poem_openapi::Object;
use yunling_app::Refusal;
use yunling_domain::error_code::MISSING_PARAMETER;

use crate::api::answer::{Answer, OfRefusal, detail};

/// The envelope of every answer.
#[derive(Debug, Clone, Default, Object)]
#[oai(rename = "ConversationEnvelope")]
pub(super) struct Envelope {
    /// `00000` success; else the five digits of the failure, explained at /docs/errors.
    #[oai(rename = "statusCode")]
    pub(super) status_code: String,
    /// `success`, or what is wrong in a few words.
    #[oai(rename = "statusMsg")]
    pub(super) status_msg: String,
    /// The conversation's identifier; present when a call was accepted.
    #[oai(rename = "conversationSid", skip_serializing_if_is_none, validator(max_length = 64))]
    pub(super) conversation_sid: Option<String>,
    /// Addition, of addCall: the third party's call.
    #[oai(rename = "callSid", skip_serializing_if_is_none, validator(max_length = 64))]
    pub(super) call_sid: Option<String>,
    /// Addition: what exactly is wrong, where, and what was expected.
    #[oai(rename = "errorDetail", skip_serializing_if_is_none)]
    pub(super) error_detail: Option<String>,
}

impl Envelope {
    /// Success.
    pub(super) fn success() -> Self {
        Self {
            status_code: "00000".to_owned(),
            status_msg: "success".to_owned(),
            ..Self::default()
        }
    }
}

impl OfRefusal for Envelope {
    fn of_refusal(refusal: &Refusal) -> Self {
        Self {
            status_code: format!("{:05}", refusal.code.number),
            status_msg: status_msg(refusal),
            error_detail: Some(detail(refusal)),
            ..Self::default()
        }
    }
}

/// In the style of the voice surface's samples.
fn status_msg(refusal: &Refusal) -> String {
    let code = refusal.code;
    match (code.surface, &refusal.field) {
        (-4, Some(field)) if code.number == MISSING_PARAMETER.number => format!("missing {field}"),
        (-4, Some(field)) => format!("invalid {field}"),
        _ => code.name.replace('_', " "),
    }
}

/// The answer to whatever no operation has answered.
pub(in crate::api) fn failure(refusal: &Refusal) -> impl IntoResponse + use<> {
    Answer::<Envelope>::refused(refusal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use yunling_domain::error_code::{
        ACCOUNT_AT_LIMIT, BAD_NUMBER, NOT_BRIDGED, NOT_FOUND, UNAUTHORIZED,
    };

    #[test]
    fn failures_are_five_digits_and_a_few_words() {
        let cases = [
            (
                Refusal::field(MISSING_PARAMETER, "callee", "missing callee"),
                "12001",
                "missing callee",
            ),
            (Refusal::field(BAD_NUMBER, "caller", "expected a mobile"), "12005", "invalid caller"),
            (Refusal::field(NOT_FOUND, "conversationSid", "x"), "11005", "invalid conversationSid"),
            (Refusal::new(UNAUTHORIZED), "10001", "unauthorized"),
            (Refusal::new(ACCOUNT_AT_LIMIT), "21001", "account at limit"),
            (Refusal::new(NOT_BRIDGED), "22001", "not bridged"),
        ];
        for (refusal, status_code, said) in cases {
            let envelope = Envelope::of_refusal(&refusal);
            assert_eq!(
                (envelope.status_code.as_str(), envelope.status_msg.as_str()),
                (status_code, said)
            );
        }
    }
}
