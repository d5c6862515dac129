//! Failures that no handler has answered, in the form of the surface that they belong to: unknown
//! paths, wrong methods, parameters that poem-openapi itself refuses, and problems on their way out.

use poem::error::{MethodNotAllowedError, NotFoundError};
use poem::http::StatusCode;
use poem::{Endpoint, Error, IntoResponse as _, Middleware, Request, Response, Result};
use poem_openapi::error::{ParseParamError, ParsePathError};
use yunling_app::{App, Refusal};
use yunling_domain::error_code::{BAD_PARAMETER, INTERNAL, METHOD_NOT_ALLOWED, UNKNOWN_PATH};

use super::admin::Problem;
use super::{ctc, voice};
use crate::http::RequestId;

/// Answers failures.
#[derive(Debug, Clone, Copy)]
pub(super) struct AnswerFailures;

impl<E: Endpoint> Middleware<E> for AnswerFailures {
    type Output = Answering<E>;

    fn transform(&self, inner: E) -> Answering<E> {
        Answering(inner)
    }
}

pub(super) struct Answering<E>(E);

impl<E: Endpoint> Endpoint for Answering<E> {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let surface = Surface::of(request.uri().path());
        let app = request.data::<App>().cloned();
        let id = request.data::<RequestId>().cloned().unwrap_or_default();
        if names_nul(&request) {
            let refusal = Refusal::new(BAD_PARAMETER)
                .with_detail("the address holds %00: expected one without that character");
            return Ok(surface.failure(app.as_ref(), &id, refusal));
        }
        match self.0.call(request).await {
            Ok(answer) => Ok(answer.into_response()),
            Err(error) if error.is_from_response() => Ok(error.into_response()),
            Err(error) => Ok(surface.failure(app.as_ref(), &id, refusal(&error))),
        }
    }
}

/// Whose form a failure has.
#[derive(Debug, Clone, Copy)]
enum Surface {
    Voice,
    ClickToCall,
    Admin,
}

impl Surface {
    fn of(path: &str) -> Self {
        if ctc::place(path).is_some() {
            Self::ClickToCall
        } else if path.starts_with("/Accounts/") {
            Self::Voice
        } else {
            Self::Admin
        }
    }

    fn failure(self, app: Option<&App>, id: &RequestId, refusal: Refusal) -> Response {
        match (self, app) {
            (Self::ClickToCall, _) => ctc::failure(&refusal).into_response(),
            (Self::Voice, Some(app)) => voice::failure(app, &refusal).into_response(),
            (Self::Voice | Self::Admin, _) => Problem(refusal).response(id),
        }
    }
}

/// Whether a path or a query names NUL, which one of the databases has no place for. No identifier
/// and no filter of ours has it.
fn names_nul(request: &Request) -> bool {
    request.uri().path_and_query().is_some_and(|address| address.as_str().contains("%00"))
}

/// What the failure is in our table's words.
fn refusal(error: &Error) -> Refusal {
    if let Some(Problem(refusal)) = error.downcast_ref() {
        refusal.clone()
    } else if error.is::<NotFoundError>() || error.is::<poem::error::ParsePathError>() {
        Refusal::new(UNKNOWN_PATH)
    } else if error.is::<MethodNotAllowedError>() {
        Refusal::new(METHOD_NOT_ALLOWED)
    } else if let Some(ParseParamError { name, reason }) = error.downcast_ref() {
        Refusal::field(BAD_PARAMETER, *name, reason.clone())
    } else if let Some(ParsePathError { name, reason }) = error.downcast_ref() {
        Refusal::field(BAD_PARAMETER, *name, reason.clone())
    } else if error.status() == StatusCode::NOT_FOUND {
        Refusal::new(UNKNOWN_PATH)
    } else if error.status().is_client_error() {
        Refusal::new(BAD_PARAMETER).with_detail(error.to_string())
    } else {
        tracing::error!(%error, "a request failed inside");
        Refusal::new(INTERNAL)
    }
}
