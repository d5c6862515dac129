//! The shell with a scripted engine: a real store, a real app, and an engine that does as a test
//! says. What needs SIP is tested from outside.

mod exchange;
mod rig;
mod talk_endings;
mod talk_losses;
mod talks;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use rig::{Rig, Script};
use yunling_domain::{CallId, EndKind, Termination};
use yunling_switch_contract as engine;

/// Everything answers after a ring and hears the notice to its end.
fn obliging(command: &engine::Command) -> Vec<engine::EventKind> {
    match command {
        engine::Command::Dial(_) => vec![
            engine::EventKind::Trying,
            engine::EventKind::Ringing { code: 180, early_media: false },
            rig::answered(),
        ],
        engine::Command::Play(play) => vec![engine::EventKind::PlayFinished {
            play: play.play,
            end: engine::PlayEnd::Completed,
        }],
        engine::Command::HangUp { .. } => vec![rig::ended(engine::TerminationKind::LocalBye)],
        engine::Command::StopPlay { .. }
        | engine::Command::Hear { .. }
        | engine::Command::Record(_)
        | engine::Command::StopRecording { .. }
        | engine::Command::Acknowledge { .. }
        | engine::Command::AwaitKeys { .. }
        | engine::Command::Reap { .. } => Vec::new(),
    }
}

#[tokio::test]
async fn a_row_becomes_a_call_a_record_and_one_callback() {
    let rig = Rig::start(Script::new(obliging)).await;
    let call = rig.submit("13800100001").await;
    let record = rig.record_of(&call).await;
    assert_eq!((record.result, record.reason), (0, None));
    assert_eq!(record.cause, "completed");
    assert_eq!(record.trunk.as_deref(), Some("carrier-a"));
    assert!(record.ring_at.is_some() && record.answered_at.is_some());
    let callbacks = rig.callbacks().await;
    assert_eq!(callbacks.len(), 1);
    assert_eq!(callbacks[0]["result"], "0");
    assert_eq!(callbacks[0]["callid"], call.as_str());
}

#[tokio::test]
async fn a_conversation_that_panics_is_ended_and_accounted_for() {
    // The task itself panics: the engine's answer to the play is one that cannot be.
    let rig = Rig::start(Script::new(|command| {
        assert!(!matches!(command, engine::Command::Play(_)), "the scripted engine breaks here");
        obliging(command)
    }))
    .await;
    let call = rig.submit("13800100001").await;
    let record = rig.record_of(&call).await;
    assert_eq!(record.fault.as_deref(), Some("platform"));
    // It had been answered, and that was stored: the callee is told as reached.
    assert_eq!((record.result, record.answered_at.is_some()), (0, true));
    assert_eq!(rig.callbacks().await.len(), 1);
    let hung_up = rig.script.commands.lock().iter().any(|command| {
        matches!(command, engine::Command::HangUp { why: engine::HangUpWhy::PlatformFault, .. })
    });
    assert!(hung_up, "the leg of a panicking conversation is ended");
    let next = rig.submit("13800100002").await;
    rig.record_of(&next).await;
}

#[tokio::test]
async fn the_next_trunk_is_tried_on_a_carriers_failure_and_only_then() {
    // (what the first trunk says, trunks dialled, result)
    let cases = [(503, 2, 0), (408, 2, 0), (486, 1, 1), (603, 1, 1), (404, 1, 1)];
    for (code, dialled, result) in cases {
        let rig = Rig::start(Script::new(move |command| match command {
            engine::Command::Dial(dial) if dial.peer.name == "carrier-a" => {
                vec![rig::rejected(code)]
            }
            other => obliging(other),
        }))
        .await;
        let call = rig.submit("13800100001").await;
        let record = rig.record_of(&call).await;
        assert_eq!(record.result, result, "{code}");
        let dials = rig.script.dials();
        assert_eq!(dials.len(), dialled, "{code}");
        assert!(dials.iter().enumerate().all(|(n, dial)| usize::from(dial.attempt) == n));
    }
}

#[tokio::test]
async fn a_call_that_waits_too_long_for_a_line_is_told_as_failed() {
    // The first call never ends, and the trunks take one call each.
    let rig = Rig::start_with(
        Script::new(|command| match command {
            engine::Command::Dial(_) => vec![engine::EventKind::Trying],
            engine::Command::HangUp { .. } => vec![rig::ended(engine::TerminationKind::Cancelled)],
            _ => Vec::new(),
        }),
        rig::Limits { max_calls: 1, notices_wait_s: 1, ..rig::Limits::default() },
    )
    .await;
    for callee in ["13800100001", "13800100002"] {
        rig.submit(callee).await;
    }
    rig.script.wait_for_dials(2).await;
    let waits = rig.submit("13800100003").await;
    let record = rig.record_of(&waits).await;
    assert_eq!((record.result, record.reason), (1, Some(2)));
    assert_eq!(record.rule.as_deref(), Some("queue_max_wait"));
    assert_eq!(rig.script.dials().len(), 2, "it was not dialled");
    let callback = rig.callbacks().await;
    let callback = callback.first().expect("a call that was not made has a result too");
    assert_eq!((&callback["callid"], &callback["ringtime"]), (&"".into(), &"".into()));
    assert_eq!(callback["starttime"], callback["endtime"]);
}

