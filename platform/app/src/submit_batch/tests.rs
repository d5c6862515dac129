#![expect(clippy::unwrap_used, reason = "tests")]
use super::*;
use crate::fakes::{ACCOUNT, APPID, World};
use crate::feed_batches;
use crate::idempotency::Idempotency;
use crate::principal::ReadCalls;
use crate::{get_batch, get_request};
use serde_json::{Value, json};
use yunling_domain::{AccountId, IdKind};
use yunling_store::Lane;
use yunling_store::attempts::{AttemptLane, of_request};
use yunling_store::batches::{BatchNumber, BatchState, NewBatch};
use yunling_store::requests::{self, NewRequest, RequestState};

fn batch(to: &str) -> Value {
    json!({ "appid": APPID, "to": to, "contents": [{ "type": "digits", "content": "1" }] })
}

async fn send(world: &World, body: &Value, key: Option<&str>) -> Result<AcceptedBatch, Refusal> {
    let text = body.to_string();
    let idempotency = key.map(|key| Idempotency::new(key, text.as_bytes())).transpose()?;
    let envelope = Envelope { idempotency, ..Envelope::default() };
    let caller = world.caller();
    let request = NoticeRequest::from_body(text.as_bytes())?;
    let place = world.app.batch_room().enter(caller.account())?;
    run(&world.app, &caller, request, envelope, &place).await
}

async fn attempts_of(world: &World, id: &RequestId) -> Vec<yunling_store::attempts::Attempt> {
    of_request(world.app.store().reader(), &AccountId::new(ACCOUNT), id).await.unwrap()
}

#[tokio::test]
async fn a_batch_is_whole_when_it_is_answered_and_then_fed() {
    let world = World::open().await;
    let to: Vec<String> = (0..1_200).map(|n| format!("138{n:08}")).collect();
    let accepted = send(&world, &batch(&(to.join(",") + ",x,x")), None).await.unwrap();
    let caller = world.caller::<ReadCalls>();
    let view = get_batch::run(&world.app, &caller, &accepted.request_id).await.unwrap();
    let stored = &view.progress.batch;
    assert_eq!((stored.total, stored.duplicates, stored.unqueued), (1_201, 1, 1_201));
    assert_eq!((stored.state, view.progress.waiting()), (BatchState::Running, 1_201));
    let request = get_request::run(&world.app, &caller, &accepted.request_id).await.unwrap();
    assert_eq!(request.state, RequestState::Accepted);
    assert!(attempts_of(&world, &accepted.request_id).await.is_empty());

    let fed = feed_batches::run(&world.app).await.unwrap();
    assert_eq!(fed.queued, 256);
    assert_eq!(feed_batches::run(&world.app).await.unwrap().queued, 0, "the window is full");
    let attempts = attempts_of(&world, &accepted.request_id).await;
    let shown: Vec<&str> = attempts.iter().map(|one| one.queued.to_shown.as_str()).collect();
    assert_eq!(shown, to[..256].iter().map(String::as_str).collect::<Vec<_>>());
    let first = &attempts[0].queued;
    assert_eq!(first.lane, AttemptLane::Batch);
    assert_eq!(first.from_number.as_deref(), Some("+861080001001"));
}

#[tokio::test]
async fn a_number_that_the_gate_refuses_is_taken_among_others_and_not_alone() {
    let world = World::open().await;
    for (to, expected) in [
        ("110,+85221234567,13800100001", Ok(3)),
        ("110,+85221234567", Err((-5, "emergency_number"))),
        ("+85221234567,x", Err((-5, "destination_not_allowed"))),
        ("x,y", Err((-4, "bad_number"))),
    ] {
        let outcome = send(&world, &batch(to), None).await;
        match (outcome, expected) {
            (Ok(accepted), Ok(total)) => {
                let view =
                    get_batch::run(&world.app, &world.caller::<ReadCalls>(), &accepted.request_id)
                        .await
                        .unwrap();
                assert_eq!(view.progress.batch.total, total, "{to}");
            }
            (Err(refusal), Err(told)) => {
                assert_eq!((refusal.code.surface, refusal.code.name), told, "{to}");
            }
            (outcome, _) => panic!("{to}: {outcome:?}"),
        }
    }
    world.trunk_down("carrier-a");
    world.trunk_down("carrier-b");
    assert_eq!(send(&world, &batch("13800100001"), None).await.unwrap_err().code.surface, -6);
}

