//! Many operations to a transaction: what succeeds is kept and answered after its commit, what
//! fails is undone alone.
use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures_util::{FutureExt, future::BoxFuture};
use proptest::{collection::vec, prelude::*, test_runner::Config};
use sea_orm::ConnectionTrait;
use tokio::sync::Barrier;
use yunling_store::{BULK_ROWS, DatabaseTransaction, Lane, OpenOptions, Store, StoreError};

use crate::database::{TestDatabase, execute, number};

/// How an operation of the property test behaves.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Manner {
    Succeeds,
    /// Writes, then fails by itself.
    FailsAfterWriting,
    /// Writes, then violates a constraint.
    Collides,
    /// Writes, then panics.
    Panics,
    /// Writes, and its caller does not wait.
    Forgotten,
}

fn manner() -> impl Strategy<Value = Manner> {
    prop_oneof![
        4 => Just(Manner::Succeeds),
        1 => Just(Manner::FailsAfterWriting),
        1 => Just(Manner::Collides),
        1 => Just(Manner::Panics),
        1 => Just(Manner::Forgotten),
    ]
}

async fn table(store: &Store) {
    execute(store, "CREATE TABLE mark (n BIGINT PRIMARY KEY)").await.unwrap();
    execute(store, "INSERT INTO mark VALUES (-1)").await.unwrap();
}

/// Inserts `n` and behaves; answers what a reader of the database sees right after the answer.
async fn mark(
    store: &Store,
    lane: Lane,
    n: usize,
    manner: Manner,
) -> (Result<(), StoreError>, i64) {
    let answer = store
        .writer()
        .write(lane, move |tx| {
            Box::pin(async move {
                tx.execute_unprepared(&format!("INSERT INTO mark VALUES ({n})")).await?;
                match manner {
                    Manner::Succeeds | Manner::Forgotten => Ok(()),
                    Manner::FailsAfterWriting => Err(StoreError::NotFound("reason to go on")),
                    Manner::Collides => {
                        tx.execute_unprepared("INSERT INTO mark VALUES (-1)").await?;
                        Ok(())
                    }
                    Manner::Panics => panic!("operation {n}"),
                }
            })
        })
        .await;
    (answer, number(store, &format!("SELECT COUNT(*) FROM mark WHERE n = {n}")).await)
}

proptest! {
    #![proptest_config(Config { cases: 12, failure_persistence: None, ..Config::default() })]

    #[test]
    fn exactly_the_successful_ones_are_kept(manners in vec(manner(), 1..120)) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let database = TestDatabase::fresh().await;
            check(&database.store, &manners).await;
        });
    }
}

