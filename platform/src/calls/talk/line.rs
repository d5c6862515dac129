//! How a leg gets a line and goes out: the gate is asked for every one of them, the permits of the
//! account and the trunk are taken in the same step, and that it leaves is committed first.

use std::sync::Arc;
use std::time::{Duration, Instant};

use yunling_app::trace_context;
use yunling_domain::conversation::{Input, LegInput, LegOutcome, Party};
use yunling_domain::event::EventBody;
use yunling_domain::{EndKind, Fault, Micros, Termination};
use yunling_store::attempts::{AttemptLane, NewAttempt};
use yunling_switch_contract::{Command, Dial};

use super::super::admission::{Full, Share};
use super::super::facts::{self, Facts};
use super::super::gate::{Passed, Verdict, Wanted};
use super::super::trunk;
use super::desk::rule_of;
use super::leg::{Leg, Place, Way};
use super::task::{Alarm, Talk};

/// How long a leg may wait for a limit of calls a second, and for a line of the next trunk: somebody
/// listens meanwhile.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often a leg that waits for its next trunk looks for a free line.
const LOOK_MS: u32 = 50;

/// What came of looking for a line.
enum Found {
    Line,
    /// Not yet: look again after so long.
    Later(u32),
    /// Not at all.
    No(Termination),
}

/// What came of a dial.
pub(super) enum Dialled {
    /// The machine hears of it by itself.
    GoOn,
    /// The conversation's row could not be marked as invited, and nothing has left: it is claimed
    /// again later.
    NotStarted,
}

fn unreachable(text: &str) -> Termination {
    Termination { text: text.to_owned(), ..Termination::new(EndKind::Unreachable) }
}

fn fault_of_ours(text: &str) -> Termination {
    Termination { text: text.to_owned(), ..Termination::new(EndKind::EngineFault) }
}

