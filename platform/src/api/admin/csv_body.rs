//! CSV files as bodies: any media type. A place among the account's lists on their way in is taken
//! before the first byte is read, so that lists hold a bounded part of the memory.

use std::sync::Arc;

use poem::{Body, Request, RequestBody, Result};
use poem_openapi::payload::{Payload as _, PlainText};
use poem_openapi::registry::{MetaMediaType, MetaRequest, Registry};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use yunling_app::submit_batch::BatchPlace;
use yunling_app::{App, Refusal};
use yunling_domain::AccountId;

use crate::api::body;

/// The longest list: a hundred thousand rows of some 160 bytes.
const LIST_BYTES: usize = 16 * 1024 * 1024;

/// A file that is not read yet.
pub(super) struct CsvBody(Body);

impl CsvBody {
    /// The file, of at most 16 MiB, and its place, which is given back when the list is stored.
    ///
    /// # Errors
    /// `OVERLOADED` where every place is taken; those of a body.
    pub(super) async fn read(
        self,
        app: &App,
        account: &AccountId,
    ) -> Result<(Arc<[u8]>, BatchPlace), Refusal> {
        let place = app.batch_room().enter(account)?;
        let bytes = body::read(self.0, LIST_BYTES).await?;
        Ok((bytes.into(), place))
    }
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
        _: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> Result<Self> {
        Ok(Self(body.take()?))
    }
}
