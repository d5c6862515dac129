//! The one task that owns a click-to-call conversation: it feeds the machine engine events, orders
//! from the API, timers and the node's shutdown, one after the other, and carries out what the
//! machine answers.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{mpsc, oneshot};
use yunling_app::click::{AdditionSpec, ClickSpec, VoiceNames};
use yunling_app::directory::Application;
use yunling_app::ports::TalkLeg;
use yunling_app::tell_status::LegStatus;
use yunling_domain::conversation::{
    AddRefusal, Addition, CallStatus, ConversationMachine, Input, Outcome, Output, Party, Plan,
    Reach, Ringback, Timer, Voices,
};
use yunling_domain::event::EventBody;
use yunling_domain::notice::HangUpWhy;
use yunling_domain::{CallId, EndKind, IdKind, Micros, RecordingId, Termination};
use yunling_store::attempts::{Attempt, NewAttempt};
use yunling_switch_contract::{Event, EventKind};

use super::super::anchor::Anchor;
use super::super::engine_line::EngineLine;
use super::super::gate::Passed;
use super::super::map;
use super::super::routes::Route;
use super::super::shell::Shell;
use super::super::story::{KEPT, Story};
use super::super::timers::Timers;
use super::desk::{Add, Live, Order};
use super::leg::{Leg, Place};
use super::line::Dialled;
use super::recorder::Recorder;
use super::teller::Teller;

/// What a timer of the task is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alarm {
    /// The machine's.
    Machine(Timer),
    /// A leg looks for a line again.
    Look(Party),
}

/// Everything that one conversation needs, gathered before it starts.
pub(super) struct Briefing {
    pub(super) shell: Arc<Shell>,
    /// The caller's row.
    pub(super) row: Attempt,
    pub(super) passed: Passed,
    pub(super) spec: ClickSpec,
    pub(super) teller: Teller,
    pub(super) story: Story,
    pub(super) live: Arc<Live>,
    pub(super) orders: mpsc::Receiver<Order>,
}

/// A conversation that runs.
pub(super) struct Talk<'r> {
    pub(super) shell: Arc<Shell>,
    /// The caller's row.
    pub(super) row: Attempt,
    pub(super) queued: NewAttempt,
    pub(super) application: Arc<Application>,
    pub(super) spec: ClickSpec,
    /// The prompts round the call that is being made.
    pub(super) voices: VoiceNames,
    pub(super) legs: Vec<Leg>,
    pub(super) route: &'r mut Route,
    pub(super) line: EngineLine,
    pub(super) timers: Timers<Alarm>,
    pub(super) anchor: Anchor,
    pub(super) teller: Teller,
    pub(super) story: Story,
    pub(super) live: Arc<Live>,
    pub(super) recorder: Recorder,
    /// The recording that the engine had not completed when the record went out.
    pub(super) late: Option<RecordingId>,
    orders: mpsc::Receiver<Order>,
    /// The addCall that the machine is asked about.
    asked: Option<Asked>,
    machine: ConversationMachine,
    /// What the machine has still to be told.
    inputs: VecDeque<(Micros, Input)>,
    told_of_cancel: bool,
    told_of_shutdown: bool,
}

/// An addCall that waits for the machine's word.
struct Asked {
    spec: AdditionSpec,
    call: CallId,
    passed: Box<Passed>,
    reply: oneshot::Sender<Result<(), AddRefusal>>,
}

/// What a conversation came to.
pub(super) enum Ending<'r> {
    /// It is over.
    Finished(Box<Talk<'r>>, Box<Outcome>),
    /// Its row could not be marked as invited, so nobody was dialled: it is claimed again later.
    NotStarted(Box<Attempt>),
}

enum Step {
    GoOn,
    Over(Outcome),
    NotStarted,
}

/// Runs a conversation to its end.
pub(super) async fn run(briefing: Briefing, route: &mut Route) -> Ending<'_> {
    let mut talk = Talk::new(briefing, route);
    loop {
        while let Some((at, input)) = talk.inputs.pop_front() {
            match talk.handle(at, input).await {
                Step::GoOn => {}
                Step::Over(outcome) => return Ending::Finished(Box::new(talk), Box::new(outcome)),
                Step::NotStarted => return Ending::NotStarted(Box::new(talk.row)),
            }
        }
        talk.wait().await;
    }
}

