//! Click-to-call conversations when something is slow, away or dies: nothing that was told is
//! forgotten, nothing is made up, and nobody who talks waits for a disk.

use std::sync::Arc;

use serde_json::json;
use tokio::sync::oneshot;
use yunling_app::click::ClickSpec;
use yunling_app::ports::Clock as _;
use yunling_domain::conversation::Record;
use yunling_domain::{ApplicationId, Micros};
use yunling_store::attempts::AttemptState;
use yunling_store::deliveries::{self, NewDelivery};
use yunling_store::recordings::{self, RecordingState};
use yunling_store::{Lane, StoreError, attempts};
use yunling_switch_contract::{Command, EventKind};

use super::exchange::{CALLEE, CALLER, Clicked, Exchange, THIRD, only, plain, side, third};
use super::rig::{self, APPLICATION, Limits};
use crate::clock::SystemClock;

/// Runs a node until the test has what it wants, and lets it die. Gives when.
fn dies(
    folder: &Arc<tempfile::TempDir>,
    until: impl AsyncFnOnce(&Exchange) -> Clicked + Send + 'static,
) -> (Clicked, Micros) {
    dies_under(Limits::default(), folder, until)
}

fn dies_under(
    limits: Limits,
    folder: &Arc<tempfile::TempDir>,
    until: impl AsyncFnOnce(&Exchange) -> Clicked + Send + 'static,
) -> (Clicked, Micros) {
    let folder = Arc::clone(folder);
    let first = std::thread::spawn(move || {
        let doomed = tokio::runtime::Runtime::new().expect("a runtime");
        let clicked = doomed.block_on(async {
            let exchange = Exchange::open_over(folder, limits, |_| None).await;
            until(&exchange).await
        });
        doomed.shutdown_background();
        (clicked, SystemClock.now())
    });
    first.join().expect("the first process gets so far")
}

async fn talks(exchange: &Exchange, clicked: &Clicked) {
    exchange.happens(CALLER, "answers").await;
    exchange.happens(CALLEE, "answers").await;
    exchange.hears(CALLEE, &[CALLER]).await;
    rows(exchange, clicked, "two stored answers", |rows| {
        rows.iter().filter(|row| row.state == AttemptState::Answered).count() == 2
    })
    .await;
}

async fn rows(
    exchange: &Exchange,
    clicked: &Clicked,
    what: &str,
    wanted: impl Fn(&[attempts::Attempt]) -> bool,
) {
    let reader = exchange.rig.app.store().reader();
    let account = Exchange::account();
    exchange
        .rig
        .until(what, async || {
            let rows = attempts::of_request(reader, &account, &clicked.request).await;
            wanted(&rows.expect("a read")).then_some(())
        })
        .await;
}

#[tokio::test]
async fn a_leg_that_had_left_before_a_crash_keeps_what_it_came_to() {
    let folder = rig::folder();
    let (clicked, _) = dies(&folder, async |exchange: &Exchange| {
        let clicked = exchange.click(&plain()).await;
        talks(exchange, &clicked).await;
        let account = Exchange::account();
        exchange.talks().add(&account, &clicked.conversation, third()).await.expect("added");
        exchange.happens(THIRD, "rings").await;
        exchange.happens(THIRD, "rejects 480").await;
        rows(exchange, &clicked, "a leg that left", |rows| {
            rows.iter().any(|row| row.left_as.is_some())
        })
        .await;
        clicked
    });
    let exchange = Exchange::open_over(folder, Limits::default(), |_| None).await;
    exchange.ended(&clicked).await;
    let records = exchange.records(&clicked).await;
    let left = &records[2];
    assert_eq!((left.cause.as_str(), left.fault.as_deref()), ("no-answer", Some("callee")));
    assert_eq!((left.sip_code, left.answered_at), (Some(480), None));
    let told = exchange.told(&clicked).await;
    let cdr = only(&told.cdrs, "a leg had left");
    assert_eq!(
        (&cdr["cdrs"][0]["to"], &cdr["cdrs"][0]["cause"]),
        (&THIRD.into(), &"no-answer".into())
    );
    let completed = format!("{THIRD} completed no-answer");
    assert_eq!(told.statuses.iter().filter(|status| **status == completed).count(), 1);
}

