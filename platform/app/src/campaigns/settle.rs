//! Takes numbers back from their calls, and closes those of a cancelled campaign.

use super::FINISHED_URL;
use crate::App;
use yunling_domain::campaign::{
    CallResult, FinishedCallback, FinishedFacts, NumberResult, Rule, Rules, Tries,
};
use yunling_domain::{AccountId, Micros, RequestId};
use yunling_store::campaigns::platform_side::{
    Back, Counts, Settled, add_counts, close_waiting, finish, has_ended, take_ended,
};
use yunling_store::campaigns::{self, Campaign, CampaignState};
use yunling_store::deliveries::{self, NewDelivery};
use yunling_store::{BULK_ROWS, DatabaseTransaction, Lane, StoreError, requests};

/// When a number is asked about again whose call was not dialled, milliseconds.
const PUT_BACK_MS: i64 = 1_000;

/// Settles what is over, and finishes the campaign where nothing is left.
pub(super) async fn run(app: &App, campaign: &Campaign) -> Result<(), StoreError> {
    let turn = u32::try_from(BULK_ROWS).unwrap_or(u32::MAX);
    let mut changed = false;
    while has_ended(app.store().reader(), &campaign.id).await? {
        changed = true;
        if settle_some(app, campaign, turn).await? < BULK_ROWS {
            break;
        }
    }
    if campaign.state == CampaignState::Cancelled {
        changed = true;
        close_some(app, campaign, turn).await?;
    }
    if changed || campaign.done() >= campaign.total {
        finish_it(app, campaign).await?;
    }
    Ok(())
}

async fn settle_some(app: &App, campaign: &Campaign, turn: u32) -> Result<usize, StoreError> {
    let (id, rules) = (campaign.id.clone(), campaign.rules.clone());
    app.store()
        .writer()
        .write_patiently(Lane::Bulk, move |tx| {
            Box::pin(async move {
                let calls = take_ended(tx, &id, turn).await?;
                let mut counts = Counts::default();
                for call in &calls {
                    let mut tries = call.tries;
                    tries.count(call.result, rules.has_key);
                    let dialled = call.result.was_dialled();
                    let back = back(&rules, call, tries);
                    back.store(tx, &id, call.n, tries, dialled).await?;
                    if let Back::Done(result) = back {
                        counts.done(result);
                    }
                    counts.calls += u32::from(dialled);
                    counts.talk_s += call.talk_s;
                }
                add_counts(tx, &id, &counts).await?;
                Ok(calls.len())
            })
        })
        .await
}

/// How a number comes back from a call.
fn back(rules: &Rules, call: &Settled, tries: Tries) -> Back {
    let Some(result) = NumberResult::of_last_call(call.result) else {
        debug_assert_eq!(call.result, CallResult::PutBack);
        let due_at = call.ended_at.plus_ms(PUT_BACK_MS);
        return Back::Waits { due_at, rule: None, avoid: None, last: None };
    };
    match tries.next(&rules.retries, call.result, rules.has_key, call.ended_at) {
        Some(retry) => Back::Waits {
            due_at: retry.at,
            rule: Some(Rule::RetryPause.name()),
            avoid: call.from_number.clone().filter(|_| retry.other_caller_id),
            last: Some(result),
        },
        None => Back::Done(result),
    }
}

async fn close_some(app: &App, campaign: &Campaign, turn: u32) -> Result<(), StoreError> {
    let id = campaign.id.clone();
    app.store()
        .writer()
        .write_patiently(Lane::Bulk, move |tx| {
            Box::pin(async move { close_waiting(tx, &id, turn).await })
        })
        .await
        .map(drop)
}

/// Finishes it where every number is done, and tells so in the same transaction.
async fn finish_it(app: &App, campaign: &Campaign) -> Result<(), StoreError> {
    let now = app.clock().now();
    let (account, id) = (campaign.account.clone(), campaign.id.clone());
    let finished = app
        .store()
        .writer()
        .write_patiently(Lane::Bulk, move |tx| {
            Box::pin(async move {
                if !finish(tx, &id, now).await? {
                    return Ok(false);
                }
                if let Some(callback) = told(tx, &account, &id, now).await? {
                    deliveries::insert(tx, &account, &callback).await?;
                }
                Ok::<_, StoreError>(true)
            })
        })
        .await?;
    if finished {
        tracing::info!(request = %campaign.id, "a campaign is finished");
        app.poke().deliveries();
    }
    Ok(())
}

/// The callback that a campaign is over, where somebody wants one.
async fn told(
    tx: &DatabaseTransaction,
    account: &AccountId,
    id: &RequestId,
    now: Micros,
) -> Result<Option<NewDelivery>, StoreError> {
    let progress = campaigns::get(tx, account, id).await?;
    let request = requests::get(tx, account, id).await?;
    let (Some(progress), Some(request)) = (progress, request) else { return Ok(None) };
    let url = request.accepted.urls.get(FINISHED_URL).and_then(|url| url.as_str());
    let Some(url) = url else { return Ok(None) };
    let campaign = &progress.campaign;
    let body = FinishedCallback::new(&FinishedFacts {
        id: id.as_str(),
        run_of: campaign.parent.as_ref().map(RequestId::as_str),
        name: &campaign.name,
        application: campaign.application.as_str(),
        state: campaign.state.as_str(),
        started_at: campaign.started_at,
        finished_at: campaign.finished_at.unwrap_or(now),
        total: campaign.total,
        results: campaign.results,
        calls: campaign.calls,
        talk_s: campaign.talk_s,
        userdata: request.accepted.userdata.as_deref(),
    });
    Ok(Some(NewDelivery {
        // One event a campaign: the id follows from the campaign's.
        id: format!("msg_{id}"),
        application: campaign.application.clone(),
        conversation_id: None,
        seq: 0,
        kind: "campaign.finished".to_owned(),
        url: url.to_owned(),
        body: body.to_json(),
        created_at: now,
    }))
}
