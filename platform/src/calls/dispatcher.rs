//! The one that dials: claims rows that are due, asks the gate, takes permits, starts
//! conversations. Everything that is to be called comes to it as a row.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use yunling_app::Directory;
use yunling_domain::batch::CANCELLED_RULE;
use yunling_domain::campaign;
use yunling_domain::event::EventBody;
use yunling_domain::numbers::Prefix;
use yunling_domain::{AccountId, ApplicationId, Fault, Micros, Number};
use yunling_store::attempts::platform_side::{
    Claim, Claimed, claim_due, next_due_at, release, renew_leases,
};
use yunling_store::attempts::{Attempt, AttemptLane};
use yunling_store::batches::platform_side::park;
use yunling_store::{Lane, StoreError};

use super::LEASE_MS;
use super::admission::Full;
use super::feeder::Halt;
use super::gate::{Passed, Verdict, Wanted};
use super::shell::Shell;
use super::story::Story;
use super::supervision;
use super::talk::{self, Undialled};
use super::waiting::{Waiter, Waiting};

/// Rows claimed at a time.
const CLAIM: usize = 64;
/// How often leases are renewed.
const RENEW_EVERY: Duration = Duration::from_secs(15);
/// The longest sleep: pokes may be lost, rows are the truth.
const SWEEP_MS: i64 = 1_000;
/// How long to leave the database alone after it failed.
const AFTER_FAILURE: Duration = Duration::from_millis(500);

/// Why a row is given up that no line came free for.
const WAITED_TOO_LONG: (&str, Fault) = ("queue_max_wait", Fault::Platform);

/// When a row comes again whose batch was resumed before this node has heard of it.
const PARK_LOOK_MS: i64 = 250;
/// Why a row of a cancelled batch is given up.
const CANCELLED: (&str, Fault) = (CANCELLED_RULE, Fault::Client);

/// Why a row is given up whose deadline has passed.
fn expiry(attempt: &Attempt) -> (&'static str, Fault) {
    match attempt.queued.rule.as_deref() {
        Some(CANCELLED_RULE) => CANCELLED,
        Some(campaign::PAUSED_RULE) => (campaign::PAUSED_RULE, Fault::Client),
        Some(campaign::CANCELLED_RULE) => (campaign::CANCELLED_RULE, Fault::Client),
        Some(rule) => match campaign::Rule::by_name(rule) {
            Some(rule) => (rule.name(), Fault::Client),
            None => WAITED_TOO_LONG,
        },
        None => WAITED_TOO_LONG,
    }
}

/// The dispatcher of one node.
pub(crate) struct Dispatcher {
    shell: Arc<Shell>,
    poked: Arc<Notify>,
    /// Cancelled when the node drains: nothing is claimed any more.
    draining: CancellationToken,
    running: TaskTracker,
    waiting: Waiting,
    /// Rows of paused batches, on their way back into the queue.
    parked: Vec<i64>,
}

/// What decides which limits a row meets.
#[derive(PartialEq, Eq, Hash)]
struct Origin {
    /// Batches may take less of a limit than others.
    lane: AttemptLane,
    account: AccountId,
    application: ApplicationId,
    from_number: Option<String>,
    /// Trunks come from the route where there is one.
    route: Option<Prefix>,
}

impl Origin {
    fn of(attempt: &Attempt, directory: &Directory) -> Self {
        let queued = &attempt.queued;
        let routes = directory.routes();
        let to = (!routes.is_empty()).then(|| Number::parse_dialable(&queued.to_number).ok());
        Self {
            route: to.flatten().and_then(|to| routes.find(&to).map(|(prefix, _)| prefix.clone())),
            lane: queued.lane,
            account: queued.account.clone(),
            application: queued.application.clone(),
            from_number: queued.from_number.clone(),
        }
    }
}

impl Dispatcher {
    /// A dispatcher that has claimed nothing yet.
    pub(super) fn new(
        shell: Arc<Shell>,
        poked: Arc<Notify>,
        draining: CancellationToken,
        running: TaskTracker,
    ) -> Self {
        Self { shell, poked, draining, running, waiting: Waiting::default(), parked: Vec::new() }
    }

    /// Dispatches until the node drains; gives back what it held and did not dial.
    pub(super) async fn run(mut self) {
        let mut renew = tokio::time::interval(RENEW_EVERY);
        renew.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while !self.draining.is_cancelled() {
            let sleep = match self.round().await {
                Ok(sleep) => sleep,
                Err(error) => {
                    tracing::warn!(%error, "the dispatcher could not claim rows");
                    AFTER_FAILURE
                }
            };
            tokio::select! {
                () = self.draining.cancelled() => {}
                () = self.poked.notified() => {}
                () = self.shell.admission.released.notified(), if self.waiting.len() > 0 => {}
                () = tokio::time::sleep(sleep) => {}
                _ = renew.tick() => self.renew_leases().await,
            }
        }
        self.give_back().await;
    }

