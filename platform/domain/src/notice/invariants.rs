//! What holds for every interleaving: any input at any time, late, repeated and foreign ones too.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use super::*;
use crate::contents::KeyRule;
use crate::event::EventBody;
use crate::termination::{EndKind, Termination};

/// An observer who sees only what goes in and comes out.
struct Observer {
    plan: Plan,
    machine: NoticeMachine,
    now: Micros,
    armed: BTreeMap<TimerReason, Micros>,
    dials: usize,
    leg_up: bool,
    /// An 18x or an answer has come for any leg.
    somebody_reached: bool,
    /// An answer has come for the leg that is up, before we hung up.
    answered: bool,
    hung_up: bool,
    awaiting_keys: bool,
    last_play: u32,
    contents_played: u8,
    replays: u8,
    outcome: Option<Outcome>,
}

type Verdict = Result<(), TestCaseError>;

impl Observer {
    fn new(plan: Plan) -> Self {
        Self {
            machine: NoticeMachine::new(plan.clone()),
            plan,
            now: Micros(0),
            armed: BTreeMap::new(),
            dials: 0,
            leg_up: false,
            somebody_reached: false,
            answered: false,
            hung_up: false,
            awaiting_keys: false,
            last_play: 0,
            contents_played: 0,
            replays: 0,
            outcome: None,
        }
    }

    fn feed(&mut self, input: Input) -> Verdict {
        let was_over = self.outcome.is_some();
        let was_awaiting = self.awaiting_keys;
        self.note(&input);
        let outputs = self.machine.handle(self.now, input.clone());
        prop_assert!(!was_over || outputs.is_empty(), "after the end: {outputs:?}");
        for output in outputs {
            prop_assert!(self.outcome.is_none(), "{output:?} after Finished");
            self.check(output, &input, was_awaiting)?;
        }
        Ok(())
    }

    /// What the input means to somebody who looks on.
    fn note(&mut self, input: &Input) {
        match input {
            Input::Ringing { .. } if self.leg_up => self.somebody_reached = true,
            Input::Answered if self.leg_up => {
                self.somebody_reached = true;
                self.answered |= !self.hung_up;
            }
            Input::LegEnded(_) => self.leg_up = false,
            Input::Timer(timer) if self.armed.get(timer).is_some_and(|due| *due <= self.now) => {
                self.armed.remove(timer);
            }
            _ => {}
        }
    }

    fn check(&mut self, output: Output, input: &Input, was_awaiting: bool) -> Verdict {
        match output {
            Output::Dial { attempt, trunk } => {
                prop_assert!(!self.leg_up, "dialled while a leg is up");
                prop_assert!(!self.somebody_reached, "dialled after somebody was reached");
                prop_assert_eq!(trunk, self.dials);
                prop_assert_eq!(usize::from(attempt), self.dials);
                prop_assert!(trunk < self.plan.trunks);
                self.dials += 1;
                self.leg_up = true;
                self.hung_up = false;
            }
            Output::Play { play, what } => {
                self.check_media("Play")?;
                prop_assert_eq!(play, self.last_play + 1);
                self.last_play = play;
                if what == Segment::Contents {
                    self.contents_played += 1;
                    prop_assert!(self.contents_played <= self.plan.max_plays);
                    let counted = self.contents_played - self.replays;
                    prop_assert!(counted <= self.plan.times, "{counted} plays");
                } else {
                    prop_assert!(self.plan.has_finish_voice);
                }
            }
            Output::StopPlay { play } => {
                self.check_media("StopPlay")?;
                prop_assert_eq!(play, self.last_play);
            }
            Output::AwaitKeys(on) => {
                self.check_media("AwaitKeys")?;
                prop_assert!(self.plan.finish_key.is_some() || self.plan.repeat_key.is_some());
                prop_assert_ne!(self.awaiting_keys, on, "said twice");
                self.awaiting_keys = on;
            }
            Output::HangUp(_) => {
                prop_assert!(self.leg_up, "hung up without a leg");
                prop_assert!(!self.hung_up, "hung up twice");
                self.hung_up = true;
            }
            Output::Arm { timer, after_ms } => {
                self.armed.insert(timer, self.now.plus_ms(i64::from(after_ms)));
            }
            Output::Disarm(timer) => {
                prop_assert!(self.armed.remove(&timer).is_some(), "{timer:?} was not armed");
            }
            Output::Event(EventBody::KeyPressed { key, .. }) => {
                prop_assert_eq!(input, &Input::Key(key));
                prop_assert!(was_awaiting, "a key counted outside its window");
            }
            Output::Event(EventBody::PlayStarted { replay, .. }) => {
                self.replays += u8::from(replay);
            }
            Output::Event(_) => {}
            Output::Finished(outcome) => {
                prop_assert!(!self.leg_up, "finished while a leg is up");
                prop_assert!(self.armed.is_empty(), "left armed: {:?}", self.armed);
                self.check_outcome(&outcome)?;
                self.outcome = Some(outcome);
            }
        }
        Ok(())
    }

