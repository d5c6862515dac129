//! Makes a campaign, a draft without numbers.

use super::FINISHED_URL;
use super::definition::{self, Definition};
use super::get::{CampaignView, view};
use crate::field_text::FieldText;
use crate::principal::{Granted, SendNotices};
use crate::submit_notice;
use crate::submit_notice::accept::urls;
use crate::{App, Refusal};
use yunling_domain::error_code::{QUEUE_FULL, UNKNOWN_APPLICATION};
use yunling_domain::{IdKind, RequestId};
use yunling_store::audit::{self, AuditEntry};
use yunling_store::campaigns::{self, NewCampaign};
use yunling_store::requests::{self, NewRequest};
use yunling_store::{Lane, RequestKind};

/// Campaigns of an account that are not finished: each costs a look a few times a second.
const MOST_UNFINISHED: u64 = 200;

/// Makes a campaign.
///
/// # Errors
/// `UNKNOWN_APPLICATION`; a refusal of the first field that is wrong; `QUEUE_FULL` where the account
/// has too many that are not finished.
pub async fn run(
    app: &App,
    caller: &Granted<SendNotices>,
    definition: &Definition,
) -> Result<CampaignView, Refusal> {
    app.takes_requests()?;
    let directory = app.directory();
    let account =
        directory.account(caller.account()).ok_or_else(|| Refusal::new(UNKNOWN_APPLICATION))?;
    let appid = FieldText::Text(definition.appid.clone());
    let application = submit_notice::application(account, &appid)?;
    let checked = definition::check(app, account, application, definition)?;
    let (unfinished, _) = campaigns::unfinished_of(app.store().reader(), &account.id).await?;
    if unfinished >= MOST_UNFINISHED {
        let detail = format!(
            "{unfinished} campaigns of the account are not finished: at most {MOST_UNFINISHED} may be"
        );
        return Err(Refusal::new(QUEUE_FULL).with_detail(detail));
    }
    let now = app.clock().now();
    let id = RequestId::new(app.ids().mint(IdKind::Request));
    let mut addresses = urls(checked.cdr_url, None, application);
    addresses[FINISHED_URL] = checked.finished_url.into();
    let request = NewRequest {
        id: id.clone(),
        account: account.id.clone(),
        application: application.id.clone(),
        kind: RequestKind::Campaign,
        spec: serde_json::to_value(&checked.contents)
            .expect("contents are texts and numbers, which become JSON"),
        to_raw: String::new(),
        userdata: checked.userdata,
        urls: addresses,
        from_number: None,
        api_version: String::new(),
        created_at: now,
    };
    let new = NewCampaign {
        id: id.clone(),
        account: account.id.clone(),
        application: application.id.clone(),
        name: checked.name,
        rules: checked.rules,
        cron: checked.cron.map(String::from),
        created_at: now,
    };
    let entry = AuditEntry {
        at: now,
        account: account.id.clone(),
        who: caller.who().to_owned(),
        action: "campaign.create".to_owned(),
        object: format!("campaign/{id}"),
        detail: serde_json::json!({ "name": new.name }),
    };
    app.store()
        .writer()
        .write(Lane::Live, move |tx| {
            Box::pin(async move {
                requests::insert(tx, &request).await?;
                campaigns::insert(tx, &new).await?;
                audit::append(tx, &entry).await
            })
        })
        .await?;
    view(app, caller, &id).await
}
