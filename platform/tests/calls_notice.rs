//! Voice notices over real SIP and RTP, from the request to the signed callback: what each kind of
//! callee leads to, keys by each way that they travel, and failover.

#![expect(clippy::unwrap_used, reason = "a failed set-up is a failed test")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::net::UdpSocket;
use std::time::{Duration, Instant};

use chrono::{DateTime, NaiveDateTime, TimeDelta};
use serde_json::{Value, json};
use support::api::Accepted;
use support::customer::Callback;
use support::ports::Ports;
use support::tenant::{APPID, line};
use support::world::{Plan, World};

/// The fields of a notice's callback, all of them always there (docs/spec/interface-zh.txt).
const FIELDS: [&str; 13] = [
    "requestid",
    "callid",
    "appid",
    "to",
    "starttime",
    "ringtime",
    "answertime",
    "endtime",
    "duration",
    "result",
    "reason",
    "userdata",
    "inputkey",
];

/// The last messages on the wire may come so much later than the callback.
const LAST_ANSWER: Duration = Duration::from_secs(10);

/// Carriers, each with a line of its own.
const CARRIERS: &[&[&str]] = &[
    &[],
    &[],
    &["--keys", "info"],
    &["--keys", "inband", "--no-telephone-event"],
    // Presses in the first content, long before keys are taken.
    &["--press-after-ms", "300"],
];
const USUAL: usize = 0;
const SECOND: usize = 1;
const BY_INFO: usize = 2;
const IN_BAND: usize = 3;
const EARLY: usize = 4;

/// Lines over more than one trunk, or over a trunk that is odd.
const SILENT_FIRST: &str = "01080001201";
const CLOSED_FIRST: &str = "01080001202";
const OVER_TCP: &str = "01080001203";
const TWO_CARRIERS: &str = "01080001204";

/// What is to become of a call.
#[derive(Debug, Clone, Copy)]
enum Expected {
    /// `result` 0, with this `inputkey`.
    Answered { key: &'static str },
    /// `result` 1: `reason`, `callCause`, `sipCode`, and whether it rang.
    Failed { reason: &'static str, cause: &'static str, sip: &'static str, rang: bool },
}

const ANSWERED: Expected = Expected::Answered { key: "" };

const fn confirmed(key: &'static str) -> Expected {
    Expected::Answered { key }
}

const fn failed(sip: &'static str, rang: bool) -> Expected {
    Expected::Failed { reason: "2", cause: "failed", sip, rang }
}

/// One call.
struct Row {
    name: &'static str,
    from: String,
    /// The last two digits of the number, which choose what the handset does.
    digits: &'static str,
    /// More fields of the request.
    fields: Value,
    expected: Expected,
    /// How many INVITEs each carrier gets that gets any.
    invites: &'static [(usize, usize)],
    /// What has to happen at the last of them, in this order.
    story: &'static [&'static str],
}

impl Row {
    /// The number to call: every row has its own.
    fn to(&self, index: usize) -> String {
        format!("1380001{index:02}{}", self.digits)
    }

