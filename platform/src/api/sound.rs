//! Recordings as bodies: whole, or the part that a player asks for.

use poem::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE,
};
use poem::http::{HeaderValue, StatusCode};
use poem::{Body, IntoResponse, Response};
use poem_openapi::ApiResponse;
use poem_openapi::payload::{Binary, Payload as _};
use poem_openapi::registry::{MetaHeader, MetaMediaType, MetaResponse, MetaResponses, Registry};
use poem_openapi::types::Type as _;
use yunling_app::recordings::Sound;

const MEDIA_TYPE: &str = "audio/wav";

/// A recording on its way out.
pub(super) struct SoundAnswer(pub(super) Sound);

impl SoundAnswer {
    /// Its status and headers without a byte of it, for HEAD.
    pub(super) fn head(&self) -> Response {
        let status = match self.0.part {
            Some(_) => StatusCode::PARTIAL_CONTENT,
            None => StatusCode::OK,
        };
        let mut response = Response::builder().status(status).content_type(MEDIA_TYPE).finish();
        let headers = response.headers_mut();
        headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        headers.insert(CONTENT_LENGTH, self.0.length().into());
        // A recording never changes, and it is nobody else's.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, max-age=3600"));
        if let Some((first, last)) = self.0.part {
            let range = format!("bytes {first}-{last}/{}", self.0.whole);
            headers.insert(CONTENT_RANGE, HeaderValue::try_from(range).expect("digits are ASCII"));
        }
        if let Ok(name) = HeaderValue::try_from(format!("inline; filename=\"{}\"", self.0.name)) {
            headers.insert(CONTENT_DISPOSITION, name);
        }
        response
    }
}

impl IntoResponse for SoundAnswer {
    fn into_response(self) -> Response {
        let mut response = self.head();
        response.set_body(Body::from_async_read(self.0.bytes));
        response
    }
}

impl ApiResponse for SoundAnswer {
    fn meta() -> MetaResponses {
        let response = |status, description, headers| MetaResponse {
            description,
            status: Some(status),
            status_range: None,
            content: vec![MetaMediaType {
                content_type: MEDIA_TYPE,
                schema: Binary::<Vec<u8>>::schema_ref(),
            }],
            headers,
        };
        let range = MetaHeader {
            name: "Content-Range".to_owned(),
            description: Some("Which bytes of how many.".to_owned()),
            required: true,
            deprecated: false,
            schema: String::schema_ref(),
        };
        MetaResponses {
            responses: vec![
                response(
                    200,
                    "WAV, 16 bits, 8 kHz: the caller in the left channel, the others in the right.",
                    vec![],
                ),
                response(206, "The part that `Range` asks for.", vec![range]),
            ],
        }
    }

    fn register(_: &mut Registry) {}
}
