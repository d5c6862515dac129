use std::collections::HashSet;

use yunling_store::deliveries::DeliveryState;

use crate::receiver::{Answer, OK, Receiver};
use crate::world::{World, until};

#[tokio::test]
async fn what_was_in_flight_at_a_crash_is_sent_again() {
    let (world, receiver) = (World::open().await, Receiver::start(Answer::Hang).await);
    let mut settings = World::settings();
    settings.callbacks.timeout_ms = 60_000;
    let deliveries = world.start_with(&settings);
    world.cause(vec![world.event("1", &receiver.url())]).await;
    until("it is in flight", async || receiver.count() == 1).await;
    // Dropped at once, as `finish_ms` is 0: the row is left claimed, as after a kill.
    deliveries.stop().await;
    let (left, attempts) = world.delivery("1").await;
    assert_eq!((left.state, attempts.len()), (DeliveryState::Pending, 0));
    assert!(left.next_at > world.app.clock().now(), "claimed");

    receiver.answer(OK);
    let deliveries = world.start();
    world.clock.set(left.next_at);
    world.delivered(&["1".to_owned()]).await;
    let received = receiver.received();
    assert_eq!(received.len(), 2);
    assert_eq!(received[0].id(), received[1].id());
    assert_eq!(received[0].body, received[1].body);
    deliveries.stop().await;
}

#[tokio::test]
async fn what_came_while_nobody_delivered_is_found_at_the_start() {
    let (world, receiver) = (World::open().await, Receiver::start(OK).await);
    let ids: Vec<String> = (0..5).map(|n| n.to_string()).collect();
    world.cause(ids.iter().map(|id| world.event(id, &receiver.url())).collect()).await;
    let deliveries = world.start();
    world.delivered(&ids).await;
    assert_eq!(receiver.count(), 5);
    deliveries.stop().await;
}

#[tokio::test]
async fn two_deliverers_never_send_the_same_twice() {
    let (world, receiver) = (World::open().await, Receiver::start(OK).await);
    let (one, other) = (world.start(), world.start());
    let ids: Vec<String> = (0..120).map(|n| n.to_string()).collect();
    for some in ids.chunks(10) {
        world.cause(some.iter().map(|id| world.event(id, &receiver.url())).collect()).await;
    }
    world.delivered(&ids).await;
    let received = receiver.received();
    let distinct: HashSet<&str> = received.iter().map(|post| post.id()).collect();
    assert_eq!((received.len(), distinct.len()), (120, 120));
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn attempts_in_flight_may_end_at_the_stop() {
    let (world, receiver) = (World::open().await, Receiver::start(Answer::SlowDrip).await);
    let settings = yunling_workers::DeliverySettings { finish_ms: 30_000, ..World::settings() };
    let deliveries = world.start_with(&settings);
    world.cause(vec![world.event("1", &receiver.url())]).await;
    until("it is in flight", async || receiver.count() == 1).await;
    deliveries.stop().await;
    assert_eq!(world.delivery("1").await.0.state, DeliveryState::Delivered);
}
