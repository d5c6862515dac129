//! `kill -9` in the middle of a batch, again and again: every number has one result, and nobody who
//! answered is called twice.
//!
//! `YUNLING_SOAK=1` takes 10,000 numbers and ten kills; `YUNLING_SEED` repeats a run's moments.

mod support;

use std::time::Duration;

use serde_json::{Value, json};
use support::dice::{Dice, soak};
use support::phones::{assert_no_handset_was_left, assert_nobody_was_called_twice, phones};
use support::world::{Plan, World};
use support::{PATIENCE, batch, results};

/// How the numbers behave: the last two digits choose. Most are over soon.
const MANNERS: [&str; 8] = ["10", "13", "12", "10", "55", "00", "10", "16"];

fn fast(document: &mut Value) {
    document["trunks"][0]["max_calls"] = json!(300);
    document["trunks"][0]["max_cps"] = json!(250);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_in_the_middle_of_a_batch_lose_no_number_and_call_nobody_twice() {
    let (numbers, kills) = if soak() { (10_000, 10) } else { (2_000, 3) };
    let mut world = World::start(Plan { tenant: Some(&fast), ..Plan::default() }).await;
    let mut dice = Dice::throw();
    let mut to: Vec<String> =
        (0..numbers).map(|index| format!("138{index:06}{}", dice.pick(&MANNERS))).collect();
    to.extend(["x1".to_owned(), "x2".to_owned()]);
    let id = batch::send(&world.api, &to, &json!({})).await;
    for kill in 1..=kills {
        // So that no kill meets a batch that is over, or not begun.
        let least = to.len() * kill / (kills + 2);
        world
            .customer
            .wait_until("results before the kill", 2 * PATIENCE, |callbacks| {
                (results::events(callbacks) >= least).then_some(())
            })
            .await;
        tokio::time::sleep(dice.moment(Duration::from_millis(800))).await;
        world.node.kill_9();
        let up = phones(&world.carrier().events());
        let up = up.iter().filter(|phone| phone.ended_by.is_none()).count();
        let seen = results::events(&world.customer.callbacks());
        println!("kill {kill} with {up} calls up after {seen} results");
        assert!(seen < to.len(), "the batch was over before kill {kill}: nothing is proven");
        world.node.restart().await;
    }
    let done = batch::wait_until(&world.api, &id, "finished", 10 * PATIENCE, |batch| {
        batch["state"] == "finished"
    })
    .await;
    assert_eq!(done["counts"]["invalid"], 2, "{done}");
    world
        .customer
        .wait_until("result of every number", 2 * PATIENCE, |callbacks| {
            (results::events(callbacks) >= to.len()).then_some(())
        })
        .await;
    let results = batch::by_number(&world.customer.callbacks(), &id);
    assert_eq!(results.len(), to.len());
    let reached = results.values().filter(|result| result["result"] == "0").count();
    assert_eq!(done["counts"]["answered"], reached, "{done}");
    assert!(reached > numbers / 8, "only {reached} were reached: nothing is proven");

    world
        .carrier()
        .wait_until("end of every call", PATIENCE, |events| {
            phones(events).iter().all(|phone| phone.ended_by.is_some()).then_some(())
        })
        .await;
    let phones = phones(&world.carrier().events());
    assert_nobody_was_called_twice(&phones);
    assert_no_handset_was_left(&phones);
    for phone in &phones {
        let result = &results[&phone.to];
        let is_reached = result["result"] == "0";
        assert!(!is_reached || phone.answered_us.is_some(), "{phone:?} {result}");
    }
}
