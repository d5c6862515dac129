//! Campaigns over real SIP and RTP: every number of a list has its result and is called once; a
//! number that is put on the do-not-call list is called no more; a pause holds.

#![expect(clippy::unwrap_used, reason = "a failed set-up is a failed test")]

mod support;

use std::collections::BTreeSet;
use std::time::Instant;

use reqwest::Method;
use serde_json::{Value, json};
use support::api::Api;
use support::batch::by_number;
use support::phones::{assert_nobody_was_called_twice, phones};
use support::tenant::APPID;
use support::world::{Plan, World};
use support::{LOOK, PATIENCE};

/// Manners of the fake network's handsets, and what a campaign counts each as.
const MANNERS: [(&str, &str); 5] = [
    ("01", "confirmed"),
    ("00", "answered"),
    ("10", "busy"),
    ("12", "declined"),
    ("13", "noSuchNumber"),
];
const NUMBERS: usize = 60;

fn number(index: usize, manner: &str) -> String {
    format!("138{index:06}{manner}")
}

/// The tests run at any hour.
fn always() -> Value {
    json!({ "calls": { "campaign_hours": { "from": "00:00", "to": "24:00" } } })
}

/// So many lines, and no other limit.
fn lines(count: u32) -> impl Fn(&mut Value) {
    move |document| {
        document["trunks"][0]["max_calls"] = json!(count);
        document["trunks"][0]["max_cps"] = json!(1_000);
    }
}

/// Makes a campaign of these numbers, each with a code of its own, and starts it.
async fn start(api: &Api, numbers: &[String]) -> String {
    let body = json!({
        "name": "test", "appid": APPID, "times": 1, "finishkey": "1",
        "contents": [{ "type": "digits", "content": "{code}" }],
    });
    let made = api.send(Method::POST, "/api/v1/campaigns", Some(&body)).await;
    assert_eq!(made.status, 201, "{made:?}");
    let id = made.body["progress"]["campaignId"].as_str().unwrap().to_owned();
    let rows: String =
        numbers.iter().enumerate().map(|(n, to)| format!("{to},{n},row {n}\n")).collect();
    let path = format!("/api/v1/campaigns/{id}/numbers");
    let list = api.upload(Method::PUT, &path, &format!("number,code,userdata\n{rows}")).await;
    assert_eq!(list.body["total"], numbers.len(), "{list:?}");
    change(api, &id, "start").await;
    id
}

async fn change(api: &Api, id: &str, verb: &str) {
    let reply = api.send(Method::POST, &format!("/api/v1/campaigns/{id}/{verb}"), None).await;
    assert_eq!(reply.status, 200, "{verb}: {reply:?}");
}

/// Waits until the interface says so of a campaign's progress.
async fn wait_until(api: &Api, id: &str, name: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let reply = api.get(&format!("/api/v1/campaigns/{id}")).await;
        let progress = &reply.body["progress"];
        if is_so(progress) {
            return progress.clone();
        }
        assert!(Instant::now() < deadline, "not {name} within {PATIENCE:?}: {progress}");
        tokio::time::sleep(LOOK * 5).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_number_is_called_and_counted() {
    let plan = Plan { settings: always(), tenant: Some(&lines(500)), ..Plan::default() };
    let world = World::start(plan).await;
    let numbers: Vec<String> =
        (0..NUMBERS).map(|index| number(index, MANNERS[index % MANNERS.len()].0)).collect();
    let id = start(&world.api, &numbers).await;
    let done =
        wait_until(&world.api, &id, "finished", |progress| progress["state"] == "finished").await;
    for (_, name) in MANNERS {
        assert_eq!(done["counts"][name], NUMBERS / MANNERS.len(), "{name}: {done}");
    }
    assert_eq!(done["calls"], NUMBERS, "{done}");

    let callbacks = world.customer.wait_for_count(NUMBERS, PATIENCE).await;
    let results = by_number(&callbacks, &id);
    for (n, to) in numbers.iter().enumerate() {
        assert_eq!(results[to]["userdata"], format!("row {n}"), "{}", results[to]);
    }
    let report = world.api.get(&format!("/api/v1/campaigns/{id}/report")).await.body;
    assert_eq!(report["calls"]["all"], NUMBERS, "{report}");
    let phones = phones(&world.carrier().events());
    assert_nobody_was_called_twice(&phones);
    let called: BTreeSet<&str> = phones.iter().map(|phone| phone.to.as_str()).collect();
    assert_eq!(called, numbers.iter().map(String::as_str).collect());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_and_the_do_not_call_list_hold_for_what_waits_for_a_line() {
    let plan = Plan { settings: always(), tenant: Some(&lines(6)), ..Plan::default() };
    let world = World::start(plan).await;
    let api = &world.api;
    let numbers: Vec<String> = (0..24).map(|index| number(index, "00")).collect();
    let id = start(api, &numbers).await;
    wait_until(api, &id, "begun", |progress| progress["calls"].as_u64() >= Some(2)).await;
    change(api, &id, "pause").await;
    let held = wait_until(api, &id, "at rest", |progress| progress["counts"]["out"] == 0).await;
    assert!(held["counts"]["waiting"].as_u64() > Some(0), "{held}");
    let called = phones(&world.carrier().events()).len();
    assert_eq!(held["calls"], called, "what was not dialled is no call: {held}");

    let last = numbers.last().unwrap();
    let body = json!({ "number": last });
    let listed = api.send(Method::POST, "/api/v1/do-not-call", Some(&body)).await;
    assert_eq!(listed.body["added"], true, "{listed:?}");
    change(api, &id, "resume").await;
    let done = wait_until(api, &id, "finished", |progress| progress["state"] == "finished").await;
    assert_eq!(
        (&done["counts"]["answered"], &done["counts"]["refused"]),
        (&json!(23), &json!(1)),
        "{done}"
    );
    let phones = phones(&world.carrier().events());
    assert_nobody_was_called_twice(&phones);
    assert!(phones.iter().all(|phone| phone.to != *last), "{last} is on the list");
}