    /// The carrier that got the call in the end.
    fn carrier(&self) -> usize {
        self.invites.last().expect("a row has a carrier").0
    }
}

fn rows() -> Vec<Row> {
    let row = |name, digits, fields, expected, story| Row {
        name,
        from: line(USUAL),
        digits,
        fields,
        expected,
        invites: &[(USUAL, 1)],
        story,
    };
    let over = |row: Row, from: &str, invites| Row { from: from.to_owned(), invites, ..row };
    let keys = |finish: &str, repeat: &str| json!({ "finishkey": finish, "repeatkey": repeat, "finishvoice": "prompt3.wav" });
    let none = || json!({});
    let heard: &[&str] = &["invite", "ringing", "answered", "acked", "bye_received", "ended"];
    let pressed: &[&str] = &["answered", "key", "bye_received", "ended"];
    let refused: &[&str] = &["invite", "refused", "ended"];
    vec![
        row("00 listens", "00", none(), ANSWERED, heard),
        row("any other number listens", "55", none(), ANSWERED, heard),
        row("one play", "00", json!({ "times": 1 }), ANSWERED, heard),
        row("01 confirms by RFC 4733", "01", keys("1", ""), confirmed("1"), pressed),
        over(
            row("01 confirms by INFO", "01", keys("1", ""), confirmed("1"), pressed),
            &line(BY_INFO),
            &[(BY_INFO, 1)],
        ),
        over(
            row("01 confirms in-band", "01", keys("1", ""), confirmed("1"), pressed),
            &line(IN_BAND),
            &[(IN_BAND, 1)],
        ),
        row("02 asks for a replay", "02", keys("1", "2"), ANSWERED, pressed),
        row(
            "03 asks for a replay, then confirms",
            "03",
            keys("1", "2"),
            confirmed("1"),
            &["answered", "key", "key", "bye_received", "ended"],
        ),
        row("any key confirms", "02", keys("any", ""), confirmed("2"), pressed),
        row("confirming wins over a replay", "01", keys("any", "any"), confirmed("1"), pressed),
        row("a key that matches neither is ignored", "01", keys("5", "6"), ANSWERED, pressed),
        row("a repeat key alone is no confirmation", "02", keys("", "2"), ANSWERED, pressed),
        over(
            row("a key before the last content is ignored", "01", keys("1", ""), ANSWERED, pressed),
            &line(EARLY),
            &[(EARLY, 1)],
        ),
        over(
            row("a key that nobody asked for", "01", none(), ANSWERED, pressed),
            &line(EARLY),
            &[(EARLY, 1)],
        ),
        row("10 is busy", "10", none(), failed("486", false), refused),
        row(
            "11 rings and never answers",
            "11",
            none(),
            Expected::Failed { reason: "1", cause: "time-out", sip: "487", rang: true },
            &["invite", "ringing", "cancel", "refused", "acked"],
        ),
        row(
            "12 rejects after ringing",
            "12",
            none(),
            failed("603", true),
            &["invite", "ringing", "refused", "acked"],
        ),
        row("13 is unknown", "13", none(), failed("404", false), refused),
        row("14 is a carrier failure", "14", none(), failed("503", false), refused),
        row("15 plays early media, then answers", "15", none(), ANSWERED, heard),
        row(
            "16 hangs up in mid-prompt",
            "16",
            none(),
            ANSWERED,
            &["answered", "bye_sent", "ended", "bye_answered"],
        ),
        row("17 is a machine", "17", json!({ "times": 1 }), ANSWERED, heard),
        row("18 answers late", "18", json!({ "times": 1 }), ANSWERED, heard),
        row("19 never replies", "19", none(), failed("", false), &["invite"]),
        row("20 loses packets", "20", json!({ "times": 1 }), ANSWERED, heard),
        over(
            row("a trunk that is silent is failed over", "00", none(), ANSWERED, heard),
            SILENT_FIRST,
            &[(USUAL, 1)],
        ),
        over(
            row("a trunk that nobody is on is failed over", "00", none(), ANSWERED, heard),
            CLOSED_FIRST,
            &[(USUAL, 1)],
        ),
        over(
            row("SIP over TCP", "01", keys("1", ""), confirmed("1"), pressed),
            OVER_TCP,
            &[(USUAL, 1)],
        ),
        over(
            row("503 is failed over", "14", none(), failed("503", false), refused),
            TWO_CARRIERS,
            &[(USUAL, 1), (SECOND, 1)],
        ),
        over(
            row("486 is not failed over", "10", none(), failed("486", false), refused),
            TWO_CARRIERS,
            &[(SECOND, 0), (USUAL, 1)],
        ),
        over(
            row("who rang is not called again", "12", none(), failed("603", true), &["refused"]),
            TWO_CARRIERS,
            &[(SECOND, 0), (USUAL, 1)],
        ),
    ]
}

/// Adds the odd trunks and lines to the tenant's document. `silent` is a socket that nobody reads,
/// `closed` a port that nobody is on.
fn odd_trunks(document: &mut Value, silent: u16, closed: u16) {
    let usual = document["trunks"][USUAL]["uri"].as_str().unwrap().to_owned();
    let trunks = document["trunks"].as_array_mut().unwrap();
    for trunk in trunks.iter_mut() {
        // All rows start at once: at a rate limit they would go over the next trunk.
        trunk.as_object_mut().unwrap().remove("max_cps");
    }
    for (name, uri) in [
        ("silent", format!("sip:127.0.0.1:{silent};transport=udp")),
        ("closed", format!("sip:127.0.0.1:{closed};transport=tcp")),
        ("over-tcp", usual.replace("=udp", "=tcp")),
    ] {
        trunks.push(json!({ "name": name, "uri": uri }));
    }
    let lines = document["accounts"][0]["caller_ids"].as_array_mut().unwrap();
    for (number, trunks) in [
        (SILENT_FIRST, ["silent", "carrier-a"].as_slice()),
        (CLOSED_FIRST, &["closed", "carrier-a"]),
        (OVER_TCP, &["over-tcp"]),
        (TWO_CARRIERS, &["carrier-a", "carrier-b"]),
    ] {
        lines.push(json!({ "number": number, "trunks": trunks }));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_callee_has_its_result() {
    let (silent, ports) = (UdpSocket::bind("127.0.0.1:0").unwrap(), Ports::claim());
    let (silent_port, closed_port) = (silent.local_addr().unwrap().port(), ports.named(0));
    let tenant = |document: &mut Value| odd_trunks(document, silent_port, closed_port);
    // Longer than the 8 s of number 18.
    let settings = json!({ "calls": { "ring_ms": 12_000 } });
    let mut world =
        World::start(Plan { settings, carriers: CARRIERS, tenant: Some(&tenant) }).await;

    let rows = rows();
    let all = rows.iter().enumerate().map(|(index, row)| live(&world, row, row.to(index)));
    let faults: Vec<String> =
        futures_util::future::join_all(all).await.into_iter().flatten().collect();
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));

    let refused = world.api.notice_refused("110", &json!({})).await;
    assert_eq!(refused.body["statusCode"], "-5", "{refused:?}");

    // Whatever is still on its way is delivered before the end.
    assert!(world.node.terminate().await.success(), "the node ends well");
    let callbacks = world.customer.callbacks();
    let requests: BTreeSet<String> = callbacks.iter().map(|one| one.field("requestid")).collect();
    let events: BTreeSet<&str> = callbacks.iter().map(Callback::id).collect();
    let counts = (callbacks.len(), requests.len(), events.len());
    assert_eq!(counts, (rows.len(), rows.len(), rows.len()), "one callback for each call");
}

/// Makes one call, and gives back all that is wrong with what became of it.
async fn live(world: &World, row: &Row, to: String) -> Vec<String> {
    let mut fields = row.fields.clone();
    fields["from"] = row.from.clone().into();
    fields["userdata"] = row.name.into();
    let accepted = world.api.notice(&to, &fields).await;
    let callback = world.customer.wait_for_result(&accepted.request_id).await;
    let mut faults = Faults { name: row.name, found: Vec::new() };
    check_envelope(&mut faults, &callback, &accepted, row, &to);
    check_result(&mut faults, &callback.json(), row.expected);
    check_record(&mut faults, &callback.json(), &world.api.call(&accepted.call_id).await, row);
    check_network(&mut faults, world, &callback.json(), row, &to).await;
    if !faults.found.is_empty() {
        faults.found.push(format!("    (its callback: {})", callback.json()));
    }
    faults.found
}

/// What is wrong with one row; all of it is told at once.
struct Faults {
    name: &'static str,
    found: Vec<String>,
}

impl Faults {
    fn equal<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, found: T, expected: T) {
        if found != expected {
            self.found.push(format!("{}: {what} is {found:?}, expected {expected:?}", self.name));
        }
    }

