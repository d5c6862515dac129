//! Campaigns over real SIP and RTP: every number of a list has its result and is called once; a
//! number that is put on the do-not-call list is called no more; a pause holds.

#![expect(clippy::unwrap_used, reason = "a failed set-up is a failed test")]

mod support;

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::json;
use support::PATIENCE;
use support::api::notice_body;
use support::batch::{self, by_number};
use support::campaign::{always, change, lines, start, wait_until};
use support::phones::{assert_nobody_was_called_twice, phones};
use support::tenant::ACCOUNT;
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

fn notices() -> String {
    format!("/Accounts/{ACCOUNT}/VoiceNotices")
}

fn number(index: usize, manner: &str) -> String {
    format!("138{index:06}{manner}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_number_is_called_and_counted() {
    let carriers: &[&[&str]] = &[&["--press-after-ms", "300"]];
    let plan = Plan { settings: always(), carriers, tenant: Some(&lines(500)) };
    let world = World::start(plan).await;
    let numbers: Vec<String> =
        (0..NUMBERS).map(|index| number(index, MANNERS[index % MANNERS.len()].0)).collect();
    let over = json!({ "finishedUrl": world.customer.url("/over") });
    let id = start(&world.api, &numbers, &over).await;
    let done = wait_until(&world.api, &id, "finished", PATIENCE, |progress| {
        progress["state"] == "finished"
    })
    .await;
    for (_, name) in MANNERS {
        assert_eq!(done["counts"][name], NUMBERS / MANNERS.len(), "{name}: {done}");
    }
    assert_eq!(done["calls"], NUMBERS, "{done}");

    // One for each number, and one for all of them.
    let callbacks = world.customer.wait_for_count(NUMBERS + 1, PATIENCE).await;
    let of_all: Vec<_> = callbacks.iter().filter(|one| one.path == "/over").collect();
    assert_eq!((of_all.len(), of_all[0].field("campaignId")), (1, id.clone()));
    of_all[0].verify().unwrap();
    assert_eq!(of_all[0].json()["counts"]["confirmed"], NUMBERS / MANNERS.len());
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
    let held =
        wait_until(api, &id, "at rest", PATIENCE, |progress| progress["counts"]["out"] == 0).await;
    assert!(held["counts"]["waiting"].as_u64() > Some(0), "{held}");
    let called = phones(&world.carrier().events()).len();
    assert_eq!(held["calls"], called, "what was not dialled is no call: {held}");

    let last = numbers.last().unwrap();
    let body = json!({ "number": last });
    let listed = api.send(Method::POST, "/api/v1/do-not-call", Some(&body)).await;
    assert_eq!(listed.body["added"], true, "{listed:?}");
    change(api, &id, "resume").await;
    let done =
        wait_until(api, &id, "finished", PATIENCE, |progress| progress["state"] == "finished")
            .await;
    assert_eq!(
        (&done["counts"]["answered"], &done["counts"]["refused"]),
        (&json!(23), &json!(1)),
        "{done}"
    );
    let phones = phones(&world.carrier().events());
    assert_nobody_was_called_twice(&phones);
    assert!(phones.iter().all(|phone| phone.to != *last), "{last} is on the list");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_on_the_list_is_reached_by_no_notice_and_no_batch() {
    let plan = Plan { settings: always(), tenant: Some(&lines(1)), ..Plan::default() };
    let world = World::start(plan).await;
    let api = &world.api;
    let (listed, later, free) = (number(1, "10"), number(2, "10"), number(3, "10"));
    let list = async |number: &str| {
        let body = json!({ "number": number });
        let reply = api.send(Method::POST, "/api/v1/do-not-call", Some(&body)).await;
        assert_eq!(reply.body["added"], true, "{reply:?}");
    };
    list(&listed).await;
    let refused = api.send(Method::POST, &notices(), Some(&notice_body(&listed, &json!({})))).await;
    assert_eq!(refused.body["statusCode"], "-5", "{refused:?}");
    // The one line is busy with the first; the second is listed while it waits.
    let first = number(4, "00");
    let to = [first.clone(), listed.clone(), later.clone(), free.clone()];
    let id = batch::send(api, &to, &json!({})).await;
    world
        .carrier()
        .wait_until("the first call", PATIENCE, |events| (!phones(events).is_empty()).then_some(()))
        .await;
    list(&later).await;
    let done =
        batch::wait_until(api, &id, "finished", PATIENCE, |batch| batch["state"] == "finished")
            .await;
    assert_eq!(done["counts"]["refused"], 2, "{done}");
    let called: BTreeSet<String> =
        phones(&world.carrier().events()).into_iter().map(|phone| phone.to).collect();
    assert_eq!(called, BTreeSet::from([first, free]));
    let calls = api.get(&format!("/api/v1/calls?requestId={id}&to={listed}")).await;
    assert_eq!(calls.body["calls"][0]["rule"], "do_not_call", "{calls:?}");
}
