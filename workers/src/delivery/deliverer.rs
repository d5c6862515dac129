//! The task that looks at the outbox, claims what may go, and keeps the lanes.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::Notify;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;
use tracing::field::Empty;
use yunling_app::{App, trace_context};
use yunling_domain::Micros;
use yunling_store::deliveries::Delivery;
use yunling_store::deliveries::platform_side::{self, Due, Waiting};
use yunling_store::{Lane, StoreError, trace_contexts};

use super::lanes::Lanes;
use super::record::{self, Record};
use super::schedule::{self, JITTER_PER_MILLE, Next, Outcome};
use super::sender::{self, Sender};
use super::wakes::Wakes;
use super::{DeliverySettings, claim_ms, millis};
use super::{alarm, hold_back};

/// Rows of one receiver that one window reads: more than a lane is wide, because first attempts of
/// one conversation wait for each other and must not hide another conversation's.
const WINDOW_PER_ENDPOINT: u64 = 32;
/// Receivers of one window.
const WINDOW_ENDPOINTS: u64 = 256;
/// Rows that one window reads at most; a body is some 500 bytes.
const WINDOW_ROWS: u64 = 4_096;
/// Windows of one look at most; the next look goes on behind them.
const WINDOWS: usize = 16;
/// After the database failed, it is looked at again after this time, milliseconds.
const LOOK_AGAIN_MS: u64 = 1_000;

/// How one delivery's task ended.
#[derive(Debug)]
struct Ended {
    id: String,
    /// None where the receiver was not asked.
    answered: Option<bool>,
    due_again: Option<Micros>,
}

/// The state of the task.
pub(super) struct Deliverer {
    app: App,
    sender: Sender,
    lanes: Lanes,
    wakes: Wakes,
    running: JoinSet<Ended>,
    /// Which delivery a task has, for the case that it panics.
    tasks: HashMap<Id, String>,
    /// The receiver behind which the next window begins.
    above: i64,
    /// Whether deliveries are due that had no seat at the last look.
    others_wait: bool,
    /// The next look without a reason.
    sweep_at: Instant,
    sweep_ms: u64,
    finish_ms: u64,
    claim_ms: i64,
}

impl Deliverer {
    pub(super) fn new(
        app: App,
        sender: Sender,
        lanes: Lanes,
        wakes: Wakes,
        settings: &DeliverySettings,
    ) -> Self {
        Self {
            app,
            sender,
            lanes,
            wakes,
            running: JoinSet::new(),
            tasks: HashMap::new(),
            above: 0,
            others_wait: false,
            sweep_at: Instant::now(),
            sweep_ms: settings.sweep_ms.max(1),
            finish_ms: settings.finish_ms,
            claim_ms: claim_ms(settings.callbacks.timeout_ms),
        }
    }

    /// Runs until `stopping`.
    pub(super) async fn run(mut self, poked: Arc<Notify>, stopping: CancellationToken) {
        loop {
            let wake_at = self.wake_at();
            tokio::select! {
                biased;
                () = stopping.cancelled() => break,
                Some(ended) = self.running.join_next_with_id() => {
                    self.finish(ended);
                    // All that have ended give back their seats before one look fills them.
                    while let Some(ended) = self.running.try_join_next_with_id() {
                        self.finish(ended);
                    }
                    if !self.others_wait {
                        continue;
                    }
                }
                () = poked.notified() => {}
                () = tokio::time::sleep_until(wake_at) => {}
            }
            if let Err(error) = self.look().await {
                tracing::warn!(%error, "the outbox could not be looked at; again in {LOOK_AGAIN_MS} ms");
                self.sweep_at = Instant::now() + millis(LOOK_AGAIN_MS);
            }
        }
        self.wind_down().await;
    }

    fn wake_at(&mut self) -> Instant {
        let near = self.wakes.wait_ms(self.app.clock().now());
        let near = near.map(|wait_ms| Instant::now() + millis(wait_ms));
        near.map_or(self.sweep_at, |near| near.min(self.sweep_at))
    }

    /// Claims what is due and has a seat, and sends it on its way.
    async fn look(&mut self) -> Result<(), StoreError> {
        if self.sweep_at <= Instant::now() {
            self.sweep_at = Instant::now() + millis(self.sweep_ms);
        }
        self.others_wait = false;
        // Once round all receivers, from where the last look stopped.
        let from = self.above;
        let mut wrapped = from == 0;
        for _ in 0..WINDOWS {
            if !self.lanes.has_room() {
                self.others_wait = true;
                break;
            }
            let next = self.window().await?;
            self.above = next.unwrap_or(0);
            match next {
                None if wrapped => break,
                None => wrapped = true,
                Some(above) if wrapped && from > 0 && above >= from => break,
                Some(_) => {}
            }
        }
        self.show();
        Ok(())
    }

