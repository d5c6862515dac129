//! Gives an account another token. The old one authenticates nobody from then on: two that may do
//! everything never stand side by side. Whoever cannot change all clients at once gives them API keys
//! first.

use crate::apply::{StoredDoc, StoredSecret, token_credential};
use crate::documents::{ResourceKind, SecretName};
use crate::principal::{Granted, ManageKeys, Scopes};
use crate::secrets::{ApiKey, Plain};
use crate::{App, Refusal};
use serde_json::json;
use yunling_domain::error_code::{INTERNAL, NOT_FOUND, SCOPE_MISSING};
use yunling_store::Lane;
use yunling_store::audit::{self, AuditEntry};
use yunling_store::credentials::{self, CredentialKind};
use yunling_store::resources::{self, NewResource};

/// Mints the token, and revokes every one that the account had.
///
/// # Errors
/// `SCOPE_MISSING` for an API key, which would get more than it has; `NOT_FOUND` without an account;
/// `CONFLICT` where somebody changed the account at the same moment.
pub async fn run(app: &App, caller: &Granted<ManageKeys>) -> Result<Plain, Refusal> {
    if *caller.scopes() != Scopes::All {
        return Err(Refusal::new(SCOPE_MISSING).with_detail(
            "expected the account's token: an API key would get one that may do more than itself",
        ));
    }
    let account = caller.account();
    let kind = ResourceKind::Account;
    let row =
        resources::get(app.store().reader(), kind.as_str(), account.as_str(), account.as_str())
            .await?
            .ok_or_else(|| Refusal::new(NOT_FOUND).with_detail("there is no such account"))?;
    let version = row.version;
    let columns = (row.kind.as_str(), row.account_sid, row.key);
    let mut doc =
        StoredDoc::from_columns(columns, row.doc, row.applied, &row.owner).map_err(|error| {
            tracing::error!(%error, "a stored resource cannot be changed");
            Refusal::new(INTERNAL)
        })?;

    let now = app.clock().now();
    let token = ApiKey::mint_account_token(app.random());
    let fingerprint = app.keyring().fingerprint(&token);
    let entry = AuditEntry {
        at: now,
        account: account.clone(),
        who: caller.who().to_owned(),
        action: "account_token.rotate".to_owned(),
        object: format!("account/{account}"),
        detail: json!({ "fingerprint": fingerprint }),
    };
    // The mark of the stored one: so a file that still gives the first does not undo this.
    doc.secrets.insert(SecretName::Token, StoredSecret::Token { fingerprint });
    let credential = token_credential(app, account.as_str(), &token, now);
    let resource = NewResource {
        kind: kind.as_str().to_owned(),
        doc: doc.doc_column(),
        applied: doc.applied_column(),
        owner: doc.owner.to_string(),
        account_sid: doc.account,
        key: doc.key,
    };
    app.store()
        .writer()
        .write(Lane::Live, move |tx| {
            Box::pin(async move {
                resources::upsert(tx, &resource, Some(version), now).await?;
                for old in credentials::list(tx, &credential.account).await? {
                    if old.kind == CredentialKind::Token && old.revoked_at.is_none() {
                        credentials::revoke(tx, &credential.account, &old.id, now).await?;
                    }
                }
                credentials::insert(tx, &credential).await?;
                audit::append(tx, &entry).await
            })
        })
        .await?;
    app.follow().await;
    Ok(token)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::fakes::{ACCOUNT, TENANT, TOKEN, World};
    use crate::principal::{Principal, Scope};
    use yunling_domain::AccountId;

    #[tokio::test]
    async fn the_new_token_opens_the_account_and_the_old_one_no_more() {
        let world = World::open().await;
        let opens = |token: &Plain| {
            let hash = world.app.keyring().hash_token(token);
            let directory = world.app.directory();
            directory.credential(&hash).map(|of| of.account.as_str().to_owned())
        };
        let first = Plain::new(TOKEN);
        assert_eq!(opens(&first).as_deref(), Some(ACCOUNT));
        let second = run(&world.app, &world.caller()).await.unwrap();
        assert_eq!((opens(&first), opens(&second).as_deref()), (None, Some(ACCOUNT)));
        let third = run(&world.app, &world.caller()).await.unwrap();
        assert_eq!((opens(&second), opens(&third).as_deref()), (None, Some(ACCOUNT)));

        assert!(world.apply(TENANT).await.unwrap().plan.is_empty(), "an initial value only");
        assert_eq!((opens(&first), opens(&third).as_deref()), (None, Some(ACCOUNT)));
    }

    #[tokio::test]
    async fn an_api_key_gets_no_token() {
        let world = World::open().await;
        let key = Principal {
            account: AccountId::new(ACCOUNT),
            credential: "key_1".into(),
            scopes: Scopes::Only(Scope::ALL.iter().copied().collect()),
        };
        let refusal = run(&world.app, &key.grant().unwrap()).await.unwrap_err();
        assert_eq!(refusal.code, SCOPE_MISSING);
    }
}
