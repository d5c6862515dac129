//! A worker's turn at an export.

use super::{file, push};
use crate::App;
use crate::compose_cdr::{self, Sight};
use std::io;
use std::time::Duration;
use yunling_domain::Micros;
use yunling_domain::cdr::CdrObject;
use yunling_store::cdrs::{self, Part};
use yunling_store::exports::platform_side::{self, ExportEnd};
use yunling_store::exports::{Export, ExportFormat, Holder, Progress};
use yunling_store::{Cursor, Lane, StoreError, attempts};

/// So long a writer that is not heard of is believed to live.
const LEASE_MS: i64 = 60_000;
/// How often a lease is renewed while nothing is written.
const RENEWAL: Duration = Duration::from_secs(20);
/// When an export is tried again that the disk or the database stood in the way of.
const AGAIN_MS: i64 = 10_000;
/// When a scheduled export looks again whether the calls of its time are over.
const CALLS_MS: i64 = 30_000;
/// An export that has been tried for so long has failed.
const GIVE_UP_MS: i64 = 24 * 3_600 * 1_000;
const DAY_MS: i64 = 24 * 3_600 * 1_000;

/// How an export goes.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Records of a page.
    pub records: u64,
    /// Rows that a page looks at where a condition has no index.
    pub scanned_rows: u64,
    /// How often the progress is kept: what is written since is written again after a crash.
    pub checkpoint: Duration,
    /// After so many pages others have their turn.
    pub pages: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            records: 2_000,
            scanned_rows: cdrs::SCANNED_ROWS,
            checkpoint: Duration::from_millis(500),
            pages: 250,
        }
    }
}

/// How a turn ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum TurnEnd {
    /// The export is complete.
    Complete {
        /// What it came to.
        whole: Progress,
        /// Its file lies in the object store.
        in_objects: bool,
    },
    /// It goes on in another turn, not before that instant.
    GoesOn(Micros),
    /// It is somebody else's, or nobody wants it any more.
    Lost,
}

