//! Audio files as bodies: any media type, for what a file is shows in it. A place for it is taken
//! before its first byte is read, so that uploads hold a bounded part of the memory.

use std::sync::Arc;

use poem::{Request, RequestBody, Result};
use poem_openapi::payload::{Binary, Payload as _};
use poem_openapi::registry::{MetaMediaType, MetaRequest, Registry};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use yunling_app::import_media::Place;
use yunling_app::{App, Refusal};
use yunling_domain::error_code::{BODY_TOO_LARGE, INTERNAL};

use super::Problem;
use crate::api::body;

/// A file of at most `media.max_upload_mib`, and its place.
pub(super) struct AudioBody {
    pub(super) bytes: Arc<[u8]>,
    /// Given back when the upload is over.
    pub(super) _place: Place,
}

impl<'a> ApiExtractor<'a> for AudioBody {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn register(_: &mut Registry) {}

    fn request_meta() -> Option<MetaRequest> {
        let content = ["audio/*", "application/octet-stream"].map(|content_type| MetaMediaType {
            content_type,
            schema: Binary::<Vec<u8>>::schema_ref(),
        });
        Some(MetaRequest { description: None, content: content.into(), required: true })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> Result<Self> {
        let app = request.data::<App>().ok_or_else(|| Problem(Refusal::new(INTERNAL)))?;
        let most = app.settings().media.max_upload_bytes();
        let place = app.import_room().enter().map_err(Problem)?;
        let bytes = body::read(body.take()?, most).await.map_err(|refusal| {
            Problem(match refusal.code {
                BODY_TOO_LARGE => Refusal::field(
                    BODY_TOO_LARGE,
                    "body",
                    format!("expected a file of at most {most} bytes (media.max_upload_mib)"),
                ),
                _ => refusal,
            })
        })?;
        Ok(Self { bytes: bytes.into(), _place: place })
    }
}
