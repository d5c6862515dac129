//! Exports: taken by one at a time, gone on with by whoever comes next, and their schedules.
use serde_json::json;
use yunling_domain::Micros;
use yunling_store::{
    PageRequest, Store, StoreError,
    cdrs::CdrFilter,
    export_schedules::{self, Schedule},
    exports::{
        self, Export, ExportFormat, ExportState, Holder, NewExport, Progress,
        platform_side::{self, ExportEnd},
    },
};

use crate::{
    database::{TestDatabase, execute, write},
    rows::{NOON, account},
};

fn order(tenant: &str, id: &str, due_ms: i64) -> NewExport {
    NewExport {
        id: id.to_owned(),
        account: account(tenant),
        who: "credential 1".to_owned(),
        format: ExportFormat::Csv,
        filter: CdrFilter { result: Some(1), ..CdrFilter::default() },
        sees_numbers: false,
        sees_recordings: true,
        schedule: None,
        created_at: NOON,
        due_at: NOON.plus_ms(due_ms),
    }
}

async fn ordered(store: &Store, orders: &[(&str, &str, i64)]) {
    for (tenant, id, due_ms) in orders {
        let new = order(tenant, id, *due_ms);
        write!(store, |tx| exports::insert(tx, &new)).unwrap();
    }
}

fn holder(node: &str, name: &str, until: Micros) -> Holder {
    Holder { node: node.to_owned(), name: name.to_owned(), until }
}

async fn take(store: &Store, by: &Holder, now: Micros) -> Option<Export> {
    let by = by.clone();
    write!(store, |tx| platform_side::take(tx, &by, now)).unwrap()
}

async fn keep(store: &Store, id: &'static str, by: &Holder, progress: Progress) -> bool {
    let by = by.clone();
    write!(store, |tx| platform_side::keep(tx, id, &by, &progress)).unwrap()
}

fn id_of(export: Option<Export>) -> Option<String> {
    export.map(|export| export.ordered.id)
}

#[tokio::test]
async fn one_is_taken_at_a_time_of_each_account_the_longest_due_first() {
    let database = TestDatabase::fresh().await;
    let store = &database.store;
    ordered(store, &[("a", "1", 2), ("a", "2", 1), ("b", "3", 3), ("b", "4", 60_000)]).await;
    let now = NOON.plus_ms(1_000);
    let until = now.plus_ms(60_000);
    let (one, two, three) =
        (holder("10000", "x", until), holder("10001", "y", until), holder("10002", "z", until));
    assert_eq!(id_of(take(store, &one, now).await), Some("2".to_owned()));
    assert_eq!(id_of(take(store, &two, now).await), Some("3".to_owned()), "not one of a's");
    assert_eq!(take(store, &three, now).await, None, "4 is not due");
    let id = "2".to_owned();
    write!(store, |tx| platform_side::give_back(tx, &id, &one, now)).unwrap();
    let taken = take(store, &three, now).await.unwrap();
    assert_eq!((taken.ordered, taken.state), (order("a", "1", 2), ExportState::Running));
}

#[tokio::test]
async fn whoever_is_dead_loses_it() {
    let database = TestDatabase::fresh().await;
    let store = &database.store;
    ordered(store, &[("a", "1", 0)]).await;
    let until = NOON.plus_ms(60_000);
    let first = holder("10000", "x", until);
    take(store, &first, NOON).await.unwrap();
    let progress = Progress {
        records: 7,
        octets: 900,
        reached_at: Some(NOON),
        checkpoint: Some(json!({ "at": [1, "号"] })),
    };
    assert!(keep(store, "1", &first, progress.clone()).await);
    // A process that was killed and started again goes on from the checkpoint at once.
    let again = holder("10000", "x2", until);
    let taken = take(store, &again, NOON.plus_ms(1)).await.unwrap();
    assert_eq!(taken.progress, progress);
    assert!(!keep(store, "1", &first, Progress::default()).await, "it is not the first's any more");
    // Another node leaves it alone while it is held, and while the node lives on whose disk it is.
    let other = holder("10001", "y", until.plus_ms(200_000));
    assert_eq!(take(store, &other, until.plus_ms(-1)).await, None);
    let lives = format!("INSERT INTO node_lease VALUES ('10000', 'h', {})", until.plus_ms(5).0);
    execute(store, &lives).await.unwrap();
    assert_eq!(take(store, &other, until.plus_ms(4)).await, None);
    let taken = take(store, &other, until.plus_ms(5)).await.unwrap();
    // It begins anew, for the file is not there.
    assert_eq!((taken.progress.records, taken.progress.octets), (0, 0));
    assert_eq!(taken.progress.checkpoint, None);
    assert_eq!(taken.node.as_deref(), Some("10001"));
}

#[tokio::test]
async fn a_push_is_gone_on_with_by_any_node() {
    let database = TestDatabase::fresh().await;
    let store = &database.store;
    let new = NewExport { format: ExportFormat::Push, ..order("a", "1", 0) };
    write!(store, |tx| exports::insert(tx, &new)).unwrap();
    execute(store, "INSERT INTO node_lease VALUES ('10000', 'h', 9000000000000000)").await.unwrap();
    let until = NOON.plus_ms(60_000);
    let (first, other) = (holder("10000", "x", until), holder("10001", "y", until));
    take(store, &first, NOON).await.unwrap();
    let progress = Progress { checkpoint: Some(json!({ "callbacks": 3 })), ..Progress::default() };
    assert!(keep(store, "1", &first, progress.clone()).await);
    assert_eq!(take(store, &other, NOON).await, None);
    assert_eq!(take(store, &other, until).await.unwrap().progress, progress);
}

