use std::time::Duration;

use yunling_app::secrets::WebhookSecret;
use yunling_store::deliveries::DeliveryState;
use yunling_workers::signature;

use crate::receiver::{Answer, BROKEN, OK, Receiver};
use crate::world::{SECRET, World, until};

#[tokio::test]
async fn a_row_becomes_a_signed_post_and_a_recorded_attempt() {
    let (world, receiver) = (World::open().await, Receiver::start(OK).await);
    let deliveries = world.start();
    let event = world.event("1", &receiver.url());
    let body = event.body.clone();
    world.cause(vec![event]).await;

    let (delivery, attempts) = world.attempts("1", 1).await;
    assert_eq!(delivery.state, DeliveryState::Delivered);
    assert!(delivery.delivered_at.is_some());
    assert_eq!(attempts[0].status, Some(200));
    assert_eq!(attempts[0].error, None);
    assert_eq!(attempts[0].answer_head.as_deref(), Some("thanks"));

    let received = receiver.received();
    assert_eq!(received.len(), 1);
    let post = &received[0];
    assert_eq!(post.path, "/cdr?key=1");
    assert_eq!(post.body, body.as_bytes());
    let agent = concat!("Yunling/", env!("CARGO_PKG_VERSION"));
    let expected = [
        ("webhook-id", "msg_1"),
        ("content-type", "application/json;charset=utf-8"),
        ("accept", "application/json"),
        ("user-agent", agent),
    ];
    for (name, value) in expected {
        assert_eq!(post.headers[name], value, "{name}");
    }
    let secret: WebhookSecret = SECRET.parse().unwrap();
    let verdict = signature::verify(
        &secret,
        post.id(),
        &post.headers["webhook-timestamp"],
        &post.headers["webhook-signature"],
        &post.body,
        world.app.clock().now(),
    );
    assert_eq!(verdict, Ok(()));
    deliveries.stop().await;
}

/// What a receiver does, and what the attempt then says.
struct Case {
    answer: Answer,
    state: DeliveryState,
    status: Option<u16>,
    error: &'static str,
    head: Option<&'static str>,
    /// Least and greatest wait before the next attempt.
    wait_ms: Option<(i64, i64)>,
}

#[tokio::test]
async fn every_answer_is_understood_and_kept() {
    use DeliveryState::{Delivered, Disabled, Pending};
    let elsewhere = Receiver::start(OK).await;
    let failed = |answer, status, error, head, wait_ms| Case {
        answer,
        state: Pending,
        status,
        error,
        head,
        wait_ms: Some(wait_ms),
    };
    let soon = (5_000, 5_500);
    let cases = [
        Case {
            answer: Answer::Status(204, "", ""),
            state: Delivered,
            status: Some(204),
            error: "",
            head: None,
            wait_ms: None,
        },
        Case {
            answer: Answer::SlowDrip,
            state: Delivered,
            status: Some(200),
            error: "",
            head: Some("."),
            wait_ms: None,
        },
        Case {
            answer: Answer::Huge,
            state: Delivered,
            status: Some(200),
            error: "",
            head: Some("x"),
            wait_ms: None,
        },
        Case {
            answer: Answer::Status(410, "", "gone"),
            state: Disabled,
            status: Some(410),
            error: "answered 410",
            head: Some("gone"),
            wait_ms: None,
        },
        failed(BROKEN, Some(500), "answered 500", Some("we are broken"), soon),
        failed(
            Answer::Status(404, "", "\0no"),
            Some(404),
            "answered 404",
            Some("\u{fffd}no"),
            soon,
        ),
        failed(
            Answer::RedirectTo(elsewhere.url()),
            Some(302),
            "redirects are not followed",
            None,
            soon,
        ),
        failed(Answer::Hang, None, "no answer within 500 ms", None, soon),
        failed(Answer::Reset, None, "the connection broke", None, (1_000, 1_100)),
        failed(
            Answer::Status(429, "retry-after: 120\r\n", ""),
            Some(429),
            "answered 429",
            None,
            (120_000, 132_000),
        ),
        failed(
            Answer::Status(503, "retry-after: 999999999\r\n", ""),
            Some(503),
            "answered 503",
            None,
            (86_400_000, 95_040_000),
        ),
    ];
    let world = World::open().await;
    let deliveries = world.start();
    for (n, case) in cases.into_iter().enumerate() {
        let what = format!("{:?}", case.answer);
        let receiver = Receiver::start(case.answer).await;
        let id = n.to_string();
        world.cause(vec![world.event(&id, &receiver.url())]).await;
        let (delivery, attempts) = world.attempts(&id, 1).await;
        let attempt = &attempts[0];
        assert_eq!(delivery.state, case.state, "{what}");
        assert_eq!(attempt.status, case.status, "{what}: {attempt:?}");
        let error = attempt.error.as_deref().unwrap_or_default();
        assert!(
            error.contains(case.error) && error.is_empty() == case.error.is_empty(),
            "{what}: {error}"
        );
        let head = attempt.answer_head.as_deref();
        assert!(
            head.unwrap_or_default().starts_with(case.head.unwrap_or_default()),
            "{what}: {head:?}"
        );
        assert_eq!(head.is_some(), case.head.is_some(), "{what}");
        assert!(head.unwrap_or_default().len() <= 512, "{what}");
        if let Some((least, greatest)) = case.wait_ms {
            let wait_ms = delivery.next_at.ms_since(world.app.clock().now());
            assert!((least..=greatest).contains(&wait_ms), "{what}: {wait_ms}");
        }
        assert_eq!(receiver.count(), 1, "{what}");
    }
    assert_eq!(elsewhere.count(), 0, "no redirect was followed");
    deliveries.stop().await;
}

