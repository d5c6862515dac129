//! Rotating the account's token and the secrets that callbacks are signed with.

use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Object, OpenApi};
use yunling_app::principal::ManageKeys;
use yunling_app::rotate_webhook_secret::{self, Rotation};
use yunling_app::{App, Refusal, rotate_account_token};
use yunling_domain::ApplicationId;
use yunling_domain::error_code::INTERNAL;

use super::Problem;
use super::caller::Caller;
use crate::api::tags::Tags;

/// A fresh signing secret.
#[derive(Debug, Object)]
struct RotatedSecret {
    /// `whsec_` and base64 (Standard Webhooks). It is shown this once and can never be read again.
    secret: String,
}

/// A fresh token.
#[derive(Debug, Object)]
struct RotatedToken {
    /// The AccountToken. It is shown this once and can never be read again.
    token: String,
}

#[derive(ApiResponse)]
enum RetiredAnswer {
    /// Callbacks are signed with the newest secret alone.
    #[oai(status = 204)]
    Retired,
}

/// The operations.
pub(super) struct SecretsApi;

#[OpenApi]
impl SecretsApi {
    /// Rotate an application's webhook secret
    ///
    /// From now on every callback carries two signatures, by the fresh secret and by the one before
    /// it, until the old one is retired: a receiver may change at any time in between. While two are
    /// in force a third is refused with `conflict`. Needs the scope `keys:manage`.
    #[oai(
        path = "/api/v1/applications/:appid/webhook-secret/rotate",
        method = "post",
        operation_id = "rotateWebhookSecret",
        tag = "Tags::Secrets"
    )]
    async fn rotate_webhook_secret(
        &self,
        caller: Caller<ManageKeys>,
        app: Data<&App>,
        /// The application.
        appid: Path<String>,
    ) -> Result<Json<RotatedSecret>, Problem> {
        let application = ApplicationId::new(appid.0);
        let fresh =
            rotate_webhook_secret::run(&app, &caller.0, &application, Rotation::Begin).await?;
        let secret = fresh.ok_or_else(|| Refusal::new(INTERNAL))?;
        Ok(Json(RotatedSecret { secret: secret.expose().to_owned() }))
    }

    /// Retire an application's old webhook secret
    ///
    /// Ends a rotation: callbacks are signed with the newest secret alone. Where there is only one,
    /// it changes nothing. Needs the scope `keys:manage`.
    #[oai(
        path = "/api/v1/applications/:appid/webhook-secret/retire",
        method = "post",
        operation_id = "retireWebhookSecret",
        tag = "Tags::Secrets"
    )]
    async fn retire_webhook_secret(
        &self,
        caller: Caller<ManageKeys>,
        app: Data<&App>,
        /// The application.
        appid: Path<String>,
    ) -> Result<RetiredAnswer, Problem> {
        let application = ApplicationId::new(appid.0);
        rotate_webhook_secret::run(&app, &caller.0, &application, Rotation::Finish).await?;
        Ok(RetiredAnswer::Retired)
    }

    /// Rotate the account's token
    ///
    /// The old token authenticates nobody from now on; API keys stay as they are. Needs the
    /// account's token: an API key would get more than it has.
    #[oai(
        path = "/api/v1/token/rotate",
        method = "post",
        operation_id = "rotateAccountToken",
        tag = "Tags::Secrets"
    )]
    async fn rotate_account_token(
        &self,
        caller: Caller<ManageKeys>,
        app: Data<&App>,
    ) -> Result<Json<RotatedToken>, Problem> {
        let token = rotate_account_token::run(&app, &caller.0).await?;
        Ok(Json(RotatedToken { token: token.expose().to_owned() }))
    }
}
