//! What the callee hears of a notice or a captcha: the right prompts, in order, whole and evenly spaced. Judged by
//! the fake network's recording, in two ways: sample by sample against the prompts in the packs, and
//! by likeness to the studio's own files, whose rate no code of the product has changed.

#![expect(clippy::unwrap_used, reason = "a failed set-up is a failed test")]

mod support;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use support::carrier::Carrier;
use support::media;
use support::sound::{self, Law, Listener, RATE_HZ};
use support::tenant::{ACCOUNT, APPID, line};
use support::world::{Plan, World};
use yunling_assets::{ImportOptions, Packs, import};
use yunling_domain::Lang;
use yunling_domain::speech::required_tokens;

/// The pause between two contents (deploy/yunling.yaml, `speech.gap_ms`).
const GAP_MS: usize = 150;
/// The pause between two plays without keys (`speech.replay_gap_ms`).
const REPLAY_GAP_MS: usize = 1_000;
/// A play may begin so much later than its cue on a busy machine.
const LATE_MS: usize = 400;
/// Two recordings of the same words are at least so alike; of other words, far less.
const ALIKE: f32 = 0.95;

/// One item of `contents` and the recordings that it has to be made of, in order, each followed by a
/// pause: of the packs' `part` (80 ms) or `digit` (250 ms), or none inside a number.
struct Item {
    kind: &'static str,
    content: &'static str,
    lang: Lang,
    units: &'static [(&'static str, usize)],
}

const fn item(
    lang: Lang,
    kind: &'static str,
    content: &'static str,
    units: &'static [(&'static str, usize)],
) -> Item {
    Item { kind, content, lang, units }
}

const VOICE: Item = item(Lang::Zh, "voice", media::PROMPT_1, &[]);
const DIGITS_ZH: Item = item(Lang::Zh, "digits", "902", &[("n9", 250), ("n0", 250), ("n2", 0)]);
const CHINESE: &[Item] = &[
    VOICE,
    DIGITS_ZH,
    item(Lang::Zh, "money", "2.14", &[("liang", 0), ("yuan", 80), ("jiao1", 0), ("fen4", 0)]),
    item(
        Lang::Zh,
        "time",
        "2013-07-30",
        &[("n2", 0), ("n0", 0), ("n1", 0), ("n3", 0), ("year", 80), ("month7", 80), ("day30", 0)],
    ),
    item(Lang::Zh, "number", "112", &[("h1", 0), ("i12", 0)]),
];
const ENGLISH: &[Item] = &[
    VOICE,
    item(Lang::En, "digits", "a7", &[("letter-a", 250), ("n7", 0)]),
    item(Lang::En, "money", "2.14", &[("n2", 0), ("yuan", 80), ("and", 0), ("n14", 0), ("fen", 0)]),
    item(Lang::En, "time", "2013-07-30", &[("month7", 0), ("day30", 80), ("n20", 0), ("n13", 0)]),
    item(Lang::En, "number", "112", &[("n1", 0), ("hundred", 0), ("and", 0), ("n12", 0)]),
];
const BOTH: &[Item] = &[
    item(Lang::En, "number", "7", &[("n7", 0)]),
    VOICE,
    item(Lang::Zh, "number", "7", &[("n7", 0)]),
];

/// `contents` of a request.
fn contents(items: &[Item]) -> Value {
    let one =
        |item: &Item| json!({ "type": item.kind, "content": item.content, "lang": item.lang });
    items.iter().map(one).collect()
}

fn silence(law: Law, ms: usize) -> Vec<i16> {
    vec![law.silence(); ms * RATE_HZ / 1_000]
}

/// A file of the media library as the callee hears it.
fn voice(law: Law, name: &str) -> Vec<i16> {
    let file = std::fs::read(media::path(name)).unwrap();
    let imported = import(&file, ImportOptions::default()).unwrap();
    match law {
        Law::Pcma => law.decode(&imported.alaw),
        Law::Pcmu => law.decode(&imported.ulaw),
    }
}

