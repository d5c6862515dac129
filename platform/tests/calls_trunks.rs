//! The limits of trunks: how many calls at once, how many new ones a second, and what a call does that
//! finds its trunk full.

#![expect(clippy::unwrap_used, reason = "a failed set-up is a failed test")]

mod support;

use std::time::Duration;

use serde_json::{Value, json};
use support::ports::Ports;
use support::tenant::CALLER_ID;
use support::world::{Plan, World};

/// The line whose first trunk leads nowhere.
const CLOSED_FIRST: &str = "01080001303";

/// Lines over trunks that carry one call at a time.
const NARROW: &str = "01080001301";
const TIGHT: &str = "01080001302";

/// At a trunk's limit a call waits for a line (RESOLUTIONS, "at a limit"): it is dialled when one
/// comes free, and given up as result 1, reason 2, when it has waited for too long.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_trunk_makes_calls_wait() {
    let tenant = |document: &mut Value| {
        let usual = document["trunks"][0].clone();
        for (name, number) in [("narrow", NARROW), ("tight", TIGHT)] {
            let mut trunk = usual.clone();
            trunk["name"] = name.into();
            trunk["max_calls"] = 1.into();
            document["trunks"].as_array_mut().unwrap().push(trunk);
            let lines = document["accounts"][0]["caller_ids"].as_array_mut().unwrap();
            lines.push(json!({ "number": number, "trunks": [name] }));
        }
    };
    // Longer than a short call, shorter than a long one.
    let settings = json!({ "calls": { "queue_max_wait": { "notices_s": 12 } } });
    let world = World::start(Plan { settings, tenant: Some(&tenant), ..Plan::default() }).await;
    let send = async |from: &str, to: &str, fields: Value| {
        let mut fields = fields;
        fields["from"] = from.into();
        world.api.notice(to, &fields).await
    };
    let short = || json!({ "times": 1 });
    // Three plays, each with a window of 5 s.
    let long = json!({ "times": 3, "finishkey": "1" });

    let first = send(NARROW, "13800200100", short()).await;
    let second = send(NARROW, "13800200200", short()).await;
    let talker = send(TIGHT, "13800200300", long).await;
    world.carrier().wait_for("13800200300", "invite").await;
    let too_late = send(TIGHT, "13800200400", short()).await;

    for (accepted, to) in [(&first, "13800200100"), (&second, "13800200200")] {
        let callback = world.customer.wait_for_result(&accepted.request_id).await;
        assert_eq!(callback.field("result"), "0", "{to}: {}", callback.json());
    }
    let at_us = |event: &Value| event["at_us"].as_i64().unwrap();
    let ended = world.carrier().wait_for("13800200100", "ended").await;
    let invited = world.carrier().wait_for("13800200200", "invite").await;
    let between_us = at_us(&invited) - at_us(&ended);
    // The BYE is answered and the record written before the line is free.
    assert!((0..=2_000_000).contains(&between_us), "the second was dialled after {between_us} µs");

    let callback = world.customer.wait_for_result(&too_late.request_id).await;
    callback.verify().unwrap();
    assert_eq!(world.carrier().count("13800200300", "ended"), 0, "the line was never free");
    for (name, expected) in [
        ("result", "1"),
        ("reason", "2"),
        ("callid", ""),
        ("ringtime", ""),
        ("answertime", ""),
        ("duration", "0"),
        ("inputkey", ""),
        ("starttime", &callback.field("endtime")),
    ] {
        assert_eq!(callback.field(name), expected, "{name} of one that waited too long");
    }
    assert_eq!(world.carrier().count("13800200400", "invite"), 0, "it was never dialled");

    let callback = world.customer.wait_for_result(&talker.request_id).await;
    assert_eq!(callback.field("result"), "0", "who talks is left alone: {}", callback.json());
}

/// A call that fails over to a trunk that has just been given its share of calls a second waits for
/// its turn there, as any other call does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_waits_for_the_next_trunks_turn() {
    let ports = Ports::claim();
    let tenant = |document: &mut Value| {
        document["trunks"][0]["max_cps"] = 1.into();
        let uri = format!("sip:127.0.0.1:{};transport=tcp", ports.named(0));
        let trunks = document["trunks"].as_array_mut().unwrap();
        trunks.push(json!({ "name": "closed", "uri": uri }));
        let lines = document["accounts"][0]["caller_ids"].as_array_mut().unwrap();
        lines.push(json!({ "number": CLOSED_FIRST, "trunks": ["closed", "carrier-a"] }));
    };
    let world = World::start(Plan { tenant: Some(&tenant), ..Plan::default() }).await;
    let fields = json!({ "from": CLOSED_FIRST, "times": 1 });
    let mut requests = Vec::new();
    for to in ["13800300100", "13800300200", "13800300300"] {
        requests.push((to, world.api.notice(to, &fields).await.request_id));
    }
    for (to, request_id) in requests {
        let callback = world.customer.wait_for_result(&request_id).await;
        assert_eq!(callback.field("result"), "0", "{to}: {}", callback.json());
    }
}

/// A trunk with a rate gets its calls one after the other, none of them lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trunk_is_given_no_more_calls_a_second_than_it_takes() {
    const CALLS: usize = 5;
    let tenant = |document: &mut Value| document["trunks"][0]["max_cps"] = 2.into();
    let world = World::start(Plan { tenant: Some(&tenant), ..Plan::default() }).await;
    for index in 0..CALLS {
        // Busy: what matters is when it is called.
        let to = format!("1380050{index:02}10");
        world.api.notice(&to, &json!({ "from": CALLER_ID })).await;
    }
    let invites = world
        .carrier()
        .wait_until("INVITE of each call", Duration::from_secs(30), |events| {
            let invites = events.iter().filter(|event| event["kind"] == "invite");
            let at_us: Vec<i64> = invites.filter_map(|event| event["at_us"].as_i64()).collect();
            (at_us.len() == CALLS).then_some(at_us)
        })
        .await;
    for pair in invites.windows(2) {
        let gap_ms = (pair[1] - pair[0]) / 1_000;
        // 500 ms each, but for what the first one lost on its way.
        assert!((400..=2_000).contains(&gap_ms), "{gap_ms} ms between two calls: {invites:?}");
    }
}