#[tokio::test]
async fn an_export_ends_once_and_can_be_cancelled_until_then() {
    let database = TestDatabase::fresh().await;
    let store = &database.store;
    ordered(store, &[("a", "1", 0), ("b", "2", 0)]).await;
    let until = NOON.plus_ms(60_000);
    let by = holder("10000", "x", until);
    take(store, &by, NOON).await.unwrap();
    let end = ExportEnd {
        at: NOON.plus_ms(9_000),
        expires_at: Some(NOON.plus_ms(10_000)),
        in_objects: false,
        failure: None,
    };
    let ended = async |by: &Holder| {
        let (by, end) = (by.clone(), end.clone());
        write!(store, |tx| platform_side::end(tx, "1", &by, &end)).unwrap()
    };
    assert!(!ended(&holder("10000", "somebody", until)).await);
    assert!(ended(&by).await);
    assert!(!ended(&by).await, "a second time changes nothing");
    let found = exports::get(store.reader(), &account("a"), "1").await.unwrap().unwrap();
    assert_eq!((found.state, found.finished_at), (ExportState::Ready, Some(NOON.plus_ms(9_000))));
    assert_eq!(exports::get(store.reader(), &account("b"), "1").await.unwrap(), None);

    let cancelled = async |tenant: &'static str, id: &'static str| {
        write!(store, |tx| exports::cancel(tx, &account(tenant), id, NOON)).unwrap()
    };
    assert!(!cancelled("a", "2").await, "it is not a's");
    assert!(cancelled("b", "2").await);
    assert!(!cancelled("b", "2").await);
    assert_eq!(take(store, &by, until).await, None, "nothing is left to be written");
    assert_eq!(exports::open(store.reader(), &account("b")).await.unwrap(), 0);

    let now = NOON.plus_ms(10_000);
    let reader = store.reader();
    let over = platform_side::expired(reader, "10000", now, 10).await.unwrap();
    let ids: Vec<_> = over.iter().map(|export| export.ordered.id.as_str()).collect();
    assert_eq!(ids, ["2", "1"]);
    assert_eq!(platform_side::expired(reader, "10001", now, 10).await.unwrap().len(), 1);
    for id in ["1", "2"] {
        write!(store, |tx| platform_side::mark_expired(tx, id)).unwrap();
    }
    assert!(platform_side::expired(reader, "10000", now, 10).await.unwrap().is_empty());
    for (tenant, id, state) in
        [("a", "1", ExportState::Expired), ("b", "2", ExportState::Cancelled)]
    {
        let page = PageRequest { after: None, limit: 10 };
        let page = exports::list(reader, &account(tenant), &page).await.unwrap();
        let states: Vec<_> = page.rows.iter().map(|one| (&*one.ordered.id, one.state)).collect();
        assert_eq!(states, [(id, state)]);
    }
}

#[tokio::test]
async fn a_schedule_fires_once_whoever_looks() {
    let database = TestDatabase::fresh().await;
    let store = &database.store;
    let schedule = Schedule {
        id: "S".to_owned(),
        account: account("a"),
        who: "credential 1".to_owned(),
        cron: "0 2 * * *".to_owned(),
        zone: "Asia/Shanghai".to_owned(),
        format: ExportFormat::Workbook,
        filter: CdrFilter::default(),
        sees_numbers: true,
        sees_recordings: false,
        created_at: NOON,
        covered_to: NOON,
        next_at: NOON.plus_ms(5_000),
    };
    let new = schedule.clone();
    write!(store, |tx| export_schedules::insert(tx, &new)).unwrap();
    let due = async |ms| {
        export_schedules::platform_side::due(store.reader(), NOON.plus_ms(ms), 10).await.unwrap()
    };
    assert!(due(4_999).await.is_empty());
    assert_eq!(due(5_000).await, std::slice::from_ref(&schedule));
    let fire = async |id: &'static str| {
        let (schedule, export) = (schedule.clone(), order("a", id, 0));
        let (covered_to, next_at) = (NOON.plus_ms(5_000), NOON.plus_ms(90_000));
        write!(store, |tx| export_schedules::platform_side::fire(
            tx, &schedule, &export, covered_to, next_at
        ))
    };
    assert!(fire("1").await.unwrap());
    assert!(!fire("2").await.unwrap(), "the other node was faster");
    assert_eq!(exports::open(store.reader(), &account("a")).await.unwrap(), 1);
    let moved = export_schedules::list(store.reader(), &account("a")).await.unwrap();
    assert_eq!(
        (moved[0].covered_to, moved[0].next_at),
        (NOON.plus_ms(5_000), NOON.plus_ms(90_000))
    );
    let deleted = async |tenant: &'static str| -> Result<bool, StoreError> {
        write!(store, |tx| export_schedules::delete(tx, &account(tenant), "S"))
    };
    assert!(!deleted("b").await.unwrap());
    assert!(deleted("a").await.unwrap());
    assert_eq!(export_schedules::count(store.reader(), &account("a")).await.unwrap(), 0);
}
