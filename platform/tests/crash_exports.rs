//! `kill -9` in the midst of exports and pushes: whoever is started next goes on where the last
//! checkpoint was, the file is the same to the byte, and every record is pushed in exactly one
//! callback.
//!
//! `YUNLING_SOAK=1` kills more often.

#![expect(clippy::unwrap_used, reason = "a failed look-up is a failed test")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use support::api::Api;
use support::customer::Customer;
use support::dice::soak;
use support::node::Node;
use support::tenant::{ACCOUNT, APPID};
use support::{LOOK, PATIENCE, tenant};
use yunling_store::{ConnectionTrait as _, Lane, OpenOptions, Store};

/// Legs that are exported for some seconds; three of four are of a conversation of their own.
const LEGS: u64 = 60_000;
/// Legs that are pushed.
const PUSHED: u64 = 10_000;
/// Legs of one statement.
const PIECE: usize = 10_000;
/// The first leg; they are a second apart.
const BEGIN_US: u64 = 1_790_000_000_000_000;

/// Notices, and of each four legs two of one click.
fn legs(from: u64, to: u64) -> String {
    format!(
        "INSERT INTO \"call\" (call_id, conversation_id, request_id, account, application, kind, \
         from_number, to_number, started_at, answered_at, ended_at, duration_s, result, cause, leg, \
         bye_type) \
         WITH RECURSIVE numbers (n) AS (SELECT CAST({from} AS BIGINT) UNION ALL \
         SELECT n + 1 FROM numbers WHERE n + 1 < {to}) \
         SELECT 'CA' || n, 'CV' || (CASE WHEN n % 4 = 3 THEN n - 1 ELSE n END), 'RQ1', \
         '{ACCOUNT}', '{APPID}', CASE WHEN n % 4 < 2 THEN 'notice' ELSE 'click' END, \
         '+861080001001', '+8613800' || n, {BEGIN_US} + n * 1000000, {BEGIN_US} + n * 1000000, \
         {BEGIN_US} + (n + 9) * 1000000, 9, 0, 'completed', CASE WHEN n % 4 = 3 THEN 1 ELSE 0 END, \
         CASE WHEN n % 4 < 2 THEN NULL ELSE 4 END FROM numbers"
    )
}

/// A node with call records, and the receiver of what is pushed.
struct World {
    node: Node,
    customer: Customer,
    api: Api,
}

impl World {
    async fn start(count: u64) -> Self {
        let customer = Customer::start().await;
        let mut document = tenant::document(&[], &customer.url("/result"));
        document["accounts"][0]["caller_ids"] = json!([]);
        document["accounts"][0]["applications"][0]["cdr_url"] = json!(customer.url("/cdr"));
        let node = Node::start(&json!({}), &document).await;
        let url = node.settings()["database"]["url"].as_str().unwrap().to_owned();
        let store = Store::open(&url, OpenOptions::default()).await.unwrap();
        for from in (0..count).step_by(PIECE) {
            let sql = legs(from, from + PIECE as u64);
            let filled = store.writer().write(Lane::Bulk, move |tx| {
                Box::pin(async move { Ok(tx.execute_unprepared(&sql).await?.rows_affected()) })
            });
            assert_eq!(filled.await.unwrap(), PIECE as u64);
        }
        store.close().await.unwrap();
        let api = node.api();
        Self { node, customer, api }
    }

    /// Orders an export; gives its identifier.
    async fn order(&self, path: &str, body: &Value) -> String {
        let reply = self.api.send(Method::POST, path, Some(body)).await;
        let export =
            if reply.body["export"].is_null() { &reply.body } else { &reply.body["export"] };
        export["id"].as_str().unwrap_or_else(|| panic!("{path}: {reply:?}")).to_owned()
    }

    async fn export(&self, id: &str) -> Value {
        self.api.get(&format!("/api/v1/cdr-exports/{id}")).await.body
    }

    /// Waits until an export is so far.
    async fn until(&self, id: &str, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let export = self.export(id).await;
            assert_ne!(export["state"], "failed", "{export}");
            if is_so(&export) {
                return export;
            }
            assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}: {export}");
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn ready(&self, id: &str) -> Value {
        self.until(id, "ready", |export| export["state"] == "ready").await
    }

