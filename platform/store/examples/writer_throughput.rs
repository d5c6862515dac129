//! How many writes a second the writer commits to SQLite, synced to the disk.
//!
//! `cargo run -p yunling-store --example writer_throughput [SECONDS] [FOLDER]`

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use sea_orm::ConnectionTrait;
use yunling_domain::{AccountId, ApplicationId, CallId, ConversationId, Micros, RequestId};
use yunling_store::{
    BULK_ROWS, Lane, OpenOptions, RequestKind, Store, StoreError,
    attempts::{self, AttemptLane, NewAttempt},
    requests::{self, NewRequest},
};

/// Callers that wait for their answer before they write again.
const CALLERS: [usize; 4] = [1, 8, 64, 512];

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let seconds: u64 = arguments.next().map_or(Ok(3), |text| text.parse())?;
    let folder = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = folder.join(format!("yunling-throughput-{}", std::process::id()));
    let url = format!("sqlite://{}/bench.db", folder.display());
    let store = Store::open(&url, OpenOptions::default()).await?;
    for callers in CALLERS {
        single(&store, callers, Duration::from_secs(seconds), Work::Touch).await?;
        single(&store, callers, Duration::from_secs(seconds), Work::Accept).await?;
    }
    bulk(&store).await?;
    store.close().await?;
    std::fs::remove_dir_all(folder)?;
    Ok(())
}

#[derive(Clone, Copy, Debug)]
enum Work {
    /// One statement.
    Touch,
    /// What accepting a notice writes: the request and its attempt.
    Accept,
}

async fn single(
    store: &Store,
    callers: usize,
    time: Duration,
    work: Work,
) -> Result<(), Box<dyn std::error::Error>> {
    let began = Instant::now();
    let tasks: Vec<_> = (0..callers)
        .map(|caller| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut waits = Vec::new();
                while began.elapsed() < time {
                    let asked = Instant::now();
                    match work {
                        Work::Touch => store.ping_writable().await?,
                        Work::Accept => {
                            accept(&store, &format!("{callers}-{caller}-{}", waits.len())).await?;
                        }
                    }
                    waits.push(asked.elapsed());
                }
                Ok::<_, StoreError>(waits)
            })
        })
        .collect();
    let mut waits = Vec::new();
    for task in tasks {
        waits.extend(task.await??);
    }
    let elapsed = began.elapsed().as_secs_f64();
    waits.sort();
    let at = |share: f64| waits[((waits.len() - 1) as f64 * share) as usize];
    println!(
        "{work:?}, {callers} callers: {:.0} writes/s, waits p50 {:?} p99 {:?} max {:?}",
        waits.len() as f64 / elapsed,
        at(0.5),
        at(0.99),
        at(1.0),
    );
    Ok(())
}

async fn accept(store: &Store, name: &str) -> Result<(), StoreError> {
    let request = request(name);
    let attempt = attempt(name, name);
    store
        .writer()
        .write(Lane::Live, move |tx| {
            Box::pin(async move {
                requests::insert(tx, &request).await?;
                attempts::insert(tx, &[attempt]).await
            })
        })
        .await
}

async fn bulk(store: &Store) -> Result<(), Box<dyn std::error::Error>> {
    const ROWS: usize = 50_000;
    let batch = request("batch");
    store
        .writer()
        .write(Lane::Live, move |tx| Box::pin(async move { requests::insert(tx, &batch).await }))
        .await?;
    let rows: Vec<_> = (0..ROWS).map(|row| attempt(&format!("bulk-{row}"), "batch")).collect();
    let began = Instant::now();
    let writing = store
        .writer()
        .write_rows(rows, |tx, rows| Box::pin(async move { attempts::insert(tx, &rows).await }));
    let (written, worst) = tokio::join!(writing, worst_wait(store, began));
    written?;
    println!(
        "bulk, turns of {BULK_ROWS}: {:.0} rows/s; a live write beside it waited {worst:?} at most",
        ROWS as f64 / began.elapsed().as_secs_f64()
    );
    let count = store
        .reader()
        .query_one_raw(sea_orm::Statement::from_string(
            store.reader().get_database_backend(),
            "SELECT COUNT(*) AS n FROM attempt WHERE request_id = 'RQbatch'",
        ))
        .await?;
    let count: Option<i64> = count.map(|row| row.try_get("", "n")).transpose()?;
    assert_eq!(count, Some(ROWS as i64));
    Ok(())
}

async fn worst_wait(store: &Store, began: Instant) -> Duration {
    let mut worst = Duration::ZERO;
    while began.elapsed() < Duration::from_millis(800) {
        let asked = Instant::now();
        if store.ping_writable().await.is_err() {
            break;
        }
        worst = worst.max(asked.elapsed());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    worst
}

fn request(name: &str) -> NewRequest {
    NewRequest {
        id: RequestId::new(format!("RQ{name}")),
        account: AccountId::new("abcdefghijklmnopqrstuvwxyz012345"),
        application: ApplicationId::new("11111111111111111111111111111111"),
        kind: RequestKind::Notice,
        spec: serde_json::json!({"contents": [{"type": "voice", "name": "prompt1.wav"}, {"type": "digits", "content": "1234"}], "times": 2}),
        to_raw: "13800138000".to_owned(),
        userdata: Some("order 1".to_owned()),
        urls: serde_json::json!({}),
        from_number: Some("01080001001".to_owned()),
        api_version: "201512".to_owned(),
        created_at: Micros(1_790_000_000_000_000),
    }
}

fn attempt(name: &str, request: &str) -> NewAttempt {
    NewAttempt {
        call_id: CallId::new(format!("CA{name}")),
        conversation_id: ConversationId::new(format!("CV{name}")),
        request_id: RequestId::new(format!("RQ{request}")),
        account: AccountId::new("abcdefghijklmnopqrstuvwxyz012345"),
        application: ApplicationId::new("11111111111111111111111111111111"),
        lane: AttemptLane::Notice,
        to_number: "+8613800138000".to_owned(),
        to_shown: "13800138000".to_owned(),
        from_number: Some("01080001001".to_owned()),
        due_at: Micros(1_790_000_000_000_000),
        deadline_at: Micros(1_790_000_030_000_000),
        rule: None,
        created_at: Micros(1_790_000_000_000_000),
    }
}