async fn check(store: &Store, manners: &[Manner]) {
    table(store).await;
    let together = Arc::new(Barrier::new(manners.len()));
    let tasks: Vec<_> = manners
        .iter()
        .enumerate()
        .map(|(n, manner)| {
            let (store, manner) = (store.clone(), *manner);
            let together = Arc::clone(&together);
            let lane = if n % 5 == 0 { Lane::Bulk } else { Lane::Live };
            tokio::spawn(async move {
                together.wait().await;
                let marking = mark(&store, lane, n, manner);
                if manner == Manner::Forgotten {
                    // Polled once, which queues it, and then dropped.
                    let _ = marking.now_or_never();
                    return;
                }
                match (manner, marking.await) {
                    (Manner::Succeeds, (Ok(()), 1))
                    | (Manner::FailsAfterWriting, (Err(StoreError::NotFound(_)), 0))
                    | (Manner::Collides, (Err(StoreError::Conflict(_)), 0))
                    | (Manner::Panics, (Err(StoreError::Panicked(_)), 0)) => {}
                    (manner, wrong) => panic!("operation {n}, {manner:?}: {wrong:?}"),
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let expected: BTreeSet<usize> = manners
        .iter()
        .enumerate()
        .filter(|(_, manner)| matches!(manner, Manner::Succeeds | Manner::Forgotten))
        .map(|(n, _)| n)
        .collect();
    // The forgotten ones were queued before this one, in either lane.
    for lane in [Lane::Live, Lane::Bulk] {
        store.writer().write(lane, |_| Box::pin(async { Ok(()) })).await.unwrap();
    }
    for (n, manner) in manners.iter().enumerate() {
        let seen = number(store, &format!("SELECT COUNT(*) FROM mark WHERE n = {n}")).await;
        assert_eq!(seen, i64::from(expected.contains(&n)), "operation {n}, {manner:?}");
    }
}

/// Keeps the writer busy until it is let go, so that a test can fill the queue behind it.
fn hold(store: &Store) -> (tokio::task::JoinHandle<Result<(), StoreError>>, Hold) {
    let (entered_tx, entered) = tokio::sync::oneshot::channel();
    let (release, released) = tokio::sync::oneshot::channel::<()>();
    let store = store.clone();
    let task = tokio::spawn(async move {
        store
            .writer()
            .write(Lane::Live, move |_| {
                Box::pin(async move {
                    entered_tx.send(()).unwrap();
                    let _ = released.await;
                    Ok(())
                })
            })
            .await
    });
    (task, Hold { entered: Some(entered), _release: release })
}

struct Hold {
    entered: Option<tokio::sync::oneshot::Receiver<()>>,
    /// Dropping it lets the writer go on.
    _release: tokio::sync::oneshot::Sender<()>,
}

impl Hold {
    async fn entered(&mut self) {
        self.entered.take().unwrap().await.unwrap();
    }
}

#[tokio::test]
async fn a_full_queue_refuses_at_once_and_the_patient_wait() {
    let options = OpenOptions { live_queue: 3, bulk_queue: 1, ..OpenOptions::default() };
    let database = TestDatabase::sqlite(options).await;
    let store = &database.store;
    table(store).await;
    let (held, mut hold) = hold(store);
    hold.entered().await;
    // One place is the held operation's own.
    let queued: Vec<_> = (0..2)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move { mark(&store, Lane::Live, n, Manner::Succeeds).await.0 })
        })
        .collect();
    while store.writer().waiting(Lane::Live) < 2 {
        tokio::task::yield_now().await;
    }
    let (refused, _) = mark(store, Lane::Live, 100, Manner::Succeeds).await;
    assert!(
        matches!(refused, Err(StoreError::Overloaded { lane: Lane::Live, capacity: 3 })),
        "{refused:?}"
    );
    let patient = store.writer().write_patiently(Lane::Live, |tx| {
        Box::pin(async move {
            tx.execute_unprepared("INSERT INTO mark VALUES (200)").await?;
            Ok(())
        })
    });
    let mut patient = Box::pin(patient);
    assert!((&mut patient).now_or_never().is_none());
    drop(hold);
    held.await.unwrap().unwrap();
    for task in queued {
        task.await.unwrap().unwrap();
    }
    patient.await.unwrap();
    assert_eq!(number(store, "SELECT COUNT(*) FROM mark WHERE n >= 0").await, 3);
}

#[tokio::test]
async fn live_goes_before_bulk_which_is_not_starved() {
    let database = TestDatabase::sqlite(OpenOptions::default()).await;
    let store = &database.store;
    let (held, mut hold) = hold(store);
    hold.entered().await;
    let order = Arc::new(AtomicUsize::new(0));
    let enter = |lane| {
        let (store, order) = (store.clone(), Arc::clone(&order));
        tokio::spawn(async move {
            store
                .writer()
                .write(lane, move |_| {
                    Box::pin(async move { Ok(order.fetch_add(1, Ordering::SeqCst)) })
                })
                .await
                .unwrap()
        })
    };
    let bulk = enter(Lane::Bulk);
    while store.writer().waiting(Lane::Bulk) == 0 {
        tokio::task::yield_now().await;
    }
    let live: Vec<_> = (0..20).map(|_| enter(Lane::Live)).collect();
    while store.writer().waiting(Lane::Live) < 20 {
        tokio::task::yield_now().await;
    }
    drop(hold);
    held.await.unwrap().unwrap();
    let mut last_live = 0;
    for task in live {
        last_live = last_live.max(task.await.unwrap());
    }
    assert!(bulk.await.unwrap() > last_live, "the bulk operation went first");

    // Under a stream of live operations that never ends the bulk lane gets its turn.
    let stop = Arc::new(AtomicUsize::new(0));
    let streams: Vec<_> = (0..32)
        .map(|_| {
            let (store, stop) = (store.clone(), Arc::clone(&stop));
            tokio::spawn(async move {
                while stop.load(Ordering::SeqCst) == 0 {
                    store.ping_writable().await.unwrap();
                }
            })
        })
        .collect();
    enter(Lane::Bulk).await.unwrap();
    stop.store(1, Ordering::SeqCst);
    for stream in streams {
        stream.await.unwrap();
    }
}

/// Inserts the rows of a turn, and counts the turns.
fn insert_turn(
    turns: Arc<AtomicUsize>,
) -> impl for<'t> Fn(&'t DatabaseTransaction, Vec<i64>) -> BoxFuture<'t, Result<(), StoreError>>
+ Clone
+ Send
+ 'static {
    move |tx, rows| {
        assert!(rows.len() <= BULK_ROWS);
        turns.fetch_add(1, Ordering::SeqCst);
        let values: Vec<_> = rows.iter().map(|n| format!("({n})")).collect();
        let sql = format!("INSERT INTO mark VALUES {}", values.join(","));
        Box::pin(async move {
            tx.execute_unprepared(&sql).await?;
            Ok(())
        })
    }
}

