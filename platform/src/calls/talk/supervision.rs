//! Around every click-to-call conversation: what it needs is read before it starts, a panic in it
//! ends its legs and is accounted for, and its record is written however long the database is away.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use yunling_app::click::{ClickSpec, Side};
use yunling_app::finish_conversation::{ConversationFacts, LegRecord};
use yunling_app::recordings::{self, End};
use yunling_app::tell_status::Listener;
use yunling_app::{App, Refusal, trace_context};
use yunling_domain::conversation::Party;
use yunling_domain::error_code::INTERNAL;
use yunling_domain::event::EventBody;
use yunling_domain::{Fault, RecordingId};
use yunling_store::attempts::Attempt;
use yunling_store::requests::{self, Request};
use yunling_switch_contract as engine;
use yunling_switch_contract::{Command, EventKind, HangUpWhy, LegId};

use super::super::anchor::Anchor;
use super::super::gate::Passed;
use super::super::routes::Route;
use super::super::shell::Shell;
use super::super::sip_trace;
use super::super::story::Story;
use super::super::supervision::{conversation_span, describe, is_passing, put_back};
use super::desk::{Begun, Live};
use super::ending::{self, CANCELLED, NEVER_BEGUN};
use super::leg::Leg;
use super::task::{self, Briefing};
use super::teller::Teller;
use super::{lost, recorder};

/// How long the legs of a conversation that has panicked may take to end.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// Runs one conversation from permit to record.
pub(in super::super) async fn supervise(
    shell: Arc<Shell>,
    row: Attempt,
    passed: Passed,
    story: Story,
    begun: Begun,
) {
    let span = conversation_span(&shell, &row).await;
    async move {
        let (spare, live) = (row.clone(), Arc::clone(&begun.live));
        let mut route = shell.routes.open();
        let anchor = Anchor::new(shell.app.clock().now());
        sip_trace::open(shell.app.sip_traces(), route.owner(), &row.queued, &anchor);
        let talk = run(Arc::clone(&shell), row, passed, story, begun, &mut route);
        let late = match AssertUnwindSafe(talk).catch_unwind().await {
            Ok(late) => late,
            Err(panic) => {
                tracing::error!(
                    panic = describe(&*panic),
                    "a conversation's task panicked: platform fault"
                );
                metrics::counter!("yunling_conversation_panics_total").increment(1);
                let late = end_legs(&shell, &spare, &live, &mut route).await;
                lost::panicked(&shell, spare.clone(), &live).await;
                late
            }
        };
        shell.talks.end(&spare.queued.conversation_id, &live);
        if let Some(recording) = late {
            let account = spare.queued.account.clone();
            tokio::spawn(recorder::publish_late(shell.app.clone(), account, recording, route));
        }
    }
    .instrument(span)
    .await;
}

async fn run(
    shell: Arc<Shell>,
    row: Attempt,
    passed: Passed,
    story: Story,
    begun: Begun,
    route: &mut Route,
) -> Option<RecordingId> {
    let Begun { live, orders, permit: _ } = begun;
    let (spec, request) = match asked_for(&shell.app, &row).await {
        Ok(asked) => asked,
        Err(error) if is_passing(&error) => {
            tracing::warn!(%error, "a conversation was not begun: the database is away");
            drop(passed);
            wait_again(&shell, row, &live).await;
            return None;
        }
        Err(error) => {
            tracing::warn!(%error, "a conversation cannot be begun");
            drop(passed);
            let why = Undialled::Refused("request_readable".to_owned(), error.code.fault);
            close_undialled(&shell, row, story, why).await;
            return None;
        }
    };
    let listener = Listener::of(&shell.app, &request, &row.queued.conversation_id, spec.masked);
    let done = live.told.get_or_init(CancellationToken::new);
    let teller = Teller::start(shell.app.clone(), listener, shell.closing.clone(), done);
    let briefing = Briefing {
        shell: Arc::clone(&shell),
        row,
        passed,
        spec,
        teller,
        story,
        live: Arc::clone(&live),
        orders,
    };
    match Box::pin(task::run(briefing, route)).await {
        task::Ending::Finished(talk, outcome) => ending::finish(*talk, *outcome).await,
        task::Ending::NotStarted(row) => {
            wait_again(&shell, *row, &live).await;
            None
        }
    }
}

/// The conversation waits as a row again.
async fn wait_again(shell: &Shell, row: Attempt, live: &Live) {
    shell.talks.wait_again(&row.queued.conversation_id, live);
    put_back(shell, row).await;
}