    /// Starts whatever may start now; says how long there is nothing to do.
    async fn round(&mut self) -> Result<Duration, StoreError> {
        self.shell.desk.tick(self.shell.app.clock().now());
        self.shell.talks.expire();
        let mut more = true;
        while more && !self.draining.is_cancelled() {
            self.start_waiting();
            let room = self.waiting.room().map(|room| room.min(CLAIM));
            let claimed = self.claim(room).await?;
            more = claimed.expired.len() == CLAIM
                || room.iter().any(|room| *room > 0 && claimed.due.len() >= *room);
            for attempt in claimed.expired {
                let story = self.story_of(&attempt);
                if attempt.cancelled_at.is_some() {
                    self.end_cancelled(attempt, story);
                    continue;
                }
                let (rule, fault) = expiry(&attempt);
                self.drop_row(attempt, story, rule, fault);
            }
            for attempt in claimed.due {
                let story = self.story_of(&attempt);
                self.waiting.put(Waiter { attempt, story, until: None, waited_for: None });
            }
        }
        self.start_waiting();
        self.park().await?;
        self.waiting.settle();
        metrics::gauge!("yunling_calls_waiting_for_a_line").set(self.waiting.len() as f64);
        self.idle_for().await
    }

    async fn claim(&self, room: [usize; AttemptLane::ALL.len()]) -> Result<Claimed, StoreError> {
        let now = self.shell.app.clock().now();
        let claim = Claim {
            node: self.shell.node,
            now,
            lease_until: now.plus_ms(LEASE_MS),
            limits: room.map(|room| u32::try_from(room).unwrap_or(u32::MAX)),
            expired_limit: u32::try_from(CLAIM).unwrap_or(u32::MAX),
            skip: self.waiting.saturated(),
        };
        let writer = self.shell.app.store().writer();
        writer
            .write(Lane::Live, move |tx| Box::pin(async move { claim_due(tx, &claim).await }))
            .await
    }

    /// How long nothing can become due, at most [`SWEEP_MS`].
    async fn idle_for(&self) -> Result<Duration, StoreError> {
        let now = self.shell.app.clock().now();
        let mut at = now.plus_ms(SWEEP_MS);
        if let Some(due) = next_due_at(self.shell.app.store().reader(), now).await? {
            at = at.min(due);
        }
        if let Some(due) = self.waiting.next_at() {
            at = at.min(due);
        }
        // A millisecond more: a timer that fires just before its row is due would spin.
        let ms = at.ms_since(now).clamp(0, SWEEP_MS) + 1;
        Ok(Duration::from_millis(ms.unsigned_abs()))
    }

    /// Tries every row that waits, the most urgent first.
    fn start_waiting(&mut self) {
        let directory = self.shell.app.directory();
        let now = self.shell.app.clock().now();
        // Rows of the same origin meet the same limits: asking once a round is enough.
        let mut full: HashMap<Origin, Full> = HashMap::new();
        for mut row in self.waiting.take() {
            if row.attempt.cancelled_at.is_some() {
                self.end_cancelled(row.attempt, row.story);
                continue;
            }
            if row.attempt.queued.deadline_at <= now {
                let (rule, fault) = row.waited_for.map_or(WAITED_TOO_LONG, |full| full.expiry());
                self.drop_row(row.attempt, row.story, rule, fault);
                continue;
            }
            if row.attempt.queued.lane == AttemptLane::Talk {
                self.start_talk(row, &directory, now);
                continue;
            }
            if row.until.is_some_and(|until| until > now) {
                self.waiting.put(row);
                continue;
            }
            match self.shell.halted.of(&row.attempt.queued.request_id) {
                None => {}
                Some(Halt::Paused) => {
                    self.parked.push(row.attempt.id);
                    continue;
                }
                Some(Halt::Cancelled) => {
                    let (rule, fault) = CANCELLED;
                    self.drop_row(row.attempt, row.story, rule, fault);
                    continue;
                }
                Some(Halt::Withdrawn(rule)) => {
                    self.drop_row(row.attempt, row.story, rule, Fault::Client);
                    continue;
                }
            }
            let origin = Origin::of(&row.attempt, &directory);
            let verdict = match full.get(&origin) {
                Some(known) => Verdict::Wait(known.clone()),
                None => self.shell.gate.ask(&directory, Wanted::by_row(&row.attempt.queued), now),
            };
            match verdict {
                Verdict::Pass(passed) => {
                    self.waiting.served(&row.attempt.queued.account);
                    self.start(row, *passed, now);
                }
                Verdict::Wait(limit) => {
                    if row.waited_for.as_ref().is_none_or(|before| before.limit() != limit.limit())
                    {
                        tracing::debug!(conversation = %row.attempt.queued.conversation_id, limit = limit.limit(), "waits for a line");
                        row.story.tell(now, EventBody::Queued { limit: limit.limit().to_owned() });
                    }
                    row.until = limit.until;
                    row.waited_for = Some(limit.clone());
                    full.insert(origin, limit);
                    self.waiting.put(row);
                }
                Verdict::Defer { rule, until } => {
                    tracing::debug!(conversation = %row.attempt.queued.conversation_id, rule = rule.name(), "deferred by the gate");
                    row.until = Some(until);
                    self.waiting.put(row);
                }
                Verdict::Refuse { code, rule } => {
                    tracing::info!(conversation = %row.attempt.queued.conversation_id, code = code.name, rule, "refused by the gate when it was due");
                    self.drop_row(row.attempt, row.story, rule, code.fault);
                }
            }
        }
    }

