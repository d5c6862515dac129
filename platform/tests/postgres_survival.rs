//! PostgreSQL that is stopped, that hangs, that throws everybody out, in the middle of calls: no
//! accepted notice is lost, nobody is called twice, calls go on, and the node says how it is. Two
//! nodes on one database share the work and nothing else.

#![expect(clippy::unwrap_used, reason = "a failed look-up is a failed test")]

mod support;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use support::api::{Accepted, Api, notice_body};
use support::dice::soak;
use support::node::Node;
use support::phones::{assert_no_handset_was_left, assert_nobody_was_called_twice, phones};
use support::postgres::{Server, Stop};
use support::tenant::ACCOUNT;
use support::world::{Plan, World};
use support::{LOOK, PATIENCE, results};

/// The row of the error catalogue.
const DATABASE_UNAVAILABLE: &str = "50002";
/// Whoever asks while the database is away is answered within this time.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);

/// Keeps a phone busy for some 11 s.
fn long_contents() -> Value {
    json!({ "times": 2, "contents": vec![json!({ "type": "voice", "content": "prompt1.wav" }); 4] })
}

fn unlimited(document: &mut Value) {
    document["trunks"][0]["max_calls"] = json!(1_000);
    document["trunks"][0]["max_cps"] = json!(1_000);
}

/// A wait for a line outlasts every outage.
fn on(url: &str) -> Value {
    json!({ "database": { "url": url }, "calls": { "queue_max_wait": { "notices_s": 600 } } })
}

async fn world_on(server: &Server) -> World {
    let settings = on(&server.database().await);
    World::start(Plan { settings, tenant: Some(&unlimited), ..Plan::default() }).await
}

/// Notices of a careful customer, who asks until it has an answer.
struct Notices {
    posts: JoinSet<(String, Accepted)>,
    posted: usize,
    accepted: BTreeMap<String, Accepted>,
}

impl Notices {
    fn new() -> Self {
        Self { posts: JoinSet::new(), posted: 0, accepted: BTreeMap::new() }
    }

    /// Some more, in the background.
    fn post(&mut self, api: &Api, count: usize) {
        for _ in 0..count {
            let manner = ["00", "10", "55", "01"][self.posted % 4];
            let to = format!("138{:06}{manner}", self.posted);
            self.posted += 1;
            let api = api.clone();
            self.posts.spawn(async move {
                let accepted = ask_until_accepted(&api, &to).await;
                (to, accepted)
            });
        }
    }

    async fn all_accepted(&mut self) {
        while let Some(answered) = self.posts.join_next().await {
            let (to, accepted) = answered.unwrap();
            self.accepted.insert(to, accepted);
        }
        assert_eq!(self.accepted.len(), self.posted);
    }

    /// Every notice has one result, told and stored, and every phone was rung once.
    async fn judge(mut self, world: &World, answered_at_least: usize) {
        self.all_accepted().await;
        let count = self.accepted.len();
        world
            .customer
            .wait_until("result of every notice", 4 * PATIENCE, |callbacks| {
                (results::events(callbacks) >= count).then_some(())
            })
            .await;
        let results = results::by_request(&world.customer.callbacks());
        assert_eq!(results.len(), count, "no result of a request that was never accepted");
        let mut answered = 0;
        for (to, accepted) in &self.accepted {
            let result = &results[&accepted.request_id];
            assert_eq!(result["to"], json!(to));
            let record = world.api.call(&accepted.call_id).await;
            assert_eq!((&record["state"], &record["result"]), (&json!("ended"), &result["result"]));
            answered += usize::from(result["result"] == "0");
        }
        assert!(answered >= answered_at_least, "only {answered} of {count} were reached");
        world
            .carrier()
            .wait_until("end of every call", PATIENCE, |events| {
                phones(events).iter().all(|phone| phone.ended_by.is_some()).then_some(())
            })
            .await;
        let phones = phones(&world.carrier().events());
        assert_nobody_was_called_twice(&phones);
        assert_no_handset_was_left(&phones);
    }
}

async fn ask_until_accepted(api: &Api, to: &str) -> Accepted {
    let path = format!("/Accounts/{ACCOUNT}/VoiceNotices");
    let body = notice_body(to, &json!({ "times": 1, "finishkey": "1" }));
    loop {
        let asked = Instant::now();
        let headers = [("Idempotency-Key", to)];
        let reply = api.try_send(Method::POST, &path, Some(&body), &headers).await;
        let reply = reply.expect("the node itself is up and answers");
        let took = asked.elapsed();
        assert!(took < 5 * ANSWER_WITHIN, "answered after {took:?}");
        if reply.body["statusCode"] == "0" {
            return Accepted::of(to, &reply);
        }
        assert_eq!(reply.body["statusCode"], "-5", "{reply:?}");
        tokio::time::sleep(LOOK * 20).await;
    }
}

async fn wait_until_unhealthy(node: &Node) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let health = node.healthz().await;
        if matches!(&health, Some((503, body)) if body.contains("database")) {
            return;
        }
        assert!(Instant::now() < deadline, "no 503 within {PATIENCE:?}: {health:?}");
        tokio::time::sleep(LOOK * 10).await;
    }
}

