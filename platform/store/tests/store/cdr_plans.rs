//! Which index answers a search: with the numbers of millions of rows, any other would be slow.
use yunling_domain::conversation::ByeType;
use yunling_domain::{ApplicationId, RequestId};
use yunling_store::{
    Cursor, JobPool, Store, TimeRange,
    cdrs::{self, CdrFilter, Part},
};

use crate::{
    database::{TestDatabase, execute},
    rows::{NOON, account},
};

/// 20,000 calls of `a`, a second apart, to a thousand numbers, for two applications.
const CALLS: &str = "INSERT INTO \"call\" (call_id, conversation_id, request_id, account, \
    application, kind, from_number, to_number, started_at, ended_at, duration_s, result, cause, leg) \
    WITH RECURSIVE numbers (n) AS (SELECT CAST(10000 AS BIGINT) UNION ALL SELECT n + 1 FROM numbers WHERE n < 29999) \
    SELECT 'CA' || n, 'CV' || n, 'RQ' || n / 10, 'a', \
        CASE WHEN n % 3 = 0 THEN 'other' ELSE 'app' END, 'notice', '+8610' || n % 10, \
        '+86138' || n % 1000, CAST(1790000000000000 AS BIGINT) + n * 1000000, \
        CAST(1790000000000000 AS BIGINT) + n * 1000000, 0, n % 2, 'completed', 0 FROM numbers";

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// A search, and the name of the index, without its table, that has to answer it in its own order.
fn indexed() -> Vec<(CdrFilter, &'static str)> {
    let any = CdrFilter::default;
    let late = TimeRange { from: Some(NOON.plus_ms(20_000_000)), to: None };
    let to_number = some("+86138500");
    vec![
        (any(), "account_started_at_call_id"),
        (CdrFilter { started: late, ..any() }, "account_started_at_call_id"),
        (
            CdrFilter { to_number: to_number.clone(), ..any() },
            "account_to_number_started_at_call_id",
        ),
        (
            CdrFilter { to_number, masked_numbers: true, ..any() },
            "account_to_number_started_at_call_id",
        ),
        (
            CdrFilter { from_number: some("+86105"), ..any() },
            "account_from_number_started_at_call_id",
        ),
        (
            CdrFilter { application: Some(ApplicationId::new("app")), ..any() },
            "account_application_started_at_call_id",
        ),
        (
            CdrFilter { request_id: Some(RequestId::new("RQ1500")), ..any() },
            "account_request_id_started_at_call_id",
        ),
    ]
}

/// The same of searches that look at some hundred rows, which PostgreSQL may sort.
fn scanned() -> Vec<(CdrFilter, &'static str)> {
    let any = CdrFilter::default;
    let application = Some(ApplicationId::new("app"));
    vec![
        (CdrFilter { trunk: some("nowhere"), ..any() }, "account_started_at_call_id"),
        (CdrFilter { cause: some("failed"), ..any() }, "account_started_at_call_id"),
        (CdrFilter { result: Some(0), ..any() }, "account_started_at_call_id"),
        (
            CdrFilter { bye_type: Some(ByeType::CallerHungUp), ..any() },
            "account_started_at_call_id",
        ),
        (
            CdrFilter { from_number: some("+86105"), application, ..any() },
            "account_from_number_started_at_call_id",
        ),
    ]
}

async fn check(store: &Store, when: &str) {
    for (filter, index) in indexed() {
        check_one(
            store,
            when,
            &filter,
            index,
            &["TEMP B-TREE", "SCAN c", "Seq Scan on call", "Sort"],
        )
        .await;
    }
    for (filter, index) in scanned() {
        check_one(store, when, &filter, index, &["TEMP B-TREE", "SCAN c", "Seq Scan on call"])
            .await;
    }
}

async fn check_one(store: &Store, when: &str, filter: &CdrFilter, index: &str, slow: &[&str]) {
    let deep = Cursor { at: NOON.plus_ms(15_000_000), id: "CA15000".to_owned() };
    for after in [None, Some(&deep)] {
        let part = Part { after, limit: 100, skip: 0, scanned_rows: 500 };
        let plan = cdrs::plan(store.reader(), &account("a"), filter, &part).await.unwrap();
        let text = plan.join("\n");
        assert!(text.contains(&format!("call_{index}")), "{when}: {index} for {filter:?}:\n{text}");
        for slow in slow {
            assert!(!text.contains(slow), "{when}: {slow} for {filter:?}:\n{text}");
        }
    }
}

#[tokio::test]
async fn every_search_is_answered_in_the_order_of_its_index() {
    let database = TestDatabase::fresh().await;
    let store = &database.store;
    execute(store, CALLS).await.unwrap();
    if matches!(store.job_pool(), JobPool::Sqlite(_)) {
        // A database that has grown since its statistics were gathered.
        check(store, "without statistics").await;
    }
    execute(store, "ANALYZE").await.unwrap();
    check(store, "with statistics").await;
}
