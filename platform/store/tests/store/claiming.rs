//! Claiming: the right rows, in the right order, once.
use std::collections::HashSet;

use yunling_store::{
    Store,
    attempts::{
        self, AttemptLane, AttemptState, NewAttempt,
        platform_side::{Claim, Claimed, claim_due, next_due_at, queue_lengths},
    },
};

use crate::{
    database::{TestDatabase, number, write},
    rows::{NOON, account, attempt, claim, node, queue},
};

async fn take(store: &Store, wanted: Claim) -> Claimed {
    write!(store, |tx| claim_due(tx, &wanted)).unwrap()
}

fn names(claimed: &Claimed) -> Vec<&str> {
    claimed.due.iter().map(|attempt| attempt.queued.call_id.as_str()).collect()
}

fn row(account: &str, name: &str, lane: AttemptLane, due_ms: i64) -> NewAttempt {
    NewAttempt { lane, due_at: NOON.plus_ms(due_ms), ..attempt(account, name) }
}

#[tokio::test]
async fn by_lane_then_by_due_time_and_only_what_is_due() {
    let database = TestDatabase::fresh().await;
    let store = &database.store;
    for new in [
        row("a", "batch", AttemptLane::Batch, -9_000),
        row("a", "late", AttemptLane::Notice, -1_000),
        row("a", "early", AttemptLane::Notice, -2_000),
        row("a", "future", AttemptLane::Notice, 1),
        row("a", "captcha", AttemptLane::Captcha, 0),
    ] {
        queue(store, new).await;
    }
    assert_eq!(next_due_at(store.reader(), NOON).await.unwrap(), Some(NOON.plus_ms(1)));
    let first = take(store, Claim { limits: [0, 2, 1, 0], ..claim(NOON, 10) }).await;
    assert_eq!(names(&first), ["CAcaptcha", "CAearly"]);
    for attempt in &first.due {
        assert_eq!(attempt.state, AttemptState::Claimed);
        assert_eq!(attempt.node.as_deref(), Some("10000"));
        assert_eq!(attempt.lease_until, Some(NOON.plus_ms(15_000)));
        assert_eq!(attempt.queued.account, account("a"));
    }
    assert_eq!(names(&take(store, claim(NOON, 10)).await), ["CAlate", "CAbatch"]);
    assert_eq!(take(store, claim(NOON, 10)).await, Claimed::default());
    assert_eq!(names(&take(store, claim(NOON.plus_ms(1), 10)).await), ["CAfuture"]);
    assert_eq!(next_due_at(store.reader(), NOON).await.unwrap(), None);
}

#[tokio::test]
async fn accounts_take_turns_within_a_lane() {
    let database = TestDatabase::fresh().await;
    let store = &database.store;
    for n in 0..20 {
        queue(store, row("big", &format!("big{n:02}"), AttemptLane::Notice, n - 1_000)).await;
    }
    queue(store, row("small", "small", AttemptLane::Notice, 0)).await;
    queue(store, row("tiny", "tiny", AttemptLane::Notice, 0)).await;
    let claimed = take(store, claim(NOON, 6)).await;
    // What the small ones leave of their shares goes to the big one.
    let mut claimed = names(&claimed);
    assert_eq!(claimed[..3], ["CAbig00", "CAsmall", "CAtiny"]);
    claimed.sort_unstable();
    assert_eq!(claimed, ["CAbig00", "CAbig01", "CAbig02", "CAbig03", "CAsmall", "CAtiny"]);
}

#[tokio::test]
async fn of_more_accounts_than_rows_wanted_none_is_left_out_for_ever() {
    let database = TestDatabase::fresh().await;
    let store = &database.store;
    for tenant in ["a", "b", "c", "d", "e"] {
        for n in 0..40 {
            queue(store, row(tenant, &format!("{tenant}{n}"), AttemptLane::Batch, 0)).await;
        }
    }
    let mut served = HashSet::new();
    for turn in 0..40 {
        // Moments as a clock gives them: a prime number of microseconds apart.
        let at = yunling_domain::Micros(NOON.0 + turn * 10_007);
        for attempt in take(store, claim(at, 2)).await.due {
            served.insert(attempt.queued.account);
        }
    }
    assert_eq!(served.len(), 5, "{served:?}");
}

