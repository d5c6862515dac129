//! Documents, credentials, media, idempotency keys.
use serde_json::json;
use yunling_store::{
    StoreError,
    credentials::{self, Credential, CredentialKind},
    idempotency::{self, IdempotencyKey, Known},
    media_blobs::{self, MediaBlob},
    resources::{self, NewResource},
    trunk_states::{self, Draining},
};

use crate::{
    database::{TestDatabase, write},
    rows::{NOON, account},
};

fn trunk(uri: &str) -> NewResource {
    NewResource {
        kind: "trunk".to_owned(),
        account_sid: String::new(),
        key: "carrier-a".to_owned(),
        doc: json!({"uri": uri, "max_calls": 500}),
        applied: Some(json!({"uri": uri})),
        owner: "tenant.yaml".to_owned(),
    }
}

#[tokio::test]
async fn every_change_moves_the_version() {
    let database = TestDatabase::fresh().await;
    let store = &database.store;
    let version = async || resources::config_version(store.reader()).await.unwrap();
    let start = version().await;
    let first = write!(store, |tx| resources::upsert(tx, &trunk("sip:1"), Some(0), NOON));
    assert_eq!(first.unwrap(), 1);
    assert_eq!(version().await, start + 1);
    let stale = write!(store, |tx| resources::upsert(tx, &trunk("sip:2"), Some(0), NOON));
    assert!(matches!(&stale, Err(StoreError::Conflict(_))), "{stale:?}");
    assert_eq!(version().await, start + 1);
    let later = NOON.plus_ms(5);
    let second = write!(store, |tx| resources::upsert(tx, &trunk("sip:2"), Some(1), later));
    assert_eq!(second.unwrap(), 2);
    let all = resources::load_all(store.reader()).await.unwrap();
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].doc, json!({"uri": "sip:2", "max_calls": 500}));
    assert_eq!((all[0].version, all[0].updated_at), (2, later));
    let got = resources::get(store.reader(), "trunk", "", "carrier-a").await.unwrap();
    assert_eq!(got.as_ref(), all.first());
    let before = version().await;
    assert!(write!(store, |tx| resources::delete(tx, "trunk", "", "carrier-a")).unwrap());
    assert_eq!(version().await, before + 1);
    assert!(!write!(store, |tx| resources::delete(tx, "trunk", "", "carrier-a")).unwrap());
    assert_eq!(version().await, before + 1);
}

#[tokio::test]
async fn draining_is_noted_once_and_moves_the_version() {
    let database = TestDatabase::fresh().await;
    let store = &database.store;
    let version = async || resources::config_version(store.reader()).await.unwrap();
    let drained = async || trunk_states::draining(store.reader()).await.unwrap();
    let by =
        |who: &str| Draining { trunk: "carrier-a".to_owned(), since: NOON, who: who.to_owned() };
    let start = version().await;
    assert!(write!(store, |tx| trunk_states::drain(tx, &by("one"))).unwrap());
    assert!(!write!(store, |tx| trunk_states::drain(tx, &by("another"))).unwrap());
    assert_eq!((drained().await, version().await), (vec![by("one")], start + 1));
    assert!(write!(store, |tx| trunk_states::resume(tx, "carrier-a")).unwrap());
    assert!(!write!(store, |tx| trunk_states::resume(tx, "carrier-a")).unwrap());
    assert_eq!((drained().await, version().await), (vec![], start + 2));
}

#[tokio::test]
async fn credentials_come_and_are_revoked() {
    let database = TestDatabase::fresh().await;
    let store = &database.store;
    let new = Credential {
        id: "key_1".to_owned(),
        account: account("a"),
        kind: CredentialKind::ApiKey,
        hash: vec![7; 32],
        label: "back end".to_owned(),
        scopes: json!(["calls:read"]),
        created_at: NOON,
        revoked_at: None,
        last_used_at: None,
    };
    assert!(!format!("{new:?}").contains('7'), "hashes stay out of logs");
    let stored = new.clone();
    write!(store, |tx| credentials::insert(tx, &stored)).unwrap();
    let mut same = new.clone();
    same.id = "key_2".to_owned();
    let refused = write!(store, |tx| credentials::insert(tx, &same));
    assert!(matches!(&refused, Err(StoreError::Conflict(_))), "{refused:?}");
    let valid = credentials::platform_side::load_valid(store.reader()).await.unwrap();
    assert_eq!(valid, [new]);
    let foreign = write!(store, |tx| credentials::revoke(tx, &account("b"), "key_1", NOON));
    assert!(matches!(&foreign, Err(StoreError::NotFound(_))), "{foreign:?}");
    write!(store, |tx| async {
        credentials::touch(tx, &account("a"), "key_1", NOON.plus_ms(1)).await?;
        credentials::revoke(tx, &account("a"), "key_1", NOON.plus_ms(2)).await?;
        credentials::revoke(tx, &account("a"), "key_1", NOON.plus_ms(3)).await
    })
    .unwrap();
    assert!(credentials::platform_side::load_valid(store.reader()).await.unwrap().is_empty());
    let listed = credentials::list(store.reader(), &account("a")).await.unwrap();
    assert_eq!(listed[0].revoked_at, Some(NOON.plus_ms(2)));
    assert_eq!(listed[0].last_used_at, Some(NOON.plus_ms(1)));
}

