//! The dry run: what a campaign would do, if it were to go on now and nobody answered: who would be
//! called at once, who when, who not and why, and whom the gate would refuse. It changes nothing.

use super::feed::{Known, rules_of};
use super::{get, not_found};
use crate::principal::{Granted, ReadCalls};
use crate::{App, Refusal};
use std::collections::BTreeMap;
use std::sync::Arc;
use yunling_domain::campaign::{Decision, Rule, Rules};
use yunling_domain::policy::{self, CalleeFacts, Facts};
use yunling_domain::{Micros, Number, RequestId};
use yunling_store::campaigns::{self, DueNumber};

use crate::directory::Application;

/// Numbers that are looked at at once.
const PAGE: u64 = 500;
/// Numbers that are told one by one.
const MOST_TOLD: usize = 200;
const HOUR_MICROS: i64 = 3_600_000_000;

/// What would become of one number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// Its place in the list.
    pub n: u32,
    /// The callee as callbacks echo it.
    pub to: String,
    /// What would become of it.
    pub fate: Fate,
}

/// What would become of a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It would be called now, and see this caller ID.
    Called {
        /// National form.
        from: String,
    },
    /// It would be asked about again then.
    Later {
        /// Not before this instant.
        at: Micros,
        /// What it waits for.
        rule: Rule,
    },
    /// It would not be called any more.
    Never {
        /// Why.
        rule: Rule,
    },
    /// It would be called, and the gate would refuse it.
    Refused {
        /// The gate's rule.
        rule: policy::Rule,
    },
}

/// What a campaign would do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// Numbers that wait, all of which were asked about.
    pub waiting: u32,
    /// Those that would be called now, as fast as there are lines.
    pub now: u32,
    /// Those that would be called later, by the hour of that instant.
    pub later: BTreeMap<Micros, u32>,
    /// Those that would not be called, by rule.
    pub never: BTreeMap<&'static str, u32>,
    /// Those that the gate would refuse, by rule.
    pub refused: BTreeMap<&'static str, u32>,
    /// The first ones.
    pub numbers: Vec<Planned>,
}

/// Asks about every number of a campaign that waits.
///
/// # Errors
/// `NOT_FOUND`, for another account's too.
pub async fn run(app: &App, caller: &Granted<ReadCalls>, id: &RequestId) -> Result<Plan, Refusal> {
    let campaign = get::run(app, caller, id).await?.progress.campaign;
    let directory = app.directory();
    let application = directory.application(caller.account(), &campaign.application).cloned();
    let (now, rules) = (app.clock().now(), rules_of(app, &campaign));
    let mut plan = Plan::default();
    let mut after = None;
    loop {
        let reader = app.store().reader();
        let page = campaigns::upcoming(reader, caller.account(), id, after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(plan) };
        after = Some(last.n);
        let mut known = Known::gather(reader, &campaign, &page, now).await?;
        for number in page {
            let Ok(to) = Number::parse_dialable(&number.to_number) else {
                return Err(not_found(id));
            };
            let fate = fate(app, &rules, application.as_ref(), &mut known, &to, &number, now);
            plan.count(&fate);
            if plan.numbers.len() < MOST_TOLD {
                plan.numbers.push(Planned { n: number.n, to: number.to_shown, fate });
            }
        }
        // What one page would show is not counted for the next: the hours are what matters here.
    }
}

fn fate(
    app: &App,
    rules: &Rules,
    application: Option<&Arc<Application>>,
    known: &mut Known,
    to: &Number,
    number: &DueNumber,
    now: Micros,
) -> Fate {
    let from = match known.decide(rules, to, number, now) {
        Decision::Later { at, rule } => return Fate::Later { at, rule },
        Decision::Never { rule } => return Fate::Never { rule },
        Decision::Call { from, .. } => from,
    };
    if let Some(from) = &from {
        known.shown(from);
    }
    let Some(application) = application else {
        return Fate::Refused { rule: policy::Rule::CallerIdForApplication };
    };
    let from = from.and_then(|from| Number::parse_dialable(&from).ok());
    let (directory, trunks_down) = (app.directory(), app.trunks().known_down());
    let facts = Facts {
        to,
        from: from.as_ref(),
        caller_ids: &application.caller_ids,
        open_classes: &application.open_classes,
        routes: directory.routes(),
        trunks_down: &trunks_down,
        // The campaign's own decision has gone by them.
        callee: CalleeFacts::default(),
    };
    match policy::decide(&facts, now) {
        policy::Decision::Allow { from, .. } => Fate::Called { from: from.national().to_owned() },
        policy::Decision::Refuse { rule, .. } | policy::Decision::Defer { rule, .. } => {
            Fate::Refused { rule }
        }
    }
}

impl Plan {
    fn count(&mut self, fate: &Fate) {
        self.waiting += 1;
        match fate {
            Fate::Called { .. } => self.now += 1,
            Fate::Later { at, .. } => {
                let hour = Micros(at.0 - at.0.rem_euclid(HOUR_MICROS));
                *self.later.entry(hour).or_default() += 1;
            }
            Fate::Never { rule } => *self.never.entry(rule.name()).or_default() += 1,
            Fate::Refused { rule } => *self.refused.entry(rule.name()).or_default() += 1,
        }
    }
}