impl<'r> Talk<'r> {
    fn new(briefing: Briefing, route: &'r mut Route) -> Self {
        let Briefing { shell, row, passed, spec, teller, story, live, orders } = briefing;
        let anchor = Anchor::new(shell.app.clock().now());
        let now = anchor.now();
        let calls = &shell.app.settings().calls;
        let reach = Reach { trunks: 1, ring_ms: calls.ring_ms, no_reply_ms: calls.no_reply_ms };
        let plan = Plan {
            caller: reach,
            callee: reach,
            voices: voices(&spec.voices, spec.ringback),
            record: spec.record,
            max_duration_s: spec.max_duration_s,
        };
        let queued = row.queued.clone();
        let callee = CallId::new(shell.app.ids().mint(IdKind::Call));
        let application = Arc::clone(&passed.application);
        let ready = Some(Box::new(passed));
        let legs = vec![
            Leg::new(Party::CALLER, queued.call_id.clone(), spec.caller.clone(), ready),
            Leg::new(Party::CALLEE, callee, spec.callee.clone(), None),
        ];
        {
            let mut view = live.view.lock();
            view.masked = spec.masked;
            view.events = story.events().to_vec();
        }
        Self {
            line: shell.line(),
            row,
            queued,
            application,
            voices: spec.voices.clone(),
            spec,
            legs,
            route,
            timers: Timers::default(),
            anchor,
            teller,
            story,
            live,
            recorder: Recorder::Off,
            late: None,
            orders,
            asked: None,
            machine: ConversationMachine::new(plan),
            inputs: VecDeque::from([(now, Input::Start)]),
            told_of_cancel: false,
            told_of_shutdown: false,
            shell,
        }
    }

    pub(super) fn leg(&self, party: Party) -> &Leg {
        &self.legs[usize::from(party.0)]
    }

    pub(super) fn leg_mut(&mut self, party: Party) -> &mut Leg {
        &mut self.legs[usize::from(party.0)]
    }

    /// Queues what the machine is to be told next.
    pub(super) fn feed(&mut self, at: Micros, input: Input) {
        self.inputs.push_back((at, input));
    }

    /// Adds to the story, and to what onlookers see.
    pub(super) fn tell(&mut self, at: Micros, party: Option<Party>, body: EventBody) {
        let event = self.story.tell_of(at, party, body);
        let mut view = self.live.view.lock();
        if view.events.len() < KEPT {
            view.events.push(event);
        }
    }

    /// Waits for whatever comes next, and queues it for the machine.
    async fn wait(&mut self) {
        let (closing, cancel) = (self.shell.closing.clone(), self.live.cancel.clone());
        tokio::select! {
            // What was cancelled before it began does not begin.
            biased;
            () = cancel.cancelled(), if !self.told_of_cancel => {
                self.told_of_cancel = true;
                self.feed(self.anchor.now(), Input::Cancel);
            }
            () = closing.cancelled(), if !self.told_of_shutdown => {
                self.told_of_shutdown = true;
                self.feed(self.anchor.now(), Input::Shutdown);
            }
            event = self.route.next() => self.observe(event),
            alarm = self.timers.next() => {
                let at = self.anchor.now();
                match alarm {
                    Alarm::Machine(timer) => self.feed(at, Input::Timer(timer)),
                    // Never the conversation's first dial, which alone may not start it: that has
                    // its line.
                    Alarm::Look(party) => {
                        let _ = self.look(at, party).await;
                    }
                }
            }
            begun = self.recorder.begun() => self.recording_begun(begun).await,
            order = self.orders.recv() => match order {
                Some(Order::Add(add)) => self.ask(*add),
                None => {}
            },
        }
    }

    /// Nobody is taken in any more.
    pub(super) fn close_orders(&mut self) {
        self.orders.close();
        while let Ok(Order::Add(add)) = self.orders.try_recv() {
            let _ = add.reply.send(Err(AddRefusal::Ended));
        }
    }

    /// Asks the machine whether a third party may be called.
    fn ask(&mut self, add: Add) {
        let Add { spec, call, passed, reply } = add;
        let addition = Addition {
            reach: Reach {
                trunks: passed.trunks.len(),
                ring_ms: spec.timeout_s.saturating_mul(1_000),
                no_reply_ms: self.shell.app.settings().calls.no_reply_ms,
            },
            voices: voices(&spec.voices, spec.ringback),
            record: spec.record,
        };
        self.asked = Some(Asked { spec, call, passed: Box::new(passed), reply });
        self.feed(self.anchor.now(), Input::Add(addition));
    }

