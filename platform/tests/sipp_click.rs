//! The ladders of a click-to-call with sipp, an independent user agent, at every end. The media of
//! each end is a socket with a tone of its own, so that who heard whom and which prompt is asked too.
//!
//! Long because a ladder is read as a whole.

#![expect(clippy::unwrap_used, reason = "a failed set-up is a failed test")]

mod support;

use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use futures_util::future::join_all;
use serde_json::{Value, json};
use support::customer::{Callback, Customer};
use support::earpiece::Earpiece;
use support::handsets::{CALLEE_HZ, CALLER_HZ, THIRD_HZ};
use support::node::{Node, merge};
use support::ports::Ports;
use support::records::text;
use support::sipp::{Rung, Sipp};
use support::{LOOK, PATIENCE};
use support::{tenant, voices};

use Rung::{
    Ack, Bye, ByeComes, Cancelled, Change, Cue, Describe, Glare, Info, Invite, Pause, Refuse, Reply,
};

/// How long telephones ring in this suite, milliseconds.
const RING_MS: u64 = 6_000;
/// Who may be in a conversation, and what each says.
const PARTIES: [(&str, u16); 4] =
    [("caller", CALLER_HZ), ("callee", CALLEE_HZ), ("third", THIRD_HZ), ("fourth", 1_250)];
/// Whatever is waited for comes by then, on a busy machine too: telephones ring and prompts last for
/// seconds.
const SOON: Duration = Duration::from_secs(20);
/// Heard so lately it is heard now, microseconds.
const NOW_US: i64 = 300_000;

/// One conversation: every end's ladder, and what the customer is told.
#[derive(Clone)]
struct Case {
    name: &'static str,
    /// In the order of [`PARTIES`]; empty: it is never called.
    ladders: [&'static [Rung]; 4],
    /// Fields of click2call.
    fields: Value,
    /// What happens meanwhile, as in support/steps.rs: `cancel`, or a party and `cue` (it goes on),
    /// `joins`, `told STATUS`, `hears HZ` (now), `misses HZ` (no longer), `press KEY`, `gets KEY`.
    steps: &'static str,
    bye_type: &'static str,
    ended_by: &'static str,
    /// Of each leg, caller first: its cause, and whether it has a `ringTime`.
    legs: &'static [(&'static str, bool)],
    /// Every tone that each has heard in the end; empty: not asked.
    heard: &'static [&'static [u16]],
}

/// A telephone that picks up, and is hung up in the end.
const UP: &[Rung] = &[Invite, Reply(100), Reply(180), Describe(200), Ack, ByeComes];
/// One that picks up, and hangs up when it is told to.
const LEAVES: &[Rung] = &[Invite, Reply(180), Describe(200), Ack, Cue, Bye];
/// One that picks up when it is told to, and is hung up in the end.
const LATE: &[Rung] = &[Invite, Reply(180), Cue, Describe(200), Ack, ByeComes];
/// One that does each when it is told to.
const LATE_LEAVES: &[Rung] = &[Invite, Reply(180), Cue, Describe(200), Ack, Cue, Bye];
/// One that rings for nothing.
const IN_VAIN: &[Rung] = &[Invite, Reply(180), Cancelled];

/// A leg that was answered after it had rung.
const DONE: (&str, bool) = ("completed", true);
/// A third party that has come in.
macro_rules! three {
    ($then:literal) => {
        concat!(
            "caller hears 850, third joins, third told ringing, caller hears 450, third cue, ",
            "caller hears 1050, callee hears 1050, third hears 650, third hears 850, ",
            $then
        )
    };
}

fn case(
    name: &'static str,
    caller: &'static [Rung],
    callee: &'static [Rung],
    (bye_type, ended_by): (&'static str, &'static str),
    legs: &'static [(&'static str, bool)],
) -> Case {
    let (steps, heard) = ("", [].as_slice());
    let ladders = [caller, callee, &[], &[]];
    Case { name, ladders, fields: json!({}), steps, bye_type, ended_by, legs, heard }
}

