//! SIP traces and trace contexts.
use yunling_domain::sip_trace::{Direction, SipMessage, SipTrace, Transport};
use yunling_domain::{AccountId, CallId, ConversationId, Micros};
use yunling_store::sip_traces::{self, NewSipTrace};
use yunling_store::trace_contexts::platform_side::{get, note, purge};
use yunling_store::{Lane, Store, StoreError};

use crate::database::TestDatabase;

fn trace(conversation: &str, at: i64, texts: &[&str]) -> SipTrace {
    let message = |text: &&str| SipMessage {
        at: Micros(at),
        leg: CallId::new("CA1"),
        attempt: 1,
        direction: Direction::Received,
        transport: Transport::Tls,
        local: "[::1]:5061".parse().unwrap(),
        remote: "192.0.2.1:5061".parse().unwrap(),
        text: (*text).into(),
    };
    let conversation = ConversationId::new(conversation);
    SipTrace { conversation, messages: texts.iter().map(message).collect(), dropped: 3 }
}

async fn keep(store: &Store, traces: Vec<SipTrace>) -> Result<(), StoreError> {
    let pack = |trace| NewSipTrace::pack(AccountId::new("A"), &trace).unwrap();
    let packed: Vec<_> = traces.into_iter().filter_map(pack).collect();
    store
        .writer()
        .write(Lane::Bulk, move |tx| Box::pin(async move { sip_traces::keep(tx, &packed).await }))
        .await
}

#[tokio::test]
async fn a_trace_is_kept_for_its_account_and_until_its_time() {
    let database = TestDatabase::fresh().await;
    let store = &database.store;
    let (account, other) = (AccountId::new("A"), AccountId::new("B"));
    let (old, new) = (trace("CV1", 1_000, &["一", "two"]), trace("CV2", 2_000, &["one"]));
    keep(store, vec![old.clone(), new.clone(), trace("CV3", 0, &[])]).await.unwrap();

    let reader = store.reader();
    for kept in [&old, &new] {
        let id = &kept.conversation;
        let found = sip_traces::get(reader, &account, id).await.unwrap();
        assert_eq!(found.as_ref(), Some(kept));
        assert!(sip_traces::is_kept(reader, &account, id).await.unwrap());
        assert_eq!(sip_traces::get(reader, &other, id).await.unwrap(), None);
        assert!(!sip_traces::is_kept(reader, &other, id).await.unwrap());
    }
    let empty = ConversationId::new("CV3");
    assert_eq!(sip_traces::get(reader, &account, &empty).await.unwrap(), None);

    let again = trace("CV1", 1_500, &["again"]);
    keep(store, vec![again.clone()]).await.unwrap();
    let found = sip_traces::get(reader, &account, &again.conversation).await.unwrap();
    assert_eq!(found, Some(again.clone()), "the later one takes its place");

    let purged = store
        .writer()
        .write(Lane::Bulk, |tx| {
            Box::pin(async move { sip_traces::platform_side::purge(tx, Micros(2_000), 10).await })
        })
        .await;
    assert_eq!(purged.unwrap(), 1);
    assert!(!sip_traces::is_kept(reader, &account, &again.conversation).await.unwrap());
    assert!(sip_traces::is_kept(reader, &account, &new.conversation).await.unwrap());
}

#[tokio::test]
async fn the_first_trace_context_stays() {
    let database = TestDatabase::fresh().await;
    let store = &database.store;
    for (key, traceparent, at) in
        [("RQ1", "first", 1_000), ("RQ1", "second", 1_000), ("msg_1", "x", 2_000)]
    {
        store
            .writer()
            .write(Lane::Live, move |tx| {
                Box::pin(async move { note(tx, key, traceparent, Micros(at)).await })
            })
            .await
            .unwrap();
    }
    assert_eq!(get(store.reader(), "RQ1").await.unwrap().as_deref(), Some("first"));
    assert_eq!(get(store.reader(), "RQ2").await.unwrap(), None);
    let purged = store
        .writer()
        .write(Lane::Bulk, |tx| Box::pin(async move { purge(tx, Micros(2_000), 10).await }))
        .await;
    assert_eq!(purged.unwrap(), 1);
    assert_eq!(get(store.reader(), "msg_1").await.unwrap().as_deref(), Some("x"));
}
