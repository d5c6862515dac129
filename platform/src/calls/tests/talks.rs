//! Click-to-call conversations with a scripted engine: what the customer is told, and what is left
//! in the rows, for each way in which one can go.

use std::sync::Arc;

use serde_json::Value;
use yunling_app::click::ClickSpec;
use yunling_app::ports::{Busy, NotAdded, TalkPhase};
use yunling_domain::ApplicationId;
use yunling_domain::conversation::{AddRefusal, Record, Ringback, Segment};
use yunling_domain::event::{ConversationEvent, EventBody};
use yunling_store::attempts::AttemptState;
use yunling_store::{Lane, attempts, conversations};
use yunling_switch_contract::{Command, HangUpWhy, PlayMode};

use super::exchange::{CALLEE, CALLER, Exchange, THIRD, only, plain, side, third};
use super::rig::{self, APPLICATION, Limits};

/// RESOLUTIONS, status callback: in order, every value a text, `seq` rising; and the CDR last.
#[tokio::test]
async fn states_are_told_in_order() {
    let exchange = Exchange::open().await;
    let clicked = exchange.click(&plain()).await;
    exchange.happens(CALLER, "rings").await;
    exchange.happens(CALLER, "answers").await;
    exchange.happens(CALLEE, "rings").await;
    exchange.happens(CALLEE, "answers").await;
    exchange.hears(CALLER, &[CALLEE]).await;
    exchange.happens(CALLEE, "leaves").await;
    exchange.ended(&clicked).await;
    let told = exchange.told(&clicked).await;
    let expected = [
        "13800100001 initiated",
        "13800100001 ringing",
        "13800100001 answered",
        "13800100002 initiated",
        "13800100002 ringing",
        "13800100002 answered",
        "13800100002 completed completed",
        "13800100001 completed completed",
    ];
    assert_eq!(told.statuses, expected);
    for (seq, body) in told.bodies.iter().enumerate() {
        assert_eq!(body["seq"], seq.to_string());
        assert_eq!(body["conversationSid"], clicked.conversation.as_str());
        assert_eq!(
            (&body["from"], &body["direction"]),
            (&"01080001001".into(), &"outbound".into())
        );
        assert_eq!((&body["userData"], &body["apiVersion"]), (&"ud".into(), &"20210801".into()));
        assert!(body.as_object().expect("an object").values().all(Value::is_string), "{body}");
    }
    let cdr = only(&told.cdrs, "the CDR");
    assert_eq!(cdr["cdrs"][0]["to"], CALLEE, "newest first");
    assert_eq!(cdr["cdrs"][1]["callSid"], clicked.call.as_str());
    assert_eq!(cdr["recordingUrl"], "");
}

#[tokio::test]
async fn masked_numbers_are_not_told_but_recorded() {
    let exchange = Exchange::open().await;
    let clicked = exchange.click(&ClickSpec { masked: true, ..plain() }).await;
    exchange.happens(CALLER, "answers").await;
    exchange.happens(CALLEE, "rejects 486").await;
    exchange.happens(CALLER, "heard").await;
    exchange.ended(&clicked).await;
    let told = exchange.told(&clicked).await;
    let cdr = only(&told.cdrs, "masked");
    assert_eq!(cdr["cdrs"][0]["to"], "138****0002");
    assert_eq!(cdr["cdrs"][1]["to"], CALLER);
    assert!(told.statuses.iter().all(|status| !status.contains(CALLEE)), "{:?}", told.statuses);
    let records = exchange.records(&clicked).await;
    assert_eq!(records[1].to_number, "+8613800100002");
}

