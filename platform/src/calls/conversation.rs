//! The one task that owns a conversation: it feeds the machine engine events, timers and the
//! node's shutdown in order, and carries out what the machine answers.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::Span;
use yunling_app::directory::Trunk;
use yunling_app::render_contents::Rendered;
use yunling_app::trace_context;
use yunling_domain::event::{EventBody, KeyMeaning};
use yunling_domain::notice::{Input, NoticeMachine, Outcome, Output, Plan, Segment, TimerReason};
use yunling_domain::{EndKind, Micros, Number, Termination};
use yunling_store::attempts::{Attempt, AttemptLane};
use yunling_switch_contract::{
    Command, Dial, Event, EventKind, LegId, MediaFigures, Play, PlayId, PlayItem, PlayMode,
};

use super::admission::{Full, Permit};
use super::anchor::Anchor;
use super::engine_line::EngineLine;
use super::facts::Facts;
use super::routes::Route;
use super::shell::Shell;
use super::story::Story;
use super::timers::Timers;
use super::{map, sip_trace, speak, trunk};

/// How often a call that waits for its next trunk looks for a free line.
const LINE_LOOK_MS: i64 = 50;

/// Everything one conversation needs, gathered by the dispatcher before it starts.
pub(super) struct Briefing {
    pub(super) shell: Arc<Shell>,
    pub(super) attempt: Attempt,
    /// The allowed trunks in the order in which they are tried; the first is held by `permit`.
    pub(super) trunks: Vec<Arc<Trunk>>,
    pub(super) permit: Permit,
    pub(super) to: Number,
    /// The line number to show.
    pub(super) from: Number,
    pub(super) rendered: Rendered,
    pub(super) plan: Plan,
    pub(super) story: Story,
    /// Seen from outside, should the task panic.
    pub(super) progress: Arc<Progress>,
}

/// How far a call has got.
#[derive(Debug, Default)]
pub(super) struct Progress(parking_lot::Mutex<Reached>);

/// When a call rang and was answered.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Reached {
    pub(super) ring_at: Option<Micros>,
    pub(super) answered_at: Option<Micros>,
}

impl Progress {
    /// How far it is now.
    pub(super) fn reached(&self) -> Reached {
        *self.0.lock()
    }
}

/// What a conversation came to.
pub(super) enum Ending {
    /// It was dialled, and this is what came of it.
    Finished(Box<Finished>),
    /// It could not be marked as invited, so it was not dialled: the row is claimed again later.
    NotStarted(Box<Attempt>),
}

/// The facts of a conversation that is over.
pub(super) struct Finished {
    pub(super) attempt: Attempt,
    pub(super) outcome: Outcome,
    pub(super) stamps: Stamps,
    /// The trunk that was tried last.
    pub(super) trunk: Option<Arc<str>>,
    /// The line number shown.
    pub(super) from_number: Option<String>,
    pub(super) figures: MediaFigures,
    pub(super) story: Story,
}

/// When things happened.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stamps {
    pub(super) started_at: Micros,
    pub(super) ring_at: Option<Micros>,
    pub(super) answered_at: Option<Micros>,
    pub(super) ended_at: Micros,
}

/// A conversation that runs.
struct Conversation {
    shell: Arc<Shell>,
    attempt: Attempt,
    trunks: Vec<Arc<Trunk>>,
    permit: Permit,
    to: Number,
    from: Number,
    rendered: Rendered,
    story: Story,
    machine: NoticeMachine,
    route: Route,
    line: EngineLine,
    timers: Timers<TimerReason>,
    anchor: Anchor,
    progress: Arc<Progress>,
    facts: Facts,
    leg: LegId,
    /// The try that is under way, for the call's trace.
    leg_span: Span,
    trunk: usize,
    stamps: Stamps,
    figures: MediaFigures,
    /// Whether the contents were played before.
    has_spoken: bool,
    /// What the machine has still to be told.
    inputs: VecDeque<(Micros, Input)>,
    /// Whether the machine has been told of the shutdown.
    told_of_shutdown: bool,
}

/// What carrying out one answer of the machine led to.
enum Step {
    GoOn,
    Over(Outcome),
    NotStarted,
}

/// Runs a conversation to its end.
pub(super) async fn run(briefing: Briefing) -> Ending {
    let mut conversation = Conversation::new(briefing);
    loop {
        while let Some((at, input)) = conversation.inputs.pop_front() {
            match conversation.handle(at, input).await {
                Step::GoOn => {}
                Step::Over(outcome) => return conversation.finish(outcome).await,
                Step::NotStarted => return Ending::NotStarted(Box::new(conversation.attempt)),
            }
        }
        conversation.wait().await;
    }
}

