//! Recordings of click-to-calls: each side in its channel, aligned and without a gap, from the moment
//! that was asked for; and the link under which they are downloaded.
//!
//! Telephones speak in beats, by one clock: whatever two of them say begins at the same time.

#![expect(clippy::unwrap_used, reason = "a failed set-up is a failed test")]

mod support;

use futures_util::future::join_all;
use serde_json::{Value, json};
use support::handsets::{CALLEE_HZ, CALLER_HZ, EARLY_HZ, Handset, Handsets, THIRD_HZ};
use support::records::{self, text};
use support::sound::{RATE_HZ, seconds};
use support::steps;
use support::stereo::{Stereo, stretches};
use support::talks::{Talk, TalkWorld};
use support::voices::{TO_CALLEE, TO_CALLER};
use support::world::World;

/// How long a telephone speaks, and then is silent, milliseconds.
const BEAT_MS: usize = 400;
/// Two sides may be so far apart, and a beat so much longer or shorter, milliseconds.
const APART_MS: usize = 20;
/// Telephones that spoke later than this prove nothing: the jitter that a recording takes.
const SPOKEN_LATE_MS: u64 = 30;

fn samples(ms: usize) -> usize {
    ms * RATE_HZ / 1_000
}

/// Downloads what a record's `recordingUrl` names, as anybody who has the link can.
async fn download(url: &str) -> (u16, Vec<u8>) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client.get(url).send().await.unwrap();
    let status = answer.status().as_u16();
    (status, answer.bytes().await.unwrap().to_vec())
}

async fn recording(name: &str, record: &Value) -> Stereo {
    let url = text(record, "recordingUrl");
    let (status, file) = download(url).await;
    assert_eq!(status, 200, "{name}: {url}: {}", String::from_utf8_lossy(&file));
    let recording = Stereo::read(&file);
    let told_s: usize = text(record, "recordingDuration").parse().unwrap();
    let is_s = recording.ms() / 1_000;
    assert!(told_s.abs_diff(is_s) <= 1, "{name}: recordingDuration is {told_s}, its file {is_s} s");
    recording
}

/// The beats of a side, whole ones only: each as long as it was spoken, and none missing.
fn beats(name: &str, side: &str, channel: &[i16], hz: u16) -> Vec<usize> {
    let heard = stretches(channel, hz);
    assert!(heard.len() >= 3, "{name}: the {side} is heard {} times: {heard:?}", heard.len());
    let edges: Vec<usize> = heard.iter().flat_map(|beat| [beat.start, beat.end]).collect();
    // The first and the last may have been cut.
    for pair in edges[1..edges.len() - 1].windows(2) {
        let ms = (pair[1] - pair[0]) * 1_000 / RATE_HZ;
        assert!(
            ms.abs_diff(BEAT_MS) <= APART_MS,
            "{name}: {ms} ms between two edges of the {side} at {}: {heard:?}",
            seconds(pair[0]),
        );
    }
    heard[1..].iter().map(|beat| beat.start).collect()
}

/// Each side in its own channel alone, and what began at one time stands at one place.
fn check_sides(name: &str, recording: &Stereo) -> usize {
    let left = beats(name, "caller", &recording.left, CALLER_HZ);
    let right = beats(name, "callee", &recording.right, CALLEE_HZ);
    for (side, channel, hz) in
        [("caller", &recording.left, CALLEE_HZ), ("callee", &recording.right, CALLER_HZ)]
    {
        let strange = stretches(channel, hz);
        assert!(strange.is_empty(), "{name}: the other is in the {side}'s channel: {strange:?}");
    }
    let mut worst = 0;
    for start in &left {
        // One side may have ended a beat before the other.
        let apart = right.iter().map(|other| other.abs_diff(*start)).min().unwrap();
        if apart < samples(BEAT_MS) {
            assert!(
                apart <= samples(APART_MS),
                "{name}: the two are {} apart at {}",
                seconds(apart),
                seconds(*start)
            );
            worst = worst.max(apart);
        }
    }
    worst
}