#[tokio::test]
async fn accounts_at_their_limit_are_passed_by() {
    let database = TestDatabase::fresh().await;
    let store = &database.store;
    queue(store, row("full", "1", AttemptLane::Captcha, 0)).await;
    queue(store, row("free", "2", AttemptLane::Notice, 0)).await;
    let wanted = Claim { skip: vec![(AttemptLane::Captcha, account("full"))], ..claim(NOON, 10) };
    assert_eq!(names(&take(store, wanted).await), ["CA2"]);
    assert_eq!(queue_lengths(store.reader()).await.unwrap(), [(account("full"), 1)]);
    assert_eq!(
        attempts::queue_len(store.reader(), &account("full"), AttemptLane::Captcha).await.unwrap(),
        1
    );
    assert_eq!(
        attempts::queue_len(store.reader(), &account("free"), AttemptLane::Notice).await.unwrap(),
        0
    );
}

#[tokio::test]
async fn what_waited_too_long_comes_apart() {
    let database = TestDatabase::fresh().await;
    let store = &database.store;
    queue(store, row("a", "fresh", AttemptLane::Notice, 20_000)).await;
    queue(store, row("b", "stale", AttemptLane::Notice, 0)).await;
    let mut stale = row("a", "older", AttemptLane::Notice, 0);
    stale.deadline_at = NOON.plus_ms(10_000);
    queue(store, stale).await;
    let mut fresh = claim(NOON.plus_ms(30_000), 10);
    fresh.skip = vec![(AttemptLane::Notice, account("b"))];
    let claimed = take(store, fresh).await;
    let expired: Vec<_> =
        claimed.expired.iter().map(|attempt| attempt.queued.call_id.as_str()).collect();
    // The deadline of all three is noon + 30 s but for the older one.
    assert_eq!(expired[0], "CAolder");
    assert_eq!(expired.len(), 3);
    assert!(claimed.due.is_empty());
    assert!(claimed.expired.iter().all(|attempt| attempt.state == AttemptState::Claimed));
}

#[tokio::test]
async fn many_claimants_never_get_the_same_row() {
    let database = TestDatabase::fresh().await;
    let store = &database.store;
    for n in 0..60 {
        queue(store, row(["a", "b", "c"][n % 3], &n.to_string(), AttemptLane::Batch, 0)).await;
    }
    let tasks: Vec<_> = (0..8)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut mine = Vec::new();
                loop {
                    let wanted = Claim { node: node(10_000 + n), ..claim(NOON, 3) };
                    let claimed = take(&store, wanted).await;
                    if claimed.due.is_empty() {
                        return mine;
                    }
                    mine.extend(claimed.due.into_iter().map(|attempt| attempt.id));
                }
            })
        })
        .collect();
    let mut all = HashSet::new();
    for task in tasks {
        for id in task.await.unwrap() {
            assert!(all.insert(id), "attempt {id} was claimed twice");
        }
    }
    assert_eq!(all.len(), 60);
    assert_eq!(number(store, "SELECT COUNT(*) FROM attempt WHERE state = 1").await, 60);
}

#[tokio::test]
async fn the_queue_is_found_by_its_index() {
    let database = TestDatabase::sqlite(yunling_store::OpenOptions::default()).await;
    let store = &database.store;
    for sql in [
        "SELECT id FROM attempt WHERE state = 0 AND lane = 1 AND account = 'a' AND due_at <= 5 ORDER BY due_at, id LIMIT 3",
        "SELECT id FROM attempt WHERE state = 0 AND deadline_at <= 5 ORDER BY deadline_at, id LIMIT 3",
        "SELECT MIN(account) FROM attempt WHERE state = 0 AND lane = 1 AND account > 'a'",
        "SELECT id FROM attempt WHERE state IN (1, 2, 3) AND node = '10000'",
        "SELECT COUNT(*) FROM attempt WHERE state = 0 AND account = 'a'",
        "SELECT id FROM delivery WHERE state = 0 AND endpoint_id = 1 AND next_at <= 5 ORDER BY next_at LIMIT 3",
        "SELECT * FROM \"call\" WHERE account = 'a' AND to_number = '1' AND (started_at, call_id) < (5, 'x') ORDER BY started_at DESC, call_id DESC LIMIT 3",
    ] {
        use sea_orm::{ConnectionTrait, DbBackend, Statement};
        let rows = store
            .reader()
            .query_all_raw(Statement::from_string(
                DbBackend::Sqlite,
                format!("EXPLAIN QUERY PLAN {sql}"),
            ))
            .await
            .unwrap();
        let plan: Vec<String> =
            rows.iter().map(|row| row.try_get::<String>("", "detail").unwrap()).collect();
        let plan = plan.join("; ");
        assert!(plan.contains("SEARCH") && !plan.contains("SCAN"), "{sql}: {plan}");
        assert!(!plan.contains("TEMP B-TREE"), "{sql}: {plan}");
    }
}