/// A leg that no line was left for is in the record, and its end is told, though it never went out
/// and its node died before the conversation was over.
#[tokio::test]
async fn a_leg_that_was_refused_before_a_crash_is_not_forgotten() {
    let folder = rig::folder();
    let one_each = || Limits { max_calls: 1, ..Limits::default() };
    let (clicked, _) = dies_under(one_each(), &folder, async |exchange: &Exchange| {
        let clicked = exchange.click(&plain()).await;
        exchange.rig.script.wait_for_dials(1).await;
        // The other trunk's only line.
        let (account, held) = (Exchange::account(), exchange.prepare());
        let application = ApplicationId::new(APPLICATION);
        let talks = exchange.talks();
        let reserved = talks.reserve(&account, &application, &held.conversation, &side(CALLER));
        reserved.expect("the second line is free");
        // Who hears why the conversation fails keeps it up.
        exchange.happens(CALLER, "answers").await;
        rows(exchange, &clicked, "the row of a leg that was refused", |rows| rows.len() == 2).await;
        clicked
    });
    let exchange = Exchange::open_over(folder, one_each(), |_| None).await;
    exchange.ended(&clicked).await;
    let dials = exchange.rig.script.dials();
    assert!(dials.is_empty(), "nobody is dialled after a crash: {dials:?}");
    let records = exchange.records(&clicked).await;
    assert_eq!(records.len(), 2, "{records:?}");
    let refused = &records[1];
    assert_eq!((refused.cause.as_str(), refused.fault.as_deref()), ("failed", Some("platform")));
    assert_eq!((refused.trunk.as_deref(), refused.sip_code), (None, None));
    assert!(refused.rule.as_deref().is_some_and(|rule| rule.starts_with("carrier-")));
    let told = exchange.told(&clicked).await;
    let cdr = only(&told.cdrs, "a leg was refused");
    assert_eq!(
        (&cdr["cdrs"][0]["to"], &cdr["cdrs"][0]["cause"]),
        (&CALLEE.into(), &"failed".into())
    );
    for status in ["initiated", "completed failed"] {
        let status = format!("{CALLEE} {status}");
        let times = told.statuses.iter().filter(|told| **told == status).count();
        assert_eq!(times, 1, "{status}: {:?}", told.statuses);
    }
}

/// A node that was down did not talk, whatever became of its trunk meanwhile.
#[tokio::test]
async fn downtime_is_no_talk_where_the_trunk_is_gone() {
    let folder = rig::folder();
    let (clicked, died_at) = dies(&folder, async |exchange: &Exchange| {
        exchange.rig.change("carrier-a", "carrier-x").await;
        let clicked = exchange.click(&plain()).await;
        talks(exchange, &clicked).await;
        exchange.rig.reset().await;
        clicked
    });
    let exchange = Exchange::open_over(folder, Limits::default(), |_| None).await;
    exchange.ended(&clicked).await;
    let reaps = |command: &Command| matches!(command, Command::Reap { .. });
    assert!(!exchange.rig.script.commands.lock().iter().any(reaps), "there is nowhere to ask");
    for record in exchange.records(&clicked).await {
        assert!(record.ended_at <= died_at, "{record:?} after {died_at:?}");
        assert_eq!(
            (record.cause.as_str(), record.trunk.as_deref()),
            ("completed", Some("carrier-x"))
        );
    }
}

/// An earlier try got as far as telling that the caller is dialled; then nobody was.
#[tokio::test]
async fn what_was_told_to_begin_is_told_to_end() {
    let exchange = Exchange::open().await;
    let clicked = exchange.prepare();
    let initiated = NewDelivery {
        id: format!("msg_{}_initiated", clicked.call),
        application: ApplicationId::new(APPLICATION),
        conversation_id: Some(clicked.conversation.clone()),
        seq: 0,
        kind: "click.status".to_owned(),
        url: "http://127.0.0.1:9/talk-status".to_owned(),
        body: json!({ "to": "12306", "callStatus": "initiated", "callCause": "" }).to_string(),
        created_at: exchange.rig.app.clock().now(),
    };
    let writer = exchange.rig.app.store().writer();
    let stored = writer.write(Lane::Live, move |tx| {
        Box::pin(async move { deliveries::insert(tx, &Exchange::account(), &initiated).await })
    });
    stored.await.expect("a callback is stored");
    let spec = ClickSpec { caller: side("12306"), ..plain() };
    exchange.store(&clicked, &spec).await;
    exchange.ended(&clicked).await;
    let told = exchange.told(&clicked).await;
    assert_eq!(told.statuses, ["12306 initiated", "12306 completed failed"]);
    assert_eq!(told.bodies[1]["seq"], "1");
    assert_eq!(only(&told.cdrs, "undialled")["byeType"], "0");
    assert!(exchange.rig.script.dials().is_empty());
}

