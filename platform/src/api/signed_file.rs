//! Files by signed links, for people and programs without credentials. Failures are said in plain
//! words: a person reads them.

use poem::Response;
use poem::http::header::CONTENT_RANGE;
use poem::http::{HeaderValue, StatusCode};
use serde::Deserialize;
use yunling_app::Refusal;
use yunling_domain::error_code::RANGE_NOT_SATISFIABLE;

/// What stands behind a link's path.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Signed {
    pub(super) expires: Option<String>,
    pub(super) signature: Option<String>,
}

/// A refusal, and the file's length where a range of it cannot be given.
pub(super) type Refused = (Refusal, Option<u64>);

/// In both languages, and the code for whoever asks us.
pub(super) fn told(refusal: &Refusal, whole: Option<u64>) -> Response {
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