    fn holds(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.found.push(format!("{}: {}", self.name, what()));
        }
    }
}

/// The callback as such: to whom, by whom, with which fields.
fn check_envelope(
    faults: &mut Faults,
    callback: &Callback,
    accepted: &Accepted,
    row: &Row,
    to: &str,
) {
    faults.equal("the request line", (&*callback.method, &*callback.path), ("POST", "/cdr"));
    faults.equal("its signature", callback.verify(), Ok(()));
    faults.holds(callback.header("content-type").starts_with("application/json"), || {
        format!("its type is {:?}", callback.header("content-type"))
    });
    let body = callback.json();
    let fields: BTreeMap<&String, &Value> = body.as_object().unwrap().iter().collect();
    let names: BTreeSet<&str> = fields.keys().map(|name| name.as_str()).collect();
    faults.equal("the set of fields", names, BTreeSet::from(FIELDS));
    for (name, value) in fields {
        faults.holds(value.is_string(), || format!("{name} is no string but {value}"));
    }
    for (name, expected) in [
        ("requestid", &*accepted.request_id),
        ("callid", &accepted.call_id),
        ("appid", APPID),
        ("to", to),
        ("userdata", row.name),
    ] {
        faults.equal(name, &*callback.field(name), expected);
    }
}

/// The result, and the stamps that have to go with it.
fn check_result(faults: &mut Faults, body: &Value, expected: Expected) {
    let text = |name: &str| body[name].as_str().unwrap_or_default();
    let (result, reason, key, rang) = match expected {
        Expected::Answered { key } => ("0", "", key, true),
        Expected::Failed { reason, rang, .. } => ("1", reason, "", rang),
    };
    faults.equal("result", text("result"), result);
    faults.equal("reason", text("reason"), reason);
    faults.equal("inputkey", text("inputkey"), key);
    faults.equal("whether ringtime is there", !text("ringtime").is_empty(), rang);
    faults.equal("whether answertime is there", !text("answertime").is_empty(), result == "0");
    let stamps = ["starttime", "ringtime", "answertime", "endtime"].map(|name| (name, text(name)));
    let present = || stamps.iter().filter(|(_, stamp)| !stamp.is_empty());
    for (name, stamp) in present() {
        let digits = stamp.len() == 14 && stamp.bytes().all(|byte| byte.is_ascii_digit());
        faults.holds(digits, || format!("{name} is {stamp:?}, no 14 digits"));
    }
    let in_order = present().map(|(_, stamp)| stamp).is_sorted();
    faults.holds(in_order, || format!("its stamps are out of order: {stamps:?}"));
    let duration = match result {
        "0" => (moment(text("endtime")) - moment(text("answertime"))).num_seconds().to_string(),
        _ => "0".to_owned(),
    };
    faults.equal("duration", text("duration"), &duration);
}

