//! Keeps campaigns going: takes numbers back from their calls, asks about those that are due, queues
//! what is to be called now, and finishes what is done. Run again and again by every node that dials;
//! it holds nothing in memory, so a crash between any two steps loses and doubles nothing.

use super::{recur, settle};
use crate::App;
use std::collections::HashMap;
use yunling_domain::batch::{self, Backlog};
use yunling_domain::campaign::{
    CALLED_RULE, CANCELLED_RULE, Caps, Decision, Facts, Line, NumberResult, PAUSED_RULE, PastCall,
    Rules, decide,
};
use yunling_domain::{CallId, ConversationId, IdKind, Micros, Number, RequestId};
use yunling_store::attempts::{self, AttemptLane, NewAttempt};
use yunling_store::calls::dialled_to;
use yunling_store::campaigns::platform_side::{
    Counts, NewCall, add_counts, close, count_shown, defer, due, has_due, hold, insert_calls,
    line_calls, lines, live, past_calls, queued, send_out,
};
use yunling_store::campaigns::{Campaign, CampaignState, DueNumber};
use yunling_store::{BULK_ROWS, DatabaseTransaction, Lane, RequestKind, StoreError, do_not_call};

/// What was found and done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fed {
    /// Campaigns that are started and not finished.
    pub live: usize,
    /// How many numbers were queued.
    pub queued: usize,
    /// Those that no number of is to be dialled, and by which rule their numbers go back.
    pub halted: Vec<(RequestId, &'static str)>,
}

/// Looks at every campaign, and does what is to be done now.
///
/// # Errors
/// Those of the database; whatever was not done is done the next time.
pub async fn run(app: &App) -> Result<Fed, StoreError> {
    let campaigns = live(app.store().reader()).await?;
    for campaign in &campaigns {
        recur::run(app, campaign).await?;
        settle::run(app, campaign).await?;
    }
    let running: Vec<&Campaign> =
        campaigns.iter().filter(|campaign| calls_somebody(app, campaign)).collect();
    let halted = campaigns.iter().filter_map(|campaign| {
        let rule = match campaign.state {
            CampaignState::Paused => PAUSED_RULE,
            CampaignState::Cancelled => CANCELLED_RULE,
            CampaignState::Draft
            | CampaignState::Loading
            | CampaignState::Running
            | CampaignState::Finished => return None,
        };
        Some((campaign.id.clone(), rule))
    });
    let mut fed = Fed { live: campaigns.len(), queued: 0, halted: halted.collect() };
    if running.is_empty() {
        return Ok(fed);
    }
    let waiting = queued(app.store().reader()).await?;
    let backlogs: Vec<Backlog> = running
        .iter()
        .map(|campaign| Backlog {
            account: campaign.account.clone(),
            is_cancelled: false,
            queued: waiting.get(&campaign.id).copied().unwrap_or_default(),
            left: campaign.total.saturating_sub(campaign.done()),
        })
        .collect();
    let turn = u32::try_from(BULK_ROWS).unwrap_or(u32::MAX);
    for (campaign, share) in running.into_iter().zip(batch::shares(&backlogs, turn)) {
        let now = app.clock().now();
        if share > 0 && has_due(app.store().reader(), &campaign.id, now).await? {
            fed.queued += ask(app, campaign, share, now).await?;
        }
    }
    if fed.queued > 0 {
        app.poke().dispatcher();
    }
    Ok(fed)
}

/// Whether numbers of the campaign are called at all now. Those of a suspended account wait until it
/// is reinstated; a recurring campaign's are called by its runs.
fn calls_somebody(app: &App, campaign: &Campaign) -> bool {
    let directory = app.directory();
    let is_active = directory.account(&campaign.account).is_some_and(|account| !account.suspended);
    campaign.state == CampaignState::Running && campaign.cron.is_none() && is_active
}

/// Asks about the numbers that are due, at most `limit`, in one transaction with everything that the
/// decision goes by: of two campaigns that have the same callee, the second sees the first one's
/// call. Gives how many were queued.
async fn ask(app: &App, campaign: &Campaign, limit: u32, now: Micros) -> Result<usize, StoreError> {
    let (clerk, campaign) = (app.clone(), campaign.clone());
    app.store()
        .writer()
        .write_patiently(Lane::Bulk, move |tx| {
            Box::pin(async move {
                if !hold(tx, &campaign.id).await? {
                    return Ok(0);
                }
                let numbers = due(tx, &campaign.id, now, limit).await?;
                let known = Known::gather(tx, &campaign, &numbers, now).await?;
                carry_out(tx, &clerk, &campaign, numbers, known, now).await
            })
        })
        .await
}

/// The campaign's rules, under the account's own caps.
pub(super) fn rules_of(app: &App, campaign: &Campaign) -> Rules {
    let directory = app.directory();
    let caps = directory.account(&campaign.account).map(|account| account.callee_caps);
    let mut rules = campaign.rules.clone();
    rules.caps = rules.caps.and(caps.unwrap_or_default());
    rules
}

/// What the decision goes by.
pub(super) struct Known {
    listed: std::collections::HashSet<String>,
    past: HashMap<String, Vec<PastCall>>,
    /// The campaign's caller IDs.
    pub(super) pool: Vec<Line>,
}