#[tokio::test]
async fn what_an_earlier_process_left_is_reaped_and_never_dialled_again() {
    let folder = rig::folder();
    // Everything of the first process dies with its runtime, in the middle of what it does.
    let first = std::thread::spawn({
        let folder = Arc::clone(&folder);
        move || {
            let doomed = tokio::runtime::Runtime::new().expect("a runtime");
            let call = doomed.block_on(dial_and_ring(folder));
            doomed.shutdown_background();
            call
        }
    });
    let call = first.join().expect("the first process dials");
    let reaping = Script::new(|command| match command {
        engine::Command::Reap { .. } => vec![engine::EventKind::Reaped {
            outcome: engine::ReapOutcome::NeverAnswered(rig::termination(
                engine::TerminationKind::Cancelled,
            )),
        }],
        other => panic!("nothing but a reap is asked for, got {other:?}"),
    });
    let rig = Rig::open(reaping, folder, &rig::Limits::default()).await;
    let record = rig.record_of(&call).await;
    assert_eq!((record.result, record.reason), (1, Some(2)));
    assert_eq!(record.fault.as_deref(), Some("platform"));
    assert_eq!(rig.callbacks().await.len(), 1);
    assert!(rig.script.dials().is_empty());
}

async fn dial_and_ring(folder: Arc<tempfile::TempDir>) -> CallId {
    let script = Script::new(|command| match command {
        engine::Command::Dial(_) => {
            vec![engine::EventKind::Ringing { code: 180, early_media: false }]
        }
        _ => Vec::new(),
    });
    let rig = Rig::open(script, folder, &rig::Limits::default()).await;
    let call = rig.submit("13800100001").await;
    rig.wait_for_ringing(&call).await;
    call
}

#[test]
fn every_termination_of_the_engine_has_its_like() {
    let ended = engine::Termination {
        kind: engine::TerminationKind::Rejected,
        sip_code: Some(486),
        q850: Some(17),
        text: "Busy Here".to_owned(),
    };
    let expected = Termination {
        kind: EndKind::Rejected,
        sip_code: Some(486),
        q850: Some(17),
        text: "Busy Here".to_owned(),
    };
    assert_eq!(super::map::termination(&ended), expected);
}

#[tokio::test]
async fn permits_come_back_when_calls_end() {
    let rig = Rig::start_with(
        Script::new(obliging),
        rig::Limits { max_calls: 1, ..rig::Limits::default() },
    )
    .await;
    let calls = ["13800100001", "13800100002", "13800100003", "13800100004", "13800100005"];
    let mut submitted = Vec::new();
    for callee in calls {
        submitted.push(rig.submit(callee).await);
    }
    for call in &submitted {
        assert_eq!(rig.record_of(call).await.result, 0);
    }
    assert!(rig.script.most_at_once.load(Ordering::Relaxed) <= 2, "two trunks of one call each");
}

#[tokio::test]
async fn the_engine_keeps_the_trunks_that_are_configured() {
    let rig = Rig::start(Script::new(obliging)).await;
    let names = |plans: &[engine::TrunkPlan]| -> Vec<String> {
        plans.iter().map(|plan| plan.name.to_string()).collect()
    };
    let kept = rig.script.wait_for_kept(1).await;
    assert_eq!(names(&kept[0]), ["carrier-a", "carrier-b"]);
    assert_eq!(kept[0][0].register, None);
    assert_eq!(kept[0][0].probe_every.map(|every| every.as_secs()), Some(30));

    // What is no trunk's disturbs none.
    rig.change("01080001001", "01080001002").await;
    let registers =
        "\"register\":true,\"register_user\":\"u\",\"probe_s\":0,\"name\":\"carrier-b\"";
    rig.change("\"name\":\"carrier-b\"", registers).await;
    let kept = rig.script.wait_for_kept(2).await;
    assert_eq!((kept.len(), names(&kept[1])), (2, names(&kept[0])));
    let registering = kept[1][1].register.as_ref().map(|one| (one.user.as_str(), one.expires_s));
    assert_eq!((registering, kept[1][1].probe_every), (Some(("u", 3_600)), None));
    assert_eq!(kept[1][0], kept[0][0]);
    rig.change("\"name\":\"carrier-b\"", "\"enabled\":false,\"name\":\"carrier-b\"").await;
    assert_eq!(names(&rig.script.wait_for_kept(3).await[2]), ["carrier-a"]);
}

#[tokio::test]
async fn a_trunk_that_is_down_is_passed_over_until_it_is_back() {
    let rig = Rig::start(Script::new(obliging)).await;
    rig.script.wait_for_kept(1).await;
    let silent = |times| engine::TrunkEventKind::Silent {
        sip_code: Some(503),
        text: "Service Unavailable".to_owned(),
        times,
    };
    rig.script.tell("carrier-a", silent(1));
    rig.script.tell("carrier-a", silent(2));
    let over_b = rig.submit("13800100001").await;
    assert_eq!(rig.record_of(&over_b).await.trunk.as_deref(), Some("carrier-b"));
    let observed = rig.app.trunks().observe("carrier-a", rig.app.clock().now());
    assert_eq!(observed.map(|observed| observed.counts.skipped), Some(1));

    rig.script
        .tell("carrier-a", engine::TrunkEventKind::Alive { sip_code: 200, round_trip_ms: 1.0 });
    let over_a = rig.submit("13800100002").await;
    assert_eq!(rig.record_of(&over_a).await.trunk.as_deref(), Some("carrier-a"));
}