    fn check_media(&self, what: &str) -> Verdict {
        prop_assert!(self.leg_up, "{what} after the leg's end");
        prop_assert!(self.answered, "{what} before the answer");
        prop_assert!(!self.hung_up, "{what} after our hang-up");
        Ok(())
    }

    fn check_outcome(&self, outcome: &Outcome) -> Verdict {
        prop_assert_eq!(outcome.answered, self.answered);
        prop_assert_eq!(outcome.result, u8::from(!self.answered));
        prop_assert_eq!(outcome.reason.is_none(), self.answered);
        prop_assert_eq!(outcome.termination.is_some(), self.dials > 0);
        prop_assert_eq!(usize::from(outcome.attempts), self.dials);
        prop_assert_eq!(outcome.plays, self.contents_played);
        prop_assert!(!(outcome.answered && outcome.crossed_answer));
        prop_assert!(outcome.input_key.is_none() || outcome.answered);
        Ok(())
    }

    /// From here on nothing happens but what must: timers fire when due, and a leg that we hang up
    /// ends.
    fn run_out(&mut self) -> Verdict {
        for _ in 0..1_000 {
            if self.outcome.is_some() {
                return Ok(());
            }
            if self.leg_up && self.hung_up {
                let kind = if self.answered { EndKind::LocalBye } else { EndKind::Cancelled };
                self.feed(Input::LegEnded(Termination::new(kind)))?;
                continue;
            }
            let next = self.armed.iter().min_by_key(|(_, due)| **due).map(|(t, due)| (*t, *due));
            match next {
                Some((timer, due)) => {
                    self.now = self.now.max(due);
                    self.feed(Input::Timer(timer))?;
                }
                // only a call that was never started waits for nothing
                None => {
                    prop_assert_eq!(self.machine.stage(), StageName::Idle);
                    self.feed(Input::Start)?;
                }
            }
        }
        prop_assert!(false, "it does not end: {:?}", self.machine.stage());
        Ok(())
    }
}

/// One step: time goes by, then something happens.
#[derive(Debug, Clone)]
enum Step {
    Input {
        after_ms: i64,
        input: Input,
    },
    /// The play that is going on gets to its last content, or to its end.
    CurrentPlay {
        after_ms: i64,
        what: PlayStep,
    },
    /// The timer that is due next fires in time.
    NextTimer,
}

#[derive(Debug, Clone, Copy)]
enum PlayStep {
    Mark,
    Completed,
    Cut,
}

fn plans() -> impl Strategy<Value = Plan> {
    let key = prop::option::of(prop_oneof![
        Just(KeyRule::Any),
        prop::sample::select(vec!['1', '2', '#']).prop_map(KeyRule::One),
    ]);
    (0_usize..4, 1_u8..=3, key.clone(), key, any::<bool>(), 1_u8..=4).prop_map(
        |(trunks, times, finish_key, repeat_key, has_finish_voice, max_plays)| Plan {
            trunks,
            times,
            finish_key,
            repeat_key,
            has_finish_voice,
            ring_ms: 30_000,
            no_reply_ms: 4_000,
            max_duration_ms: 40_000,
            key_window_ms: 5_000,
            max_plays,
        },
    )
}