impl Talk<'_> {
    /// The machine wants a party called.
    pub(super) async fn dial(&mut self, at: Micros, party: Party, attempt: u8) -> Dialled {
        let leg = self.leg_mut(party);
        leg.attempt = attempt;
        leg.place = Place::Here;
        leg.patient_until = Instant::now() + PATIENCE;
        self.look(at, party).await
    }

    /// Looks for a line, and dials where there is one.
    pub(super) async fn look(&mut self, at: Micros, party: Party) -> Dialled {
        let found = match self.leg(party).attempt {
            0 => self.first_line(at, party),
            _ => self.next_line(at, party),
        };
        match found {
            Found::Line => self.invite(at, party).await,
            Found::Later(ms) => {
                self.feed(at, Input::Leg(party, LegInput::Waits));
                self.timers.arm(Alarm::Look(party), Instant::now(), ms);
                Dialled::GoOn
            }
            Found::No(termination) => {
                self.ended(at, party, termination);
                Dialled::GoOn
            }
        }
    }

    /// Asks the gate.
    fn first_line(&mut self, at: Micros, party: Party) -> Found {
        if let Some(passed) = self.leg_mut(party).ready.take() {
            return self.pass(at, party, *passed);
        }
        let directory = self.shell.app.directory();
        let leg = self.leg(party);
        let wanted = Wanted {
            account: &self.queued.account,
            application: &self.queued.application,
            lane: AttemptLane::Talk,
            to: &leg.side.number,
            from: Some(&leg.side.line),
            held: None,
        };
        match self.shell.gate.ask(&directory, wanted, at) {
            Verdict::Pass(passed) => self.pass(at, party, *passed),
            Verdict::Wait(full) => match wait_ms(&full, at, leg.patient_until) {
                Some(ms) => Found::Later(ms),
                // Nobody waits for a line with a phone in the hand (RESOLUTIONS, at its limit).
                None => self.refuse(at, party, rule_of(&full), full.expiry().1),
            },
            Verdict::Refuse { code, rule } => self.refuse(at, party, rule.to_owned(), code.fault),
            Verdict::Defer { rule, .. } => {
                self.refuse(at, party, rule.name().to_owned(), Fault::Client)
            }
        }
    }

    /// The gate let a leg pass.
    fn pass(&mut self, at: Micros, party: Party, passed: Passed) -> Found {
        let Passed { application: _, trunks, permit, to, from, rule, route } = passed;
        self.tell(
            at,
            Some(party),
            EventBody::GateDecided {
                rule: rule.name().to_owned(),
                allowed: true,
                from: Some(from.clone()),
                trunks: trunks.iter().map(|trunk| trunk.name.to_string()).collect(),
                route: route.as_ref().map(ToString::to_string),
            },
        );
        self.feed(at, Input::Leg(party, LegInput::Routed { trunks: trunks.len() }));
        let (store, node) = (self.shell.app.store().clone(), self.shell.node);
        let shown = from.stored();
        let facts = match party {
            Party::CALLER => Facts::new(store, node, &self.row, shown),
            _ => {
                let rule = Some(rule.name().to_owned());
                let new = self.row_of(at, self.leg(party), shown.clone(), rule);
                Facts::of_new(store, node, new, shown)
            }
        };
        let leg = self.leg_mut(party);
        leg.facts = Some(facts);
        leg.rule = Some(rule.name().to_owned());
        leg.way = Some(Way { trunks, trunk: 0, to, from, permit: Some(permit) });
        Found::Line
    }

    /// The row of a leg that joins the conversation.
    fn row_of(&self, at: Micros, leg: &Leg, line: String, rule: Option<String>) -> NewAttempt {
        NewAttempt {
            call_id: leg.call.clone(),
            lane: AttemptLane::Talk,
            to_number: leg.side.number.clone(),
            to_shown: leg.side.shown.clone(),
            from_number: Some(line),
            due_at: at,
            deadline_at: at,
            rule,
            created_at: at,
            ..self.queued.clone()
        }
    }

    /// A leg that ends without having gone out gets its row then, before its end is told: a crash
    /// finds whatever was told of.
    pub(super) async fn keep_undialled(&self, party: Party, outcome: &LegOutcome) {
        let leg = self.leg(party);
        if party == Party::CALLER || leg.facts.as_ref().is_some_and(Facts::is_stored) {
            return;
        }
        let (rule, fault) = match &leg.refusal {
            Some((rule, fault)) => (Some(rule.clone()), *fault),
            None => (leg.rule.clone(), outcome.fault),
        };
        let row = self.row_of(outcome.started_at, leg, leg.line(), rule);
        let outcome = LegOutcome { fault, ..outcome.clone() };
        let kept = facts::undialled(self.shell.app.store(), row, &outcome).await;
        if let Err(error) = kept {
            tracing::warn!(%error, %party, "a leg that was not dialled is not stored before its conversation's end");
        }
    }

    fn refuse(&mut self, at: Micros, party: Party, rule: String, fault: Fault) -> Found {
        tracing::info!(%party, rule, "a leg was refused by the gate or a limit");
        self.tell(
            at,
            Some(party),
            EventBody::GateDecided {
                rule: rule.clone(),
                allowed: false,
                from: None,
                trunks: Vec::new(),
                route: None,
            },
        );
        let text = rule.clone();
        self.leg_mut(party).refusal = Some((rule, fault));
        Found::No(Termination { text, ..Termination::new(EndKind::Refused) })
    }

    /// The share of the next trunk; that of the one before is given back.
    fn next_line(&mut self, at: Micros, party: Party) -> Found {
        let shell = Arc::clone(&self.shell);
        let leg = self.leg_mut(party);
        let patient_until = leg.patient_until;
        let next = usize::from(leg.attempt);
        let Some(way) = leg.way.as_mut().filter(|way| next < way.trunks.len()) else {
            return Found::No(unreachable("there is no further trunk"));
        };
        let trunk = Arc::clone(&way.trunks[next]);
        if shell.desk.is_closed(&trunk.name) {
            shell.desk.passed_over(&trunk.name);
            return Found::No(unreachable("the trunk is down or being drained"));
        }
        let before = &way.trunks[way.trunk].name;
        if let Some(permit) = &mut way.permit {
            permit.leave_trunk(before);
        }
        match shell.admission.take_trunk(&trunk, Share::Whole, at) {
            Ok(share) => {
                shell.desk.failed_over(before);
                match &mut way.permit {
                    Some(permit) => permit.join(share),
                    None => way.permit = Some(share),
                }
                way.trunk = next;
                Found::Line
            }
            Err(full) if Instant::now() < patient_until => {
                let until_ms =
                    full.until.map_or(i64::from(LOOK_MS), |until| until.ms_since(at) + 1);
                Found::Later(u32::try_from(until_ms.clamp(1, LOOK_MS.into())).unwrap_or(LOOK_MS))
            }
            Err(full) => {
                tracing::info!(trunk = %trunk.name, limit = full.limit(), "the next trunk has no line free");
                Found::No(unreachable("no line is free on this trunk"))
            }
        }
    }

    /// Commits that the leg may leave, and only then lets it.
    async fn invite(&mut self, at: Micros, party: Party) -> Dialled {
        let attempt = self.leg(party).attempt;
        let Some(chosen) = self.leg(party).trunk().cloned() else {
            self.ended(at, party, fault_of_ours("a leg without a trunk"));
            return Dialled::GoOn;
        };
        let marked = match &mut self.leg_mut(party).facts {
            Some(facts) => facts.invited(at, &chosen.name, attempt).await,
            None => Ok(()),
        };
        if let Err(error) = marked {
            tracing::warn!(%error, %party, "a leg was not dialled: it could not be marked as invited");
            if party == Party::CALLER && attempt == 0 {
                return Dialled::NotStarted;
            }
            self.ended(at, party, fault_of_ours("the database did not take the leg"));
            return Dialled::GoOn;
        }
        self.tell_initiated(party);
        let owner = self.route.owner();
        let leg = self.leg_mut(party);
        if trace_context::is_on() {
            leg.span = tracing::info_span!("leg", call = %leg.id, trunk = %chosen.name, attempt, end = tracing::field::Empty);
        }
        let Some(way) = &leg.way else { return Dialled::GoOn };
        let dial = Dial {
            leg: leg.id.clone(),
            owner,
            attempt,
            peer: trunk::peer(&chosen),
            to: trunk::number(&way.to, &chosen),
            from: trunk::number(&way.from, &chosen),
            codecs: trunk::codecs(&chosen),
        };
        let index = way.trunk;
        leg.place = Place::Engine;
        if self.line.command(Command::Dial(Box::new(dial))).await {
            self.shell.desk.dialled(&chosen.name, at);
            self.feed(self.anchor.now(), Input::Leg(party, LegInput::Sent));
            self.tell(at, Some(party), EventBody::Dialling { attempt, trunk: index });
        } else {
            self.ended(at, party, fault_of_ours("the call engine is overloaded"));
        }
        Dialled::GoOn
    }

    /// A leg that the engine knows nothing of is over.
    pub(super) fn ended(&mut self, at: Micros, party: Party, termination: Termination) {
        self.timers.disarm(Alarm::Look(party));
        let leg = self.leg_mut(party);
        leg.place = Place::Over;
        leg.termination = Some(termination.clone());
        self.tell(at, Some(party), EventBody::Ended { termination: termination.clone() });
        self.feed(at, Input::Leg(party, LegInput::Ended(termination)));
    }
}

/// How long to wait for a limit of calls a second; nothing where the limit says no time, or it is
/// too far.
fn wait_ms(full: &Full, at: Micros, patient_until: Instant) -> Option<u32> {
    let ms = u64::try_from(full.until?.ms_since(at).max(0) + 1).ok()?;
    let is_soon = Instant::now() + Duration::from_millis(ms) <= patient_until;
    is_soon.then(|| u32::try_from(ms).unwrap_or(u32::MAX))
}
