//! Campaigns: made, given their list, started and stopped, tried dry, and reported on.

mod definition;
mod view;

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::param::{Path, Query};
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, OpenApi};
use yunling_app::campaigns::change::{self, Change};
use yunling_app::campaigns::{create, get, list, plan, report, upload_list};
use yunling_app::principal::{ReadCalls, SendNotices};
use yunling_app::{App, Refusal};
use yunling_domain::RequestId;
use yunling_domain::error_code::BAD_PARAMETER;
use yunling_store::MAX_PAGE;

use self::definition::NewCampaign;
use self::view::{
    Campaign, CampaignNumber, CampaignNumberPage, CampaignPage, CampaignPlan, CampaignReport,
    CampaignSummary, UploadedList,
};
use super::Problem;
use super::body::JsonBody;
use super::caller::Caller;
use super::csv_body::CsvBody;
use super::csv_file::CsvFile;
use super::query::page;
use crate::api::tags::Tags;

/// The numbers of one page where nothing is said.
const USUAL_PAGE: u32 = 50;

#[derive(ApiResponse)]
enum CreatedAnswer {
    /// The campaign was made: a draft without numbers.
    #[oai(status = 201)]
    Created(Json<Campaign>),
}

/// The operations.
pub(super) struct CampaignsApi;