impl Known {
    pub(super) async fn gather(
        connection: &impl yunling_store::ConnectionTrait,
        campaign: &Campaign,
        numbers: &[DueNumber],
        now: Micros,
    ) -> Result<Self, StoreError> {
        let account = &campaign.account;
        let callees: Vec<&str> = numbers.iter().map(|number| number.to_number.as_str()).collect();
        let since = Caps::known_since(now);
        let mut past = past_calls(connection, account, &callees, since).await?;
        let others = [RequestKind::Notice, RequestKind::Batch];
        for (number, call) in dialled_to(connection, account, &callees, &others, since).await? {
            past.entry(number).or_default().push(call);
        }
        Ok(Self {
            listed: do_not_call::among(connection, account, &callees).await?,
            past,
            pool: pool(connection, campaign).await?,
        })
    }

    /// The decision about a number.
    pub(super) fn decide(
        &self,
        rules: &Rules,
        to: &Number,
        number: &DueNumber,
        now: Micros,
    ) -> Decision {
        let past = self.past.get(&number.to_number).map_or(&[][..], Vec::as_slice);
        let facts = Facts {
            to,
            area: number.area.as_deref(),
            do_not_call: self.listed.contains(&number.to_number),
            not_before: number.due_at,
            avoid: number.avoid.as_deref(),
            past,
            pool: &self.pool,
        };
        decide(rules, &facts, now)
    }

    /// Counts that a caller ID is shown once more.
    pub(super) fn shown(&mut self, from: &str) {
        if let Some(line) = self.pool.iter_mut().find(|line| line.number == from) {
            line.calls += 1;
        }
    }
}

/// The caller IDs as they stand now.
async fn pool(
    connection: &impl yunling_store::ConnectionTrait,
    campaign: &Campaign,
) -> Result<Vec<Line>, StoreError> {
    let rules = &campaign.rules.lines;
    if rules.numbers.is_empty() {
        return Ok(Vec::new());
    }
    let shown = lines(connection, &campaign.id).await?;
    let mut pool = Vec::with_capacity(rules.numbers.len());
    for number in &rules.numbers {
        let rests_until = match rules.rest {
            Some(rest) => {
                let calls =
                    line_calls(connection, &campaign.account, number, rest.over_calls).await?;
                rest.rests_until(&calls)
            }
            None => None,
        };
        let calls = shown.get(number).copied().unwrap_or_default();
        pool.push(Line { number: number.clone(), calls, rests_until });
    }
    Ok(pool)
}

async fn carry_out(
    tx: &DatabaseTransaction,
    app: &App,
    campaign: &Campaign,
    numbers: Vec<DueNumber>,
    mut known: Known,
    now: Micros,
) -> Result<usize, StoreError> {
    let (id, rules) = (&campaign.id, rules_of(app, campaign));
    let mut counts = Counts::default();
    let mut shown: HashMap<String, u32> = HashMap::new();
    let (mut rows, mut calls) = (Vec::new(), Vec::new());
    for number in numbers {
        // It was read by the same grammar when the list was taken in.
        let Ok(to) = Number::parse_dialable(&number.to_number) else {
            if close(tx, id, number.n, NumberResult::Refused, "number_readable").await? {
                counts.done(NumberResult::Refused);
            }
            continue;
        };
        match known.decide(&rules, &to, &number, now) {
            Decision::Call { from, until } => {
                if !send_out(tx, id, number.n).await? {
                    continue;
                }
                if let Some(from) = &from {
                    known.shown(from);
                    *shown.entry(from.clone()).or_default() += 1;
                }
                let row = attempt(app, campaign, &number, from, until, now);
                calls.push(call(&row, number.n));
                rows.push(row);
            }
            Decision::Later { at, rule } => defer(tx, id, number.n, at, rule).await?,
            Decision::Never { rule } => {
                let result = number.last_result.unwrap_or(NumberResult::Refused);
                if close(tx, id, number.n, result, rule.name()).await? {
                    counts.done(result);
                }
            }
        }
    }
    if !rows.is_empty() {
        attempts::insert(tx, &rows).await?;
        insert_calls(tx, &calls).await?;
    }
    for (number, more) in shown {
        count_shown(tx, id, &number, more).await?;
    }
    add_counts(tx, id, &counts).await?;
    Ok(rows.len())
}

fn attempt(
    app: &App,
    campaign: &Campaign,
    number: &DueNumber,
    from: Option<String>,
    until: Micros,
    now: Micros,
) -> NewAttempt {
    NewAttempt {
        call_id: CallId::new(app.ids().mint(IdKind::Call)),
        conversation_id: ConversationId::new(app.ids().mint(IdKind::Conversation)),
        request_id: campaign.id.clone(),
        account: campaign.account.clone(),
        application: campaign.application.clone(),
        lane: AttemptLane::Batch,
        to_number: number.to_number.clone(),
        to_shown: number.to_shown.clone(),
        from_number: from,
        due_at: now,
        // A number that finds no line before the hours are over is put back.
        deadline_at: until,
        rule: Some(CALLED_RULE.to_owned()),
        created_at: now,
    }
}

fn call(row: &NewAttempt, n: u32) -> NewCall {
    NewCall {
        call_id: row.call_id.clone(),
        account: row.account.clone(),
        request_id: row.request_id.clone(),
        n,
        to_number: row.to_number.clone(),
        from_number: row.from_number.clone(),
        at: row.created_at,
    }
}
