//! Around every conversation: its contents are rendered before it starts, a panic in it ends the
//! call and is accounted for, and its record is written however long the database is away.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tracing::field::Empty;
use tracing::{Instrument, Span};
use yunling_app::campaigns::brief::{self, Brief};
use yunling_app::directory::Application;
use yunling_app::finish_call::{self, AttemptFacts};
use yunling_app::render_contents::{self, Rendered};
use yunling_app::{App, Refusal, callee_facts, trace_context};
use yunling_domain::call_cause::CallCause;
use yunling_domain::contents::NoticeSpec;
use yunling_domain::error_code::{DATABASE_UNAVAILABLE, INTERNAL, OVERLOADED, SHUTTING_DOWN};
use yunling_domain::event::EventBody;
use yunling_domain::notice::{Outcome, Plan};
use yunling_domain::{Fault, Micros, Number, policy};
use yunling_store::attempts::{self, Attempt, AttemptLane};
use yunling_store::{Lane, RequestKind, StoreError, requests, trace_contexts};
use yunling_switch_contract::{Command, HangUpWhy, LegId, MediaFigures};

use super::LEASE_MS;
use super::conversation::{self, Briefing, Ending, Finished, Progress, Stamps};
use super::gate::Passed;
use super::shell::Shell;
use super::sip_trace;
use super::story::Story;
use super::talk;

/// Pauses between tries to write a record; the last one is repeated.
const RECORD_RETRY_MS: [u64; 6] = [50, 200, 500, 1_000, 2_000, 5_000];
/// How long a row that could not be dialled for the database's sake is left alone.
const NOT_STARTED_PAUSE_MS: i64 = 500;

/// Runs one call from permit to record.
pub(super) async fn supervise(shell: Arc<Shell>, attempt: Attempt, passed: Passed, story: Story) {
    let span = conversation_span(&shell, &attempt).await;
    async move {
        let mut spare = attempt.clone();
        let progress = Arc::<Progress>::default();
        let call = run(Arc::clone(&shell), attempt, passed, story, Arc::clone(&progress));
        let call = AssertUnwindSafe(call);
        match call.catch_unwind().await {
            Ok(()) => {}
            Err(panic) => {
                tracing::error!(
                    panic = describe(&panic),
                    "a conversation's task panicked: platform fault"
                );
                metrics::counter!("yunling_conversation_panics_total").increment(1);
                let leg = LegId::new(spare.queued.call_id.as_str());
                let hang_up = Command::HangUp { leg, why: HangUpWhy::PlatformFault };
                // A panic may come from the engine's own side of the line; the record comes first.
                let _ = std::panic::catch_unwind(AssertUnwindSafe(|| shell.engine.send(hang_up)));
                let reached = progress.reached();
                spare.ring_at = reached.ring_at;
                spare.answered_at = reached.answered_at;
                interrupted(&shell, spare, None).await;
            }
        }
    }
    .instrument(span)
    .await;
}

/// The span of a conversation, a part of the trace in which it was asked for.
pub(super) async fn conversation_span(shell: &Shell, attempt: &Attempt) -> Span {
    let span = tracing::info_span!(
        "conversation",
        conversation = %attempt.queued.conversation_id,
        call = %attempt.queued.call_id,
        account = %attempt.queued.account,
        trace_id = Empty,
        result = Empty,
        cause = Empty,
        fault = Empty,
    );
    join_trace(shell, attempt, &span).await;
    span
}

/// Makes a span a part of the trace in which a call was asked for.
pub(super) async fn join_trace(shell: &Shell, attempt: &Attempt, span: &Span) {
    if !trace_context::is_on() {
        return;
    }
    let key = attempt.queued.request_id.as_str();
    let parent = trace_contexts::platform_side::get(shell.app.store().reader(), key).await;
    let parent = parent.unwrap_or_else(|error| {
        tracing::warn!(%error, "a call's trace begins anew: its context was not read");
        None
    });
    trace_context::adopt(span, parent.as_deref());
}

