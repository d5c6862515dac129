//! Reading what a snapshot is made of.

use super::build::{Ingredients, build};
use super::{Credential, CredentialKind, Directory};
use crate::App;
use crate::apply::StoredDoc;
use crate::principal::Scope;
use crate::secrets::TokenHash;
use std::collections::BTreeSet;
use yunling_store::{StoreError, credentials, resources, trunk_states};

/// The version of the stored configuration.
pub(crate) async fn stored_version(app: &App) -> Result<i64, StoreError> {
    resources::config_version(app.store().reader()).await
}

/// Every stored resource that this release understands, and the version that they are of (or an
/// older one: a change in between is then seen as one more).
pub(crate) async fn current_rows(app: &App) -> Result<(i64, Vec<StoredDoc>), StoreError> {
    let reader = app.store().reader();
    let version = resources::config_version(reader).await?;
    let rows = resources::load_all(reader).await?;
    let docs = rows.into_iter().filter_map(|row| {
        let columns = (row.kind.as_str(), row.account_sid, row.key);
        StoredDoc::from_columns(columns, row.doc, row.applied, &row.owner)
            .inspect_err(|error| tracing::error!(%error, "a stored resource is left out"))
            .ok()
    });
    Ok((version, docs.collect()))
}

/// A fresh snapshot.
pub(crate) async fn read(app: &App) -> Result<Directory, StoreError> {
    let (version, docs) = current_rows(app).await?;
    let credentials = credentials::platform_side::load_valid(app.store().reader()).await?;
    let draining = trunk_states::draining(app.store().reader()).await?;
    let ingredients = Ingredients {
        version,
        draining,
        credentials: credentials.iter().filter_map(credential).collect(),
        keyring: app.keyring(),
        zone: app.settings().zone.0,
        queue_max_len: app.settings().calls.queue_max_len,
    };
    Ok(build(&docs, ingredients))
}

fn credential(row: &credentials::Credential) -> Option<(TokenHash, Credential)> {
    let Ok(hash) = <[u8; 32]>::try_from(row.hash.as_slice()) else {
        tracing::error!(credential = %row.id, "a stored credential's hash has not 32 bytes and is left out");
        return None;
    };
    let kind = match row.kind {
        credentials::CredentialKind::Token => CredentialKind::Token,
        credentials::CredentialKind::ApiKey => CredentialKind::ApiKey(scopes(row)),
    };
    Some((
        TokenHash::new(hash),
        Credential { id: row.id.as_str().into(), account: row.account.clone(), kind },
    ))
}

/// A scope of a newer release grants nothing here.
fn scopes(row: &credentials::Credential) -> BTreeSet<Scope> {
    let names = row.scopes.as_array().into_iter().flatten();
    names.filter_map(|name| name.as_str()?.parse().ok()).collect()
}
