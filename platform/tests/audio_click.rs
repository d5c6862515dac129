//! Who hears what, and when, in a click-to-call: each telephone and each prompt has a tone of its
//! own, and what a telephone heard is asked for by them (support/hearing.rs).

#![expect(clippy::unwrap_used, reason = "a failed set-up is a failed test")]

mod support;

use std::ops::Range;

use serde_json::{Value, json};
use support::handsets::{CALLEE_HZ, CALLER_HZ, EARLY_HZ, Handset, Handsets, THIRD_HZ};
use support::hearing::Heard;
use support::records::text;
use support::steps;
use support::talks::{Talk, TalkWorld};
use support::voices::{self, FAIL, GREET, LAST_MINUTE, NETWORK_HZ, RINGBACK, TO_CALLEE, TO_CALLER};
use support::world::World;

/// What follows from an event may be heard so much later on a busy machine, microseconds.
const LATE_US: i64 = 800_000;
/// A length that is heard may differ by so much, microseconds: three packets.
const EXACT_US: i64 = 60_000;
/// Quieter than this is silence: a room's noise.
const QUIET: f64 = 60.0;

/// One conversation of a test.
struct Scene<'a> {
    name: &'static str,
    talk: Talk<'a>,
    handsets: Handsets<'a>,
}

impl<'a> Scene<'a> {
    /// `at` makes the numbers; `callee` is how its telephone behaves.
    async fn start(
        world: &'a World,
        name: &'static str,
        at: u32,
        callee: Value,
        fields: Value,
    ) -> Self {
        let mut handsets = Handsets::new();
        for (party, (who, hz)) in
            [("caller", CALLER_HZ), ("callee", CALLEE_HZ), ("third", THIRD_HZ)]
                .into_iter()
                .enumerate()
        {
            let number = format!("1370{party}{at:04}99");
            let behaviour = if who == "callee" { callee.clone() } else { json!({}) };
            handsets.insert(who, Handset::new(world.carrier(), number, hz, behaviour).await);
        }
        let talk = Talk::start(world, &handsets["caller"], &handsets["callee"], &fields).await;
        Self { name, talk, handsets }
    }

    async fn run(&self, steps: &str) {
        steps::run(self.name, &self.talk, &self.handsets, &json!({}), steps).await;
    }

    fn heard(&self, party: &str) -> Heard {
        self.handsets[party].heard()
    }

    /// When an event of a party's happened at the network.
    async fn time(&self, party: &str, kind: &str) -> i64 {
        self.handsets[party].time_of(kind).await
    }

    /// `after` follows from `before`, and not later than it may.
    fn assert_follows(&self, what: &str, before_us: i64, after_us: i64) {
        // Events and packets are stamped by two clocks that agree within a frame.
        let late_ms = (after_us - before_us) / 1_000;
        assert!(
            (-20..=LATE_US / 1_000).contains(&late_ms),
            "{}: {what} after {late_ms} ms",
            self.name
        );
    }

    /// It lasts as long as it should.
    fn assert_length(&self, what: &str, heard: &Range<i64>, ms: i64) {
        let length_ms = (heard.end - heard.start) / 1_000;
        let exact = (length_ms - ms).abs() <= EXACT_US / 1_000;
        assert!(exact, "{}: {what} was heard for {length_ms} instead of {ms} ms", self.name);
    }
}

/// Mode 0 with early media: it is passed through as it comes, and no tone of ours is put over it.
async fn early_media_is_passed_through(world: &World) {
    let callee = json!({ "ring": "early_media" });
    let scene = Scene::start(world, "early media", 1, callee, json!({})).await;
    scene.run("caller answer, callee rings, caller hears 1450, callee answer").await;
    scene.run("caller hears 850, callee hears 650, callee hang_up").await;
    scene.talk.record().await;
    let (caller, callee) = (scene.heard("caller"), scene.heard("callee"));
    let early = caller.once(scene.name, EARLY_HZ);
    let (rang, answered) =
        (scene.time("callee", "ringing").await, scene.time("callee", "answered").await);
    scene.assert_follows("early media was heard", rang, early.start);
    scene.assert_follows("early media ended", answered, early.end);
    let voice = caller.once(scene.name, CALLEE_HZ);
    scene.assert_follows("the callee was heard", answered, voice.start);
    scene.assert_follows(
        "the caller was heard",
        answered,
        callee.once(scene.name, CALLER_HZ).start,
    );
    caller.never(scene.name, NETWORK_HZ);
    callee.never(scene.name, EARLY_HZ);
}