    /// Some receivers' due deliveries. Gives the receiver behind which there are more.
    async fn window(&mut self) -> Result<Option<i64>, StoreError> {
        let now = self.app.clock().now();
        let wanted = Due {
            now,
            per_endpoint: WINDOW_PER_ENDPOINT,
            endpoints: WINDOW_ENDPOINTS,
            limit: WINDOW_ROWS,
            above: self.above,
            exclude: self.lanes.full(),
            exclude_accounts: self.lanes.full_accounts(),
        };
        let due = platform_side::due(self.app.store().reader(), &wanted).await?;
        let may_be_more = !wanted.exclude.is_empty()
            || !wanted.exclude_accounts.is_empty()
            || due.go_on_above.is_some()
            || due.deliveries.len() as u64 >= WINDOW_PER_ENDPOINT;
        let picked = self.lanes.pick(due.deliveries);
        self.others_wait |= picked.others_wait || may_be_more;
        if !picked.now.is_empty() {
            self.claim(picked.now, now.plus_ms(self.claim_ms)).await?;
        }
        Ok(due.go_on_above)
    }

    async fn claim(&mut self, picked: Vec<Delivery>, until: Micros) -> Result<(), StoreError> {
        let wanted: Vec<(String, i64)> =
            picked.iter().map(|delivery| (delivery.caused.id.clone(), delivery.version)).collect();
        let claimed = self
            .app
            .store()
            .writer()
            .write(Lane::Live, move |tx| {
                Box::pin(async move {
                    let mut versions = Vec::with_capacity(wanted.len());
                    for (id, version) in &wanted {
                        versions.push(platform_side::claim(tx, id, *version, until).await?);
                    }
                    Ok(versions)
                })
            })
            .await;
        let versions = match claimed {
            Ok(versions) => versions,
            Err(error) => {
                for delivery in &picked {
                    self.lanes.leave(&delivery.caused.id, None);
                }
                self.others_wait = true;
                return Err(error);
            }
        };
        for (delivery, version) in picked.into_iter().zip(versions) {
            match version {
                Some(version) => self.send(delivery, version),
                // Another node was faster, or somebody re-sent it this moment.
                None => self.lanes.leave(&delivery.caused.id, None),
            }
        }
        Ok(())
    }

    fn send(&mut self, delivery: Delivery, version: i64) {
        let id = delivery.caused.id.clone();
        let (app, sender) = (self.app.clone(), self.sender.clone());
        let task = self.running.spawn(traced(app, sender, delivery, version));
        self.tasks.insert(task.id(), id);
    }

    /// One delivery's task has ended: its seat is free.
    fn finish(&mut self, ended: Result<(Id, Ended), JoinError>) {
        match ended {
            Ok((task, ended)) => {
                self.tasks.remove(&task);
                self.lanes.leave(&ended.id, ended.answered);
                if let Some(at) = ended.due_again {
                    self.wakes.add(at, self.app.clock().now());
                }
            }
            Err(error) => {
                let id = self.tasks.remove(&error.id()).unwrap_or_default();
                self.lanes.leave(&id, None);
                metrics::counter!("yunling_delivery_attempts_total", "outcome" => "panicked")
                    .increment(1);
                tracing::error!(delivery = id, %error, "an attempt panicked; its claim runs out");
            }
        }
    }

    fn show(&self) {
        metrics::gauge!("yunling_deliveries_in_flight").set(self.lanes.in_flight() as f64);
        metrics::gauge!("yunling_delivery_lanes_busy").set(self.lanes.busy() as f64);
    }

    async fn wind_down(mut self) {
        let until = Instant::now() + millis(self.finish_ms);
        while let Ok(Some(ended)) =
            tokio::time::timeout_at(until, self.running.join_next_with_id()).await
        {
            self.finish(ended);
        }
        if !self.running.is_empty() {
            tracing::warn!(
                dropped = self.running.len(),
                "attempts in flight were dropped; they are repeated"
            );
        }
        self.running.shutdown().await;
    }
}

/// [`attempt`] as a part of the trace of the call that caused the callback.
async fn traced(app: App, sender: Sender, delivery: Delivery, version: i64) -> Ended {
    if !trace_context::is_on() {
        return Box::pin(attempt(app, sender, delivery, version)).await;
    }
    let id = &delivery.caused.id;
    let parent = trace_contexts::platform_side::get(app.store().reader(), id).await;
    let span = tracing::info_span!(
        "callback",
        method = "POST",
        delivery = %id,
        account = %delivery.account,
        conversation = delivery.caused.conversation_id.as_ref().map(|id| id.as_str()),
        attempt = delivery.tries + 1,
        status = Empty,
        why = Empty,
        trace_id = Empty,
    );
    // Where it cannot be read the callback has a trace of its own.
    trace_context::adopt(&span, parent.ok().flatten().as_deref());
    Box::pin(attempt(app, sender, delivery, version)).instrument(span).await
}

