//! After the answer: plays, keys, the end (RESOLUTIONS, `times` and keys).

use super::stage::Stage;
use super::turn::{End, Turn};
use super::{HangUpWhy, Input, LAST_CONTENT_MARK, Output, Segment, TimerReason};
use crate::Termination;
use crate::call_cause::LegFacts;
use crate::event::{EventBody, KeyIgnored, KeyMeaning};

/// How long the leg's end may keep us waiting after a play was cut under us.
const LEG_END_MS: u32 = 2_000;

/// What is known of an answered call in each of its stages.
#[derive(Debug)]
struct Talk {
    attempts: u8,
    /// Plays of the contents begun, replays counted.
    plays: u8,
    /// The same, replays not counted: what `times` limits.
    counted: u8,
    /// The number of the last play of anything.
    last_play: u32,
    /// The confirming key.
    input_key: Option<char>,
}

/// The contents are being played.
#[derive(Debug)]
pub(super) struct Speaking {
    talk: Talk,
    keys: KeyGate,
}

/// Whether keys are taken during a play: from the start of its last content on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KeyGate {
    Closed,
    Open,
}

/// A play is over; keys are still taken.
#[derive(Debug)]
pub(super) struct Listening {
    talk: Talk,
}

/// `finishvoice` is being played.
#[derive(Debug)]
pub(super) struct Confirmed {
    talk: Talk,
}

/// A play was cut though we did not stop it: most likely the leg has ended under it.
#[derive(Debug)]
pub(super) struct Stranded {
    talk: Talk,
}

/// We have ended the call, and wait for the leg's end.
#[derive(Debug)]
pub(super) struct HangingUp {
    talk: Talk,
    why: HangUpWhy,
}

/// The callee picked up.
pub(super) fn answer(attempts: u8, turn: &mut Turn<'_>) -> Stage {
    turn.tell(EventBody::Answered);
    turn.arm(TimerReason::MaxDuration, turn.plan.max_duration_ms);
    Talk { attempts, plays: 0, counted: 0, last_play: 0, input_key: None }.play_or_end(turn)
}

/// Who wanted a play of the contents.
#[derive(Clone, Copy, PartialEq, Eq)]
enum WantedBy {
    /// The request's `times`.
    Request,
    /// The listener, by the repeat key.
    Listener,
}

/// What can happen to an answered call that does not end it, or not in every stage.
enum Happening {
    Key(char),
    LastContent {
        play: u32,
    },
    PlayFinished {
        play: u32,
        completed: bool,
    },
    WindowOver,
    LegEndOverdue,
    /// Late or repeated: of no meaning after the answer.
    Nothing,
}

/// What a key means in a window.
enum Effect {
    Finish,
    Repeat,
    Ignored(KeyIgnored),
}

impl Talk {
    /// The next of `times` plays, or the end.
    fn play_or_end(mut self, turn: &mut Turn<'_>) -> Stage {
        if self.counted >= turn.plan.times || self.plays >= turn.plan.max_plays {
            return self.hang_up(HangUpWhy::Normal, turn);
        }
        self.counted += 1;
        self.play_contents(WantedBy::Request, turn)
    }

    fn play_contents(mut self, wanted_by: WantedBy, turn: &mut Turn<'_>) -> Stage {
        self.plays += 1;
        self.start(Segment::Contents, wanted_by, turn);
        Stage::Speaking(Speaking { talk: self, keys: KeyGate::Closed })
    }

    fn start(&mut self, what: Segment, wanted_by: WantedBy, turn: &mut Turn<'_>) {
        self.last_play += 1;
        let play = self.last_play;
        let replay = wanted_by == WantedBy::Listener;
        turn.tell(EventBody::PlayStarted { play, what, replay });
        turn.put(Output::Play { play, what });
    }

    /// `finishkey` wins where both match; a replay is only had while plays are left.
    fn effect(&self, key: char, turn: &Turn<'_>) -> Effect {
        let plan = turn.plan;
        if plan.finish_key.is_some_and(|rule| rule.matches(key)) {
            Effect::Finish
        } else if !plan.repeat_key.is_some_and(|rule| rule.matches(key)) {
            Effect::Ignored(KeyIgnored::NoMatch)
        } else if self.plays >= plan.max_plays {
            Effect::Ignored(KeyIgnored::NoMorePlays)
        } else {
            Effect::Repeat
        }
    }

