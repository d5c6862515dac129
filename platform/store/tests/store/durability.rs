//! `kill -9`: whatever was acknowledged is there afterwards.
use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use sea_orm::ConnectionTrait;
use yunling_store::{Lane, OpenOptions, Store};

use crate::database::{execute, number};

const DATABASE: &str = "YUNLING_TEST_DURABILITY_DATABASE";
const KILLS: u64 = 5;
const CALLERS: u64 = 16;

/// The child: not a test of its own, but what [`acknowledged_writes_survive_a_kill`] starts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child_that_writes_until_it_is_killed() {
    let Ok(url) = std::env::var(DATABASE) else { return };
    let store = Store::open(&url, OpenOptions::default()).await.unwrap();
    let first = number(&store, "SELECT COALESCE(MAX(n), 0) + 1000 FROM mark").await;
    let tasks: Vec<_> = (0..CALLERS)
        .map(|caller| {
            let store = store.clone();
            tokio::spawn(async move {
                for round in 0.. {
                    let n = first + i64::try_from(round * CALLERS + caller).unwrap();
                    store
                        .writer()
                        .write(Lane::Live, move |tx| {
                            Box::pin(async move {
                                tx.execute_unprepared(&format!("INSERT INTO mark VALUES ({n})"))
                                    .await?;
                                Ok(())
                            })
                        })
                        .await
                        .unwrap();
                    // Straight to the pipe: a line is either there whole or not at all.
                    use std::io::Write as _;
                    std::io::stdout().lock().write_all(format!("ack {n}\n").as_bytes()).unwrap();
                    std::io::stdout().flush().unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn acknowledged_writes_survive_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/yunling.db", folder.path().display());
    let store = Store::open(&url, OpenOptions::default()).await.unwrap();
    execute(&store, "CREATE TABLE mark (n BIGINT PRIMARY KEY)").await.unwrap();
    store.close().await.unwrap();
    let mut acknowledged = BTreeSet::new();
    for kill in 1..=KILLS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "durability::child_that_writes_until_it_is_killed", "--nocapture"])
            .env(DATABASE, &url)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut seen = 0;
        for line in lines {
            // The test harness's own words share the line of the first acknowledgement.
            let line = line.unwrap();
            let Some((_, n)) = line.split_once("ack ") else { continue };
            acknowledged.insert(n.parse::<i64>().unwrap());
            seen += 1;
            if seen == 100 * kill {
                // SIGKILL; the acknowledgements that are in the pipe already are read on.
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(seen >= 100 * kill, "the child died by itself after {seen}");
    }
    let store = Store::open(&url, OpenOptions::default()).await.unwrap();
    for n in &acknowledged {
        let there = number(&store, &format!("SELECT COUNT(*) FROM mark WHERE n = {n}")).await;
        assert_eq!(there, 1, "{n} was acknowledged and is lost");
    }
}
