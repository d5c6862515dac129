//! What the account has noted of a callee who has not asked for the call: whether its do-not-call
//! list has the number, and whether the number has had its calls of the day or the week. Notices ask
//! when they come in, and notices and batches right before they are dialled; campaigns go by the
//! same list, history and caps in their own decision.

use crate::App;
use crate::directory::Account;
use yunling_domain::campaign::{Caps, Zones};
use yunling_domain::policy::CalleeFacts;
use yunling_domain::{Micros, Number};
use yunling_store::{RequestKind, StoreError, calls, do_not_call};

/// The facts for the gate. A call that its callee asks for has none.
///
/// # Errors
/// Those of a read.
pub async fn gather(
    app: &App,
    account: &Account,
    kind: RequestKind,
    to: &Number,
    now: Micros,
) -> Result<CalleeFacts, StoreError> {
    if !kind.is_unasked() {
        return Ok(CalleeFacts::default());
    }
    let (reader, number) = (app.store().reader(), to.stored());
    let listed = do_not_call::among(reader, &account.id, &[&number]).await?;
    let is_capped = if account.callee_caps.is_none() {
        false
    } else {
        let kinds = [RequestKind::Notice, RequestKind::Batch, RequestKind::Campaign];
        let since = Caps::known_since(now);
        let past = calls::dialled_to(reader, &account.id, &[&number], &kinds, since).await?;
        let past = past.into_iter().map(|(_, call)| call).collect::<Vec<_>>();
        let zone = Zones::with_default(account.zone).of(to);
        account.callee_caps.are_reached(zone, &past, now)
    };
    Ok(CalleeFacts { is_listed: !listed.is_empty(), is_capped })
}