#[tokio::test]
async fn the_same_key_gets_the_same_answer_and_one_batch() {
    let world = Arc::new(World::open().await);
    let mut sending = tokio::task::JoinSet::new();
    // As many as an account may send at once.
    for _ in 0..2 {
        let world = Arc::clone(&world);
        sending.spawn(async move { send(&world, &batch("13800100001,x"), Some("k")).await });
    }
    let answers: Vec<AcceptedBatch> =
        sending.join_all().await.into_iter().map(Result::unwrap).collect();
    assert!(answers.iter().all(|one| one.request_id == answers[0].request_id), "{answers:?}");
    assert_eq!(answers.iter().filter(|one| !one.replayed).count(), 1);
    let waiting = batches::waiting_of(world.app.store().reader(), &AccountId::new(ACCOUNT)).await;
    assert_eq!(waiting.unwrap(), 2, "what lost the race left nothing");
    let other = send(&world, &batch("13800100002"), Some("k")).await.unwrap_err();
    assert_eq!(other.code.name, "idempotency_conflict");
}

#[tokio::test]
async fn half_a_batch_is_dropped_by_the_next_start() {
    let world = World::open().await;
    let id = RequestId::new(world.app.ids().mint(IdKind::Request));
    let account = AccountId::new(ACCOUNT);
    let (request, half) = half_of_one(&world, &id);
    world
        .app
        .store()
        .writer()
        .write(Lane::Live, move |tx| {
            Box::pin(async move {
                requests::insert(tx, &request).await?;
                batches::begin(tx, &half).await?;
                let numbers: Vec<BatchNumber> = (0..500)
                    .map(|n| BatchNumber {
                        n,
                        to_number: format!("+86138{n:08}"),
                        to_shown: "x".into(),
                    })
                    .collect();
                batches::add(tx, &half.request_id, &numbers).await
            })
        })
        .await
        .unwrap();
    assert!(feed_batches::run(&world.app).await.unwrap().batches.is_empty(), "it is nothing yet");
    assert!(get_batch::run(&world.app, &world.caller::<ReadCalls>(), &id).await.is_err());
    let whole = send(&world, &batch("13800100001"), None).await.unwrap();
    assert_eq!(discard_unready(&world.app).await.unwrap(), 1);
    assert_eq!(discard_unready(&world.app).await.unwrap(), 0);
    let reader = world.app.store().reader();
    assert!(requests::get(reader, &account, &id).await.unwrap().is_none());
    assert_eq!(batches::waiting_of(reader, &account).await.unwrap(), 1);
    assert!(
        get_batch::run(&world.app, &world.caller::<ReadCalls>(), &whole.request_id).await.is_ok()
    );
}

fn half_of_one(world: &World, id: &RequestId) -> (NewRequest, NewBatch) {
    let (account, application) =
        (AccountId::new(ACCOUNT), yunling_domain::ApplicationId::new(APPID));
    let created_at = world.app.clock().now();
    let request = NewRequest {
        id: id.clone(),
        account: account.clone(),
        application: application.clone(),
        kind: yunling_store::RequestKind::Batch,
        spec: json!({}),
        to_raw: String::new(),
        userdata: None,
        urls: json!({}),
        from_number: None,
        api_version: String::new(),
        created_at,
    };
    let batch = NewBatch {
        request_id: id.clone(),
        account,
        application,
        node: world.app.settings().node.0,
        from_number: None,
        total: 100_000,
        duplicates: 0,
        created_at,
    };
    (request, batch)
}

#[tokio::test]
async fn an_account_has_an_end_of_numbers_that_wait() {
    let world = World::open().await;
    let account = AccountId::new(ACCOUNT);
    let directory = world.app.directory();
    let account = directory.account(&account).unwrap();
    assert!(room_for(&world.app, account, 1_000_000).await.is_ok());
    let refusal = room_for(&world.app, account, 1_000_001).await.unwrap_err();
    assert_eq!((refusal.code.name, refusal.retry_after_s), ("queue_full", Some(60)));
}
