//! Batches over real SIP and RTP: every number has one result, whatever it is; a batch is paused,
//! resumed and cancelled; captchas do not wait behind it.

#![expect(clippy::unwrap_used, reason = "a failed set-up is a failed test")]

mod support;

use std::collections::BTreeSet;

use serde_json::{Value, json};
use support::phones::{assert_nobody_was_called_twice, phones};
use support::world::{Plan, World};
use support::{PATIENCE, batch};

/// Manners of the fake network's handsets, and the `result` and `reason` that each leads to.
const MANNERS: [(&str, &str, &str); 6] = [
    ("00", "0", ""),
    ("55", "0", ""),
    ("10", "1", "2"),
    ("12", "1", "2"),
    ("13", "1", "2"),
    ("16", "0", ""),
];
const NUMBERS: usize = 240;
/// Entries that are no numbers, and what they are as callbacks echo them.
const NO_NUMBERS: [(&str, &str); 4] = [
    ("x1", "x1"),
    (" 1380010000 ", "1380010000"),
    ("95588", "95588"),
    ("01080001001转1", "01080001001转1"),
];

fn number(index: usize, manner: &str) -> String {
    format!("138{index:06}{manner}")
}

/// So many lines, and no other limit.
fn lines(count: u32) -> impl Fn(&mut Value) {
    move |document| {
        document["trunks"][0]["max_calls"] = json!(count);
        document["trunks"][0]["max_cps"] = json!(1_000);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_number_has_one_result() {
    let plan = Plan { tenant: Some(&lines(500)), ..Plan::default() };
    let world = World::start(plan).await;
    let wanted: Vec<(String, (&str, &str, &str))> = (0..NUMBERS)
        .map(|index| (index, MANNERS[index % MANNERS.len()]))
        .map(|(index, manner)| (number(index, manner.0), manner))
        .collect();
    let mut to: Vec<String> = wanted.iter().map(|(to, _)| to.clone()).collect();
    to.splice(50..50, NO_NUMBERS.iter().map(|(written, _)| (*written).to_owned()));
    to.extend(wanted.iter().take(30).map(|(to, _)| format!(" +86{to} ")));
    to.extend(["x1".to_owned(), "+85221234567".to_owned(), "110".to_owned(), String::new()]);
    let id = batch::send(&world.api, &to, &json!({ "userdata": "evening" })).await;

    let done = batch::wait_until(&world.api, &id, "finished", 2 * PATIENCE, |batch| {
        batch["state"] == "finished"
    })
    .await;
    let total = NUMBERS + NO_NUMBERS.len() + 2;
    assert_eq!((&done["total"], &done["duplicates"]), (&json!(total), &json!(31)), "{done}");
    assert!(done["finishedAt"].is_string() && done.get("estimatedEndAt").is_none(), "{done}");
    let reached = wanted.iter().filter(|(_, manner)| manner.1 == "0").count();
    let counts = &done["counts"];
    assert_eq!(counts["answered"], reached, "{done}");
    assert_eq!(counts["failed"], NUMBERS - reached, "{done}");
    assert_eq!(counts["invalid"], NO_NUMBERS.len(), "{done}");
    assert_eq!(counts["refused"], 2, "{done}");

    let callbacks = world.customer.wait_for_count(total, PATIENCE).await;
    let results = batch::by_number(&callbacks, &id);
    assert_eq!(results.len(), total);
    for (to, (_, result, reason)) in &wanted {
        let found = &results[to];
        assert_eq!(
            (&found["result"], &found["reason"]),
            (&json!(result), &json!(reason)),
            "{found}"
        );
        assert!(found["callid"].as_str().unwrap().starts_with("CA"), "{found}");
        assert_eq!(found["userdata"], "evening");
    }
    let never_dialled = NO_NUMBERS.iter().map(|(_, shown)| *shown).chain(["0085221234567", "110"]);
    for to in never_dialled {
        let found = results.get(to).unwrap_or_else(|| panic!("{to} has no result"));
        assert_eq!((&found["result"], &found["reason"]), (&json!("1"), &json!("2")), "{found}");
        for empty in ["callid", "ringtime", "answertime", "inputkey"] {
            assert_eq!(found[empty], "", "{found}");
        }
        assert_eq!(found["starttime"], found["endtime"]);
    }
    let phones = phones(&world.carrier().events());
    assert_nobody_was_called_twice(&phones);
    let called: BTreeSet<&str> = phones.iter().map(|phone| phone.to.as_str()).collect();
    let expected: BTreeSet<&str> = wanted.iter().map(|(to, _)| to.as_str()).collect();
    assert_eq!(called, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_is_paused_resumed_and_cancelled() {
    let plan = Plan { tenant: Some(&lines(8)), ..Plan::default() };
    let world = World::start(plan).await;
    let api = &world.api;
    let to: Vec<String> = (0..120).map(|index| number(index, "00")).collect();
    let id = batch::send(api, &to, &json!({})).await;
    let begun = |batch: &Value| batch["counts"]["answered"].as_u64() >= Some(5);
    batch::wait_until(api, &id, "begun", PATIENCE, begun).await;

    batch::change(api, &id, "pause").await;
    // What was about to be dialled then is over for long when another call is.
    let beside = world.api.notice("13900000000", &json!({})).await;
    world.customer.wait_for_result(&beside.request_id).await;
    let paused =
        batch::wait_until(api, &id, "still", PATIENCE, |batch| batch["counts"]["inProgress"] == 0)
            .await;
    let answered = paused["counts"]["answered"].as_u64().unwrap();
    assert!(paused["counts"]["waiting"].as_u64() > Some(50), "{paused}");
    // Others go on meanwhile, and long enough for anything of the batch to be dialled.
    let beside = world.api.notice("13900000100", &json!({})).await;
    world.customer.wait_for_result(&beside.request_id).await;
    let still = batch::read(api, &id).await;
    assert_eq!((&still["state"], &still["counts"]), (&json!("paused"), &paused["counts"]));
    let of_batch = |world: &World| {
        let phones = phones(&world.carrier().events());
        phones.iter().filter(|phone| phone.to.starts_with("138")).count()
    };
    assert_eq!(of_batch(&world), usize::try_from(answered).unwrap());

    batch::change(api, &id, "resume").await;
    let on = |batch: &Value| batch["counts"]["answered"].as_u64() >= Some(answered + 3);
    let running = batch::wait_until(api, &id, "going on", PATIENCE, on).await;
    assert!(running["ratePerS"].as_f64() > Some(0.0), "{running}");
    assert!(running["estimatedEndAt"].is_string(), "{running}");
    batch::change(api, &id, "cancel").await;
    let over =
        batch::wait_until(api, &id, "over", PATIENCE, |batch| batch["finishedAt"].is_string())
            .await;
    assert_eq!(over["state"], "cancelled");
    let reached = over["counts"]["answered"].as_u64().unwrap();
    assert_eq!(over["counts"]["cancelled"].as_u64().unwrap() + reached, 120, "{over}");
    assert!(reached < 60, "it went on after it was cancelled: {over}");

    world.customer.wait_for_count(122, PATIENCE).await;
    let results = batch::by_number(&world.customer.callbacks(), &id);
    assert_eq!(results.len(), 120);
    let cancelled = results.values().filter(|result| result["result"] == "1");
    for result in cancelled.clone() {
        assert_eq!((&result["reason"], &result["callid"]), (&json!("2"), &json!("")), "{result}");
    }
    assert_eq!(cancelled.count() as u64, 120 - reached);
    let records = api.get(&format!("/api/v1/calls?requestId={id}&result=1&limit=1")).await.body;
    assert_eq!(records["calls"][0]["rule"], "batch_cancelled", "{records}");
    assert_nobody_was_called_twice(&phones(&world.carrier().events()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn captchas_find_a_line_that_batches_leave_and_batches_go_side_by_side() {
    let plan = Plan { tenant: Some(&lines(10)), ..Plan::default() };
    let world = World::start(plan).await;
    let api = &world.api;
    let fields = json!({ "contents": [{ "type": "voice", "content": "prompt1.wav" }], "times": 3 });
    let first: Vec<String> = (0..100).map(|index| number(index, "00")).collect();
    let second: Vec<String> = (500..600).map(|index| number(index, "00")).collect();
    let first = batch::send(api, &first, &fields).await;
    let second = batch::send(api, &second, &fields).await;
    let full = |batch: &Value| batch["counts"]["inProgress"].as_u64() >= Some(3);
    batch::wait_until(api, &first, "running", PATIENCE, full).await;
    batch::wait_until(api, &second, "running beside it", PATIENCE, full).await;

    let body = json!({ "appid": support::tenant::APPID, "to": "13900000000", "code": "7Kq2" });
    let path = format!("/Accounts/{}/VoiceCaptchas", support::tenant::ACCOUNT);
    let reply = api.send(reqwest::Method::POST, &path, Some(&body)).await.body;
    assert_eq!(reply["statusmsg"], "提交成功", "{reply}");
    let result = world.customer.wait_for_result(reply["requestid"].as_str().unwrap()).await;
    assert_eq!(result.field("result"), "0", "{:?}", result.json());
    assert!(result.json().get("inputkey").is_none(), "{:?}", result.json());
    let left = batch::read(api, &second).await;
    assert!(left["counts"]["waiting"].as_u64() > Some(20), "the batches were over: {left}");
    for id in [first, second] {
        batch::change(api, &id, "cancel").await;
    }
}
