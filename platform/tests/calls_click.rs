//! Click-to-call as the customer sees it: who is called, the states that it is told, the record and
//! its `byeType`, and what is refused (docs/spec/RESOLUTIONS.md, "Click-to-call surface" and "Why a
//! leg failed").

mod support;

use futures_util::future::join_all;
use serde_json::{Value, json};
use support::handsets::{CALLEE_HZ, CALLER_HZ, Handset, Handsets, THIRD_HZ};
use support::records::{self, text};
use support::steps;
use support::talks::{Talk, TalkWorld};
use support::voices;
use support::world::World;

/// How long telephones ring in this suite, milliseconds.
const RING_MS: u64 = 6_000;

/// One conversation from its click to its record.
struct Case {
    name: &'static str,
    /// How the caller's and the callee's telephones behave.
    caller: Value,
    callee: Value,
    /// Fields of the request.
    fields: Value,
    /// What happens (support/steps.rs).
    steps: &'static str,
    bye_type: &'static str,
    ended_by: &'static str,
    /// The states that are told of each; "" for one who is never dialled.
    stories: [&'static str; 2],
}

fn case(
    name: &'static str,
    steps: &'static str,
    (bye_type, ended_by): (&'static str, &'static str),
    stories: [&'static str; 2],
) -> Case {
    let usual = || json!({});
    Case {
        name,
        caller: usual(),
        callee: usual(),
        fields: usual(),
        steps,
        bye_type,
        ended_by,
        stories,
    }
}

const DONE: &str = "initiated ringing answered completed/completed";
const FAILED: &str = "initiated ringing completed/failed";
const FAILED_AT_ONCE: &str = "initiated completed/failed";
const TIMED_OUT: &str = "initiated ringing completed/time-out";
const NO_ANSWER: &str = "initiated ringing completed/no-answer";
const UP: &str = "caller answer, callee answer, caller hears 850, callee hears 650";

fn cases() -> Vec<Case> {
    let silent = || json!({ "ring": "nothing" });
    let greeted = || json!({ "greetVoice": voices::GREET.name });
    let spoken_to =
        || json!({ "callerVoice": voices::TO_CALLER.name, "calleeVoice": voices::TO_CALLEE.name });
    vec![
        // 0: the caller's leg failed or was not answered.
        Case {
            caller: silent(),
            ..case("busy caller", "caller refuse 486", ("0", "caller"), [FAILED_AT_ONCE, ""])
        },
        case("caller does not answer", "caller rings", ("0", "caller"), [TIMED_OUT, ""]),
        case("caller declines", "caller rings, caller refuse 603", ("0", "caller"), [FAILED, ""]),
        case(
            "caller's network says no answer",
            "caller rings, caller refuse 480",
            ("0", "caller"),
            [NO_ANSWER, ""],
        ),
        case(
            "caller cancelled while ringing, twice",
            "caller told ringing, cancel, cancel",
            ("0", "api"),
            [FAILED, ""],
        ),
        // 1: the caller left, or it was cancelled, between its answer and the callee's.
        case(
            "caller leaves while the callee rings",
            "caller answer, callee told ringing, caller hang_up",
            ("1", "caller"),
            [DONE, FAILED],
        ),
        Case {
            fields: greeted(),
            ..case(
                "caller leaves in the greeting",
                "caller answer, caller hears 1650, caller hang_up",
                ("1", "caller"),
                [DONE, ""],
            )
        },
        case(
            "cancelled while the callee rings",
            "caller answer, callee told ringing, cancel",
            ("1", "api"),
            [DONE, FAILED],
        ),
        Case {
            fields: greeted(),
            ..case(
                "cancelled in the greeting",
                "caller answer, caller hears 1650, cancel",
                ("1", "api"),
                [DONE, ""],
            )
        },
        // 2: the callee's leg failed or was not answered.
        Case {
            callee: silent(),
            ..case(
                "busy callee: the tone is played to its end",
                "caller answer, callee refuse 486, caller hears 450",
                ("2", "callee"),
                [DONE, FAILED_AT_ONCE],
            )
        },
        case(
            "callee does not answer",
            "caller answer, callee rings",
            ("2", "callee"),
            [DONE, TIMED_OUT],
        ),
        case(
            "Q.850 says no answer",
            "caller answer, callee rings, callee refuse 503 18",
            ("2", "callee"),
            [DONE, NO_ANSWER],
        ),
        case(
            "Q.850 says busy, whatever the status says",
            "caller answer, callee rings, callee refuse 480 17",
            ("2", "callee"),
            [DONE, FAILED],
        ),
        Case {
            callee: silent(),
            ..case(
                "480 without any ringing",
                "caller answer, callee refuse 480",
                ("2", "callee"),
                [DONE, FAILED_AT_ONCE],
            )
        },
        Case {
            fields: json!({ "ringbackMode": 1, "failVoice": voices::FAIL.name }),
            ..case(
                "caller leaves while it is told of the failure",
                "caller answer, callee rings, callee refuse 486, caller hears 2050, caller hang_up",
                ("2", "callee"),
                [DONE, FAILED],
            )
        },
        // 3: the caller, from the callee's answer on; cancelCall too.
        case("caller hangs up", "UP, caller hang_up", ("3", "caller"), [DONE, DONE]),
        case("cancelled in the talk", "UP, cancel, cancel", ("3", "api"), [DONE, DONE]),
        Case {
            fields: spoken_to(),
            ..case(
                "caller leaves in its private prompt",
                "caller answer, callee answer, caller hears 2250, caller hang_up",
                ("3", "caller"),
                [DONE, DONE],
            )
        },
        // 4: the callee.
        case("callee hangs up", "UP, callee hang_up", ("4", "callee"), [DONE, DONE]),
        Case {
            fields: spoken_to(),
            ..case(
                "callee leaves in its private prompt",
                "caller answer, callee answer, callee hears 2450, callee hang_up",
                ("4", "callee"),
                [DONE, DONE],
            )
        },
        // A lost network is a hang-up of that leg.
        case("the caller's network is gone", "UP, caller mute", ("3", "caller"), [DONE, DONE]),
        case("the callee's network is gone", "UP, callee mute", ("4", "callee"), [DONE, DONE]),
        // 5: the greatest length.
        Case {
            fields: json!({ "maxDuration": "2" }),
            ..case("as long as it may be", "UP", ("5", "time_limit"), [DONE, DONE])
        },
        // What rings how.
        Case {
            caller: json!({ "ring": "progress" }),
            callee: silent(),
            ..case(
                "183 is ringing, a bare 200 is none",
                "UP, callee hang_up",
                ("4", "callee"),
                [DONE, "initiated answered completed/completed"],
            )
        },
    ]
}

/// Runs one to its record.
async fn run(world: &World, index: usize, case: &Case) {
    let carrier = world.carrier();
    let number = |party: usize| format!("1380{party}{:04}99", index + 1);
    let caller = Handset::new(carrier, number(1), CALLER_HZ, case.caller.clone()).await;
    let callee = Handset::new(carrier, number(2), CALLEE_HZ, case.callee.clone()).await;
    let user_data = format!("{}_{}", caller.number, callee.number);
    let mut fields = case.fields.clone();
    fields["userData"] = user_data.as_str().into();
    let talk = Talk::start(world, &caller, &callee, &fields).await;
    records::assert_sid(case.name, "CV", &talk.sid);
    let handsets: Handsets<'_> =
        [("caller", caller.clone()), ("callee", callee.clone())].into_iter().collect();
    steps::run(case.name, &talk, &handsets, &json!({}), &case.steps.replace("UP", UP)).await;

    let record = talk.record().await;
    let dialled = if case.stories[1].is_empty() { vec![&caller] } else { vec![&caller, &callee] };
    assert_eq!(
        (text(&record, "byeType"), text(&record, "endedBy")),
        (case.bye_type, case.ended_by),
        "{}: {record:#}",
        case.name
    );
    for (handset, story) in [&caller, &callee].into_iter().zip(case.stories) {
        assert_eq!(talk.story(handset), story, "{}: {}", case.name, handset.number);
        assert_eq!(handset.count("invite"), usize::from(!story.is_empty()), "{}", case.name);
    }
    records::check(case.name, &talk, &record, &dialled, &user_data);
    assert_eq!(
        (text(&record, "recordingUrl"), text(&record, "recordingDuration")),
        ("", ""),
        "{}: nobody asked for a recording",
        case.name
    );
    for handset in dialled {
        let ended = handset.wait_for("ended").await;
        let by = ended["by"].as_str().unwrap_or_default();
        assert!(
            ["caller", "cancel", "refused", "handset"].contains(&by),
            "{}: {} was left up: {ended}",
            case.name,
            handset.number
        );
    }
    // Nothing changes once it is over.
    let reply = talk.cancel().await;
    assert_eq!(reply.body["statusCode"], "00000", "{}: {reply:?}", case.name);
    assert_eq!(talk.records(), 1, "{}", case.name);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_end_is_told_as_the_document_says() {
    let settings = json!({ "calls": { "ring_ms": RING_MS }, "rtp": { "silence_s": 2 } });
    let TalkWorld { world, .. } = &TalkWorld::start(settings, |_| {}).await;
    let cases = cases();
    join_all(cases.iter().enumerate().map(|(index, case)| run(world, index, case))).await;
}

/// Three and more: who leaves, and who goes on.
struct ThreeParties {
    name: &'static str,
    /// Fields of addCall.
    addition: Value,
    steps: &'static str,
    bye_type: &'static str,
    ended_by: &'static str,
    /// The states that are told of the third and the fourth party; "" for one who is not called.
    stories: [&'static str; 2],
}

/// A third party that all hear.
const THREE: &str = "third joins, third answer, caller hears 1050, callee hears 1050";

fn three_parties() -> Vec<ThreeParties> {
    let usual = || json!({});
    vec![
        ThreeParties {
            name: "the original callee ends it for all",
            addition: usual(),
            steps: "THREE, callee hang_up",
            bye_type: "4",
            ended_by: "callee",
            stories: [DONE, ""],
        },
        ThreeParties {
            name: "the third leaves, the two go on",
            addition: usual(),
            steps: "THREE, third hang_up, third told completed, caller hang_up",
            bye_type: "3",
            ended_by: "caller",
            stories: [DONE, ""],
        },
        ThreeParties {
            name: "the caller leaves, the third is the last to go",
            addition: usual(),
            steps: "THREE, caller hang_up, caller told completed, third hang_up",
            bye_type: "3",
            ended_by: "third_party",
            stories: [DONE, ""],
        },
        ThreeParties {
            name: "addCall again when two are left",
            addition: usual(),
            steps: "THREE, third hang_up, third told completed, \
                    fourth joins, fourth answer, callee hears 1250, callee hang_up",
            bye_type: "4",
            ended_by: "callee",
            stories: [DONE, DONE],
        },
        ThreeParties {
            name: "a third that does not answer in its time",
            addition: json!({ "timeout": 2 }),
            steps: "third joins, third told completed, callee hang_up",
            bye_type: "4",
            ended_by: "callee",
            stories: [TIMED_OUT, ""],
        },
        ThreeParties {
            name: "a third that is busy: another may be added",
            addition: usual(),
            steps: "third joins, third rings, third refuse 486, third told completed, \
                    caller hears 450, callee hang_up",
            bye_type: "4",
            ended_by: "callee",
            stories: [FAILED, ""],
        },
        ThreeParties {
            name: "cancelled while the third rings",
            addition: usual(),
            steps: "third joins, third told ringing, cancel",
            bye_type: "3",
            ended_by: "api",
            stories: [FAILED, ""],
        },
        ThreeParties {
            name: "the callee leaves while the third rings",
            addition: usual(),
            steps: "third joins, third told ringing, callee hang_up",
            bye_type: "4",
            ended_by: "callee",
            stories: [FAILED, ""],
        },
    ]
}

async fn run_three(world: &World, index: usize, case: &ThreeParties) {
    let mut handsets = Handsets::new();
    for (party, (name, hz)) in
        [("caller", CALLER_HZ), ("callee", CALLEE_HZ), ("third", THIRD_HZ), ("fourth", 1_250)]
            .into_iter()
            .enumerate()
    {
        let number = format!("1390{party}{:04}99", index + 1);
        handsets.insert(name, Handset::new(world.carrier(), number, hz, json!({})).await);
    }
    let talk = Talk::start(world, &handsets["caller"], &handsets["callee"], &json!({})).await;
    steps::run(case.name, &talk, &handsets, &json!({}), UP).await;
    let steps = case.steps.replace("THREE", THREE);
    steps::run(case.name, &talk, &handsets, &case.addition, &steps).await;
    let record = talk.record().await;
    assert_eq!(
        (text(&record, "byeType"), text(&record, "endedBy")),
        (case.bye_type, case.ended_by),
        "{}: {record:#}",
        case.name
    );
    let mut dialled = vec![&handsets["caller"], &handsets["callee"]];
    for (name, story) in ["third", "fourth"].into_iter().zip(case.stories) {
        assert_eq!(talk.story(&handsets[name]), story, "{}: {name}", case.name);
        if !story.is_empty() {
            dialled.push(&handsets[name]);
        }
    }
    records::check(case.name, &talk, &record, &dialled, "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_original_callee_ends_it_for_all() {
    let TalkWorld { world, .. } = &TalkWorld::start(json!({}), |_| {}).await;
    let cases = three_parties();
    join_all(cases.iter().enumerate().map(|(index, case)| run_three(world, index, case))).await;
}

/// RESOLUTIONS, "addCall refused": a code of its own each.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_third_party_is_refused_with_a_code_of_its_own() {
    let TalkWorld { world, .. } = &TalkWorld::start(json!({}), |_| {}).await;
    let carrier = world.carrier();
    let mut handsets = Handsets::new();
    for (name, number, hz) in [
        ("caller", "13800200199", CALLER_HZ),
        ("callee", "13800200299", CALLEE_HZ),
        ("third", "13800200399", THIRD_HZ),
        ("fourth", "13800200499", 1_250),
    ] {
        handsets.insert(name, Handset::new(carrier, number, hz, json!({})).await);
    }
    let talk = Talk::start(world, &handsets["caller"], &handsets["callee"], &json!({})).await;
    let steps =
        async |steps: &str| steps::run("refused", &talk, &handsets, &json!({}), steps).await;
    let refused = async |code: &str, name: &str| {
        let reply = talk.add(&handsets["fourth"], &json!({})).await;
        assert_eq!(reply.body["statusCode"], code, "{name}: {reply:?}");
        assert_eq!(reply.status, 200, "{name}");
    };
    steps("caller rings").await;
    refused("22001", "the caller rings").await;
    steps("caller answer, callee rings").await;
    refused("22001", "the callee rings").await;
    steps("callee answer, caller hears 850, third joins, third rings").await;
    refused("22002", "the third rings").await;
    steps("third answer, callee hears 1050").await;
    refused("22002", "three are up").await;
    steps("callee hang_up").await;
    talk.record().await;
    refused("22003", "it is over").await;
    assert_eq!(handsets["fourth"].count("invite"), 0, "a refusal never dials");
}

/// At its limit a click is refused at once: the caller is waiting (RESOLUTIONS, "trunk or account at
/// its limit").
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_click_at_a_limit_is_refused_at_once() {
    let one_talk = |document: &mut Value| document["trunks"][0]["max_calls"] = 2.into();
    let TalkWorld { world, .. } = &TalkWorld::start(json!({}), one_talk).await;
    let carrier = world.carrier();
    let caller = Handset::new(carrier, "13800300199", CALLER_HZ, json!({})).await;
    let callee = Handset::new(carrier, "13800300299", CALLEE_HZ, json!({})).await;
    let handsets: Handsets<'_> =
        [("caller", caller.clone()), ("callee", callee.clone())].into_iter().collect();
    let talk = Talk::start(world, &caller, &callee, &json!({})).await;
    steps::run("limit", &talk, &handsets, &json!({}), UP).await;

    let click = json!({ "action": "click2call", "caller": "13800300399", "callee": "13800300499" });
    let reply = world.api.post_click(&click).await;
    assert_eq!(reply.body["statusCode"], "21004", "{reply:?}");
    let third = Handset::new(carrier, "13800300599", THIRD_HZ, json!({})).await;
    let reply = talk.add(&third, &json!({})).await;
    assert_eq!(reply.body["statusCode"], "21004", "a third party needs a line too: {reply:?}");
    steps::run("limit", &talk, &handsets, &json!({}), "callee hang_up").await;
    talk.record().await;
    for number in ["13800300399", "13800300599"] {
        assert_eq!(world.carrier().count(number, "invite"), 0, "a refusal never dials");
    }

    // The lines are free again.
    let again = Talk::start(world, &caller, &callee, &json!({})).await;
    assert_eq!(again.cancel().await.body["statusCode"], "00000");
    again.record().await;
}

/// A trunk's pace is no limit: clicks of one moment are dialled one after the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clicks_of_one_moment_are_paced() {
    let slow = |document: &mut Value| document["trunks"][0]["max_cps"] = 4.into();
    let TalkWorld { world, .. } = &TalkWorld::start(json!({}), slow).await;
    join_all((0..4).map(async |at| {
        let number = |party: usize| format!("1380{party}50{at:02}99");
        let caller = Handset::new(world.carrier(), number(1), CALLER_HZ, json!({})).await;
        let callee = Handset::new(world.carrier(), number(2), CALLEE_HZ, json!({})).await;
        let talk = Talk::start(world, &caller, &callee, &json!({})).await;
        caller.wait_for("ringing").await;
        talk.cancel().await;
        let record = talk.record().await;
        assert_eq!(text(&record, "byeType"), "0", "{record:#}");
    }))
    .await;
}
