//! An attempt's way from the queue to its end, and what a crash leaves of it.
use serde_json::json;
use yunling_domain::RequestId;
use yunling_store::{
    StoreError,
    attempts::{
        self, AttemptState, Invite,
        platform_side::{Orphaned, orphans, purge_ended, release, renew_leases, unfinished},
    },
    calls, conversations, requests,
};

use crate::{
    database::{TestDatabase, number, write},
    rows::{NOON, account, attempt, claim, claimed, ending, node, queue, request},
};

fn invite(number: u32) -> Invite {
    Invite {
        node: node(number),
        trunk: "carrier-a".to_owned(),
        try_no: 1,
        from_number: "01080001001".to_owned(),
        rule: Some("allowed".to_owned()),
        at: NOON.plus_ms(10),
    }
}

#[tokio::test]
async fn the_whole_way() {
    let database = TestDatabase::fresh().await;
    let store = &database.store;
    let id = claimed(store, "a", "1").await.id;
    let dialog = json!({"call_id": "x", "local_cseq": 1});
    let kept = dialog.clone();
    write!(store, |tx| async {
        let a = account("a");
        attempts::mark_invited(tx, &a, id, &invite(10_000)).await?;
        attempts::mark_ringing(tx, &a, id, NOON.plus_ms(900)).await?;
        attempts::mark_ringing(tx, &a, id, NOON.plus_ms(1_900)).await?;
        attempts::mark_answered(tx, &a, id, NOON.plus_ms(5_000), dialog).await
    })
    .unwrap();
    let request = RequestId::new("RQ1");
    let stored = attempts::of_request(store.reader(), &account("a"), &request).await.unwrap();
    let stored = &stored[0];
    assert_eq!(stored.state, AttemptState::Answered);
    assert_eq!(stored.invited_at, Some(NOON.plus_ms(10)));
    assert_eq!(stored.ring_at, Some(NOON.plus_ms(900)));
    assert_eq!(stored.answered_at, Some(NOON.plus_ms(5_000)));
    assert_eq!(stored.dialog, Some(kept));
    assert_eq!(stored.trunk.as_deref(), Some("carrier-a"));
    assert_eq!(stored.try_no, 1);
    assert_eq!(stored.queued.from_number.as_deref(), Some("01080001001"));
    let call = stored.queued.call_id.clone();
    let found = attempts::of_call(store.reader(), &account("a"), &call).await.unwrap();
    assert_eq!(found.as_ref(), Some(stored));
    assert_eq!(attempts::of_call(store.reader(), &account("b"), &call).await.unwrap(), None);
}

#[tokio::test]
async fn who_does_not_hold_a_row_cannot_dial() {
    let database = TestDatabase::fresh().await;
    let store = &database.store;
    let id = claimed(store, "a", "1").await.id;
    // (account, node)
    for (tenant, number) in [("a", 10_009), ("b", 10_000)] {
        let refused =
            write!(store, |tx| attempts::mark_invited(tx, &account(tenant), id, &invite(number)));
        assert!(matches!(&refused, Err(StoreError::Conflict(_))), "{refused:?}");
    }
    write!(store, |tx| attempts::mark_invited(tx, &account("a"), id, &invite(10_000))).unwrap();
    // The next trunk is the same attempt still.
    let second = Invite { try_no: 2, trunk: "carrier-b".to_owned(), ..invite(10_000) };
    write!(store, |tx| attempts::mark_invited(tx, &account("a"), id, &second)).unwrap();
    write!(store, |tx| attempts::mark_answered(tx, &account("a"), id, NOON, json!({}))).unwrap();
    // Answered: nothing more may be dialled.
    let refused =
        write!(store, |tx| attempts::mark_invited(tx, &account("a"), id, &invite(10_000)));
    assert!(matches!(&refused, Err(StoreError::Conflict(_))), "{refused:?}");
}

#[tokio::test]
async fn it_ends_exactly_once_and_leaves_everything() {
    let database = TestDatabase::fresh().await;
    let store = &database.store;
    let attempt = claimed(store, "a", "1").await;
    let end = ending(&attempt);
    let tasks: Vec<_> = (0..8)
        .map(|n| {
            let (store, mut end) = (store.clone(), end.clone());
            end.deliveries[0].id = format!("msg_{n}");
            tokio::spawn(async move {
                write!(store, |tx| attempts::finish_attempt(tx, &account("a"), &end)).unwrap()
            })
        })
        .collect();
    let mut ended = 0;
    for task in tasks {
        ended += usize::from(task.await.unwrap());
    }
    assert_eq!(ended, 1);
    for (table, rows) in [("\"call\"", 1), ("conversation", 1), ("delivery", 1)] {
        assert_eq!(number(store, &format!("SELECT COUNT(*) FROM {table}")).await, rows);
    }
    let a = account("a");
    let record = &end.calls[0];
    let call = calls::get(store.reader(), &a, &record.call_id).await.unwrap();
    assert_eq!(call.as_ref(), Some(record));
    let told = end.conversation.unwrap();
    let conversation = conversations::get(store.reader(), &a, &told.id).await.unwrap().unwrap();
    assert_eq!(conversation, told);
    let story: Vec<String> = conversation.story.unpack().unwrap();
    assert_eq!(story, ["accepted", "answered"]);
    for other in ["b", ""] {
        let other = account(other);
        assert_eq!(calls::get(store.reader(), &other, &record.call_id).await.unwrap(), None);
        assert_eq!(conversations::get(store.reader(), &other, &told.id).await.unwrap(), None);
    }
}

