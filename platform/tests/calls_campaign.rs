//! Campaigns over real SIP and RTP: every number of a list has its result and is called once; a
//! number that is put on the do-not-call list is called no more; a pause holds.

#![expect(clippy::unwrap_used, reason = "a failed set-up is a failed test")]

mod support;

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::json;
use support::PATIENCE;
use support::batch::by_number;
use support::campaign::{always, change, lines, start, wait_until};
use support::phones::{assert_nobody_was_called_twice, phones};
use support::world::{Plan, World};

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_number_is_called_and_counted() {
    let plan = Plan { settings: always(), tenant: Some(&lines(500)), ..Plan::default() };
    let world = World::start(plan).await;
    let numbers: Vec<String> =
        (0..NUMBERS).map(|index| number(index, MANNERS[index % MANNERS.len()].0)).collect();
    let id = start(&world.api, &numbers, &json!({})).await;
    let done =
        wait_until(&world.api, &id, "finished", PATIENCE, |progress| progress["state"] == "finished").await;
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
    let id = start(api, &numbers, &json!({})).await;
    wait_until(api, &id, "begun", PATIENCE, |progress| progress["calls"].as_u64() >= Some(2)).await;
    change(api, &id, "pause").await;
    let held = wait_until(api, &id, "at rest", PATIENCE, |progress| progress["counts"]["out"] == 0).await;
    assert!(held["counts"]["waiting"].as_u64() > Some(0), "{held}");
    let called = phones(&world.carrier().events()).len();
    assert_eq!(held["calls"], called, "what was not dialled is no call: {held}");

    let last = numbers.last().unwrap();
    let body = json!({ "number": last });
    let listed = api.send(Method::POST, "/api/v1/do-not-call", Some(&body)).await;
    assert_eq!(listed.body["added"], true, "{listed:?}");
    change(api, &id, "resume").await;
    let done = wait_until(api, &id, "finished", PATIENCE, |progress| progress["state"] == "finished").await;
    assert_eq!(
        (&done["counts"]["answered"], &done["counts"]["refused"]),
        (&json!(23), &json!(1)),
        "{done}"
    );
    let phones = phones(&world.carrier().events());
    assert_nobody_was_called_twice(&phones);
    assert!(phones.iter().all(|phone| phone.to != *last), "{last} is on the list");
}
