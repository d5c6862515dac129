//! What holds for every interleaving: answers, hang-ups, commands and losses at any time, late,
//! repeated and foreign ones too.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use super::*;
use crate::{EndKind, Termination};

/// An observer who sees only what goes in and comes out.
struct Observer {
    plan: Plan,
    machine: ConversationMachine,
    now: Micros,
    armed: BTreeMap<Timer, Micros>,
    legs: BTreeMap<Party, Seen>,
    /// Somebody has ordered the end.
    ordered_end: bool,
    recording: Option<bool>,
    outcome: Option<Outcome>,
}

/// What was seen of a party.
#[derive(Debug, Default)]
struct Seen {
    /// The engine has a leg for it.
    is_live: bool,
    dials: u8,
    hung_up: bool,
    reached: bool,
    is_up: bool,
    last_play: u32,
    statuses: Vec<CallStatus>,
}

type Verdict = Result<(), TestCaseError>;

impl Observer {
    fn new(plan: Plan) -> Self {
        Self {
            machine: ConversationMachine::new(plan.clone()),
            plan,
            now: Micros(0),
            armed: BTreeMap::new(),
            legs: BTreeMap::new(),
            ordered_end: false,
            recording: None,
            outcome: None,
        }
    }

    fn feed(&mut self, input: Input) -> Verdict {
        let was_over = self.outcome.is_some();
        self.note(&input);
        let outputs = self.machine.handle(self.now, input.clone());
        if was_over {
            let quiet = outputs.iter().all(|output| matches!(output, Output::NotAdded(_)));
            prop_assert!(quiet, "after the end: {outputs:?}");
            return Ok(());
        }
        let answered = outputs
            .iter()
            .filter(|output| matches!(output, Output::Added(_) | Output::NotAdded(_)))
            .count();
        prop_assert_eq!(answered, usize::from(matches!(input, Input::Add(_))));
        for output in outputs {
            prop_assert!(self.outcome.is_none(), "{output:?} after Finished");
            self.check(output)?;
        }
        let live = self.legs.values().filter(|leg| leg.is_live && !leg.hung_up).count();
        prop_assert!(live <= 3, "{live} parties");
        prop_assert_eq!(self.machine.is_over(), self.outcome.is_some());
        Ok(())
    }

    /// What the input means to somebody who looks on.
    fn note(&mut self, input: &Input) {
        match input {
            Input::Leg(party, input) => {
                let Some(leg) = self.legs.get_mut(party).filter(|leg| leg.is_live) else { return };
                match input {
                    LegInput::Ringing { .. } => leg.reached = true,
                    LegInput::Answered => {
                        leg.reached = true;
                        leg.is_up |= !leg.hung_up;
                    }
                    LegInput::Ended(_) => (leg.is_live, leg.is_up) = (false, false),
                    _ => {}
                }
            }
            Input::Timer(timer) if self.armed.get(timer).is_some_and(|due| *due <= self.now) => {
                self.armed.remove(timer);
            }
            Input::Cancel | Input::Shutdown => self.ordered_end = true,
            _ => {}
        }
    }

