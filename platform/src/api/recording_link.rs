//! `GET /record/{node}/{day}/{file}?expires=…&signature=…`: a recording by its signed link, for
//! people and players without credentials. Failures are said in plain words: a person reads them.

use poem::http::header::CONTENT_RANGE;
use poem::http::{HeaderValue, Method, StatusCode, header};
use poem::{Endpoint, EndpointExt as _, IntoResponse as _, Request, Response, Result, endpoint};
use serde::Deserialize;
use yunling_app::{App, Refusal, get_recording, recordings};
use yunling_domain::error_code::{INTERNAL, METHOD_NOT_ALLOWED, RANGE_NOT_SATISFIABLE};

use super::sound::SoundAnswer;

/// What stands behind the path.
#[derive(Debug, Default, Deserialize)]
struct Signed {
    expires: Option<String>,
    signature: Option<String>,
}

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

/// A refusal, and the file's length where a range of it cannot be given.
type Refused = (Refusal, Option<u64>);

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

/// In both languages, and the code for whoever asks us.
fn told(refusal: &Refusal, whole: Option<u64>) -> Response {
    let code = refusal.code;
    let status =
        StatusCode::from_u16(code.http_status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let text = format!(
        "{}\n{}\n\n{}\n{}\n\n{:05} {}\n",
        code.zh, code.what_to_do_zh, code.en, code.what_to_do_en, code.number, code.name
    );
    let mut response =
        Response::builder().status(status).content_type("text/plain; charset=utf-8").body(text);
    let headers = response.headers_mut();
    if let Some(whole) = whole.filter(|_| code == RANGE_NOT_SATISFIABLE) {
        let range = format!("bytes */{whole}");
        headers.insert(CONTENT_RANGE, HeaderValue::try_from(range).expect("digits are ASCII"));
    }
    response
}
