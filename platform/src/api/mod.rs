//! The interfaces: the published surface under `/Accounts` and the admin API under `/api/v1`, with
//! the description that is generated from both.

mod admin;
mod answer;
mod body;
mod ctc;
mod dial_script;
mod download;
mod export_link;
mod fallback;
mod file_head;
mod idempotency_key;
mod operator;
mod paging;
mod recording_link;
mod scalar;
mod signed_file;
mod soft_version;
mod sound;
mod spec;
mod tags;
#[cfg(test)]
pub(crate) mod tests;
mod voice;

use std::sync::Arc;

use poem::http::Uri;
use poem::{Endpoint, EndpointExt as _, IntoEndpoint as _, IntoResponse as _, Response, Route};
use poem_openapi::{OpenApi, OpenApiService};
use yunling_app::{App, Refusal};
use yunling_domain::error_code::INTERNAL;

pub(crate) use self::operator::OperatorToken;
pub(crate) use self::spec::spec;
use crate::http::RequestId;

/// Adds the interfaces and their description to the routes, and answers in their forms whatever the
/// routes cannot.
pub(crate) fn mount(
    routes: Route,
    app: App,
    operator: OperatorToken,
) -> impl Endpoint<Output = Response> + use<> {
    let operations = Arc::new(service().into_endpoint());
    routes
        .at("/openapi.json", spec::document())
        .at("/docs", spec::viewer_page())
        .at("/docs/openapi.json", spec::viewer_document())
        .at("/docs/scalar.js", spec::viewer_script())
        .at("/docs/errors", spec::errors_page())
        .at("/dial.js", dial_script::script())
        .at("/record/:node/:day/:file", recording_link::endpoint())
        .at("/export/:file", export_link::endpoint())
        .nest_no_strip("/Accounts", Arc::clone(&operations))
        .nest_no_strip("/api/v1", operations)
        .with(fallback::AnswerFailures)
        .with(ctc::AllowPages)
        .with(soft_version::StripSoftVersion)
        .data(app)
        .data(operator)
}

/// The answer to a request whose handling panicked, in the form of the surface that it was for: which
/// exchange it was, and nothing else.
pub(crate) fn internal_failure(app: &App, uri: &Uri, id: &RequestId) -> Response {
    let refusal = Refusal::new(INTERNAL);
    if soft_version::is_click_to_call(uri) {
        ctc::failure(&refusal).into_response()
    } else if soft_version::is_published(uri) {
        voice::failure(app, &refusal).into_response()
    } else {
        admin::Problem(refusal).response(id)
    }
}

fn service() -> OpenApiService<impl OpenApi, ()> {
    spec::described(OpenApiService::new(
        (voice::operations(), ctc::CtcApi, admin::operations()),
        "Yunling 云铃",
        env!("CARGO_PKG_VERSION"),
    ))
}
