//! The ladders of a click-to-call with sipp, an independent user agent, at both ends.

#![expect(clippy::unwrap_used, reason = "a failed set-up is a failed test")]

mod support;

use futures_util::future::join_all;
use serde_json::{Value, json};
use support::PATIENCE;
use support::customer::Customer;
use support::node::Node;
use support::ports::Ports;
use support::records::text;
use support::sipp::{Rung, Sipp};
use support::tenant;

use Rung::{Ack, Bye, ByeComes, Cancelled, Change, Describe, Invite, Pause, Reply};

/// How long telephones ring in this suite, milliseconds.
const RING_MS: u64 = 3_000;

/// One conversation: both ends' ladders, and what the customer is told.
struct Case {
    name: &'static str,
    caller: &'static [Rung],
    /// Empty: it is never called.
    callee: &'static [Rung],
    bye_type: &'static str,
    /// Of each leg, caller first: its cause, and whether it has a `ringTime`.
    legs: &'static [(&'static str, bool)],
    cancels: bool,
}

/// A caller that picks up, and is hung up in the end.
const CALLER: &[Rung] = &[Invite, Reply(100), Reply(180), Describe(200), Ack, ByeComes];

fn case(
    name: &'static str,
    callee: &'static [Rung],
    bye_type: &'static str,
    legs: &'static [(&'static str, bool)],
) -> Case {
    Case { name, caller: CALLER, callee, bye_type, legs, cancels: false }
}

fn cases() -> Vec<Case> {
    const UP: (&str, bool) = ("completed", true);
    vec![
        case(
            "180 and an answer",
            &[Invite, Reply(100), Reply(180), Pause(300), Describe(200), Ack, Pause(500), Bye],
            "4",
            &[UP, UP],
        ),
        case(
            "183 with media, then 180",
            &[Invite, Describe(183), Pause(200), Reply(180), Pause(200), Describe(200), Ack, Bye],
            "4",
            &[UP, UP],
        ),
        case(
            "183 without media",
            &[Invite, Reply(183), Pause(200), Describe(200), Ack, Bye],
            "4",
            &[UP, UP],
        ),
        case(
            "a bare 200",
            &[Invite, Describe(200), Ack, Pause(300), Bye],
            "4",
            &[UP, ("completed", false)],
        ),
        case("busy", &[Invite, Reply(486), Ack], "2", &[UP, ("failed", false)]),
        case(
            "declined after ringing",
            &[Invite, Reply(180), Pause(300), Reply(603), Ack],
            "2",
            &[UP, ("failed", true)],
        ),
        case("nobody answers", &[Invite, Reply(180), Cancelled], "2", &[UP, ("time-out", true)]),
        Case {
            caller: &[Invite, Reply(180), Describe(200), Ack, Pause(2_500), Bye],
            ..case(
                "held and retrieved by re-INVITE",
                &[
                    Invite,
                    Reply(180),
                    Describe(200),
                    Ack,
                    Pause(300),
                    Change("sendonly", "recvonly"),
                    Pause(300),
                    Change("inactive", "inactive"),
                    Pause(300),
                    Change("sendrecv", "sendrecv"),
                    ByeComes,
                ],
                "3",
                &[UP, UP],
            )
        },
        Case {
            caller: &[Invite, Reply(180), Cancelled],
            cancels: true,
            ..case("cancelled while the caller rings", &[], "0", &[("failed", true)])
        },
    ]
}

/// The line that goes to one end of a case.
fn line(index: usize, end: usize) -> String {
    format!("0108000{end}{index:03}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_ends_go_as_written() {
    let cases = cases();
    let blocks = [Ports::claim(), Ports::claim()];
    let customer = Customer::start().await;
    let mut document = tenant::document(&[], &customer.url("/notices"));
    let (mut trunks, mut lines) = (Vec::new(), Vec::new());
    for index in 0..cases.len() {
        for (end, block) in blocks.iter().enumerate() {
            let uri = format!("sip:127.0.0.1:{};transport=udp", block.named(index as u16));
            let name = format!("sipp-{end}-{index}");
            trunks.push(
                json!({ "name": name, "uri": uri, "number_format": "national", "probe_s": 0 }),
            );
            lines.push(json!({ "number": line(index, end), "trunks": [name] }));
        }
    }
    document["trunks"] = trunks.into();
    document["accounts"][0]["caller_ids"] = lines.into();
    let application = &mut document["accounts"][0]["applications"][0];
    application["status_url"] = customer.url("/status").into();
    application["cdr_url"] = customer.url("/cdr").into();
    let node = Node::start(&json!({ "calls": { "ring_ms": RING_MS } }), &document).await;
    let folder = tempfile::tempdir().unwrap();

    join_all(cases.iter().enumerate().map(async |(index, case)| {
        let start = |end: usize, ladder: &[Rung]| {
            let name = format!("{index}-{end}");
            let port = blocks[end].named(index as u16);
            (!ladder.is_empty()).then(|| Sipp::start(&name, folder.path(), port, ladder))
        };
        let ends = [start(0, case.caller), start(1, case.callee)];
        let fields = json!({ "callerCli": line(index, 0), "calleeCli": line(index, 1) });
        let (caller, callee) = (format!("1380000{index:02}01"), format!("1380000{index:02}02"));
        let sid = node.api().click(&caller, &callee, &fields).await;
        if case.cancels {
            wait_for(&customer, &sid, "/status", |told| told["callStatus"] == "ringing").await;
            node.api().ctc_command(&sid, "cancelCall", &Value::Null).await;
        }
        for end in ends.into_iter().flatten() {
            end.finish().await;
        }
        let record = wait_for(&customer, &sid, "/cdr", |_| true).await;
        let name = case.name;
        assert_eq!(text(&record, "byeType"), case.bye_type, "{name}: {record:#}");
        let legs = record["cdrs"].as_array().unwrap();
        let facts: Vec<(&str, bool)> = legs
            .iter()
            .rev()
            .map(|leg| (text(leg, "cause"), !text(leg, "ringTime").is_empty()))
            .collect();
        assert_eq!(facts, case.legs, "{name}: {record:#}");
        for (leg, end) in legs.iter().rev().zip(0..) {
            assert_eq!(text(leg, "from"), line(index, end), "{name}: {record:#}");
        }
    }))
    .await;
}

/// The first callback of a conversation on a path that is as wanted.
async fn wait_for(
    customer: &Customer,
    sid: &str,
    path: &str,
    wanted: impl Fn(&Value) -> bool,
) -> Value {
    customer
        .wait_until(&format!("{path} of {sid}"), PATIENCE, |callbacks| {
            let of_talk = callbacks
                .iter()
                .filter(|one| one.path == path && one.field("conversationSid") == sid);
            of_talk.map(support::customer::Callback::json).find(|told| wanted(told))
        })
        .await
}
