//! kill -9 in mid-conversation: after the restart each conversation is closed, its legs are ended at
//! the carrier, its record is told once, and its recording can be played.

#![expect(clippy::unwrap_used, reason = "a failed set-up is a failed test")]

mod support;

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;
use support::handsets::{CALLEE_HZ, CALLER_HZ, Handset, Handsets, THIRD_HZ};
use support::phones;
use support::records::{self, text};
use support::steps;
use support::stereo::{Stereo, stretches};
use support::talks::{Talk, TalkWorld};

/// Recovery is done within this of the restart.
const RECOVERY: Duration = Duration::from_secs(30);

/// A conversation that is killed on its way.
struct Case {
    name: &'static str,
    /// How far it gets (support/steps.rs).
    steps: &'static str,
    /// Who has been called by then, and how each is ended.
    ends: &'static [(&'static str, &'static str)],
    bye_type: &'static str,
    records: bool,
}

const TALK: &str = "caller answer, callee answer, caller hears 850, callee hears 650";

const CASES: &[Case] = &[
    Case {
        name: "the caller rings",
        steps: "caller rings, caller told ringing",
        ends: &[("caller", "cancel")],
        bye_type: "0",
        records: false,
    },
    Case {
        name: "the callee rings",
        steps: "caller answer, callee rings, callee told ringing",
        ends: &[("caller", "caller"), ("callee", "cancel")],
        bye_type: "1",
        records: false,
    },
    Case {
        name: "two talk",
        steps: TALK,
        ends: &[("caller", "caller"), ("callee", "caller")],
        bye_type: "3",
        records: true,
    },
    Case {
        name: "three talk",
        steps: "caller answer, callee answer, caller hears 850, callee hears 650, third joins, \
                third answer, third hears 650, caller hears 1050",
        ends: &[("caller", "caller"), ("callee", "caller"), ("third", "caller")],
        bye_type: "3",
        records: true,
    },
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_node_closes_its_conversations_when_it_is_back() {
    let TalkWorld { mut world, _library } = TalkWorld::start(json!({}), |_| {}).await;
    let mut sids = Vec::new();
    let numbers = |at: usize, party: usize| format!("1350{party}{at:04}99");
    let parties = [("caller", CALLER_HZ), ("callee", CALLEE_HZ), ("third", THIRD_HZ)];
    {
        let world = &world;
        sids.extend(
            join_all(CASES.iter().enumerate().map(async |(at, case)| {
                let mut handsets = Handsets::new();
                for (party, (who, hz)) in parties.into_iter().enumerate() {
                    let number = numbers(at, party);
                    let handset = Handset::new(world.carrier(), number, hz, json!({})).await;
                    handsets.insert(who, handset);
                }
                let fields = json!({ "record": 2 });
                let talk =
                    Talk::start(world, &handsets["caller"], &handsets["callee"], &fields).await;
                steps::run(case.name, &talk, &handsets, &json!({}), case.steps).await;
                if case.records {
                    // Three seconds, of which two have to be in the recording: the engine writes
                    // one at a time.
                    let callee = &handsets["callee"];
                    let from = callee.hears(CALLER_HZ).await;
                    support::until("they talk", || {
                        callee.heard().stretches(CALLER_HZ).last().unwrap().end >= from + 3_000_000
                    })
                    .await;
                }
                talk.sid
            }))
            .await,
        );
    }
    world.node.kill_9();
    let ended =
        world.carrier().events().into_iter().filter(|event| event["kind"] == "ended").count();
    assert_eq!(ended, 0, "every telephone is still up");

    let started = Instant::now();
    world.node.restart().await;
    let world = &world;
    for (at, case) in CASES.iter().enumerate() {
        let name = case.name;
        for (who, by) in case.ends {
            let party = parties.iter().position(|(known, _)| known == who).unwrap();
            let left = RECOVERY.saturating_sub(started.elapsed());
            let number = numbers(at, party);
            let ended = world
                .carrier()
                .wait_until(&format!("{name}: the end of {who}"), left, |events| {
                    events
                        .iter()
                        .find(|one| one["to"] == *number && one["kind"] == "ended")
                        .cloned()
                })
                .await;
            assert_eq!(ended["by"], *by, "{name}: {who}: {ended}");
        }
        let talk = Talk::of(world, &sids[at]);
        let record = talk.record().await;
        assert_eq!(
            (text(&record, "byeType"), text(&record, "endedBy")),
            (case.bye_type, "platform"),
            "{name}: {record:#}"
        );
        let legs = record["cdrs"].as_array().unwrap();
        assert_eq!(legs.len(), case.ends.len(), "{name}: {record:#}");
        for status in ["initiated", "completed"] {
            let told = talk.statuses().iter().filter(|one| one["callStatus"] == status).count();
            assert_eq!(told, legs.len(), "{name}: {status}: {:#?}", talk.statuses());
        }
        let url = text(&record, "recordingUrl");
        assert_eq!(!url.is_empty(), case.records, "{name}: {record:#}");
        if case.records {
            check_recording(name, url).await;
        }
    }

    // Another conversation goes through: had anything else been due, it would have come before that.
    let caller = Handset::new(world.carrier(), "13509999199", CALLER_HZ, json!({})).await;
    let callee = Handset::new(world.carrier(), "13509999299", CALLEE_HZ, json!({})).await;
    let handsets: Handsets<'_> =
        [("caller", caller.clone()), ("callee", callee.clone())].into_iter().collect();
    let talk = Talk::start(world, &caller, &callee, &json!({})).await;
    steps::run("afterwards", &talk, &handsets, &json!({}), TALK).await;
    steps::run("afterwards", &talk, &handsets, &json!({}), "callee hang_up").await;
    let record = talk.record().await;
    records::check("afterwards", &talk, &record, &[&caller, &callee], "");
    for (case, sid) in CASES.iter().zip(&sids) {
        assert_eq!(Talk::of(world, sid).records(), 1, "{}: its record is told once", case.name);
    }
    phones::assert_nobody_was_called_twice(&phones::phones(&world.carrier().events()));
}

/// It can be played, and holds both sides up to the kill.
async fn check_recording(name: &str, url: &str) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client.get(url).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 200, "{name}: {url}");
    let recording = Stereo::read(&answer.bytes().await.unwrap());
    for (side, channel, hz) in
        [("caller", &recording.left, CALLER_HZ), ("callee", &recording.right, CALLEE_HZ)]
    {
        let samples: usize = stretches(channel, hz).iter().map(ExactSizeIterator::len).sum();
        assert!(samples >= 14_000, "{name}: only {samples} samples of the {side} were saved");
    }
}