/// What the callee's telephone answers, and the legs that come of it.
fn answers() -> Vec<Case> {
    const CALLEE: (&str, &str) = ("4", "callee");
    const NOT_REACHED: (&str, &str) = ("2", "callee");
    vec![
        Case {
            steps: "caller hears 450, callee cue, caller hears 850, callee hears 650, callee cue",
            heard: &[&[450, CALLEE_HZ], &[CALLER_HZ]],
            ..case("180 and an answer", UP, LATE_LEAVES, CALLEE, &[DONE, DONE])
        },
        Case {
            steps: "caller hears 850, callee cue, callee hears 650, callee cue",
            // What comes is passed through, and nothing of ours is put over it.
            heard: &[&[CALLEE_HZ], &[CALLER_HZ]],
            ..case(
                "183 with media",
                UP,
                &[Invite, Describe(183), Cue, Describe(200), Ack, Cue, Bye],
                CALLEE,
                &[DONE, DONE],
            )
        },
        case(
            "183 with media, then 180",
            UP,
            &[Invite, Describe(183), Pause(200), Reply(180), Pause(200), Describe(200), Ack, Bye],
            CALLEE,
            &[DONE, DONE],
        ),
        case(
            "183 without media",
            UP,
            &[Invite, Reply(183), Pause(200), Describe(200), Ack, Bye],
            CALLEE,
            &[DONE, DONE],
        ),
        case(
            "a bare 200",
            UP,
            &[Invite, Describe(200), Ack, Pause(300), Bye],
            CALLEE,
            &[DONE, ("completed", false)],
        ),
        Case {
            heard: &[&[450], &[]],
            ..case("busy", UP, &[Invite, Reply(486), Ack], NOT_REACHED, &[DONE, ("failed", false)])
        },
        case(
            "declined after ringing",
            UP,
            &[Invite, Reply(180), Pause(300), Reply(603), Ack],
            NOT_REACHED,
            &[DONE, ("failed", true)],
        ),
        case("nobody answers", UP, IN_VAIN, NOT_REACHED, &[DONE, ("time-out", true)]),
        case(
            "the network says that nobody answers",
            UP,
            &[Invite, Reply(180), Reply(480), Ack],
            NOT_REACHED,
            &[DONE, ("no-answer", true)],
        ),
        case(
            "Q.850 says that nobody answers",
            UP,
            &[Invite, Refuse(503, "Q.850;cause=19"), Ack],
            NOT_REACHED,
            &[DONE, ("no-answer", false)],
        ),
        Case {
            fields: json!({
                "ringbackMode": "1",
                "ringbackVoice": voices::RINGBACK.name,
                "failVoice": voices::FAIL.name,
            }),
            steps: "caller hears 1850, callee cue, caller hears 2050",
            heard: &[&[1_850, 2_050], &[]],
            ..case(
                "ringbackMode 1: our voices in place of the network's",
                UP,
                &[Invite, Describe(183), Cue, Reply(486), Ack],
                NOT_REACHED,
                &[DONE, ("failed", true)],
            )
        },
        case(
            "the caller is busy",
            &[Invite, Reply(486), Ack],
            &[],
            ("0", "caller"),
            &[("failed", false)],
        ),
        case("the caller does not answer", IN_VAIN, &[], ("0", "caller"), &[("time-out", true)]),
    ]
}

/// Who ends it when.
fn endings() -> Vec<Case> {
    let greeted = || json!({ "greetVoice": voices::GREET.name });
    vec![
        Case {
            steps: "caller told ringing, cancel",
            ..case(
                "cancelled while the caller rings",
                IN_VAIN,
                &[],
                ("0", "api"),
                &[("failed", true)],
            )
        },
        Case {
            fields: greeted(),
            steps: "caller hears 1650, cancel",
            ..case("cancelled in the greeting", UP, &[], ("1", "api"), &[DONE])
        },
        Case {
            steps: "callee told ringing, caller hears 450, caller cue",
            ..case(
                "the caller leaves while the callee rings",
                LEAVES,
                IN_VAIN,
                ("1", "caller"),
                &[DONE, ("failed", true)],
            )
        },
        Case {
            steps: "callee told ringing, cancel",
            ..case(
                "cancelled while the callee rings",
                UP,
                IN_VAIN,
                ("1", "api"),
                &[DONE, ("failed", true)],
            )
        },
        Case {
            fields: json!({ "calleeVoice": voices::TO_CALLEE.name }),
            steps: "callee hears 2450, cancel",
            ..case("cancelled in a private prompt", UP, UP, ("3", "api"), &[DONE, DONE])
        },
        Case {
            steps: "caller hears 850, callee hears 650, cancel, cancel",
            ..case("cancelled in the talk", UP, UP, ("3", "api"), &[DONE, DONE])
        },
        Case {
            fields: json!({ "maxDuration": 2 }),
            steps: "caller hears 850, callee hears 650",
            ..case("as long as it may be", UP, UP, ("5", "time_limit"), &[DONE, DONE])
        },
        Case {
            fields: json!({ "maxDuration": 62, "lastMinVoice": voices::LAST_MINUTE.name }),
            steps: "caller hears 2650, callee hears 2650, caller cue",
            ..case("the last minute is announced", LEAVES, UP, ("3", "caller"), &[DONE, DONE])
        },
        Case {
            fields: json!({
                "greetVoice": voices::GREET.name,
                "callerVoice": voices::TO_CALLER.name,
                "calleeVoice": voices::TO_CALLEE.name,
            }),
            steps: "caller hears 1650, callee told ringing, caller hears 450, callee cue, \
                    caller hears 2250, callee hears 2450, caller hears 850, callee hears 650, \
                    callee cue",
            heard: &[&[450, CALLEE_HZ, 1_650, 2_250], &[CALLER_HZ, 2_450]],
            ..case("each prompt to its own", UP, LATE_LEAVES, ("4", "callee"), &[DONE, DONE])
        },
    ]
}

