//! API keys.

use std::collections::BTreeSet;

use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Enum, Object, OpenApi};
use yunling_app::principal::{ManageKeys, Scope};
use yunling_app::{App, Refusal, mint_api_key, revoke_api_key};
use yunling_store::credentials::{self, Credential, CredentialKind};

use super::Problem;
use super::body::JsonBody;
use super::caller::Caller;
use super::query::shown;
use crate::api::tags::Tags;

/// What a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename = "Scope")]
enum KeyScope {
    /// Send notices.
    #[oai(rename = "notices:send")]
    SendNotices,
    /// Make click-to-call calls, steer them, and mint browser tokens that may do the same.
    #[oai(rename = "calls:dial")]
    Dial,
    /// Read requests and call records.
    #[oai(rename = "calls:read")]
    ReadCalls,
    /// See the numbers of calls that were made with masked ones.
    #[oai(rename = "numbers:read")]
    ReadNumbers,
    /// Read recordings of calls and listen to them.
    #[oai(rename = "recordings:read")]
    ReadRecordings,
    /// Read callbacks and how their delivery went.
    #[oai(rename = "deliveries:read")]
    ReadDeliveries,
    /// Send callbacks again.
    #[oai(rename = "deliveries:resend")]
    ResendDeliveries,
    /// Read media libraries and listen to them.
    #[oai(rename = "media:read")]
    ReadMedia,
    /// Put recordings into media libraries and take them out.
    #[oai(rename = "media:write")]
    WriteMedia,
    /// Mint and revoke API keys.
    #[oai(rename = "keys:manage")]
    ManageKeys,
}

impl From<KeyScope> for Scope {
    fn from(scope: KeyScope) -> Self {
        match scope {
            KeyScope::SendNotices => Self::SendNotices,
            KeyScope::Dial => Self::Dial,
            KeyScope::ReadCalls => Self::ReadCalls,
            KeyScope::ReadNumbers => Self::ReadNumbers,
            KeyScope::ReadRecordings => Self::ReadRecordings,
            KeyScope::ReadDeliveries => Self::ReadDeliveries,
            KeyScope::ResendDeliveries => Self::ResendDeliveries,
            KeyScope::ReadMedia => Self::ReadMedia,
            KeyScope::WriteMedia => Self::WriteMedia,
            KeyScope::ManageKeys => Self::ManageKeys,
        }
    }
}

/// A key to be minted.
#[derive(Debug, Object)]
struct NewApiKey {
    /// For people: what it is for.
    #[oai(validator(min_length = 1, max_length = 128))]
    label: String,
    /// What it may do; at least one.
    #[oai(validator(min_items = 1))]
    scopes: Vec<KeyScope>,
}

/// A fresh key.
#[derive(Debug, Object)]
struct MintedApiKey {
    /// By which it is revoked.
    id: String,
    /// The key. It is shown this once and can never be read again.
    key: String,
}

/// A key, without its secret.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct ApiKey {
    id: String,
    label: String,
    scopes: Vec<String>,
    created_at: String,
    #[oai(skip_serializing_if_is_none)]
    revoked_at: Option<String>,
}

/// The account's keys.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct ApiKeyList {
    /// Oldest first, revoked ones too.
    api_keys: Vec<ApiKey>,
}

#[derive(ApiResponse)]
enum MintedAnswer {
    /// The key was minted.
    #[oai(status = 201)]
    Minted(Json<MintedApiKey>),
}

#[derive(ApiResponse)]
enum RevokedAnswer {
    /// The key authenticates nobody any more.
    #[oai(status = 204)]
    Revoked,
}

impl From<Credential> for ApiKey {
    fn from(key: Credential) -> Self {
        let scopes = key.scopes.as_array().into_iter().flatten();
        Self {
            id: key.id,
            label: key.label,
            scopes: scopes.filter_map(|scope| scope.as_str().map(str::to_owned)).collect(),
            created_at: shown(key.created_at),
            revoked_at: key.revoked_at.map(shown),
        }
    }
}

/// The operations.
pub(super) struct ApiKeysApi;

#[OpenApi]
impl ApiKeysApi {
    /// Mint an API key
    ///
    /// It works as the Basic password of its account on the published surface, and as a bearer here.
    /// Needs the scope `keys:manage`, and every scope that the new key is to have. An account has at
    /// most 100 keys that are not revoked.
    #[oai(
        path = "/api/v1/api-keys",
        method = "post",
        operation_id = "mintApiKey",
        tag = "Tags::ApiKeys"
    )]
    async fn mint_api_key(
        &self,
        caller: Caller<ManageKeys>,
        app: Data<&App>,
        body: JsonBody<NewApiKey>,
    ) -> Result<MintedAnswer, Problem> {
        let scopes: BTreeSet<Scope> = body.0.scopes.iter().copied().map(Scope::from).collect();
        let minted = mint_api_key::run(&app, &caller.0, &body.0.label, &scopes).await?;
        let answer = MintedApiKey { id: minted.id, key: minted.key.expose().to_owned() };
        Ok(MintedAnswer::Minted(Json(answer)))
    }

    /// List API keys
    ///
    /// Without their secrets. Needs the scope `keys:manage`.
    #[oai(
        path = "/api/v1/api-keys",
        method = "get",
        operation_id = "listApiKeys",
        tag = "Tags::ApiKeys"
    )]
    async fn list_api_keys(
        &self,
        caller: Caller<ManageKeys>,
        app: Data<&App>,
    ) -> Result<Json<ApiKeyList>, Problem> {
        let credentials = credentials::list(app.store().reader(), caller.0.account())
            .await
            .map_err(Refusal::from)?;
        let keys =
            credentials.into_iter().filter(|credential| credential.kind == CredentialKind::ApiKey);
        Ok(Json(ApiKeyList { api_keys: keys.map(ApiKey::from).collect() }))
    }

    /// Revoke an API key
    ///
    /// From now on it authenticates nobody. A second time changes nothing. Needs the scope
    /// `keys:manage`.
    #[oai(
        path = "/api/v1/api-keys/:keyId",
        method = "delete",
        operation_id = "revokeApiKey",
        tag = "Tags::ApiKeys"
    )]
    async fn revoke_api_key(
        &self,
        caller: Caller<ManageKeys>,
        app: Data<&App>,
        /// The key's `id`.
        #[oai(name = "keyId")]
        key_id: Path<String>,
    ) -> Result<RevokedAnswer, Problem> {
        revoke_api_key::run(&app, &caller.0, &key_id.0).await?;
        Ok(RevokedAnswer::Revoked)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use poem_openapi::types::{ParseFromJSON as _, ToJSON as _};

    #[test]
    fn every_scope_can_be_given_to_a_key() {
        for scope in Scope::ALL {
            let parsed = KeyScope::parse_from_json(Some(scope.as_str().into())).unwrap();
            assert_eq!(Scope::from(parsed), *scope);
            assert_eq!(parsed.to_json(), Some(scope.as_str().into()));
        }
    }
}
