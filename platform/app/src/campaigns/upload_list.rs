//! Takes the list of a campaign's numbers, a CSV file. It replaces the one before.

use super::not_found;
use crate::principal::{Granted, SendNotices};
use crate::submit_batch::BatchPlace;
use crate::{App, Refusal};
use std::sync::Arc;
use yunling_domain::campaign::{Roster, read_roster};
use yunling_domain::error_code::{BAD_PARAMETER, CONFLICT, INTERNAL, QUEUE_FULL};
use yunling_domain::{AccountId, RequestId};
use yunling_store::campaigns::{self, ListCounts, NewEntry, platform_side};
use yunling_store::{BULK_ROWS, Lane, StoreError};

/// Reads the list and stores it. What is wrong with a row is kept with it
/// ([`rejected_csv`](super::report::rejected_csv)). `place` is held until the list is stored.
///
/// # Errors
/// `NOT_FOUND`, for another account's too; `CONFLICT` where the campaign is no draft; `BAD_PARAMETER`
/// for a file that is not even read row by row; `QUEUE_FULL` where the account has too many numbers.
pub async fn run(
    app: &App,
    caller: &Granted<SendNotices>,
    id: &RequestId,
    file: Arc<[u8]>,
    place: BatchPlace,
) -> Result<ListCounts, Refusal> {
    app.takes_requests()?;
    let roster = read(app, caller, id, file).await?;
    let counts = ListCounts {
        total: narrow(roster.entries.len()),
        rejected: narrow(roster.rejected.len()),
        duplicates: roster.duplicates,
    };
    room_for(app, caller.account(), counts.total).await?;
    // Half a list is nothing: it goes on to its end even if nobody waits for the answer any more.
    let (app, account, id) = (app.clone(), caller.account().clone(), id.clone());
    let storing = tokio::spawn(async move {
        let _place = place;
        store(&app, &account, &id, roster, counts).await
    });
    storing.await.unwrap_or_else(|error| {
        tracing::error!(%error, "storing a campaign's list failed");
        Err(Refusal::new(INTERNAL))
    })?;
    Ok(counts)
}

