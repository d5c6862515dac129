//! What becomes of calls as trunks register, fall silent, refuse, are drained and come back.

#![expect(clippy::unwrap_used, reason = "a failed set-up is a failed test")]

mod support;

use std::time::Instant;

use reqwest::Method;
use serde_json::{Value, json};
use support::api::{Accepted, Api};
use support::carrier::Carrier;
use support::node::Node;
use support::states::wait_for_state;
use support::world::{Plan, World};
use support::{LOOK, PATIENCE};

/// The operator's side of a node.
struct Operator {
    api: Api,
    token: String,
}

impl Operator {
    fn of(node: &Node) -> Self {
        let token = std::fs::read_to_string(node.data_dir().join("operator.token")).unwrap();
        Self { api: node.api(), token: token.trim().to_owned() }
    }

    async fn ask(&self, method: Method, path: &str) -> Value {
        let authorization = format!("Bearer {}", self.token);
        let headers = [("authorization", authorization.as_str())];
        let reply = self.api.try_send_bare(method, path, &headers).await.unwrap();
        assert_eq!(reply.status, 200, "{path}: {reply:?}");
        reply.body
    }

    async fn trunk(&self, name: &str) -> Value {
        self.ask(Method::GET, &format!("/api/v1/trunks/{name}")).await
    }

    async fn post(&self, name: &str, what: &str) -> Value {
        self.ask(Method::POST, &format!("/api/v1/trunks/{name}/{what}")).await
    }

    /// Waits until the trunk is as `look` wants it.
    async fn wait_for(&self, name: &str, what: &str, look: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let trunk = self.trunk(name).await;
            if look(&trunk) {
                return trunk;
            }
            assert!(Instant::now() < deadline, "not {what} within {PATIENCE:?}: {trunk:#}");
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn wait_for_state(&self, name: &str, state: &str) -> Value {
        self.wait_for(name, state, |trunk| trunk["state"] == state).await
    }
}

fn short() -> Value {
    json!({ "times": 1 })
}

async fn succeeds(world: &World, to: &str, accepted: &Accepted) {
    let callback = world.customer.wait_for_result(&accepted.request_id).await;
    assert_eq!(callback.field("result"), "0", "{to}: {}", callback.json());
}

fn invited(carrier: &Carrier, to: &str) -> usize {
    carrier.count(to, "invite")
}

/// Registered by password; down as soon as it dies, which refuses calls; up again when it is back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trunk_registers_dies_and_comes_back() {
    let tenant = |document: &mut Value| {
        let trunk = document["trunks"][0].as_object_mut().unwrap();
        let more = json!({
            "username": "line", "password": "secret", "register": true,
            "register_expires_s": 60, "probe_s": 1,
        });
        trunk.extend(more.as_object().unwrap().clone());
    };
    let guarded: &[&str] = &["--register-user", "line", "--register-password", "secret"];
    let plan = Plan { carriers: &[guarded], tenant: Some(&tenant), ..Plan::default() };
    let mut world = World::start(plan).await;
    let operator = Operator::of(&world.node);

    let up = operator
        .wait_for("carrier-a", "registered and answering", |trunk| {
            trunk["registration"]["state"] == "registered"
                && trunk["probe"]["roundTripMs"].is_number()
        })
        .await;
    assert_eq!(up["state"], "up");
    assert!(up["registration"]["expiresAt"].is_string(), "{up:#}");
    let taken = world.carrier().events();
    assert!(taken.iter().any(|event| event["kind"] == "registered" && event["user"] == "line"));
    succeeds(&world, "13800600100", &world.api.notice("13800600100", &short()).await).await;
    let counted = operator.trunk("carrier-a").await;
    assert_eq!(counted["counts"]["answered"], 1, "{counted:#}");
    assert!(world.node.metrics().await.contains("yunling_trunk_up{trunk=\"carrier-a\"} 1"));

    world.carriers[0].kill_9();
    let down = operator.wait_for_state("carrier-a", "down").await;
    assert_eq!(down["why"], "options_silent", "{down:#}");
    assert!(world.node.metrics().await.contains("yunling_trunk_up{trunk=\"carrier-a\"} 0"));
    let refused = world.api.notice_refused("13800600200", &short()).await;
    assert_eq!(refused.body["statusCode"], "-6", "{refused:?}");
    assert_eq!(world.node.healthz().await.unwrap().0, 200, "a trunk that is down does not count");