/// Two telephones that speak in beats; the callee picks up by itself.
async fn pair<'a>(world: &'a World, at: usize, callee: Value) -> [Handset<'a>; 2] {
    let beats = json!({ "ring_ms": 400, "beat_ms": BEAT_MS });
    let mut behaviour = beats.clone();
    support::node::merge(&mut behaviour, &callee);
    let number = |party: usize| format!("1360{party}{at:04}99");
    [
        Handset::new(world.carrier(), number(1), CALLER_HZ, beats).await,
        Handset::new(world.carrier(), number(2), CALLEE_HZ, behaviour).await,
    ]
}

/// Many at once: nothing is lost, whatever else is being recorded.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_once_are_whole_and_aligned() {
    let soak = std::env::var_os("YUNLING_SOAK").is_some();
    let (talks, talk_s) = if soak { (100, 30) } else { (20, 6) };
    let TalkWorld { world, .. } = &TalkWorld::for_many().await;
    let fields = json!({ "record": 2, "maxDuration": talk_s });
    let started: Vec<([Handset<'_>; 2], Talk<'_>)> = join_all((0..talks).map(async |at| {
        let pair = pair(world, at, json!({})).await;
        let talk = Talk::start(world, &pair[0], &pair[1], &fields).await;
        (pair, talk)
    }))
    .await;
    let records = join_all(started.iter().map(|(_, talk)| talk.record())).await;
    let (mut worst, mut judged) = (0, 0);
    for (at, ((pair, _), record)) in started.iter().zip(&records).enumerate() {
        let name = format!("talk {at}");
        let recording = recording(&name, record).await;
        // Counted from the bridge; a frame may be missing at either end.
        let wanted = talk_s * 1_000 - 100..talk_s * 1_000 + 1_500;
        assert!(wanted.contains(&recording.ms()), "{name}: {} ms", recording.ms());
        // What a telephone did not say in time cannot be recorded in its time.
        let mut late_ms = 0;
        for handset in pair {
            let ended = handset.wait_for("ended").await;
            late_ms = late_ms.max(ended["rtp"]["sent_late_max_ms"].as_u64().unwrap());
        }
        if late_ms > SPOKEN_LATE_MS {
            println!("{name}: its telephones spoke up to {late_ms} ms late");
            continue;
        }
        worst = worst.max(check_sides(&name, &recording));
        judged += 1;
    }
    println!("{judged} of {talks} at once: the sides are at most {} apart", seconds(worst));
    assert!(judged * 2 >= talks, "the machine is too busy for the telephones themselves");
}

/// `record`: from the callee's ringing, from its answer, or not at all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recording_begins_when_it_should() {
    let TalkWorld { world, .. } = &TalkWorld::start(json!({}), |_| {}).await;
    let rings_ms = 1_600;
    let slow = json!({ "ring": "early_media", "ring_ms": rings_ms });
    let prompts = json!({ "callerVoice": TO_CALLER.name, "calleeVoice": TO_CALLEE.name });
    let cases = [
        ("1", json!({ "record": 1 }), rings_ms),
        ("true is 2", json!({ "record": true }), 0),
        ("2, before the prompts", prompts.clone(), 0),
        ("0", json!({ "record": "0" }), 0),
    ];
    join_all(cases.iter().enumerate().map(async |(at, (name, fields, before_ms))| {
        let [caller, callee] = pair(world, 500 + at, slow.clone()).await;
        let mut fields = fields.clone();
        if fields["callerVoice"].is_string() {
            fields["record"] = "2".into();
        }
        fields["maxDuration"] = 3.into();
        let talk = Talk::start(world, &caller, &callee, &fields).await;
        let record = talk.record().await;
        assert_eq!(text(&record, "byeType"), "5", "{name}: {record:#}");
        if *name == "0" {
            assert_eq!(text(&record, "recordingUrl"), "", "{name}: {record:#}");
            return;
        }
        let recording = recording(name, &record).await;
        let prompt_ms = if fields["callerVoice"].is_string() { TO_CALLER.ms } else { 0 };
        let whole = before_ms + prompt_ms + 3_000;
        // Ringing and answering are told by two clocks, in frames.
        assert!(
            (whole - 100..whole + 1_200).contains(&recording.ms()),
            "{name}: {} instead of {whole} ms",
            recording.ms()
        );
        check_sides(name, &recording);
        let early = stretches(&recording.right, EARLY_HZ);
        assert_eq!(!early.is_empty(), *before_ms > 0, "{name}: its network's tone: {early:?}");
        for hz in [TO_CALLER.hz, TO_CALLEE.hz] {
            let said = [&recording.left, &recording.right].map(|side| stretches(side, hz).len());
            assert_eq!(said, [0, 0], "{name}: what the platform says is not a side's voice");
        }
    }))
    .await;
}