    fn check(&mut self, output: Output) -> Verdict {
        match output {
            Output::Dial { party, attempt } => {
                let leg = self.legs.entry(party).or_default();
                prop_assert!(!self.ordered_end, "{party} dialled though all shall end");
                prop_assert!(!leg.is_live, "{party} dialled while it is live");
                prop_assert!(!leg.reached, "{party} dialled after it was reached");
                prop_assert_eq!(attempt, leg.dials);
                (leg.is_live, leg.hung_up) = (true, false);
                leg.dials += 1;
            }
            Output::Play { party, play, what } => {
                let leg = self.up(party)?;
                prop_assert_eq!(play, leg.last_play + 1);
                leg.last_play = play;
                prop_assert!(what != Segment::LastMinute);
            }
            Output::StopPlay { party, play } => prop_assert_eq!(play, self.up(party)?.last_play),
            Output::Announce { party, .. } => {
                self.up(party)?;
            }
            Output::Connect(connection) => self.check_connection(connection)?,
            Output::StartRecording => {
                prop_assert_eq!(self.recording, None);
                self.recording = Some(true);
            }
            Output::StopRecording => {
                prop_assert_eq!(self.recording, Some(true));
                self.recording = Some(false);
            }
            Output::HangUp { party, .. } => {
                let leg = self.legs.entry(party).or_default();
                prop_assert!(leg.is_live && !leg.hung_up, "{party} hung up in vain");
                (leg.hung_up, leg.is_up) = (true, false);
            }
            Output::Arm { timer, after_ms } => {
                self.armed.insert(timer, self.now.plus_ms(i64::from(after_ms)));
            }
            Output::Disarm(timer) => {
                prop_assert!(self.armed.remove(&timer).is_some(), "{timer:?} was not armed");
            }
            Output::Status { party, status, cause, hangup_reason } => {
                prop_assert_eq!(cause.is_some(), status == CallStatus::Completed);
                prop_assert_eq!(hangup_reason.is_some(), status == CallStatus::Completed);
                let leg = self.legs.entry(party).or_default();
                prop_assert!(leg.statuses.last() < Some(&status), "{:?} {status:?}", leg.statuses);
                leg.statuses.push(status);
            }
            Output::TrunkFailed { party, .. } => {
                let leg = self.legs.entry(party).or_default();
                prop_assert!(!leg.is_live && !leg.reached);
            }
            Output::AnswerCrossedCancel(party) => {
                prop_assert!(!self.legs.entry(party).or_default().is_up);
            }
            Output::Added(party) => {
                prop_assert_eq!(usize::from(party.0), self.legs.len());
            }
            Output::NotAdded(_) => {}
            Output::Finished(outcome) => self.check_outcome(outcome)?,
        }
        Ok(())
    }

    fn up(&mut self, party: Party) -> Result<&mut Seen, TestCaseError> {
        let leg = self.legs.entry(party).or_default();
        prop_assert!(leg.is_up, "{party} is played something and is not up");
        Ok(leg)
    }

    fn check_connection(&mut self, connection: Connection) -> Verdict {
        match connection {
            Connection::Apart => {}
            Connection::EarlyAudio { from, to } => {
                prop_assert!(self.legs[&from].is_live && !self.legs[&from].is_up);
                self.up(to)?;
            }
            Connection::Together(parties) => {
                prop_assert!((2..=3).contains(&parties.len()), "{parties:?} are connected");
                for party in parties {
                    self.up(party)?;
                }
            }
        }
        Ok(())
    }

    fn check_outcome(&mut self, outcome: Outcome) -> Verdict {
        prop_assert!(self.armed.is_empty(), "left armed: {:?}", self.armed);
        prop_assert!(self.recording != Some(true), "a recording runs on");
        let parties: BTreeSet<Party> = outcome.legs.iter().map(|leg| leg.party).collect();
        let dialled = self.legs.iter().filter(|(_, leg)| leg.dials > 0).map(|(party, _)| *party);
        prop_assert_eq!(parties, dialled.collect::<BTreeSet<_>>());
        for leg in &outcome.legs {
            let seen = &self.legs[&leg.party];
            prop_assert!(!seen.is_live, "{} is still live", leg.party);
            prop_assert_eq!(seen.statuses.last(), Some(&CallStatus::Completed));
            prop_assert_eq!(
                seen.statuses.contains(&CallStatus::Answered),
                leg.answered_at.is_some()
            );
            prop_assert_eq!(seen.statuses.contains(&CallStatus::Ringing), leg.ring_at.is_some());
            prop_assert!(leg.started_at <= leg.ended_at);
        }
        let bye = outcome.ending.bye_type;
        let answered = |party: Party| {
            outcome.legs.iter().any(|leg| leg.party == party && leg.answered_at.is_some())
        };
        let expected = match (answered(Party::CALLER), answered(Party::CALLEE)) {
            (false, _) => bye == ByeType::CallerNotAnswered,
            (true, false) => matches!(bye, ByeType::CallerLeftEarly | ByeType::CalleeNotAnswered),
            (true, true) => bye.number() >= 3,
        };
        prop_assert!(expected, "{bye:?} of {:?}", outcome.legs);
        let limited = bye == ByeType::TimeLimit;
        prop_assert!(!limited || self.plan.max_duration_s.is_some());
        self.outcome = Some(outcome);
        Ok(())
    }

