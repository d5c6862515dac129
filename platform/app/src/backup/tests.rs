//! Backup and restore of a data folder with a real SQLite database, and every way in which an
//! archive may be wrong.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;
use yunling_domain::Micros;
use yunling_store::{ConnectionTrait, Lane, OpenOptions, Store, StoreError};

use super::*;
use crate::config::Settings;

const NOW: Micros = Micros(1_795_500_000_000_000);

struct Rig {
    folder: TempDir,
}

impl Rig {
    async fn new() -> Self {
        let rig = Self { folder: tempfile::tempdir().unwrap() };
        let settings = rig.settings("data");
        let store = Store::open(&settings.database.url, OpenOptions::default()).await.unwrap();
        execute(&store, "UPDATE meta SET value = 41 WHERE key = 'ping'").await;
        store.close().await.unwrap();
        for (name, text) in [("secret.key", "k"), ("recordings/1.wav", "one")] {
            let path = settings.data_dir.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        rig
    }

    fn settings(&self, data: &str) -> Settings {
        let text = format!(
            "node: \"10000\"\ndata_dir: ./{data}\ndatabase: {{ url: \"sqlite://./{data}/y.db\" }}\n\
             http: {{ listen: \"127.0.0.1:8080\" }}\nsip: {{ listen: [\"udp:127.0.0.1:5060\"] }}\n\
             rtp: {{ address: 127.0.0.1, ports: 20000-20999 }}\n"
        );
        Settings::from_text("yunling.yaml", &text, self.folder.path()).unwrap()
    }

    fn archive(&self) -> PathBuf {
        self.folder.path().join("y.tar")
    }

    async fn backup(&self, secrets: Secrets) -> Result<Manifest, BackupError> {
        let wanted = Backup { to: Target::File(self.archive()), secrets, now: NOW };
        take(&self.settings("data"), wanted, silent()).await
    }

    async fn restore(&self, data: &str, over_existing: bool) -> Result<Restored, BackupError> {
        let wanted =
            Restore { from: self.archive(), over_existing, queued: Queued::Hold, now: NOW };
        restore(&self.settings(data), wanted, silent()).await
    }

    /// Every file under a folder.
    fn files(&self, data: &str) -> Vec<String> {
        let mut found = Vec::new();
        let root = self.folder.path().join(data);
        let mut unvisited = vec![root.clone()];
        while let Some(folder) = unvisited.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    unvisited.push(path);
                } else {
                    found.push(path.strip_prefix(&root).unwrap().display().to_string());
                }
            }
        }
        found.sort();
        found
    }
}

fn silent() -> Progress {
    Arc::new(|_| {})
}

async fn execute(store: &Store, sql: &str) {
    let sql = sql.to_owned();
    let done = store.writer().write(Lane::Live, move |tx| {
        Box::pin(async move { Ok::<_, StoreError>(tx.execute_unprepared(&sql).await.map(drop)?) })
    });
    done.await.unwrap();
}

async fn pings(settings: &Settings) -> bool {
    let store = Store::open(&settings.database.url, OpenOptions::default()).await.unwrap();
    let done = store.writer().write(Lane::Live, |tx| {
        Box::pin(async move {
            let sql = "UPDATE meta SET value = 42 WHERE key = 'ping' AND value = 41";
            Ok::<_, StoreError>(tx.execute_unprepared(sql).await?.rows_affected() == 1)
        })
    });
    let found = done.await.unwrap();
    store.close().await.unwrap();
    found
}

#[tokio::test]
async fn what_was_backed_up_is_restored() {
    let rig = Rig::new().await;
    let manifest = rig.backup(Secrets::Included).await.unwrap();
    assert_eq!(verify(&rig.archive()).unwrap(), manifest);
    assert_eq!(rig.files("."), ["data/recordings/1.wav", "data/secret.key", "data/y.db", "y.tar"]);
    let restored = rig.restore("new", false).await.unwrap();
    assert!(restored.aside.is_empty() && !restored.key_is_missing, "{restored:?}");
    assert_eq!(rig.files("new"), ["recordings/1.wav", "secret.key", "y.db"]);
    assert!(pings(&rig.settings("new")).await, "its rows are there");
}

/// What the restore itself writes into the database is in the file that is put into place.
#[tokio::test]
async fn what_waited_for_a_line_is_held() {
    let rig = Rig::new().await;
    let settings = rig.settings("data");
    let store = Store::open(&settings.database.url, OpenOptions::default()).await.unwrap();
    execute(
        &store,
        "INSERT INTO request (id, account, application, kind, state, spec, to_raw, urls, \
         api_version, created_at) VALUES ('r', 'a', 'a', 'k', 's', '{}', '1', '{}', 'v', 1)",
    )
    .await;
    // Waiting, claimed, invited, over.
    for (state, id) in ["a", "b", "c", "d"].into_iter().enumerate() {
        let (state, invited) = ([0, 1, 2, 4][state], if state < 2 { "NULL" } else { "7" });
        let sql = format!(
            "INSERT INTO attempt (call_id, conversation_id, request_id, account, application, \
             lane, to_number, to_shown, state, due_at, deadline_at, try_no, invited_at, created_at) \
             VALUES ('{id}', '{id}', 'r', 'a', 'a', 1, '1', '1', {state}, 1, 1, 0, {invited}, 1)"
        );
        execute(&store, &sql).await;
    }
    store.close().await.unwrap();
    rig.backup(Secrets::Included).await.unwrap();
    assert_eq!(rig.restore("new", false).await.unwrap().held, 2);
    let url = rig.settings("new").database.url;
    let store = Store::open(&url, OpenOptions::default()).await.unwrap();
    let left = yunling_store::attempts::platform_side::unfinished(
        store.reader(),
        rig.settings("new").node.0,
    );
    let invited: Vec<_> = left.await.unwrap().iter().map(|row| row.invited_at.unwrap().0).collect();
    assert_eq!(invited, [NOW.0, NOW.0], "they are this node's, and are not dialled");
    store.close().await.unwrap();
}