/// addCall with `record` starts one where none runs; the third party is on the callee's channel, and
/// there is one recording for the conversation.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_third_party_is_on_the_callees_channel() {
    let TalkWorld { world, .. } = &TalkWorld::start(json!({}), |_| {}).await;
    let [caller, callee] = pair(world, 600, json!({})).await;
    let behaviour = json!({ "ring_ms": 300, "beat_ms": BEAT_MS });
    let third = Handset::new(world.carrier(), "13603060099", THIRD_HZ, behaviour).await;
    let handsets: Handsets<'_> =
        [("caller", caller.clone()), ("callee", callee.clone()), ("third", third.clone())]
            .into_iter()
            .collect();
    let talk = Talk::start(world, &caller, &callee, &json!({})).await;
    let addition = json!({ "record": true });
    let steps =
        "caller hears 850, callee hears 650, third joins, third hears 650, callee hears 1050";
    steps::run("three", &talk, &handsets, &addition, steps).await;
    // Some beats of all three.
    let from = third.hears(CALLER_HZ).await;
    support::until("they talk", || {
        third.heard().stretches(CALLER_HZ).last().unwrap().end >= from + 4_000_000
    })
    .await;
    steps::run("three", &talk, &handsets, &addition, "callee hang_up").await;
    let record = talk.record().await;
    records::check("three", &talk, &record, &[&caller, &callee, &third], "");
    let recording = recording("three", &record).await;
    check_sides("three", &recording);
    beats("three", "third party", &recording.right, THIRD_HZ);
    assert!(stretches(&recording.left, THIRD_HZ).is_empty(), "the third is not the caller");
}

/// RESOLUTIONS, `recordingUrl`: the document's shape, signed and expiring.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_link_is_signed_and_expires() {
    let soon = |document: &mut Value| {
        document["accounts"][0]["applications"][0]["recording_link_s"] = 60.into();
    };
    let TalkWorld { world, .. } = &TalkWorld::start(json!({}), soon).await;
    let [caller, callee] = pair(world, 700, json!({})).await;
    let fields = json!({ "record": 2, "maxDuration": 2 });
    let record = Talk::start(world, &caller, &callee, &fields).await.record().await;
    let url = text(&record, "recordingUrl");
    recording("link", &record).await;
    let path = url.strip_prefix(&world.node.url()).unwrap_or_else(|| panic!("{url} is not ours"));
    let (path, _) = path.split_once('?').expect("a link is signed");
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let ["record", node, day, file] = parts[..] else { panic!("{url} has another shape") };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    assert!(digits(node) && day.len() == 8 && digits(day), "{url}");
    let (sid, rest) = file.split_once("_D_").unwrap_or_else(|| panic!("{url}"));
    records::assert_sid("link", "RE", sid);
    assert!(rest.ends_with(".wav") && rest.contains(day), "{url}");

    for (name, wrong) in [
        ("no signature", url.split_once('?').unwrap().0.to_owned()),
        ("another file", url.replace(sid, &sid.replace("RE1", "RE2"))),
        ("a later time", url.replacen("expires=", "expires=9", 1)),
        ("another signature", format!("{url}0")),
    ] {
        assert_ne!(wrong, url, "{name}");
        let (status, body) = download(&wrong).await;
        assert!((400..500).contains(&status), "{name}: {status} for {wrong}");
        assert!(!body.starts_with(b"RIFF"), "{name}: the file all the same");
    }
}
