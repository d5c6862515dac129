use yunling_domain::ConversationId;
use yunling_store::deliveries::DeliveryState;

use crate::receiver::{Answer, BROKEN, OK, Receiver};
use crate::world::{World, until};

#[tokio::test]
async fn a_dead_receiver_slows_nobody_however_many_addresses_it_has() {
    let world = World::open().await;
    let (dead, healthy) = (Receiver::start(Answer::Hang).await, Receiver::start(OK).await);
    let mut settings = World::settings();
    settings.callbacks.timeout_ms = 60_000;
    settings.callbacks.max_in_flight = 12;
    settings.callbacks.max_in_flight_per_endpoint = 3;
    let deliveries = world.start_with(&settings);
    let dead_ones: Vec<String> = (0..400).map(|n| format!("dead{n}")).collect();
    let address = |id: &String| format!("{}&order={id}", dead.url());
    world.cause(dead_ones.iter().map(|id| world.event(id, &address(id))).collect()).await;
    until("the dead one's lane is full", async || dead.count() == 3).await;
    let healthy_ones: Vec<String> = (0..60).map(|n| format!("ok{n}")).collect();
    world.cause(healthy_ones.iter().map(|id| world.event(id, &healthy.url())).collect()).await;
    world.delivered(&healthy_ones).await;
    assert_eq!(healthy.count(), 60);
    assert_eq!(dead.count(), 3, "no more than its lane holds");
    deliveries.stop().await;
}

#[tokio::test]
async fn first_attempts_of_a_conversation_arrive_in_order() {
    const EVENTS: u32 = 40;
    let (world, receiver) = (World::open().await, Receiver::start(BROKEN).await);
    let deliveries = world.start();
    let events = |conversation: &str, from: u32, to: u32| {
        (from..to)
            .map(|seq| {
                let mut event = world.event(&format!("{conversation}-{seq}"), &receiver.url());
                event.conversation_id = Some(ConversationId::new(conversation));
                event.seq = seq;
                event
            })
            .collect::<Vec<_>>()
    };
    // The heads fail and move to their retries; the others go on.
    world.cause([events("x", 0, 20), events("y", 0, 20)].concat()).await;
    until("some were tried", async || receiver.count() >= 10).await;
    receiver.answer(OK);
    world.cause([events("x", 20, EVENTS), events("y", 20, EVENTS)].concat()).await;
    until("each was tried once", async || receiver.count() >= 2 * EVENTS as usize).await;
    for conversation in ["x", "y"] {
        let order: Vec<u32> = receiver
            .received()
            .iter()
            .filter_map(|post| {
                post.id().strip_prefix(&format!("msg_{conversation}-"))?.parse().ok()
            })
            .collect();
        assert_eq!(order, (0..EVENTS).collect::<Vec<_>>(), "{conversation}");
    }
    world.attempts("x-0", 1).await;
    assert_eq!(world.delivery("x-0").await.0.state, DeliveryState::Pending);
    world.clock.set(world.app.clock().now().plus_ms(6_000));
    world.delivered(&(0..EVENTS).map(|seq| format!("x-{seq}")).collect::<Vec<_>>()).await;
    deliveries.stop().await;
}
