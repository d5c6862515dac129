//! Where a call stands: one type a stage, which holds only what that stage knows.

use super::answered::{Confirmed, HangingUp, Listening, Speaking, Stranded};
use super::turn::{End, Turn};
use super::unanswered::{Dialling, GivingUp, dial};
use super::{HangUpWhy, Input};
use crate::call_cause::LegFacts;

/// The stages.
#[derive(Debug)]
pub(super) enum Stage {
    /// Waiting for the start.
    Idle,
    /// A trunk was asked.
    Dialling(Dialling),
    /// We have cancelled; the leg's end is awaited.
    GivingUp(GivingUp),
    /// The contents are being played.
    Speaking(Speaking),
    /// A play is over; keys are still taken.
    Listening(Listening),
    /// The confirming key was pressed; `finishvoice` is being played.
    Confirmed(Confirmed),
    /// A play was cut under us; the leg's end is awaited.
    Stranded(Stranded),
    /// We have ended the answered call; the leg's end is awaited.
    HangingUp(HangingUp),
    /// Finished: nothing that comes in matters any more.
    Over,
}

/// A stage's name, for logs and stories.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StageName {
    /// Waiting for the start.
    Idle,
    /// A trunk was asked.
    Dialling,
    /// Cancelled before an answer; the leg's end is awaited.
    GivingUp,
    /// The contents are being played.
    Speaking,
    /// A play is over; keys are still taken.
    Listening,
    /// The confirming key was pressed; `finishvoice` is being played.
    Confirmed,
    /// A play was cut under us; the leg's end is awaited.
    Stranded,
    /// Ended after the answer; the leg's end is awaited.
    HangingUp,
    /// Finished.
    Over,
}

impl Stage {
    pub(super) fn on(self, input: Input, turn: &mut Turn<'_>) -> Self {
        match self {
            Self::Idle => idle(&input, turn),
            Self::Dialling(stage) => stage.on(input, turn),
            Self::GivingUp(stage) => stage.on(input, turn),
            Self::Speaking(stage) => stage.on(input, turn),
            Self::Listening(stage) => stage.on(input, turn),
            Self::Confirmed(stage) => stage.on(input, turn),
            Self::Stranded(stage) => stage.on(input, turn),
            Self::HangingUp(stage) => stage.on(input, turn),
            Self::Over => Self::Over,
        }
    }

    pub(super) fn name(&self) -> StageName {
        match self {
            Self::Idle => StageName::Idle,
            Self::Dialling(_) => StageName::Dialling,
            Self::GivingUp(_) => StageName::GivingUp,
            Self::Speaking(_) => StageName::Speaking,
            Self::Listening(_) => StageName::Listening,
            Self::Confirmed(_) => StageName::Confirmed,
            Self::Stranded(_) => StageName::Stranded,
            Self::HangingUp(_) => StageName::HangingUp,
            Self::Over => StageName::Over,
        }
    }
}

fn idle(input: &Input, turn: &mut Turn<'_>) -> Stage {
    match input {
        Input::Start if turn.plan.trunks > 0 => dial(0, turn),
        // A plan without a trunk is a fault of whoever made it; the call must end all the same.
        Input::Start | Input::Shutdown => never_dialled(HangUpWhy::PlatformFault, turn),
        Input::Cancel => never_dialled(HangUpWhy::Requested, turn),
        Input::Trying
        | Input::Ringing { .. }
        | Input::Answered
        | Input::Key(_)
        | Input::MarkReached { .. }
        | Input::PlayFinished { .. }
        | Input::LegEnded(_)
        | Input::Timer(_) => Stage::Idle,
    }
}

fn never_dialled(why: HangUpWhy, turn: &mut Turn<'_>) -> Stage {
    turn.finish(End {
        facts: LegFacts { hung_up: Some(why), ..LegFacts::default() },
        ..End::default()
    });
    Stage::Over
}
