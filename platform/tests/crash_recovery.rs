//! `kill -9` at any moment: after the next start every number that was accepted has exactly one
//! result, nobody is called twice, and no phone is left ringing or in mid-sentence.
//!
//! `YUNLING_SOAK=1` kills more often; `YUNLING_SEED` repeats a run's moments.

#![expect(clippy::unwrap_used, reason = "a failed look-up is a failed test")]

mod support;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use support::api::{Accepted, Api, notice_body};
use support::dice::{Dice, soak};
use support::phones::{Phone, assert_no_handset_was_left, assert_nobody_was_called_twice, phones};
use support::states::wait_for_state;
use support::tenant::ACCOUNT;
use support::world::{Plan, World};
use support::{LOOK, PATIENCE, results};

/// Recovery is done within this time of the start.
const RECOVERY: Duration = Duration::from_secs(30);
/// Notices that are under way when the process is killed.
const RUNNING: usize = 200;
/// A fact that happened so long before the kill has been stored by then.
const SETTLED: Duration = Duration::from_secs(2);
/// How the numbers behave: the last two digits choose.
const MANNERS: [&str; 7] = ["00", "01", "10", "11", "15", "18", "55"];
/// Manners of numbers that answer if they are left to ring.
const ANSWERING: [&str; 5] = ["00", "01", "15", "18", "55"];

/// No limit but the machine's.
fn unlimited(document: &mut Value) {
    document["trunks"][0]["max_calls"] = json!(1_000);
    document["trunks"][0]["max_cps"] = json!(1_000);
}

fn only_one_line(document: &mut Value) {
    document["trunks"][0]["max_calls"] = json!(1);
}

