//! Rotates what an application's callbacks are signed with, in two steps: after `Begin` every
//! callback carries two signatures, by the fresh secret and by the one before it; once the receiver
//! knows the fresh one, `Finish` drops the other.

use crate::apply::{SealedSecret, StoredDoc, StoredSecret, seal_place};
use crate::documents::{ResourceKind, SecretName};
use crate::principal::{Granted, ManageKeys};
use crate::secrets::{Plain, WebhookSecret};
use crate::{App, Refusal};
use serde_json::json;
use yunling_domain::ApplicationId;
use yunling_domain::error_code::{CONFLICT, INTERNAL, NOT_FOUND};
use yunling_store::Lane;
use yunling_store::audit::{self, AuditEntry};
use yunling_store::resources::{self, NewResource, Resource};

/// Which step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// Mint a fresh secret; the one in force stays beside it.
    Begin,
    /// Drop all but the newest.
    Finish,
}

/// Carries out a step. `Begin` gives the fresh secret, to be handed to the receiver.
///
/// # Errors
/// `NOT_FOUND` for an application that the account does not have; `CONFLICT` for a `Begin` while a
/// rotation is under way, or where somebody changed the application at the same moment.
pub async fn run(
    app: &App,
    caller: &Granted<ManageKeys>,
    application: &ApplicationId,
    step: Rotation,
) -> Result<Option<Plain>, Refusal> {
    let account = caller.account();
    let kind = ResourceKind::Application;
    let row =
        resources::get(app.store().reader(), kind.as_str(), account.as_str(), application.as_str())
            .await?
            .ok_or_else(|| {
                Refusal::new(NOT_FOUND).with_detail("the account has no such application")
            })?;
    let version = row.version;
    let mut doc = read(row)?;
    let fresh = match step {
        Rotation::Begin => Some(begin(app, &mut doc)?),
        Rotation::Finish => {
            finish(&mut doc);
            None
        }
    };
    let now = app.clock().now();
    let entry = AuditEntry {
        at: now,
        account: account.clone(),
        who: caller.who().to_owned(),
        action: match step {
            Rotation::Begin => "webhook_secret.rotate".to_owned(),
            Rotation::Finish => "webhook_secret.retire".to_owned(),
        },
        object: format!("application/{application}"),
        detail: json!({ "fingerprint": doc.secrets.get(&SecretName::WebhookSecret).and_then(StoredSecret::fingerprint) }),
    };
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
                audit::append(tx, &entry).await
            })
        })
        .await?;
    app.follow().await;
    Ok(fresh)
}

fn read(row: Resource) -> Result<StoredDoc, Refusal> {
    let columns = (row.kind.as_str(), row.account_sid, row.key);
    StoredDoc::from_columns(columns, row.doc, row.applied, &row.owner).map_err(|error| {
        tracing::error!(%error, "a stored resource cannot be changed");
        Refusal::new(INTERNAL)
    })
}

fn begin(app: &App, doc: &mut StoredDoc) -> Result<Plain, Refusal> {
    let mut active = match doc.secrets.remove(&SecretName::WebhookSecret) {
        Some(StoredSecret::Sealed { active }) => active,
        _ => Vec::new(),
    };
    if active.len() > 1 {
        let detail = "a rotation is under way already: finish it first";
        return Err(Refusal::new(CONFLICT).with_detail(detail));
    }
    let fresh = WebhookSecret::mint(app.random()).to_plain();
    let place = seal_place(doc.kind, &doc.account, &doc.key, SecretName::WebhookSecret);
    let sealed = SealedSecret {
        sealed: app.keyring().seal(&place, &fresh, app.random()),
        fingerprint: app.keyring().fingerprint(&fresh),
        since: app.clock().now(),
    };
    active.insert(0, sealed);
    doc.secrets.insert(SecretName::WebhookSecret, StoredSecret::Sealed { active });
    Ok(fresh)
}

fn finish(doc: &mut StoredDoc) {
    if let Some(StoredSecret::Sealed { active }) = doc.secrets.get_mut(&SecretName::WebhookSecret) {
        active.truncate(1);
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::fakes::{ACCOUNT, APPID, TENANT, World};
    use yunling_domain::AccountId;

    fn keys(world: &World) -> Vec<String> {
        let directory = world.app.directory();
        let application =
            directory.application(&AccountId::new(ACCOUNT), &ApplicationId::new(APPID)).unwrap();
        application
            .webhook_secrets
            .iter()
            .map(|secret| secret.to_plain().expose().to_owned())
            .collect()
    }

    #[tokio::test]
    async fn two_secrets_are_active_while_one_is_rotated_and_the_file_does_not_undo_it() {
        let world = World::open().await;
        let (app, caller, appid) = (&world.app, world.caller(), ApplicationId::new(APPID));
        let first = keys(&world)[0].clone();
        let fresh = run(app, &caller, &appid, Rotation::Begin).await.unwrap().unwrap();
        assert_eq!(keys(&world), [fresh.expose(), &first]);
        let refusal = run(app, &caller, &appid, Rotation::Begin).await.unwrap_err();
        assert_eq!(refusal.code, CONFLICT);
        assert_eq!(run(app, &caller, &appid, Rotation::Finish).await.unwrap(), None);
        assert_eq!(keys(&world), [fresh.expose()]);

        assert!(world.apply(TENANT).await.unwrap().plan.is_empty(), "an initial value only");
        assert_eq!(keys(&world), [fresh.expose()]);
        let other =
            crate::Operator::proven("test").in_account::<ManageKeys>(AccountId::new("other"));
        let refusal = run(app, &other, &appid, Rotation::Begin).await.unwrap_err();
        assert_eq!(refusal.code, NOT_FOUND);
    }
}