#[tokio::test]
async fn a_failed_connection_is_tried_again_after_a_second() {
    let world = World::open().await;
    let receiver = Receiver::start(OK).await;
    let url = receiver.url();
    drop(receiver);
    tokio::task::yield_now().await;
    let deliveries = world.start();
    world.cause(vec![world.event("1", &url)]).await;
    let mut last_wait_ms = Vec::new();
    for count in 1..=3 {
        let (delivery, attempts) = world.attempts("1", count).await;
        let error = attempts[count - 1].error.clone().unwrap_or_default();
        assert!(error.starts_with("no connection: "), "{error}");
        last_wait_ms.push(delivery.next_at.ms_since(world.app.clock().now()));
        world.clock.set(delivery.next_at);
    }
    for (wait_ms, least) in last_wait_ms.into_iter().zip([1_000, 5_000, 300_000]) {
        assert!((least..=least + least / 10).contains(&wait_ms), "{wait_ms} for {least}");
    }
    deliveries.stop().await;
}

#[tokio::test]
async fn the_extra_try_after_a_failed_connection_takes_no_step() {
    let (world, receiver) = (World::open().await, Receiver::start(Answer::Reset).await);
    let deliveries = world.start();
    world.cause(vec![world.event("1", &receiver.url())]).await;
    for (count, least_ms) in [(1, 1_000), (2, 5_000), (3, 300_000)] {
        let (delivery, _) = world.attempts("1", count).await;
        let wait_ms = delivery.next_at.ms_since(world.app.clock().now());
        assert!((least_ms..=least_ms + least_ms / 10).contains(&wait_ms), "{count}: {wait_ms}");
        // It is up again, and what is behind it is not yet.
        receiver.answer(Answer::Status(502, "", ""));
        world.clock.set(delivery.next_at);
    }
    deliveries.stop().await;
}

#[tokio::test]
async fn nothing_is_sent_for_an_application_that_is_gone() {
    let (world, receiver) = (World::open().await, Receiver::start(OK).await);
    let deliveries = world.start();
    let mut event = world.event("1", &receiver.url());
    event.application = yunling_domain::ApplicationId::new("removed");
    world.cause(vec![event]).await;
    let (delivery, attempts) = world.attempts("1", 1).await;
    assert_eq!(delivery.state, DeliveryState::Pending);
    assert!(attempts[0].error.as_deref().unwrap_or_default().contains("application is gone"));
    assert_eq!(receiver.count(), 0);
    deliveries.stop().await;
}

#[tokio::test]
async fn what_cannot_be_signed_waits_and_costs_no_try() {
    let (world, receiver) = (World::open().await, Receiver::start(OK).await);
    let sealed = world.damage_secrets().await;
    let deliveries = world.start();
    world.cause(vec![world.event("1", &receiver.url())]).await;
    // More often than a callback is ever tried.
    for _ in 0..12 {
        let now = world.app.clock().now();
        until("it was put off", async || {
            world.delivery("1").await.0.next_at == now.plus_ms(60_000)
        })
        .await;
        let (delivery, attempts) = world.delivery("1").await;
        assert_eq!((delivery.state, delivery.tries), (DeliveryState::Pending, 0));
        assert!(attempts.is_empty(), "{attempts:?}");
        world.clock.set(delivery.next_at);
    }
    assert_eq!(receiver.count(), 0);
    world.restore_secrets(sealed).await;
    until("it is delivered", async || {
        let (delivery, _) = world.delivery("1").await;
        world.clock.set(delivery.next_at.max(world.app.clock().now()));
        delivery.state == DeliveryState::Delivered
    })
    .await;
    assert_eq!(receiver.count(), 1);
    deliveries.stop().await;
}

#[tokio::test]
async fn a_near_retry_comes_by_itself_in_real_time() {
    let (world, receiver) = (World::open().await, Receiver::start(Answer::Reset).await);
    let settings = yunling_workers::DeliverySettings { sweep_ms: 3_600_000, ..World::settings() };
    let deliveries = world.start_with(&settings);
    world.cause(vec![world.event("1", &receiver.url())]).await;
    let (delivery, _) = world.attempts("1", 1).await;
    receiver.answer(OK);
    // No poke and no sweep: only the remembered instant.
    world.clock.set(delivery.next_at);
    tokio::time::timeout(Duration::from_secs(20), world.delivered(&["1".to_owned()]))
        .await
        .unwrap();
    assert_eq!(receiver.count(), 2);
    deliveries.stop().await;
}