/// Whoever asks now is told what is the matter, soon, and when to ask again.
async fn assert_refused_clearly(world: &World) {
    let asked = Instant::now();
    let reply = world.api.notice_refused("13900000055", &json!({})).await;
    assert!(asked.elapsed() < ANSWER_WITHIN, "answered after {:?}", asked.elapsed());
    assert_eq!(reply.body["statusCode"], "-5", "{reply:?}");
    assert_eq!(reply.body["errorCode"], DATABASE_UNAVAILABLE, "{reply:?}");
    assert!(reply.headers.contains_key("retry-after"), "{reply:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_stopped_and_started_loses_nothing() {
    let mut server = Server::start().await;
    let mut world = world_on(&server).await;
    let mut notices = Notices::new();
    let rounds: &[Stop] = if soak() {
        &[Stop::Immediate, Stop::Fast, Stop::Immediate, Stop::Fast, Stop::Immediate, Stop::Fast]
    } else {
        &[Stop::Immediate, Stop::Fast]
    };
    for (n, how) in rounds.iter().enumerate() {
        // A call that is up throughout.
        let long = format!("1399{n:05}00");
        let long_call = world.api.notice(&long, &long_contents()).await;
        world.carrier().wait_for(&long, "answered").await;
        notices.post(&world.api, 40);
        world
            .carrier()
            .wait_until("some calls", PATIENCE, |events| {
                (phones(events).len() >= n * 41 + 10).then_some(())
            })
            .await;
        server.stop(*how).await;
        wait_until_unhealthy(&world.node).await;
        assert_refused_clearly(&world).await;
        assert_eq!(world.carrier().count(&long, "ended"), 0, "a running call goes on");
        server.start_again().await;
        world.node.wait_until_healthy().await;
        notices.accepted.insert(long, long_call);
        notices.posted += 1;
        let ended = world
            .carrier()
            .wait_until("end of the call that was up", PATIENCE, |events| {
                let to = format!("1399{n:05}00");
                let mut ended = events.iter().filter(|event| event["kind"] == "ended");
                ended.find(|event| event["to"] == to.as_str()).cloned()
            })
            .await;
        assert_eq!(ended["by"], "caller", "{ended}");
        assert!(ended["talked_ms"].as_u64() > Some(10_000), "it was heard to its end: {ended}");
        notices.all_accepted().await;
    }
    let half = notices.posted / 2;
    notices.judge(&world, half).await;
    assert!(world.node.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_are_cut_off_go_unnoticed_by_customers() {
    let server = Server::start().await;
    let world = world_on(&server).await;
    let mut notices = Notices::new();
    notices.post(&world.api, 60);
    for _ in 0..if soak() { 100 } else { 8 } {
        tokio::time::sleep(Duration::from_millis(250)).await;
        server.disconnect_everybody();
    }
    notices.post(&world.api, 10);
    notices.judge(&world, 45).await;
    // The jobs go on as well: a sweep comes every ten seconds.
    let done = || async {
        let metrics = world.node.metrics().await;
        let line = metrics.lines().find(|line| {
            line.starts_with("yunling_jobs_total")
                && line.contains("sweep")
                && line.contains("done")
        });
        line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).unwrap_or(0.0)
    };
    let before = done().await;
    let deadline = Instant::now() + PATIENCE;
    while done().await <= before {
        assert!(Instant::now() < deadline, "no sweep since the connections were cut off");
        tokio::time::sleep(LOOK * 20).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_hangs_holds_up_nobody_for_long() {
    let server = Server::start().await;
    let mut world = world_on(&server).await;
    let mut notices = Notices::new();
    notices.post(&world.api, 30);
    world
        .carrier()
        .wait_until("some calls", PATIENCE, |events| (phones(events).len() >= 8).then_some(()))
        .await;
    let frozen = Instant::now();
    server.freeze();
    wait_until_unhealthy(&world.node).await;
    assert_refused_clearly(&world).await;
    tokio::time::sleep(Duration::from_secs(20).saturating_sub(frozen.elapsed())).await;
    server.thaw();
    world.node.wait_until_healthy().await;
    notices.judge(&world, 15).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_on_one_database_share_the_work() {
    let server = Server::start().await;
    let mut world = world_on(&server).await;
    let tenant = std::fs::read(world.node.folder().join("tenant.yaml")).unwrap();
    let tenant: Value = serde_json::from_slice(&tenant).unwrap();
    let mut other = Node::start_beside(&world.node, "10001", &tenant).await;
    let mut notices = Notices::new();
    for _ in 0..10 {
        notices.post(&world.api, 4);
        notices.post(&other.api(), 4);
    }
    notices.all_accepted().await;
    // What only one node dials, the other one does not.
    world
        .carrier()
        .wait_until("some calls", PATIENCE, |events| (phones(events).len() >= 20).then_some(()))
        .await;
    other.kill_9();
    // A killed process leaves its number free for the next one on its folder.
    other.restart().await;
    notices.judge(&world, 15).await;

    // A third process with a number that is in use says so.
    let mut settings = other.settings();
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("data")).unwrap();
    let key = "data/secret.key";
    std::fs::copy(other.folder().join(key), folder.path().join(key)).unwrap();
    let ports = support::ports::Ports::claim();
    settings["http"]["listen"] = json!(format!("127.0.0.1:{}", ports.named(0)));
    settings["sip"]["listen"] = json!([format!("udp:127.0.0.1:{}", ports.named(2))]);
    settings["rtp"]["ports"] = json!(ports.rtp());
    let config = folder.path().join("yunling.yaml");
    std::fs::write(&config, settings.to_string()).unwrap();
    std::fs::write(folder.path().join("tenant.yaml"), tenant.to_string()).unwrap();
    let (status, said) = support::refused_start::refused_start(&config).await;
    assert!(!status.success() && said.contains("node 10001 is taken"), "{said}");
    assert!(world.node.terminate().await.success());
    assert!(other.terminate().await.success());
}