    /// Keeps the facts of an event, and translates it.
    fn observe(&mut self, event: Event) {
        let at = self.anchor.at(event.at);
        let Some(party) = self.legs.iter().find(|leg| leg.id == event.leg).map(|leg| leg.party)
        else {
            return;
        };
        if matches!(event.kind, EventKind::Recorded { .. }) {
            return self.recorded(at, event.kind);
        }
        let (desk, line) = (self.shell.desk.clone(), self.line.clone());
        let leg = self.leg_mut(party);
        if let Some(trunk) = leg.trunk() {
            desk.watch(&trunk.name, at, &event.kind, leg.is_answered);
        }
        match &event.kind {
            EventKind::Trying => self.tell(at, Some(party), EventBody::Trying),
            EventKind::Ringing { code, early_media } => {
                let (code, early_media) = (*code, *early_media);
                if !std::mem::replace(&mut leg.has_rung, true) {
                    if let Some(facts) = &mut leg.facts {
                        facts.ringing(at);
                    }
                    self.tell(at, Some(party), EventBody::Ringing { code, early_media });
                }
            }
            EventKind::Answered { dialog, media } => {
                tracing::debug!(%party, codec = %media.codec, ptime_ms = media.ptime_ms, "media agreed");
                leg.is_answered = true;
                if let Some(facts) = &mut leg.facts {
                    facts.answered(at, dialog, &line, &leg.id);
                }
                self.tell(at, Some(party), EventBody::Answered);
            }
            EventKind::MediaLost { silent_ms } => {
                let silent_ms = *silent_ms;
                self.tell(at, Some(party), EventBody::MediaLost { silent_ms });
            }
            EventKind::Ended { termination, figures } => {
                leg.figures = *figures;
                leg.span.record("end", termination.to_string());
                leg.span = tracing::Span::none();
                leg.place = Place::Over;
                leg.hears.clear();
                let termination = map::termination(termination);
                leg.termination = Some(termination.clone());
                self.tell(at, Some(party), EventBody::Ended { termination });
            }
            _ => {}
        }
        if let Some(input) = map::leg_input(&event.kind) {
            self.feed(at, Input::Leg(party, input));
        }
    }

    /// Tells the machine, and does what it answers.
    async fn handle(&mut self, at: Micros, input: Input) -> Step {
        let is_start = matches!(input, Input::Start);
        if is_start && self.live.cancel.is_cancelled() {
            self.told_of_cancel = true;
            return self.handle_one(at, Input::Cancel).await;
        }
        self.handle_one(at, input).await
    }

    async fn handle_one(&mut self, at: Micros, input: Input) -> Step {
        let outputs = self.machine.handle(at, input);
        self.live.view.lock().phase = self.machine.phase();
        for output in outputs {
            match output {
                Output::Dial { party, attempt } => match self.dial(at, party, attempt).await {
                    Dialled::GoOn => {}
                    Dialled::NotStarted => return Step::NotStarted,
                },
                Output::Play { party, play, what } => self.play(at, party, play, what).await,
                Output::StopPlay { party, play } => self.stop_play(party, play).await,
                Output::Announce { party, what } => self.announce(at, party, what).await,
                Output::Connect(connection) => self.connect(at, connection).await,
                Output::StartRecording => self.start_recording(),
                Output::StopRecording => self.stop_recording(at).await,
                Output::HangUp { party, why } => self.hang_up(at, party, why).await,
                Output::Arm { timer, after_ms } => {
                    self.timers.arm(Alarm::Machine(timer), Instant::now(), after_ms);
                }
                Output::Disarm(timer) => self.timers.disarm(Alarm::Machine(timer)),
                Output::Status { party, status, cause, hangup_reason } => {
                    let leg = self.leg(party);
                    let told = LegStatus {
                        call: leg.call.clone(),
                        line: leg.line(),
                        shown: leg.side.shown.clone(),
                        is_called: party != Party::CALLER,
                        status,
                        at,
                        cause,
                        hangup_reason,
                        sip_code: leg.termination.as_ref().and_then(|ended| ended.sip_code),
                        seq: 0,
                    };
                    if status == CallStatus::Initiated {
                        self.leg_mut(party).untold = Some(told);
                    } else {
                        if status == CallStatus::Completed
                            && let Some(outcome) = self.machine.leg_outcome(party)
                        {
                            self.keep_undialled(party, &outcome).await;
                        }
                        self.tell_initiated(party);
                        self.teller.tell(told);
                    }
                    self.show(at, party, status).await;
                }
                Output::TrunkFailed { party, attempt, termination } => {
                    let trunk = usize::from(attempt);
                    self.tell(at, Some(party), EventBody::TrunkFailed { trunk, termination });
                }
                Output::AnswerCrossedCancel(party) => {
                    self.tell(at, Some(party), EventBody::AnswerCrossedCancel);
                }
                Output::Added(party) => self.added(at, party),
                Output::NotAdded(refusal) => {
                    if let Some(asked) = self.asked.take() {
                        // Whoever asked may have gone.
                        let _ = asked.reply.send(Err(refusal));
                    }
                }
                Output::Finished(outcome) => return Step::Over(outcome),
            }
        }
        Step::GoOn
    }