#[tokio::test]
async fn media_are_kept_once() {
    let database = TestDatabase::fresh().await;
    let store = &database.store;
    let blob = MediaBlob {
        original: b"RIFF".to_vec(),
        alaw: vec![0xD5; 160],
        ulaw: vec![0xFF; 160],
        ms: 20,
        report: Some(json!({"format": "WAV"})),
    };
    let name = media_blobs::content_name(&blob.original);
    assert!(!media_blobs::exists(store.reader(), &name).await.unwrap());
    for _ in 0..2 {
        let (name, blob) = (name.clone(), blob.clone());
        write!(store, |tx| media_blobs::put(tx, &name, blob)).unwrap();
    }
    assert!(media_blobs::exists(store.reader(), &name).await.unwrap());
    assert_eq!(media_blobs::get(store.reader(), &name).await.unwrap(), Some(blob));
    assert_eq!(media_blobs::get(store.reader(), "none").await.unwrap(), None);

    let names = vec![name.clone(), "none".to_owned()];
    let facts = media_blobs::facts(store.reader(), names).await.unwrap();
    assert_eq!(facts[&name].ms, 20);
    assert_eq!(facts.len(), 1);
}

#[tokio::test]
async fn a_prompt_goes_an_hour_after_the_last_that_referred_to_it() {
    let database = TestDatabase::fresh().await;
    let store = &database.store;
    let blob = |text: &str| MediaBlob {
        original: text.as_bytes().to_vec(),
        alaw: vec![],
        ulaw: vec![],
        ms: 0,
        report: None,
    };
    for name in ["kept", "gone", "found again"] {
        write!(store, |tx| media_blobs::put(tx, name, blob(name))).unwrap();
    }
    let sweep = async |referred_to: &[&str], after_ms| {
        let referred_to = referred_to.iter().map(|&name| name.to_owned()).collect();
        let now = NOON.plus_ms(after_ms);
        write!(store, |tx| media_blobs::sweep(tx, &referred_to, now)).unwrap()
    };
    let an_hour = media_blobs::KEPT_UNUSED_MS;
    assert_eq!(sweep(&["kept"], 0).await, 0);
    assert_eq!(sweep(&["kept", "found again"], an_hour - 1).await, 0);
    assert_eq!(sweep(&["kept"], an_hour).await, 1);
    assert!(!media_blobs::exists(store.reader(), "gone").await.unwrap());
    assert!(media_blobs::exists(store.reader(), "found again").await.unwrap());
    assert_eq!(sweep(&["kept"], 2 * an_hour).await, 1);
    assert!(media_blobs::exists(store.reader(), "kept").await.unwrap());
}

#[tokio::test]
async fn a_key_replays_its_answer() {
    let database = TestDatabase::fresh().await;
    let store = &database.store;
    let key = |tenant: &str, route: &str| IdempotencyKey {
        account: account(tenant),
        key: "订单-1".to_owned(),
        route: route.to_owned(),
    };
    let reserve = async |key: IdempotencyKey, sha: &'static str| {
        write!(store, |tx| idempotency::reserve(tx, &key, sha, NOON)).unwrap()
    };
    assert_eq!(reserve(key("a", "notices"), "sha1").await, Known::New);
    assert_eq!(reserve(key("a", "notices"), "sha1").await, Known::UnderWay);
    let answered = key("a", "notices");
    write!(store, |tx| idempotency::complete(tx, &answered, 200, "{}")).unwrap();
    let answer = Known::Answered { status: 200, response: "{}".to_owned() };
    assert_eq!(reserve(key("a", "notices"), "sha1").await, answer);
    assert_eq!(reserve(key("a", "notices"), "sha2").await, Known::OtherBody);
    // Another tenant's key, or another operation's, is another key.
    assert_eq!(reserve(key("b", "notices"), "sha2").await, Known::New);
    assert_eq!(reserve(key("a", "captchas"), "sha2").await, Known::New);
    let none = key("c", "notices");
    let missing = write!(store, |tx| idempotency::complete(tx, &none, 200, "{}"));
    assert!(matches!(&missing, Err(StoreError::NotFound(_))), "{missing:?}");
    let purge = async |before| {
        write!(store, |tx| idempotency::platform_side::purge(tx, before, 2)).unwrap()
    };
    assert_eq!(purge(NOON).await, 0);
    assert_eq!(purge(NOON.plus_ms(1)).await, 2);
    assert_eq!(purge(NOON.plus_ms(1)).await, 1);
    let gone = idempotency::lookup(store.reader(), &key("a", "notices"), "sha1").await;
    assert_eq!(gone.unwrap(), Known::New);
}
