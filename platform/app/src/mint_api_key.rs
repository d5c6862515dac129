//! Mints an API key: it works as the Basic password of its account, and may do what its scopes say,
//! which is never more than whoever mints it may do.

use crate::principal::{Granted, ManageKeys, Scope};
use crate::secrets::{ApiKey, Plain};
use crate::{App, Refusal};
use serde_json::json;
use std::collections::BTreeSet;
use yunling_domain::error_code::{BAD_PARAMETER, CONFLICT, MISSING_PARAMETER, SCOPE_MISSING};
use yunling_store::Lane;
use yunling_store::audit::{self, AuditEntry};
use yunling_store::credentials::{self, Credential, CredentialKind};

/// The longest label, in characters.
const MAX_LABEL_CHARS: usize = 128;
/// Keys of an account that are not revoked: each stands in every node's memory.
const MAX_VALID_KEYS: usize = 100;

/// A fresh key.
#[derive(Debug)]
pub struct MintedKey {
    /// By which it is revoked, and named in audit rows.
    pub id: String,
    /// The key itself: this is the only time that anybody sees it.
    pub key: Plain,
}

/// Mints a key with these scopes.
///
/// # Errors
/// `MISSING_PARAMETER` without a scope, `BAD_PARAMETER` for the label, `SCOPE_MISSING` for a scope
/// that the caller has not itself, `CONFLICT` where the account has 100 valid keys.
pub async fn run(
    app: &App,
    caller: &Granted<ManageKeys>,
    label: &str,
    scopes: &BTreeSet<Scope>,
) -> Result<MintedKey, Refusal> {
    let label = label.trim();
    if label.is_empty() || label.chars().count() > MAX_LABEL_CHARS {
        return Err(Refusal::field(
            BAD_PARAMETER,
            "label",
            format!("expected 1 to {MAX_LABEL_CHARS} characters"),
        ));
    }
    if scopes.is_empty() {
        return Err(Refusal::field(MISSING_PARAMETER, "scopes", "missing scopes"));
    }
    if let Some(lacking) = scopes.iter().find(|scope| !caller.scopes().include(**scope)) {
        return Err(Refusal::field(
            SCOPE_MISSING,
            "scopes",
            format!("an API key hands on only scopes that it has: it has no {lacking}"),
        ));
    }
    let now = app.clock().now();
    let key = ApiKey::mint(app.random());
    let mut id = [0; 8];
    app.random().fill(&mut id);
    let id = format!("key_{}", hex::encode(id));
    let credential = Credential {
        id: id.clone(),
        account: caller.account().clone(),
        kind: CredentialKind::ApiKey,
        hash: app.keyring().hash_token(&key).as_bytes().to_vec(),
        label: label.to_owned(),
        scopes: json!(scopes),
        created_at: now,
        revoked_at: None,
        last_used_at: None,
    };
    let entry = AuditEntry {
        at: now,
        account: caller.account().clone(),
        who: caller.who().to_owned(),
        action: "api_key.mint".to_owned(),
        object: format!("api_key/{id}"),
        detail: json!({ "label": label, "scopes": scopes }),
    };
    let written = app
        .store()
        .writer()
        .write(Lane::Live, move |tx| {
            Box::pin(async move {
                let keys = credentials::list(tx, &credential.account).await?;
                if keys.iter().filter(|key| is_valid_key(key)).count() >= MAX_VALID_KEYS {
                    return Ok(false);
                }
                credentials::insert(tx, &credential).await?;
                audit::append(tx, &entry).await?;
                Ok(true)
            })
        })
        .await?;
    if !written {
        return Err(Refusal::new(CONFLICT).with_detail(format!(
            "the account has {MAX_VALID_KEYS} valid API keys, the most that there can be: revoke one first"
        )));
    }
    app.follow().await;
    Ok(MintedKey { id, key })
}

fn is_valid_key(credential: &Credential) -> bool {
    credential.kind == CredentialKind::ApiKey && credential.revoked_at.is_none()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::fakes::{ACCOUNT, World};
    use crate::principal::{Principal, Scopes};
    use crate::revoke_api_key;
    use yunling_domain::AccountId;

    #[tokio::test]
    async fn a_key_hands_on_only_what_it_has() {
        let world = World::open().await;
        let key = Principal {
            account: AccountId::new(ACCOUNT),
            credential: "key_1".into(),
            scopes: Scopes::Only([Scope::ManageKeys, Scope::ReadCalls].into()),
        };
        let caller = key.grant::<ManageKeys>().unwrap();
        let refusal =
            run(&world.app, &caller, "x", &[Scope::SendNotices].into()).await.unwrap_err();
        assert_eq!(
            (refusal.code.name, refusal.field.as_deref()),
            ("scope_missing", Some("scopes"))
        );
        assert!(refusal.detail.contains("notices:send"), "{refusal}");
        assert!(run(&world.app, &caller, "x", &[Scope::ReadCalls].into()).await.is_ok());
    }

    #[tokio::test]
    async fn an_account_has_a_hundred_valid_keys_at_most() {
        let world = World::open().await;
        let (app, caller) = (&world.app, world.caller());
        let scopes = [Scope::ReadCalls].into();
        let first = run(app, &caller, "x", &scopes).await.unwrap();
        for _ in 1..MAX_VALID_KEYS {
            run(app, &caller, "x", &scopes).await.unwrap();
        }
        let refusal = run(app, &caller, "x", &scopes).await.unwrap_err();
        assert_eq!(refusal.code, CONFLICT);
        assert!(refusal.detail.contains("revoke one first"), "{refusal}");
        revoke_api_key::run(app, &caller, &first.id).await.unwrap();
        assert!(run(app, &caller, "x", &scopes).await.is_ok());
    }

    #[tokio::test]
    async fn a_key_is_told_even_where_the_configuration_cannot_be_read_again() {
        let world = World::open().await;
        let (app, caller) = (&world.app, world.caller());
        // The directory of this release cannot be made from it: that fails after the commit.
        let strange = "INSERT INTO credential (id, account_sid, kind, hash, label, scopes, created_at) \
                       VALUES ('s', 'other', 'robot', x'00', '', '[]', 0)";
        world.execute(strange).await;
        assert!(app.reload().await.is_err());
        let minted = run(app, &caller, "x", &[Scope::ReadCalls].into()).await.unwrap();
        let hash = app.keyring().hash_token(&minted.key);
        assert!(app.directory().credential(&hash).is_none());
        let report = world.apply("set: more\naccounts: [{ sid: fourth }]\n").await.unwrap();
        assert_eq!(report.minted.len(), 1, "what was minted is told all the same");
        world.execute("DELETE FROM credential WHERE id = 's'").await;
        assert!(app.reload_if_moved().await.unwrap());
        assert!(app.directory().credential(&hash).is_some(), "the watch repeats it");
    }
}
