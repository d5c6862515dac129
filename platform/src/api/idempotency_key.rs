//! The `Idempotency-Key` header of the operations that act.

use poem::{Request, RequestBody, Result};
use poem_openapi::registry::{MetaParamIn, MetaSchema, MetaSchemaRef};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use yunling_app::Refusal;
use yunling_app::idempotency::Idempotency;
use yunling_domain::error_code::BAD_IDEMPOTENCY_KEY;

/// The `Idempotency-Key` header as it came.
pub(in crate::api) struct IdempotencyKey(Option<Vec<u8>>);

impl IdempotencyKey {
    /// The key together with its request.
    ///
    /// # Errors
    /// `BAD_IDEMPOTENCY_KEY`: empty, longer than 255 characters, or not UTF-8.
    pub(in crate::api) fn of(&self, body: &[u8]) -> Result<Option<Idempotency>, Refusal> {
        let Some(bytes) = &self.0 else {
            return Ok(None);
        };
        let key = std::str::from_utf8(bytes).map_err(|_| {
            Refusal::field(BAD_IDEMPOTENCY_KEY, "Idempotency-Key", "expected UTF-8")
        })?;
        Idempotency::new(key.trim(), body).map(Some)
    }
}

impl<'a> ApiExtractor<'a> for IdempotencyKey {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::Parameter];
    type ParamType = String;
    type ParamRawType = String;

    fn param_in() -> Option<MetaParamIn> {
        Some(MetaParamIn::Header)
    }

    fn param_schema_ref() -> Option<MetaSchemaRef> {
        let schema =
            MetaSchema { min_length: Some(1), max_length: Some(255), ..MetaSchema::new("string") };
        Some(MetaSchemaRef::Inline(Box::new(schema)))
    }

    async fn from_request(
        request: &'a Request,
        _: &mut RequestBody,
        options: ExtractParamOptions<String>,
    ) -> Result<Self> {
        Ok(Self(request.headers().get(options.name).map(|value| value.as_bytes().to_vec())))
    }
}