/// Whoever has picked up is heard at once, however long the database takes to note a recording.
#[tokio::test]
async fn nobody_waits_for_a_recording_to_be_noted() {
    let exchange = Exchange::open().await;
    let spec = ClickSpec { record: Record::FromAnswer, ..plain() };
    let clicked = exchange.click(&spec).await;
    exchange.happens(CALLER, "answers").await;
    exchange.happens(CALLEE, "rings").await;
    let (held, is_held) = oneshot::channel();
    let (release, released) = oneshot::channel::<()>();
    let writer = exchange.rig.app.store().writer().clone();
    let holding = tokio::spawn(async move {
        let held = writer.write(Lane::Live, move |_| {
            Box::pin(async move {
                let _ = held.send(());
                let _ = released.await;
                Ok::<_, StoreError>(())
            })
        });
        held.await
    });
    is_held.await.expect("the writer is held");
    exchange.happens(CALLEE, "answers").await;
    exchange.hears(CALLER, &[CALLEE]).await;
    exchange.hears(CALLEE, &[CALLER]).await;
    let records = |command: &Command| matches!(command, Command::Record(_));
    assert!(!exchange.rig.script.commands.lock().iter().any(records), "rows first");
    release.send(()).expect("the writer waits");
    holding.await.expect("no panic").expect("written");
    let recorded = |commands: &[Command]| commands.iter().any(records).then_some(());
    exchange.rig.script.wait_for("a recording", recorded).await;
    exchange.happens(CALLER, "leaves").await;
    let talk = exchange.ended(&clicked).await;
    assert!(talk.recording.is_some());
}

/// The record goes out after ten seconds without it; the recording can be had when it is there.
#[tokio::test]
async fn a_recording_that_the_engine_is_slow_to_complete_is_published_all_the_same() {
    let slow = |command: &Command| match command {
        Command::StopRecording { .. } => Some(Vec::new()),
        _ => None,
    };
    let exchange = Exchange::open_over(rig::folder(), Limits::default(), slow).await;
    let spec = ClickSpec { record: Record::FromAnswer, ..plain() };
    let clicked = exchange.click(&spec).await;
    exchange.happens(CALLER, "answers").await;
    exchange.happens(CALLEE, "answers").await;
    let find = |commands: &[Command]| {
        commands.iter().find_map(|command| match command {
            Command::Record(recording) => Some((**recording).clone()),
            _ => None,
        })
    };
    let recording = exchange.rig.script.wait_for("a recording", find).await;
    exchange.happens(CALLER, "leaves").await;
    let talk = exchange.ended(&clicked).await;
    let told = exchange.told(&clicked).await;
    assert_eq!(only(&told.cdrs, "a slow recording")["recordingUrl"], "");
    let id = talk.recording.expect("it is known");
    let (app, account) = (&exchange.rig.app, Exchange::account());
    let state = async || {
        let row = recordings::get(app.store().reader(), &account, &id).await.expect("a read");
        row.expect("noted").state
    };
    assert_eq!(state().await, RecordingState::Writing);
    let settled = yunling_app::recordings::settle_late(app).await.expect("a look");
    assert_eq!(settled, 0, "the engine writes it");
    let kind = EventKind::Recorded {
        recording: recording.id,
        duration_ms: 3_000,
        octets: 96_044,
        lost_ms: 0,
        failure: None,
    };
    exchange.rig.script.tells(recording.owner, &recording.leg, kind);
    exchange
        .rig
        .until("a recording that can be had", async || {
            (state().await == RecordingState::Ready).then_some(())
        })
        .await;
}
