//! Revokes an API key: from now on it authenticates nobody.

use crate::principal::{Granted, ManageKeys};
use crate::{App, Refusal};
use yunling_domain::error_code::NOT_FOUND;
use yunling_store::Lane;
use yunling_store::audit::{self, AuditEntry};
use yunling_store::credentials::{self, CredentialKind};

/// Revokes the account's key with this id. A second time changes nothing.
///
/// # Errors
/// `NOT_FOUND` where the account has no such key; its token is none.
pub async fn run(app: &App, caller: &Granted<ManageKeys>, id: &str) -> Result<(), Refusal> {
    let keys = credentials::list(app.store().reader(), caller.account()).await?;
    if !keys.iter().any(|key| key.id == id && key.kind == CredentialKind::ApiKey) {
        return Err(Refusal::new(NOT_FOUND).with_detail("the account has no API key with this id"));
    }
    let now = app.clock().now();
    let (account, id) = (caller.account().clone(), id.to_owned());
    let entry = AuditEntry {
        at: now,
        account: account.clone(),
        who: caller.who().to_owned(),
        action: "api_key.revoke".to_owned(),
        object: format!("api_key/{id}"),
        detail: serde_json::json!({}),
    };
    app.store()
        .writer()
        .write(Lane::Live, move |tx| {
            Box::pin(async move {
                credentials::revoke(tx, &account, &id, now).await?;
                audit::append(tx, &entry).await
            })
        })
        .await?;
    app.follow().await;
    Ok(())
}
