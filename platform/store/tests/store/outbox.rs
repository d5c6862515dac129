//! The outbox: delivered at least once, by address, with every attempt kept.
use yunling_domain::{ConversationId, Micros};
use yunling_store::{
    PageRequest, Store, StoreError,
    deliveries::{
        self, Delivery, DeliveryFilter, DeliveryState, NewDelivery,
        platform_side::{
            After, DeliveryAttempt, Due, Waiting, claim, due, first_of_round, hold_back,
            next_due_at, postpone, record_attempt, waiting,
        },
    },
    endpoints,
};

use crate::{
    database::{TestDatabase, number, write},
    rows::{NOON, account, delivery},
};

const LIVE: &str = "http://127.0.0.1:9000/cdr";
const DEAD: &str = "http://127.0.0.1:9001/dead";

async fn put(store: &Store, tenant: &str, new: NewDelivery) {
    let tenant = account(tenant);
    write!(store, |tx| deliveries::insert(tx, &tenant, &new)).unwrap();
}

async fn found(store: &Store, now: Micros) -> Vec<Delivery> {
    due(store.reader(), &wanted(now)).await.unwrap().deliveries
}

fn wanted(now: Micros) -> Due {
    Due {
        now,
        per_endpoint: 2,
        endpoints: 10,
        limit: 10,
        above: 0,
        exclude: Vec::new(),
        exclude_accounts: Vec::new(),
    }
}

fn names(deliveries: &[Delivery]) -> Vec<&str> {
    deliveries.iter().map(|delivery| delivery.caused.id.as_str()).collect()
}

fn tried(status: Option<u16>) -> DeliveryAttempt {
    DeliveryAttempt {
        at: NOON.plus_ms(100),
        status,
        latency_ms: 20,
        error: status.is_none().then(|| "connection refused".to_owned()),
        answer_head: status.map(|_| "answer".to_owned()),
    }
}

/// Claims, tries, and records.
async fn attempt(store: &Store, delivery: &Delivery, status: Option<u16>, after: After) -> bool {
    let (id, version) = (delivery.caused.id.clone(), delivery.version);
    write!(store, |tx| async {
        let version = claim(tx, &id, version, NOON.plus_ms(60_000)).await?.unwrap();
        record_attempt(tx, &id, version, &tried(status), after).await
    })
    .unwrap()
}

/// Holds back in turns of one, as a longer backlog is in longer ones.
async fn hold(store: &Store, what: &Waiting) -> u64 {
    let (mut held, mut after) = (0, None);
    while let Some(one) = waiting(store.reader(), what, after.as_ref(), 1).await.unwrap().pop() {
        let ids = [one.id.clone()];
        held += write!(store, |tx| hold_back(tx, &ids)).unwrap();
        after = Some(one);
    }
    held
}

/// Re-sends what the filter picks of account "a", in turns of one.
async fn resend(store: &Store, filter: DeliveryFilter, now: Micros) -> u64 {
    let (mut sent, mut after) = (0, None);
    let a = account("a");
    loop {
        let reader = store.reader();
        let some = deliveries::resendable(reader, &a, &filter, after.as_ref(), 1).await.unwrap();
        let Some(one) = some.into_iter().next() else { return sent };
        let (a, filter, ids) = (a.clone(), filter.clone(), [one.id.clone()]);
        sent += write!(store, |tx| deliveries::resend_these(tx, &a, &filter, &ids, now)).unwrap();
        after = Some(one);
    }
}

#[tokio::test]
async fn a_look_is_bounded_and_goes_on_where_it_stopped() {
    let database = TestDatabase::fresh().await;
    let store = &database.store;
    for n in 0..5 {
        for tenant in ["a", "b"] {
            let url = format!("http://receiver{n}.example/");
            put(store, tenant, delivery(&format!("{tenant}{n}"), &url)).await;
        }
    }
    let only_a =
        |above| Due { endpoints: 2, above, exclude_accounts: vec![account("b")], ..wanted(NOON) };
    let mut above = 0;
    for expected in [&["msg_a0", "msg_a1"][..], &["msg_a2", "msg_a3"], &["msg_a4"]] {
        let found = due(store.reader(), &only_a(above)).await.unwrap();
        assert_eq!(names(&found.deliveries), expected);
        assert_eq!(found.go_on_above.is_none(), expected.len() == 1);
        above = found.go_on_above.unwrap_or_default();
    }
    let three = due(store.reader(), &Due { limit: 3, ..wanted(NOON) }).await.unwrap();
    assert_eq!(three.deliveries.len(), 3);
    assert!(three.go_on_above.is_some());
}

