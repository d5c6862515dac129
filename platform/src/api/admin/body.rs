//! The JSON bodies of the admin API, read within a limit and refused as problems.

use poem::{Request, RequestBody, Result};
use poem_openapi::registry::{MetaMediaType, MetaRequest, Registry};
use poem_openapi::types::ParseFromJSON;
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use yunling_app::Refusal;
use yunling_domain::error_code::{BAD_PARAMETER, MALFORMED_JSON};

use super::Problem;
use crate::api::body;

/// A body of at most `LIMIT` bytes.
pub(super) struct JsonBody<T, const LIMIT: usize = { body::REQUEST_BYTES }>(pub(super) T);

impl<'a, T: ParseFromJSON, const LIMIT: usize> ApiExtractor<'a> for JsonBody<T, LIMIT> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        let content = MetaMediaType { content_type: "application/json", schema: T::schema_ref() };
        Some(MetaRequest { description: None, content: vec![content], required: T::IS_REQUIRED })
    }

    async fn from_request(
        _: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> Result<Self> {
        let bytes = body::read_json(body.take()?, LIMIT).await.map_err(Problem)?;
        parse(&bytes).map(Self).map_err(|refusal| Problem(refusal).into())
    }
}

/// An empty body means `{}`.
fn parse<T: ParseFromJSON>(bytes: &[u8]) -> Result<T, Refusal> {
    let bytes = if bytes.is_empty() { b"{}" } else { bytes };
    let value = serde_json::from_slice(bytes)
        .map_err(|error| Refusal::new(MALFORMED_JSON).with_detail(error.to_string()))?;
    T::parse_from_json(Some(value))
        .map_err(|error| Refusal::new(BAD_PARAMETER).with_detail(error.into_message()))
}
