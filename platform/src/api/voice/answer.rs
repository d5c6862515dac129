//! The published surface's envelope, in success and in failure (RESOLUTIONS, voice surface).

use poem::http::{HeaderName, StatusCode, header};
use poem::{IntoResponse, Response};
use poem_openapi::registry::{MetaHeader, MetaMediaType, MetaResponse, MetaResponses, Registry};
use poem_openapi::types::{ToJSON, Type};
use poem_openapi::{ApiResponse, Object};
use yunling_app::{App, Refusal};
use yunling_domain::IdKind;
use yunling_domain::error_code::{MALFORMED_JSON, MISSING_APPLICATION, MISSING_PARAMETER};

/// Tells that the answer is an earlier request's.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

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

/// What is wrong, with its field.
pub(super) fn detail(refusal: &Refusal) -> String {
    match &refusal.field {
        Some(field) if !refusal.detail.contains(field.as_str()) => {
            format!("{field}: {}", refusal.detail)
        }
        _ => refusal.detail.clone(),
    }
}

/// An answer of the published surface.
pub(in crate::api) struct Answer<T> {
    status: StatusCode,
    retry_after_s: Option<u32>,
    replayed: bool,
    body: T,
}

impl<T: From<Envelope>> Answer<T> {
    /// Success.
    pub(super) fn of(body: T) -> Self {
        Self { status: StatusCode::OK, retry_after_s: None, replayed: false, body }
    }

    /// A failure of a request that reads: no identifier stands for it.
    pub(super) fn refused(refusal: &Refusal) -> Self {
        Self { retry_after_s: refusal.retry_after_s, ..Self::of(Envelope::failure(refusal).into()) }
    }

    /// A failure of a request that acts: it gets an identifier all the same.
    pub(super) fn refused_with_id(app: &App, refusal: &Refusal) -> Self {
        let requestid = Some(app.ids().mint(IdKind::Request));
        let envelope = Envelope { requestid, ..Envelope::failure(refusal) };
        Self { retry_after_s: refusal.retry_after_s, ..Self::of(envelope.into()) }
    }

    /// A failure in an envelope of its own.
    pub(super) fn refused_as(body: T, refusal: &Refusal) -> Self {
        Self { retry_after_s: refusal.retry_after_s, ..Self::of(body) }
    }

    /// The same with the code's own HTTP status: the application has switched it on.
    pub(super) fn semantic(mut self, refusal: &Refusal) -> Self {
        self.status = StatusCode::from_u16(refusal.code.http_status)
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        self
    }

    /// The same, marked as an earlier request's answer.
    pub(super) fn replayed(mut self, replayed: bool) -> Self {
        self.replayed = replayed;
        self
    }
}

/// The answer to whatever no operation has answered.
pub(in crate::api) fn failure(app: &App, refusal: &Refusal) -> impl IntoResponse + use<> {
    Answer::<Envelope>::refused_with_id(app, refusal)
}

impl<T: ToJSON + Send> IntoResponse for Answer<T> {
    fn into_response(self) -> Response {
        let mut response =
            poem::web::Json(self.body.to_json()).with_status(self.status).into_response();
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        if self.replayed {
            response.headers_mut().insert(REPLAYED, header::HeaderValue::from_static("true"));
        }
        response
    }
}

impl<T: Type + ToJSON> ApiResponse for Answer<T> {
    fn meta() -> MetaResponses {
        let content =
            || vec![MetaMediaType { content_type: "application/json", schema: T::schema_ref() }];
        let header = |name: &str, description: &str| MetaHeader {
            name: name.to_owned(),
            description: Some(description.to_owned()),
            required: false,
            deprecated: false,
            schema: String::schema_ref(),
        };
        let headers = || {
            vec![
                header("Retry-After", "When trying again may help, in seconds."),
                header("X-Request-Id", "Names this exchange in the operator's log."),
            ]
        };
        let always = MetaResponse {
            description: "Success, and failure: `statusCode` tells. The HTTP status is always 200, unless the application has switched semantic statuses on.",
            status: Some(200),
            status_range: None,
            content: content(),
            headers: headers(),
        };
        let semantic = MetaResponse {
            description: "The same failure with the HTTP status of its error code, where the application has switched semantic statuses on.",
            status: None,
            status_range: None,
            content: content(),
            headers: headers(),
        };
        MetaResponses { responses: vec![always, semantic] }
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
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

    #[test]
    fn the_detail_names_the_field_once() {
        let detail = |field: &str, text: &str| detail(&Refusal::field(BAD_NUMBER, field, text));
        assert_eq!(
            detail("contents[0].lang", "expected zh or en"),
            "contents[0].lang: expected zh or en"
        );
        assert_eq!(detail("contents", "missing contents"), "missing contents");
    }
}
