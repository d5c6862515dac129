//! RFC 9457 problems: how the admin API fails. A 5xx says what kind of failure it is and which
//! exchange it was, and nothing of our inside.

use std::fmt;

use poem::http::{StatusCode, header};
use poem::{Error, IntoResponse as _, Response};
use poem_openapi::registry::{MetaMediaType, MetaResponse, MetaResponses, Registry};
use poem_openapi::types::{ToJSON as _, Type as _};
use poem_openapi::{ApiResponse, Object};
use yunling_app::Refusal;

use crate::http::RequestId;

const CONTENT_TYPE: &str = "application/problem+json";

/// A refusal on its way out of the admin API.
#[derive(Debug)]
pub(in crate::api) struct Problem(pub(in crate::api) Refusal);

/// RFC 9457.
#[derive(Debug, Object)]
#[oai(rename = "Problem")]
struct Body {
    /// Where the catalogue explains it.
    #[oai(rename = "type")]
    kind: String,
    /// What is wrong, as the catalogue says it.
    title: String,
    /// The HTTP status.
    status: u16,
    /// The code's stable name.
    code: String,
    /// The code's five digits.
    #[oai(rename = "errorCode")]
    error_code: String,
    /// What exactly is wrong and what was expected.
    #[oai(skip_serializing_if_is_none)]
    detail: Option<String>,
    /// The parameter or field that is wrong.
    #[oai(skip_serializing_if_is_none)]
    field: Option<String>,
    /// The page that says what to do.
    #[oai(skip_serializing_if_is_none)]
    docs: Option<String>,
    /// Names this exchange in the operator's log.
    #[oai(rename = "requestId")]
    request_id: String,
}

impl Problem {
    /// The answer.
    pub(in crate::api) fn response(&self, id: &RequestId) -> Response {
        let code = self.0.code;
        let status =
            StatusCode::from_u16(code.http_status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let inside = status.is_server_error();
        let docs = format!("/docs/errors#{}", code.name);
        let body = Body {
            kind: docs.clone(),
            title: code.en.to_owned(),
            status: status.as_u16(),
            code: code.name.to_owned(),
            error_code: format!("{:05}", code.number),
            detail: (!inside).then(|| self.0.detail.clone()),
            field: self.0.field.clone().filter(|_| !inside),
            docs: (!inside).then_some(docs),
            request_id: id.to_string(),
        };
        let mut response = poem::web::Json(body.to_json())
            .with_status(status)
            .with_content_type(CONTENT_TYPE)
            .into_response();
        let headers = response.headers_mut();
        if let Some(seconds) = self.0.retry_after_s {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if status == StatusCode::UNAUTHORIZED {
            // Not `Basic`: a browser would open its own log-in window over our pages.
            headers.insert(
                header::WWW_AUTHENTICATE,
                header::HeaderValue::from_static("Bearer realm=\"yunling\""),
            );
        }
        response
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Problem {}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self(refusal)
    }
}

/// Carried as it is to where the exchange's identifier is known.
impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        let status = StatusCode::from_u16(problem.0.code.http_status)
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self::new(problem, status)
    }
}

impl ApiResponse for Problem {
    fn meta() -> MetaResponses {
        let response = |status: Option<u16>, description| MetaResponse {
            description,
            status,
            status_range: None,
            content: vec![MetaMediaType { content_type: CONTENT_TYPE, schema: Body::schema_ref() }],
            headers: vec![],
        };
        MetaResponses {
            responses: vec![
                response(
                    Some(400),
                    "A parameter or a field is missing or wrong; `field` says which.",
                ),
                response(Some(401), "No credential, or one that is not valid (any more)."),
                response(
                    Some(403),
                    "The credential has not the scope that this needs, or the account is suspended.",
                ),
                response(
                    Some(404),
                    "The account has no such object. Another account's objects do not exist either.",
                ),
                response(None, "Any other failure."),
            ],
        }
    }

    fn register(registry: &mut Registry) {
        Body::register(registry);
    }
}