/// Three and more.
fn three_parties() -> Vec<Case> {
    const THREE: &[(&str, bool)] = &[DONE, DONE, DONE];
    vec![
        Case {
            ladders: [LEAVES, UP, LATE_LEAVES, &[]],
            steps: three!("third cue, third told completed, callee hears 650, caller cue"),
            heard: &[&[450, CALLEE_HZ, THIRD_HZ], &[CALLER_HZ, THIRD_HZ], &[CALLER_HZ, CALLEE_HZ]],
            ..case("the third leaves, the two go on", &[], &[], ("3", "caller"), THREE)
        },
        Case {
            ladders: [LEAVES, UP, LATE_LEAVES, &[]],
            steps: three!(
                "caller cue, caller told completed, callee misses 650, third misses 650, \
                 callee hears 1050, third hears 850, third cue"
            ),
            ..case("the caller leaves, the others go on", &[], &[], ("3", "third_party"), THREE)
        },
        Case {
            ladders: [UP, LEAVES, LATE, &[]],
            steps: three!("callee cue"),
            ..case("the callee leaves, and that is the end", &[], &[], ("4", "callee"), THREE)
        },
        Case {
            ladders: [UP, LEAVES, LATE_LEAVES, LATE],
            steps: three!(
                "third cue, third told completed, fourth joins, fourth told ringing, fourth cue, \
                 caller hears 1250, callee hears 1250, fourth hears 650, fourth hears 850, \
                 callee cue"
            ),
            ..case("added twice", &[], &[], ("4", "callee"), &[DONE, DONE, DONE, DONE])
        },
        Case {
            ladders: [UP, LEAVES, &[Invite, Reply(180), Cue, Reply(486), Ack], &[]],
            steps: "caller hears 850, third joins, third told ringing, third cue, \
                    third told completed, caller hears 850, callee hears 650, callee cue",
            ..case(
                "the third is busy, the two go on",
                &[],
                &[],
                ("4", "callee"),
                &[DONE, DONE, ("failed", true)],
            )
        },
        Case {
            ladders: [UP, UP, IN_VAIN, &[]],
            steps: "caller hears 850, third joins, third told ringing, cancel",
            ..case(
                "cancelled while the third rings",
                &[],
                &[],
                ("3", "api"),
                &[DONE, DONE, ("failed", true)],
            )
        },
    ]
}

/// What changes in mid-call.
fn changes() -> Vec<Case> {
    vec![
        Case {
            steps: "caller hears 850, callee hears 650, \
                    callee cue, callee misses 650, caller hears 850, \
                    callee cue, callee cue, callee hears 650, caller hears 850, caller cue",
            ..case(
                "held and retrieved by re-INVITE",
                LEAVES,
                &[
                    Invite,
                    Reply(180),
                    Describe(200),
                    Ack,
                    Cue,
                    Change("sendonly", "recvonly"),
                    Cue,
                    Change("inactive", "inactive"),
                    Cue,
                    Change("sendrecv", "sendrecv"),
                    ByeComes,
                ],
                ("3", "caller"),
                &[DONE, DONE],
            )
        },
        Case {
            steps: "caller hears 850, callee hears 650, caller cue, callee cue, \
                    caller misses 850, callee misses 650, caller cue, callee cue, \
                    caller hears 850, callee hears 650, callee cue",
            ..case(
                "both hold at once",
                &[
                    Invite,
                    Reply(180),
                    Describe(200),
                    Ack,
                    Cue,
                    Change("sendonly", "recvonly"),
                    Cue,
                    Change("sendrecv", "sendrecv"),
                    ByeComes,
                ],
                &[
                    Invite,
                    Reply(180),
                    Describe(200),
                    Ack,
                    Cue,
                    Change("sendonly", "recvonly"),
                    Cue,
                    Change("sendrecv", "sendrecv"),
                    Cue,
                    Bye,
                ],
                ("4", "callee"),
                &[DONE, DONE],
            )
        },
        Case {
            steps: "caller hears 850, callee hears 650, callee cue, callee cue",
            ..case(
                "both offer at once",
                UP,
                &[Invite, Reply(180), Describe(200), Ack, Cue, Glare, Cue, Bye],
                ("4", "callee"),
                &[DONE, DONE],
            )
        },
        Case {
            steps: "caller hears 850, callee hears 650, caller press 5, callee gets 5, \
                    callee press #, caller gets #, caller cue",
            ..case("keys cross the bridge", LEAVES, UP, ("3", "caller"), &[DONE, DONE])
        },
        Case {
            steps: "caller hears 850, callee hears 650, callee cue, caller gets 7, caller cue",
            ..case(
                "a key by INFO crosses the bridge",
                LEAVES,
                &[Invite, Reply(180), Describe(200), Ack, Cue, Info('7'), ByeComes],
                ("3", "caller"),
                &[DONE, DONE],
            )
        },
    ]
}

