//! Browser tokens.

use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Object, OpenApi};
use yunling_app::App;
use yunling_app::browser_token::{self, Wish};
use yunling_app::principal::Dial;
use yunling_domain::ApplicationId;

use super::Problem;
use super::body::JsonBody;
use super::caller::Caller;
use super::query::shown;
use crate::api::tags::Tags;

/// What a token is to allow. Every field may be left out.
#[derive(Debug, Object)]
#[oai(rename = "NewBrowserToken", rename_all = "camelCase")]
struct NewToken {
    /// Whom it is for, such as an agent's number in your own system: all tokens of one subject see and
    /// end the same conversations. Absent: nobody else's.
    #[oai(validator(max_length = 64))]
    subject: Option<String>,
    /// The only number that the page may call from.
    caller: Option<String>,
    /// The `userData` of what the page dials.
    user_data: Option<String>,
    /// How long it holds, seconds: 1 to 3600, 600 where absent.
    ttl_s: Option<u32>,
}

/// A fresh token.
#[derive(Debug, Object)]
#[oai(rename = "BrowserToken", rename_all = "camelCase")]
struct Token {
    /// For `Authorization: Bearer`.
    token: String,
    /// Whom it is for.
    subject: String,
    /// Until when it holds.
    expires_at: String,
}

#[derive(ApiResponse)]
enum Minted {
    /// The token. It is not stored, and shown only here.
    #[oai(status = 201)]
    Created(Json<Token>),
}

/// The operations.
pub(super) struct BrowserTokensApi;

#[OpenApi]
impl BrowserTokensApi {
    /// Mint a browser token
    ///
    /// For a web page that dials: your back end asks for it, the page shows it as a bearer. It dials
    /// in one application, and cancels, reads and follows what its subject has made; nothing else. It
    /// dies with the credential that minted it: revoke that API key, or rotate the account's token.
    /// Needs the scope `calls:dial`.
    #[oai(
        path = "/api/v1/applications/:applicationSid/browser-tokens",
        method = "post",
        operation_id = "mintBrowserToken",
        tag = "Tags::BrowserTokens"
    )]
    async fn mint_browser_token(
        &self,
        caller: Caller<Dial>,
        app: Data<&App>,
        /// The application.
        #[oai(name = "applicationSid")]
        application_sid: Path<String>,
        body: JsonBody<NewToken>,
    ) -> Result<Minted, Problem> {
        let NewToken { subject, caller: from, user_data, ttl_s } = body.0;
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        let wish = Wish {
            subject: given(subject),
            caller: given(from),
            user_data: given(user_data),
            ttl_s,
        };
        let application = ApplicationId::new(application_sid.0);
        let minted = browser_token::mint(&app, &caller.0, &application, &wish)?;
        Ok(Minted::Created(Json(Token {
            token: minted.token,
            subject: minted.subject,
            expires_at: shown(minted.expires_at),
        })))
    }
}
