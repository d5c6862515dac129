//! Who asks of click-to-call: the account by Basic, as everywhere on the published surface, or a web
//! page by a browser token. Looked at inside the operation, before anything else of the request.

use poem::http::HeaderMap;
use poem::http::header::{AUTHORIZATION, ORIGIN};
use poem::{Request, RequestBody, Result};
use poem_openapi::registry::{MetaSecurityScheme, Registry};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use yunling_app::principal::{Granted, Page, Principal, ScopeKind, authenticate_basic};
use yunling_app::{App, Refusal, browser_token};
use yunling_domain::error_code::{ORIGIN_NOT_ALLOWED, SCOPE_MISSING};
use yunling_domain::{AccountId, ApplicationId};

use crate::api::voice::{BASIC, register_basic};

const BROWSER_TOKEN: &str = "browserToken";

/// What the caller showed.
pub(super) struct Visitor {
    authorization: Option<String>,
    origin: Option<String>,
}

/// Who it is.
pub(super) struct Known {
    principal: Principal,
    /// What a browser token allows; absent for the account's own credentials.
    pub(super) page: Option<Page>,
}

impl Visitor {
    /// Who this is, for the account and the application of the path.
    ///
    /// # Errors
    /// The row that says why nobody.
    pub(super) fn know(
        &self,
        app: &App,
        account: &str,
        application: &str,
    ) -> Result<Known, Refusal> {
        if let Some(token) = self.bearer() {
            let (principal, page) = browser_token::check(app, token, account, application)?;
            self.refuse_other_origins(app, account, application)?;
            return Ok(Known { principal, page: Some(page) });
        }
        let principal = authenticate_basic(app, self.authorization.as_deref(), account)?;
        Ok(Known { principal, page: None })
    }

    /// Who this is, and the proof that it may do what `S` stands for in the path's application.
    ///
    /// # Errors
    /// As [`Self::know`]; `SCOPE_MISSING`.
    pub(super) fn admit<S: ScopeKind>(
        &self,
        app: &App,
        account: &str,
        application: &str,
    ) -> Result<(Known, Granted<S>, ApplicationId), Refusal> {
        let known = self.know(app, account, application)?;
        let caller = known.grant::<S>()?;
        Ok((known, caller, ApplicationId::new(application)))
    }

    fn bearer(&self) -> Option<&str> {
        let (scheme, token) =
            self.authorization.as_deref()?.trim().split_once(char::is_whitespace)?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    }

    /// A browser always says from which page a request comes; what says nothing is no page.
    fn refuse_other_origins(
        &self,
        app: &App,
        account: &str,
        application: &str,
    ) -> Result<(), Refusal> {
        match &self.origin {
            Some(origin) if !allows(app, account, application, origin) => {
                let detail = format!("the application's origins do not have {origin}");
                Err(Refusal::new(ORIGIN_NOT_ALLOWED).with_detail(detail))
            }
            _ => Ok(()),
        }
    }
}

impl Known {
    /// The proof that it may do what `S` stands for.
    ///
    /// # Errors
    /// `SCOPE_MISSING`.
    pub(super) fn grant<S: ScopeKind>(&self) -> Result<Granted<S>, Refusal> {
        self.principal.grant()
    }

    /// Refuses pages: the operation is for the customer's back end.
    ///
    /// # Errors
    /// `SCOPE_MISSING`.
    pub(super) fn refuse_pages(&self) -> Result<(), Refusal> {
        match self.page {
            None => Ok(()),
            Some(_) => Err(Refusal::new(SCOPE_MISSING)
                .with_detail("a browser token dials, cancels and reads; it adds nobody")),
        }
    }
}

/// Whether the application takes requests from pages of this origin.
pub(super) fn allows(app: &App, account: &str, application: &str, origin: &str) -> bool {
    let (account, application) = (AccountId::new(account), ApplicationId::new(application));
    app.directory()
        .application(&account, &application)
        .is_some_and(|application| application.origins.contains(origin))
}

fn text(headers: &HeaderMap, name: poem::http::HeaderName) -> Option<String> {
    let value = headers.get(name)?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}

impl<'a> ApiExtractor<'a> for Visitor {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        register_basic(registry);
        let scheme = MetaSecurityScheme {
            ty: "http",
            description: Some(
                "A browser token, `ylb_…`, as your back end has minted it for a web page: dials, cancels and reads conversations of its subject.",
            ),
            name: None,
            key_in: None,
            scheme: Some("bearer"),
            bearer_format: None,
            flows: None,
            openid_connect_url: None,
        };
        registry.create_security_scheme(BROWSER_TOKEN, scheme);
    }

    fn security_schemes() -> Vec<&'static str> {
        vec![BASIC, BROWSER_TOKEN]
    }

    async fn from_request(
        request: &'a Request,
        _: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> Result<Self> {
        let headers = request.headers();
        Ok(Self { authorization: text(headers, AUTHORIZATION), origin: text(headers, ORIGIN) })
    }
}