/// Everything that the conversations share.
struct Rig {
    node: Node,
    customer: Customer,
    /// The ports of the sipps.
    ports: Ports,
    folder: tempfile::TempDir,
}

impl Rig {
    /// A trunk and a line for every end of every case.
    async fn start(cases: usize, library: &Path) -> Self {
        let (customer, ports) = (Customer::start().await, Ports::claim());
        let mut document = tenant::document(&[], &customer.url("/notices"));
        let (mut trunks, mut lines) = (Vec::new(), Vec::new());
        for (index, end) in
            (0..cases).flat_map(|index| [(index, 0), (index, 1), (index, 2), (index, 3)])
        {
            let uri = format!("sip:127.0.0.1:{};transport=udp", ports.other(place(index, end)));
            let name = format!("sipp-{end}-{index}");
            trunks.push(
                json!({ "name": name, "uri": uri, "number_format": "national", "probe_s": 0 }),
            );
            lines.push(json!({ "number": line(index, end), "trunks": [name] }));
        }
        document["trunks"] = trunks.into();
        document["accounts"][0]["caller_ids"] = lines.into();
        let application = &mut document["accounts"][0]["applications"][0];
        application["status_url"] = customer.url("/status").into();
        application["cdr_url"] = customer.url("/cdr").into();
        application["media"] = voices::library(library);
        let node = Node::start(&json!({ "calls": { "ring_ms": RING_MS } }), &document).await;
        Self { node, customer, ports, folder: tempfile::tempdir().unwrap() }
    }

    /// The first callback of a conversation on a path that is as wanted.
    async fn told(
        &self,
        name: &str,
        sid: &str,
        path: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> Value {
        let what = format!("{path} of {sid}, {name}");
        self.customer
            .wait_until(&what, PATIENCE, |callbacks| {
                let of_talk = callbacks
                    .iter()
                    .filter(|one| one.path == path && one.field("conversationSid") == sid);
                of_talk.map(Callback::json).find(|told| wanted(told))
            })
            .await
    }
}

/// The place of the ports of one end of a case, of which a sipp takes six.
fn place(index: usize, end: usize) -> u16 {
    u16::try_from(6 * (index * PARTIES.len() + end)).unwrap()
}

/// The line that goes to one end of a case.
fn line(index: usize, end: usize) -> String {
    format!("0108000{end}{index:03}")
}

fn number(index: usize, end: usize) -> String {
    format!("1380{end}{index:04}99")
}

/// One case under way.
struct Scene<'a> {
    rig: &'a Rig,
    case: &'a Case,
    index: usize,
    sid: String,
    earpieces: Vec<Earpiece>,
    sipps: Vec<Option<Sipp>>,
}

impl<'a> Scene<'a> {
    async fn start(rig: &'a Rig, case: &'a Case, index: usize) -> Self {
        let mut earpieces = Vec::new();
        for (_, hz) in PARTIES {
            earpieces.push(Earpiece::start(hz).await);
        }
        let mut sipps = Vec::new();
        for (end, (ladder, earpiece)) in case.ladders.iter().zip(&earpieces).enumerate() {
            let (name, port) = (format!("{index}-{end}"), rig.ports.other(place(index, end)));
            let start = Sipp::start(&name, rig.folder.path(), port, earpiece.port(), ladder);
            sipps.push(if ladder.is_empty() { None } else { Some(start.await) });
        }
        let mut fields = json!({ "callerCli": line(index, 0), "calleeCli": line(index, 1) });
        merge(&mut fields, &case.fields);
        let sid = rig.node.api().click(&number(index, 0), &number(index, 1), &fields).await;
        Self { rig, case, index, sid, earpieces, sipps }
    }