#[tokio::test]
async fn bulk_rows_go_in_turns_and_stop_where_one_fails() {
    let database = TestDatabase::fresh().await;
    let store = &database.store;
    table(store).await;
    let turns = Arc::new(AtomicUsize::new(0));
    let insert = insert_turn(Arc::clone(&turns));
    store.writer().write_rows((0..1_201).collect(), insert.clone()).await.unwrap();
    assert_eq!(turns.load(Ordering::SeqCst), 3);
    assert_eq!(number(store, "SELECT COUNT(*) FROM mark WHERE n >= 0").await, 1_201);
    // The second turn meets a row that is there.
    let mut rows: Vec<i64> = (2_000..3_500).collect();
    rows[700] = 5;
    let stopped = store.writer().write_rows(rows, insert).await.unwrap_err();
    assert_eq!(stopped.written, BULK_ROWS);
    assert!(matches!(stopped.error, StoreError::Conflict(_)), "{stopped}");
    assert_eq!(number(store, "SELECT COUNT(*) FROM mark WHERE n >= 2000").await, 500);
}

#[tokio::test]
async fn close_carries_out_what_is_queued_and_takes_no_more() {
    let database = TestDatabase::fresh().await;
    let store = database.store.clone();
    table(&store).await;
    let (held, mut hold) = hold(&store);
    hold.entered().await;
    let queued: Vec<_> = (0..50)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move {
                store
                    .writer()
                    .write(Lane::Live, move |tx| {
                        Box::pin(async move {
                            tx.execute_unprepared(&format!("INSERT INTO mark VALUES ({n})"))
                                .await?;
                            Ok(())
                        })
                    })
                    .await
            })
        })
        .collect();
    while store.writer().waiting(Lane::Live) < 50 {
        tokio::task::yield_now().await;
    }
    let closing = tokio::spawn(store.clone().close());
    drop(hold);
    held.await.unwrap().unwrap();
    for task in queued {
        task.await.unwrap().unwrap();
    }
    closing.await.unwrap().unwrap();
    assert!(matches!(store.ping_writable().await, Err(StoreError::Closed)));
    let again = Store::open(&database.url, OpenOptions::default()).await.unwrap();
    assert_eq!(number(&again, "SELECT COUNT(*) FROM mark WHERE n >= 0").await, 50);
}

#[tokio::test]
async fn an_operation_that_takes_too_long_is_given_up_alone() {
    let options = OpenOptions { operation_limit_ms: 30, ..OpenOptions::default() };
    let database = TestDatabase::sqlite(options).await;
    let store = &database.store;
    table(store).await;
    let slow = store
        .writer()
        .write(Lane::Live, |tx| {
            Box::pin(async move {
                tx.execute_unprepared("INSERT INTO mark VALUES (1)").await?;
                std::future::pending::<()>().await;
                Ok(())
            })
        })
        .await;
    assert!(matches!(slow, Err(StoreError::TooSlow { limit_ms: 30 })), "{slow:?}");
    let (answer, seen) = mark(store, Lane::Live, 2, Manner::Succeeds).await;
    answer.unwrap();
    assert_eq!(seen, 1);
    assert_eq!(number(store, "SELECT COUNT(*) FROM mark WHERE n = 1").await, 0);
}
