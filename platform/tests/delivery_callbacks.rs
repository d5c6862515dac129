//! Receivers that are down, slow, rude or hostile: no callback is lost or changed, calls and other
//! receivers are untouched, and the tenant sees every attempt.

#![expect(clippy::unwrap_used, reason = "a failed look-up is a failed test")]

mod support;

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};

use support::customer::{Answer, Callback, Customer};
use support::tenant::SECRET;
use support::world::{Plan, World};
use support::{PATIENCE, deliveries, results};

/// How long a receiver may take in these tests.
const TIMEOUT_MS: u64 = 1_000;
/// A first retry comes after 5 s (and a tenth of jitter); the rest is the machine's.
const FIRST_RETRY: Duration = Duration::from_secs(25);
/// A healthy receiver gets its callback within this time of the request.
const SOON: Duration = Duration::from_secs(8);

const APPLICATION_2: &str = "22222222222222222222222222222222";

fn quick_to_give_up() -> Value {
    json!({ "callbacks": { "timeout_ms": TIMEOUT_MS } })
}

/// What a receiver does wrong, and what the tenant is to see of it.
struct Trouble {
    name: &'static str,
    does: Does,
    /// Attempts that meet it before it is over.
    failed_attempts: usize,
    /// What each of those attempts says.
    status: Option<u16>,
    error: &'static str,
    /// The first retry does not come earlier.
    not_before: Duration,
}

enum Does {
    GoDown,
    Answer(Answer),
    /// 302 to another server on an address that callbacks may reach.
    RedirectToTrap,
}