/// Why a turn came to a stop.
#[derive(Debug, thiserror::Error)]
pub(super) enum Stopped {
    #[error("its file: {0}")]
    Disk(#[from] io::Error),
    #[error("{0}")]
    Objects(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Writes what is due, a turn each, until nothing is due or the node is about to stop. Does nothing
/// where this process is at it already. Gives how many turns were taken.
///
/// # Errors
/// The database cannot be written.
pub async fn write_due(app: &App, pace: &Pace) -> Result<u32, StoreError> {
    let Ok(_at_it) = app.export_desk().writing.try_acquire() else { return Ok(0) };
    let mut turns = 0;
    while !app.is_draining() && write_one(app, pace).await? {
        turns += 1;
    }
    Ok(turns)
}

/// One turn at what is due longest. Gives false where nothing is due.
pub(super) async fn write_one(app: &App, pace: &Pace) -> Result<bool, StoreError> {
    let Some((export, holder)) = take(app).await? else { return Ok(false) };
    one_turn(app, &export, holder, pace).await?;
    Ok(true)
}

pub(super) async fn take(app: &App) -> Result<Option<(Export, Holder)>, StoreError> {
    let mut bytes = [0; 8];
    app.random().fill(&mut bytes);
    let now = app.clock().now();
    let node = app.settings().node.0.to_string();
    let name = format!("{node}-{:016x}", u64::from_le_bytes(bytes));
    let holder = Holder { node, name, until: now.plus_ms(LEASE_MS) };
    let taking = holder.clone();
    let taken = app
        .store()
        .writer()
        .write_patiently(Lane::Bulk, move |tx| {
            Box::pin(async move { platform_side::take(tx, &taking, now).await })
        })
        .await?;
    Ok(taken.map(|export| (export, holder)))
}

async fn one_turn(
    app: &App,
    export: &Export,
    mut holder: Holder,
    pace: &Pace,
) -> Result<(), StoreError> {
    let id = export.ordered.id.as_str();
    if waits_for_calls(app, export).await? {
        return give_back(app, id, holder, app.clock().now().plus_ms(CALLS_MS)).await;
    }
    let turn = match export.ordered.format {
        ExportFormat::Push => push::turn(app, export, &mut holder, pace).await,
        ExportFormat::Csv | ExportFormat::Lines | ExportFormat::Workbook => {
            file::turn(app, export, &mut holder, pace).await
        }
    };
    match turn {
        Ok(TurnEnd::Complete { whole, in_objects }) => {
            let keep_days = i64::from(app.settings().exports.keep_days);
            let now = app.clock().now();
            let end = ExportEnd {
                at: now,
                expires_at: Some(now.plus_ms(keep_days * DAY_MS)),
                in_objects,
                failure: None,
            };
            let records = whole.records;
            let is_ours = end_with(app, id, holder, Some(whole), end).await?;
            if in_objects || !is_ours {
                file::discard(&file::path(app, export)).await;
            }
            tracing::info!(export = id, account = %export.ordered.account, records, "an export is ready");
        }
        Ok(TurnEnd::GoesOn(due_at)) => give_back(app, id, holder, due_at).await?,
        Ok(TurnEnd::Lost) => tracing::info!(export = id, "an export was given up by this node"),
        Err(stopped) => {
            metrics::counter!("yunling_exports_stopped_total").increment(1);
            let now = app.clock().now();
            if now.ms_since(export.ordered.due_at.min(export.ordered.created_at)) > GIVE_UP_MS {
                tracing::error!(export = id, error = %stopped, "an export has failed");
                let failure = Some(match stopped {
                    Stopped::Disk(_) | Stopped::Objects(_) => "the file could not be written",
                    Stopped::Store(_) => "the database could not be read",
                });
                let failure = failure.map(str::to_owned);
                let end = ExportEnd { at: now, expires_at: Some(now), in_objects: false, failure };
                end_with(app, id, holder, None, end).await?;
            } else {
                tracing::warn!(export = id, error = %stopped, "an export stopped; it goes on soon");
                give_back(app, id, holder, now.plus_ms(AGAIN_MS)).await?;
            }
        }
    }
    Ok(())
}

/// A scheduled export covers what began in its time, and has no record yet of what still goes on.
async fn waits_for_calls(app: &App, export: &Export) -> Result<bool, StoreError> {
    let ordered = &export.ordered;
    let Some(to) = ordered.filter.started.to.filter(|_| ordered.schedule.is_some()) else {
        return Ok(false);
    };
    let reader = app.store().reader();
    attempts::platform_side::is_any_dialled_before(reader, &ordered.account, to).await
}

async fn give_back(app: &App, id: &str, holder: Holder, due_at: Micros) -> Result<(), StoreError> {
    let id = id.to_owned();
    app.store()
        .writer()
        .write_patiently(Lane::Bulk, move |tx| {
            Box::pin(async move { platform_side::give_back(tx, &id, &holder, due_at).await })
        })
        .await
}

/// In one transaction: whoever finds it ended finds it whole.
async fn end_with(
    app: &App,
    id: &str,
    holder: Holder,
    whole: Option<Progress>,
    end: ExportEnd,
) -> Result<bool, StoreError> {
    let id = id.to_owned();
    app.store()
        .writer()
        .write_patiently(Lane::Bulk, move |tx| {
            Box::pin(async move {
                if let Some(whole) = whole {
                    platform_side::keep(tx, &id, &holder, &whole).await?;
                }
                platform_side::end(tx, &id, &holder, &end).await
            })
        })
        .await
}

/// A page of an export's records.
pub(super) struct Page {
    pub(super) records: Vec<CdrObject>,
    /// The start of the last one, or of what was looked at last.
    pub(super) reached_at: Option<Micros>,
    pub(super) next: Option<Cursor>,
}

/// Reads the page behind a place.
pub(super) async fn read(
    app: &App,
    export: &Export,
    after: Option<Cursor>,
    limit: u64,
    pace: &Pace,
) -> Result<Page, StoreError> {
    let ordered = &export.ordered;
    let part = Part { after: after.as_ref(), limit, skip: 0, scanned_rows: pace.scanned_rows };
    let reader = app.store().reader();
    let found = cdrs::find(reader, &ordered.account, &ordered.filter, &part).await?;
    let sight = Sight { numbers: ordered.sees_numbers, recordings: ordered.sees_recordings };
    let records = compose_cdr::run(app, &ordered.account, sight, &found.rows).await?;
    let last = found.rows.last().map(|row| row.started_at);
    Ok(Page { records, reached_at: found.scanned_until.or(last), next: found.next })
}

/// Does what may take longer than the lease, which is renewed meanwhile. Nothing where the export is
/// somebody else's by now.
pub(super) async fn held<T>(
    app: &App,
    export: &Export,
    holder: &mut Holder,
    progress: &Progress,
    long: impl Future<Output = Result<T, Stopped>>,
) -> Result<Option<T>, Stopped> {
    let mut long = std::pin::pin!(long);
    loop {
        match tokio::time::timeout(RENEWAL, &mut long).await {
            Ok(done) => return done.map(Some),
            Err(_) if keep(app, export, holder, progress).await? => {}
            Err(_) => return Ok(None),
        }
    }
}

/// The lease begins anew with the next write.
pub(super) fn renew(app: &App, holder: &mut Holder) {
    holder.until = app.clock().now().plus_ms(LEASE_MS);
}

/// Keeps how much is done, and the lease.
pub(super) async fn keep(
    app: &App,
    export: &Export,
    holder: &mut Holder,
    progress: &Progress,
) -> Result<bool, StoreError> {
    renew(app, holder);
    let (id, holder, progress) = (export.ordered.id.clone(), holder.clone(), progress.clone());
    app.store()
        .writer()
        .write_patiently(Lane::Bulk, move |tx| {
            Box::pin(async move { platform_side::keep(tx, &id, &holder, &progress).await })
        })
        .await
}
