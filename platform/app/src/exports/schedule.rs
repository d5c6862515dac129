//! Exports that come again and again: each covers the calls that began since the one before.

use crate::compose_cdr::Sight;
use crate::principal::{Granted, ScopeKind};
use crate::{App, Refusal};
use serde_json::json;
use yunling_domain::cron::Cron;
use yunling_domain::error_code::{BAD_PARAMETER, NOT_FOUND, TOO_MANY_EXPORTS};
use yunling_domain::time::parse_zone;
use yunling_domain::{IdKind, Micros};
use yunling_store::audit::{self, AuditEntry};
use yunling_store::cdrs::CdrFilter;
use yunling_store::export_schedules::{self, Schedule, platform_side};
use yunling_store::exports::{ExportFormat, NewExport};
use yunling_store::{Lane, StoreError, TimeRange};

/// Schedules of one account.
pub const MAX_SCHEDULES: u64 = 50;
/// Schedules that one look takes.
const TURN: u64 = 200;
/// So long after the end of what it covers an export begins: a call's stamps follow its own clock.
const SETTLE_MS: i64 = 60_000;

/// A schedule as it is wanted.
#[derive(Debug, Clone)]
pub struct ScheduleOrder {
    /// When: five fields.
    pub cron: String,
    /// In this zone; absent: the account's.
    pub zone: Option<String>,
    /// What becomes of the records.
    pub format: ExportFormat,
    /// Which records; the time is the schedule's.
    pub filter: CdrFilter,
}

/// Stores a schedule. Its first export covers what begins from now on.
///
/// # Errors
/// `BAD_PARAMETER` for what is no recurring time, or none that ever comes, or no zone;
/// `TOO_MANY_EXPORTS`.
pub async fn add<S: ScopeKind>(
    app: &App,
    caller: &Granted<S>,
    wanted: ScheduleOrder,
) -> Result<Schedule, Refusal> {
    let account = caller.account().clone();
    let own_zone =
        app.directory().account(&account).map_or(app.settings().zone.0, |account| account.zone);
    let zone = match &wanted.zone {
        Some(name) => parse_zone(name)
            .map_err(|error| Refusal::field(BAD_PARAMETER, "zone", error.to_string()))?,
        None => own_zone,
    };
    let bad_cron = |detail: String| Refusal::field(BAD_PARAMETER, "cron", detail);
    let parsed = wanted.cron.parse::<Cron>();
    let cron = parsed.map_err(|error| bad_cron(error.to_string()))?;
    let now = app.clock().now();
    let next_at = cron
        .next_after(zone, now)
        .ok_or_else(|| bad_cron("expected a time that comes within eight years".to_owned()))?;
    if export_schedules::count(app.store().reader(), &account).await? >= MAX_SCHEDULES {
        let detail = format!("the account has {MAX_SCHEDULES} schedules already");
        return Err(Refusal::new(TOO_MANY_EXPORTS).with_detail(detail));
    }
    let sight = match wanted.format {
        ExportFormat::Push => Sight::CALLBACK,
        ExportFormat::Csv | ExportFormat::Lines | ExportFormat::Workbook => {
            Sight::of_scopes(caller.scopes())
        }
    };
    let schedule = Schedule {
        id: app.ids().mint(IdKind::Export),
        account: account.clone(),
        who: caller.who().to_owned(),
        cron: cron.to_string(),
        zone: zone.name().to_owned(),
        format: wanted.format,
        filter: CdrFilter {
            masked_numbers: !sight.numbers,
            started: TimeRange::default(),
            ..wanted.filter
        },
        sees_numbers: sight.numbers,
        sees_recordings: sight.recordings,
        created_at: now,
        covered_to: now,
        next_at,
    };
    let entry = AuditEntry {
        at: now,
        account,
        who: caller.who().to_owned(),
        action: "cdr_export_schedule.create".to_owned(),
        object: format!("cdr_export_schedule/{}", schedule.id),
        detail: json!({ "cron": schedule.cron, "zone": schedule.zone, "filter": schedule.filter }),
    };
    let stored = schedule.clone();
    app.store()
        .writer()
        .write(Lane::Live, move |tx| {
            Box::pin(async move {
                export_schedules::insert(tx, &stored).await?;
                audit::append(tx, &entry).await
            })
        })
        .await?;
    Ok(schedule)
}

