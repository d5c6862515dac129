use crate::principal::{Granted, Scope, ScopeKind};
use crate::{App, Refusal};
use serde_json::json;
use yunling_domain::IdKind;
use yunling_domain::error_code::{NOT_FOUND, SCOPE_MISSING, TOO_MANY_EXPORTS};
use yunling_store::audit::{self, AuditEntry};
use yunling_store::cdrs::CdrFilter;
use yunling_store::exports::{self, Export, ExportFormat, NewExport};
use yunling_store::{Lane, Page, PageRequest};

use crate::compose_cdr::Sight;

/// Exports of an account that may wait or run at once; more are refused.
const MAX_OPEN: u64 = 50;
/// When a caller who has too many may try again, seconds.
const RETRY_S: u32 = 60;

/// Stores an order for everything that the filter picks. What its caller may not see now, the file
/// will not show.
///
/// # Errors
/// `TOO_MANY_EXPORTS`.
pub async fn order<S: ScopeKind>(
    app: &App,
    caller: &Granted<S>,
    filter: CdrFilter,
    format: ExportFormat,
) -> Result<Export, Refusal> {
    let account = caller.account().clone();
    if exports::open(app.store().reader(), &account).await? >= MAX_OPEN {
        let detail = format!("{MAX_OPEN} exports of the account wait or run already");
        return Err(Refusal::new(TOO_MANY_EXPORTS).with_detail(detail).retry_after(RETRY_S));
    }
    let sight = match format {
        // It goes where callbacks go, and shows what they show.
        ExportFormat::Push => Sight::CALLBACK,
        ExportFormat::Csv | ExportFormat::Lines | ExportFormat::Workbook => {
            Sight::of_scopes(caller.scopes())
        }
    };
    let now = app.clock().now();
    let new = NewExport {
        id: app.ids().mint(IdKind::Export),
        account: account.clone(),
        who: caller.who().to_owned(),
        format,
        filter: CdrFilter { masked_numbers: !sight.numbers, ..filter },
        sees_numbers: sight.numbers,
        sees_recordings: sight.recordings,
        schedule: None,
        created_at: now,
        due_at: now,
    };
    let entry = AuditEntry {
        at: now,
        account: account.clone(),
        who: caller.who().to_owned(),
        action: "cdr_export.create".to_owned(),
        object: format!("cdr_export/{}", new.id),
        detail: json!({ "format": format.as_str(), "filter": new.filter }),
    };
    let id = new.id.clone();
    let stored = app
        .store()
        .writer()
        .write(Lane::Live, move |tx| {
            Box::pin(async move {
                exports::insert(tx, &new).await?;
                audit::append(tx, &entry).await?;
                exports::get(tx, &account, &id).await
            })
        })
        .await?;
    stored.ok_or_else(|| Refusal::new(NOT_FOUND))
}

/// The account's export of that identifier.
///
/// # Errors
/// `NOT_FOUND`, for another account's too.
pub async fn get<S: ScopeKind>(
    app: &App,
    caller: &Granted<S>,
    id: &str,
) -> Result<Export, Refusal> {
    let found = exports::get(app.store().reader(), caller.account(), id).await?;
    found.ok_or_else(|| unknown(id))
}

/// One page of the account's exports, newest first.
///
/// # Errors
/// Those of the database.
pub async fn list<S: ScopeKind>(
    app: &App,
    caller: &Granted<S>,
    page: &PageRequest,
) -> Result<Page<Export>, Refusal> {
    Ok(exports::list(app.store().reader(), caller.account(), page).await?)
}

/// Ends an export that nobody wants any more, and deletes its file soon. A second time changes
/// nothing.
///
/// # Errors
/// `NOT_FOUND`.
pub async fn cancel<S: ScopeKind>(
    app: &App,
    caller: &Granted<S>,
    id: &str,
) -> Result<Export, Refusal> {
    let (account, cancelled, now) = (caller.account().clone(), id.to_owned(), app.clock().now());
    app.store()
        .writer()
        .write(Lane::Live, move |tx| {
            Box::pin(async move { exports::cancel(tx, &account, &cancelled, now).await })
        })
        .await?;
    get(app, caller, id).await
}

/// Whether a caller may see all that an export shows: whoever ordered it may see more.
///
/// # Errors
/// `SCOPE_MISSING`.
pub(super) fn may_see<S: ScopeKind>(caller: &Granted<S>, export: &Export) -> Result<(), Refusal> {
    let ordered = &export.ordered;
    for (is_shown, scope) in [
        (ordered.sees_numbers, Scope::ReadNumbers),
        (ordered.sees_recordings, Scope::ReadRecordings),
    ] {
        if is_shown && !caller.scopes().include(scope) {
            let detail = format!("the file shows what needs the scope {scope}");
            return Err(Refusal::new(SCOPE_MISSING).with_detail(detail));
        }
    }
    Ok(())
}

pub(super) fn unknown(id: &str) -> Refusal {
    Refusal::new(NOT_FOUND).with_detail(format!("the account has no export {id}"))
}