#[tokio::test]
async fn paths_of_one_server_are_one_receiver_and_are_disabled_one_by_one() {
    let database = TestDatabase::fresh().await;
    let store = &database.store;
    let urls = ["http://127.0.0.1:9000/cdr?order=1", "http://127.0.0.1:9000/cdr?order=2"];
    put(store, "a", delivery("1", urls[0])).await;
    put(store, "a", delivery("2", urls[1])).await;
    let a = account("a");
    assert_eq!(endpoints::list(store.reader(), &a).await.unwrap().len(), 1);
    let receiver = found(store, NOON).await[0].endpoint_id;
    write!(store, |tx| endpoints::platform_side::disable_address(
        tx, &a, urls[0], "410 Gone", NOON
    ))
    .unwrap()
    .unwrap();
    let what = Waiting { endpoint_id: receiver, url: Some(urls[0].to_owned()) };
    assert_eq!(hold(store, &what).await, 1);
    put(store, "a", delivery("3", urls[0])).await;
    assert_eq!(names(&found(store, NOON).await), ["msg_2"]);
    let enabled = write!(store, |tx| endpoints::platform_side::enable_both(
        tx,
        &account("a"),
        receiver,
        urls[0]
    ))
    .unwrap();
    assert_eq!(enabled.len(), 1);
    // Nothing refers to the address's row, and the receiver's row has deliveries.
    let purge = async |before| {
        write!(store, |tx| endpoints::platform_side::purge_idle(tx, before, 10)).unwrap()
    };
    assert_eq!(purge(NOON).await, 0, "not old enough");
    assert_eq!(purge(NOON.plus_ms(1)).await, 1);
    let left = endpoints::list(store.reader(), &account("a")).await.unwrap();
    assert_eq!((left.len(), left[0].id), (1, receiver));
}

#[tokio::test]
async fn a_delivery_is_put_off_without_an_attempt() {
    let database = TestDatabase::fresh().await;
    let store = &database.store;
    put(store, "a", delivery("1", LIVE)).await;
    let version = found(store, NOON).await[0].version;
    let later = NOON.plus_ms(60_000);
    assert!(write!(store, |tx| postpone(tx, "msg_1", version, later)).unwrap());
    assert!(!write!(store, |tx| postpone(tx, "msg_1", version, later)).unwrap());
    assert!(found(store, NOON.plus_ms(59_999)).await.is_empty());
    let again = found(store, later).await.remove(0);
    assert_eq!(again.tries, 0);
    assert_eq!(first_of_round(store.reader(), "msg_1", 0).await.unwrap(), None);
    attempt(store, &again, None, After::Retry(NOON)).await;
    let again = found(store, NOON).await.remove(0);
    attempt(store, &again, Some(500), After::Retry(NOON)).await;
    let first = first_of_round(store.reader(), "msg_1", 2).await.unwrap();
    assert_eq!(first, Some(tried(None)));
}

#[tokio::test]
async fn a_dead_receiver_takes_its_own_share_only() {
    let database = TestDatabase::fresh().await;
    let store = &database.store;
    for n in 0..5 {
        put(store, "a", delivery(&format!("dead{n}"), DEAD)).await;
    }
    put(store, "a", NewDelivery { created_at: NOON.plus_ms(1), ..delivery("live", LIVE) }).await;
    assert!(found(store, NOON.plus_ms(-1)).await.is_empty());
    let all = found(store, NOON.plus_ms(1)).await;
    assert_eq!(names(&all), ["msg_dead0", "msg_dead1", "msg_live"]);
    let without_dead =
        Due { per_endpoint: 9, exclude: vec![all[0].endpoint_id], ..wanted(NOON.plus_ms(1)) };
    let rest = due(store.reader(), &without_dead).await.unwrap();
    assert_eq!(names(&rest.deliveries), ["msg_live"]);
    assert_eq!(next_due_at(store.reader()).await.unwrap(), Some(NOON));
}

#[tokio::test]
async fn a_claim_is_one_workers_and_runs_out() {
    let database = TestDatabase::fresh().await;
    let store = &database.store;
    put(store, "a", delivery("1", LIVE)).await;
    let seen = found(store, NOON).await.remove(0);
    let version = seen.version;
    let until = NOON.plus_ms(20_000);
    let first = write!(store, |tx| claim(tx, "msg_1", version, until)).unwrap();
    assert_eq!(first, Some(version + 1));
    assert_eq!(write!(store, |tx| claim(tx, "msg_1", version, until)).unwrap(), None);
    assert!(found(store, NOON.plus_ms(19_999)).await.is_empty());
    // The worker died: the delivery is due again, and the dead one's late word counts no more.
    let again = found(store, until).await.remove(0);
    let taken = again.version;
    write!(store, |tx| claim(tx, "msg_1", taken, NOON.plus_ms(40_000))).unwrap().unwrap();
    let late = write!(store, |tx| record_attempt(
        tx,
        "msg_1",
        version + 1,
        &tried(Some(500)),
        After::Retry(NOON)
    ))
    .unwrap();
    assert!(!late);
    let (stored, attempts) =
        deliveries::get(store.reader(), &account("a"), "msg_1").await.unwrap().unwrap();
    assert_eq!(stored.next_at, NOON.plus_ms(40_000));
    assert_eq!(attempts.len(), 1, "the attempt took place and is kept");
}

