//! Puts a number on the account's do-not-call list.

use super::{note, stored};
use crate::principal::{Granted, SendNotices};
use crate::{App, Refusal};
use yunling_store::audit::{self, AuditEntry};
use yunling_store::do_not_call::{self, Listed};
use yunling_store::{Lane, StoreError};

/// Puts a number on the list; one that is there stays as it is. From the answer on nothing of the
/// account dials it any more but what the callee asks for. Gives whether it is new.
///
/// # Errors
/// `BAD_NUMBER`.
pub async fn run(
    app: &App,
    caller: &Granted<SendNotices>,
    number: &str,
    text: &str,
) -> Result<bool, Refusal> {
    let now = app.clock().now();
    let number = stored("number", number)?;
    let listed = Listed {
        number: number.clone(),
        note: note(text),
        added_by: caller.who().to_owned(),
        added_at: now,
    };
    let entry = AuditEntry {
        at: now,
        account: caller.account().clone(),
        who: caller.who().to_owned(),
        action: "do_not_call.add".to_owned(),
        object: format!("do_not_call/{number}"),
        detail: serde_json::json!({ "note": listed.note }),
    };
    let account = caller.account().clone();
    let added = app
        .store()
        .writer()
        .write(Lane::Live, move |tx| {
            Box::pin(async move {
                let added = do_not_call::add(tx, &account, &[listed], now).await?;
                if added > 0 {
                    audit::append(tx, &entry).await?;
                }
                Ok::<_, StoreError>(added)
            })
        })
        .await?;
    app.poke().dispatcher();
    Ok(added > 0)
}
