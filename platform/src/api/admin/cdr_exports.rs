//! Exports of call detail records, and their schedules.

use poem::web::Data;
use poem_openapi::param::{Header, Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::types::Any;
use poem_openapi::{ApiResponse, Enum, Object, OpenApi};
use serde_json::Value;
use yunling_app::exports::{self, ScheduleOrder};
use yunling_app::principal::{Granted, ReadCalls, ScopeKind};
use yunling_app::{App, Refusal};
use yunling_domain::error_code::MISSING_PARAMETER;
use yunling_store::export_schedules::Schedule;
use yunling_store::exports::{Export, ExportFormat};

use super::Problem;
use super::body::JsonBody;
use super::caller::Caller;
use super::cdr_conditions::{Conditions, described};
use super::query::{page, shown};
use crate::api::download::DownloadAnswer;
use crate::api::tags::Tags;

/// What becomes of the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename = "CdrExportFormat", rename_all = "lowercase")]
enum Format {
    /// A table of legs, RFC 4180.
    Csv,
    /// A record a line, as the list has them.
    Jsonl,
    /// A workbook.
    Xlsx,
    /// No file: callbacks of up to 500 records each to the applications' `cdr_url`.
    Push,
}

impl From<ExportFormat> for Format {
    fn from(format: ExportFormat) -> Self {
        match format {
            ExportFormat::Csv => Self::Csv,
            ExportFormat::Lines => Self::Jsonl,
            ExportFormat::Workbook => Self::Xlsx,
            ExportFormat::Push => Self::Push,
        }
    }
}

/// A file's format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[oai(rename = "CdrFileFormat", rename_all = "lowercase")]
enum FileFormat {
    /// A table of legs, RFC 4180.
    Csv,
    /// A record a line, as the list has them.
    Jsonl,
    /// A workbook.
    Xlsx,
}

impl From<FileFormat> for ExportFormat {
    fn from(format: FileFormat) -> Self {
        match format {
            FileFormat::Csv => Self::Csv,
            FileFormat::Jsonl => Self::Lines,
            FileFormat::Xlsx => Self::Workbook,
        }
    }
}

/// An export of call detail records.
#[derive(Debug, Object)]
#[oai(rename = "CdrExport", rename_all = "camelCase")]
pub(super) struct CdrExport {
    id: String,
    format: Format,
    /// `waiting`, `running`, `ready`, `failed`, `cancelled` or `expired`.
    state: String,
    /// Which records.
    conditions: Any<Value>,
    /// The schedule that it comes from.
    #[oai(skip_serializing_if_is_none)]
    schedule_id: Option<String>,
    created_at: String,
    /// Records so far. There is no total: nothing is counted beforehand.
    records: u64,
    /// The file's length so far.
    octets: u64,
    /// The start of the last record so far. The newest come first: what is older is still to come.
    #[oai(skip_serializing_if_is_none)]
    reached_at: Option<String>,
    #[oai(skip_serializing_if_is_none)]
    finished_at: Option<String>,
    /// When the file is deleted.
    #[oai(skip_serializing_if_is_none)]
    expires_at: Option<String>,
    /// Why it came to nothing.
    #[oai(skip_serializing_if_is_none)]
    failure: Option<String>,
    /// Of a file that is ready: a fresh link for whoever has no credentials; it expires. Absent where
    /// the file shows what the credential may not see.
    #[oai(skip_serializing_if_is_none)]
    url: Option<String>,
}

impl CdrExport {
    pub(super) fn of<S: ScopeKind>(app: &App, caller: &Granted<S>, export: Export) -> Self {
        Self {
            url: exports::link_for(app, caller, &export),
            format: export.ordered.format.into(),
            state: export.state.as_str().to_owned(),
            conditions: Any(described(&export.ordered.filter)),
            schedule_id: export.ordered.schedule,
            id: export.ordered.id,
            created_at: shown(export.ordered.created_at),
            records: export.progress.records,
            octets: export.progress.octets,
            reached_at: export.progress.reached_at.map(shown),
            finished_at: export.finished_at.map(shown),
            expires_at: export.expires_at.map(shown),
            failure: export.failure,
        }
    }
}

/// A page of exports.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct CdrExportPage {
    /// Newest first.
    exports: Vec<CdrExport>,
    /// Where the next page begins; absent on the last one.
    #[oai(skip_serializing_if_is_none)]
    next_cursor: Option<String>,
}

/// An export that is ordered.
#[derive(Debug, Default, Object)]
#[oai(rename = "CdrExportOrder", rename_all = "camelCase", deny_unknown_fields)]
struct Order {
    format: Option<FileFormat>,
    /// The same as those of the list; absent: every record.
    conditions: Option<Conditions>,
}