/// RESOLUTIONS, ringbackMode and greetVoice: what is played to whom.
#[tokio::test]
async fn prompts_are_private_and_come_in_turn() {
    let exchange = Exchange::open().await;
    let spec = ClickSpec { ringback: Ringback::Custom, ..plain() };
    let clicked = exchange.click(&spec).await;
    exchange.happens(CALLER, "answers").await;
    exchange.happens(CALLEE, "rings").await;
    let caller = exchange.leg(CALLER).await;
    let ringback = exchange.last_play(&caller).await;
    assert_eq!((ringback.mode, ringback.play.0), (PlayMode::Repeated, 1));
    exchange.happens(CALLEE, "answers").await;
    exchange.hears(CALLER, &[CALLEE]).await;
    let stopped = |commands: &[Command]| {
        let stops = |command: &Command| matches!(command, Command::StopPlay { leg, play } if *leg == caller && play.0 == 1);
        commands.iter().any(stops).then_some(())
    };
    exchange.rig.script.wait_for("the end of the ringback", stopped).await;
    exchange.happens(CALLER, "leaves").await;
    exchange.ended(&clicked).await;
    let story = story(&exchange, &clicked.conversation).await;
    let voices: Vec<_> = story
        .iter()
        .filter_map(|event| match &event.body {
            EventBody::VoiceStarted { what } => Some((event.party.map(|party| party.0), *what)),
            _ => None,
        })
        .collect();
    assert_eq!(voices, [(Some(0), Segment::RingbackVoice)]);
    assert!(matches!(story.last().map(|event| &event.body), Some(EventBody::TalkFinished { .. })));
}

async fn story(
    exchange: &Exchange,
    conversation: &yunling_domain::ConversationId,
) -> Vec<ConversationEvent> {
    let reader = exchange.rig.app.store().reader();
    let stored = conversations::get(reader, &Exchange::account(), conversation).await;
    let stored = stored.expect("a read").expect("it is over");
    stored.story.unpack().expect("as packed")
}

/// RESOLUTIONS, lastMinVoice: over the talk, to all, 60 s before its end.
#[tokio::test]
async fn a_minute_before_the_end_all_are_told() {
    let exchange = Exchange::open().await;
    let clicked = exchange.click(&ClickSpec { max_duration_s: Some(61), ..plain() }).await;
    exchange.happens(CALLER, "answers").await;
    exchange.happens(CALLEE, "answers").await;
    for number in [CALLER, CALLEE] {
        let leg = exchange.leg(number).await;
        assert_eq!(exchange.last_play(&leg).await.mode, PlayMode::Over, "{number}");
    }
    exchange.talks().cancel(&Exchange::account(), &clicked.conversation);
    exchange.ended(&clicked).await;
    let story = story(&exchange, &clicked.conversation).await;
    let at = |wanted: fn(&EventBody) -> bool| {
        story.iter().find(|event| wanted(&event.body)).map(|event| event.at).expect("it happened")
    };
    let bridged = at(|body| matches!(body, EventBody::Connected { .. }));
    let told = at(|body| matches!(body, EventBody::VoiceStarted { what: Segment::LastMinute }));
    let after_ms = told.ms_since(bridged);
    assert!((990..2_000).contains(&after_ms), "told {after_ms} ms after the bridge");
}

/// RESOLUTIONS, addCall refused: each with its reason; and whose it is not knows nothing.
#[tokio::test]
async fn third_parties_are_taken_one_at_a_time() {
    let exchange = Exchange::open().await;
    let account = Exchange::account();
    let clicked = exchange.click(&plain()).await;
    let add = |spec| exchange.talks().add(&account, &clicked.conversation, spec);
    let refused = |refusal| Err(NotAdded::Refused(refusal));
    exchange.leg(CALLER).await;
    assert_eq!(add(third()).await, refused(AddRefusal::NotBridged));
    exchange.happens(CALLER, "answers").await;
    exchange.happens(CALLEE, "answers").await;
    exchange.shows(&clicked, |state| state.phase == TalkPhase::Connected).await;
    let stranger = yunling_domain::AccountId::new("other");
    let foreign = exchange.talks().add(&stranger, &clicked.conversation, third()).await;
    assert_eq!(foreign, Err(NotAdded::Unknown));
    assert!(exchange.talks().state(&stranger, &clicked.conversation).is_none());
    exchange.talks().cancel(&stranger, &clicked.conversation);
    let closed = yunling_app::click::AdditionSpec { callee: side("12306"), ..third() };
    assert!(matches!(add(closed).await, Err(NotAdded::Busy(Busy::Refused { .. }))));
    add(third()).await.expect("two are connected");
    assert_eq!(add(third()).await, refused(AddRefusal::AlreadyThree));
    // Those who wait hear music, and who has it called the ringback.
    let callee = exchange.leg(CALLEE).await;
    assert_eq!(exchange.last_play(&callee).await.mode, PlayMode::Repeated);
    exchange.happens(THIRD, "rings").await;
    exchange.happens(THIRD, "answers").await;
    exchange.hears(THIRD, &[CALLER, CALLEE]).await;
    assert_eq!(add(third()).await, refused(AddRefusal::AlreadyThree));
    exchange.happens(THIRD, "leaves").await;
    exchange.hears(CALLER, &[CALLEE]).await;
    exchange.shows(&clicked, |state| state.phase == TalkPhase::Connected).await;
    add(third()).await.expect("two are left");
    exchange.talks().cancel(&account, &clicked.conversation);
    exchange.ended(&clicked).await;
    assert_eq!(exchange.records(&clicked).await.len(), 4);
}