/// Mode 0 where none flows: the platform's ringback tone, 1 s on and 4 s off, until the callee picks
/// up.
async fn a_tone_where_no_media_flows(world: &World) {
    let scene = Scene::start(world, "ringback tone", 2, json!({}), json!({})).await;
    scene.run("caller answer, callee rings").await;
    let first = scene.handsets["caller"].hears(NETWORK_HZ).await;
    let second = scene.handsets["caller"].hears_after(NETWORK_HZ, first + 2_000_000).await;
    scene.run("callee answer, caller hears 850, callee hears 650, caller hang_up").await;
    scene.talk.record().await;
    let caller = scene.heard("caller");
    scene.assert_follows("the tone was heard", scene.time("callee", "ringing").await, first);
    let tones = caller.stretches(NETWORK_HZ);
    scene.assert_length("the tone", &tones[0], 1_000);
    scene.assert_length("from one tone to the next", &(first..second), 5_000);
    let answered = scene.time("callee", "answered").await;
    let last = tones.last().unwrap();
    assert!(last.end <= answered + LATE_US, "ringback after the answer: {:?}", caller.summary());
    scene.heard("callee").never(scene.name, NETWORK_HZ);
}

/// Mode 0, and media that was promised does not come: the tone takes its place.
async fn a_tone_where_promised_media_does_not_come(world: &World) {
    let callee = json!({ "ring": "promise" });
    let scene = Scene::start(world, "empty promise", 3, callee, json!({})).await;
    scene.run("caller answer, callee rings, caller hears 450, callee answer").await;
    scene.run("caller hears 850, callee hears 650, caller hang_up").await;
    let waited_ms = (scene.heard("caller").stretches(NETWORK_HZ)[0].start
        - scene.time("callee", "ringing").await)
        / 1_000;
    assert!((900..=2_500).contains(&waited_ms), "the tone came after {waited_ms} ms");
}

/// Mode 0: the network says itself why it failed, and nothing is put after it.
async fn an_announcement_is_passed_through(world: &World) {
    let callee = json!({ "ring": "early_media" });
    let scene = Scene::start(world, "announcement", 4, callee, json!({})).await;
    scene.run("caller answer, callee rings, caller hears 1450, callee refuse 404").await;
    let record = scene.talk.record().await;
    assert_eq!(text(&record, "byeType"), "2", "{record:#}");
    let caller = scene.heard("caller");
    caller.once(scene.name, EARLY_HZ);
    caller.never(scene.name, NETWORK_HZ);
}

/// Mode 0, a failure without media: the busy tone, 0.35 s on and off.
async fn busy_without_media_is_the_busy_tone(world: &World) {
    let callee = json!({ "ring": "nothing" });
    let scene = Scene::start(world, "busy tone", 5, callee, json!({})).await;
    scene.run("caller answer, callee refuse 486").await;
    scene.talk.record().await;
    let tones = scene.heard("caller").stretches(NETWORK_HZ);
    assert!(tones.len() >= 3, "the tone is heard for a while: {tones:?}");
    for pair in tones.windows(2) {
        scene.assert_length("a beep", &pair[0], 350);
        scene.assert_length("from beep to beep", &(pair[0].start..pair[1].start), 700);
    }
    let refused = scene.time("callee", "refused").await;
    scene.assert_follows("the tone was heard", refused, tones[0].start);
}

