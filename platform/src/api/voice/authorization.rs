//! The `Authorization` header of the published surface. It is looked at inside the operation, before
//! anything else of the request: the order of the checks is part of the interface.

use poem::{Request, RequestBody, Result};
use poem_openapi::registry::{MetaSecurityScheme, Registry};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use yunling_app::principal::{Granted, ScopeKind, authenticate_basic};
use yunling_app::{App, Refusal};

/// The scheme's name in the description.
pub(in crate::api) const BASIC: &str = "basic";

/// What the caller showed.
pub(super) struct Authorization(Option<String>);

impl Authorization {
    /// The proof that the caller may do what `S` stands for in the path's account.
    ///
    /// # Errors
    /// `-1`, with the row that says why.
    pub(super) fn grant<S: ScopeKind>(
        &self,
        app: &App,
        account: &str,
    ) -> Result<Granted<S>, Refusal> {
        authenticate_basic(app, self.0.as_deref(), account)?.grant()
    }
}

/// The published surface's scheme, which the admin API takes too.
pub(in crate::api) fn register_basic(registry: &mut Registry) {
    let scheme = MetaSecurityScheme {
        ty: "http",
        description: Some(
            "RFC 7617: `Basic ` and the base64 of `AccountSid:AccountToken`. An API key may stand in the token's place.",
        ),
        name: None,
        key_in: None,
        scheme: Some("basic"),
        bearer_format: None,
        flows: None,
        openid_connect_url: None,
    };
    registry.create_security_scheme(BASIC, scheme);
}

impl<'a> ApiExtractor<'a> for Authorization {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        register_basic(registry);
    }

    fn security_schemes() -> Vec<&'static str> {
        vec![BASIC]
    }

    async fn from_request(
        request: &'a Request,
        _: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> Result<Self> {
        let header = request.headers().get(poem::http::header::AUTHORIZATION);
        Ok(Self(header.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())))
    }
}