/// An export that comes again.
#[derive(Debug, Object)]
#[oai(rename = "CdrExportSchedule", rename_all = "camelCase")]
struct CdrExportSchedule {
    id: String,
    /// Minute, hour, day of the month, month, day of the week.
    cron: String,
    /// The zone of these.
    zone: String,
    format: Format,
    /// Which records.
    conditions: Any<Value>,
    created_at: String,
    /// Calls that began before are covered by the exports until now.
    covered_to: String,
    /// The end of what the next export covers.
    next_at: String,
}

impl From<Schedule> for CdrExportSchedule {
    fn from(schedule: Schedule) -> Self {
        Self {
            conditions: Any(described(&schedule.filter)),
            id: schedule.id,
            cron: schedule.cron,
            zone: schedule.zone,
            format: schedule.format.into(),
            created_at: shown(schedule.created_at),
            covered_to: shown(schedule.covered_to),
            next_at: shown(schedule.next_at),
        }
    }
}

/// The account's schedules.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct CdrExportSchedules {
    /// Newest first.
    schedules: Vec<CdrExportSchedule>,
}

/// A schedule that is wanted.
#[derive(Debug, Default, Object)]
#[oai(rename = "CdrExportScheduleOrder", rename_all = "camelCase", deny_unknown_fields)]
struct ScheduleRequest {
    /// Minute, hour, day of the month, month, day of the week: `0 2 * * *` is two o'clock each night.
    cron: Option<String>,
    /// The zone of these, such as `Asia/Shanghai`; absent: the account's.
    zone: Option<String>,
    format: Option<FileFormat>,
    /// The same as those of the list. `since` and `until` are the schedule's: each export covers what
    /// began since the one before.
    conditions: Option<Conditions>,
}

#[derive(ApiResponse)]
enum Ordered {
    /// Stored. It is written in the background.
    #[oai(status = 202)]
    Accepted(Json<CdrExport>),
}

#[derive(ApiResponse)]
enum Scheduled {
    /// Stored.
    #[oai(status = 201)]
    Created(Json<CdrExportSchedule>),
}

#[derive(ApiResponse)]
enum Gone {
    /// It is gone.
    #[oai(status = 204)]
    NoContent,
}

/// The operations.
pub(super) struct CdrExportsApi;

