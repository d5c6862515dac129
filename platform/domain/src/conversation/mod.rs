//! The machine of a click-to-call conversation: ring the caller, greet it, ring the callee on its
//! behalf, connect the two, take third parties in, end.
//!
//! Source: RESOLUTIONS, "Click-to-call surface" and "Why a leg failed". The machine is told what
//! happened ([`Input`]) and answers with what is to be done ([`Output`]), in order. It never fails:
//! what does not fit (late, repeated, foreign) is ignored. The state of the whole follows from its
//! legs, of which each keeps its own.
//!
//! What always holds, whatever comes in:
//! - [`Output::Finished`] comes exactly once and last, provided that every leg's end is reported;
//! - every party's statuses come in order and once each, `completed` with the leg's end;
//! - nobody is played anything, or connected, who is not up; at most three are;
//! - nobody is dialled once the conversation ends, nor twice after having been rung;
//! - a recording that starts is stopped before the end.

mod callback;
mod calling;
mod input;
mod leg;
mod outcome;
mod output;
mod party;
mod phase;
mod plan;
mod room;
mod turn;

pub use callback::{CdrCallback, CdrFacts, CdrLeg, StatusCallback, StatusFacts};
pub use input::{Input, LegInput, Timer};
pub use outcome::{ByeType, EndedBy, Ending, LegOutcome, Outcome};
pub use output::{AddRefusal, CallStatus, Connection, Output, Segment};
pub use party::Party;
pub use plan::{Addition, Plan, Reach, Record, Ringback, Voices};

use crate::Micros;
use crate::notice::HangUpWhy;
pub use phase::TalkPhase;
use phase::{Desk, Phase};
use room::Room;
use turn::{Timers, Turn};

/// One conversation of two or three parties.
#[derive(Debug)]
pub struct ConversationMachine {
    plan: Plan,
    phase: Phase,
    room: Room,
    timers: Timers,
}

impl ConversationMachine {
    /// A conversation that waits for [`Input::Start`].
    pub fn new(plan: Plan) -> Self {
        Self { plan, phase: Phase::Idle, room: Room::default(), timers: Timers::default() }
    }

    /// Takes what happened; gives back what is to be done, in order.
    pub fn handle(&mut self, now: Micros, input: Input) -> Vec<Output> {
        let mut turn = Turn::new(now, &mut self.timers);
        let Some(input) = turn.admit(input) else { return turn.into_outputs() };
        let phase = std::mem::replace(&mut self.phase, Phase::Over);
        let mut desk = Desk { plan: &self.plan, room: &mut self.room, turn: &mut turn };
        self.phase = take(phase, input, &mut desk);
        if matches!(self.phase, Phase::Closing)
            && let Some(outcome) = self.room.outcome()
        {
            turn.put(Output::Finished(outcome));
            self.phase = Phase::Over;
        }
        turn.into_outputs()
    }

    /// How far it is.
    pub fn phase(&self) -> TalkPhase {
        self.phase.shown()
    }

    /// What a party's leg came to; nothing while it has not ended.
    pub fn leg_outcome(&self, party: Party) -> Option<LegOutcome> {
        self.room.leg_outcome(party)
    }

    /// Whether it is over.
    pub fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over)
    }
}

fn take(phase: Phase, input: Input, desk: &mut Desk<'_, '_>) -> Phase {
    match input {
        Input::Start => phase.start(desk),
        Input::Leg(party, input) => {
            let news = desk.room.leg(party).and_then(|leg| leg.on(input, desk.turn));
            match news {
                Some(news) => phase.on_news(party, news, desk),
                None => phase,
            }
        }
        Input::Timer(Timer::NoReply(party)) => {
            if let Some(leg) = desk.room.leg(party) {
                leg.on_no_reply(desk.turn);
            }
            phase
        }
        Input::Timer(Timer::Ring(party)) => {
            if let Some(leg) = desk.room.leg(party) {
                leg.on_rung_out(desk.turn);
            }
            phase
        }
        Input::Timer(Timer::EarlyAudio(party)) => phase.on_silence(party, desk),
        Input::Timer(Timer::LastMinute) => phase.on_last_minute(desk),
        Input::Timer(Timer::MaxDuration) => phase.on_max_duration(desk),
        Input::Add(addition) => phase.on_add(&addition, desk),
        Input::Cancel => phase.on_ordered_end(EndedBy::Api, HangUpWhy::Requested, desk),
        Input::Shutdown => phase.on_ordered_end(EndedBy::Platform, HangUpWhy::PlatformFault, desk),
    }
}

#[cfg(test)]
mod invariants;
#[cfg(test)]
mod scripts;
