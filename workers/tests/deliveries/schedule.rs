use std::collections::HashSet;

use yunling_app::principal::Operator;
use yunling_app::resend_delivery;
use yunling_domain::AccountId;
use yunling_store::deliveries::{DeliveryState, Resend};

use crate::receiver::{BROKEN, OK, Receiver};
use crate::world::{ACCOUNT, World, until};

#[tokio::test]
async fn a_day_of_failures_is_gone_through_and_then_re_sent() {
    let (world, receiver) = (World::open().await, Receiver::start(BROKEN).await);
    let deliveries = world.start();
    world.cause(vec![world.event("1", &receiver.url())]).await;
    let began = world.app.clock().now();
    for count in 1..=7 {
        let (delivery, attempts) = world.attempts("1", count).await;
        assert_eq!(delivery.state, DeliveryState::Pending, "after attempt {count}");
        assert_eq!(attempts.last().unwrap().status, Some(500));
        world.clock.set(delivery.next_at);
    }
    let (delivery, attempts) = world.attempts("1", 8).await;
    assert_eq!(delivery.state, DeliveryState::Failed, "given up and kept");
    let hours: Vec<i64> =
        attempts.iter().map(|attempt| attempt.at.ms_since(began) / 3_600_000).collect();
    // 0 s, 5 s, 5 m, 35 m, 2.6 h, 7.6 h, 17.6 h, 27.6 h, each wait up to a tenth longer.
    assert_eq!(hours[..5], [0, 0, 0, 0, 2]);
    assert!((7..=8).contains(&hours[5]) && (17..=19).contains(&hours[6]), "{hours:?}");
    assert!((27..=30).contains(&hours[7]), "{hours:?}");

    receiver.answer(OK);
    let caller = Operator::proven("test").in_account(AccountId::new(ACCOUNT));
    let resent =
        resend_delivery::run(&world.app, &caller, Resend::One("msg_1".to_owned())).await.unwrap();
    assert_eq!(resent, 1);
    world.delivered(&["1".to_owned()]).await;
    let (_, attempts) = world.delivery("1").await;
    assert_eq!(attempts.len(), 9, "every attempt is kept");

    let received = receiver.received();
    assert_eq!(received.len(), 9);
    let ids: HashSet<&str> = received.iter().map(|post| post.id()).collect();
    let bodies: HashSet<&[u8]> = received.iter().map(|post| &post.body[..]).collect();
    let stamps: HashSet<&str> =
        received.iter().map(|post| post.headers["webhook-timestamp"].as_str()).collect();
    assert_eq!((ids.len(), bodies.len()), (1, 1), "one id and the same bytes every time");
    assert!(stamps.len() >= 8, "signed anew: {stamps:?}");
    deliveries.stop().await;
}

#[tokio::test]
async fn a_receiver_that_is_down_for_a_while_loses_nothing() {
    const EVENTS: usize = 40;
    let (world, receiver) = (World::open().await, Receiver::start(BROKEN).await);
    let deliveries = world.start();
    let ids: Vec<String> = (0..EVENTS).map(|n| n.to_string()).collect();
    world.cause(ids.iter().map(|id| world.event(id, &receiver.url())).collect()).await;
    until("each was tried once", async || receiver.count() >= EVENTS).await;
    for id in &ids {
        world.attempts(id, 1).await;
    }
    receiver.answer(OK);
    world.clock.set(world.app.clock().now().plus_ms(6_000));
    world.delivered(&ids).await;
    let received = receiver.received();
    assert_eq!(received.len(), 2 * EVENTS);
    let distinct: HashSet<&str> = received.iter().map(|post| post.id()).collect();
    assert_eq!(distinct.len(), EVENTS);
    deliveries.stop().await;
}