/// What the click asks for.
pub(super) async fn asked_for(app: &App, row: &Attempt) -> Result<(ClickSpec, Request), Refusal> {
    let unreadable = || Refusal::new(INTERNAL).with_detail("the stored request cannot be read");
    let request = requests::platform_side::get(app.store().reader(), &row.queued.request_id)
        .await?
        .ok_or_else(unreadable)?;
    let spec = serde_json::from_value(request.accepted.spec.clone()).map_err(|error| {
        tracing::error!(%error, request = %row.queued.request_id, "a stored click cannot be read");
        unreadable()
    })?;
    Ok((spec, request))
}

/// Why no call is made for a click.
pub(in super::super) enum Undialled {
    /// This rule is in the way.
    Refused(String, Fault),
    /// cancelCall came first.
    Cancelled,
}

/// Ends a click that no call is made for.
pub(in super::super) async fn never_dialled(
    shell: Arc<Shell>,
    row: Attempt,
    story: Story,
    why: Undialled,
) {
    let span = conversation_span(&shell, &row).await;
    async {
        shell.talks.forget(&row.queued.conversation_id);
        close_undialled(&shell, row, story, why).await;
    }
    .instrument(span)
    .await;
}

async fn close_undialled(shell: &Shell, row: Attempt, mut story: Story, why: Undialled) {
    let now = shell.app.clock().now();
    let ((end, reason), fault, rule) = match why {
        Undialled::Refused(rule, fault) => (NEVER_BEGUN, fault, Some(rule)),
        Undialled::Cancelled => (CANCELLED, Fault::Client, None),
    };
    if let Some(rule) = &rule {
        story.tell_of(
            now,
            Some(Party::CALLER),
            EventBody::GateDecided {
                rule: rule.clone(),
                allowed: false,
                from: None,
                trunks: Vec::new(),
                route: None,
            },
        );
    }
    story.tell(now, EventBody::TalkFinished { bye_type: end.bye_type, by: end.by });
    let queued = &row.queued;
    let side = Side {
        number: queued.to_number.clone(),
        shown: queued.to_shown.clone(),
        line: queued.from_number.clone().unwrap_or_default(),
    };
    let caller = Leg::new(Party::CALLER, queued.call_id.clone(), side, None);
    let leg = LegRecord { rule, ..ending::undialled(&caller, now, fault, reason) };
    // An earlier try may have told that the caller is dialled, and have got no further.
    let Some(seq) = lost::tell_end(shell, &row, &leg).await else { return };
    let facts = ConversationFacts {
        account: queued.account.clone(),
        application: queued.application.clone(),
        conversation: queued.conversation_id.clone(),
        request: queued.request_id.clone(),
        ending: end,
        hangup_reason: reason,
        bridged_at: None,
        legs: vec![leg],
        recording: None,
        is_masked: false,
        seq,
        traceparent: trace_context::current(),
    };
    ending::close(shell, &facts, story.events()).await;
}

/// Ends whatever a conversation that has panicked left up, and its recording. Gives the recording
/// that the engine has still to complete.
async fn end_legs(
    shell: &Shell,
    row: &Attempt,
    live: &Live,
    route: &mut Route,
) -> Option<RecordingId> {
    let mut up: Vec<LegId> = {
        let view = live.view.lock();
        let legs = view.legs.iter().filter(|leg| leg.ended_at.is_none());
        legs.map(|leg| LegId::new(leg.call.as_str())).collect()
    };
    let first = live.view.lock().legs.first().map(|leg| LegId::new(leg.call.as_str()))?;
    let owner = route.owner();
    let stop =
        Command::StopRecording { owner, leg: first, recording: engine::RecordingId(owner.0) };
    let hang_ups =
        up.iter().map(|leg| Command::HangUp { leg: leg.clone(), why: HangUpWhy::PlatformFault });
    for command in hang_ups.chain([stop]) {
        // A panic may come from the engine's own side of the line; the record comes first.
        let _ = std::panic::catch_unwind(AssertUnwindSafe(|| shell.engine.send(command)));
    }
    let account = &row.queued.account;
    let recording =
        recordings::of_conversation(&shell.app, account, &row.queued.conversation_id).await;
    let mut recording = recording.ok().flatten().filter(|recording| recording.url.is_none());
    let all_ended = async {
        while !up.is_empty() || recording.is_some() {
            let event = route.next().await;
            match event.kind {
                EventKind::Ended { .. } => up.retain(|leg| *leg != event.leg),
                EventKind::Recorded { recording: _, duration_ms, octets, lost_ms, failure } => {
                    let Some(recording) = recording.take() else { continue };
                    let end = End { duration_ms, octets, lost_ms, failure };
                    let published =
                        recordings::publish(&shell.app, account, &recording.id, end).await;
                    if let Err(error) = published {
                        tracing::error!(%error, "a recording cannot be had yet");
                    }
                }
                _ => {}
            }
        }
    };
    tokio::select! {
        () = all_ended => {}
        () = tokio::time::sleep(LAST_WORDS) => {}
        () = shell.closing.cancelled() => {}
    }
    recording.map(|recording| recording.id)
}
