//! Recordings as bodies: whole, or the part that a player asks for.

use poem::{Body, IntoResponse, Response};
use poem_openapi::ApiResponse;
use poem_openapi::payload::{Binary, Payload as _};
use poem_openapi::registry::{MetaHeader, MetaMediaType, MetaResponse, MetaResponses, Registry};
use poem_openapi::types::Type as _;
use yunling_app::recordings::Sound;

use super::file_head::FileHead;

const MEDIA_TYPE: &str = "audio/wav";

/// A recording on its way out.
pub(super) struct SoundAnswer(pub(super) Sound);

impl SoundAnswer {
    /// Its status and headers without a byte of it, for HEAD.
    pub(super) fn head(&self) -> Response {
        let sound = &self.0;
        let head = FileHead {
            name: &sound.name,
            media_type: MEDIA_TYPE,
            disposition: "inline",
            whole: sound.whole,
            part: sound.part,
            length: sound.length(),
        };
        head.response()
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
