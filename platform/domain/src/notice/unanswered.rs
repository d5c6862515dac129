//! Before the answer: dialling, failover, giving up.

use super::answered::answer;
use super::stage::Stage;
use super::turn::{End, Turn};
use super::{HangUpWhy, Input, Output, TimerReason};
use crate::Termination;
use crate::call_cause::{LegFacts, may_fail_over};
use crate::event::EventBody;
use crate::termination::EndKind;

/// A trunk was asked for the call.
#[derive(Debug)]
pub(super) struct Dialling {
    attempt: u8,
    progress: Progress,
}

/// How far the trunk has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// It has not replied at all.
    Silent,
    /// It has replied; nobody rings yet.
    Replied,
    /// Somebody rings.
    Ringing,
}

/// We have cancelled, and wait for the leg's end.
#[derive(Debug)]
pub(super) struct GivingUp {
    attempt: u8,
    /// What the CANCEL is for.
    why: HangUpWhy,
    reached: Reached,
}

/// Whom the call reached in spite of our CANCEL, or before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reached {
    /// Nobody that we know of.
    Nobody,
    /// A phone rang.
    Phone,
    /// Somebody picked up after the CANCEL had left.
    Person,
}

/// Asks the trunk of this attempt. Every attempt has its own ring time.
pub(super) fn dial(attempt: u8, turn: &mut Turn<'_>) -> Stage {
    let trunk = usize::from(attempt);
    turn.tell(EventBody::Dialling { attempt, trunk });
    turn.put(Output::Dial { attempt, trunk });
    turn.arm(TimerReason::NoReply, turn.plan.no_reply_ms);
    turn.arm(TimerReason::Ring, turn.plan.ring_ms);
    Stage::Dialling(Dialling { attempt, progress: Progress::Silent })
}

impl Dialling {
    pub(super) fn on(mut self, input: Input, turn: &mut Turn<'_>) -> Stage {
        match input {
            Input::Trying => {
                if self.progress == Progress::Silent {
                    turn.disarm(TimerReason::NoReply);
                    turn.tell(EventBody::Trying);
                    self.progress = Progress::Replied;
                }
                Stage::Dialling(self)
            }
            Input::Ringing { code, early_media } => {
                if self.progress != Progress::Ringing {
                    turn.disarm(TimerReason::NoReply);
                    turn.tell(EventBody::Ringing { code, early_media });
                    self.progress = Progress::Ringing;
                }
                Stage::Dialling(self)
            }
            Input::Answered => {
                turn.disarm(TimerReason::NoReply);
                turn.disarm(TimerReason::Ring);
                answer(self.attempts(), turn)
            }
            Input::LegEnded(termination) => self.ended(termination, turn),
            Input::Timer(TimerReason::NoReply) => self.give_up(HangUpWhy::NoReply, turn),
            Input::Timer(TimerReason::Ring) => self.give_up(HangUpWhy::RingTimeout, turn),
            Input::Cancel => self.give_up(HangUpWhy::Requested, turn),
            Input::Shutdown => self.give_up(HangUpWhy::PlatformFault, turn),
            Input::Start
            | Input::Key(_)
            | Input::MarkReached { .. }
            | Input::PlayFinished { .. }
            | Input::Timer(_) => Stage::Dialling(self),
        }
    }

    const fn attempts(&self) -> u8 {
        self.attempt.saturating_add(1)
    }

    fn give_up(self, why: HangUpWhy, turn: &mut Turn<'_>) -> Stage {
        turn.hang_up(why);
        Stage::GivingUp(GivingUp { attempt: self.attempt, why, reached: self.progress.reached() })
    }

    fn ended(self, termination: Termination, turn: &mut Turn<'_>) -> Stage {
        next_trunk_or_end(self.attempt, termination, self.progress.reached(), None, turn)
    }
}

impl Progress {
    const fn reached(self) -> Reached {
        match self {
            Self::Silent | Self::Replied => Reached::Nobody,
            Self::Ringing => Reached::Phone,
        }
    }
}

impl GivingUp {
    pub(super) fn on(mut self, input: Input, turn: &mut Turn<'_>) -> Stage {
        match input {
            Input::Ringing { .. } => {
                if self.reached == Reached::Nobody {
                    self.reached = Reached::Phone;
                }
                Stage::GivingUp(self)
            }
            Input::Answered => {
                self.picked_up(turn);
                Stage::GivingUp(self)
            }
            // A call that somebody wants ended must not go to the next trunk. What a CANCEL is for
            // does not change otherwise.
            Input::Cancel if self.why == HangUpWhy::NoReply => {
                self.instead(HangUpWhy::Requested, turn)
            }
            Input::Shutdown if self.why == HangUpWhy::NoReply => {
                self.instead(HangUpWhy::PlatformFault, turn)
            }
            Input::LegEnded(termination) => {
                if termination.kind == EndKind::CancelledAfterAnswer {
                    self.picked_up(turn);
                }
                next_trunk_or_end(self.attempt, termination, self.reached, Some(self.why), turn)
            }
            Input::Start
            | Input::Trying
            | Input::Key(_)
            | Input::MarkReached { .. }
            | Input::PlayFinished { .. }
            | Input::Timer(_)
            | Input::Cancel
            | Input::Shutdown => Stage::GivingUp(self),
        }
    }

    fn picked_up(&mut self, turn: &mut Turn<'_>) {
        if self.reached != Reached::Person {
            turn.tell(EventBody::AnswerCrossedCancel);
            self.reached = Reached::Person;
        }
    }

    fn instead(self, why: HangUpWhy, turn: &mut Turn<'_>) -> Stage {
        turn.tell(EventBody::HangingUp { why });
        Stage::GivingUp(Self { why, ..self })
    }
}

fn next_trunk_or_end(
    attempt: u8,
    termination: Termination,
    reached: Reached,
    hung_up: Option<HangUpWhy>,
    turn: &mut Turn<'_>,
) -> Stage {
    let facts = LegFacts { saw_18x: reached != Reached::Nobody, answered: false, hung_up };
    let attempts = attempt.saturating_add(1);
    let next = Some(attempts).filter(|next| usize::from(*next) < turn.plan.trunks);
    match next {
        // the last attempt that its number can name is never followed by another
        Some(next) if next > attempt && may_fail_over(&termination, &facts) => {
            turn.disarm_all();
            turn.tell(EventBody::TrunkFailed { trunk: usize::from(attempt), termination });
            dial(next, turn)
        }
        _ => {
            turn.finish(End {
                termination: Some(termination),
                facts,
                crossed_answer: reached == Reached::Person,
                attempts,
                ..End::default()
            });
            Stage::Over
        }
    }
}