#[tokio::test]
async fn an_archive_is_not_written_over() {
    let rig = Rig::new().await;
    rig.backup(Secrets::LeftOut).await.unwrap();
    let refused = rig.backup(Secrets::LeftOut).await.unwrap_err();
    assert!(matches!(refused, BackupError::Exists(..)), "{refused}");
}

#[tokio::test]
async fn existing_data_is_replaced_only_by_force_and_kept() {
    let rig = Rig::new().await;
    rig.backup(Secrets::LeftOut).await.unwrap();
    assert!(pings(&rig.settings("data")).await);
    fs::write(rig.folder.path().join("data/recordings/1.wav"), "later").unwrap();
    let refused = rig.restore("data", false).await.unwrap_err();
    assert!(matches!(refused, BackupError::Exists(..)), "{refused}");
    assert!(!pings(&rig.settings("data")).await, "nothing was replaced");
    let restored = rig.restore("data", true).await.unwrap();
    let aside = format!("before-restore-{}", NOW.0);
    assert_eq!(restored.aside, [rig.folder.path().join("./data").join(&aside)]);
    assert!(pings(&rig.settings("data")).await, "the old rows are back");
    let kept = fs::read(rig.folder.path().join("data").join(aside).join("recordings/1.wav"));
    assert_eq!(kept.unwrap(), b"later");
    assert!(!restored.key_is_missing, "it was left where it is: {restored:?}");
    assert!(rig.restore("new", false).await.unwrap().key_is_missing);
}

#[tokio::test]
async fn a_damaged_archive_is_refused_before_anything_is_replaced() {
    let rig = Rig::new().await;
    rig.backup(Secrets::Included).await.unwrap();
    let whole = fs::read(rig.archive()).unwrap();
    let find =
        |words: &str| whole.windows(words.len()).position(|part| part == words.as_bytes()).unwrap();
    let flipped = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        bytes
    };
    let newer = |from: &str, to: &str| {
        assert_eq!(from.len(), to.len());
        let mut bytes = whole.clone();
        let at = find(from);
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
        bytes
    };
    let cases: [(&str, Vec<u8>, &str); 7] = [
        ("a page of the database", flipped(512 + 4_096), "is not as it was written"),
        ("a recording", newer("one\0", "ONE\0"), "is not as it was written"),
        ("cut in the middle", whole[..whole.len() / 2].to_vec(), "damaged"),
        ("cut before the manifest", whole[..find("manifest.json")].to_vec(), "cut short"),
        ("of a newer format", newer("\"format\": 1", "\"format\": 9"), "use a newer one"),
        (
            "of a newer schema",
            newer("\"m20261124_000001_foundation\"", "\"m20991124_000001_foundation\""),
            "newer release",
        ),
        ("empty", Vec::new(), "cut short"),
    ];
    for (name, bytes, said) in cases {
        fs::write(rig.archive(), bytes).unwrap();
        let refused = rig.restore("data", true).await.unwrap_err().to_string();
        assert!(refused.contains(said), "{name}: {refused}");
        assert!(rig.files("data").iter().all(|file| !file.starts_with("before-")), "{name}");
        assert!(rig.files("data").iter().all(|file| !file.starts_with("restoring-")), "{name}");
    }
    assert!(pings(&rig.settings("data")).await, "the data are as they were");
}

#[tokio::test]
async fn names_that_lead_elsewhere_are_refused() {
    let rig = Rig::new().await;
    for name in ["data/../../escaped", "/tmp/escaped"] {
        let mut header = tar::Header::new_gnu();
        header.set_size(1);
        // The crate's own setter refuses such names.
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        let mut tar = tar::Builder::new(Vec::new());
        tar.append(&header, &b"x"[..]).unwrap();
        fs::write(rig.archive(), tar.into_inner().unwrap()).unwrap();
        let refused = rig.restore("new", false).await.unwrap_err().to_string();
        assert!(refused.contains("leads elsewhere"), "{name}: {refused}");
    }
    assert!(!Path::new("/tmp/escaped").exists());
}

#[tokio::test]
async fn a_running_node_is_neither_restored_over_nor_disturbed() {
    let rig = Rig::new().await;
    rig.backup(Secrets::Included).await.unwrap();
    let settings = rig.settings("data");
    let store = Store::open(&settings.database.url, OpenOptions::default()).await.unwrap();
    let node = settings.node.0;
    let until = NOW.plus_ms(1_000);
    let lease =
        yunling_store::lease::NodeLease::claim(&store, node, &settings.data_dir, NOW, until)
            .await
            .unwrap();
    let refused = rig.restore("data", true).await.unwrap_err();
    assert!(matches!(refused, BackupError::Running(_)), "{refused}");
    lease.release().await.unwrap();
    store.close().await.unwrap();
}

#[test]
fn sizes_are_readable() {
    let cases = [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1_000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (12_340_000_000, "12.3 GB"),
        (5_000_000_000_000_000, "5000.0 TB"),
    ];
    for (bytes, text) in cases {
        assert_eq!(readable(bytes), text, "{bytes}");
    }
}