/// Mode 1: the application's voices, whatever the callee's network says.
async fn custom_voices_take_the_place_of_the_networks(world: &World) {
    let fields = json!({
        "ringbackMode": "1",
        "ringbackVoice": RINGBACK.name,
        "failVoice": FAIL.name,
    });
    let callee = json!({ "ring": "early_media" });
    let scene = Scene::start(world, "custom voices", 6, callee, fields).await;
    scene.run("caller answer, callee rings").await;
    let start = scene.handsets["caller"].hears(RINGBACK.hz).await;
    // It begins anew at its end.
    let again = start + 2 * 1_000 * i64::try_from(RINGBACK.ms).unwrap();
    let caller = &scene.handsets["caller"];
    support::until("ringbackVoice goes on", || {
        caller.heard().stretches(RINGBACK.hz).iter().any(|heard| heard.end >= again)
    })
    .await;
    scene.run("callee refuse 486").await;
    scene.talk.record().await;
    let caller = scene.heard("caller");
    scene.assert_follows("ringbackVoice", scene.time("callee", "ringing").await, start);
    let fail = caller.once(scene.name, FAIL.hz);
    scene.assert_follows("failVoice", scene.time("callee", "refused").await, fail.start);
    scene.assert_length("failVoice", &fail, i64::try_from(FAIL.ms).unwrap());
    let last = caller.stretches(RINGBACK.hz).last().unwrap().end;
    assert!(last <= fail.start + EXACT_US, "both at once: {:?}", caller.summary());
    caller.never(scene.name, EARLY_HZ);
    caller.never(scene.name, NETWORK_HZ);
}

/// Mode 1 without voices of its own: there are defaults, and they can be heard.
async fn custom_mode_has_default_voices(world: &World) {
    let scene =
        Scene::start(world, "default voices", 7, json!({}), json!({ "ringbackMode": 1 })).await;
    scene.run("caller answer, callee rings").await;
    let rings = scene.time("callee", "ringing").await;
    let caller = &scene.handsets["caller"];
    support::until("the default ringback is heard", || {
        caller.heard().loudness(&(rings..i64::MAX)) >= QUIET
    })
    .await;
    scene.run("callee refuse 486").await;
    let refused = scene.time("callee", "refused").await;
    scene.talk.record().await;
    let told = caller.heard().loudness(&(refused + LATE_US..i64::MAX));
    assert!(told >= QUIET, "the default failVoice is not heard: {told}");
}

/// greetVoice before the callee is dialled; callerVoice and calleeVoice at once, each to whom it is
/// for; who is done hears silence; then the two are connected.
async fn private_prompts_are_private_and_in_parallel(world: &World) {
    let fields = json!({
        "greetVoice": GREET.name,
        "callerVoice": TO_CALLER.name,
        "calleeVoice": TO_CALLEE.name,
    });
    let scene = Scene::start(world, "private prompts", 8, json!({}), fields).await;
    scene.run("caller answer, callee rings, caller hears 450, callee answer").await;
    scene.run("caller hears 850, callee hears 650, callee hang_up").await;
    scene.talk.record().await;
    let name = scene.name;
    let (caller, callee) = (scene.heard("caller"), scene.heard("callee"));
    let ms = |voice: voices::Voice| i64::try_from(voice.ms).unwrap();

    let greet = caller.once(name, GREET.hz);
    scene.assert_length("greetVoice", &greet, ms(GREET));
    scene.assert_follows("greetVoice", scene.time("caller", "answered").await, greet.start);
    let invited = scene.time("callee", "invite").await;
    assert!(invited >= greet.end - EXACT_US, "{name}: dialled before the greeting was over");

    let answered = scene.time("callee", "answered").await;
    let (to_caller, to_callee) = (caller.once(name, TO_CALLER.hz), callee.once(name, TO_CALLEE.hz));
    scene.assert_follows("callerVoice", answered, to_caller.start);
    scene.assert_follows("calleeVoice", answered, to_callee.start);
    scene.assert_length("callerVoice", &to_caller, ms(TO_CALLER));
    scene.assert_length("calleeVoice", &to_callee, ms(TO_CALLEE));
    let apart_ms = (to_caller.start - to_callee.start).abs() / 1_000;
    assert!(apart_ms <= 200, "{name}: the prompts begin {apart_ms} ms apart");

    let silent = to_callee.end + EXACT_US..to_caller.end - EXACT_US;
    let loudness = callee.loudness(&silent);
    assert!(loudness < QUIET, "{name}: who is done hears silence, not {loudness}");
    for (party, heard, hz) in [("caller", &caller, CALLEE_HZ), ("callee", &callee, CALLER_HZ)] {
        let other = heard.once(name, hz);
        assert!(other.start >= to_caller.end - EXACT_US, "{name}: {party} is connected too early");
        scene.assert_follows("the two were connected", to_caller.end, other.start);
    }
    let ringback = caller.stretches(NETWORK_HZ);
    let last = ringback.last().unwrap().end;
    assert!(
        last <= to_caller.start + EXACT_US,
        "{name}: ringback after the answer: {:?}",
        caller.summary()
    );
    caller.never(name, TO_CALLEE.hz);
    for hz in [GREET.hz, TO_CALLER.hz, NETWORK_HZ] {
        callee.never(name, hz);
    }
}

