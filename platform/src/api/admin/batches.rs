//! Batches: how far they are, and stopping them.

use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};
use yunling_app::change_batch::{self, Change};
use yunling_app::get_batch::{self, BatchView};
use yunling_app::principal::{ReadCalls, SendNotices};
use yunling_app::{App, list_batches};
use yunling_domain::RequestId;
use yunling_domain::batch::BatchOutcome;

use super::Problem;
use super::caller::Caller;
use super::query::{page, shown};
use crate::api::tags::Tags;

/// A notice to many numbers.
#[derive(Debug, Object)]
#[oai(rename = "Batch", rename_all = "camelCase")]
struct Batch {
    /// The `requestid` of its answer.
    request_id: String,
    /// The appid.
    application: String,
    /// `running`, `paused`, `cancelled` or `finished`. A cancelled one is over when `finishedAt` is
    /// there.
    state: String,
    created_at: String,
    /// When its last number had its result.
    #[oai(skip_serializing_if_is_none)]
    finished_at: Option<String>,
    /// Its numbers, each counted once. The counts below add up to it.
    total: u32,
    /// Entries that were dropped because they named a number again.
    duplicates: u32,
    counts: BatchCounts,
    /// Results a second over the last minute.
    rate_per_s: f64,
    /// When it is likely to be over at this rate; absent where nothing goes on.
    #[oai(skip_serializing_if_is_none)]
    estimated_end_at: Option<String>,
}

/// A batch's numbers by what became of them.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct BatchCounts {
    /// They wait for their turn or for a line.
    waiting: u32,
    /// Their calls are under way.
    in_progress: u32,
    /// Somebody answered.
    answered: u32,
    /// It rang, and nobody answered.
    unanswered: u32,
    /// They were dialled in vain.
    failed: u32,
    /// A rule or a limit let no call through.
    refused: u32,
    /// No numbers that can be called.
    invalid: u32,
    /// The batch was cancelled before their turn.
    cancelled: u32,
}

impl From<BatchView> for Batch {
    fn from(view: BatchView) -> Self {
        let BatchView { progress, pace } = view;
        let batch = &progress.batch;
        Self {
            request_id: batch.request_id.to_string(),
            application: batch.application.to_string(),
            state: batch.state.as_str().to_owned(),
            created_at: shown(batch.created_at),
            finished_at: batch.finished_at.map(shown),
            total: batch.total,
            duplicates: batch.duplicates,
            counts: BatchCounts {
                waiting: progress.waiting(),
                in_progress: progress.in_progress,
                answered: progress.count(BatchOutcome::Answered),
                unanswered: progress.count(BatchOutcome::Unanswered),
                failed: progress.count(BatchOutcome::Failed),
                refused: progress.count(BatchOutcome::Refused),
                invalid: progress.count(BatchOutcome::Invalid),
                cancelled: progress.count(BatchOutcome::Cancelled),
            },
            rate_per_s: (pace.per_s * 100.0).round() / 100.0,
            estimated_end_at: pace.done_at.map(shown),
        }
    }
}

/// A page of batches.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct BatchPage {
    /// Newest first.
    batches: Vec<Batch>,
    /// Where the next page begins; absent on the last one.
    #[oai(skip_serializing_if_is_none)]
    next_cursor: Option<String>,
}

/// The operations.
pub(super) struct BatchesApi;

#[OpenApi]
impl BatchesApi {
    /// List batches
    ///
    /// The account's batches, newest first, page by page, each with its counts. Needs the scope
    /// `calls:read`.
    #[oai(
        path = "/api/v1/batches",
        method = "get",
        operation_id = "listBatches",
        tag = "Tags::Batches"
    )]
    async fn list_batches(
        &self,
        caller: Caller<ReadCalls>,
        app: Data<&App>,
        /// The most rows to give, 1 to 500.
        limit: Query<Option<u32>>,
        /// The `nextCursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<BatchPage>, Problem> {
        let page = page(limit.0, cursor.0.as_deref())?;
        let found = list_batches::run(&app, &caller.0, &page).await?;
        Ok(Json(BatchPage {
            batches: found.rows.into_iter().map(Batch::from).collect(),
            next_cursor: found.next.map(|cursor| cursor.encode()),
        }))
    }

    /// Read a batch
    ///
    /// How far it is: its numbers by what became of them, how fast it goes, when it is likely to be
    /// over. Cheap enough to be asked every second. Its calls are listed by `/api/v1/calls` with
    /// `requestId`. Needs the scope `calls:read`.
    #[oai(
        path = "/api/v1/batches/:batchId",
        method = "get",
        operation_id = "getBatch",
        tag = "Tags::Batches"
    )]
    async fn get_batch(
        &self,
        caller: Caller<ReadCalls>,
        app: Data<&App>,
        /// The batch: the `requestid` of its answer.
        #[oai(name = "batchId")]
        batch_id: Path<String>,
    ) -> Result<Json<Batch>, Problem> {
        let view = get_batch::run(&app, &caller.0, &RequestId::new(batch_id.0)).await?;
        Ok(Json(view.into()))
    }

    /// Pause a batch
    ///
    /// No further number is called until it is resumed; calls that are under way go on to their end.
    /// A second time changes nothing. Needs the scope `notices:send`.
    #[oai(
        path = "/api/v1/batches/:batchId/pause",
        method = "post",
        operation_id = "pauseBatch",
        tag = "Tags::Batches"
    )]
    async fn pause_batch(
        &self,
        caller: Caller<SendNotices>,
        app: Data<&App>,
        /// The batch: the `requestid` of its answer.
        #[oai(name = "batchId")]
        batch_id: Path<String>,
    ) -> Result<Json<Batch>, Problem> {
        changed(&app, &caller, batch_id.0, Change::Pause).await
    }

    /// Resume a batch
    ///
    /// A paused batch goes on where it was. A second time changes nothing. Needs the scope
    /// `notices:send`.
    #[oai(
        path = "/api/v1/batches/:batchId/resume",
        method = "post",
        operation_id = "resumeBatch",
        tag = "Tags::Batches"
    )]
    async fn resume_batch(
        &self,
        caller: Caller<SendNotices>,
        app: Data<&App>,
        /// The batch: the `requestid` of its answer.
        #[oai(name = "batchId")]
        batch_id: Path<String>,
    ) -> Result<Json<Batch>, Problem> {
        changed(&app, &caller, batch_id.0, Change::Resume).await
    }

    /// Cancel a batch
    ///
    /// No further number is called; calls that are under way go on to their end. Every number that was
    /// not called gets its result callback: `result` 1, `reason` 2. A second time changes nothing.
    /// Needs the scope `notices:send`.
    #[oai(
        path = "/api/v1/batches/:batchId/cancel",
        method = "post",
        operation_id = "cancelBatch",
        tag = "Tags::Batches"
    )]
    async fn cancel_batch(
        &self,
        caller: Caller<SendNotices>,
        app: Data<&App>,
        /// The batch: the `requestid` of its answer.
        #[oai(name = "batchId")]
        batch_id: Path<String>,
    ) -> Result<Json<Batch>, Problem> {
        changed(&app, &caller, batch_id.0, Change::Cancel).await
    }
}

async fn changed(
    app: &App,
    caller: &Caller<SendNotices>,
    id: String,
    change: Change,
) -> Result<Json<Batch>, Problem> {
    Ok(Json(change_batch::run(app, &caller.0, &RequestId::new(id), change).await?.into()))
}
