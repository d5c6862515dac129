//! What comes after a campaign: that it is told, and how long it is kept. And whose calls count.

#![expect(clippy::unwrap_used, reason = "tests")]
use super::change::Change;
use super::tests::{DAY_MS, changed, definition, end, fed, list_of, queued, read, started};
use super::*;
use crate::fakes::{ACCOUNT, APPID, TENANT, World};
use crate::principal::{ReadCalls, SendNotices};
use crate::submit_notice::{self, Envelope, NoticeRequest};
use crate::{do_not_call, submit_captcha};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use yunling_domain::AccountId;
use yunling_domain::campaign::{CallResult, Caps};
use yunling_domain::error_code::{CALLEE_AT_LIMIT, DO_NOT_CALL};
use yunling_store::PageRequest;
use yunling_store::campaigns::CampaignState;
use yunling_store::deliveries::{self, NewDelivery};

const PAGE: PageRequest = PageRequest { after: None, limit: 100 };

/// What was told of a campaign's end.
async fn told(world: &World, id: &RequestId) -> Option<NewDelivery> {
    let (reader, account) = (world.app.store().reader(), AccountId::new(ACCOUNT));
    let found = deliveries::get(reader, &account, &format!("msg_{id}")).await.unwrap();
    found.map(|(row, _)| row.caused)
}

/// Ends every call that is out.
async fn end_all(world: &World, id: &RequestId, result: CallResult) {
    for attempt in queued(world, id).await {
        end(world, attempt, result, None).await;
    }
}

#[tokio::test]
async fn that_a_campaign_is_over_is_told_once_where_it_is_asked_for() {
    let world = World::open().await;
    let url = "https://example.com/over".to_owned();
    let loud = Definition {
        finished_url: Some(url.clone()),
        userdata: Some("u1".to_owned()),
        ..definition()
    };
    let id = started(&world, &loud, &list_of(2)).await;
    let quiet = started(&world, &definition(), "number,amount\n13900000001,1\n").await;
    fed(&world).await;
    end_all(&world, &id, CallResult::Confirmed).await;
    end_all(&world, &quiet, CallResult::Confirmed).await;
    while fed(&world).await.live > 0 {}
    fed(&world).await;
    assert_eq!(told(&world, &quiet).await, None);
    let told = told(&world, &id).await.unwrap();
    assert_eq!((told.url.as_str(), told.kind.as_str()), (url.as_str(), "campaign.finished"));
    let body: Value = serde_json::from_str(&told.body).unwrap();
    assert_eq!(body["counts"]["confirmed"], 2, "{body}");
    assert_eq!(
        (&body["state"], &body["total"], &body["userdata"]),
        (&json!("finished"), &json!(2), &json!("u1"))
    );
    assert_eq!(read(&world, &id).await.finished_url, Some(url));
}

#[tokio::test]
async fn one_that_is_cancelled_while_it_runs_tells_so_when_its_calls_are_over() {
    let world = World::open().await;
    let loud =
        Definition { finished_url: Some("https://example.com/over".to_owned()), ..definition() };
    let id = started(&world, &loud, &list_of(300)).await;
    fed(&world).await;
    changed(&world, &id, Change::Cancel).await;
    fed(&world).await;
    assert_eq!(told(&world, &id).await, None, "calls of it are out");
    end_all(&world, &id, CallResult::Answered).await;
    while fed(&world).await.live > 0 {}
    let told = told(&world, &id).await.unwrap();
    let body: Value = serde_json::from_str(&told.body).unwrap();
    assert_eq!(
        (&body["state"], &body["counts"]["answered"], &body["counts"]["cancelled"]),
        (&json!("cancelled"), &json!(256), &json!(44))
    );
}

