//! One party's leg: dialled over its trunks in turn, rung, up, left. What it is played and who it
//! hears is the conversation's to decide.

use super::turn::Turn;
use super::{CallStatus, LegInput, LegOutcome, Output, Party, Reach, Segment, Timer};
use crate::call_cause::{LegFacts, judge, may_fail_over};
use crate::notice::HangUpWhy;
use crate::{EndKind, Micros, Termination};

/// One party's leg.
#[derive(Debug)]
pub(super) struct Leg {
    party: Party,
    reach: Reach,
    stage: Stage,
    attempt: u8,
    started_at: Micros,
    ring_at: Option<Micros>,
    answered_at: Option<Micros>,
    /// What we asked its end for first.
    hung_up: Option<HangUpWhy>,
    /// It rang, or picked up, though we had cancelled.
    reached_late: Late,
    plays: u32,
    playing: Option<(u32, Segment)>,
}

#[derive(Debug)]
enum Stage {
    /// A trunk was asked.
    Dialling,
    /// We have cancelled; its end is awaited.
    GivingUp,
    /// It has answered.
    Up,
    /// We have hung up; its end is awaited.
    Leaving,
    /// It is over.
    Ended { at: Micros, termination: Termination },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Late {
    Not,
    Rang,
    PickedUp,
}

/// What a leg tells the conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    /// A 18x came.
    Rings { early_media: bool },
    /// Audio came before the answer.
    EarlyAudio,
    /// It has picked up.
    Answered,
    /// What it was played is over.
    Heard(Segment),
    /// It is over, and was up.
    Left,
    /// It is over, and was never answered.
    Failed,
}

impl Leg {
    /// Dials a party over its first trunk.
    pub(super) fn dial(party: Party, reach: Reach, turn: &mut Turn<'_>) -> Self {
        let leg = Self {
            party,
            reach,
            stage: Stage::Dialling,
            attempt: 0,
            started_at: turn.now,
            ring_at: None,
            answered_at: None,
            hung_up: None,
            reached_late: Late::Not,
            plays: 0,
            playing: None,
        };
        leg.tell(CallStatus::Initiated, turn);
        leg.ask_trunk(turn);
        leg
    }

    pub(super) fn party(&self) -> Party {
        self.party
    }

    /// It has answered and is not being hung up.
    pub(super) fn is_up(&self) -> bool {
        matches!(self.stage, Stage::Up)
    }

    /// It rings, as far as we know.
    pub(super) fn rings(&self) -> bool {
        matches!(self.stage, Stage::Dialling) && self.ring_at.is_some()
    }

    fn ask_trunk(&self, turn: &mut Turn<'_>) {
        turn.put(Output::Dial { party: self.party, attempt: self.attempt });
        self.arm(turn);
    }

    fn arm(&self, turn: &mut Turn<'_>) {
        turn.arm(Timer::NoReply(self.party), self.reach.no_reply_ms);
        turn.arm(Timer::Ring(self.party), self.reach.ring_ms);
    }

    pub(super) fn on(&mut self, input: LegInput, turn: &mut Turn<'_>) -> Option<News> {
        match (&mut self.stage, input) {
            (Stage::Ended { .. }, _) => None,
            (_, LegInput::Ended(termination)) => self.on_ended(termination, turn),
            (Stage::Dialling, LegInput::Routed { trunks }) => {
                self.reach.trunks = trunks;
                None
            }
            (Stage::Dialling, LegInput::Waits) => {
                self.disarm(turn);
                None
            }
            (Stage::Dialling, LegInput::Sent) => {
                if self.ring_at.is_none() {
                    self.arm(turn);
                }
                None
            }
            (Stage::Dialling, LegInput::Trying) => {
                turn.disarm(Timer::NoReply(self.party));
                None
            }
            (Stage::Dialling, LegInput::Ringing { code: _, early_media }) => {
                turn.disarm(Timer::NoReply(self.party));
                if self.ring_at.is_none() {
                    self.ring_at = Some(turn.now);
                    self.tell(CallStatus::Ringing, turn);
                }
                Some(News::Rings { early_media })
            }
            (Stage::Dialling, LegInput::EarlyAudio) => Some(News::EarlyAudio),
            (Stage::Dialling, LegInput::Answered) => {
                self.disarm(turn);
                self.answered_at = Some(turn.now);
                self.stage = Stage::Up;
                self.tell(CallStatus::Answered, turn);
                Some(News::Answered)
            }
            (Stage::GivingUp, LegInput::Ringing { .. }) => {
                if self.reached_late == Late::Not {
                    self.reached_late = Late::Rang;
                }
                None
            }
            (Stage::GivingUp, LegInput::Answered) => {
                self.picked_up_late(turn);
                None
            }
            (Stage::Up, LegInput::MediaLost) => {
                // Whoever is gone does not confirm that it leaves: the others are not to wait for
                // that.
                self.hang_up(HangUpWhy::MediaLost, turn);
                Some(News::Left)
            }
            (Stage::Up, LegInput::PlayFinished { play }) => {
                let (_, what) = self.playing.take_if(|(current, _)| *current == play)?;
                Some(News::Heard(what))
            }
            _ => None,
        }
    }