/// RESOLUTIONS, at its limit: refused at once, nothing waits; every leg takes its own line.
#[tokio::test]
async fn no_leg_goes_out_without_a_line() {
    let limits = Limits { max_calls: 1, ..Limits::default() };
    let exchange = Exchange::open_over(rig::folder(), limits, |_| None).await;
    let account = Exchange::account();
    let application = ApplicationId::new(APPLICATION);
    // Two trunks of one call each: the caller takes one, the callee the other.
    let clicked = exchange.click(&plain()).await;
    exchange.happens(CALLER, "answers").await;
    exchange.happens(CALLEE, "answers").await;
    exchange.shows(&clicked, |state| state.phase == TalkPhase::Connected).await;
    let second = exchange.prepare();
    let refused =
        exchange.talks().reserve(&account, &application, &second.conversation, &side(CALLER));
    assert!(matches!(refused, Err(Busy::Limit(_))), "{refused:?}");
    let added = exchange.talks().add(&account, &clicked.conversation, third()).await;
    assert!(matches!(added, Err(NotAdded::Busy(Busy::Limit(_)))), "{added:?}");
    // A row whose reservation is gone is ended at once.
    exchange.store(&second, &plain()).await;
    exchange.ended(&second).await;
    assert_eq!(
        exchange.records(&second).await[0].started_at,
        exchange.records(&second).await[0].ended_at
    );
    assert_eq!(exchange.rig.script.dials().len(), 2);
    exchange.happens(CALLER, "leaves").await;
    exchange.ended(&clicked).await;

    // One line is left for the caller alone: the callee's leg is refused, and that is recorded.
    let other = exchange.click(&plain()).await;
    exchange.rig.script.wait_for_dials(3).await;
    let held = exchange.prepare();
    let reserved =
        exchange.talks().reserve(&account, &application, &held.conversation, &side(CALLER));
    reserved.expect("the second line is free");
    exchange.happens(CALLER, "answers").await;
    exchange.happens(CALLER, "heard").await;
    exchange.ended(&other).await;
    exchange.talks().release(&held.conversation);
    let records = exchange.records(&other).await;
    assert_eq!((records.len(), records[1].cause.as_str()), (2, "failed"));
    assert_eq!(records[1].fault.as_deref(), Some("platform"));
    assert!(records[1].rule.as_deref().is_some_and(|rule| rule.starts_with("carrier-")));
    // All lines are back.
    let next = exchange.click(&plain()).await;
    exchange.rig.script.wait_for_dials(4).await;
    exchange.happens(CALLER, "rejects 486").await;
    exchange.ended(&next).await;
}

#[tokio::test]
async fn a_click_that_is_cancelled_before_it_starts_dials_nobody() {
    let exchange = Exchange::open().await;
    let clicked = exchange.prepare();
    exchange.talks().cancel(&Exchange::account(), &clicked.conversation);
    exchange.store(&clicked, &plain()).await;
    let talk = exchange.ended(&clicked).await;
    assert_eq!((talk.bye_type.number(), talk.ended_by.as_str()), (0, "api"));
    assert!(exchange.rig.script.dials().is_empty());
    assert_eq!(exchange.told(&clicked).await.cdrs.len(), 1);
}

/// Whichever node took cancelCall: the row says it.
#[tokio::test]
async fn a_click_whose_row_is_cancelled_dials_nobody() {
    let exchange = Exchange::open().await;
    let clicked = exchange.prepare();
    exchange.store_and(&clicked, &plain(), true).await;
    let talk = exchange.ended(&clicked).await;
    let end = (talk.bye_type.number(), talk.ended_by.as_str(), talk.hangup_reason.as_str());
    assert_eq!(end, (0, "api", "requested"));
    assert!(exchange.rig.script.dials().is_empty());
    let told = exchange.told(&clicked).await;
    assert_eq!((told.cdrs.len(), told.statuses.len()), (1, 0));
}

