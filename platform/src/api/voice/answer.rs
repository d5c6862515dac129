//! The published surface's envelope, in success and in failure (RESOLUTIONS, voice surface).

use poem::IntoResponse;
use poem_openapi::Object;
use yunling_app::{App, Refusal};
use yunling_domain::IdKind;
use yunling_domain::error_code::{MALFORMED_JSON, MISSING_APPLICATION, MISSING_PARAMETER};

use crate::api::answer::{Answer, OfRefusal, detail};

/// The envelope of every answer.
#[derive(Debug, Clone, Default, Object)]
pub(super) struct Envelope {
    /// `0` success; `-1` authorization; `-2` the JSON; `-3` the appid; `-4` another parameter; `-5`
    /// refused inside the platform; `-6` every line that may be used is down.
    #[oai(rename = "statusCode")]
    pub(super) status_code: String,
    /// `succ`, or what is wrong in a few words.
    pub(super) statusmsg: String,
    /// The request's identifier.
    #[oai(skip_serializing_if_is_none, validator(max_length = 64))]
    pub(super) requestid: Option<String>,
    /// The call's identifier; present when a call was accepted.
    #[oai(skip_serializing_if_is_none, validator(max_length = 64))]
    pub(super) callid: Option<String>,
    /// Addition: the five-digit code that tells failures with the same `statusCode` apart. The
    /// catalogue is at /docs/errors.
    #[oai(rename = "errorCode", skip_serializing_if_is_none)]
    pub(super) error_code: Option<String>,
    /// Addition: what exactly is wrong, where, and what was expected.
    #[oai(rename = "errorDetail", skip_serializing_if_is_none)]
    pub(super) error_detail: Option<String>,
}

impl Envelope {
    /// Success.
    pub(super) fn success() -> Self {
        Self { status_code: "0".to_owned(), statusmsg: "succ".to_owned(), ..Self::default() }
    }

    /// Failure.
    fn failure(refusal: &Refusal) -> Self {
        Self {
            status_code: refusal.code.surface.to_string(),
            statusmsg: statusmsg(refusal),
            error_code: Some(format!("{:05}", refusal.code.number)),
            error_detail: Some(detail(refusal)),
            ..Self::default()
        }
    }
}

impl OfRefusal for Envelope {
    fn of_refusal(refusal: &Refusal) -> Self {
        Self::failure(refusal)
    }
}

/// In the style of the document's samples, `succ` and `missing contents`. `-5` and `-6` share theirs,
/// as in the document; `errorCode` tells them apart.
fn statusmsg(refusal: &Refusal) -> String {
    let code = refusal.code;
    match (code.surface, &refusal.field) {
        (-1, _) => "authorization failed".to_owned(),
        (-2, _) if code.number == MALFORMED_JSON.number => "invalid json".to_owned(),
        (-3, _) if code.number == MISSING_APPLICATION.number => "missing appid".to_owned(),
        (-3, _) => "invalid appid".to_owned(),
        (-4, Some(field)) if code.number == MISSING_PARAMETER.number => format!("missing {field}"),
        (-4, Some(field)) => format!("invalid {field}"),
        (-5 | -6, _) => "call failed".to_owned(),
        _ => code.name.replace('_', " "),
    }
}

/// A failure of a request that acts: it gets an identifier all the same.
pub(super) fn refused_with_id<T: From<Envelope>>(app: &App, refusal: &Refusal) -> Answer<T> {
    let requestid = Some(app.ids().mint(IdKind::Request));
    let envelope = Envelope { requestid, ..Envelope::failure(refusal) };
    Answer::failed(envelope.into(), refusal)
}

/// The answer to whatever no operation has answered.
pub(in crate::api) fn failure(app: &App, refusal: &Refusal) -> impl IntoResponse + use<> {
    refused_with_id::<Envelope>(app, refusal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use yunling_domain::error_code::{
        ALL_TRUNKS_DOWN, BAD_NUMBER, BODY_TOO_LARGE, INTERNAL, METHOD_NOT_ALLOWED, QUEUE_FULL,
        UNAUTHORIZED, UNKNOWN_APPLICATION, UNKNOWN_PATH,
    };

    #[test]
    fn statusmsg_is_in_the_style_of_the_samples() {
        let cases = [
            (
                Refusal::field(MISSING_PARAMETER, "contents", "missing contents"),
                "-4",
                "missing contents",
            ),
            (Refusal::field(BAD_NUMBER, "to", "expected a mobile"), "-4", "invalid to"),
            (Refusal::field(MISSING_APPLICATION, "appid", "missing appid"), "-3", "missing appid"),
            (Refusal::field(UNKNOWN_APPLICATION, "appid", "x"), "-3", "invalid appid"),
            (Refusal::new(UNAUTHORIZED), "-1", "authorization failed"),
            (Refusal::new(MALFORMED_JSON), "-2", "invalid json"),
            (Refusal::new(BODY_TOO_LARGE), "-2", "body too large"),
            (Refusal::new(METHOD_NOT_ALLOWED), "-4", "method not allowed"),
            (Refusal::new(UNKNOWN_PATH), "-4", "unknown path"),
            (Refusal::new(QUEUE_FULL), "-5", "call failed"),
            (Refusal::new(INTERNAL), "-5", "call failed"),
            (Refusal::new(ALL_TRUNKS_DOWN), "-6", "call failed"),
        ];
        for (refusal, status_code, said) in cases {
            let envelope = Envelope::failure(&refusal);
            assert_eq!(
                (envelope.status_code.as_str(), envelope.statusmsg.as_str()),
                (status_code, said),
                "{refusal}"
            );
        }
    }
}