    /// Lets every leg end as an engine would report it, and sees that the conversation is over then.
    fn wind_up(&mut self) -> Verdict {
        self.feed(Input::Cancel)?;
        for _ in 0..8 {
            let live: Vec<_> =
                self.legs.iter().filter(|(_, leg)| leg.is_live).map(|(party, _)| *party).collect();
            for party in live {
                // what lets a silent trunk be left for the next one, if anybody still wanted that
                let confirmed =
                    Termination { sip_code: Some(487), ..Termination::new(EndKind::Cancelled) };
                self.feed(Input::Leg(party, LegInput::Ended(confirmed)))?;
            }
        }
        prop_assert!(self.outcome.is_some(), "it never ends: {:?}", self.machine);
        Ok(())
    }
}

fn reach() -> impl Strategy<Value = Reach> {
    (1..=3_usize).prop_map(|trunks| Reach { trunks, ring_ms: 60_000, no_reply_ms: 4_000 })
}

fn voices() -> impl Strategy<Value = Voices> {
    (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(greets, custom, caller_voice, callee_voice)| {
            let ringback = if custom { Ringback::Custom } else { Ringback::PassThrough };
            Voices { greets, ringback, caller_voice, callee_voice }
        },
    )
}

fn record() -> impl Strategy<Value = Record> {
    prop::sample::select(vec![Record::Off, Record::FromRinging, Record::FromAnswer])
}

fn plans() -> impl Strategy<Value = Plan> {
    let max = prop::option::of(prop::sample::select(vec![30_u32, 60, 61, 3_600]));
    (reach(), reach(), voices(), record(), max).prop_map(
        |(caller, callee, voices, record, max_duration_s)| Plan {
            caller,
            callee,
            voices,
            record,
            max_duration_s,
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
        EndKind::Unreachable,
        EndKind::ConnectionLost,
        EndKind::Refused,
        EndKind::EngineFault,
    ]);
    let code = prop::sample::select(vec![404_u16, 408, 480, 486, 487, 503, 603]);
    prop_oneof![kind.prop_map(Termination::new), code.prop_map(Termination::rejected)]
}

/// Likely ones more often, so that conversations get far.
fn leg_inputs() -> impl Strategy<Value = LegInput> {
    prop_oneof![
        1 => prop::sample::select(vec![LegInput::Waits, LegInput::Sent, LegInput::Trying]),
        3 => any::<bool>().prop_map(|early_media| LegInput::Ringing { code: 180, early_media }),
        2 => Just(LegInput::EarlyAudio),
        6 => Just(LegInput::Answered),
        6 => (1..6_u32).prop_map(|play| LegInput::PlayFinished { play }),
        2 => terminations().prop_map(LegInput::Ended),
        1 => Just(LegInput::MediaLost),
        1 => (1..=3_usize).prop_map(|trunks| LegInput::Routed { trunks }),
    ]
}

fn timers() -> impl Strategy<Value = Timer> {
    prop_oneof![
        (0..5_u8).prop_map(|party| Timer::NoReply(Party(party))),
        (0..5_u8).prop_map(|party| Timer::Ring(Party(party))),
        (0..5_u8).prop_map(|party| Timer::EarlyAudio(Party(party))),
        Just(Timer::LastMinute),
        Just(Timer::MaxDuration),
    ]
}

fn inputs() -> impl Strategy<Value = Input> {
    let additions = (reach(), voices(), record())
        .prop_map(|(reach, voices, record)| Input::Add(Addition { reach, voices, record }));
    prop_oneof![
        40 => (0..5_u8, leg_inputs()).prop_map(|(party, input)| Input::Leg(Party(party), input)),
        10 => timers().prop_map(Input::Timer),
        4 => additions,
        1 => prop::sample::select(vec![Input::Cancel, Input::Shutdown, Input::Start]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn whatever_comes_in_a_conversation_is_sound_and_ends(
        plan in plans(),
        steps in prop::collection::vec((0..20_000_i64, inputs()), 1..60),
    ) {
        let mut observer = Observer::new(plan);
        observer.feed(Input::Start)?;
        for (pause_ms, input) in steps {
            observer.now = observer.now.plus_ms(pause_ms);
            observer.feed(input)?;
        }
        observer.wind_up()?;
    }
}