    /// A command that has to be accepted.
    async fn command(&self, action: &str, fields: &Value) {
        let reply = self.rig.node.api().ctc_command(&self.sid, action, fields).await;
        assert_eq!(reply.body["statusCode"], "00000", "{}: {action}: {reply:?}", self.case.name);
    }

    async fn step(&self, step: &str) {
        let name = self.case.name;
        if step == "cancel" {
            return self.command("cancelCall", &Value::Null).await;
        }
        let words: Vec<&str> = step.split(' ').collect();
        let end = PARTIES.iter().position(|(party, _)| *party == words[0]).expect("a party");
        let (earpiece, number) = (&self.earpieces[end], number(self.index, end));
        let until = async |is_so: &dyn Fn() -> bool| {
            let began = Instant::now();
            while !is_so() {
                let heard = || earpiece.heard().summary();
                assert!(began.elapsed() < SOON, "{name}: not {step:?}; it heard {:?}", heard());
                tokio::time::sleep(LOOK * 2).await;
            }
        };
        let lately = |hz: &str| {
            let heard = earpiece.heard();
            let ends = heard.stretches(hz.parse().unwrap()).last().map(|stretch| stretch.end);
            ends.is_some_and(|end_us| support::earpiece::now_us() - end_us < NOW_US)
        };
        match words[1..] {
            ["cue"] => self.sipps[end].as_ref().expect("it has a ladder").cue().await,
            ["joins"] => {
                let fields = json!({ "callee": number, "calleeCli": line(self.index, end) });
                self.command("addCall", &fields).await;
            }
            ["told", status] => {
                let is_so = |told: &Value| told["to"] == *number && told["callStatus"] == status;
                self.rig.told(name, &self.sid, "/status", is_so).await;
            }
            ["hears", hz] => until(&|| lately(hz)).await,
            ["misses", hz] => until(&|| !lately(hz)).await,
            ["press", key] => earpiece.press(key.parse().unwrap()),
            ["gets", key] => until(&|| earpiece.keys() == key).await,
            _ => panic!("{name}: {step:?} is no step"),
        }
    }

    async fn run(self) {
        let Case { name, steps, .. } = *self.case;
        for step in steps.split(',').map(str::trim).filter(|step| !step.is_empty()) {
            self.step(step).await;
        }
        for sipp in self.sipps.into_iter().flatten() {
            sipp.finish().await;
        }
        let record = self.rig.told(name, &self.sid, "/cdr", |_| true).await;
        assert_eq!(
            (text(&record, "byeType"), text(&record, "endedBy")),
            (self.case.bye_type, self.case.ended_by),
            "{name}: {record:#}"
        );
        let legs = record["cdrs"].as_array().unwrap();
        let facts: Vec<(&str, bool)> = legs
            .iter()
            .rev()
            .map(|leg| (text(leg, "cause"), !text(leg, "ringTime").is_empty()))
            .collect();
        assert_eq!(facts, self.case.legs, "{name}: {record:#}");
        for (leg, end) in legs.iter().rev().zip(0..) {
            assert_eq!(text(leg, "from"), line(self.index, end), "{name}: {record:#}");
        }
        for ((party, _), (earpiece, expected)) in
            PARTIES.iter().zip(self.earpieces.iter().zip(self.case.heard))
        {
            let heard = earpiece.heard().summary();
            // Whoever waits for a third party hears music, which has a note there.
            let is_music = |hz| hz == 450 && !self.case.ladders[2].is_empty() && *party != "caller";
            let tones: Vec<u16> = heard.keys().copied().filter(|hz| !is_music(*hz)).collect();
            assert_eq!(tones, *expected, "{name}: the {party} heard {heard:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_end_goes_as_written() {
    let cases = [answers(), endings(), three_parties(), changes()].concat();
    let library = tempfile::tempdir().unwrap();
    let rig = &Rig::start(cases.len(), library.path()).await;
    let run = |(index, case)| async move { Scene::start(rig, case, index).await.run().await };
    let runs = cases.iter().enumerate().map(|at| AssertUnwindSafe(run(at)).catch_unwind());
    let ran = join_all(runs).await;
    let failed = cases.iter().zip(&ran).filter(|(_, ran)| ran.is_err()).map(|(case, _)| case.name);
    assert_eq!(failed.collect::<Vec<_>>(), [""; 0], "how each failed stands above");
}
