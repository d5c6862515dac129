//! Batches: nothing until the last turn, every number taken out once, counts that add up.
use yunling_domain::batch::{BatchOutcome, CANCELLED_RULE};
use yunling_domain::{ApplicationId, CallId, ConversationId, Micros, RequestId};
use yunling_store::{
    PageRequest, RequestKind, Store, StoreError,
    attempts::{self, AttemptLane, NewAttempt},
    batches::{
        self, BatchNumber, BatchState, Changed, NewBatch, Progress,
        platform_side::{LiveBatch, PARKED, add_up, finish, live, park, take, tally, unready_of},
    },
    requests::{self, NewRequest, RequestState},
};

use crate::{
    database::{TestDatabase, number, write},
    rows::{NOON, account, attempt, node, request},
};

fn id(name: &str) -> RequestId {
    RequestId::new(format!("RQ{name}"))
}

/// Stores a batch of so many numbers that still loads.
async fn begin(store: &Store, tenant: &str, name: &str, total: u32) {
    let request = NewRequest { kind: RequestKind::Batch, ..request(tenant, name) };
    let new = NewBatch {
        request_id: id(name),
        account: account(tenant),
        application: ApplicationId::new("app"),
        node: node(10_000),
        from_number: None,
        total,
        duplicates: 1,
        created_at: NOON,
    };
    let numbers: Vec<BatchNumber> = (0..total)
        .map(|n| BatchNumber {
            n,
            to_number: format!("+86138{n:08}"),
            to_shown: format!("138{n:08}"),
        })
        .collect();
    write!(store, |tx| async {
        requests::insert(tx, &request).await?;
        batches::begin(tx, &new).await?;
        batches::add(tx, &new.request_id, &numbers).await
    })
    .unwrap();
}

async fn ready(store: &Store, tenant: &str, name: &str, total: u32) {
    begin(store, tenant, name, total).await;
    let (tenant, id) = (account(tenant), id(name));
    write!(store, |tx| batches::make_ready(tx, &tenant, &id)).unwrap();
}

async fn take_some(store: &Store, of: &LiveBatch, limit: u32) -> Vec<u32> {
    let batch = of.batch.clone();
    let taken = write!(store, |tx| take(tx, &batch, limit)).unwrap();
    taken.into_iter().map(|number| number.n).collect()
}

async fn read(store: &Store, tenant: &str, name: &str) -> Option<Progress> {
    batches::get(store.reader(), &account(tenant), &id(name), NOON).await.unwrap()
}

fn queued(tenant: &str, name: &str, call: &str) -> NewAttempt {
    NewAttempt {
        call_id: CallId::new(format!("CA{call}")),
        conversation_id: ConversationId::new(format!("CV{call}")),
        lane: AttemptLane::Batch,
        request_id: id(name),
        deadline_at: PARKED,
        ..attempt(tenant, name)
    }
}

#[tokio::test]
async fn a_batch_that_loads_is_nothing_to_anybody() {
    let database = TestDatabase::fresh().await;
    let store = &database.store;
    begin(store, "a", "half", 3).await;
    let page = PageRequest { after: None, limit: 10 };
    let listed = batches::list(store.reader(), &account("a"), NOON, &page).await.unwrap();
    assert_eq!((read(store, "a", "half").await, listed.rows), (None, vec![]));
    assert_eq!(live(store.reader()).await.unwrap(), []);
    let (tenant, half) = (account("a"), id("half"));
    let paused = write!(store, |tx| batches::pause(tx, &tenant, &half)).unwrap();
    assert_eq!(paused, None);

    let left = unready_of(store.reader(), node(10_000)).await.unwrap();
    assert_eq!(left, [(account("a"), id("half"))]);
    assert_eq!(unready_of(store.reader(), node(10_001)).await.unwrap(), []);
    for dropped in [2, 1, 0] {
        let (tenant, half) = (account("a"), id("half"));
        let gone = write!(store, |tx| batches::drop_numbers(tx, &tenant, &half, 2)).unwrap();
        assert_eq!(gone, dropped);
    }
    let (tenant, half) = (account("a"), id("half"));
    write!(store, |tx| batches::drop_unready(tx, &tenant, &half)).unwrap();
    for table in ["batch", "batch_number", "request"] {
        assert_eq!(number(store, &format!("SELECT COUNT(*) FROM {table}")).await, 0, "{table}");
    }
}