async fn run(
    shell: Arc<Shell>,
    attempt: Attempt,
    passed: Passed,
    story: Story,
    progress: Arc<Progress>,
) {
    let Passed { application, trunks, permit, to, from, rule: _, route: _ } = passed;
    let (spec, rendered) = match contents(&shell.app, &attempt, &application, &to).await {
        Ok(Said::Contents(contents)) => *contents,
        Ok(Said::Withheld(rule)) => {
            drop(permit);
            return close_undialled(&shell, attempt, story, rule, Fault::Client).await;
        }
        Err(error) if is_passing(&error) => {
            tracing::warn!(%error, "a call was not begun: the database is away");
            drop(permit);
            return put_back(&shell, attempt).await;
        }
        Err(error) => {
            tracing::warn!(%error, "the contents of a call cannot be said");
            drop(permit);
            let rule = "contents_renderable";
            return close_undialled(&shell, attempt, story, rule, error.code.fault).await;
        }
    };
    let calls = &shell.app.settings().calls;
    let plan = Plan {
        ring_ms: calls.ring_ms,
        no_reply_ms: calls.no_reply_ms,
        max_duration_ms: calls.max_duration_ms,
        key_window_ms: calls.key_window_ms,
        max_plays: calls.max_plays,
        ..Plan::new(&spec, trunks.len())
    };
    let briefing = Briefing {
        shell: Arc::clone(&shell),
        attempt,
        trunks,
        permit,
        to,
        from,
        rendered,
        plan,
        story,
        progress,
    };
    match Box::pin(conversation::run(briefing)).await {
        Ending::Finished(finished) => record(&shell, *finished).await,
        Ending::NotStarted(attempt) => put_back(&shell, *attempt).await,
    }
}

/// Whether the same may succeed later.
pub(super) fn is_passing(refusal: &Refusal) -> bool {
    [DATABASE_UNAVAILABLE, OVERLOADED, SHUTTING_DOWN].contains(&refusal.code)
}

