//! The do-not-call list of an account.

use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Object, OpenApi};
use yunling_app::App;
use yunling_app::do_not_call::upload::Uploaded;
use yunling_app::do_not_call::{add, list, remove, upload};
use yunling_app::principal::{ReadCalls, SendNotices};
use yunling_domain::Number;
use yunling_store::do_not_call::Listed;

use super::Problem;
use super::body::JsonBody;
use super::caller::Caller;
use super::csv_body::CsvBody;
use super::query::{page, shown};
use crate::api::tags::Tags;

/// A number for the list.
#[derive(Debug, Object)]
struct NewDoNotCall {
    /// In any spelling.
    number: String,
    /// Why, for people.
    #[oai(default, validator(max_length = 200))]
    note: String,
}

/// A number of the list.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct DoNotCall {
    /// National form.
    number: String,
    note: String,
    /// The credential that put it there.
    added_by: String,
    added_at: String,
}

impl From<Listed> for DoNotCall {
    fn from(listed: Listed) -> Self {
        let number = Number::parse_dialable(&listed.number);
        Self {
            number: number.map_or(listed.number, |number| number.national().to_owned()),
            note: listed.note,
            added_by: listed.added_by,
            added_at: shown(listed.added_at),
        }
    }
}

/// A page of the list.
#[derive(Debug, Object)]
#[oai(rename_all = "camelCase")]
struct DoNotCallPage {
    /// Newest first.
    numbers: Vec<DoNotCall>,
    /// Where the next page begins; absent on the last one.
    #[oai(skip_serializing_if_is_none)]
    next_cursor: Option<String>,
}

/// That a number is on the list.
#[derive(Debug, Object)]
struct AddedDoNotCall {
    /// False where it was there before.
    added: bool,
}

/// What came of a file.
#[derive(Debug, Object)]
struct UploadedDoNotCall {
    /// Numbers that are on the list now and were not before.
    added: u64,
    /// Numbers that were there.
    known: u64,
    /// Lines that are no numbers; a head is one.
    rejected: u64,
    /// The first hundred of them.
    reasons: Vec<RejectedLine>,
}

/// A line that was passed over.
#[derive(Debug, Object)]
struct RejectedLine {
    /// From 1.
    line: u32,
    reason: String,
}

impl From<Uploaded> for UploadedDoNotCall {
    fn from(uploaded: Uploaded) -> Self {
        let reasons = uploaded.reasons.into_iter();
        Self {
            added: uploaded.added,
            known: uploaded.known,
            rejected: uploaded.rejected,
            reasons: reasons.map(|(line, reason)| RejectedLine { line, reason }).collect(),
        }
    }
}

#[derive(ApiResponse)]
enum RemovedAnswer {
    /// It may be called again.
    #[oai(status = 204)]
    Removed,
}

/// The operations.
pub(super) struct DoNotCallApi;

#[OpenApi]
impl DoNotCallApi {
    /// List numbers not to be called
    ///
    /// The account's list, newest first, page by page; or one number of it, to see whether it is
    /// there. Needs the scope `calls:read`.
    #[oai(
        path = "/api/v1/do-not-call",
        method = "get",
        operation_id = "listDoNotCall",
        tag = "Tags::Campaigns"
    )]
    async fn list_do_not_call(
        &self,
        caller: Caller<ReadCalls>,
        app: Data<&App>,
        /// Only this number, in any spelling.
        number: Query<Option<String>>,
        /// The most rows to give, 1 to 500.
        limit: Query<Option<u32>>,
        /// The `nextCursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<DoNotCallPage>, Problem> {
        let page = page(limit.0, cursor.0.as_deref())?;
        let found = list::run(&app, &caller.0, number.0.as_deref(), &page).await?;
        Ok(Json(DoNotCallPage {
            numbers: found.rows.into_iter().map(DoNotCall::from).collect(),
            next_cursor: found.next.map(|cursor| cursor.encode()),
        }))
    }

    /// Add a number not to be called
    ///
    /// From the answer on no notice, batch or campaign of the account dials the number; a call that
    /// is under way goes on. A number that is there stays as it is. Captchas and clicks do not ask
    /// the list: their callees have just asked for the call. Needs the scope `notices:send`.
    #[oai(
        path = "/api/v1/do-not-call",
        method = "post",
        operation_id = "addDoNotCall",
        tag = "Tags::Campaigns"
    )]
    async fn add_do_not_call(
        &self,
        caller: Caller<SendNotices>,
        app: Data<&App>,
        body: JsonBody<NewDoNotCall>,
    ) -> Result<Json<AddedDoNotCall>, Problem> {
        let added = add::run(&app, &caller.0, &body.0.number, &body.0.note).await?;
        Ok(Json(AddedDoNotCall { added }))
    }

    /// Upload numbers not to be called
    ///
    /// The body is a CSV file in UTF-8 of at most 16 MiB: a number in the first column, a note in the
    /// second if there is one. Lines that are no numbers are passed over and told. Needs the scope
    /// `notices:send`.
    #[oai(
        path = "/api/v1/do-not-call/upload",
        method = "post",
        operation_id = "uploadDoNotCall",
        tag = "Tags::Campaigns"
    )]
    async fn upload_do_not_call(
        &self,
        caller: Caller<SendNotices>,
        app: Data<&App>,
        body: CsvBody,
    ) -> Result<Json<UploadedDoNotCall>, Problem> {
        let (file, _place) = body.read(&app, caller.0.account()).await?;
        Ok(Json(upload::run(&app, &caller.0, file).await?.into()))
    }

    /// Remove a number not to be called
    ///
    /// The number may be called again; campaigns that have closed it do not come back to it. Needs
    /// the scope `notices:send`.
    #[oai(
        path = "/api/v1/do-not-call/:number",
        method = "delete",
        operation_id = "removeDoNotCall",
        tag = "Tags::Campaigns"
    )]
    async fn remove_do_not_call(
        &self,
        caller: Caller<SendNotices>,
        app: Data<&App>,
        /// In any spelling.
        number: Path<String>,
    ) -> Result<RemovedAnswer, Problem> {
        remove::run(&app, &caller.0, &number.0).await?;
        Ok(RemovedAnswer::Removed)
    }
}
