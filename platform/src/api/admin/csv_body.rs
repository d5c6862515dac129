//! CSV files as bodies: any media type. A place among the batches on their way in is taken before the
//! first byte is read, so that lists hold a bounded part of the memory.

use std::sync::Arc;

use poem::{Request, RequestBody, Result};
use poem_openapi::payload::{Payload as _, PlainText};
use poem_openapi::registry::{MetaMediaType, MetaRequest, Registry};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use yunling_app::submit_batch::BatchPlace;
use yunling_app::{App, Refusal};
use yunling_domain::error_code::INTERNAL;

use super::Problem;
use crate::api::body;

/// The longest list: a hundred thousand rows of some 160 bytes.
const LIST_BYTES: usize = 16 * 1024 * 1024;

/// A file of at most 16 MiB, and its place.
pub(super) struct CsvBody {
    pub(super) bytes: Arc<[u8]>,
    /// Given back when the list is stored.
    pub(super) _place: BatchPlace,
}

impl<'a> ApiExtractor<'a> for CsvBody {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn register(_: &mut Registry) {}

    fn request_meta() -> Option<MetaRequest> {
        let content =
            MetaMediaType { content_type: "text/csv", schema: PlainText::<String>::schema_ref() };
        Some(MetaRequest { description: None, content: vec![content], required: true })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> Result<Self> {
        let app = request.data::<App>().ok_or_else(|| Problem(Refusal::new(INTERNAL)))?;
        let place = app.batch_room().enter().map_err(Problem)?;
        let bytes = body::read(body.take()?, LIST_BYTES).await.map_err(Problem)?;
        Ok(Self { bytes: bytes.into(), _place: place })
    }
}