#[tokio::test]
async fn a_batch_that_is_ready_is_not_dropped() {
    let database = TestDatabase::fresh().await;
    let store = &database.store;
    ready(store, "a", "1", 3).await;
    assert_eq!(unready_of(store.reader(), node(10_000)).await.unwrap(), []);
    let (tenant, one) = (account("a"), id("1"));
    assert_eq!(write!(store, |tx| batches::drop_numbers(tx, &tenant, &one, 10)).unwrap(), 0);
    let (tenant, one) = (account("a"), id("1"));
    write!(store, |tx| batches::drop_unready(tx, &tenant, &one)).unwrap();
    let (tenant, one) = (account("a"), id("1"));
    let again = write!(store, |tx| batches::make_ready(tx, &tenant, &one));
    assert!(matches!(again, Err(StoreError::NotFound(_))), "{again:?}");
    let stored = read(store, "a", "1").await.unwrap();
    assert_eq!((stored.batch.state, stored.waiting()), (BatchState::Running, 3));
    assert_eq!(read(store, "b", "1").await, None, "another account's");
}

#[tokio::test]
async fn numbers_are_taken_out_in_order_and_once() {
    let database = TestDatabase::fresh().await;
    let store = &database.store;
    ready(store, "a", "1", 5).await;
    let found = live(store.reader()).await.unwrap();
    assert_eq!(take_some(store, &found[0], 2).await, [0, 1]);
    assert_eq!(take_some(store, &found[0], 9).await, [2, 3, 4]);
    assert_eq!(take_some(store, &found[0], 9).await, [] as [u32; 0]);
    assert_eq!(live(store.reader()).await.unwrap()[0].batch.unqueued, 0);

    // What was paused in the meantime gives none.
    ready(store, "a", "2", 5).await;
    let found = live(store.reader()).await.unwrap().pop().unwrap();
    let (tenant, two) = (account("a"), id("2"));
    write!(store, |tx| batches::pause(tx, &tenant, &two)).unwrap();
    assert_eq!(take_some(store, &found, 9).await, [] as [u32; 0]);
}

#[tokio::test]
async fn a_batch_is_paused_resumed_and_cancelled_once_with_its_queued_attempts() {
    let database = TestDatabase::fresh().await;
    let store = &database.store;
    ready(store, "a", "1", 5).await;
    let row = queued("a", "1", "x");
    write!(store, |tx| attempts::insert(tx, &[row])).unwrap();
    assert_eq!(live(store.reader()).await.unwrap()[0].queued, 1);
    let later = NOON.plus_ms(5_000);
    let state = async || {
        let row = attempts::of_call(store.reader(), &account("a"), &CallId::new("CAx")).await;
        let row = row.unwrap().unwrap().queued;
        (row.due_at, row.deadline_at, row.rule.unwrap_or_default())
    };
    let pause = async || {
        let (tenant, one) = (account("a"), id("1"));
        write!(store, |tx| batches::pause(tx, &tenant, &one)).unwrap()
    };
    let resume = async || {
        let (tenant, one) = (account("a"), id("1"));
        write!(store, |tx| batches::resume(tx, &tenant, &one, later)).unwrap()
    };
    let cancel = async |tenant: &str| {
        let (tenant, one) = (account(tenant), id("1"));
        write!(store, |tx| batches::cancel(tx, &tenant, &one, later)).unwrap()
    };
    assert_eq!(resume().await, Some(Changed::AlreadySo));
    assert_eq!(pause().await, Some(Changed::Yes));
    assert_eq!(state().await, (PARKED, PARKED, "allowed".to_owned()));
    assert_eq!(pause().await, Some(Changed::AlreadySo));
    assert_eq!(resume().await, Some(Changed::Yes));
    assert_eq!(state().await, (later, PARKED, "allowed".to_owned()));
    assert_eq!(cancel("b").await, None, "another account's");
    assert_eq!(cancel("a").await, Some(Changed::Yes));
    assert_eq!(state().await, (later, later, CANCELLED_RULE.to_owned()));
    assert_eq!(cancel("a").await, Some(Changed::AlreadySo));
    assert_eq!(pause().await, Some(Changed::NotIn(BatchState::Cancelled)));
    let stored = requests::get(store.reader(), &account("a"), &id("1")).await.unwrap().unwrap();
    assert_eq!(stored.state, RequestState::Cancelled);
}

