//! A connection to a server that is cut in the middle of a commit: whoever wrote is told the truth.
//! PostgreSQL only: a commit to a file has answered or has not happened.
use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use yunling_store::{OpenOptions, Store, StoreError, Unavailability, test_database};

use crate::database::{execute, number};

/// Lets everything pass.
const PASS: u8 = 0;
/// Cuts the connection once the COMMIT has gone to the server.
const CUT_AFTER: u8 = 1;
/// Cuts the connection instead of passing the COMMIT on.
const CUT_BEFORE: u8 = 2;
/// Passes the COMMIT on, and no answer ever again.
const SWALLOW: u8 = 3;

/// Stands between the store and the server.
struct Relay {
    mode: Arc<AtomicU8>,
    url: String,
}

impl Relay {
    async fn start(database: &str) -> Self {
        let (host, rest) = database.split_once('@').unwrap().1.split_once('/').unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let url = format!("postgres://postgres@127.0.0.1:{port}/{rest}");
        let mode = Arc::new(AtomicU8::new(PASS));
        let (server, shared) = (host.to_owned(), Arc::clone(&mode));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&server).await.unwrap();
                tokio::spawn(relay(client, server, Arc::clone(&shared)));
            }
        });
        Self { mode, url }
    }

    /// For the next COMMIT; it is one only.
    fn at_next_commit(&self, mode: u8) {
        self.mode.store(mode, Ordering::SeqCst);
    }
}

async fn relay(client: TcpStream, server: TcpStream, mode: Arc<AtomicU8>) {
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
        (client.into_split(), server.into_split());
    let answers = tokio::spawn(async move {
        // Ends with either side.
        let _ = tokio::io::copy(&mut from_server, &mut to_client).await;
    });
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from_client.read(&mut buffer).await {
        let sent = &buffer[..count];
        let is_commit = sent.windows(7).any(|part| part == b"COMMIT\0");
        let mode = if is_commit { mode.swap(PASS, Ordering::SeqCst) } else { PASS };
        if mode != PASS {
            answers.abort();
        }
        if mode == CUT_BEFORE || to_server.write_all(sent).await.is_err() {
            break;
        }
        match mode {
            CUT_AFTER => break,
            SWALLOW => {
                // Open, and silent, for longer than anybody waits.
                tokio::time::sleep(std::time::Duration::from_secs(600)).await;
            }
            _ => {}
        }
    }
    answers.abort();
}

#[ignore = "needs PostgreSQL: the suite store_postgres runs it"]
#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_looked_up() {
    let server = std::env::var(test_database::VARIABLE).unwrap();
    let database = test_database::fresh_on(&server).await;
    let relay = Relay::start(&database).await;
    let options = OpenOptions { operation_limit_ms: 1_000, ..OpenOptions::default() };
    let store = Store::open(&relay.url, options).await.unwrap();
    execute(&store, "CREATE TABLE told (n BIGINT PRIMARY KEY)").await.unwrap();
    // (what happens to the COMMIT, whether it is kept)
    let cases = [(PASS, true), (CUT_AFTER, true), (CUT_BEFORE, false), (SWALLOW, true)];
    for (n, (mode, kept)) in cases.into_iter().enumerate() {
        relay.at_next_commit(mode);
        let answer = execute(&store, &format!("INSERT INTO told VALUES ({n})")).await;
        let there = number(&store, &format!("SELECT COUNT(*) FROM told WHERE n = {n}")).await;
        assert_eq!(there, i64::from(kept), "case {n}");
        match answer {
            Ok(_) => assert!(kept, "case {n}"),
            Err(StoreError::Unavailable { reason: Unavailability::NoConnection, .. }) => {
                assert!(!kept, "case {n}");
            }
            other => panic!("case {n}: {other:?}"),
        }
    }
}

/// Of many that share transactions, each is told its own truth.
#[ignore = "needs PostgreSQL: the suite store_postgres runs it"]
#[tokio::test]
async fn of_many_each_is_told_the_truth() {
    let server = std::env::var(test_database::VARIABLE).unwrap();
    let database = test_database::fresh_on(&server).await;
    let relay = Relay::start(&database).await;
    let store = Store::open(&relay.url, OpenOptions::default()).await.unwrap();
    execute(&store, "CREATE TABLE told (n BIGINT PRIMARY KEY)").await.unwrap();
    for round in 0..10 {
        relay.at_next_commit(if round % 2 == 0 { CUT_AFTER } else { CUT_BEFORE });
        let tasks: Vec<_> = (0..64)
            .map(|n| {
                let (store, n) = (store.clone(), round * 100 + n);
                tokio::spawn(async move {
                    (n, execute(&store, &format!("INSERT INTO told VALUES ({n})")).await)
                })
            })
            .collect();
        for task in tasks {
            let (n, answer) = task.await.unwrap();
            let there = number(&store, &format!("SELECT COUNT(*) FROM told WHERE n = {n}")).await;
            assert_eq!(there == 1, answer.is_ok(), "row {n}: {answer:?}");
        }
    }
}