/// The account's schedules, newest first.
///
/// # Errors
/// Those of the database.
pub async fn list<S: ScopeKind>(app: &App, caller: &Granted<S>) -> Result<Vec<Schedule>, Refusal> {
    Ok(export_schedules::list(app.store().reader(), caller.account()).await?)
}

/// Deletes a schedule; the exports that came from it stay.
///
/// # Errors
/// `NOT_FOUND`.
pub async fn delete<S: ScopeKind>(app: &App, caller: &Granted<S>, id: &str) -> Result<(), Refusal> {
    let entry = AuditEntry {
        at: app.clock().now(),
        account: caller.account().clone(),
        who: caller.who().to_owned(),
        action: "cdr_export_schedule.delete".to_owned(),
        object: format!("cdr_export_schedule/{id}"),
        detail: json!({}),
    };
    let (account, schedule) = (caller.account().clone(), id.to_owned());
    let is_deleted = app
        .store()
        .writer()
        .write(Lane::Live, move |tx| {
            Box::pin(async move {
                let is_deleted = export_schedules::delete(tx, &account, &schedule).await?;
                if is_deleted {
                    audit::append(tx, &entry).await?;
                }
                Ok(is_deleted)
            })
        })
        .await?;
    let unknown = || {
        Refusal::new(NOT_FOUND).with_detail(format!("the account has no schedule of exports {id}"))
    };
    is_deleted.then_some(()).ok_or_else(unknown)
}

/// Orders the exports of schedules that are due. One that was due several times while nobody looked
/// is ordered once, for all of that time. Gives how many.
///
/// # Errors
/// The database cannot be read or written.
pub async fn fire_due(app: &App) -> Result<u64, StoreError> {
    let now = app.clock().now();
    let mut fired = 0;
    for schedule in platform_side::due(app.store().reader(), now, TURN).await? {
        let Some((covered_to, next_at)) = next_after(&schedule, now) else {
            tracing::error!(schedule = schedule.id, "a schedule of exports cannot be understood");
            continue;
        };
        let export = NewExport {
            id: app.ids().mint(IdKind::Export),
            account: schedule.account.clone(),
            who: schedule.who.clone(),
            format: schedule.format,
            filter: CdrFilter {
                started: TimeRange { from: Some(schedule.covered_to), to: Some(covered_to) },
                ..schedule.filter.clone()
            },
            sees_numbers: schedule.sees_numbers,
            sees_recordings: schedule.sees_recordings,
            schedule: Some(schedule.id.clone()),
            created_at: now,
            due_at: covered_to.plus_ms(SETTLE_MS),
        };
        let is_first = app
            .store()
            .writer()
            .write_patiently(Lane::Bulk, move |tx| {
                Box::pin(async move {
                    platform_side::fire(tx, &schedule, &export, covered_to, next_at).await
                })
            })
            .await?;
        fired += u64::from(is_first);
    }
    Ok(fired)
}

/// Up to when the export covers, and when the next one is due.
fn next_after(schedule: &Schedule, now: Micros) -> Option<(Micros, Micros)> {
    let zone = parse_zone(&schedule.zone).ok()?;
    let cron: Cron = schedule.cron.parse().ok()?;
    let mut covered_to = schedule.next_at;
    // Years of minutes would be long to walk through: the last week is, the rest is leapt over.
    let near = now.plus_ms(-7 * 24 * 3_600 * 1_000);
    if covered_to < near {
        covered_to = cron.next_after(zone, near).filter(|at| *at <= now).unwrap_or(covered_to);
    }
    loop {
        let next = cron.next_after(zone, covered_to)?;
        if next > now {
            return Some((covered_to, next));
        }
        covered_to = next;
    }
}