    /// The trunk kept silent for too long: the next one may be tried once it has confirmed.
    pub(super) fn on_no_reply(&mut self, turn: &mut Turn<'_>) {
        self.give_up(HangUpWhy::NoReply, turn);
    }

    /// Nobody answered in time.
    pub(super) fn on_rung_out(&mut self, turn: &mut Turn<'_>) {
        self.give_up(HangUpWhy::RingTimeout, turn);
    }

    fn give_up(&mut self, why: HangUpWhy, turn: &mut Turn<'_>) {
        if matches!(self.stage, Stage::Dialling) {
            self.hang_up(why, turn);
        }
    }

    /// Ends the leg, if nobody has yet. One that only waits for a silent trunk's word is not dialled
    /// again.
    pub(super) fn hang_up(&mut self, why: HangUpWhy, turn: &mut Turn<'_>) {
        match self.stage {
            Stage::Dialling => {
                self.disarm(turn);
                self.stage = Stage::GivingUp;
            }
            Stage::Up => {
                self.playing = None;
                self.stage = Stage::Leaving;
            }
            Stage::GivingUp if self.hung_up == Some(HangUpWhy::NoReply) => {
                self.hung_up = Some(why);
                return;
            }
            Stage::GivingUp | Stage::Leaving | Stage::Ended { .. } => return,
        }
        self.hung_up = Some(why);
        turn.put(Output::HangUp { party: self.party, why });
    }

    /// Plays to the party, if it is up.
    pub(super) fn play(&mut self, what: Segment, turn: &mut Turn<'_>) {
        if self.is_up() {
            self.plays += 1;
            self.playing = Some((self.plays, what));
            turn.put(Output::Play { party: self.party, play: self.plays, what });
        }
    }

    /// Stops what it is played, if anything is.
    pub(super) fn quiet(&mut self, turn: &mut Turn<'_>) {
        if let Some((play, _)) = self.playing.take() {
            turn.put(Output::StopPlay { party: self.party, play });
        }
    }

    /// Whether the party is being played this.
    pub(super) fn hears(&self, what: Segment) -> bool {
        self.playing.is_some_and(|(_, playing)| playing == what)
    }

    fn on_ended(&mut self, termination: Termination, turn: &mut Turn<'_>) -> Option<News> {
        self.disarm(turn);
        self.playing = None;
        if termination.kind == EndKind::CancelledAfterAnswer {
            self.picked_up_late(turn);
        }
        let next = self.attempt.saturating_add(1);
        let has_next = next > self.attempt && usize::from(next) < self.reach.trunks;
        if has_next && may_fail_over(&termination, &self.facts()) {
            turn.put(Output::TrunkFailed { party: self.party, attempt: self.attempt, termination });
            self.attempt = next;
            self.hung_up = None;
            self.stage = Stage::Dialling;
            self.ask_trunk(turn);
            return None;
        }
        let cause = judge(&termination, &self.facts()).call_cause;
        self.stage = Stage::Ended { at: turn.now, termination };
        turn.put(Output::Status {
            party: self.party,
            status: CallStatus::Completed,
            cause: Some(cause),
            hangup_reason: self.outcome().map(|outcome| outcome.hangup_reason()),
        });
        match (self.answered_at, self.hung_up) {
            (Some(_), Some(HangUpWhy::MediaLost)) => None,
            (Some(_), _) => Some(News::Left),
            (None, _) => Some(News::Failed),
        }
    }

    fn picked_up_late(&mut self, turn: &mut Turn<'_>) {
        if self.answered_at.is_none() && self.reached_late != Late::PickedUp {
            self.reached_late = Late::PickedUp;
            turn.put(Output::AnswerCrossedCancel(self.party));
        }
    }

    fn facts(&self) -> LegFacts {
        LegFacts {
            saw_18x: self.ring_at.is_some() || self.reached_late != Late::Not,
            answered: self.answered_at.is_some(),
            hung_up: self.hung_up,
        }
    }

    fn disarm(&self, turn: &mut Turn<'_>) {
        turn.disarm(Timer::NoReply(self.party));
        turn.disarm(Timer::Ring(self.party));
        turn.disarm(Timer::EarlyAudio(self.party));
    }

    fn tell(&self, status: CallStatus, turn: &mut Turn<'_>) {
        let party = self.party;
        turn.put(Output::Status { party, status, cause: None, hangup_reason: None });
    }

    /// What it came to; nothing while it has not ended.
    pub(super) fn outcome(&self) -> Option<LegOutcome> {
        let Stage::Ended { at, termination } = &self.stage else { return None };
        let verdict = judge(termination, &self.facts());
        Some(LegOutcome {
            party: self.party,
            started_at: self.started_at,
            ring_at: self.ring_at,
            answered_at: self.answered_at,
            ended_at: *at,
            cause: verdict.call_cause,
            fault: verdict.fault,
            termination: termination.clone(),
            attempts: self.attempt.saturating_add(1),
            hung_up: self.hung_up,
            crossed_answer: self.reached_late == Late::PickedUp,
        })
    }
}