/// While a third party is called the caller hears how it goes and the callee hears music; then each
/// hears both others, and whoever is left goes on.
async fn three_hear_one_another(world: &World) {
    let scene = Scene::start(world, "three", 9, json!({}), json!({})).await;
    scene.run("caller answer, callee answer, caller hears 850, callee hears 650").await;
    scene.run("third joins, third rings, caller hears 450").await;
    let waits_from = scene.time("third", "invite").await + LATE_US;
    let callee = &scene.handsets["callee"];
    support::until("the callee waits for a while", || {
        callee.heard().last_us() >= waits_from + 1_000_000
    })
    .await;
    scene.run("third answer").await;
    let answered = scene.time("third", "answered").await;
    for (party, others) in [
        ("caller", [CALLEE_HZ, THIRD_HZ]),
        ("callee", [CALLER_HZ, THIRD_HZ]),
        ("third", [CALLER_HZ, CALLEE_HZ]),
    ] {
        for hz in others {
            scene.handsets[party].hears_after(hz, answered - EXACT_US).await;
        }
    }
    scene.run("caller hang_up, caller told completed").await;
    let left = scene.time("caller", "ended").await;
    // A second of talk without the caller.
    let later = left + LATE_US + 1_000_000;
    for (party, other_hz) in [("callee", THIRD_HZ), ("third", CALLEE_HZ)] {
        let handset = &scene.handsets[party];
        support::until(&format!("{party} goes on"), || {
            assert_eq!(handset.count("ended"), 0, "{party} goes on");
            handset.heard().stretches(other_hz).last().is_some_and(|heard| heard.end >= later)
        })
        .await;
    }
    scene.run("third hang_up").await;
    let record = scene.talk.record().await;
    assert_eq!(text(&record, "byeType"), "3", "{record:#}");

    let name = scene.name;
    let heard = |party: &str| scene.heard(party);
    // Nobody hears itself, nor what is said to another.
    heard("caller").never(name, CALLER_HZ);
    heard("callee").never(name, CALLEE_HZ);
    heard("third").never(name, THIRD_HZ);
    let waiting = waits_from..answered;
    let callee = heard("callee");
    assert!(callee.loudness(&waiting) >= QUIET, "{name}: the callee hears music while it waits");
    for hz in [CALLER_HZ, THIRD_HZ] {
        let overheard = callee
            .stretches(hz)
            .into_iter()
            .find(|heard| heard.start < waiting.end && heard.end > waiting.start);
        assert_eq!(overheard, None, "{name}: the callee hears {hz} Hz while it waits");
    }
    for (party, hz) in [("callee", THIRD_HZ), ("third", CALLEE_HZ)] {
        let voice = heard(party).once(name, hz);
        scene.assert_follows("the third was connected", answered, voice.start);
    }
    for party in ["callee", "third"] {
        let last = heard(party).stretches(CALLER_HZ).last().unwrap().end;
        assert!(last <= left + LATE_US, "{name}: {party} hears the caller after it has left");
    }
}