#[OpenApi]
impl CampaignsApi {
    /// Make a campaign
    ///
    /// A draft: give it its list, look at what it would do, then start it. Needs the scope
    /// `notices:send`.
    #[oai(
        path = "/api/v1/campaigns",
        method = "post",
        operation_id = "createCampaign",
        tag = "Tags::Campaigns"
    )]
    async fn create_campaign(
        &self,
        caller: Caller<SendNotices>,
        app: Data<&App>,
        body: JsonBody<NewCampaign>,
    ) -> Result<CreatedAnswer, Problem> {
        let view = create::run(&app, &caller.0, &body.0.definition()?).await?;
        Ok(CreatedAnswer::Created(Json(view.into())))
    }

    /// List campaigns
    ///
    /// The account's campaigns, newest first, page by page, with their counts. Needs the scope
    /// `calls:read`.
    #[oai(
        path = "/api/v1/campaigns",
        method = "get",
        operation_id = "listCampaigns",
        tag = "Tags::Campaigns"
    )]
    async fn list_campaigns(
        &self,
        caller: Caller<ReadCalls>,
        app: Data<&App>,
        /// Only runs of this recurring campaign.
        #[oai(name = "runOf")]
        run_of: Query<Option<String>>,
        /// The most rows to give, 1 to 500.
        limit: Query<Option<u32>>,
        /// The `nextCursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<CampaignPage>, Problem> {
        let page = page(limit.0, cursor.0.as_deref())?;
        let parent = run_of.0.map(RequestId::new);
        let found = list::run(&app, &caller.0, parent.as_ref(), &page).await?;
        Ok(Json(CampaignPage {
            campaigns: found.rows.iter().map(CampaignSummary::from).collect(),
            next_cursor: found.next.map(|cursor| cursor.encode()),
        }))
    }

    /// Read a campaign
    ///
    /// How far it is, and how it is defined. Cheap enough to be asked every second. Its calls are
    /// listed by `/api/v1/calls` with `requestId`. Needs the scope `calls:read`.
    #[oai(
        path = "/api/v1/campaigns/:campaignId",
        method = "get",
        operation_id = "getCampaign",
        tag = "Tags::Campaigns"
    )]
    async fn get_campaign(
        &self,
        caller: Caller<ReadCalls>,
        app: Data<&App>,
        /// The campaign.
        #[oai(name = "campaignId")]
        campaign_id: Path<String>,
    ) -> Result<Json<Campaign>, Problem> {
        let view = get::run(&app, &caller.0, &RequestId::new(campaign_id.0)).await?;
        Ok(Json(view.into()))
    }

    /// Upload a campaign's list
    ///
    /// The body is a CSV file in UTF-8 of at most 16 MiB: a head; a column `number` (or `to`,
    /// `phone`, `号码`, `电话`, `手机号`); a column for each `{name}` of the contents; `userdata` and
    /// `area` (an area code) if you like. It replaces the list before. A row that cannot be called is
    /// not taken: `rejected.csv` gives it back with the reason. Only a draft takes a list. Needs the
    /// scope `notices:send`.
    #[oai(
        path = "/api/v1/campaigns/:campaignId/numbers",
        method = "put",
        operation_id = "uploadCampaignNumbers",
        tag = "Tags::Campaigns"
    )]
    async fn upload_campaign_numbers(
        &self,
        caller: Caller<SendNotices>,
        app: Data<&App>,
        /// The campaign.
        #[oai(name = "campaignId")]
        campaign_id: Path<String>,
        body: CsvBody,
    ) -> Result<Json<UploadedList>, Problem> {
        let id = RequestId::new(campaign_id.0);
        let (file, place) = body.read(&app, caller.0.account()).await?;
        let counts = upload_list::run(&app, &caller.0, &id, file, place).await?;
        Ok(Json(UploadedList {
            total: counts.total,
            rejected: counts.rejected,
            duplicates: counts.duplicates,
        }))
    }

    /// List a campaign's numbers
    ///
    /// Each with what became of it or what it waits for, in the order of the list. Needs the scope
    /// `calls:read`.
    #[oai(
        path = "/api/v1/campaigns/:campaignId/numbers",
        method = "get",
        operation_id = "listCampaignNumbers",
        tag = "Tags::Campaigns"
    )]
    async fn list_campaign_numbers(
        &self,
        caller: Caller<ReadCalls>,
        app: Data<&App>,
        /// The campaign.
        #[oai(name = "campaignId")]
        campaign_id: Path<String>,
        /// The most rows to give, 1 to 500.
        limit: Query<Option<u32>>,
        /// The `nextAfter` of the page before.
        after: Query<Option<u32>>,
    ) -> Result<Json<CampaignNumberPage>, Problem> {
        let limit = limit.0.unwrap_or(USUAL_PAGE);
        if !(1..=MAX_PAGE).contains(&limit) {
            let expected = format!("expected 1 to {MAX_PAGE}");
            return Err(Refusal::field(BAD_PARAMETER, "limit", expected).into());
        }
        let id = RequestId::new(campaign_id.0);
        let rows = report::numbers(&app, &caller.0, &id, after.0, limit).await?;
        let is_full = rows.len() == limit as usize;
        Ok(Json(CampaignNumberPage {
            next_after: rows.last().map(|row| row.n).filter(|_| is_full),
            numbers: rows.into_iter().map(CampaignNumber::from).collect(),
        }))
    }

    /// Download a campaign's numbers
    ///
    /// All of them as CSV: number, userdata, state, result, rule, calls, nextAt. Needs the scope
    /// `calls:read`.
    #[oai(
        path = "/api/v1/campaigns/:campaignId/numbers.csv",
        method = "get",
        operation_id = "downloadCampaignNumbers",
        tag = "Tags::Campaigns"
    )]
    async fn download_campaign_numbers(
        &self,
        caller: Caller<ReadCalls>,
        app: Data<&App>,
        /// The campaign.
        #[oai(name = "campaignId")]
        campaign_id: Path<String>,
    ) -> Result<CsvFile, Problem> {
        let id = RequestId::new(campaign_id.0);
        let (app, caller) = (app.clone(), Arc::new(caller.0));
        CsvFile::stretched("numbers.csv", move |after| {
            let (app, caller, id) = (app.clone(), Arc::clone(&caller), id.clone());
            async move { report::numbers_csv(&app, &caller, &id, after).await }
        })
        .await
    }

    /// Download the rows that were not taken
    ///
    /// The rows of the last list that were rejected, as CSV: line, reason, row. Needs the scope
    /// `calls:read`.
    #[oai(
        path = "/api/v1/campaigns/:campaignId/rejected.csv",
        method = "get",
        operation_id = "downloadCampaignRejected",
        tag = "Tags::Campaigns"
    )]
    async fn download_campaign_rejected(
        &self,
        caller: Caller<ReadCalls>,
        app: Data<&App>,
        /// The campaign.
        #[oai(name = "campaignId")]
        campaign_id: Path<String>,
    ) -> Result<CsvFile, Problem> {
        let id = RequestId::new(campaign_id.0);
        let (app, caller) = (app.clone(), Arc::new(caller.0));
        CsvFile::stretched("rejected.csv", move |after| {
            let (app, caller, id) = (app.clone(), Arc::clone(&caller), id.clone());
            async move { report::rejected_csv(&app, &caller, &id, after).await }
        })
        .await
    }

    /// Try a campaign dry
    ///
    /// What it would do, if it went on now, nobody answered and lines were free: who would be called
    /// now, who in which hour, who not and by which rule, and whom the gate would refuse. It asks
    /// about every number that waits and changes nothing. Needs the scope `calls:read`.
    #[oai(
        path = "/api/v1/campaigns/:campaignId/plan",
        method = "get",
        operation_id = "planCampaign",
        tag = "Tags::Campaigns"
    )]
    async fn plan_campaign(
        &self,
        caller: Caller<ReadCalls>,
        app: Data<&App>,
        /// The campaign.
        #[oai(name = "campaignId")]
        campaign_id: Path<String>,
    ) -> Result<Json<CampaignPlan>, Problem> {
        let plan = plan::run(&app, &caller.0, &RequestId::new(campaign_id.0)).await?;
        Ok(Json(plan.into()))
    }

    /// Read a campaign's report
    ///
    /// What came of it so far: numbers and calls by what they came to, how long was talked, and the
    /// calls of each hour. Needs the scope `calls:read`.
    #[oai(
        path = "/api/v1/campaigns/:campaignId/report",
        method = "get",
        operation_id = "getCampaignReport",
        tag = "Tags::Campaigns"
    )]
    async fn get_campaign_report(
        &self,
        caller: Caller<ReadCalls>,
        app: Data<&App>,
        /// The campaign.
        #[oai(name = "campaignId")]
        campaign_id: Path<String>,
    ) -> Result<Json<CampaignReport>, Problem> {
        let report = report::run(&app, &caller.0, &RequestId::new(campaign_id.0)).await?;
        Ok(Json(CampaignReport::from(&report)))
    }

    /// Download a campaign's report
    ///
    /// The calls of each hour and of all, as CSV: hour, calls, answered, confirmed, talkSeconds; hours
    /// in the campaign's own zone. Needs the scope `calls:read`.
    #[oai(
        path = "/api/v1/campaigns/:campaignId/report.csv",
        method = "get",
        operation_id = "downloadCampaignReport",
        tag = "Tags::Campaigns"
    )]
    async fn download_campaign_report(
        &self,
        caller: Caller<ReadCalls>,
        app: Data<&App>,
        /// The campaign.
        #[oai(name = "campaignId")]
        campaign_id: Path<String>,
    ) -> Result<CsvFile, Problem> {
        let report = report::run(&app, &caller.0, &RequestId::new(campaign_id.0)).await?;
        let zone = report.progress.campaign.rules.zones.default_zone();
        Ok(CsvFile::whole("report.csv", &report.to_csv(zone)))
    }

    /// Start a campaign
    ///
    /// From now on its numbers are called as its rules say; of a recurring one, a run begins each
    /// time that it comes round. A second time changes nothing. Needs the scope `notices:send`.
    #[oai(
        path = "/api/v1/campaigns/:campaignId/start",
        method = "post",
        operation_id = "startCampaign",
        tag = "Tags::Campaigns"
    )]
    async fn start_campaign(
        &self,
        caller: Caller<SendNotices>,
        app: Data<&App>,
        /// The campaign.
        #[oai(name = "campaignId")]
        campaign_id: Path<String>,
    ) -> Result<Json<Campaign>, Problem> {
        changed(&app, &caller, campaign_id.0, Change::Start).await
    }

    /// Pause a campaign
    ///
    /// No further number is called until it is resumed; calls that are under way go on to their end.
    /// A second time changes nothing. Needs the scope `notices:send`.
    #[oai(
        path = "/api/v1/campaigns/:campaignId/pause",
        method = "post",
        operation_id = "pauseCampaign",
        tag = "Tags::Campaigns"
    )]
    async fn pause_campaign(
        &self,
        caller: Caller<SendNotices>,
        app: Data<&App>,
        /// The campaign.
        #[oai(name = "campaignId")]
        campaign_id: Path<String>,
    ) -> Result<Json<Campaign>, Problem> {
        changed(&app, &caller, campaign_id.0, Change::Pause).await
    }

    /// Resume a campaign
    ///
    /// A paused campaign goes on where it was. A second time changes nothing. Needs the scope
    /// `notices:send`.
    #[oai(
        path = "/api/v1/campaigns/:campaignId/resume",
        method = "post",
        operation_id = "resumeCampaign",
        tag = "Tags::Campaigns"
    )]
    async fn resume_campaign(
        &self,
        caller: Caller<SendNotices>,
        app: Data<&App>,
        /// The campaign.
        #[oai(name = "campaignId")]
        campaign_id: Path<String>,
    ) -> Result<Json<Campaign>, Problem> {
        changed(&app, &caller, campaign_id.0, Change::Resume).await
    }

    /// Cancel a campaign
    ///
    /// No further number is called; calls that are under way go on to their end. Runs of a recurring
    /// campaign that have begun go on: each is cancelled for itself. A second time changes nothing.
    /// Needs the scope `notices:send`.
    #[oai(
        path = "/api/v1/campaigns/:campaignId/cancel",
        method = "post",
        operation_id = "cancelCampaign",
        tag = "Tags::Campaigns"
    )]
    async fn cancel_campaign(
        &self,
        caller: Caller<SendNotices>,
        app: Data<&App>,
        /// The campaign.
        #[oai(name = "campaignId")]
        campaign_id: Path<String>,
    ) -> Result<Json<Campaign>, Problem> {
        changed(&app, &caller, campaign_id.0, Change::Cancel).await
    }
}

async fn changed(
    app: &App,
    caller: &Caller<SendNotices>,
    id: String,
    change: Change,
) -> Result<Json<Campaign>, Problem> {
    Ok(Json(change::run(app, &caller.0, &RequestId::new(id), change).await?.into()))
}