/// The record that can be read says the same, and why.
fn check_record(faults: &mut Faults, body: &Value, record: &Value, row: &Row) {
    for name in FIELDS.into_iter().filter(|name| *name != "userdata") {
        faults.equal(&format!("the record's {name}"), &record[name], &body[name]);
    }
    faults.equal("the record's state", record["state"].as_str(), Some("ended"));
    faults.equal("the record's from", record["from"].as_str(), Some(&*row.from));
    match row.expected {
        Expected::Answered { .. } => {
            faults.equal("callCause", record["callCause"].as_str(), Some("completed"));
        }
        Expected::Failed { cause, sip, .. } => {
            faults.equal("callCause", record["callCause"].as_str(), Some(cause));
            faults.equal("sipCode", record["sipCode"].as_str(), Some(sip));
        }
    }
}

/// What the network has seen of it.
async fn check_network(faults: &mut Faults, world: &World, body: &Value, row: &Row, to: &str) {
    for (index, carrier) in world.carriers.iter().enumerate() {
        let expected = row.invites.iter().find(|(known, _)| *known == index);
        let expected = expected.map_or(0, |(_, count)| *count);
        faults.equal(&format!("INVITEs at carrier {index}"), carrier.count(to, "invite"), expected);
    }
    let carrier = &world.carriers[row.carrier()];
    // The callback may be quicker than the last answer on the wire.
    let patience = Instant::now() + LAST_ANSWER;
    while !happened(&carrier.story(to), row.story) && Instant::now() < patience {
        tokio::time::sleep(support::LOOK).await;
    }
    let story = carrier.story(to);
    faults.holds(happened(&story, row.story), || {
        format!("the network saw {story:?}, expected {:?}", row.story)
    });
    let events = carrier.of(to);
    let event = |kind: &str| events.iter().find(|event| event["kind"] == kind);
    let Some(invite) = event("invite") else { return };
    for side in ["from", "identity"] {
        faults.equal(&format!("the INVITE's {side}"), invite[side].as_str(), Some(&*row.from));
    }
    let started = moment(body["starttime"].as_str().unwrap());
    let invited = at(invite);
    // A trunk that keeps silent is given 4 s.
    let wait_s = if row.from == SILENT_FIRST { 4..=7 } else { 0..=2 };
    faults.holds(wait_s.contains(&(invited - started).num_seconds()), || {
        format!("starttime is {started}, the INVITE came at {invited}")
    });
    if let Some(cancel) = event("cancel") {
        faults.equal("whether the CANCEL came in time", &cancel["in_time"], &json!(true));
    }
    if let (Some(answered), Some(ended)) = (event("answered"), event("ended")) {
        let duration: i64 = body["duration"].as_str().unwrap().parse().unwrap_or(-1);
        let talked = (at(ended) - at(answered)).num_seconds();
        faults.holds((talked - 1..=talked + 2).contains(&duration), || {
            format!("duration is {duration}, the handset talked for {talked} s")
        });
    }
}

/// Whether these kinds are in the story, in this order.
fn happened(story: &[String], kinds: &[&str]) -> bool {
    let mut wanted = kinds.iter().peekable();
    for kind in story {
        wanted.next_if(|next| **next == kind);
    }
    wanted.peek().is_none()
}

/// A stamp of the published interface.
fn moment(stamp: &str) -> NaiveDateTime {
    NaiveDateTime::parse_from_str(stamp, "%Y%m%d%H%M%S").unwrap_or_default()
}

/// When an event of the network happened, on the account's clock (Asia/Shanghai).
fn at(event: &Value) -> NaiveDateTime {
    let utc = DateTime::from_timestamp_micros(event["at_us"].as_i64().unwrap()).unwrap();
    utc.naive_utc() + TimeDelta::hours(8)
}