impl Conversation {
    fn new(briefing: Briefing) -> Self {
        let Briefing { shell, attempt, trunks, permit, to, from, rendered, plan, story, progress } =
            briefing;
        let anchor = Anchor::new(shell.app.clock().now());
        let now = anchor.now();
        let route = shell.routes.open();
        let traces = shell.app.sip_traces();
        sip_trace::open(traces, route.owner(), &attempt.queued, &anchor);
        Self {
            machine: NoticeMachine::new(plan),
            route,
            line: shell.line(),
            leg_span: Span::none(),
            timers: Timers::default(),
            progress,
            facts: Facts::new(shell.app.store().clone(), shell.node, &attempt, from.stored()),
            leg: LegId::new(attempt.queued.call_id.as_str()),
            trunk: 0,
            stamps: Stamps { started_at: now, ring_at: None, answered_at: None, ended_at: now },
            figures: MediaFigures::default(),
            has_spoken: false,
            inputs: VecDeque::from([(now, Input::Start)]),
            told_of_shutdown: false,
            shell,
            attempt,
            trunks,
            permit,
            to,
            from,
            rendered,
            story,
            anchor,
        }
    }

    /// Waits for whatever comes next, and queues it for the machine.
    async fn wait(&mut self) {
        let closing = self.shell.closing.clone();
        let (at, input) = tokio::select! {
            event = self.route.next() => {
                let at = self.anchor.at(event.at);
                match self.observe(at, event) {
                    Some(input) => (at, input),
                    None => return,
                }
            }
            reason = self.timers.next() => (self.anchor.now(), Input::Timer(reason)),
            () = closing.cancelled(), if !self.told_of_shutdown => {
                self.told_of_shutdown = true;
                (self.anchor.now(), Input::Shutdown)
            }
            () = self.facts.settle() => return,
        };
        self.inputs.push_back((at, input));
    }

    /// Keeps the facts of an event, and translates it.
    fn observe(&mut self, at: Micros, event: Event) -> Option<Input> {
        match &event.kind {
            EventKind::Ringing { .. } if self.stamps.ring_at.is_none() => {
                self.stamps.ring_at = Some(at);
                self.progress.0.lock().ring_at = Some(at);
                self.facts.ringing(at);
            }
            EventKind::Answered { dialog, media } => {
                tracing::debug!(codec = %media.codec, ptime_ms = media.ptime_ms, telephone_event = media.telephone_event, "media agreed");
                self.stamps.answered_at = Some(at);
                self.progress.0.lock().answered_at = Some(at);
                self.facts.answered(at, dialog, &self.line, &self.leg);
            }
            EventKind::Ended { figures, termination } => {
                self.figures = *figures;
                self.leg_span.record("end", termination.to_string());
                self.leg_span = Span::none();
            }
            _ => {}
        }
        let trunk = &self.trunks[self.trunk].name;
        self.shell.desk.watch(trunk, at, &event.kind, self.stamps.answered_at.is_some());
        map::input(&event.kind)
    }

    /// Tells the machine, and does what it answers.
    async fn handle(&mut self, at: Micros, input: Input) -> Step {
        for output in self.machine.handle(at, input) {
            match output {
                Output::Dial { attempt, trunk } => {
                    if let Some(step) = self.dial(at, attempt, trunk).await {
                        return step;
                    }
                }
                Output::Play { play, what } => self.play(play, what).await,
                Output::StopPlay { play } => {
                    let leg = self.leg.clone();
                    self.line.direct(Command::StopPlay { leg, play: PlayId(play) }).await;
                }
                Output::AwaitKeys(on) => {
                    let leg = self.leg.clone();
                    self.line.direct(Command::AwaitKeys { leg, on }).await;
                }
                Output::HangUp(why) => self.line.hang_up(&self.leg, map::hang_up(why)).await,
                Output::Arm { timer, after_ms } => {
                    self.timers.arm(timer, Instant::now(), after_ms);
                }
                Output::Disarm(timer) => self.timers.disarm(timer),
                Output::Event(body) => {
                    if let EventBody::KeyPressed { key, meaning: KeyMeaning::Finish } = body {
                        self.facts.confirmed(key);
                    }
                    self.tell(at, body);
                }
                Output::Finished(outcome) => {
                    self.stamps.ended_at = at;
                    return Step::Over(outcome);
                }
            }
        }
        Step::GoOn
    }

