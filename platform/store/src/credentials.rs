//! Account tokens and API keys. Only keyed hashes come here; the secret is shown once and not kept.
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, ExprTrait, QueryFilter,
    QueryOrder, sea_query::Expr,
};
use serde_json::Value;
use yunling_domain::{AccountId, Micros};

use crate::{
    StoreError,
    entity::credential::{ActiveModel, Column, Entity, Model},
    resources,
};

/// What a credential is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CredentialKind {
    /// The account's token, which may do everything on the published surface.
    Token,
    /// An API key with scopes.
    ApiKey,
}

impl CredentialKind {
    /// As stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::ApiKey => "api_key",
        }
    }
}

/// A credential.
#[derive(Clone, PartialEq)]
pub struct Credential {
    /// Its key.
    pub id: String,
    /// Whose it is.
    pub account: AccountId,
    /// What it is.
    pub kind: CredentialKind,
    /// The keyed hash of the secret.
    pub hash: Vec<u8>,
    /// The tenant's name for it.
    pub label: String,
    /// What it may do.
    pub scopes: Value,
    /// When it was made.
    pub created_at: Micros,
    /// When it was revoked.
    pub revoked_at: Option<Micros>,
    /// When it was last used, roughly.
    pub last_used_at: Option<Micros>,
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credential")
            .field("id", &self.id)
            .field("account", &self.account)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

impl TryFrom<Model> for Credential {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        let kind = match row.kind.as_str() {
            "token" => CredentialKind::Token,
            "api_key" => CredentialKind::ApiKey,
            other => {
                return Err(StoreError::Undecodable {
                    table: "credential",
                    what: format!("the kind {other:?}"),
                });
            }
        };
        Ok(Self {
            id: row.id,
            account: AccountId::new(row.account_sid),
            kind,
            hash: row.hash,
            label: row.label,
            scopes: row.scopes,
            created_at: Micros(row.created_at),
            revoked_at: row.revoked_at.map(Micros),
            last_used_at: row.last_used_at.map(Micros),
        })
    }
}

/// Stores a credential and moves `config_version`.
///
/// # Errors
/// [`StoreError::Conflict`] where the hash or the key is taken.
pub async fn insert(tx: &impl ConnectionTrait, new: &Credential) -> Result<(), StoreError> {
    let row = ActiveModel {
        id: Set(new.id.clone()),
        account_sid: Set(new.account.to_string()),
        kind: Set(new.kind.as_str().to_owned()),
        hash: Set(new.hash.clone()),
        label: Set(new.label.clone()),
        scopes: Set(new.scopes.clone()),
        created_at: Set(new.created_at.0),
        revoked_at: Set(new.revoked_at.map(|at| at.0)),
        last_used_at: Set(new.last_used_at.map(|at| at.0)),
    };
    Entity::insert(row).exec_without_returning(tx).await?;
    resources::moved(tx).await
}

/// Revokes a credential and moves `config_version`. A second time changes nothing.
///
/// # Errors
/// [`StoreError::NotFound`] where the account has no such credential.
pub async fn revoke(
    tx: &impl ConnectionTrait,
    account: &AccountId,
    id: &str,
    now: Micros,
) -> Result<(), StoreError> {
    let changed = Entity::update_many()
        .col_expr(Column::RevokedAt, Expr::col(Column::RevokedAt).if_null(now.0))
        .filter(Column::Id.eq(id))
        .filter(Column::AccountSid.eq(account.as_str()))
        .exec(tx)
        .await?;
    if changed.rows_affected == 0 {
        return Err(StoreError::NotFound("credential"));
    }
    resources::moved(tx).await
}

/// Notes that a credential was used. Callers note it at most once a minute or so.
///
/// # Errors
/// Those of a write.
pub async fn touch(
    tx: &impl ConnectionTrait,
    account: &AccountId,
    id: &str,
    now: Micros,
) -> Result<(), StoreError> {
    Entity::update_many()
        .col_expr(Column::LastUsedAt, Expr::value(now.0))
        .filter(Column::Id.eq(id))
        .filter(Column::AccountSid.eq(account.as_str()))
        .exec(tx)
        .await?;
    Ok(())
}

/// The account's credentials, revoked ones too, oldest first.
///
/// # Errors
/// Those of a read.
pub async fn list(
    connection: &impl ConnectionTrait,
    account: &AccountId,
) -> Result<Vec<Credential>, StoreError> {
    let rows = Entity::find()
        .filter(Column::AccountSid.eq(account.as_str()))
        .order_by_asc(Column::CreatedAt)
        .order_by_asc(Column::Id)
        .all(connection)
        .await?;
    rows.into_iter().map(Credential::try_from).collect()
}

/// What the platform needs across tenants.
pub mod platform_side {
    use super::{Column, ConnectionTrait, Credential, Entity, StoreError};
    use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

    /// Every credential that is not revoked: what the Directory is built from.
    ///
    /// # Errors
    /// Those of a read.
    pub async fn load_valid(
        connection: &impl ConnectionTrait,
    ) -> Result<Vec<Credential>, StoreError> {
        let rows = Entity::find().filter(Column::RevokedAt.is_null()).all(connection).await?;
        rows.into_iter().map(Credential::try_from).collect()
    }
}
