//! One turn of the machine: the outputs that it gathers and the timers that it keeps account of.

use std::collections::BTreeMap;

use super::{Input, Output, Timer};
use crate::Micros;

/// A timer may come this much early by the rounding of clocks and still be the one that was armed.
const EARLY_MS: i64 = 1;

/// The timers that are armed, and when each is due.
#[derive(Debug, Default)]
pub(super) struct Timers(BTreeMap<Timer, Micros>);

/// What a turn has at hand.
pub(super) struct Turn<'a> {
    pub(super) now: Micros,
    timers: &'a mut Timers,
    outputs: Vec<Output>,
}

impl<'a> Turn<'a> {
    pub(super) fn new(now: Micros, timers: &'a mut Timers) -> Self {
        Self { now, timers, outputs: Vec::new() }
    }

    pub(super) fn into_outputs(self) -> Vec<Output> {
        self.outputs
    }

    /// Lets everything in but timers that are not due: one that was disarmed while it was on its way
    /// is dropped, one of an earlier arming is armed anew for the rest.
    pub(super) fn admit(&mut self, input: Input) -> Option<Input> {
        let Input::Timer(timer) = input else {
            return Some(input);
        };
        let early_ms = self.timers.0.get(&timer)?.ms_since(self.now);
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

    pub(super) fn arm(&mut self, timer: Timer, after_ms: u32) {
        self.timers.0.insert(timer, self.now.plus_ms(i64::from(after_ms)));
        self.outputs.push(Output::Arm { timer, after_ms });
    }

    /// Arms a timer unless it is armed already.
    pub(super) fn arm_once(&mut self, timer: Timer, after_ms: u32) {
        if !self.timers.0.contains_key(&timer) {
            self.arm(timer, after_ms);
        }
    }

    /// Disarms a timer if it is armed.
    pub(super) fn disarm(&mut self, timer: Timer) {
        if self.timers.0.remove(&timer).is_some() {
            self.outputs.push(Output::Disarm(timer));
        }
    }
}