fn narrow(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// Apart from the threads that serve calls: a hundred thousand rows take a while.
async fn read(
    app: &App,
    caller: &Granted<SendNotices>,
    id: &RequestId,
    file: Arc<[u8]>,
) -> Result<Roster, Refusal> {
    let view = super::get::view(app, caller, id).await?;
    let directory = app.directory();
    let application = directory
        .application(caller.account(), &view.progress.campaign.application)
        .cloned()
        .ok_or_else(|| Refusal::new(CONFLICT).with_detail("the campaign's application is gone"))?;
    let limit = usize::try_from(app.settings().calls.batch_max_numbers).unwrap_or(usize::MAX);
    let reading = tokio::task::spawn_blocking(move || {
        let in_body = |detail: String| Refusal::field(BAD_PARAMETER, "body", detail);
        let text = std::str::from_utf8(&file).map_err(|error| {
            in_body(format!(
                "expected CSV in UTF-8, found another encoding at byte {}: save the file as CSV UTF-8",
                error.valid_up_to()
            ))
        })?;
        let has_media = |name: &str| application.media.contains_key(name);
        read_roster(text, &view.contents, has_media, limit)
            .map_err(|error| in_body(error.to_string()))
    });
    reading.await.unwrap_or_else(|error| {
        tracing::error!(%error, "reading a campaign's list failed");
        Err(Refusal::new(INTERNAL))
    })
}

async fn room_for(app: &App, account: &AccountId, total: u32) -> Result<(), Refusal> {
    let most = app.settings().calls.batch_max_waiting;
    let (_, waiting) = campaigns::unfinished_of(app.store().reader(), account).await?;
    if waiting + u64::from(total) > u64::from(most) {
        let detail = format!(
            "{waiting} numbers of the account's campaigns wait already, and this list has {total}: at most {most} may"
        );
        return Err(Refusal::new(QUEUE_FULL).with_detail(detail));
    }
    Ok(())
}

async fn store(
    app: &App,
    account: &AccountId,
    id: &RequestId,
    roster: Roster,
    counts: ListCounts,
) -> Result<(), Refusal> {
    let (tenant, campaign, node) = (account.clone(), id.clone(), app.settings().node.0);
    let opened = app
        .store()
        .writer()
        .write(Lane::Live, move |tx| {
            Box::pin(async move { campaigns::open_list(tx, &tenant, &campaign, node).await })
        })
        .await?;
    if !opened {
        return Err(no_draft(app, account, id).await?);
    }
    let stored = replace(app, account, id, roster, counts).await;
    if let Err(error) = &stored {
        tracing::warn!(%error, request = %id, "a campaign's list was not taken in");
        give_up(app, account, id).await;
    }
    Ok(stored?)
}

/// Why a list cannot be taken in.
async fn no_draft(app: &App, account: &AccountId, id: &RequestId) -> Result<Refusal, Refusal> {
    let found = campaigns::get(app.store().reader(), account, id).await?;
    Ok(match found {
        None => not_found(id),
        Some(found) => {
            let state = found.campaign.state.as_str();
            Refusal::new(CONFLICT)
                .with_detail(format!("only a draft takes a list, and the campaign is {state}"))
        }
    })
}

async fn replace(
    app: &App,
    account: &AccountId,
    id: &RequestId,
    roster: Roster,
    counts: ListCounts,
) -> Result<(), StoreError> {
    let writer = app.store().writer();
    let turn = narrow(BULK_ROWS);
    loop {
        let campaign = id.clone();
        let dropped = writer
            .write_patiently(Lane::Bulk, move |tx| {
                Box::pin(async move { campaigns::drop_entries(tx, &campaign, turn).await })
            })
            .await?;
        if dropped == 0 {
            break;
        }
    }
    let entries = roster.entries.into_iter().zip(0..).map(|(entry, n)| NewEntry {
        n,
        to_number: entry.number.stored(),
        to_shown: entry.number.national().to_owned(),
        variables: serde_json::json!(entry.variables),
        userdata: entry.userdata,
        area: entry.area,
    });
    let campaign = id.clone();
    writer
        .write_rows(entries.collect(), move |tx, rows: Vec<NewEntry>| {
            let campaign = campaign.clone();
            Box::pin(async move { campaigns::add_entries(tx, &campaign, &rows).await })
        })
        .await
        .map_err(|stopped| stopped.error)?;
    let rejected = roster.rejected.into_iter().map(|row| (row.line, row.reason, row.row));
    let campaign = id.clone();
    writer
        .write_rows(rejected.collect(), move |tx, rows: Vec<(u32, String, String)>| {
            let campaign = campaign.clone();
            Box::pin(async move { campaigns::add_rejected(tx, &campaign, &rows).await })
        })
        .await
        .map_err(|stopped| stopped.error)?;
    let (tenant, campaign) = (account.clone(), id.clone());
    writer
        .write_patiently(Lane::Live, move |tx| {
            Box::pin(async move { campaigns::list_done(tx, &tenant, &campaign, counts).await })
        })
        .await
}

/// Where that fails too, the next start does it.
async fn give_up(app: &App, account: &AccountId, id: &RequestId) {
    let (tenant, campaign) = (account.clone(), id.clone());
    let given_up = app
        .store()
        .writer()
        .write_patiently(Lane::Live, move |tx| {
            Box::pin(async move { campaigns::list_failed(tx, &tenant, &campaign).await })
        })
        .await;
    if let Err(error) = given_up {
        tracing::warn!(%error, request = %id, "a campaign loads until the node's next start");
    }
}

/// Campaigns whose list this node was taking in when it ended are drafts without numbers. To be
/// called at the start, before anything is taken in.
///
/// # Errors
/// Those of the database.
pub async fn reset_unfinished_lists(app: &App) -> Result<u64, StoreError> {
    let node = app.settings().node.0;
    app.store()
        .writer()
        .write_patiently(Lane::Live, move |tx| {
            Box::pin(async move { platform_side::reset_lists(tx, node).await })
        })
        .await
}