#[tokio::test]
async fn a_held_row_is_parked_only_while_its_batch_is_paused() {
    let database = TestDatabase::fresh().await;
    let store = &database.store;
    ready(store, "a", "1", 5).await;
    let row = queued("a", "1", "x");
    write!(store, |tx| attempts::insert(tx, &[row])).unwrap();
    let later = NOON.plus_ms(5_000);
    for (paused, due_at) in [(true, PARKED), (false, later)] {
        let wanted = crate::rows::claim(NOON.plus_ms(1), 1);
        let held = write!(store, |tx| attempts::platform_side::claim_due(tx, &wanted)).unwrap().due;
        assert_eq!(held.len(), 1);
        let (tenant, one, ids) = (account("a"), id("1"), [held[0].id]);
        if paused {
            write!(store, |tx| batches::pause(tx, &tenant, &one)).unwrap();
        }
        write!(store, |tx| park(tx, &ids, later)).unwrap();
        let row = attempts::of_call(store.reader(), &account("a"), &CallId::new("CAx")).await;
        assert_eq!(row.unwrap().unwrap().queued.due_at, due_at, "{paused}");
        if paused {
            let (tenant, one) = (account("a"), id("1"));
            write!(store, |tx| batches::resume(tx, &tenant, &one, NOON)).unwrap();
        }
    }
}

#[tokio::test]
async fn counts_stay_the_same_while_results_are_added_up_and_the_last_one_finishes() {
    let database = TestDatabase::fresh().await;
    let store = &database.store;
    ready(store, "a", "1", 6).await;
    ready(store, "a", "2", 1).await;
    let found = live(store.reader()).await.unwrap();
    take_some(store, &found[0], 6).await;
    for (n, outcome) in BatchOutcome::ALL.into_iter().enumerate() {
        let at = NOON.plus_ms(i64::try_from(n).unwrap() - 3);
        write!(store, |tx| batches::note_result(tx, &id("1"), at, outcome)).unwrap();
    }
    let expected = [1; 6];
    let before = read(store, "a", "1").await.unwrap();
    assert_eq!((before.results, before.recent, before.waiting()), (expected, 3, 0));
    for before in [Micros(i64::MIN), NOON, Micros(i64::MAX)] {
        let found = tally(store.reader(), &id("1"), before).await.unwrap();
        assert!(found.is_complete);
        assert_eq!(found.has_older, before > Micros(i64::MIN));
        write!(store, |tx| add_up(tx, &id("1"), before, 100)).unwrap();
        assert_eq!(read(store, "a", "1").await.unwrap().results, expected, "{before:?}");
    }
    assert_eq!(number(store, "SELECT COUNT(*) FROM batch_result").await, 0);
    let done = NOON.plus_ms(9_000);
    assert!(!write!(store, |tx| finish(tx, &id("2"), done)).unwrap(), "it has a number left");
    assert!(write!(store, |tx| finish(tx, &id("1"), done)).unwrap());
    assert!(!write!(store, |tx| finish(tx, &id("1"), done)).unwrap());
    let finished = read(store, "a", "1").await.unwrap().batch;
    assert_eq!((finished.state, finished.finished_at), (BatchState::Finished, Some(done)));
    let request = requests::get(store.reader(), &account("a"), &id("1")).await.unwrap().unwrap();
    assert_eq!(request.state, RequestState::Finished);
    let page = PageRequest { after: None, limit: 1 };
    let first = batches::list(store.reader(), &account("a"), NOON, &page).await.unwrap();
    assert_eq!(first.rows[0].batch.request_id, id("2"), "newest first");
    let page = PageRequest { after: first.next, limit: 1 };
    let second = batches::list(store.reader(), &account("a"), NOON, &page).await.unwrap();
    assert_eq!((second.rows[0].results, second.next), (expected, None));
    assert_eq!(batches::waiting_of(store.reader(), &account("a")).await.unwrap(), 1);
}

#[tokio::test]
async fn a_batch_with_numbers_left_is_live_to_its_application() {
    let database = TestDatabase::fresh().await;
    let store = &database.store;
    ready(store, "a", "1", 2).await;
    let app = ApplicationId::new("app");
    let window = requests::LiveWindow::default();
    let found = requests::live(store.reader(), &account("a"), &app, &window, 9).await.unwrap();
    assert_eq!(found.len(), 1);
}