/// One play of these contents, sample by sample.
fn play(law: Law, packs: &Packs, items: &[Item]) -> Vec<i16> {
    let spoken = |item: &Item| -> Vec<i16> {
        if item.units.is_empty() {
            return voice(law, item.content);
        }
        let unit = |&(token, pause_ms): &(&str, usize)| {
            let unit = packs.get(item.lang).unit(token).unwrap();
            let codes = if law == Law::Pcma { &unit.alaw } else { &unit.ulaw };
            [law.decode(codes), silence(law, pause_ms)].concat()
        };
        item.units.iter().flat_map(unit).collect()
    };
    let spoken: Vec<Vec<i16>> = items.iter().map(spoken).collect();
    spoken.join(&silence(law, GAP_MS)[..])
}

/// The studio's files of these contents, in order.
fn studio_files(items: &[Item]) -> Vec<(String, PathBuf)> {
    let of_item = |item: &Item| -> Vec<(String, PathBuf)> {
        if item.units.is_empty() {
            return vec![(item.content.to_owned(), media::path(item.content))];
        }
        let unit = |&(token, _): &(&str, usize)| {
            (format!("{} {token}", item.lang), unit_file(item.lang, token))
        };
        item.units.iter().map(unit).collect()
    };
    items.iter().flat_map(of_item).collect()
}

fn unit_file(lang: Lang, token: &str) -> PathBuf {
    let units = format!("assets/packs/{lang}/units/{token}.wav");
    Path::new(env!("CARGO_MANIFEST_DIR")).join(units)
}

/// Every recording has to be heard after the one before, and no other in its place. `least` is how
/// alike it has to be.
fn assert_in_order(name: &str, heard: &[i16], items: &[Item], least: f32) {
    let heard = sound::floats(heard);
    let mut from = 0;
    for (unit, file) in studio_files(items) {
        let wanted = sound::studio_recording(&file);
        // From within the silence that the product cuts off, to beyond the longest pause.
        let reach = if from == 0 { 3 * RATE_HZ } else { RATE_HZ };
        let found = sound::find(&wanted, &heard, from..from + reach);
        let stretch = &heard[found.at..(found.at + wanted.len()).min(heard.len())];
        let likeness = sound::likeness_of_what_came(&wanted, stretch);
        assert!(
            likeness >= least,
            "{name}: {unit} is not heard within {} of {}: the likest place is {} with {:.3}",
            sound::seconds(reach),
            sound::seconds(from),
            sound::seconds(found.at),
            likeness,
        );
        // Recordings may touch, and what the product has faded out may be shorter than the file.
        from = found.at + wanted.len() * 9 / 10;
    }
}

/// What is not said is not found: or else likeness would prove nothing.
fn assert_not_heard(name: &str, heard: &[i16], lang: Lang, token: &str) {
    let wanted = sound::studio_recording(&unit_file(lang, token));
    let found = sound::find(&wanted, &sound::floats(heard), 0..heard.len());
    assert!(found.likeness < 0.8, "{name}: {token} is heard at {}", sound::seconds(found.at));
}

/// Packets came whole and 20 ms apart.
fn assert_even(name: &str, ended: &Value) {
    let rtp = &ended["rtp"];
    println!(
        "{name}: {} packets, spacing p50 {} ms, p99 {} ms, longest {} ms, within 20 ± 2 ms {:.1} %",
        rtp["packets"],
        rtp["spacing_p50_ms"],
        rtp["spacing_p99_ms"],
        rtp["spacing_max_ms"],
        rtp["share_20ms"].as_f64().unwrap() * 100.0,
    );
    for count in ["lost", "late", "duplicates", "timestamp_faults", "restarts", "foreign"] {
        assert_eq!(rtp[count], 0, "{name}: {count}");
    }
    let median = rtp["spacing_p50_ms"].as_f64().unwrap();
    assert!((19.0..=21.0).contains(&median), "{name}: the median spacing is {median} ms");
    // Lenient, because the machine may be busy with other things; the bench measures it alone.
    let share = rtp["share_20ms"].as_f64().unwrap();
    assert!(share >= 0.9, "{name}: only {share} of the packets came 20 ± 2 ms apart");
}