    /// Puts rows of paused batches back, due when the batch goes on. Where that fails they are tried
    /// again with the next round.
    async fn park(&mut self) -> Result<(), StoreError> {
        if self.parked.is_empty() {
            return Ok(());
        }
        let ids = self.parked.clone();
        let again_at = self.shell.app.clock().now().plus_ms(PARK_LOOK_MS);
        let writer = self.shell.app.store().writer();
        writer
            .write(Lane::Live, move |tx| Box::pin(async move { park(tx, &ids, again_at).await }))
            .await?;
        self.parked.clear();
        Ok(())
    }

    /// The beginning of a row's story.
    fn story_of(&self, attempt: &Attempt) -> Story {
        let queued = &attempt.queued;
        let mut story = Story::new(queued.conversation_id.clone(), self.shell.app.clone());
        story.tell(queued.created_at, EventBody::Accepted { to: queued.to_shown.clone() });
        story
    }

    fn start(&self, row: Waiter, passed: Passed, now: Micros) {
        let Waiter { attempt, mut story, .. } = row;
        story.tell(
            now,
            EventBody::GateDecided {
                rule: passed.rule.name().to_owned(),
                allowed: true,
                from: Some(passed.from.clone()),
                trunks: passed.trunks.iter().map(|trunk| trunk.name.to_string()).collect(),
                route: passed.route.as_ref().map(ToString::to_string),
            },
        );
        self.running.spawn(supervision::supervise(Arc::clone(&self.shell), attempt, passed, story));
    }

    /// Starts a click's conversation with the line that was reserved for it. It waits for none: at a
    /// limit it is ended at once (RESOLUTIONS, at its limit).
    fn start_talk(&self, row: Waiter, directory: &Directory, now: Micros) {
        let Waiter { attempt, story, .. } = row;
        if attempt.cancelled_at.is_some() {
            return self.end_cancelled(attempt, story);
        }
        let mut begun = self.shell.talks.begin(&attempt.queued);
        let held = begun.permit.take();
        let wanted = Wanted { held, ..Wanted::by_row(&attempt.queued) };
        let (rule, fault) = match self.shell.gate.ask(directory, wanted, now) {
            Verdict::Pass(passed) => {
                let shell = Arc::clone(&self.shell);
                let run = talk::supervise(shell, attempt, *passed, story, begun);
                self.running.spawn(run);
                return;
            }
            Verdict::Wait(full) => (full.limit().to_owned(), full.expiry().1),
            Verdict::Refuse { code, rule } => (rule.to_owned(), code.fault),
            Verdict::Defer { rule, .. } => (rule.name().to_owned(), Fault::Client),
        };
        tracing::info!(conversation = %attempt.queued.conversation_id, rule, "a click was refused when it was due");
        let shell = Arc::clone(&self.shell);
        let why = Undialled::Refused(rule, fault);
        self.running.spawn(talk::never_dialled(shell, attempt, story, why));
    }

    /// Ends a click that was cancelled before anybody was dialled.
    fn end_cancelled(&self, attempt: Attempt, story: Story) {
        let shell = Arc::clone(&self.shell);
        self.running.spawn(talk::never_dialled(shell, attempt, story, Undialled::Cancelled));
    }

    /// Ends a row that no call is made for.
    fn drop_row(&self, attempt: Attempt, story: Story, rule: &'static str, fault: Fault) {
        let shell = Arc::clone(&self.shell);
        if attempt.queued.lane == AttemptLane::Talk {
            let why = Undialled::Refused(rule.to_owned(), fault);
            self.running.spawn(talk::never_dialled(shell, attempt, story, why));
            return;
        }
        self.running.spawn(supervision::never_dialled(shell, attempt, story, rule, fault));
    }

    async fn renew_leases(&self) {
        let node = self.shell.node;
        let until = self.shell.app.clock().now().plus_ms(LEASE_MS);
        let writer = self.shell.app.store().writer();
        let renewed = writer
            .write(Lane::Live, move |tx| {
                Box::pin(async move { renew_leases(tx, node, until).await })
            })
            .await;
        if let Err(error) = renewed {
            tracing::warn!(%error, "the leases of running calls were not renewed");
        }
    }

    /// Puts what was claimed and not dialled back into the queue. Where that fails, the next start
    /// finds the rows as this node's orphans.
    async fn give_back(&mut self) {
        let mut ids: Vec<i64> = self.waiting.take().iter().map(|row| row.attempt.id).collect();
        ids.append(&mut self.parked);
        let now = self.shell.app.clock().now();
        let writer = self.shell.app.store().writer();
        let released = writer
            .write(Lane::Live, move |tx| Box::pin(async move { release(tx, &ids, now).await }))
            .await;
        if let Err(error) = released {
            tracing::warn!(%error, "claimed rows were not given back");
        }
    }
}
