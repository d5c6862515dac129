//! Who asks of the admin API. What an operation needs stands in its signature: `Caller<ReadCalls>`
//! exists only where the credential has that scope, `OperatorCaller` only for the operator's token.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use poem::http::header::AUTHORIZATION;
use poem::{Request, RequestBody, Result};
use poem_openapi::registry::{MetaSecurityScheme, Registry};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use yunling_app::directory::CredentialKind;
use yunling_app::principal::{
    AuthFailure, Granted, Operator, Principal, ScopeKind, Scopes, authenticate_basic,
};
use yunling_app::secrets::Plain;
use yunling_app::{App, Refusal};
use yunling_domain::error_code::{INTERNAL, SCOPE_MISSING, UNAUTHORIZED};

use super::Problem;
use crate::api::operator::OperatorToken;
use crate::api::voice::{BASIC, register_basic};

const API_KEY: &str = "apiKey";
const OPERATOR: &str = "operatorToken";
/// As audit rows name whoever shows the operator's token.
const OPERATOR_NAME: &str = "operator token";

/// Base64 whose padding may be missing, as on the published surface.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A caller that may do what `S` stands for, in its own account.
pub(super) struct Caller<S: ScopeKind>(pub(super) Granted<S>);

/// The platform's operator.
pub(super) struct OperatorCaller(pub(super) Operator);

/// What the `Authorization` header shows.
enum Shown {
    Tenant(Principal),
    Operator(Operator),
}

fn shown(request: &Request) -> Result<Shown, Refusal> {
    let (Some(app), Some(operator)) = (request.data::<App>(), request.data::<OperatorToken>())
    else {
        tracing::error!("the interfaces were mounted without what they work with");
        return Err(Refusal::new(INTERNAL));
    };
    let header = request
        .headers()
        .get(AUTHORIZATION)
        .ok_or_else(|| unauthorized("the Authorization header is missing"))?;
    let header =
        header.to_str().map_err(|_| unauthorized("the Authorization header is not ASCII"))?.trim();
    let (scheme, rest) = header.split_once(char::is_whitespace).unwrap_or((header, ""));
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        if operator.is(rest) {
            return Ok(Shown::Operator(Operator::proven(OPERATOR_NAME)));
        }
        of_api_key(app, &Plain::new(rest)).map(Shown::Tenant)
    } else {
        let user = basic_user(rest).ok_or(AuthFailure::Malformed)?;
        Ok(Shown::Tenant(authenticate_basic(app, Some(header), &user)?))
    }
}

fn unauthorized(detail: &str) -> Refusal {
    Refusal::new(UNAUTHORIZED).with_detail(format!(
        "{detail}: expected Bearer and an API key, or Basic AccountSid:AccountToken"
    ))
}

fn of_api_key(app: &App, key: &Plain) -> Result<Principal, Refusal> {
    let directory = app.directory();
    let unknown = || unauthorized("the API key is not valid");
    let credential = app
        .keyring()
        .hashes_of(key)
        .find_map(|hash| directory.credential(&hash))
        .ok_or_else(unknown)?;
    let CredentialKind::ApiKey(scopes) = &credential.kind else {
        return Err(unknown());
    };
    let account = directory.account(&credential.account).ok_or_else(unknown)?;
    if account.suspended {
        return Err(AuthFailure::Suspended.into());
    }
    let scopes = Scopes::Only(scopes.clone());
    Ok(Principal { account: account.id.clone(), credential: credential.id.clone(), scopes })
}

/// The user of Basic credentials. Here no path names the account, so it must be its own.
fn basic_user(encoded: &str) -> Option<String> {
    let text = String::from_utf8(BASE64.decode(encoded).ok()?).ok()?;
    Some(text.split_once(':')?.0.trim().to_owned())
}

fn bearer(description: &'static str) -> MetaSecurityScheme {
    MetaSecurityScheme {
        ty: "http",
        description: Some(description),
        name: None,
        key_in: None,
        scheme: Some("bearer"),
        bearer_format: None,
        flows: None,
        openid_connect_url: None,
    }
}

impl<'a, S: ScopeKind + Send> ApiExtractor<'a> for Caller<S> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        register_basic(registry);
        registry.create_security_scheme(
            API_KEY,
            bearer("An API key, `ylk_…`, with the scope that the operation names."),
        );
    }

    fn security_schemes() -> Vec<&'static str> {
        vec![BASIC, API_KEY]
    }

    async fn from_request(
        request: &'a Request,
        _: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> Result<Self> {
        let granted = match shown(request) {
            Ok(Shown::Tenant(principal)) => principal.grant::<S>(),
            Ok(Shown::Operator(_)) => Err(Refusal::new(SCOPE_MISSING)
                .with_detail("the operator's token belongs to no account")),
            Err(refusal) => Err(refusal),
        };
        granted.map(Self).map_err(|refusal| Problem(refusal).into())
    }
}

impl<'a> ApiExtractor<'a> for OperatorCaller {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        let scheme = bearer(
            "The operator's token, `ylo_…`: operator.token in the node's data folder. It alone has the scope `platform:apply`.",
        );
        registry.create_security_scheme(OPERATOR, scheme);
    }

    fn security_schemes() -> Vec<&'static str> {
        vec![OPERATOR]
    }

    async fn from_request(
        request: &'a Request,
        _: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> Result<Self> {
        match shown(request) {
            Ok(Shown::Operator(operator)) => Ok(Self(operator)),
            Ok(Shown::Tenant(_)) => {
                let detail = "expected the operator's token: no account's credential has the scope platform:apply";
                Err(Problem(Refusal::new(SCOPE_MISSING).with_detail(detail)).into())
            }
            Err(refusal) => Err(Problem(refusal).into()),
        }
    }
}
