use yunling_app::principal::Operator;
use yunling_app::resend_delivery;
use yunling_domain::AccountId;
use yunling_store::BULK_ROWS;
use yunling_store::deliveries::{DeliveryFilter, DeliveryState, Resend};

use crate::receiver::{Answer, OK, Receiver};
use crate::world::{ACCOUNT, World, until};

#[tokio::test]
async fn gone_disables_and_an_acknowledged_re_send_enables() {
    let (world, receiver) =
        (World::open().await, Receiver::start(Answer::Status(410, "", "")).await);
    let deliveries = world.start();
    world.cause(vec![world.event("1", &receiver.url())]).await;
    let (delivery, _) = world.attempts("1", 1).await;
    assert_eq!(delivery.state, DeliveryState::Disabled);
    let endpoint = world.endpoint(&receiver.url()).await;
    assert!(endpoint.disabled_at.is_some());
    assert!(endpoint.reason.unwrap_or_default().contains("410"));

    // What comes now is held back, not lost.
    world.cause(vec![world.event("2", &receiver.url())]).await;
    assert_eq!(world.delivery("2").await.0.state, DeliveryState::Disabled);

    receiver.answer(OK);
    let caller = Operator::proven("test").in_account(AccountId::new(ACCOUNT));
    resend_delivery::run(&world.app, &caller, Resend::One("msg_1".to_owned())).await.unwrap();
    world.delivered(&["1".to_owned()]).await;
    let endpoint = world.endpoint(&receiver.url()).await;
    assert_eq!(endpoint.disabled_at, None);
    assert_eq!(world.receiver(&receiver.url()).await.consecutive_failures, 0);
    let actions: Vec<String> = world.audit().await.into_iter().map(|entry| entry.action).collect();
    assert_eq!(actions, ["endpoint.enable", "endpoint.disable"]);

    let rest = Resend::Matching(DeliveryFilter::default());
    assert_eq!(resend_delivery::run(&world.app, &caller, rest).await.unwrap(), 1);
    world.delivered(&["2".to_owned()]).await;
    assert_eq!(receiver.count(), 3);
    deliveries.stop().await;
}

#[tokio::test]
async fn a_backlog_is_held_back_in_turns_and_re_sent_in_turns() {
    const BACKLOG: usize = 2 * BULK_ROWS + 200;
    let (world, receiver) =
        (World::open().await, Receiver::start(Answer::Status(410, "", "")).await);
    let ids: Vec<String> = (0..BACKLOG).map(|n| n.to_string()).collect();
    for some in ids.chunks(300) {
        world.cause(some.iter().map(|id| world.event(id, &receiver.url())).collect()).await;
    }
    let deliveries = world.start();
    let in_state =
        async |state: &str| -> i64 { world.count("delivery", &format!("state = {state}")).await };
    until("all is held back", async || in_state("3").await == BACKLOG as i64).await;
    assert!(receiver.count() < BACKLOG / 2, "{} were sent", receiver.count());
    assert_eq!(world.audit().await.len(), 1, "it was disabled once");

    receiver.answer(OK);
    let caller = Operator::proven("test").in_account(AccountId::new(ACCOUNT));
    let all = Resend::Matching(DeliveryFilter::default());
    let resent = resend_delivery::run(&world.app, &caller, all).await.unwrap();
    assert_eq!(resent, BACKLOG as u64);
    until("all is delivered", async || in_state("1").await == BACKLOG as i64).await;
    assert!(world.endpoint(&receiver.url()).await.disabled_at.is_none());
    deliveries.stop().await;
}