#[tokio::test]
async fn an_end_that_cannot_be_written_whole_is_not_written() {
    let database = TestDatabase::fresh().await;
    let store = &database.store;
    let mut end = ending(&claimed(store, "a", "1").await);
    // The second event has the first one's identifier.
    end.deliveries.push(end.deliveries[0].clone());
    let failed = write!(store, |tx| attempts::finish_attempt(tx, &account("a"), &end));
    assert!(matches!(&failed, Err(StoreError::Conflict(_))), "{failed:?}");
    for table in ["\"call\"", "conversation", "delivery"] {
        assert_eq!(number(store, &format!("SELECT COUNT(*) FROM {table}")).await, 0, "{table}");
    }
    assert_eq!(number(store, "SELECT COUNT(*) FROM attempt WHERE state = 4").await, 0);
    let foreign = ending(&claimed(store, "a", "2").await);
    let refused = write!(store, |tx| attempts::finish_attempt(tx, &account("b"), &foreign));
    assert!(matches!(&refused, Err(StoreError::NotFound("attempt"))), "{refused:?}");
}

#[tokio::test]
async fn a_crash_leaves_orphans_and_only_the_uninvited_go_back() {
    let database = TestDatabase::fresh().await;
    let store = &database.store;
    for name in ["1", "2", "3"] {
        queue(store, attempt("a", name)).await;
    }
    let wanted = claim(NOON, 10);
    let all = write!(store, |tx| attempts::platform_side::claim_due(tx, &wanted)).unwrap().due;
    let ids: Vec<i64> = all.iter().map(|attempt| attempt.id).collect();
    let (invited, ended) = (ids[1], ending(&all[2]));
    write!(store, |tx| async {
        attempts::mark_invited(tx, &account("a"), invited, &invite(10_000)).await?;
        attempts::finish_attempt(tx, &account("a"), &ended).await
    })
    .unwrap();
    let reader = store.reader();
    let held = |attempts: Vec<attempts::Attempt>| -> Vec<i64> {
        attempts.iter().map(|attempt| attempt.id).collect()
    };
    let mine = orphans(reader, Orphaned::By(node(10_000)), 10).await.unwrap();
    assert_eq!(held(mine), ids[..2]);
    assert_eq!(held(unfinished(reader, node(10_000)).await.unwrap()), ids[..2]);
    assert!(orphans(reader, Orphaned::By(node(10_001)), 10).await.unwrap().is_empty());
    // By lease: it runs out, unless it is renewed.
    let over = Orphaned::LeaseOver(NOON.plus_ms(15_000));
    assert_eq!(held(orphans(reader, over, 10).await.unwrap()), ids[..2]);
    let renewed = write!(store, |tx| renew_leases(tx, node(10_000), NOON.plus_ms(20_000))).unwrap();
    assert_eq!(renewed, 2);
    assert!(orphans(reader, over, 10).await.unwrap().is_empty());
    // Back to the queue goes what was never invited.
    let back = ids.clone();
    let released = write!(store, |tx| release(tx, &back, NOON.plus_ms(500))).unwrap();
    assert_eq!(released, 1);
    let early = claim(NOON.plus_ms(499), 10);
    let none = write!(store, |tx| attempts::platform_side::claim_due(tx, &early)).unwrap();
    assert!(none.due.is_empty());
    let again = claim(NOON.plus_ms(500), 10);
    let again = write!(store, |tx| attempts::platform_side::claim_due(tx, &again)).unwrap();
    assert_eq!(held(again.due), ids[..1]);
    let old = attempts::platform_side::ended(reader, NOON.plus_ms(20_001), 0, 10).await.unwrap();
    assert_eq!(old.len(), 1);
    assert!(
        attempts::platform_side::ended(reader, NOON.plus_ms(20_001), old[0], 10)
            .await
            .unwrap()
            .is_empty()
    );
    // One that has not ended is not deleted, whoever asks for it.
    let named = [old, ids.clone()].concat();
    let purged = write!(store, |tx| purge_ended(tx, &named)).unwrap();
    assert_eq!(purged, 1);
    assert_eq!(number(store, "SELECT COUNT(*) FROM attempt").await, 2);
    assert_eq!(number(store, "SELECT COUNT(*) FROM \"call\"").await, 1);
}

#[tokio::test]
async fn a_request_moves_from_state_to_state() {
    let database = TestDatabase::fresh().await;
    let store = &database.store;
    let new = request("a", "1");
    let stored = new.clone();
    write!(store, |tx| requests::insert(tx, &stored)).unwrap();
    let twice = new.clone();
    let refused = write!(store, |tx| requests::insert(tx, &twice));
    assert!(matches!(&refused, Err(StoreError::Conflict(_))), "{refused:?}");
    let id = new.id.clone();
    let found = requests::get(store.reader(), &account("a"), &id).await.unwrap().unwrap();
    assert_eq!((found.accepted, found.state), (new, requests::RequestState::Accepted));
    let foreign = write!(store, |tx| requests::set_state(
        tx,
        &account("b"),
        &RequestId::new("RQ1"),
        requests::RequestState::Cancelled
    ));
    assert!(matches!(&foreign, Err(StoreError::NotFound("request"))), "{foreign:?}");
    write!(store, |tx| requests::set_state(
        tx,
        &account("a"),
        &RequestId::new("RQ1"),
        requests::RequestState::Finished
    ))
    .unwrap();
    let found = requests::platform_side::get(store.reader(), &id).await.unwrap().unwrap();
    assert_eq!(found.state, requests::RequestState::Finished);
}
