//! The machine of one notice or captcha call: dial, speak, listen for keys, end.
//!
//! Source: RESOLUTIONS, "Voice surface" and "Why a leg failed". The machine is told what happened
//! ([`Input`]) and answers with what is to be done ([`Output`]), in order. It never fails: what does
//! not fit its stage (late, repeated, foreign) is ignored.
//!
//! What always holds, whatever comes in:
//! - [`Output::Finished`] comes exactly once and last, provided that every leg's end is reported;
//! - no leg is dialled while another one is up, nor after anybody was rung or picked up;
//! - nothing is asked of a leg that has ended;
//! - a timer that is armed fires, is disarmed, or the call is over.

mod answered;
mod input;
mod outcome;
mod output;
mod plan;
mod stage;
mod turn;
mod unanswered;

pub use input::{Input, TimerReason};
pub use outcome::Outcome;
pub use output::{HangUpWhy, LAST_CONTENT_MARK, Output, Segment};
pub use plan::Plan;
pub use stage::StageName;

use crate::Micros;
use stage::Stage;
use turn::{Timers, Turn};

/// One notice or captcha call.
#[derive(Debug)]
pub struct NoticeMachine {
    plan: Plan,
    stage: Stage,
    timers: Timers,
}

impl NoticeMachine {
    /// A call that waits for [`Input::Start`].
    pub fn new(plan: Plan) -> Self {
        Self { plan, stage: Stage::Idle, timers: Timers::default() }
    }

    /// Takes what happened; gives back what is to be done, in order.
    pub fn handle(&mut self, now: Micros, input: Input) -> Vec<Output> {
        let mut turn = Turn::new(now, &self.plan, &mut self.timers);
        if let Some(input) = turn.admit(input) {
            let stage = std::mem::replace(&mut self.stage, Stage::Over);
            self.stage = stage.on(input, &mut turn);
        }
        turn.into_outputs()
    }

    /// Where the call stands.
    pub fn stage(&self) -> StageName {
        self.stage.name()
    }
}

#[cfg(test)]
mod invariants;
#[cfg(test)]
mod scripts;