#[OpenApi]
impl CdrExportsApi {
    /// Export call detail records
    ///
    /// Everything that the conditions pick, newest first, without a limit, written in the background:
    /// as CSV or XLSX (a row a leg, further worksheets where one is full) or as JSON Lines (a record a
    /// line). What the credential may not see (masked numbers, recordings) is not in the file. Needs
    /// the scope `calls:read`.
    #[oai(
        path = "/api/v1/cdr-exports",
        method = "post",
        operation_id = "createCdrExport",
        tag = "Tags::CallRecords"
    )]
    async fn create_cdr_export(
        &self,
        caller: Caller<ReadCalls>,
        app: Data<&App>,
        body: JsonBody<Order>,
    ) -> Result<Ordered, Problem> {
        let format = format(body.0.format)?;
        let filter = body.0.conditions.unwrap_or_default().filter()?;
        let export = exports::order(&app, &caller.0, filter, format).await?;
        Ok(Ordered::Accepted(Json(CdrExport::of(&app, &caller.0, export))))
    }

    /// List exports
    ///
    /// The account's exports and pushes of ranges with their progress, newest first. Needs the scope
    /// `calls:read`.
    #[oai(
        path = "/api/v1/cdr-exports",
        method = "get",
        operation_id = "listCdrExports",
        tag = "Tags::CallRecords"
    )]
    async fn list_cdr_exports(
        &self,
        caller: Caller<ReadCalls>,
        app: Data<&App>,
        /// The most rows to give, 1 to 500.
        limit: Query<Option<u32>>,
        /// The `nextCursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<CdrExportPage>, Problem> {
        let page = page(limit.0, cursor.0.as_deref())?;
        let found = exports::list(&app, &caller.0, &page).await?;
        Ok(Json(CdrExportPage {
            exports: found
                .rows
                .into_iter()
                .map(|one| CdrExport::of(&app, &caller.0, one))
                .collect(),
            next_cursor: found.next.map(|cursor| cursor.encode()),
        }))
    }

    /// Read an export
    ///
    /// How far it is, and once it is ready a fresh link to its file. Needs the scope `calls:read`.
    #[oai(
        path = "/api/v1/cdr-exports/:exportId",
        method = "get",
        operation_id = "getCdrExport",
        tag = "Tags::CallRecords"
    )]
    async fn get_cdr_export(
        &self,
        caller: Caller<ReadCalls>,
        app: Data<&App>,
        /// The export.
        #[oai(name = "exportId")]
        export_id: Path<String>,
    ) -> Result<Json<CdrExport>, Problem> {
        let found = exports::get(&app, &caller.0, &export_id.0).await?;
        Ok(Json(CdrExport::of(&app, &caller.0, found)))
    }

    /// Download an export
    ///
    /// The file itself, or the part that `Range` asks for. Needs the scope `calls:read`, and those
    /// besides with which it was ordered: `numbers:read`, `recordings:read`.
    #[oai(
        path = "/api/v1/cdr-exports/:exportId/file",
        method = "get",
        operation_id = "getCdrExportFile",
        tag = "Tags::CallRecords"
    )]
    async fn get_cdr_export_file(
        &self,
        caller: Caller<ReadCalls>,
        app: Data<&App>,
        /// The export.
        #[oai(name = "exportId")]
        export_id: Path<String>,
        /// The part that is asked for, `bytes=0-65535`; one range.
        #[oai(name = "Range")]
        range: Header<Option<String>>,
    ) -> Result<DownloadAnswer, Problem> {
        let download =
            exports::of_account(&app, &caller.0, &export_id.0, range.0.as_deref()).await?;
        Ok(DownloadAnswer(download))
    }

    /// Cancel an export
    ///
    /// It is written no further, and its file is deleted soon. A second time changes nothing. Needs
    /// the scope `calls:read`.
    #[oai(
        path = "/api/v1/cdr-exports/:exportId/cancel",
        method = "post",
        operation_id = "cancelCdrExport",
        tag = "Tags::CallRecords"
    )]
    async fn cancel_cdr_export(
        &self,
        caller: Caller<ReadCalls>,
        app: Data<&App>,
        /// The export.
        #[oai(name = "exportId")]
        export_id: Path<String>,
    ) -> Result<Json<CdrExport>, Problem> {
        let found = exports::cancel(&app, &caller.0, &export_id.0).await?;
        Ok(Json(CdrExport::of(&app, &caller.0, found)))
    }

    /// Schedule exports
    ///
    /// At each of the times an export is ordered of the calls that began since the one before; it
    /// begins when none of these is under way any more. Needs the scope `calls:read`.
    #[oai(
        path = "/api/v1/cdr-export-schedules",
        method = "post",
        operation_id = "createCdrExportSchedule",
        tag = "Tags::CallRecords"
    )]
    async fn create_cdr_export_schedule(
        &self,
        caller: Caller<ReadCalls>,
        app: Data<&App>,
        body: JsonBody<ScheduleRequest>,
    ) -> Result<Scheduled, Problem> {
        let wanted = ScheduleOrder {
            cron: body.0.cron.ok_or_else(|| missing("cron"))?,
            zone: body.0.zone,
            format: format(body.0.format)?,
            filter: body.0.conditions.unwrap_or_default().filter()?,
        };
        let schedule = exports::add_schedule(&app, &caller.0, wanted).await?;
        Ok(Scheduled::Created(Json(schedule.into())))
    }

    /// List schedules of exports
    ///
    /// The account's schedules, newest first. Needs the scope `calls:read`.
    #[oai(
        path = "/api/v1/cdr-export-schedules",
        method = "get",
        operation_id = "listCdrExportSchedules",
        tag = "Tags::CallRecords"
    )]
    async fn list_cdr_export_schedules(
        &self,
        caller: Caller<ReadCalls>,
        app: Data<&App>,
    ) -> Result<Json<CdrExportSchedules>, Problem> {
        let found = exports::list_schedules(&app, &caller.0).await?;
        let schedules = found.into_iter().map(CdrExportSchedule::from).collect();
        Ok(Json(CdrExportSchedules { schedules }))
    }

    /// Delete a schedule of exports
    ///
    /// The exports that came from it stay. Needs the scope `calls:read`.
    #[oai(
        path = "/api/v1/cdr-export-schedules/:scheduleId",
        method = "delete",
        operation_id = "deleteCdrExportSchedule",
        tag = "Tags::CallRecords"
    )]
    async fn delete_cdr_export_schedule(
        &self,
        caller: Caller<ReadCalls>,
        app: Data<&App>,
        /// The schedule.
        #[oai(name = "scheduleId")]
        schedule_id: Path<String>,
    ) -> Result<Gone, Problem> {
        exports::delete_schedule(&app, &caller.0, &schedule_id.0).await?;
        Ok(Gone::NoContent)
    }
}

fn format(given: Option<FileFormat>) -> Result<ExportFormat, Refusal> {
    given.map(ExportFormat::from).ok_or_else(|| missing("format"))
}

fn missing(field: &str) -> Refusal {
    Refusal::field(MISSING_PARAMETER, field, format!("missing {field}"))
}