    /// Commits that the call may leave, and only then lets it. Gives a step where the conversation
    /// does not go on.
    async fn dial(&mut self, at: Micros, attempt: u8, trunk: usize) -> Option<Step> {
        if trunk != self.trunk {
            let next = &self.trunks[trunk].name;
            if self.shell.desk.is_closed(next) {
                self.shell.desk.passed_over(next);
                self.leg_failed(at, EndKind::Unreachable, "the trunk is down or being drained");
                return None;
            }
            self.permit.leave_trunk(&self.trunks[self.trunk].name);
            match self.next_trunk(&self.trunks[trunk]).await {
                Ok(permit) => self.permit.join(permit),
                Err(full) => {
                    tracing::info!(trunk = %self.trunks[trunk].name, limit = full.limit(), "the next trunk has no line free");
                    self.leg_failed(at, EndKind::Unreachable, "no line is free on this trunk");
                    return None;
                }
            }
        }
        if trunk != self.trunk {
            self.shell.desk.failed_over(&self.trunks[self.trunk].name);
        }
        self.trunk = trunk;
        let chosen = Arc::clone(&self.trunks[trunk]);
        if let Err(error) = self.facts.invited(at, &chosen.name, attempt).await {
            tracing::warn!(%error, "a call was not dialled: it could not be marked as invited");
            if attempt == 0 {
                return Some(Step::NotStarted);
            }
            self.leg_failed(at, EndKind::EngineFault, "the database did not take the next attempt");
            return None;
        }
        self.leg_span = self.span_of_try(&chosen.name, attempt);
        let dial = Dial {
            leg: self.leg.clone(),
            owner: self.route.owner(),
            attempt,
            peer: trunk::peer(&chosen),
            to: trunk::number(&self.to, &chosen),
            from: trunk::number(&self.from, &chosen),
            codecs: trunk::codecs(&chosen),
        };
        if self.line.command(Command::Dial(Box::new(dial))).await {
            self.shell.desk.dialled(&chosen.name, at);
        } else {
            self.leg_failed(at, EndKind::EngineFault, "the call engine is overloaded");
        }
        None
    }

    /// A span for one try of the call; none where no traces are exported.
    fn span_of_try(&self, trunk: &str, attempt: u8) -> Span {
        if !trace_context::is_on() {
            return Span::none();
        }
        tracing::info_span!("leg", call = %self.leg, trunk, attempt, end = tracing::field::Empty)
    }

    async fn play(&mut self, play: u32, what: Segment) {
        let mut items = Vec::new();
        let pieces = match what {
            Segment::Contents => {
                // With keys the wait for them parts the plays; without, something else has to.
                if self.has_spoken && !self.rendered.listens {
                    items.push(PlayItem::Silence {
                        ms: self.shell.app.settings().speech.replay_gap_ms,
                    });
                }
                self.has_spoken = true;
                &self.rendered.contents
            }
            Segment::FinishVoice => &self.rendered.finish_voice,
        };
        items.extend(speak::items(pieces));
        let (play, mode) = (PlayId(play), PlayMode::Once);
        let play = Play { leg: self.leg.clone(), play, items, mode };
        self.line.direct(Command::Play(Box::new(play))).await;
    }

    /// The share of the next trunk. A call that has begun waits for it as long as a queued one: the
    /// callee has not been rung yet.
    async fn next_trunk(&self, trunk: &Trunk) -> Result<Permit, Full> {
        let longest = &self.shell.app.settings().calls.queue_max_wait;
        let wait_s = match self.attempt.queued.lane {
            AttemptLane::Captcha => longest.captchas_s,
            // A talk's legs have a task of their own, which waits for no line.
            AttemptLane::Talk | AttemptLane::Notice | AttemptLane::Batch => longest.notices_s,
        };
        let share = self.shell.gate.share(self.attempt.queued.lane);
        let patient_until = Instant::now() + Duration::from_secs(u64::from(wait_s));
        loop {
            let now = self.anchor.now();
            let full = match self.shell.admission.take_trunk(trunk, share, now) {
                Ok(permit) => return Ok(permit),
                Err(full) => full,
            };
            if Instant::now() >= patient_until || self.shell.closing.is_cancelled() {
                return Err(full);
            }
            let until_ms = full.until.map_or(LINE_LOOK_MS, |until| until.ms_since(now) + 1);
            let pause = until_ms.clamp(1, LINE_LOOK_MS).unsigned_abs();
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
    }

    fn leg_failed(&mut self, at: Micros, kind: EndKind, text: &str) {
        let termination = Termination { text: text.to_owned(), ..Termination::new(kind) };
        self.inputs.push_back((at, Input::LegEnded(termination)));
    }

    fn tell(&mut self, at: Micros, body: EventBody) {
        self.story.tell(at, body);
    }

    async fn finish(mut self, outcome: Outcome) -> Ending {
        // What is still on its way to the writer is older than the end, so it goes first.
        tokio::select! {
            () = self.facts.settle_all() => {}
            () = self.shell.closing.cancelled() => {}
        }
        let trunk = (outcome.attempts > 0).then(|| Arc::clone(&self.trunks[self.trunk].name));
        if !outcome.answered {
            self.stamps.answered_at = None;
        }
        Ending::Finished(Box::new(Finished {
            attempt: self.attempt,
            outcome,
            stamps: self.stamps,
            trunk,
            from_number: Some(self.from.stored()),
            figures: self.figures,
            story: self.story,
        }))
    }
}
