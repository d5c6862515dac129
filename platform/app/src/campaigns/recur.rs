//! Recurring campaigns: makes a run when one comes round. One that would come round while its run
//! before still goes on leaves that time out; after a downtime it comes round once.

use crate::App;
use yunling_domain::cron::Cron;
use yunling_domain::{IdKind, Micros, RequestId};
use yunling_store::campaigns::platform_side::{
    NewRun, begin_run, copy_entries, end_recurring, finish_copy, has_unfinished_run, next_fire,
};
use yunling_store::campaigns::{Campaign, CampaignState};
use yunling_store::{BULK_ROWS, Lane, StoreError};

/// Turns of one look, so that other campaigns have theirs.
const TURNS_A_LOOK: usize = 20;

pub(super) async fn run(app: &App, campaign: &Campaign) -> Result<(), StoreError> {
    match (campaign.state, &campaign.parent, &campaign.cron) {
        (CampaignState::Loading, Some(parent), _) => copy(app, campaign, parent).await,
        (CampaignState::Running, _, Some(cron)) => come_round(app, campaign, cron).await,
        _ => Ok(()),
    }
}

async fn come_round(app: &App, campaign: &Campaign, cron: &str) -> Result<(), StoreError> {
    let now = app.clock().now();
    let Some(due) = campaign.next_fire_at else { return end(app, campaign, now).await };
    if due > now {
        return Ok(());
    }
    let next = next_time(campaign, cron, now);
    if has_unfinished_run(app.store().reader(), &campaign.id).await? {
        tracing::warn!(request = %campaign.id, "a recurring campaign leaves a time out: its run before goes on");
        let id = campaign.id.clone();
        let skipped = app.store().writer().write_patiently(Lane::Bulk, move |tx| {
            Box::pin(async move { next_fire(tx, &id, due, next).await })
        });
        return skipped.await.map(drop);
    }
    let run = NewRun {
        id: RequestId::new(app.ids().mint(IdKind::Request)),
        fires_at: due,
        next_fire_at: next,
        created_at: now,
    };
    let parent = campaign.clone();
    let begun = app
        .store()
        .writer()
        .write_patiently(Lane::Bulk, move |tx| {
            Box::pin(async move { begin_run(tx, &parent, &run).await })
        })
        .await?;
    if begun {
        tracing::info!(request = %campaign.id, "a recurring campaign has come round");
    }
    Ok(())
}

/// Its next time, if there is one before its end.
fn next_time(campaign: &Campaign, cron: &str, now: Micros) -> Option<Micros> {
    let cron: Cron = cron
        .parse()
        .inspect_err(|error| {
            tracing::error!(%error, request = %campaign.id, "a stored recurring time cannot be read");
        })
        .ok()?;
    let rules = &campaign.rules;
    let next = cron.next_after(rules.zones.default_zone(), now)?;
    rules.schedule.ends_at.is_none_or(|end| next < end).then_some(next)
}

/// It comes round no more.
async fn end(app: &App, campaign: &Campaign, now: Micros) -> Result<(), StoreError> {
    let id = campaign.id.clone();
    let ended = app.store().writer().write_patiently(Lane::Bulk, move |tx| {
        Box::pin(async move { end_recurring(tx, &id, now).await })
    });
    ended.await
}

async fn copy(app: &App, run: &Campaign, parent: &RequestId) -> Result<(), StoreError> {
    let turn = u32::try_from(BULK_ROWS).unwrap_or(u32::MAX);
    for _ in 0..TURNS_A_LOOK {
        let (id, from, account) = (run.id.clone(), parent.clone(), run.account.clone());
        let copied = app
            .store()
            .writer()
            .write_patiently(Lane::Bulk, move |tx| {
                Box::pin(async move {
                    let copied = copy_entries(tx, &id, &from, turn).await?;
                    if copied == 0 {
                        finish_copy(tx, &account, &id).await?;
                    }
                    Ok::<_, StoreError>(copied)
                })
            })
            .await?;
        if copied == 0 {
            return Ok(());
        }
    }
    Ok(())
}
