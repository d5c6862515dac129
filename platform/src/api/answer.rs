//! Answers of the published surface: HTTP 200 for success and failure alike, but where an application
//! has switched semantic statuses on (RESOLUTIONS, HTTP status).

use poem::http::{HeaderName, StatusCode, header};
use poem::{Error, IntoResponse, Response};
use poem_openapi::ApiResponse;
use poem_openapi::registry::{MetaHeader, MetaMediaType, MetaResponse, MetaResponses, Registry};
use poem_openapi::types::{ToJSON, Type};
use yunling_app::Refusal;

/// Tells that the answer is an earlier request's.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// How a surface's body tells a failure.
pub(in crate::api) trait OfRefusal {
    /// The body.
    fn of_refusal(refusal: &Refusal) -> Self;
}

/// An answer of the published surface.
pub(in crate::api) struct Answer<T> {
    status: StatusCode,
    retry_after_s: Option<u32>,
    replayed: bool,
    body: T,
}

impl<T> Answer<T> {
    /// Success.
    pub(in crate::api) fn of(body: T) -> Self {
        Self { status: StatusCode::OK, retry_after_s: None, replayed: false, body }
    }

    /// A failure whose body is made already.
    pub(in crate::api) fn failed(body: T, refusal: &Refusal) -> Self {
        Self { retry_after_s: refusal.retry_after_s, ..Self::of(body) }
    }

    /// The same with the code's own HTTP status: the application has switched it on.
    pub(in crate::api) fn semantic(mut self, refusal: &Refusal) -> Self {
        self.status = StatusCode::from_u16(refusal.code.http_status)
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        self
    }

    /// The same, marked as an earlier request's answer.
    pub(in crate::api) fn replayed(mut self, replayed: bool) -> Self {
        self.replayed = replayed;
        self
    }
}

impl<T: OfRefusal> Answer<T> {
    /// A failure.
    pub(in crate::api) fn refused(refusal: &Refusal) -> Self {
        Self::failed(T::of_refusal(refusal), refusal)
    }
}

/// What exactly is wrong, with the field's name once.
pub(in crate::api) fn detail(refusal: &Refusal) -> String {
    match &refusal.field {
        Some(field) if !refusal.detail.contains(field.as_str()) => {
            format!("{field}: {}", refusal.detail)
        }
        _ => refusal.detail.clone(),
    }
}

/// Where an operation has another answer than this one.
impl<T: ToJSON + Send> From<Answer<T>> for Error {
    fn from(answer: Answer<T>) -> Self {
        Self::from_response(answer.into_response())
    }
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
    use yunling_domain::error_code::BAD_NUMBER;

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