    async fn kill_and_restart(&mut self) {
        self.node.kill_9();
        self.node.restart().await;
    }

    fn file(&self, id: &str, format: &str) -> Vec<u8> {
        std::fs::read(self.node.data_dir().join(format!("exports/{id}.{format}"))).unwrap()
    }
}

fn records(export: &Value) -> u64 {
    export["records"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_export_goes_on_to_the_same_file() {
    let mut world = World::start(LEGS).await;
    // Lines are the simplest of the three.
    let formats = if soak() { &["csv", "xlsx", "jsonl"][..] } else { &["csv", "xlsx"] };
    let kills = if soak() { 5 } else { 1 };
    let (mut wholes, mut killed_in_midst) = (Vec::new(), 0);
    for format in formats {
        wholes.push(world.order("/api/v1/cdr-exports", &json!({ "format": format })).await);
    }
    let mut killed = Vec::new();
    for (format, whole) in formats.iter().zip(&wholes) {
        let export = world.ready(whole).await;
        assert_eq!(records(&export), LEGS * 3 / 4, "{format}: {export}");
        killed.push(world.order("/api/v1/cdr-exports", &json!({ "format": format })).await);
    }
    for ((format, whole), killed) in formats.iter().zip(&wholes).zip(&killed) {
        let mut reached = 0;
        for _ in 0..kills {
            let is_further =
                |export: &Value| records(export) > reached || export["state"] == "ready";
            let seen = world.until(killed, "a checkpoint", is_further).await;
            if seen["state"] == "ready" {
                break;
            }
            world.kill_and_restart().await;
            killed_in_midst += 1;
            let again = world.export(killed).await;
            reached = records(&again);
            assert!(reached >= records(&seen), "{format}: {again} after {seen}");
        }
        let export = world.ready(killed).await;
        assert_eq!(records(&export), LEGS * 3 / 4, "{format}: {export}");
        let same = world.file(killed, format) == world.file(whole, format);
        assert!(same, "{format}: the file is another");
    }
    assert!(killed_in_midst > 0, "no export was killed in its midst");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_push_sends_each_record_in_exactly_one_callback() {
    let mut world = World::start(PUSHED).await;
    let kills = if soak() { 10 } else { 2 };
    // All but the first hundred.
    let first = 100;
    let push = world.order("/api/v1/cdrs/push", &json!({ "since": stamp(first) })).await;
    for kill in 1..=kills {
        let some = world.customer.wait_for_count(kill, PATIENCE).await;
        assert!(some.len() >= kill);
        world.kill_and_restart().await;
    }
    let export = world.ready(&push).await;
    assert_eq!(records(&export), (PUSHED - first) * 3 / 4);
    let expected: BTreeSet<String> =
        (first..PUSHED).filter(|n| n % 4 != 3).map(|n| format!("CV{n}")).collect();
    let told = world
        .customer
        .wait_until("every record", Duration::from_secs(30), |callbacks| {
            // A callback that comes again is the same.
            let mut bodies = BTreeMap::new();
            for callback in callbacks {
                let before = bodies.insert(callback.id().to_owned(), callback.body.clone());
                assert!(before.is_none_or(|before| before == callback.body));
            }
            let told: Vec<String> = bodies.values().flat_map(|body| conversations(body)).collect();
            (told.len() >= expected.len()).then_some(told)
        })
        .await;
    assert_eq!(told.len(), expected.len(), "no record is in two callbacks");
    assert!(told.into_iter().collect::<BTreeSet<_>>() == expected, "each is in one");
}

/// When a leg began, as the API takes it.
fn stamp(leg: u64) -> String {
    let seconds = (BEGIN_US / 1_000_000 + leg).cast_signed();
    chrono::DateTime::from_timestamp(seconds, 0).unwrap().to_rfc3339()
}

fn conversations(body: &[u8]) -> Vec<String> {
    let body: Value = serde_json::from_slice(body).unwrap();
    let sid = |record: &Value| record["conversationSid"].as_str().unwrap().to_owned();
    body["cdrs"].as_array().unwrap().iter().map(sid).collect()
}
