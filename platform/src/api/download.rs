//! Exports as bodies: whole, or the part that is asked for.

use poem::{Body, IntoResponse, Response};
use poem_openapi::ApiResponse;
use poem_openapi::payload::{Binary, Payload as _};
use poem_openapi::registry::{MetaHeader, MetaMediaType, MetaResponse, MetaResponses, Registry};
use poem_openapi::types::Type as _;
use yunling_app::exports::Download;

use super::file_head::FileHead;

/// An export on its way out.
pub(super) struct DownloadAnswer(pub(super) Download);

impl DownloadAnswer {
    /// Its status and headers without a byte of it, for HEAD.
    pub(super) fn head(&self) -> Response {
        let download = &self.0;
        let head = FileHead {
            name: &download.name,
            media_type: download.media_type,
            disposition: "attachment",
            whole: download.whole,
            part: download.part,
            length: download.length(),
        };
        head.response()
    }
}

impl IntoResponse for DownloadAnswer {
    fn into_response(self) -> Response {
        let mut response = self.head();
        response.set_body(Body::from_async_read(self.0.bytes));
        response
    }
}

impl ApiResponse for DownloadAnswer {
    fn meta() -> MetaResponses {
        let response = |status, description, headers| MetaResponse {
            description,
            status: Some(status),
            status_range: None,
            content: vec![MetaMediaType {
                content_type: Binary::<Vec<u8>>::CONTENT_TYPE,
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
                response(200, "The file, with the media type of its format.", vec![]),
                response(206, "The part that `Range` asks for.", vec![range]),
            ],
        }
    }

    fn register(_: &mut Registry) {}
}
