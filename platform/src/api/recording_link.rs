//! `GET /record/{node}/{day}/{file}?expires=…&signature=…`: a recording by its signed link.

use poem::http::{Method, header};
use poem::{Endpoint, EndpointExt as _, IntoResponse as _, Request, Response, Result, endpoint};
use yunling_app::{App, Refusal, get_recording, recordings};
use yunling_domain::error_code::{INTERNAL, METHOD_NOT_ALLOWED};

use super::signed_file::{Refused, Signed, told};
use super::sound::SoundAnswer;

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
    let path = request.uri().path().trim_start_matches("/record/").to_owned();
    let signed: Signed = request.params().unwrap_or_default();
    let id =
        recordings::check_link(app, &path, signed.expires.as_deref(), signed.signature.as_deref())
            .map_err(plain)?;
    let recording = get_recording::by_link(app, &id, &path).await.map_err(plain)?;
    let range = request.header(header::RANGE);
    let sound = recordings::open(app, &recording, range)
        .await
        .map_err(|refusal| (refusal, Some(recording.octets)))?;
    let sound = SoundAnswer(sound);
    Ok(if *request.method() == Method::HEAD { sound.head() } else { sound.into_response() })
}