/// What a call is to say.
enum Said {
    /// This.
    Contents(Box<(NoticeSpec, Rendered)>),
    /// It is not to be dialled, by this rule; a campaign's number goes back.
    Withheld(&'static str),
}

/// What the call says, and how.
async fn contents(
    app: &App,
    attempt: &Attempt,
    application: &Application,
    to: &Number,
) -> Result<Said, Refusal> {
    let request = requests::platform_side::get(app.store().reader(), &attempt.queued.request_id)
        .await?
        .ok_or_else(|| {
            Refusal::new(INTERNAL).with_detail("the request of a stored call is gone")
        })?;
    let kind = request.accepted.kind;
    if kind == RequestKind::Campaign {
        return match brief::run(app, &attempt.queued.call_id, request.accepted.spec).await? {
            Brief::Say(spec) => {
                let rendered = render_contents::run(app, application, &spec).await?;
                Ok(Said::Contents(Box::new((spec, rendered))))
            }
            Brief::Withhold(rule) => Ok(Said::Withheld(rule)),
        };
    }
    if let Some(rule) = unwanted(app, attempt, kind, to).await? {
        return Ok(Said::Withheld(rule.name()));
    }
    let spec: NoticeSpec = serde_json::from_value(request.accepted.spec).map_err(|error| {
        tracing::error!(%error, request = %attempt.queued.request_id, "a stored request cannot be read");
        Refusal::new(INTERNAL).with_detail("the stored request cannot be read")
    })?;
    let mut rendered = render_contents::run(app, application, &spec).await?;
    if kind == RequestKind::Captcha {
        render_contents::introduce_code(app, &spec, &mut rendered);
    }
    Ok(Said::Contents(Box::new((spec, rendered))))
}

/// The rule by which a callee who has not asked for the call does not get it. The gate asked when
/// the request came in, if at all; the row has waited since.
async fn unwanted(
    app: &App,
    attempt: &Attempt,
    kind: RequestKind,
    to: &Number,
) -> Result<Option<policy::Rule>, Refusal> {
    let directory = app.directory();
    // The gate has just found it.
    let Some(account) = directory.account(&attempt.queued.account) else { return Ok(None) };
    let now = app.clock().now();
    let callee = callee_facts::gather(app, account, kind, to, now).await?;
    Ok(policy::ask_of_callee(callee).err().map(|(_, rule)| rule))
}

/// Ends a row that no call is made for: result 1, reason 2.
pub(super) async fn never_dialled(
    shell: Arc<Shell>,
    attempt: Attempt,
    story: Story,
    rule: &'static str,
    fault: Fault,
) {
    let span = conversation_span(&shell, &attempt).await;
    close_undialled(&shell, attempt, story, rule, fault).instrument(span).await;
}

async fn close_undialled(
    shell: &Shell,
    attempt: Attempt,
    mut story: Story,
    rule: &'static str,
    fault: Fault,
) {
    let now = shell.app.clock().now();
    let outcome = undialled(fault);
    story.tell(
        now,
        EventBody::GateDecided {
            rule: rule.to_owned(),
            allowed: false,
            from: None,
            trunks: Vec::new(),
            route: None,
        },
    );
    story.tell(now, finished_event(&outcome));
    let stamps = Stamps { started_at: now, ring_at: None, answered_at: None, ended_at: now };
    let attempt = Attempt {
        queued: attempts::NewAttempt { rule: Some(rule.to_owned()), ..attempt.queued },
        ..attempt
    };
    let figures = MediaFigures::default();
    record(
        shell,
        Finished { attempt, outcome, stamps, trunk: None, from_number: None, figures, story },
    )
    .await;
}

/// Ends a call whose owner is gone (a crash, a panic), with what is stored of it. `reaped` is what
/// the network has told since.
pub(super) async fn interrupted(shell: &Shell, attempt: Attempt, reaped: Option<Reaped>) {
    let now = shell.app.clock().now();
    let stored = attempts::of_call(
        shell.app.store().reader(),
        &attempt.queued.account,
        &attempt.queued.call_id,
    );
    let stored = stored.await.ok().flatten();
    let ring_at = attempt.ring_at.or(stored.as_ref().and_then(|row| row.ring_at));
    let answered_at = attempt.answered_at.or(stored.as_ref().and_then(|row| row.answered_at));
    let attempt = stored.unwrap_or(attempt);
    let answered = answered_at.is_some();
    // A 200 that met the CANCEL of the recovery found nobody who spoke: not an answer.
    let crossed_answer = !answered && reaped.as_ref().is_some_and(|reaped| reaped.was_up);
    let ended_at = match (answered_at, &reaped) {
        (Some(answered_at), Some(reaped)) if !reaped.was_up => {
            last_seen(shell, &attempt, answered_at, now)
        }
        _ => now,
    };
    let outcome = Outcome {
        answered,
        crossed_answer,
        input_key: attempt.input_key.filter(|_| answered),
        cause: if answered { CallCause::Completed } else { CallCause::Failed },
        result: u8::from(!answered),
        reason: (!answered).then_some(2),
        termination: reaped.map(|reaped| reaped.termination),
        attempts: attempt.try_no,
        ..undialled(Fault::Platform)
    };
    let mut story = Story::new(attempt.queued.conversation_id.clone(), shell.app.clone());
    story.tell(
        attempt.queued.created_at,
        EventBody::Accepted { to: attempt.queued.to_shown.clone() },
    );
    story.tell(ended_at, finished_event(&outcome));
    let stamps =
        Stamps { started_at: attempt.invited_at.unwrap_or(now), ring_at, answered_at, ended_at };
    let trunk = attempt.trunk.clone().map(Into::into);
    let figures = MediaFigures::default();
    let from_number = None;
    record(shell, Finished { attempt, outcome, stamps, trunk, from_number, figures, story }).await;
}

/// When an answered call that the carrier no longer knows was up for the last time as far as
/// anybody can tell: the downtime of a node is not talk. A notice has a greatest length besides.
fn last_seen(shell: &Shell, attempt: &Attempt, answered_at: Micros, now: Micros) -> Micros {
    let longest = answered_at.plus_ms(i64::from(shell.app.settings().calls.max_duration_ms));
    last_alive(attempt, answered_at, now).min(longest)
}

/// When the node that held an answered call was last known to be alive.
pub(super) fn last_alive(attempt: &Attempt, answered_at: Micros, now: Micros) -> Micros {
    let alive = attempt.lease_until.map_or(now, |until| until.plus_ms(-LEASE_MS));
    alive.min(now).max(answered_at)
}

/// What the network has told of an interrupted call.
pub(super) struct Reaped {
    /// The leg was up until we ended it just now.
    pub(super) was_up: bool,
    pub(super) termination: yunling_domain::Termination,
}

fn undialled(fault: Fault) -> Outcome {
    Outcome {
        answered: false,
        crossed_answer: false,
        result: 1,
        reason: Some(2),
        input_key: None,
        cause: CallCause::Failed,
        fault,
        termination: None,
        attempts: 0,
        plays: 0,
    }
}

fn finished_event(outcome: &Outcome) -> EventBody {
    EventBody::Finished {
        result: outcome.result,
        reason: outcome.reason,
        cause: outcome.cause,
        fault: outcome.fault,
        input_key: outcome.input_key,
    }
}

/// Writes the record and its callback, in one transaction, exactly once; tries until it is written.
async fn record(shell: &Shell, finished: Finished) {
    let Finished { attempt, outcome, stamps, trunk, from_number, figures, story } = finished;
    let facts = AttemptFacts {
        attempt,
        started_at: stamps.started_at,
        ring_at: stamps.ring_at,
        answered_at: stamps.answered_at,
        ended_at: stamps.ended_at,
        trunk,
        from_number,
        rule: None,
        figures: Some(figures_json(&figures)),
        traceparent: trace_context::current(),
    };
    if trace_context::is_on() {
        let span = Span::current();
        span.record("result", outcome.result);
        span.record("cause", outcome.cause.as_str());
        span.record("fault", outcome.fault.name());
    }
    let conversation = &facts.attempt.queued.conversation_id;
    shell.traces.ended(conversation, sip_trace::is_failure(&outcome));
    let story = story.into_events();
    until_written(shell, || finish_call::run(&shell.app, facts.clone(), &outcome, &story)).await;
}

/// Writes a record, again and again until it is written.
pub(super) async fn until_written<W>(shell: &Shell, write: impl Fn() -> W)
where
    W: Future<Output = Result<bool, StoreError>>,
{
    let mut tries = 0;
    loop {
        match write().await {
            Ok(true) => return,
            Ok(false) => {
                tracing::warn!("a call had been recorded as ended before");
                return;
            }
            Err(error) => {
                let pause = RECORD_RETRY_MS[tries.min(RECORD_RETRY_MS.len() - 1)];
                tries += 1;
                tracing::warn!(%error, tries, "a call's record was not written; trying again in {pause} ms");
                tokio::select! {
                    () = tokio::time::sleep(Duration::from_millis(pause)) => {}
                    () = shell.closing.cancelled() => {
                        tracing::error!("stopping without a call's record: the next start closes it from its row");
                        return;
                    }
                }
            }
        }
    }
}

/// Puts a row back that was claimed and not dialled.
pub(super) async fn put_back(shell: &Shell, attempt: Attempt) {
    shell.traces.forget(&attempt.queued.conversation_id);
    loop {
        let due_at = shell.app.clock().now().plus_ms(NOT_STARTED_PAUSE_MS);
        let id = attempt.id;
        let writer = shell.app.store().writer();
        let released = writer
            .write(Lane::Live, move |tx| {
                Box::pin(async move { attempts::platform_side::release(tx, &[id], due_at).await })
            })
            .await;
        match released {
            Ok(1..) => return shell.app.poke().dispatcher(),
            // It was marked as invited though that was reported as failed: it is never dialled now.
            Ok(0) if attempt.queued.lane == AttemptLane::Talk => {
                return talk::interrupted(shell, attempt, Vec::new()).await;
            }
            Ok(0) => return interrupted(shell, attempt, None).await,
            Err(error) => {
                tracing::warn!(%error, "a row that was not dialled could not be put back");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(NOT_STARTED_PAUSE_MS.unsigned_abs())) => {}
            // The next start finds the row as this node's orphan.
            () = shell.closing.cancelled() => return,
        }
    }
}

pub(super) fn figures_json(figures: &MediaFigures) -> serde_json::Value {
    serde_json::json!({
        "sent_packets": figures.sent_packets,
        "received_packets": figures.received_packets,
        "lost_packets": figures.lost_packets,
        "foreign_packets": figures.foreign_packets,
        "jitter_ms": figures.jitter_ms,
        "reported_loss": figures.reported_loss,
        "round_trip_ms": figures.round_trip_ms,
        "worst_lateness_ms": figures.worst_lateness_ms,
    })
}

pub(super) fn describe(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without a text")
}