fn terminations() -> impl Strategy<Value = Termination> {
    let kind = prop::sample::select(vec![
        EndKind::NoReply,
        EndKind::Cancelled,
        EndKind::CancelledAfterAnswer,
        EndKind::LocalBye,
        EndKind::RemoteBye,
        EndKind::NoCommonMedia,
        EndKind::Unreachable,
        EndKind::ConnectionLost,
        EndKind::SessionExpired,
        EndKind::EngineFault,
    ]);
    let code = prop::sample::select(vec![404_u16, 408, 480, 486, 487, 500, 503, 603]);
    let q850 = prop::option::of(prop::sample::select(vec![16_u8, 17, 18, 19]));
    prop_oneof![
        kind.prop_map(Termination::new),
        (code, q850).prop_map(|(code, q850)| Termination { q850, ..Termination::rejected(code) }),
    ]
}

fn inputs() -> impl Strategy<Value = Input> {
    prop_oneof![
        2 => Just(Input::Start),
        2 => Just(Input::Trying),
        2 => (180_u16..184, any::<bool>())
            .prop_map(|(code, early_media)| Input::Ringing { code, early_media }),
        3 => Just(Input::Answered),
        6 => prop::sample::select(vec!['1', '2', '#', '9', 'A']).prop_map(Input::Key),
        2 => (0_u32..8, 0_u32..3).prop_map(|(play, mark)| Input::MarkReached { play, mark }),
        2 => (0_u32..8, any::<bool>())
            .prop_map(|(play, completed)| Input::PlayFinished { play, completed }),
        2 => terminations().prop_map(Input::LegEnded),
        2 => prop::sample::select(TimerReason::ALL.to_vec()).prop_map(Input::Timer),
        1 => Just(Input::Cancel),
        1 => Just(Input::Shutdown),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let what = prop::sample::select(vec![
        PlayStep::Mark,
        PlayStep::Mark,
        PlayStep::Completed,
        PlayStep::Completed,
        PlayStep::Completed,
        PlayStep::Cut,
    ]);
    let step = prop_oneof![
        4 => (0_i64..3_000, inputs()).prop_map(|(after_ms, input)| Step::Input { after_ms, input }),
        3 => (0_i64..3_000, what).prop_map(|(after_ms, what)| Step::CurrentPlay { after_ms, what }),
        1 => Just(Step::NextTimer),
    ];
    // Most calls begin as calls do, or hardly any would get to their keys.
    let beginning = prop::sample::select(vec![
        vec![],
        vec![Input::Start],
        vec![Input::Start, Input::Answered],
        vec![Input::Start, Input::Trying, Input::Answered],
    ]);
    (beginning, prop::collection::vec(step, 0..60)).prop_map(|(beginning, steps)| {
        let begun = beginning.into_iter().map(|input| Step::Input { after_ms: 10, input });
        begun.chain(steps).collect()
    })
}

fn play(observer: &mut Observer, steps: Vec<Step>) -> Verdict {
    for step in steps {
        match step {
            Step::Input { after_ms, input } => {
                observer.now = observer.now.plus_ms(after_ms);
                observer.feed(input)?;
            }
            Step::CurrentPlay { after_ms, what } => {
                observer.now = observer.now.plus_ms(after_ms);
                let play = observer.last_play;
                observer.feed(match what {
                    PlayStep::Mark => Input::MarkReached { play, mark: LAST_CONTENT_MARK },
                    PlayStep::Completed => Input::PlayFinished { play, completed: true },
                    PlayStep::Cut => Input::PlayFinished { play, completed: false },
                })?;
            }
            Step::NextTimer => {
                let next = observer.armed.iter().min_by_key(|(_, due)| **due);
                if let Some((timer, due)) = next.map(|(timer, due)| (*timer, *due)) {
                    observer.now = observer.now.max(due);
                    observer.feed(Input::Timer(timer))?;
                }
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn every_call_ends_once_and_in_order(plan in plans(), steps in steps()) {
        let mut observer = Observer::new(plan);
        play(&mut observer, steps)?;
        observer.run_out()?;
    }

    #[test]
    fn shutdown_ends_every_call_with_its_leg(plan in plans(), steps in steps()) {
        let mut observer = Observer::new(plan);
        play(&mut observer, steps)?;
        observer.feed(Input::Shutdown)?;
        if observer.leg_up {
            prop_assert!(observer.hung_up);
            observer.feed(Input::LegEnded(Termination::new(EndKind::Cancelled)))?;
        }
        prop_assert!(observer.outcome.is_some());
    }
}
