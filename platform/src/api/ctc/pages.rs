//! What web pages of other origins may ask of click-to-call: the CORS protocol of the Fetch standard,
//! for each application's own `origins` and nobody else's.

use poem::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN,
    VARY,
};
use poem::http::uri::PathAndQuery;
use poem::http::{HeaderValue, Method, StatusCode, Uri};
use poem::{Endpoint, IntoResponse as _, Middleware, Request, Response, Result};
use yunling_app::{App, Refusal};
use yunling_domain::error_code::ORIGIN_NOT_ALLOWED;

use super::{failure, visitor};

/// What pages may send.
const METHODS: HeaderValue = HeaderValue::from_static("GET, POST");
const HEADERS: HeaderValue =
    HeaderValue::from_static("authorization, content-type, idempotency-key");
/// What pages may read of an answer besides its body.
const EXPOSED: HeaderValue = HeaderValue::from_static("retry-after, x-request-id");
/// How long a browser may remember a preflight, seconds.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");

/// Account and application of a path of click-to-call.
pub(in crate::api) fn place(path: &str) -> Option<(&str, &str)> {
    let mut parts = path.strip_prefix("/Accounts/")?.split('/');
    let account = parts.next()?;
    if parts.next()? != "Applications" {
        return None;
    }
    let application = parts.next()?;
    (parts.next()? == "ctc").then_some((account, application))
}

/// Answers preflights, and lets the pages of allowed origins read what was answered.
#[derive(Debug, Clone, Copy)]
pub(in crate::api) struct AllowPages;

impl<E: Endpoint<Output = Response>> Middleware<E> for AllowPages {
    type Output = Allowing<E>;

    fn transform(&self, inner: E) -> Allowing<E> {
        Allowing(inner)
    }
}

pub(in crate::api) struct Allowing<E>(E);

impl<E: Endpoint<Output = Response>> Endpoint for Allowing<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        let Some((account, application)) = place(request.uri().path()) else {
            return self.0.call(request).await;
        };
        let origin = request.headers().get(ORIGIN).cloned();
        let app = request.data::<App>();
        let allowed = origin.filter(|origin| {
            let origin = origin.to_str().ok();
            app.zip(origin)
                .is_some_and(|(app, origin)| visitor::allows(app, account, application, origin))
        });
        let is_preflight = request.method() == Method::OPTIONS
            && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        if let Some(uri) = without_last_slash(request.uri()) {
            *request.uri_mut() = uri;
        }
        let mut response = match (is_preflight, &allowed) {
            (false, _) => self.0.call(request).await?,
            (true, Some(_)) => {
                let mut response = StatusCode::NO_CONTENT.into_response();
                let headers = response.headers_mut();
                headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
                headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HEADERS);
                headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
                response
            }
            (true, None) => {
                let mut response = failure(&Refusal::new(ORIGIN_NOT_ALLOWED)).into_response();
                response.set_status(StatusCode::FORBIDDEN);
                response
            }
        };
        let headers = response.headers_mut();
        headers.append(VARY, HeaderValue::from_static("origin"));
        if let Some(origin) = allowed {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        }
        Ok(response)
    }
}

/// The document prints `Conversations/` too, with nothing behind it.
fn without_last_slash(uri: &Uri) -> Option<Uri> {
    let path = uri.path().strip_suffix('/')?;
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(format!("{path}{query}")).ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_click_to_call_are_known() {
        for (path, expected) in [
            ("/Accounts/a/Applications/p/ctc/Conversations", Some(("a", "p"))),
            ("/Accounts/a/Applications/p/ctc/Conversations/CV1/events", Some(("a", "p"))),
            ("/Accounts/a/Applications/p/ctc", Some(("a", "p"))),
            ("/Accounts/a/Applications/p/agents", None),
            ("/Accounts/a/VoiceNotices", None),
            ("/Accounts/ctc", None),
            ("/api/v1/calls", None),
        ] {
            assert_eq!(place(path), expected, "{path}");
        }
    }

    #[test]
    fn one_slash_too_many_is_taken_off() {
        let uri: Uri = "/a/Conversations/?limit=1".parse().expect("a sound path");
        let stripped = without_last_slash(&uri).map(|uri| uri.to_string());
        assert_eq!(stripped.as_deref(), Some("/a/Conversations?limit=1"));
        let uri: Uri = "/a/Conversations?x=/".parse().expect("a sound path");
        assert_eq!(without_last_slash(&uri), None);
    }
}