fn troubles() -> Vec<Trouble> {
    let trouble = |name, does, failed_attempts, status, error| {
        // Retries come after 1 s where no connection came about, else after 5 s.
        let not_before = Duration::from_secs(if failed_attempts > 1 { 1 } else { 5 });
        Trouble { name, does, failed_attempts, status, error, not_before }
    };
    let answer = |answer| Does::Answer(answer);
    vec![
        trouble("down", Does::GoDown, 2, None, "no connection"),
        trouble("reset", answer(Answer::Reset), 2, None, "connection"),
        trouble("500", answer(Answer::Status(500)), 1, Some(500), "answered 500"),
        trouble("404", answer(Answer::Status(404)), 1, Some(404), "answered 404"),
        trouble("hanging", answer(Answer::Hang), 1, None, "no answer within 1000 ms"),
        trouble(
            "too slow",
            answer(Answer::Slow(Duration::from_millis(3 * TIMEOUT_MS))),
            1,
            None,
            "no answer within 1000 ms",
        ),
        trouble(
            "dripping",
            answer(Answer::Drip(Duration::from_millis(TIMEOUT_MS / 10))),
            1,
            None,
            "no answer within 1000 ms",
        ),
        trouble("redirecting", Does::RedirectToTrap, 1, Some(302), "redirects are not followed"),
        Trouble {
            not_before: Duration::from_secs(8),
            ..trouble("busy", answer(Answer::RetryAfter(503, 8)), 1, Some(503), "answered 503")
        },
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_a_receiver_does_its_callback_arrives_unchanged() {
    let plan = Plan { settings: quick_to_give_up(), ..Plan::default() };
    let world = World::start(plan).await;
    let trap = Customer::start().await;
    let troubles = troubles();
    join_all(troubles.iter().enumerate().map(|(n, trouble)| ride_out(&world, &trap, n, trouble)))
        .await;
    assert!(trap.callbacks().is_empty(), "a redirect was followed");
    assert!(world.customer.callbacks().is_empty(), "each request named an address of its own");
}

async fn ride_out(world: &World, trap: &Customer, n: usize, trouble: &Trouble) {
    let name = trouble.name;
    let customer = Customer::start().await;
    match &trouble.does {
        Does::GoDown => customer.go_down(),
        Does::Answer(answer) => customer.answer(answer.clone()),
        Does::RedirectToTrap => customer.answer(Answer::Redirect(trap.url("/cdr"))),
    }
    let fields = json!({ "cdrUrl": customer.url("/cdr"), "userdata": name });
    let accepted = world.api.notice(&format!("1380020{n:02}10"), &fields).await;
    let failing = deliveries::wait_for(
        &world.api,
        &accepted.request_id,
        &format!("attempt ({name})"),
        PATIENCE,
        |delivery| deliveries::attempts(delivery).len() >= trouble.failed_attempts,
    )
    .await;
    assert_eq!(failing["state"], "pending", "{name}: {failing}");
    for attempt in deliveries::attempts(&failing) {
        assert_eq!(attempt["status"].as_u64(), trouble.status.map(u64::from), "{name}: {attempt}");
        let error = attempt["error"].as_str().unwrap_or_default();
        assert!(error.contains(trouble.error), "{name}: {attempt}");
    }
    // The call knows nothing of it.
    let record = world.api.call(&accepted.call_id).await;
    let told = ["state", "result", "reason", "sipCode"].map(|field| record[field].clone());
    assert_eq!(told, ["ended", "1", "2", "486"].map(Value::from), "{name}: {record}");

    customer.answer(Answer::Status(200));
    customer.come_up();
    let acknowledged = customer
        .wait_until(&format!("acknowledged callback ({name})"), FIRST_RETRY, |callbacks| {
            callbacks.iter().find(|callback| callback.answer == Answer::Status(200)).cloned()
        })
        .await;
    assert_eq!(acknowledged.field("userdata"), name);
    assert_eq!(acknowledged.field("result"), "1", "{name}: {}", acknowledged.json());
    let done = deliveries::wait_for(
        &world.api,
        &accepted.request_id,
        &format!("delivery ({name})"),
        PATIENCE,
        |delivery| delivery["state"] == "delivered",
    )
    .await;
    let attempts = deliveries::attempts(&done);
    assert!(attempts.len() > trouble.failed_attempts, "{name}: {done}");
    assert_eq!(attempts.last().unwrap()["status"], 200, "{name}: {done}");
    assert_eq!(done["id"], acknowledged.id(), "{name}");
    assert_eq!(done["body"].as_str().unwrap().as_bytes(), acknowledged.body, "{name}");

    let callbacks = customer.callbacks();
    assert_eq!(results::by_request(&callbacks).len(), 1, "{name}: one event, its repeats alike");
    if let Some(gap) = first_gap(&callbacks) {
        assert!(gap >= trouble.not_before, "{name}: tried again after {gap:?}");
    }
}

/// Between the first two callbacks.
fn first_gap(callbacks: &[Callback]) -> Option<Duration> {
    match callbacks {
        [first, second, ..] => Some(second.at - first.at),
        _ => None,
    }
}

/// Several dead receivers with long queues, and few seats for all: whoever is healthy gets its
/// callbacks within seconds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_receivers_hinder_nobody() {
    const DEAD: usize = 4;
    const EACH: usize = 15;
    let healthy = Customer::start().await;
    let healthy_url = healthy.url("/cdr");
    let add_application = |document: &mut Value| {
        let applications = document["accounts"][0]["applications"].as_array_mut().unwrap();
        let mut second = applications[0].clone();
        second["sid"] = json!(APPLICATION_2);
        second["webhook_secret"] = json!(SECRET);
        second["notice_url"] = json!(healthy_url);
        applications.push(second);
    };
    // In one queue for all, the 60 dead ones would take 60 / 8 × 3 s.
    let settings = json!({ "callbacks": {
        "timeout_ms": 3_000, "max_in_flight": 8, "max_in_flight_per_endpoint": 4,
    } });
    let plan = Plan { settings, tenant: Some(&add_application), ..Plan::default() };
    let world = World::start(plan).await;
    let dead = join_all((0..DEAD).map(|_| Customer::start())).await;
    for customer in &dead {
        customer.answer(Answer::Hang);
    }
    for n in 0..EACH {
        for (d, customer) in dead.iter().enumerate() {
            let fields = json!({ "cdrUrl": customer.url("/cdr") });
            world.api.notice(&format!("13803{d}{n:02}010"), &fields).await;
        }
    }
    for customer in &dead {
        customer.wait_for_count(1, PATIENCE).await;
    }

    for n in 0..5 {
        let asked = Instant::now();
        let fields = json!({ "appid": APPLICATION_2, "times": 1 });
        let accepted = world.api.notice(&format!("13800399{n}10"), &fields).await;
        healthy.wait_for_result(&accepted.request_id).await;
        let took = asked.elapsed();
        assert!(took < SOON, "the healthy receiver waited {took:?} for the dead ones");
    }

    // They recover, and nothing was lost.
    for customer in &dead {
        customer.answer(Answer::Status(200));
    }
    let resent = deliveries::resend_all(&world.api, "pending").await;
    println!("{resent} were pending");
    for customer in &dead {
        let callbacks = customer
            .wait_until("all callbacks of a receiver that was dead", PATIENCE, |callbacks| {
                let acknowledged: Vec<Callback> = callbacks
                    .iter()
                    .filter(|callback| callback.answer == Answer::Status(200))
                    .cloned()
                    .collect();
                (results::events(&acknowledged) == EACH).then(|| callbacks.to_vec())
            })
            .await;
        assert_eq!(results::by_request(&callbacks).len(), EACH);
    }
    assert_eq!(results::by_request(&healthy.callbacks()).len(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_is_gone_is_disabled_and_a_resend_brings_it_back() {
    let world = World::usual().await;
    let (api, customer) = (&world.api, &world.customer);
    customer.answer(Answer::Status(410));
    let first = api.notice("13800400110", &json!({})).await;
    let refused = deliveries::wait_for(api, &first.request_id, "end", PATIENCE, |delivery| {
        delivery["state"] == "disabled"
    })
    .await;
    assert_eq!(deliveries::attempts(&refused).len(), 1, "{refused}");
    assert_eq!(deliveries::attempts(&refused)[0]["status"], 410, "{refused}");
    let log = world.node.log();
    assert!(log.contains("an endpoint was disabled"), "never silently");

    // What comes after is held back, and seen to be; the call is made all the same.
    let second = api.notice("13800400210", &json!({})).await;
    let held = deliveries::wait_for(api, &second.request_id, "delivery", PATIENCE, |_| true).await;
    assert_eq!(held["state"], "disabled", "{held}");
    assert!(deliveries::attempts(&held).is_empty(), "{held}");
    assert_eq!(api.call(&second.call_id).await["state"], "ended");
    assert_eq!(customer.callbacks().len(), 1, "nothing is sent to an address that wants nothing");

    customer.answer(Answer::Status(200));
    deliveries::resend(api, &refused).await;
    delivered(&world, &first.request_id).await;
    // The address works again: the next one comes by itself, the one held back on request.
    let third = api.notice("13800400310", &json!({})).await;
    delivered(&world, &third.request_id).await;
    assert_eq!(deliveries::resend_all(api, "disabled").await, 1);
    delivered(&world, &second.request_id).await;
    assert_eq!(results::by_request(&customer.callbacks()).len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivered_callback_is_sent_again_on_request() {
    let world = World::usual().await;
    let accepted = world.api.notice("13800500110", &json!({})).await;
    let before = delivered(&world, &accepted.request_id).await;
    deliveries::resend(&world.api, &before).await;
    let callbacks = world.customer.wait_for_count(2, PATIENCE).await;
    assert_eq!(callbacks[0].id(), callbacks[1].id());
    assert_eq!(results::by_request(&callbacks).len(), 1);
    let after = deliveries::wait_for(
        &world.api,
        &accepted.request_id,
        "second attempt",
        PATIENCE,
        |delivery| deliveries::attempts(delivery).len() == 2 && delivery["state"] == "delivered",
    )
    .await;
    assert_eq!(after["id"], before["id"]);
}

async fn delivered(world: &World, request_id: &str) -> Value {
    deliveries::wait_for(&world.api, request_id, "delivery", PATIENCE, |delivery| {
        delivery["state"] == "delivered"
    })
    .await
}

/// However the address is written: it is the connection that is checked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn private_addresses_are_not_called_unless_the_operator_opens_them() {
    let plan = Plan { settings: json!({ "callbacks": { "allow": [] } }), ..Plan::default() };
    let world = World::start(plan).await;
    let port = world.customer.url("").rsplit(':').next().unwrap().to_owned();
    let hosts = ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0x7f000001", "127.1"];
    join_all(hosts.iter().enumerate().map(|(n, host)| {
        let (world, url) = (&world, format!("http://{host}:{port}/cdr"));
        async move {
            let fields = json!({ "cdrUrl": url });
            let accepted = world.api.notice(&format!("13800600{n}10"), &fields).await;
            let refused = deliveries::wait_for(
                &world.api,
                &accepted.request_id,
                &format!("attempt at {url}"),
                PATIENCE,
                |delivery| !deliveries::attempts(delivery).is_empty(),
            )
            .await;
            let attempt = &deliveries::attempts(&refused)[0];
            assert_eq!(attempt["status"], Value::Null, "{url}: {attempt}");
            let error = attempt["error"].as_str().unwrap_or_default();
            assert!(error.contains("may not be called"), "{url}: {attempt}");
            let record = world.api.call(&accepted.call_id).await;
            assert_eq!(record["state"], "ended", "{record}");
        }
    }))
    .await;
    assert!(world.customer.callbacks().is_empty(), "somebody was called all the same");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_in_the_middle_of_a_delivery_loses_nothing() {
    let plan = Plan { settings: quick_to_give_up(), ..Plan::default() };
    let mut world = World::start(plan).await;
    world.customer.answer(Answer::Hang);
    let accepted = world.api.notice("13800700110", &json!({})).await;
    world.customer.wait_for_count(1, PATIENCE).await;
    world.node.kill_9();
    world.customer.answer(Answer::Status(200));
    world.node.restart().await;
    // The attempt that was cut off held a claim on the delivery; it runs out.
    let acknowledged = world
        .customer
        .wait_until("repeat of the callback", PATIENCE, |callbacks| {
            callbacks.iter().find(|callback| callback.answer == Answer::Status(200)).cloned()
        })
        .await;
    assert_eq!(acknowledged.field("requestid"), accepted.request_id);
    delivered(&world, &accepted.request_id).await;
    assert_eq!(results::by_request(&world.customer.callbacks()).len(), 1);
}