    world.carriers[0].start_again().await;
    operator.wait_for_state("carrier-a", "up").await;
    succeeds(&world, "13800600300", &world.api.notice("13800600300", &short()).await).await;
}

/// A call goes on over the second trunk when the first refuses it or says nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusal_and_silence_fail_over() {
    for (mood, counted, to) in
        [("refuse", "503", "13800610100"), ("silent", "no_reply", "13800610200")]
    {
        let tenant = |document: &mut Value| {
            for trunk in document["trunks"].as_array_mut().unwrap() {
                trunk["probe_s"] = 0.into();
            }
        };
        let settings = json!({ "calls": { "no_reply_ms": 1_000 } });
        let first: &[&str] = &["--invites", mood];
        let plan = Plan { settings, carriers: &[first, &[]], tenant: Some(&tenant) };
        let world = World::start(plan).await;
        let operator = Operator::of(&world.node);
        let accepted = world.api.notice(to, &short()).await;
        succeeds(&world, to, &accepted).await;
        assert_eq!((invited(&world.carriers[0], to), invited(&world.carriers[1], to)), (1, 1));
        let (first, second) =
            (operator.trunk("carrier-a").await, operator.trunk("carrier-b").await);
        assert_eq!(first["counts"]["failedByCode"], json!({ counted: 1 }), "{first:#}");
        assert_eq!((&first["counts"]["failedOver"], &first["probe"]), (&json!(1), &Value::Null));
        assert_eq!((&second["counts"]["answered"], &second["state"]), (&json!(1), &json!("up")));
    }
}

/// No new call over a drained trunk, while the one on it goes on; over a kill, until it is resumed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drained_trunk_keeps_its_call_and_gets_no_other() {
    let mut world = World::start(Plan { carriers: &[&[], &[]], ..Plan::default() }).await;
    let operator = Operator::of(&world.node);
    let (live, next, after) = ("13800620100", "13800620200", "13800620300");
    // Two plays, each with a window of 5 s for keys.
    let talking = world.api.notice(live, &json!({ "times": 2, "finishkey": "1" })).await;
    wait_for_state(&world.api, &talking, "answered").await;
    assert_eq!(operator.trunk("carrier-a").await["load"]["calls"], 1);

    assert_eq!(operator.post("carrier-a", "drain").await["draining"], true);
    succeeds(&world, next, &world.api.notice(next, &short()).await).await;
    assert_eq!((invited(&world.carriers[0], next), invited(&world.carriers[1], next)), (0, 1));
    succeeds(&world, live, &talking).await;
    let ended = world.carriers[0].wait_for(live, "ended").await;
    assert_eq!(ended["by"], "caller", "it was heard to its end: {ended}");

    world.node.kill_9();
    world.node.restart().await;
    assert_eq!(operator.trunk("carrier-a").await["draining"], true, "it survives a kill");
    succeeds(&world, after, &world.api.notice(after, &short()).await).await;
    assert_eq!(invited(&world.carriers[0], after), 0);

    operator.post("carrier-b", "drain").await;
    let refused = world.api.notice_refused("13800620400", &short()).await;
    assert_eq!(refused.body["statusCode"], "-6", "as if both were down: {refused:?}");
    operator.post("carrier-a", "resume").await;
    let back = "13800620500";
    succeeds(&world, back, &world.api.notice(back, &short()).await).await;
    assert_eq!(invited(&world.carriers[0], back), 1);
}