/// A wait for a line outlasts every restart; a ringing phone is given up after 10 s.
fn patient() -> Value {
    json!({ "calls": { "queue_max_wait": { "notices_s": 600 }, "ring_ms": 10_000 } })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_among_two_hundred_notices_lose_nothing_and_call_nobody_twice() {
    let plan = Plan { settings: patient(), tenant: Some(&unlimited), ..Plan::default() };
    let mut crashes = Crashes::new(World::start(plan).await);
    let kills = if soak() { 30 } else { 3 };
    for kill in 0..kills {
        // Every third kill meets a node that is busy recovering from the one before.
        let in_recovery = kill % 3 == 1;
        if !in_recovery {
            crashes.top_up();
        }
        if kill == 0 {
            // The later ones may come before anybody has been dialled.
            crashes.wait_until_up(RUNNING / 10).await;
        }
        let below = if in_recovery { Duration::from_secs(2) } else { Duration::from_secs(6) };
        crashes.kill_within(below).await;
        let next_is_in_recovery = (kill + 1) % 3 == 1 && kill + 1 < kills;
        crashes.restart(next_is_in_recovery).await;
    }
    crashes.judge().await;
}

/// A node that is killed again and again, and what is to be expected of it.
struct Crashes {
    world: World,
    dice: Dice,
    /// Posts under way; each goes on until it is acknowledged.
    posts: JoinSet<(String, Accepted)>,
    in_parallel: Arc<Semaphore>,
    posted: usize,
    /// Call-IDs that were up at a kill and whose end has not been waited for.
    orphans: HashSet<String>,
    /// Numbers that were up at some kill.
    interrupted: HashSet<String>,
    /// Numbers that had been answered well before a kill.
    had_answered: HashSet<String>,
}

impl Crashes {
    fn new(world: World) -> Self {
        Self {
            world,
            dice: Dice::throw(),
            posts: JoinSet::new(),
            in_parallel: Arc::new(Semaphore::new(16)),
            posted: 0,
            orphans: HashSet::new(),
            interrupted: HashSet::new(),
            had_answered: HashSet::new(),
        }
    }

    /// Posts as many notices as are missing to [`RUNNING`], in the background: a kill may meet a
    /// post that is half done.
    fn top_up(&mut self) {
        let running = self.posted - results::events(&self.world.customer.callbacks());
        for _ in running..RUNNING {
            let manner = self.dice.pick(&MANNERS);
            let to = format!("138{:06}{manner}", self.posted);
            self.posted += 1;
            let (api, in_parallel) = (self.world.api.clone(), Arc::clone(&self.in_parallel));
            self.posts.spawn(async move {
                let _turn = in_parallel.acquire().await.unwrap();
                let accepted = post_until_acknowledged(&api, &to).await;
                (to, accepted)
            });
        }
    }

    fn phones(&self) -> Vec<Phone> {
        phones(&self.world.carrier().events())
    }

    /// Waits until so many calls are up.
    async fn wait_until_up(&self, count: usize) {
        let name = format!("{count} calls up");
        self.world
            .carrier()
            .wait_until(&name, PATIENCE, |events| {
                let phones = phones(events);
                let up = phones.iter().filter(|phone| phone.ended_by.is_none()).count();
                (up >= count).then_some(())
            })
            .await;
    }

    /// Kills at a random moment.
    async fn kill_within(&mut self, below: Duration) {
        let moment = self.dice.moment(below);
        tokio::time::sleep(moment.saturating_sub(SETTLED)).await;
        let mut answered: HashSet<String> = HashSet::new();
        if moment > SETTLED {
            let up = self.phones().into_iter().filter(|phone| phone.answered_us.is_some());
            answered.extend(up.map(|phone| phone.to));
        }
        tokio::time::sleep(moment.min(SETTLED)).await;
        self.world.node.kill_9();
        let mut up = self.phones();
        up.retain(|phone| phone.ended_by.is_none());
        println!("killed after {moment:?} with {} calls up", up.len());
        for phone in up {
            if answered.contains(&phone.to) {
                self.had_answered.insert(phone.to.clone());
            }
            self.interrupted.insert(phone.to);
            self.orphans.insert(phone.call);
        }
    }

    /// Starts again. Sees that every orphan is ended in time, unless the next kill is to meet the
    /// recovery: then it waits for nothing.
    async fn restart(&mut self, into_recovery: bool) {
        if into_recovery {
            self.world.node.start_again();
            return;
        }
        let started = Instant::now();
        self.world.node.restart().await;
        let orphans = std::mem::take(&mut self.orphans);
        let left = RECOVERY.saturating_sub(started.elapsed());
        self.world
            .carrier()
            .wait_until("end of every call that was up at the kill", left, |events| {
                phones(events)
                    .iter()
                    .all(|phone| !orphans.contains(&phone.call) || phone.ended_by.is_some())
                    .then_some(())
            })
            .await;
    }

    /// Waits until everything is over, and looks at it from every side.
    async fn judge(mut self) {
        let mut posted: BTreeMap<String, Accepted> = BTreeMap::new();
        while let Some(answered) = self.posts.join_next().await {
            let (to, accepted) = answered.unwrap();
            posted.insert(to, accepted);
        }
        assert_eq!(posted.len(), self.posted, "every post was acknowledged");
        let world = &self.world;
        world
            .customer
            .wait_until("result of every notice", 4 * PATIENCE, |callbacks| {
                (results::events(callbacks) >= posted.len()).then_some(())
            })
            .await;
        world
            .carrier()
            .wait_until("end of every call", PATIENCE, |events| {
                phones(events).iter().all(|phone| phone.ended_by.is_some()).then_some(())
            })
            .await;

        let results = results::by_request(&world.customer.callbacks());
        let requests: HashSet<&str> =
            posted.values().map(|accepted| accepted.request_id.as_str()).collect();
        let unknown: Vec<_> = results.keys().filter(|id| !requests.contains(id.as_str())).collect();
        assert!(unknown.is_empty(), "results of requests that nobody made: {unknown:?}");

        let phones = self.phones();
        assert_nobody_was_called_twice(&phones);
        assert_no_handset_was_left(&phones);
        let phones: HashMap<&str, &Phone> =
            phones.iter().map(|phone| (phone.to.as_str(), phone)).collect();
        let mut reached = 0;
        for (to, accepted) in &posted {
            let result = results
                .get(&accepted.request_id)
                .unwrap_or_else(|| panic!("{to} has no result ({accepted:?})"));
            self.check(to, result, phones.get(to.as_str()).copied());
            self.check_record(accepted, result).await;
            reached += usize::from(result["result"] == "0");
        }
        let (interrupted, had_answered) = (self.interrupted.len(), self.had_answered.len());
        println!(
            "{} notices, {reached} reached, {interrupted} interrupted, {had_answered} of them in mid-call",
            posted.len()
        );
        assert!(reached >= posted.len() / 10, "only {reached} were reached: nothing is proven");
        assert!(
            interrupted >= RUNNING / 10,
            "only {interrupted} were interrupted: nothing is proven"
        );
    }

    /// Whether a result fits what the carrier saw.
    fn check(&self, to: &str, result: &Value, phone: Option<&Phone>) {
        assert_eq!(result["to"], to);
        let answered = phone.is_some_and(|phone| phone.answered_us.is_some());
        let manner = &to[to.len() - 2..];
        let interrupted = self.interrupted.contains(to);
        let is_reached = result["result"] == "0";
        if is_reached {
            assert!(answered, "{to} is told to have answered, and did not: {result} {phone:?}");
            assert!(result["answertime"] != "" && result["reason"] == "", "{result}");
        } else {
            assert!(result["answertime"] == "" && result["duration"] == "0", "{result}");
        }
        if self.had_answered.contains(to) {
            assert!(is_reached, "{to} had answered before the kill: {result} {phone:?}");
        }
        if ANSWERING.contains(&manner) && phone.is_some() && !interrupted {
            assert!(is_reached, "{to} was not up at any kill: {result} {phone:?}");
        }
        match manner {
            "10" => assert_eq!(result["reason"], "2", "{result}"),
            // Our ring timer, or the crash.
            "11" if phone.is_some() && !interrupted => {
                assert_eq!(result["reason"], "1", "{result}")
            }
            _ => {}
        }
    }

    /// Whether the stored record says the same as the callback.
    async fn check_record(&self, accepted: &Accepted, result: &Value) {
        let record = self.world.api.call(&accepted.call_id).await;
        assert_eq!(record["state"], "ended", "{record}");
        for field in ["result", "reason", "answertime", "duration", "inputkey"] {
            assert_eq!(record[field], result[field], "{field} of {record} and {result}");
        }
    }
}

/// Posts a notice as a careful customer does: with an `Idempotency-Key`, again and again until there
/// is an answer.
async fn post_until_acknowledged(api: &Api, to: &str) -> Accepted {
    let path = format!("/Accounts/{ACCOUNT}/VoiceNotices");
    let fields = if to.ends_with("01") { json!({ "finishkey": "1" }) } else { json!({}) };
    let body = notice_body(to, &fields);
    loop {
        let headers = [("Idempotency-Key", to)];
        match api.try_send(Method::POST, &path, Some(&body), &headers).await {
            Ok(reply) => return Accepted::of(to, &reply),
            // Killed, or not up again yet.
            Err(_) => tokio::time::sleep(LOOK * 10).await,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phone_that_was_left_ringing_is_cancelled() {
    let mut world = World::usual().await;
    let to = "13800100011";
    let accepted = world.api.notice(to, &json!({ "userdata": "ringing" })).await;
    world.carrier().wait_for(to, "ringing").await;
    world.node.kill_9();
    assert_eq!(world.carrier().count(to, "cancel"), 0, "nobody is there to cancel it");

    let cancel = ended_after_restart(&mut world, to, "cancel").await;
    assert_eq!(cancel["in_time"], true, "{cancel}");
    let result = world.customer.wait_for_result(&accepted.request_id).await.json();
    assert_eq!((&result["result"], &result["reason"]), (&json!("1"), &json!("2")), "{result}");
    assert_eq!((&result["answertime"], &result["duration"]), (&json!(""), &json!("0")));
    assert_eq!(
        (&result["callid"], &result["userdata"]),
        (&json!(accepted.call_id), &json!("ringing"))
    );
    assert_that_it_stays_over(&world, to, "cancel").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_was_left_in_mid_prompt_is_hung_up() {
    let mut world = World::usual().await;
    let to = "13800100000";
    let accepted = world.api.notice(to, &json!({ "times": 3 })).await;
    wait_for_state(&world.api, &accepted, "answered").await;
    world.node.kill_9();
    assert_eq!(world.carrier().count(to, "ended"), 0, "the handset is still up");

    ended_after_restart(&mut world, to, "bye_received").await;
    let result = world.customer.wait_for_result(&accepted.request_id).await.json();
    assert_eq!((&result["result"], &result["reason"]), (&json!("0"), &json!("")), "{result}");
    for stamp in ["starttime", "ringtime", "answertime", "endtime"] {
        assert_eq!(result[stamp].as_str().map(str::len), Some(14), "{stamp} of {result}");
    }
    assert_that_it_stays_over(&world, to, "caller").await;
}

/// Nobody was there to acknowledge the answer: the carrier repeats it until the next process does,
/// and hangs up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phone_that_was_picked_up_while_nobody_was_there_is_hung_up() {
    let mut world = World::usual().await;
    let to = "13800100018";
    let accepted = world.api.notice(to, &json!({})).await;
    world.carrier().wait_for(to, "ringing").await;
    world.node.kill_9();
    world.carrier().wait_for(to, "answered").await;

    ended_after_restart(&mut world, to, "bye_received").await;
    world.carrier().wait_for(to, "acked").await;
    world.customer.wait_for_result(&accepted.request_id).await;
    assert_that_it_stays_over(&world, to, "caller").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waited_for_a_line_is_dialled_after_the_crash() {
    let plan = Plan { settings: patient(), tenant: Some(&only_one_line), ..Plan::default() };
    let mut world = World::start(plan).await;
    let (first, second) = ("13800100100", "13800100255");
    let running = world.api.notice(first, &json!({ "times": 3 })).await;
    wait_for_state(&world.api, &running, "answered").await;
    let waiting = world.api.notice(second, &json!({})).await;
    wait_for_state(&world.api, &waiting, "queued").await;
    world.node.kill_9();
    assert_eq!(world.carrier().count(second, "invite"), 0, "the only line is taken");

    ended_after_restart(&mut world, first, "bye_received").await;
    for (accepted, result) in [(&running, "0"), (&waiting, "0")] {
        let callback = world.customer.wait_for_result(&accepted.request_id).await;
        assert_eq!(callback.field("result"), result, "{}", callback.json());
    }
    assert_that_it_stays_over(&world, first, "caller").await;
    assert_that_it_stays_over(&world, second, "caller").await;
}

/// Restarts, and waits for this sign that the platform has ended what was left.
async fn ended_after_restart(world: &mut World, to: &str, sign: &str) -> Value {
    let started = Instant::now();
    world.node.restart().await;
    let left = RECOVERY.saturating_sub(started.elapsed());
    world
        .carrier()
        .wait_until(&format!("{sign} for {to}"), left, |events| {
            events.iter().find(|event| event["to"] == to && event["kind"] == sign).cloned()
        })
        .await
}

/// The number was called once, its handset was ended so, and its result came once. Another notice
/// goes through afterwards: had anything else been due, it would have come before that.
async fn assert_that_it_stays_over(world: &World, to: &str, by: &str) {
    let probe = format!("{}55", &to[..to.len() - 2].replacen("138", "139", 1));
    let accepted = world.api.notice(&probe, &json!({ "times": 1 })).await;
    let result = world.customer.wait_for_result(&accepted.request_id).await;
    assert_eq!(result.field("result"), "0", "the node works: {}", result.json());
    let ended = world.carrier().wait_for(to, "ended").await;
    assert_eq!(ended["by"], by, "{ended}");
    assert_eq!(world.carrier().count(to, "invite"), 1, "{:?}", world.carrier().story(to));
    let results = results::by_request(&world.customer.callbacks());
    assert_eq!(results.values().filter(|result| result["to"] == to).count(), 1);
}
