//! Identifiers never come twice.
use std::collections::HashSet;

use chrono_tz::Tz;
use yunling_domain::{IdKind, Micros};
use yunling_store::ids::IdMint;

use crate::{
    database::{TestDatabase, number},
    rows::{NOON, node},
};

const ZONE: Tz = Tz::Asia__Shanghai;

fn mint_many(
    mint: &IdMint,
    seen: &mut HashSet<String>,
    count: usize,
    now: impl Fn(usize) -> Micros,
) {
    for n in 0..count {
        let id = mint.mint(IdKind::Call, now(n));
        assert_eq!(id.len(), 34);
        assert!(seen.insert(id.clone()), "{id} came twice");
    }
}

#[tokio::test]
async fn not_after_a_crash_nor_after_the_clock_stepped_back() {
    let database = TestDatabase::fresh().await;
    let store = &database.store;
    let mut seen = HashSet::new();
    let mint = IdMint::open(store, node(10_001), ZONE, NOON).await.unwrap();
    mint_many(&mint, &mut seen, 1_000, |_| NOON);
    mint_many(&mint, &mut seen, 1_000, |n| Micros(NOON.0 + n as i64));
    // The clock steps back an hour while we run.
    mint_many(&mint, &mut seen, 1_000, |n| Micros(NOON.0 - 3_600_000_000 + n as i64));
    drop(mint);
    // A crash, and the clock is back at noon.
    let mint = IdMint::open(store, node(10_001), ZONE, NOON).await.unwrap();
    mint_many(&mint, &mut seen, 1_000, |n| Micros(NOON.0 + n as i64));
}

#[tokio::test]
async fn not_while_the_reservation_is_used_up() {
    let database = TestDatabase::fresh().await;
    let store = &database.store;
    let mut seen = HashSet::new();
    let mint = IdMint::open(store, node(10_001), ZONE, NOON).await.unwrap();
    assert!(!mint.reserve_ahead(NOON.plus_ms(1_000)).await.unwrap());
    // A minute without the database: stamps stay below the mark.
    mint_many(&mint, &mut seen, 1_000, |n| NOON.plus_ms(60_000 + n as i64));
    drop(mint);
    let mint = IdMint::open(store, node(10_001), ZONE, NOON).await.unwrap();
    mint_many(&mint, &mut seen, 1_000, |n| NOON.plus_ms(n as i64));
    assert!(mint.reserve_ahead(NOON.plus_ms(60_000)).await.unwrap());
    assert_eq!(number(store, "SELECT micros FROM id_mark").await, NOON.plus_ms(70_000).0);
    let id = mint.mint(IdKind::Request, NOON.plus_ms(60_000));
    assert!(id.starts_with("RQ10001"), "{id}");
    assert!(id.contains(&NOON.plus_ms(60_000).stamp14(ZONE)), "{id}");
}

#[tokio::test]
async fn not_in_the_hour_that_comes_twice() {
    let database = TestDatabase::fresh().await;
    let berlin = Tz::Europe__Berlin;
    // 2026-10-25T00:30:00Z, 02:30 summer time, and an hour later 02:30 again.
    let first = Micros(1_792_888_200_000_000);
    let mint = IdMint::open(&database.store, node(10_001), berlin, first).await.unwrap();
    let early = mint.mint(IdKind::Call, first);
    let second = first.plus_ms(3_600_000);
    mint.reserve_ahead(second).await.unwrap();
    let late = mint.mint(IdKind::Call, second);
    assert_eq!(early[..27], late[..27], "the same local stamp");
    assert_ne!(early, late);
}

#[tokio::test]
async fn not_after_a_change_of_zone() {
    let database = TestDatabase::fresh().await;
    let store = &database.store;
    let mut seen = HashSet::new();
    let shanghai = IdMint::open(store, node(10_001), ZONE, NOON).await.unwrap();
    mint_many(&shanghai, &mut seen, 100, |_| NOON);
    drop(shanghai);
    // Eight hours later UTC prints what Shanghai printed.
    let later = NOON.plus_ms(8 * 3_600_000);
    let utc = IdMint::open(store, node(10_001), Tz::UTC, later).await.unwrap();
    mint_many(&utc, &mut seen, 100, |_| later);
}
