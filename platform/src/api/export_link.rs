//! `GET /export/{file}?expires=…&signature=…`: an export by its signed link.

use poem::http::{Method, header};
use poem::{Endpoint, EndpointExt as _, IntoResponse as _, Request, Response, Result, endpoint};
use yunling_app::{App, Refusal, exports};
use yunling_domain::error_code::{INTERNAL, METHOD_NOT_ALLOWED};

use super::download::DownloadAnswer;
use super::signed_file::{Refused, Signed, told};

pub(super) fn endpoint() -> impl Endpoint<Output = Response> {
    endpoint::make(|request: Request| async move { serve(request).await }).map_to_response()
}

async fn serve(request: Request) -> Result<Response> {
    let outcome = match request.data::<App>() {
        Some(app) => Box::pin(answer(app, &request)).await,
        None => Err((Refusal::new(INTERNAL), None)),
    };
    Ok(outcome.unwrap_or_else(|(refusal, whole)| told(&refusal, whole)))
}

async fn answer(app: &App, request: &Request) -> Result<Response, Refused> {
    let plain = |refusal| (refusal, None);
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Err(plain(Refusal::new(METHOD_NOT_ALLOWED)));
    }
    let name = request.uri().path().trim_start_matches("/export/").to_owned();
    let signed: Signed = request.params().unwrap_or_default();
    let id =
        exports::check_link(app, &name, signed.expires.as_deref(), signed.signature.as_deref())
            .map_err(plain)?;
    let export = exports::by_link(app, id, &name).await.map_err(plain)?;
    let range = request.header(header::RANGE);
    let download = exports::open(app, &export, range)
        .await
        .map_err(|refusal| (refusal, Some(export.progress.octets)))?;
    let download = DownloadAnswer(download);
    Ok(if *request.method() == Method::HEAD { download.head() } else { download.into_response() })
}
