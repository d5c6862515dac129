use std::sync::Arc;

use yunling_domain::{AccountId, Micros};
use yunling_store::deliveries::DeliveryState;
use yunling_store::idempotency::{self, IdempotencyKey, Known};
use yunling_store::{JobPool, Lane};
use yunling_workers::Workers;

use crate::receiver::{Answer, BROKEN, OK, Receiver};
use crate::world::{ACCOUNT, World, until};

/// Long ago, so that stored wake-ups are due at once by the job library's own clock.
const LONG_AGO: Micros = Micros(1_000_000_000_000_000);
const DAY_MS: i64 = 24 * 3_600 * 1_000;

async fn done(world: &World, queue: &str) -> i64 {
    let condition = format!("job_type = '{queue}' AND status = 'Done'");
    world.count(world.jobs_table(), &condition).await
}

#[tokio::test]
async fn the_whole_role_delivers_and_its_jobs_run() {
    let receiver = Receiver::start(Answer::Status(503, "retry-after: 600\r\n", "")).await;
    let world = World::open().await;
    world.clock.set(LONG_AGO);
    let key = IdempotencyKey {
        account: AccountId::new(ACCOUNT),
        key: "k".to_owned(),
        route: "r".to_owned(),
    };
    let reserved = key.clone();
    let writer = world.app.store().writer();
    let old = LONG_AGO.plus_ms(-DAY_MS - 1);
    let take = writer.write(Lane::Live, move |tx| {
        Box::pin(async move { idempotency::reserve(tx, &reserved, "sha", old).await })
    });
    assert_eq!(take.await.unwrap(), Known::New);

    let workers = Workers::start(world.app.clone(), Arc::clone(&world.poked)).await.unwrap();
    world.cause(vec![world.event("1", &receiver.url())]).await;
    world.attempts("1", 1).await;
    for queue in ["wake_delivery", "sweep", "retention", "dead_endpoints"] {
        until(&format!("a job of {queue} is done"), async || done(&world, queue).await > 0).await;
    }
    let known = idempotency::lookup(world.app.store().reader(), &key, "sha").await.unwrap();
    assert_eq!(known, Known::New, "kept for 24 h and no longer");

    receiver.answer(OK);
    world.clock.set(world.delivery("1").await.0.next_at);
    world.delivered(&["1".to_owned()]).await;
    workers.stop().await;

    // A second start on the same database.
    let workers = Workers::start(world.app.clone(), Arc::clone(&world.poked)).await.unwrap();
    world.cause(vec![world.event("2", &receiver.url())]).await;
    world.delivered(&["2".to_owned()]).await;
    workers.stop().await;
}

#[tokio::test]
async fn what_ended_a_week_ago_and_idle_endpoints_are_removed() {
    let (world, receiver) = (World::open().await, Receiver::start(OK).await);
    world.clock.set(LONG_AGO);
    world.cause(vec![world.event("kept", &receiver.url())]).await;
    let (old, young) = (LONG_AGO.0, LONG_AGO.plus_ms(DAY_MS).0);
    for (id, at) in [("old", old), ("young", young)] {
        for sql in [
            format!(
                "INSERT INTO request (id, account, application, kind, state, spec, to_raw, urls, \
                 api_version, created_at) \
                 VALUES ('{id}', 'a', 'a', 'k', 's', '{{}}', '1', '{{}}', 'v', {at})"
            ),
            format!(
                "INSERT INTO attempt (call_id, conversation_id, request_id, account, application, \
                 lane, to_number, to_shown, state, due_at, deadline_at, try_no, ended_at, \
                 created_at) VALUES ('{id}', '{id}', '{id}', 'a', 'a', 1, '1', '1', 4, {at}, {at}, \
                 1, {at}, {at})"
            ),
            format!(
                "INSERT INTO endpoint (account, url_hash, url, consecutive_failures, created_at) \
                 VALUES ('a', '{id}', '{id}', 0, {at})"
            ),
        ] {
            assert_eq!(world.execute(&sql).await, 1);
        }
    }
    world.clock.set(LONG_AGO.plus_ms(7 * DAY_MS + 1));
    let workers = Workers::start(world.app.clone(), Arc::clone(&world.poked)).await.unwrap();
    until("retention is done", async || done(&world, "retention").await > 0).await;
    assert_eq!(world.texts("SELECT call_id FROM attempt").await, ["young"]);
    let endpoints = world.texts("SELECT url FROM endpoint ORDER BY id").await;
    assert_eq!(endpoints, [format!("http://{}", receiver.address), "young".to_owned()]);
    workers.stop().await;
}

#[tokio::test]
async fn the_database_keeps_syncing_beside_the_job_library() {
    let world = World::open().await;
    let workers = Workers::start(world.app.clone(), Arc::clone(&world.poked)).await.unwrap();
    let (setting, full) = match world.app.store().job_pool() {
        JobPool::Sqlite(_) => ("SELECT CAST(synchronous AS TEXT) FROM pragma_synchronous", "2"),
        JobPool::Postgres(_) => ("SHOW synchronous_commit", "on"),
    };
    assert_eq!(world.texts(setting).await, [full]);
    workers.stop().await;
}

#[tokio::test]
async fn an_endpoint_that_fails_for_days_is_disabled_with_an_alarm() {
    let receiver = Receiver::start(BROKEN).await;
    let world = World::open().await;
    world.clock.set(LONG_AGO);
    let deliveries = world.start();
    for (id, later_ms) in [("old", 0), ("new", 6 * DAY_MS)] {
        world.clock.set(LONG_AGO.plus_ms(later_ms));
        world.cause(vec![world.event(id, &receiver.url())]).await;
        for count in 1..=8 {
            let (delivery, _) = world.attempts(id, count).await;
            if delivery.state == DeliveryState::Pending {
                world.clock.set(delivery.next_at);
            }
        }
        assert_eq!(world.delivery(id).await.0.state, DeliveryState::Failed);
    }
    deliveries.stop().await;

    let workers = Workers::start(world.app.clone(), Arc::clone(&world.poked)).await.unwrap();
    until("it is disabled", async || world.receiver(&receiver.url()).await.disabled_at.is_some())
        .await;
    let audit = world.audit().await;
    assert_eq!(audit[0].action, "endpoint.disable");
    assert_eq!(audit[0].detail["reason"], "every attempt of the last 5 days failed");
    workers.stop().await;
}

/// Two nodes keep one schedule, and both store wake-ups: of two with one key the first is kept, and
/// the others of its batch are not lost with it.
#[tokio::test]
async fn of_two_jobs_with_one_key_one_is_kept() {
    let world = World::open().await;
    world.clock.set(LONG_AGO);
    let one = Workers::start(world.app.clone(), Arc::clone(&world.poked)).await.unwrap();
    let another = Workers::start(world.app.clone(), Arc::clone(&world.poked)).await.unwrap();
    until("retention is done", async || done(&world, "retention").await > 0).await;
    until("a sweep is done", async || done(&world, "sweep").await > 0).await;
    for queue in ["retention", "sweep", "dead_endpoints"] {
        let jobs = world.count(world.jobs_table(), &format!("job_type = '{queue}'")).await;
        assert_eq!(jobs, 1, "{queue}: one for a slot of the standing clock");
    }
    one.stop().await;
    another.stop().await;
}