/// lastMinVoice at maxDuration − 60 s, to both, over the talk; and the end, in the long form.
async fn the_last_minute_is_announced(world: &World) {
    let fields = json!({ "maxDuration": 62, "lastMinVoice": LAST_MINUTE.name });
    let scene = Scene::start(world, "last minute", 10, json!({}), fields).await;
    scene.run("caller answer, callee answer, caller hears 2650, callee hears 2650").await;
    let name = scene.name;
    let soak = std::env::var_os("YUNLING_SOAK").is_some();
    for party in ["caller", "callee"] {
        let handset = &scene.handsets[party];
        let began = handset.hears(LAST_MINUTE.hz).await;
        support::until("the prompt is over and the talk goes on", || {
            handset.heard().last_us() >= began + 1_500_000
        })
        .await;
    }
    if !soak {
        scene.run("callee hang_up").await;
    }
    let record = scene.talk.record().await;
    for (party, other_hz) in [("caller", CALLEE_HZ), ("callee", CALLER_HZ)] {
        let heard = scene.heard(party);
        let talk = heard.stretches(other_hz);
        let prompt = heard.once(name, LAST_MINUTE.hz);
        let after_ms = (prompt.start - talk[0].start) / 1_000;
        assert!((1_900..=2_000 + LATE_US / 1_000).contains(&after_ms), "{party}: {after_ms} ms");
        scene.assert_length("lastMinVoice", &prompt, i64::try_from(LAST_MINUTE.ms).unwrap());
        // It is put over the talk: the other is heard through it.
        let gaps = talk.windows(2).map(|pair| pair[1].start - pair[0].end);
        let longest_ms = gaps.max().unwrap_or(0) / 1_000;
        assert!(longest_ms <= 250, "{party}: a gap of {longest_ms} ms: {:?}", heard.summary());
        if soak {
            let whole = talk[0].start..talk.last().unwrap().end;
            scene.assert_length("the whole talk", &whole, 62_000);
        }
    }
    assert_eq!(text(&record, "byeType"), if soak { "5" } else { "4" }, "{record:#}");
}

/// Keys reach the other side; the two may speak different codecs.
async fn keys_and_codecs_cross_the_bridge(world: &World) {
    let callee = json!({ "codec": "pcmu" });
    let scene = Scene::start(world, "keys and codecs", 11, callee, json!({})).await;
    scene.run("caller answer, callee answer, caller hears 850, callee hears 650").await;
    for (party, other, key) in [("caller", "callee", "5"), ("callee", "caller", "#")] {
        scene.run(&format!("{party} press {key}")).await;
        let heard = scene.handsets[other].wait_for("key_heard").await;
        assert_eq!((&heard["key"], &heard["by"]), (&json!(key), &json!("rfc4733")), "{heard}");
    }
    scene.run("caller hang_up").await;
    scene.talk.record().await;
    for party in ["caller", "callee"] {
        assert_eq!(scene.handsets[party].count("key_heard"), 1, "a key is one key");
    }
}

/// A telephone that is on hold hears nothing, is not taken for dead, and hears again.
async fn a_held_telephone_comes_back(world: &World) {
    let scene = Scene::start(world, "hold", 12, json!({}), json!({})).await;
    scene
        .run("caller answer, callee answer, caller hears 850, callee hears 650, callee hold")
        .await;
    let held = scene.handsets["callee"].wait_for("change_answered").await;
    assert_eq!((&held["code"], &held["direction"]), (&json!(200), &json!("sendonly")), "{held}");
    let held_us = held["at_us"].as_i64().unwrap();
    let caller = &scene.handsets["caller"];
    // A second on hold: what the holder says is still heard.
    support::until("the holder is still heard", || {
        caller.heard().stretches(CALLEE_HZ).last().unwrap().end >= held_us + LATE_US + 1_000_000
    })
    .await;
    let callee = &scene.handsets["callee"];
    let before = callee.heard().stretches(CALLER_HZ).last().unwrap().end;
    assert!(before <= held_us + LATE_US, "what is held hears nothing");
    scene.run("callee retrieve").await;
    callee.hears_after(CALLER_HZ, held_us + LATE_US).await;
    scene.run("callee hang_up").await;
    let record = scene.talk.record().await;
    assert_eq!(text(&record, "byeType"), "4", "{record:#}");
    caller.heard().once(scene.name, CALLEE_HZ);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_calls_hears_how_it_goes() {
    let TalkWorld { world, .. } = &TalkWorld::start(json!({}), |_| {}).await;
    tokio::join!(
        early_media_is_passed_through(world),
        a_tone_where_no_media_flows(world),
        a_tone_where_promised_media_does_not_come(world),
        an_announcement_is_passed_through(world),
        busy_without_media_is_the_busy_tone(world),
        custom_voices_take_the_place_of_the_networks(world),
        custom_mode_has_default_voices(world),
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_hears_what_is_for_it() {
    let TalkWorld { world, .. } = &TalkWorld::start(json!({}), |_| {}).await;
    tokio::join!(
        private_prompts_are_private_and_in_parallel(world),
        three_hear_one_another(world),
        the_last_minute_is_announced(world),
        keys_and_codecs_cross_the_bridge(world),
        a_held_telephone_comes_back(world),
    );
}