#[tokio::test]
async fn a_campaign_is_kept_as_long_as_the_records_of_its_account() {
    let world = World::open().await;
    let id = started(&world, &definition(), "number,amount\n13800000001,1\nx,1\n").await;
    let running = started(&world, &definition(), "number,amount\n13800000002,1\n").await;
    fed(&world).await;
    end_all(&world, &id, CallResult::Confirmed).await;
    fed(&world).await;
    assert_eq!(read(&world, &id).await.progress.campaign.state, CampaignState::Finished);
    world.clock.advance_ms(3 * DAY_MS);
    assert_eq!(expire::run(&world.app).await.unwrap(), 0, "no time is set: for ever");
    let kept = TENANT.replace("    name: Demo\n", "    name: Demo\n    cdr_keep_days: 2\n");
    world.apply(&kept).await.unwrap();
    assert_eq!(expire::run(&world.app).await.unwrap(), 0, "its call's record is there");
    world.execute("DELETE FROM attempt WHERE state = 4").await;
    assert_eq!(crate::expire_cdrs::run(&world.app).await.unwrap(), 1);
    assert_eq!(expire::run(&world.app).await.unwrap(), 1);
    assert_eq!(expire::run(&world.app).await.unwrap(), 0);
    let gone = get::run(&world.app, &world.caller::<ReadCalls>(), &id).await.unwrap_err();
    assert_eq!(gone.code, NOT_FOUND);
    assert_eq!(read(&world, &running).await.progress.out, 1, "what goes on stays");
    let page = list::run(&world.app, &world.caller(), None, &PAGE).await.unwrap();
    assert_eq!(page.rows.len(), 1);
}

async fn notice(world: &World, to: &str) -> Result<submit_notice::Accepted, Refusal> {
    let body = json!({
        "appid": APPID, "to": to, "contents": [{ "type": "digits", "content": "1" }],
    });
    let request = NoticeRequest::from_body(body.to_string().as_bytes())?;
    let caller = world.caller::<SendNotices>();
    submit_notice::run(&world.app, &caller, &request, Envelope::default()).await
}

#[tokio::test]
async fn whoever_is_on_the_list_gets_no_notice_and_still_the_code_that_was_asked_for() {
    let world = World::open().await;
    let caller = world.caller::<SendNotices>();
    do_not_call::add::run(&world.app, &caller, "+86 138 0010 0001", "").await.unwrap();
    let refusal = notice(&world, "13800100001").await.unwrap_err();
    assert_eq!(refusal.code, DO_NOT_CALL);
    notice(&world, "13800100002").await.unwrap();
    let body = json!({ "appid": APPID, "to": "13800100001", "code": "1234" }).to_string();
    let captcha = submit_captcha::CaptchaRequest::from_body(body.as_bytes()).unwrap();
    submit_captcha::run(&world.app, &caller, &captcha, Envelope::default()).await.unwrap();
    do_not_call::remove::run(&world.app, &caller, "13800100001").await.unwrap();
    notice(&world, "13800100001").await.unwrap();
}

#[tokio::test]
async fn the_accounts_caps_count_every_call_that_was_not_asked_for() {
    let world = World::open().await;
    let capped =
        TENANT.replace("queue_max_len: 3 }", "queue_max_len: 3, calls_per_callee_a_day: 1 }");
    world.apply(&capped).await.unwrap();
    let (first, second) = ("13800000000", "13800000001");
    let accepted = notice(&world, first).await.unwrap();
    notice(&world, first).await.unwrap();
    let attempt = queued(&world, &accepted.request_id).await.pop().unwrap();
    end(&world, attempt, CallResult::Answered, None).await;
    assert_eq!(notice(&world, first).await.unwrap_err().code, CALLEE_AT_LIMIT);

    // A campaign without caps of its own is held to the account's, and a notice counts for it.
    let id = started(&world, &definition(), &list_of(2)).await;
    assert_eq!(fed(&world).await.queued, 1);
    let rows = report::numbers(&world.app, &world.caller(), &id, None, 10).await.unwrap();
    assert_eq!(rows[0].rule.as_deref(), Some("day_cap"), "{rows:?}");
    end_all(&world, &id, CallResult::NoAnswer).await;
    assert_eq!(notice(&world, second).await.unwrap_err().code, CALLEE_AT_LIMIT);
    world.clock.advance_ms(DAY_MS);
    notice(&world, second).await.unwrap();
    assert_eq!(fed(&world).await.queued, 1, "the other one is called the next day");
}

#[tokio::test]
async fn the_calls_of_batches_and_notices_count_for_a_campaigns_caps() {
    let world = World::open().await;
    let accepted = notice(&world, "13800000000").await.unwrap();
    let attempt = queued(&world, &accepted.request_id).await.pop().unwrap();
    end(&world, attempt, CallResult::Busy, None).await;
    let capped = Definition { caps: Caps { a_day: Some(1), a_week: None }, ..definition() };
    let id = started(&world, &capped, &list_of(2)).await;
    let plan = plan::run(&world.app, &world.caller(), &id).await.unwrap();
    assert_eq!((plan.now, plan.later.values().sum::<u32>()), (1, 1));
    assert_eq!(plan.never, BTreeMap::new());
    assert_eq!(fed(&world).await.queued, 1);
}