/// Another node took cancelCall and marked the row.
#[tokio::test]
async fn a_talk_whose_row_is_marked_is_ended() {
    let exchange = Exchange::open().await;
    let clicked = exchange.click(&plain()).await;
    exchange.happens(CALLER, "answers").await;
    exchange.happens(CALLEE, "answers").await;
    exchange.hears(CALLEE, &[CALLER]).await;
    let other = exchange.click(&plain()).await;
    exchange.rig.script.wait_for_dials(3).await;
    let (request, conversation) = (clicked.request.clone(), clicked.conversation.clone());
    let now = exchange.rig.app.clock().now();
    let writer = exchange.rig.app.store().writer();
    let marked = writer.write(Lane::Live, move |tx| {
        Box::pin(async move {
            let account = Exchange::account();
            attempts::mark_to_end(tx, &account, &request, &conversation, now).await
        })
    });
    assert!(marked.await.expect("a write"), "it runs");
    let talk = exchange.ended(&clicked).await;
    assert_eq!((talk.bye_type.number(), talk.ended_by.as_str()), (3, "api"));
    let phase = exchange.talks().phase(&Exchange::account(), &other.conversation);
    assert_eq!(phase, Some(TalkPhase::Caller), "the other goes on");
}

/// RESOLUTIONS, failover: only before any 18x; every trunk is tried with the same leg.
#[tokio::test]
async fn the_next_trunk_is_tried_for_each_party() {
    let exchange = Exchange::open().await;
    let clicked = exchange.click(&plain()).await;
    exchange.happens(CALLER, "rejects 503").await;
    exchange.rig.script.wait_for_dials(2).await;
    exchange.happens(CALLER, "answers").await;
    exchange.rig.script.wait_for_dials(3).await;
    exchange.happens(CALLEE, "silent").await;
    exchange.rig.script.wait_for_dials(4).await;
    exchange.happens(CALLEE, "answers").await;
    exchange.hears(CALLEE, &[CALLER]).await;
    exchange.happens(CALLEE, "leaves").await;
    exchange.ended(&clicked).await;
    let trunks: Vec<_> = exchange
        .rig
        .script
        .dials()
        .iter()
        .map(|dial| (dial.peer.name.clone(), dial.attempt))
        .collect();
    let expected = [("carrier-a", 0), ("carrier-b", 1), ("carrier-a", 0), ("carrier-b", 1)];
    assert_eq!(trunks, expected.map(|(name, attempt)| (name.to_owned(), attempt)));
    let told = exchange.told(&clicked).await;
    assert_eq!(told.statuses.len(), 6, "{:?}", told.statuses);
}

#[tokio::test]
async fn a_recorded_talk_says_where_its_recording_is() {
    let exchange = Exchange::open().await;
    let spec = ClickSpec { record: Record::FromAnswer, ..plain() };
    let clicked = exchange.click(&spec).await;
    exchange.happens(CALLER, "answers").await;
    exchange.happens(CALLEE, "answers").await;
    let (caller, callee) = (exchange.leg(CALLER).await, exchange.leg(CALLEE).await);
    let recordings = |commands: &[Command]| {
        commands.iter().rev().find_map(|command| match command {
            Command::Record(recording) => Some((**recording).clone()),
            _ => None,
        })
    };
    let recording = exchange.rig.script.wait_for("a recording", recordings).await;
    assert_eq!((recording.left, recording.right), (vec![caller.clone()], vec![callee.clone()]));
    exchange.shows(&clicked, |state| state.phase == TalkPhase::Connected).await;
    let account = Exchange::account();
    exchange.talks().add(&account, &clicked.conversation, third()).await.expect("added");
    let added = exchange.leg(THIRD).await;
    let with_third = |commands: &[Command]| {
        recordings(commands).filter(|recording| recording.right == [callee.clone(), added.clone()])
    };
    exchange.rig.script.wait_for("the third party in the recording", with_third).await;
    exchange.happens(CALLEE, "leaves").await;
    let talk = exchange.ended(&clicked).await;
    let told = exchange.told(&clicked).await;
    let cdr = only(&told.cdrs, "recorded");
    assert_eq!(cdr["recordingDuration"], "3");
    let url = cdr["recordingUrl"].as_str().expect("a text");
    let recording = talk.recording.expect("it was recorded");
    assert!(url.contains(recording.as_str()), "{url}");
}