/// A carrier for each kind of handset.
const CARRIERS: &[&[&str]] = &[&[], &["--codecs", "pcmu"], &["--press-after-ms", "2200"]];
const USUAL: usize = 0;
const PCMU: usize = 1;
/// Presses its keys while the last content is being said.
const IMPATIENT: usize = 2;

/// Sends a notice over a carrier of its own line, and waits for the call's end.
async fn notice(world: &World, carrier: usize, to: &str, fields: Value) -> Value {
    let mut fields = fields;
    fields["from"] = line(carrier).into();
    world.api.notice(to, &fields).await;
    world.carriers[carrier].wait_for(to, "ended").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_content_is_heard_whole_and_in_order() {
    let packs = Packs::load(None).unwrap();
    let world = World::start(Plan { carriers: CARRIERS, ..Plan::default() }).await;
    let rows = [
        ("Chinese", USUAL, Law::Pcma, "13800000100", CHINESE),
        ("English", USUAL, Law::Pcma, "13800000200", ENGLISH),
        ("both languages", USUAL, Law::Pcma, "13800000300", BOTH),
        ("PCMU", PCMU, Law::Pcmu, "13800000400", CHINESE),
    ];
    let calls = rows.map(|(_, carrier, _, to, items)| {
        notice(&world, carrier, to, json!({ "contents": contents(items), "times": 1 }))
    });
    let ended = futures_util::future::join_all(calls).await;
    for ((name, _, law, _, items), ended) in rows.into_iter().zip(ended) {
        let heard = Carrier::recording(&ended);
        assert_even(name, &ended);
        let mut listener = Listener::new(&heard, law);
        let start = listener.expect(name, &play(law, &packs, items));
        assert!(
            start <= LATE_MS * RATE_HZ / 1_000,
            "{name}: begins {} late",
            sound::seconds(start)
        );
        listener.expect_end();
        assert_in_order(name, &heard, items, ALIKE);
        assert_not_heard(name, &heard, Lang::Zh, "n99");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plays_replays_and_the_finish_prompt_are_heard_as_the_keys_ask() {
    let packs = Packs::load(None).unwrap();
    let settings = json!({ "calls": { "key_window_ms": 3_000 } });
    let world = World::start(Plan { settings, carriers: CARRIERS, ..Plan::default() }).await;
    let law = Law::Pcma;
    let items = || contents(&[VOICE, DIGITS_ZH]);
    let keys = |fields: Value| {
        let mut all =
            json!({ "contents": items(), "finishkey": "1", "finishvoice": "prompt3.wav" });
        support::node::merge(&mut all, &fields);
        all
    };
    // name, carrier, number, request, whole plays, cut plays, whether the finish prompt is heard
    let rows = [
        (
            "twice without keys",
            USUAL,
            "13800010100",
            json!({ "contents": items(), "times": 2 }),
            2,
            0,
            false,
        ),
        ("twice by default", USUAL, "13800010200", json!({ "contents": items() }), 2, 0, false),
        ("three times with keys", USUAL, "13800010300", keys(json!({ "times": 3 })), 3, 0, false),
        ("confirmed in the window", USUAL, "13800010401", keys(json!({})), 1, 0, true),
        ("confirmed in mid-prompt", IMPATIENT, "13800010501", keys(json!({})), 0, 1, true),
        (
            "repeated once",
            USUAL,
            "13800010602",
            keys(json!({ "repeatkey": "2", "times": 1 })),
            2,
            0,
            false,
        ),
        (
            "repeated, then confirmed",
            USUAL,
            "13800010703",
            keys(json!({ "repeatkey": "2", "times": 1 })),
            2,
            0,
            true,
        ),
    ];
    let calls = rows
        .iter()
        .map(|(_, carrier, to, fields, ..)| notice(&world, *carrier, to, fields.clone()));
    let ended = futures_util::future::join_all(calls).await;
    let whole = play(law, &packs, &[VOICE, DIGITS_ZH]);
    for ((name, carrier, to, fields, plays, cuts, finish), ended) in rows.into_iter().zip(ended) {
        let heard = Carrier::recording(&ended);
        assert_even(name, &ended);
        let mut listener = Listener::new(&heard, law);
        for number in 0..plays {
            let before = listener.at();
            let start = listener.expect(&format!("{name}, play {number}"), &whole);
            let pause_ms = (start - before) * 1_000 / RATE_HZ;
            let keyed = fields["finishkey"].is_string();
            let expected = match number {
                0 => 0..=LATE_MS,
                _ if !keyed => REPLAY_GAP_MS..=REPLAY_GAP_MS + LATE_MS,
                // After the window, or after a key in it.
                _ => 1_000..=3_000 + LATE_MS,
            };
            assert!(
                expected.contains(&pause_ms),
                "{name}: {pause_ms} ms before play {number}, expected {expected:?}"
            );
        }
        for _ in 0..cuts {
            let cut = listener.expect_cut(name, &whole);
            // Recording and answer begin together, give or take a packet.
            let events = world.carriers[carrier].of(to);
            let at_us = |kind: &str| {
                events.iter().find(|event| event["kind"] == kind).unwrap()["at_us"]
                    .as_i64()
                    .unwrap()
            };
            let pressed_ms = (at_us("key") - at_us("answered")) / 1_000;
            let cut_ms = i64::try_from(cut.end * 1_000 / RATE_HZ).unwrap();
            let lag_ms = cut_ms - pressed_ms;
            assert!((-40..=500).contains(&lag_ms), "{name}: cut {lag_ms} ms after the key");
        }
        if finish {
            listener.expect(&format!("{name}, finish prompt"), &voice(law, media::PROMPT_3));
        }
        listener.expect_end();
    }
}

/// A captcha: the pack's introduction and the code, spelled twice, letters in either case.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_captcha_is_introduced_and_spelled_twice() {
    let packs = Packs::load(None).unwrap();
    let world = World::usual().await;
    const ZH: &[(&str, usize)] = &[("n9", 250), ("n0", 250), ("n2", 250), ("n7", 0)];
    const EN: &[(&str, usize)] = &[("letter-a", 250), ("n7", 250), ("letter-z", 250), ("n2", 0)];
    let rows = [
        ("13800040100", json!({ "code": "9027" }), item(Lang::Zh, "digits", "9027", ZH)),
        ("13800040200", json!({ "code": "A7z2", "lang": "en" }), item(Lang::En, "digits", "", EN)),
    ];
    let calls = rows.iter().map(|(to, fields, _)| {
        let mut body = json!({ "appid": APPID, "to": to });
        support::node::merge(&mut body, fields);
        let world = &world;
        async move {
            let path = format!("/Accounts/{ACCOUNT}/VoiceCaptchas");
            let reply = world.api.send(reqwest::Method::POST, &path, Some(&body)).await;
            assert_eq!(reply.body["statusCode"], "0", "{reply:?}");
            world.carrier().wait_for(to, "ended").await
        }
    });
    let ended = futures_util::future::join_all(calls).await;
    for ((name, _, item), ended) in rows.into_iter().zip(ended) {
        let introduction = packs.get(item.lang).phrase("code-is").unwrap();
        let introduction = Law::Pcma.decode(&introduction.alaw);
        let code = play(Law::Pcma, &packs, &[item]);
        let once = [introduction, silence(Law::Pcma, GAP_MS), code].concat();
        let heard = Carrier::recording(&ended);
        assert_even(name, &ended);
        let mut listener = Listener::new(&heard, Law::Pcma);
        listener.expect(&format!("{name}, first"), &once);
        let before = listener.at();
        let start = listener.expect(&format!("{name}, again"), &once);
        let pause_ms = (start - before) * 1_000 / RATE_HZ;
        assert!(
            (REPLAY_GAP_MS..=REPLAY_GAP_MS + LATE_MS).contains(&pause_ms),
            "{name}: {pause_ms}"
        );
        listener.expect_end();
    }
}

/// A line that loses packets must not shift what is heard, nor change its order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_loses_packets_keeps_the_order() {
    let world = World::usual().await;
    let fields = json!({ "contents": contents(CHINESE), "times": 1 });
    let ended = notice(&world, USUAL, "13800020120", fields).await;
    let lost = ended["rtp"]["lost"].as_u64().unwrap();
    assert!(lost > 0, "the line loses 5 %: {ended}");
    // Half a packet beside a lost one may be taken for it, which costs some likeness.
    assert_in_order("with losses", &Carrier::recording(&ended), CHINESE, 0.85);
}

/// Recordings that a studio delivered take the place of the pack of their language: here tones, a
/// pitch for each unit.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_studio_folder_replaces_the_default_pack() {
    let studio = tempfile::tempdir().unwrap();
    let folder = studio.path().join("zh");
    std::fs::create_dir_all(folder.join("units")).unwrap();
    let manifest = json!({
        "format": 1, "id": "studio", "version": "1", "lang": "zh", "grammar": 1,
        "gaps_ms": { "digit": 120 },
    });
    std::fs::write(folder.join("manifest.json"), manifest.to_string()).unwrap();
    let tokens = required_tokens(Lang::Zh);
    let pitch_hz = |token: &str| {
        300.0 + 15.0 * tokens.iter().position(|known| *known == token).unwrap() as f32
    };
    for token in &tokens {
        let file = folder.join(format!("units/{token}.wav"));
        write_wav(&file, 16_000, &tone(16_000.0, pitch_hz(token)));
    }

    let settings = json!({ "speech": { "packs": studio.path() } });
    let world = World::start(Plan { settings, ..Plan::default() }).await;
    let chinese = [item(Lang::Zh, "digits", "90", &[("n9", 120), ("n0", 0)])];
    let english = [item(Lang::En, "digits", "90", &[("n9", 250), ("n0", 0)])];
    let calls = [("13800030100", &chinese), ("13800030200", &english)].map(|(to, items)| {
        notice(&world, USUAL, to, json!({ "contents": contents(items), "times": 1 }))
    });
    let ended = futures_util::future::join_all(calls).await;

    let heard = Carrier::recording(&ended[0]);
    let packs = Packs::load(Some(studio.path())).unwrap();
    let mut listener = Listener::new(&heard, Law::Pcma);
    listener.expect("the studio's", &play(Law::Pcma, &packs, &chinese));
    listener.expect_end();
    let (mut from, heard) = (0, sound::floats(&heard));
    for token in ["n9", "n0"] {
        let wanted = sound::floats(&tone(RATE_HZ as f32, pitch_hz(token)));
        let found = sound::find(&wanted, &heard, from..from + RATE_HZ);
        assert!(found.likeness > ALIKE, "{token}: {found:?}");
        from = found.at + wanted.len();
    }

    // The other language is as it was.
    let heard = Carrier::recording(&ended[1]);
    let packs = Packs::load(None).unwrap();
    let mut listener = Listener::new(&heard, Law::Pcma);
    listener.expect("the default", &play(Law::Pcma, &packs, &english));
    listener.expect_end();
}

/// 300 ms of a tone at the level of speech.
fn tone(rate_hz: f32, pitch_hz: f32) -> Vec<i16> {
    let turn = |n: u16| std::f32::consts::TAU * pitch_hz * f32::from(n) / rate_hz;
    let count = (rate_hz * 0.3) as u16;
    (0..count).map(|n| (turn(n).sin() * 4_600.0) as i16).collect()
}

fn write_wav(path: &Path, sample_rate: u32, samples: &[i16]) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(path, spec).unwrap();
    for sample in samples {
        writer.write_sample(*sample).unwrap();
    }
    writer.finalize().unwrap();
}
