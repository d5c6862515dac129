//! A click-to-call conversation's rows: its legs, and the one transaction that ends them.
use serde_json::json;
use yunling_domain::conversation::ByeType;
use yunling_domain::{CallId, RecordingId};
use yunling_store::{
    Store, StoreError,
    attempts::{
        self, Attempt, AttemptState, Invite, NewAttempt,
        platform_side::{Orphaned, claim_due, orphans},
    },
    deliveries,
    talks::{self, Talk, TalkEnding},
};

use crate::{
    database::{TestDatabase, number, write},
    rows::{NOON, account, claimed, ending, node},
};

fn invite() -> Invite {
    Invite {
        node: node(10_000),
        trunk: "carrier-a".to_owned(),
        try_no: 1,
        from_number: "01080001001".to_owned(),
        rule: Some("passed".to_owned()),
        at: NOON.plus_ms(10),
    }
}

fn callee_of(caller: &Attempt) -> NewAttempt {
    NewAttempt { call_id: CallId::new("CAcallee"), ..caller.queued.clone() }
}

async fn join(store: &Store, new: NewAttempt) -> Result<i64, StoreError> {
    let lease_until = NOON.plus_ms(60_000);
    write!(store, |tx| attempts::insert_invited(tx, &new, &invite(), lease_until))
}

async fn finish(store: &Store, tenant: &'static str, end: TalkEnding) -> bool {
    write!(store, |tx| talks::finish(tx, &account(tenant), &end)).unwrap()
}

fn talk_of(caller: &Attempt) -> Talk {
    let queued = &caller.queued;
    Talk {
        conversation: queued.conversation_id.clone(),
        application: queued.application.clone(),
        request: queued.request_id.clone(),
        bye_type: ByeType::CalleeHungUp,
        ended_by: "callee".to_owned(),
        hangup_reason: "remote_bye".to_owned(),
        bridged_at: Some(NOON.plus_ms(9_000)),
        recording: Some(RecordingId::new("RE1")),
        ended_at: NOON.plus_ms(20_000),
    }
}

#[tokio::test]
async fn a_leg_that_joins_is_held_and_found_after_a_crash() {
    let database = TestDatabase::fresh().await;
    let store = &database.store;
    let a = account("a");
    let caller = claimed(store, "a", "1").await;
    let caller_id = caller.id;
    write!(store, |tx| attempts::mark_invited(tx, &account("a"), caller_id, &invite())).unwrap();
    let new = callee_of(&caller);
    let id = join(store, new.clone()).await.unwrap();
    let again = join(store, new.clone()).await;
    assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
    let left = orphans(store.reader(), Orphaned::By(node(10_000)), 10).await.unwrap();
    let states: Vec<_> = left.iter().map(|row| (row.id, row.state)).collect();
    assert_eq!(states, [(caller.id, AttemptState::Invited), (id, AttemptState::Invited)]);
    assert_eq!(left[1].invited_at, Some(NOON.plus_ms(10)));
    assert_eq!((left[1].trunk.as_deref(), left[1].try_no), (Some("carrier-a"), 1));
    write!(store, |tx| attempts::mark_answered(tx, &account("a"), id, NOON, json!({}))).unwrap();
    write!(store, |tx| attempts::mark_left(
        tx,
        &account("a"),
        id,
        NOON.plus_ms(5_000),
        json!({ "cause": "no-answer" })
    ))
    .unwrap();
    let row = attempts::of_call(store.reader(), &a, &new.call_id).await.unwrap().unwrap();
    assert_eq!(row.ended_at, Some(NOON.plus_ms(5_000)));
    assert_eq!(row.left_as, Some(json!({ "cause": "no-answer" })));
    assert_eq!(row.state, AttemptState::Answered, "its conversation goes on");
}