/// One attempt at one delivery, from the POST to the record.
async fn attempt(app: App, sender: Sender, delivery: Delivery, version: i64) -> Ended {
    let directory = app.directory();
    let application = directory.application(&delivery.account, &delivery.caused.application);
    let secrets = application.map(|application| &application.webhook_secrets[..]);
    let report = sender.send(&delivery, secrets, app.clock().now()).await;
    if trace_context::is_on() {
        let span = tracing::Span::current();
        span.record("status", report.attempt.status);
        span.record("why", report.attempt.error.as_deref());
    }
    let extra_tried = extra_tried(&app, &delivery).await;
    let (outcome, retry_after_ms) = (report.outcome, report.retry_after_ms);
    let next = schedule::next(delivery.tries, extra_tried, outcome, retry_after_ms, jitter(&app));
    metrics::histogram!("yunling_delivery_attempt_seconds")
        .record(f64::from(report.attempt.latency_ms) / 1_000.0);
    let record =
        Record { version, attempt: report.attempt, next, ended_at: app.clock().now(), delivery };
    let written = record::write(&app, &record).await;
    tell(&record, written.as_ref().err());
    if written.is_ok() && next == Next::Disable {
        hold_back_address(&app, &record.delivery).await;
    }
    Ended {
        id: record.delivery.caused.id,
        answered: (outcome != Outcome::Unsigned).then_some(report.answered),
        due_again: written.ok().flatten(),
    }
}

/// Whether this round had the extra try. Where that cannot be read, the longer wait is taken.
async fn extra_tried(app: &App, delivery: &Delivery) -> bool {
    if delivery.tries == 0 {
        return false;
    }
    let id = &delivery.caused.id;
    match platform_side::first_of_round(app.store().reader(), id, delivery.tries).await {
        Ok(first) => first.as_ref().is_some_and(sender::had_no_connection),
        Err(error) => {
            tracing::warn!(delivery = id, %error, "the attempts of this round were not read");
            false
        }
    }
}

/// All that waits for the same address will be answered the same.
async fn hold_back_address(app: &App, delivery: &Delivery) {
    let what =
        Waiting { endpoint_id: delivery.endpoint_id, url: Some(delivery.caused.url.clone()) };
    match hold_back::run(app, &what).await {
        Ok(held_back) => {
            tracing::info!(endpoint = what.endpoint_id, held_back, "callbacks were held back");
        }
        Err(error) => {
            tracing::warn!(endpoint = what.endpoint_id, %error, "not all callbacks were held back; the rest is tried");
        }
    }
}

fn jitter(app: &App) -> u16 {
    let mut bytes = [0; 2];
    app.random().fill(&mut bytes);
    u16::from_le_bytes(bytes) % (JITTER_PER_MILLE + 1)
}

/// Counts and logs an attempt. Never the URL: tenants put keys into its query.
fn tell(record: &Record, not_written: Option<&StoreError>) {
    let outcome = match (not_written, record.next) {
        (Some(_), _) => "not_written",
        (None, Next::Delivered) => "delivered",
        (None, Next::After(_)) => "to_be_retried",
        (None, Next::Postpone(_)) => "unsigned",
        (None, Next::GiveUp) => "given_up",
        (None, Next::Disable) => "endpoint_disabled",
    };
    metrics::counter!("yunling_delivery_attempts_total", "outcome" => outcome).increment(1);
    let (delivery, attempt) = (&record.delivery, &record.attempt);
    let error = attempt.error.as_deref().unwrap_or_default();
    let id = &delivery.caused.id;
    match (not_written, record.next) {
        (Some(unwritten), _) => {
            tracing::error!(delivery = id, error = %unwritten, "an attempt was not written; it is repeated");
        }
        (None, Next::Delivered) => {
            tracing::debug!(
                delivery = id,
                status = attempt.status,
                latency_ms = attempt.latency_ms,
                "delivered"
            );
        }
        (None, Next::After(wait_ms)) => {
            tracing::info!(
                delivery = id,
                tries = delivery.tries + 1,
                wait_ms,
                error,
                "to be retried"
            );
        }
        (None, Next::GiveUp) => {
            tracing::warn!(
                delivery = id,
                tries = delivery.tries + 1,
                error,
                "given up; it can be re-sent"
            );
        }
        (None, Next::Postpone(wait_ms)) => {
            tracing::error!(
                delivery = id,
                account = %delivery.account,
                application = %delivery.caused.application,
                wait_ms,
                error,
                "a callback cannot be signed; it waits"
            );
        }
        (None, Next::Disable) => {
            alarm::tell(&delivery.account, delivery.endpoint_id, "gone", error);
        }
    }
}