#[tokio::test]
async fn attempts_and_their_outcome_are_kept() {
    let database = TestDatabase::fresh().await;
    let store = &database.store;
    let new = delivery("1", LIVE);
    put(store, "a", new.clone()).await;
    let first = found(store, NOON).await.remove(0);
    let retry = NOON.plus_ms(5_000);
    assert!(attempt(store, &first, None, After::Retry(retry)).await);
    assert!(found(store, NOON.plus_ms(4_999)).await.is_empty());
    let second = found(store, retry).await.remove(0);
    assert_eq!((second.tries, second.caused.body.as_str()), (1, new.body.as_str()));
    let failures = "SELECT CAST(consecutive_failures AS BIGINT) FROM endpoint";
    assert_eq!(number(store, failures).await, 1);
    assert!(attempt(store, &second, Some(204), After::Delivered).await);
    assert_eq!(number(store, failures).await, 0);
    let (stored, attempts) =
        deliveries::get(store.reader(), &account("a"), "msg_1").await.unwrap().unwrap();
    assert_eq!(stored.state, DeliveryState::Delivered);
    assert_eq!(stored.delivered_at, Some(NOON.plus_ms(120)));
    assert_eq!(stored.tries, 2);
    assert_eq!(attempts, [tried(None), tried(Some(204))]);
    assert_eq!(stored.caused, new);
    assert!(deliveries::get(store.reader(), &account("b"), "msg_1").await.unwrap().is_none());
}

#[tokio::test]
async fn a_disabled_address_holds_back_and_nothing_is_lost() {
    let database = TestDatabase::fresh().await;
    let store = &database.store;
    put(store, "a", delivery("before", DEAD)).await;
    put(store, "a", delivery("other", LIVE)).await;
    put(store, "b", delivery("foreign", DEAD)).await;
    let dead = found(store, NOON).await;
    let dead = dead.iter().find(|delivery| delivery.caused.id == "msg_before").unwrap().endpoint_id;
    write!(store, |tx| endpoints::platform_side::disable(tx, dead, "410 Gone", NOON)).unwrap();
    assert_eq!(hold(store, &Waiting { endpoint_id: dead, url: None }).await, 1);
    put(store, "a", delivery("after", DEAD)).await;
    assert_eq!(names(&found(store, NOON).await), ["msg_foreign", "msg_other"]);
    let alarm = endpoints::platform_side::disabled(store.reader()).await.unwrap();
    assert_eq!(alarm.len(), 1);
    assert_eq!(alarm[0].reason.as_deref(), Some("410 Gone"));
    let listed = endpoints::list(store.reader(), &account("a")).await.unwrap();
    assert_eq!(listed.len(), 2);
    let refused = write!(store, |tx| endpoints::enable(tx, &account("b"), dead));
    assert!(matches!(&refused, Err(StoreError::NotFound("endpoint"))), "{refused:?}");
    write!(store, |tx| endpoints::enable(tx, &account("a"), dead)).unwrap();
    assert_eq!(resend(store, DeliveryFilter::default(), NOON.plus_ms(7)).await, 2);
    let due = found(store, NOON.plus_ms(7)).await;
    assert_eq!(names(&due), ["msg_foreign", "msg_other", "msg_after", "msg_before"]);
}

#[tokio::test]
async fn one_or_a_range_is_sent_again() {
    let database = TestDatabase::fresh().await;
    let store = &database.store;
    for n in 0..4_i64 {
        let name = n.to_string();
        let new = NewDelivery { created_at: NOON.plus_ms(n), ..delivery(&name, LIVE) };
        put(store, "a", new).await;
        let one = found(store, NOON.plus_ms(n)).await.remove(0);
        let after = if n == 3 { After::Delivered } else { After::Failed };
        attempt(store, &one, Some(500), after).await;
    }
    let a = account("a");
    write!(store, |tx| deliveries::resend_one(tx, &a, "msg_3", NOON)).unwrap();
    let b = account("b");
    let foreign = write!(store, |tx| deliveries::resend_one(tx, &b, "msg_3", NOON));
    assert!(matches!(&foreign, Err(StoreError::NotFound("delivery"))), "{foreign:?}");
    let mut filter = DeliveryFilter::default();
    filter.created.from = Some(NOON.plus_ms(1));
    filter.conversation_id = None;
    assert_eq!(resend(store, filter, NOON).await, 2, "given up, and not before the range");
    let page = PageRequest { after: None, limit: 10 };
    let list = async |filter: DeliveryFilter| {
        let found = deliveries::list(store.reader(), &account("a"), &filter, &page).await;
        names(&found.unwrap().rows).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let failed = DeliveryFilter { state: Some(DeliveryState::Failed), ..Default::default() };
    assert_eq!(list(failed).await, ["msg_0"]);
    let pending = DeliveryFilter { state: Some(DeliveryState::Pending), ..Default::default() };
    assert_eq!(list(pending).await, ["msg_3", "msg_2", "msg_1"]);
    let of_one =
        DeliveryFilter { conversation_id: Some(ConversationId::new("CV2")), ..Default::default() };
    assert_eq!(list(of_one).await, ["msg_2"]);
}