/// The longest prefix of the number called chooses among the caller ID's trunks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_route_chooses_the_trunk() {
    let tenant = |document: &mut Value| {
        document["routes"] = json!([
            { "prefix": "0086138", "trunks": ["carrier-b", "carrier-a"] },
            { "prefix": "13800637", "trunks": ["carrier-a"] },
        ]);
    };
    let plan = Plan { carriers: &[&[], &[]], tenant: Some(&tenant), ..Plan::default() };
    let world = World::start(plan).await;
    // (number, which carrier gets it)
    for (to, index) in [("13800630100", 1), ("13800637100", 0), ("13900630100", 0)] {
        succeeds(&world, to, &world.api.notice(to, &short()).await).await;
        assert_eq!(invited(&world.carriers[index], to), 1, "{to}");
        assert_eq!(invited(&world.carriers[1 - index], to), 0, "{to}");
    }
    let mut fields = short();
    fields["from"] = support::tenant::line(1).into();
    let refused = world.api.notice_refused("13800637200", &fields).await;
    assert_eq!(refused.body["statusCode"], "-5", "{refused:?}");
    assert_eq!(
        refused.body["errorCode"], "20007",
        "its only trunk is not the route's: {refused:?}"
    );
}

/// A call that was accepted while its trunk lived waits for it, and goes out when it is back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_wait_for_a_trunk_that_comes_back() {
    let tenant = |document: &mut Value| document["trunks"][0]["max_cps"] = 1.into();
    let settings = json!({ "calls": { "queue_max_wait": { "notices_s": 60 } } });
    let plan = Plan { settings, tenant: Some(&tenant), ..Plan::default() };
    let world = World::start(plan).await;
    let operator = Operator::of(&world.node);
    let numbers = ["13800640100", "13800640200", "13800640300"];
    let mut accepted = Vec::new();
    for to in numbers {
        accepted.push(world.api.notice(to, &short()).await);
    }
    world.carrier().wait_for(numbers[0], "invite").await;
    operator.post("carrier-a", "drain").await;
    succeeds(&world, numbers[0], &accepted[0]).await;
    let waiting = numbers.iter().filter(|to| invited(world.carrier(), to) == 0).count();
    assert!(waiting >= 1, "one a second, and none after the drain");
    operator.post("carrier-a", "resume").await;
    for (to, accepted) in numbers.iter().zip(&accepted) {
        succeeds(&world, to, accepted).await;
    }
}

/// A burst over two trunks: neither ever carries more calls, or gets more of them in a second, than
/// it takes, and every call is made.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_keeps_to_the_limits_of_both_trunks() {
    const CALLS: usize = 60;
    const MAX_CALLS: usize = 8;
    const MAX_CPS: usize = 10;
    let tenant = |document: &mut Value| {
        for trunk in document["trunks"].as_array_mut().unwrap() {
            trunk["max_calls"] = MAX_CALLS.into();
            trunk["max_cps"] = MAX_CPS.into();
        }
    };
    let quick: &[&str] = &["--answer-after-ms", "100"];
    let settings = json!({ "calls": { "queue_max_wait": { "notices_s": 60 } } });
    let plan = Plan { settings, carriers: &[quick, quick], tenant: Some(&tenant) };
    let world = World::start(plan).await;
    let mut sent = Vec::new();
    for index in 0..CALLS {
        let to = format!("138006{index:03}00");
        // Said once, and short.
        let fields = json!({ "times": 1, "contents": [{ "type": "digits", "content": "1" }] });
        sent.push((world.api.notice(&to, &fields).await, to));
    }
    for (accepted, to) in &sent {
        succeeds(&world, to, accepted).await;
    }
    let mut total = 0;
    for carrier in &world.carriers {
        let (mut up, mut most, mut starts) = (0_usize, 0, Vec::new());
        for event in carrier.events() {
            match event["kind"].as_str().unwrap() {
                "invite" => {
                    up += 1;
                    most = most.max(up);
                    starts.push(event["at_us"].as_i64().unwrap());
                }
                "ended" => up -= 1,
                _ => {}
            }
        }
        total += starts.len();
        assert!(most <= MAX_CALLS, "{most} calls at once on {}", carrier.address());
        // A second's worth, and a call or two that were late on their way.
        let window = MAX_CPS + 3;
        let too_fast =
            starts.windows(window).find(|calls| calls[window - 1] - calls[0] < 1_000_000);
        assert_eq!(too_fast, None, "more than {MAX_CPS} calls in a second");
        assert!(starts.len() > CALLS / 6, "both carry their share: {}", starts.len());
    }
    assert_eq!(total, CALLS, "each call was made once");
}
