//! `kill -9` in the middle of a campaign: every number has one result, nobody who answered is called
//! twice, and what had not been dialled is called after all.
//!
//! `YUNLING_SOAK=1` takes more numbers and kills; `YUNLING_SEED` repeats a run's moments.

#![expect(clippy::unwrap_used, reason = "a failed set-up is a failed test")]

mod support;

use std::time::Duration;

use serde_json::json;
use support::campaign::{self, always, lines};
use support::dice::{Dice, soak};
use support::phones::{assert_nobody_was_called_twice, phones};
use support::world::{Plan, World};
use support::{PATIENCE, batch, results};

/// How the numbers behave: the last two digits choose. Most are over soon.
const MANNERS: [&str; 6] = ["10", "13", "12", "01", "00", "10"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_in_the_middle_of_a_campaign_lose_no_number_and_call_nobody_twice() {
    let (numbers, kills) = if soak() { (5_000, 8) } else { (400, 2) };
    let plan = Plan { settings: always(), tenant: Some(&lines(60)), ..Plan::default() };
    let mut world = World::start(plan).await;
    let mut dice = Dice::throw();
    let to: Vec<String> =
        (0..numbers).map(|index| format!("138{index:06}{}", dice.pick(&MANNERS))).collect();
    let id = campaign::start(&world.api, &to, &json!({})).await;
    for kill in 1..=kills {
        // So that no kill meets a campaign that is over, or not begun.
        let least = to.len() * kill / (kills + 2);
        world
            .customer
            .wait_until("results before the kill", 2 * PATIENCE, |callbacks| {
                (results::events(callbacks) >= least).then_some(())
            })
            .await;
        tokio::time::sleep(dice.moment(Duration::from_millis(300))).await;
        world.node.kill_9();
        let seen = results::events(&world.customer.callbacks());
        println!("kill {kill} after {seen} results");
        assert!(seen < to.len(), "the campaign was over before kill {kill}: nothing is proven");
        world.node.restart().await;
    }
    let done = campaign::wait_until(&world.api, &id, "finished", 10 * PATIENCE, |progress| {
        progress["state"] == "finished"
    })
    .await;
    assert_eq!((&done["counts"]["refused"], &done["counts"]["cancelled"]), (&json!(0), &json!(0)));
    world
        .customer
        .wait_until("result of every number", 2 * PATIENCE, |callbacks| {
            (results::events(callbacks) >= to.len()).then_some(())
        })
        .await;
    let results = batch::by_number(&world.customer.callbacks(), &id);
    assert_eq!(results.len(), to.len(), "one result each");
    let reached = results.values().filter(|result| result["result"] == "0").count();
    let counted = ["answered", "confirmed"].map(|name| done["counts"][name].as_u64().unwrap());
    assert_eq!(counted.iter().sum::<u64>(), reached as u64, "{done}");
    assert!(reached > numbers / 8, "only {reached} were reached: nothing is proven");

    let phones = phones(&world.carrier().events());
    assert_nobody_was_called_twice(&phones);
    // A call may have been written down as dialled right before the kill, and its INVITE not sent.
    let silent = to.len() - phones.len();
    assert!(silent < numbers / 10, "{silent} numbers were never called");
    assert_eq!(done["calls"], to.len(), "and each is one call: {done}");
    for phone in &phones {
        let is_reached = results[&phone.to]["result"] == "0";
        assert!(!is_reached || phone.answered_us.is_some(), "{phone:?}");
    }
}