    /// The machine takes a third party in.
    fn added(&mut self, at: Micros, party: Party) {
        let Some(Asked { spec, call, passed, reply }) = self.asked.take() else { return };
        self.voices = spec.voices;
        self.legs.push(Leg::new(party, call, spec.callee, Some(passed)));
        self.tell(at, Some(party), EventBody::ThirdPartyAdded);
        let _ = reply.send(Ok(()));
    }

    /// Tells that a leg is dialled: once its row says so, or it has ended without one. A crash before
    /// that finds no row and leaves nothing that was told of the leg and not ended.
    pub(super) fn tell_initiated(&mut self, party: Party) {
        if let Some(told) = self.leg_mut(party).untold.take() {
            self.teller.tell(told);
        }
    }

    /// Keeps what onlookers see of a leg; one that is over gives its line back.
    async fn show(&mut self, at: Micros, party: Party, status: CallStatus) {
        let leg = &self.legs[usize::from(party.0)];
        let outcome = self.machine.leg_outcome(party);
        {
            let mut view = self.live.view.lock();
            let seen = match view.legs.iter().position(|seen| seen.party == party) {
                Some(index) => &mut view.legs[index],
                None => {
                    view.legs.push(TalkLeg {
                        party,
                        call: leg.call.clone(),
                        number: leg.side.number.clone(),
                        line: leg.side.line.clone(),
                        status,
                        started_at: at,
                        ring_at: None,
                        answered_at: None,
                        ended_at: None,
                        outcome: None,
                    });
                    let last = view.legs.len() - 1;
                    &mut view.legs[last]
                }
            };
            seen.status = status;
            seen.outcome.clone_from(&outcome);
            match status {
                CallStatus::Initiated => {}
                CallStatus::Ringing => seen.ring_at = Some(at),
                CallStatus::Answered => seen.answered_at = Some(at),
                CallStatus::Completed => seen.ended_at = Some(at),
            }
        }
        match status {
            // Whoever joins is recorded too, from its first audio on.
            CallStatus::Initiated => self.record_all().await,
            CallStatus::Ringing | CallStatus::Answered => {}
            CallStatus::Completed => {
                let leg = self.leg_mut(party);
                leg.place = Place::Over;
                leg.let_go();
                if let (Some(facts), Some(outcome)) = (&mut leg.facts, outcome) {
                    facts.left(&outcome);
                }
            }
        }
    }

    async fn hang_up(&mut self, at: Micros, party: Party, why: HangUpWhy) {
        self.tell(at, Some(party), EventBody::HangingUp { why });
        match self.leg(party).place {
            Place::Engine => {
                let leg = self.leg(party).id.clone();
                self.line.hang_up(&leg, map::hang_up(why)).await;
            }
            Place::Here => self.ended(at, party, Termination::new(EndKind::Cancelled)),
            Place::Over => {}
        }
    }
}

/// The prompts of a call as the machine knows them.
fn voices(names: &VoiceNames, ringback: Ringback) -> Voices {
    Voices {
        greets: names.greet.is_some(),
        ringback,
        caller_voice: names.caller.is_some(),
        callee_voice: names.callee.is_some(),
    }
}
