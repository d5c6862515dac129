//! One turn of the machine: the outputs that it gathers and the timers that it keeps account of.

use std::collections::BTreeMap;

use super::{HangUpWhy, Input, Outcome, Output, Plan, TimerReason};
use crate::call_cause::{self, LegFacts};
use crate::event::EventBody;
use crate::termination::EndKind;
use crate::{Micros, Termination};

/// A timer may come this much early by the rounding of clocks and still be the one that was armed.
const EARLY_MS: i64 = 1;

/// The timers that are armed, and when each is due.
#[derive(Debug, Default)]
pub(super) struct Timers(BTreeMap<TimerReason, Micros>);

/// What a turn has at hand.
pub(super) struct Turn<'a> {
    now: Micros,
    pub(super) plan: &'a Plan,
    timers: &'a mut Timers,
    outputs: Vec<Output>,
}

impl<'a> Turn<'a> {
    pub(super) fn new(now: Micros, plan: &'a Plan, timers: &'a mut Timers) -> Self {
        Self { now, plan, timers, outputs: Vec::new() }
    }

    pub(super) fn into_outputs(self) -> Vec<Output> {
        self.outputs
    }

    /// Lets everything in but timers that are not due: one that was disarmed while it was already
    /// on its way is dropped, and one that belongs to an earlier arming is armed anew for the rest,
    /// so that no timer is ever lost.
    pub(super) fn admit(&mut self, input: Input) -> Option<Input> {
        let Input::Timer(timer) = input else {
            return Some(input);
        };
        let due = *self.timers.0.get(&timer)?;
        let early_ms = due.ms_since(self.now);
        if early_ms > EARLY_MS {
            let after_ms = u32::try_from(early_ms).unwrap_or(u32::MAX);
            self.outputs.push(Output::Arm { timer, after_ms });
            return None;
        }
        self.timers.0.remove(&timer);
        Some(input)
    }

    pub(super) fn put(&mut self, output: Output) {
        self.outputs.push(output);
    }

    pub(super) fn tell(&mut self, event: EventBody) {
        self.outputs.push(Output::Event(event));
    }

    pub(super) fn arm(&mut self, timer: TimerReason, after_ms: u32) {
        self.timers.0.insert(timer, self.now.plus_ms(i64::from(after_ms)));
        self.outputs.push(Output::Arm { timer, after_ms });
    }

    /// Disarms a timer if it is armed.
    pub(super) fn disarm(&mut self, timer: TimerReason) {
        if self.timers.0.remove(&timer).is_some() {
            self.outputs.push(Output::Disarm(timer));
        }
    }

    pub(super) fn disarm_all(&mut self) {
        for timer in TimerReason::ALL {
            self.disarm(timer);
        }
    }

    /// Asks for the leg's end. No timer is wanted any more: what follows is the leg's end.
    pub(super) fn hang_up(&mut self, why: HangUpWhy) {
        self.disarm_all();
        self.tell(EventBody::HangingUp { why });
        self.put(Output::HangUp(why));
    }

    /// The call is over.
    pub(super) fn finish(&mut self, end: End) {
        self.disarm_all();
        // Judged as a cancelled leg where none was ever dialled: what we asked for decides then.
        let judged = end.termination.clone().unwrap_or(Termination::new(EndKind::Cancelled));
        let verdict = call_cause::judge(&judged, &end.facts);
        let outcome = Outcome {
            answered: end.facts.answered,
            crossed_answer: end.crossed_answer,
            result: u8::from(!end.facts.answered),
            reason: verdict.call_cause.reason(),
            input_key: end.input_key,
            cause: verdict.call_cause,
            fault: verdict.fault,
            termination: end.termination.clone(),
            attempts: end.attempts,
            plays: end.plays,
        };
        if let Some(termination) = end.termination {
            self.tell(EventBody::Ended { termination });
        }
        self.tell(EventBody::Finished {
            result: outcome.result,
            reason: outcome.reason,
            cause: outcome.cause,
            fault: outcome.fault,
            input_key: outcome.input_key,
        });
        self.put(Output::Finished(outcome));
    }
}

/// What is known when a call is over.
#[derive(Default)]
pub(super) struct End {
    pub(super) termination: Option<Termination>,
    pub(super) facts: LegFacts,
    pub(super) crossed_answer: bool,
    pub(super) input_key: Option<char>,
    pub(super) attempts: u8,
    pub(super) plays: u8,
}