    /// The window is shut by a key that counts; what was being played is cut at once.
    fn shut_window(&self, playing: Option<u32>, turn: &mut Turn<'_>) {
        if let Some(play) = playing {
            turn.put(Output::StopPlay { play });
        }
        turn.disarm(TimerReason::KeyWindow);
        turn.put(Output::AwaitKeys(false));
    }

    fn confirm(mut self, key: char, playing: Option<u32>, turn: &mut Turn<'_>) -> Stage {
        turn.tell(EventBody::KeyPressed { key, meaning: KeyMeaning::Finish });
        self.input_key = Some(key);
        self.shut_window(playing, turn);
        if !turn.plan.has_finish_voice {
            return self.hang_up(HangUpWhy::Normal, turn);
        }
        self.start(Segment::FinishVoice, WantedBy::Request, turn);
        Stage::Confirmed(Confirmed { talk: self })
    }

    fn replay(self, key: char, playing: Option<u32>, turn: &mut Turn<'_>) -> Stage {
        turn.tell(EventBody::KeyPressed { key, meaning: KeyMeaning::Repeat });
        self.shut_window(playing, turn);
        self.play_contents(WantedBy::Listener, turn)
    }

    fn hang_up(self, why: HangUpWhy, turn: &mut Turn<'_>) -> Stage {
        turn.hang_up(why);
        Stage::HangingUp(HangingUp { talk: self, why })
    }

    fn strand(self, turn: &mut Turn<'_>) -> Stage {
        turn.disarm(TimerReason::KeyWindow);
        turn.arm(TimerReason::LegEnd, LEG_END_MS);
        Stage::Stranded(Stranded { talk: self })
    }

    fn ended(
        self,
        termination: Termination,
        hung_up: Option<HangUpWhy>,
        turn: &mut Turn<'_>,
    ) -> Stage {
        turn.finish(End {
            termination: Some(termination),
            // Whether it rang no longer matters once it was answered.
            facts: LegFacts { saw_18x: true, answered: true, hung_up },
            crossed_answer: false,
            input_key: self.input_key,
            attempts: self.attempts,
            plays: self.plays,
        });
        Stage::Over
    }

    /// Does what is the same in every stage until we hang up; otherwise gives the call back with
    /// what has happened to it.
    fn sort(self, input: Input, turn: &mut Turn<'_>) -> Result<Stage, (Self, Happening)> {
        let happening = match input {
            Input::LegEnded(termination) => return Ok(self.ended(termination, None, turn)),
            Input::Timer(TimerReason::MaxDuration) => {
                return Ok(self.hang_up(HangUpWhy::MaxDuration, turn));
            }
            Input::Cancel => return Ok(self.hang_up(HangUpWhy::Requested, turn)),
            Input::Shutdown => return Ok(self.hang_up(HangUpWhy::PlatformFault, turn)),
            Input::Key(key) => Happening::Key(key),
            Input::MarkReached { play, mark: LAST_CONTENT_MARK } => Happening::LastContent { play },
            Input::PlayFinished { play, completed } => Happening::PlayFinished { play, completed },
            Input::Timer(TimerReason::KeyWindow) => Happening::WindowOver,
            Input::Timer(TimerReason::LegEnd) => Happening::LegEndOverdue,
            Input::Start
            | Input::Trying
            | Input::Ringing { .. }
            | Input::Answered
            | Input::MarkReached { .. }
            | Input::Timer(TimerReason::NoReply | TimerReason::Ring) => Happening::Nothing,
        };
        Err((self, happening))
    }
}

fn ignore(key: char, why: KeyIgnored, turn: &mut Turn<'_>) {
    turn.tell(EventBody::KeyIgnored { key, why });
}