#[tokio::test]
async fn a_conversation_ends_exactly_once_with_all_its_legs() {
    let database = TestDatabase::fresh().await;
    let store = &database.store;
    let a = account("a");
    let caller = claimed(store, "a", "1").await;
    let caller_id = caller.id;
    write!(store, |tx| attempts::mark_invited(tx, &account("a"), caller_id, &invite())).unwrap();
    let new = callee_of(&caller);
    let callee = join(store, new.clone()).await.unwrap();
    write!(store, |tx| attempts::mark_left(
        tx,
        &account("a"),
        callee,
        NOON.plus_ms(5_000),
        json!({})
    ))
    .unwrap();
    let like = ending(&caller);
    let mut calls = like.calls.clone();
    calls.push(calls[0].clone());
    calls[1].call_id = new.call_id.clone();
    let mut deliveries = like.deliveries.clone();
    deliveries[0].conversation_id = Some(caller.queued.conversation_id.clone());
    deliveries[0].seq = 8;
    let end = TalkEnding {
        talk: talk_of(&caller),
        calls,
        conversation: like.conversation.unwrap(),
        deliveries,
    };
    let foreign = account("b");
    assert!(!finish(store, "b", end.clone()).await, "another tenant ends nothing");
    let outcomes = [finish(store, "a", end.clone()).await, finish(store, "a", end).await];
    assert_eq!(outcomes, [true, false]);
    for (table, rows) in [("\"call\"", 2), ("conversation", 1), ("talk", 1), ("delivery", 1)] {
        assert_eq!(number(store, &format!("SELECT COUNT(*) FROM {table}")).await, rows, "{table}");
    }
    let rows = attempts::of_request(store.reader(), &a, &caller.queued.request_id).await.unwrap();
    let ends: Vec<_> = rows.iter().map(|row| (row.state, row.ended_at)).collect();
    let ended = AttemptState::Ended;
    assert_eq!(
        ends,
        [(ended, Some(NOON.plus_ms(20_000))), (ended, Some(NOON.plus_ms(5_000)))],
        "whoever left before has left then"
    );
    let conversation = &caller.queued.conversation_id;
    let found = talks::get(store.reader(), &a, conversation).await.unwrap();
    assert_eq!(found, Some(talk_of(&caller)));
    assert_eq!(talks::get(store.reader(), &foreign, conversation).await.unwrap(), None);
    let next = deliveries::next_seq(store.reader(), &a, conversation).await.unwrap();
    assert_eq!(next, 9);
    assert_eq!(deliveries::next_seq(store.reader(), &foreign, conversation).await.unwrap(), 0);
}

/// Whichever node has claimed a click when it is cancelled: it dials nobody, and hears why.
#[tokio::test]
async fn a_click_that_is_cancelled_is_dialled_by_no_node() {
    let database = TestDatabase::fresh().await;
    let store = &database.store;
    let caller = claimed(store, "a", "1").await;
    let (id, request, conversation) =
        (caller.id, caller.queued.request_id.clone(), caller.queued.conversation_id.clone());
    let cancel = async |tenant: &'static str| {
        let (request, conversation) = (request.clone(), conversation.clone());
        write!(store, |tx| attempts::mark_cancelled(
            tx,
            &account(tenant),
            &request,
            &conversation,
            NOON.plus_ms(7)
        ))
        .unwrap()
    };
    assert!(!cancel("b").await, "another tenant cancels nothing");
    assert!(cancel("a").await);
    assert!(cancel("a").await, "the same again is the same");
    let invited = write!(store, |tx| attempts::mark_invited(tx, &account("a"), id, &invite()));
    assert!(matches!(invited, Err(StoreError::Conflict(_))), "{invited:?}");
    let released = write!(store, |tx| attempts::platform_side::release(tx, &[id], NOON)).unwrap();
    assert_eq!(released, 1);
    let claim = crate::rows::claim(NOON, 1);
    let again = write!(store, |tx| claim_due(tx, &claim)).unwrap().due;
    assert_eq!((again.len(), again[0].cancelled_at), (1, Some(NOON.plus_ms(7))));

    let dialled = claimed(store, "a", "2").await;
    let (id, request, conversation) =
        (dialled.id, dialled.queued.request_id, dialled.queued.conversation_id);
    let requests = [caller.queued.request_id, request.clone()];
    write!(store, |tx| attempts::mark_invited(tx, &account("a"), id, &invite())).unwrap();
    let late = write!(store, |tx| attempts::mark_cancelled(
        tx,
        &account("a"),
        &request,
        &conversation,
        NOON
    ))
    .unwrap();
    assert!(!late, "somebody is dialled already");
    let known = attempts::dialled(store.reader(), &account("a"), &requests).await.unwrap();
    assert_eq!(known, requests[1..]);
}