#[tokio::test]
async fn a_conversation_that_panics_ends_its_legs_and_is_accounted_for() {
    let breaks = |command: &Command| {
        let is_bridge = matches!(command, Command::Hear { others, .. } if !others.is_empty());
        assert!(!is_bridge, "the scripted engine breaks here");
        None
    };
    let exchange = Exchange::open_over(rig::folder(), Limits::default(), breaks).await;
    let clicked = exchange.click(&plain()).await;
    exchange.happens(CALLER, "answers").await;
    exchange.happens(CALLEE, "answers").await;
    let talk = exchange.ended(&clicked).await;
    assert_eq!((talk.bye_type.number(), talk.ended_by.as_str()), (3, "platform"));
    let told = exchange.told(&clicked).await;
    assert_eq!(told.cdrs.len(), 1);
    let completed = told.statuses.iter().filter(|status| status.contains("completed")).count();
    assert_eq!(completed, 2, "{:?}", told.statuses);
    let hang_ups = exchange
        .rig
        .script
        .commands
        .lock()
        .iter()
        .filter(|command| matches!(command, Command::HangUp { why: HangUpWhy::PlatformFault, .. }))
        .count();
    assert_eq!(hang_ups, 2);
    for record in exchange.records(&clicked).await {
        assert_eq!((record.fault.as_deref(), record.result), (Some("platform"), 0));
    }
}

/// After a crash: every leg is ended at the carrier, and one record says what is known.
#[tokio::test]
async fn a_talk_of_an_earlier_process_is_closed_once() {
    let folder = rig::folder();
    let first = std::thread::spawn({
        let folder = Arc::clone(&folder);
        move || {
            let doomed = tokio::runtime::Runtime::new().expect("a runtime");
            let clicked = doomed.block_on(async {
                let exchange = Exchange::open_over(folder, Limits::default(), |_| None).await;
                let clicked = exchange.click(&plain()).await;
                exchange.happens(CALLER, "answers").await;
                exchange.happens(CALLEE, "rings").await;
                exchange.happens(CALLEE, "answers").await;
                exchange.hears(CALLEE, &[CALLER]).await;
                let reader = exchange.rig.app.store().reader();
                let account = Exchange::account();
                exchange
                    .rig
                    .until("two stored answers", async || {
                        let rows = attempts::of_request(reader, &account, &clicked.request);
                        let rows = rows.await.expect("a read");
                        let up = rows.iter().filter(|row| row.state == AttemptState::Answered);
                        (up.count() == 2).then_some(())
                    })
                    .await;
                clicked
            });
            doomed.shutdown_background();
            clicked
        }
    });
    let clicked = first.join().expect("the first process talks");
    let exchange = Exchange::open_over(folder, Limits::default(), |_| None).await;
    let talk = exchange.ended(&clicked).await;
    assert_eq!((talk.bye_type.number(), talk.ended_by.as_str()), (3, "platform"));
    let reaps = exchange
        .rig
        .script
        .commands
        .lock()
        .iter()
        .filter(|command| matches!(command, Command::Reap { .. }))
        .count();
    assert_eq!((reaps, exchange.rig.script.dials().len()), (2, 0));
    let told = exchange.told(&clicked).await;
    let cdr = only(&told.cdrs, "after a crash");
    assert_eq!(cdr["cdrs"].as_array().map(Vec::len), Some(2));
    let expected = [
        "13800100001 initiated",
        "13800100001 answered",
        "13800100002 initiated",
        "13800100002 ringing",
        "13800100002 answered",
    ];
    assert_eq!(told.statuses[..5], expected);
    assert_eq!(told.statuses.len(), 7, "{:?}", told.statuses);
    assert!(
        exchange
            .rig
            .script
            .commands
            .lock()
            .iter()
            .all(|command| { matches!(command, Command::Reap { .. }) })
    );
}