impl Speaking {
    pub(super) fn on(self, input: Input, turn: &mut Turn<'_>) -> Stage {
        let Self { talk, keys } = self;
        let (talk, happening) = match talk.sort(input, turn) {
            Ok(stage) => return stage,
            Err(left) => left,
        };
        let current = talk.last_play;
        match happening {
            Happening::LastContent { play } if play == current && turn.plan.listens() => {
                if keys == KeyGate::Closed {
                    turn.put(Output::AwaitKeys(true));
                }
                Stage::Speaking(Self { talk, keys: KeyGate::Open })
            }
            Happening::Key(key) => {
                let effect = match keys {
                    KeyGate::Closed => Effect::Ignored(KeyIgnored::OutsideWindow),
                    KeyGate::Open => talk.effect(key, turn),
                };
                match effect {
                    Effect::Finish => talk.confirm(key, Some(current), turn),
                    Effect::Repeat => talk.replay(key, Some(current), turn),
                    Effect::Ignored(why) => {
                        ignore(key, why, turn);
                        Stage::Speaking(Self { talk, keys })
                    }
                }
            }
            Happening::PlayFinished { play, completed } if play == current => {
                turn.tell(EventBody::PlayFinished { play, completed });
                if !completed {
                    return talk.strand(turn);
                }
                if !turn.plan.listens() {
                    return talk.play_or_end(turn);
                }
                // a mark that never came must not cost the listener the window
                if keys == KeyGate::Closed {
                    turn.put(Output::AwaitKeys(true));
                }
                turn.arm(TimerReason::KeyWindow, turn.plan.key_window_ms);
                Stage::Listening(Listening { talk })
            }
            Happening::LastContent { .. }
            | Happening::PlayFinished { .. }
            | Happening::WindowOver
            | Happening::LegEndOverdue
            | Happening::Nothing => Stage::Speaking(Self { talk, keys }),
        }
    }
}

impl Listening {
    pub(super) fn on(self, input: Input, turn: &mut Turn<'_>) -> Stage {
        let (talk, happening) = match self.talk.sort(input, turn) {
            Ok(stage) => return stage,
            Err(left) => left,
        };
        match happening {
            Happening::Key(key) => match talk.effect(key, turn) {
                Effect::Finish => talk.confirm(key, None, turn),
                Effect::Repeat => talk.replay(key, None, turn),
                Effect::Ignored(why) => {
                    ignore(key, why, turn);
                    Stage::Listening(Self { talk })
                }
            },
            Happening::WindowOver => {
                turn.put(Output::AwaitKeys(false));
                talk.play_or_end(turn)
            }
            Happening::LastContent { .. }
            | Happening::PlayFinished { .. }
            | Happening::LegEndOverdue
            | Happening::Nothing => Stage::Listening(Self { talk }),
        }
    }
}

impl Confirmed {
    pub(super) fn on(self, input: Input, turn: &mut Turn<'_>) -> Stage {
        let (talk, happening) = match self.talk.sort(input, turn) {
            Ok(stage) => return stage,
            Err(left) => left,
        };
        match happening {
            Happening::Key(key) => {
                ignore(key, KeyIgnored::OutsideWindow, turn);
                Stage::Confirmed(Self { talk })
            }
            Happening::PlayFinished { play, completed } if play == talk.last_play => {
                turn.tell(EventBody::PlayFinished { play, completed });
                if completed { talk.hang_up(HangUpWhy::Normal, turn) } else { talk.strand(turn) }
            }
            Happening::LastContent { .. }
            | Happening::PlayFinished { .. }
            | Happening::WindowOver
            | Happening::LegEndOverdue
            | Happening::Nothing => Stage::Confirmed(Self { talk }),
        }
    }
}

impl Stranded {
    pub(super) fn on(self, input: Input, turn: &mut Turn<'_>) -> Stage {
        let (talk, happening) = match self.talk.sort(input, turn) {
            Ok(stage) => return stage,
            Err(left) => left,
        };
        match happening {
            Happening::LegEndOverdue => talk.hang_up(HangUpWhy::PlatformFault, turn),
            Happening::Key(_)
            | Happening::LastContent { .. }
            | Happening::PlayFinished { .. }
            | Happening::WindowOver
            | Happening::Nothing => Stage::Stranded(Self { talk }),
        }
    }
}

impl HangingUp {
    pub(super) fn on(self, input: Input, turn: &mut Turn<'_>) -> Stage {
        match input {
            Input::LegEnded(termination) => self.talk.ended(termination, Some(self.why), turn),
            Input::Start
            | Input::Trying
            | Input::Ringing { .. }
            | Input::Answered
            | Input::Key(_)
            | Input::MarkReached { .. }
            | Input::PlayFinished { .. }
            | Input::Timer(_)
            | Input::Cancel
            | Input::Shutdown => Stage::HangingUp(self),
        }
    }
}
