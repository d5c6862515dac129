//! A node: `yunling serve` as a process of its own, in a folder of its own.

use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use yunling_store::test_database;

use super::api::Api;
use super::ports::Ports;
use super::process::Process;
use super::{LOOK, PATIENCE};

/// One look at `/healthz`.
const HEALTH_LOOK: Duration = Duration::from_secs(5);

/// A node that runs, or that has been killed and can be started again on the same folder and ports.
/// Killed when dropped.
pub(crate) struct Node {
    /// Before the folder, in which its output is.
    process: Process,
    folder: TempDir,
    ports: Ports,
    client: reqwest::Client,
}

impl Node {
    /// Starts a node with these resource documents and waits until it can take calls. `settings` are
    /// merged over the generated ones (objects key by key, all else replaced).
    pub(crate) async fn start(settings: &Value, tenant: &Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = test_database::fresh(&folder.path().join("data")).await;
        Self::start_in(folder, &url, settings, tenant).await
    }

    /// As [`start`](Self::start), under another number on the database of a node that runs.
    pub(crate) async fn start_beside(other: &Self, number: &str, tenant: &Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        std::fs::create_dir(&data).unwrap();
        // Nodes on one database have one key.
        std::fs::copy(other.data_dir().join("secret.key"), data.join("secret.key")).unwrap();
        let url = other.settings()["database"]["url"].as_str().unwrap().to_owned();
        Self::start_in(folder, &url, &json!({ "node": number }), tenant).await
    }

    async fn start_in(folder: TempDir, url: &str, settings: &Value, tenant: &Value) -> Self {
        let ports = Ports::claim();
        let mut whole = generated_settings(&ports, url);
        merge(&mut whole, settings);
        // JSON is YAML.
        write(&folder.path().join("yunling.yaml"), &whole);
        write(&folder.path().join("tenant.yaml"), tenant);
        let process = spawn(folder.path());
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut node = Self { folder, ports, process, client };
        node.wait_until_healthy().await;
        node
    }

    /// Its settings, as they are in their file.
    pub(crate) fn settings(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.config()).unwrap()).unwrap()
    }

    /// Changes its settings for the next start.
    pub(crate) fn change_settings(&self, over: &Value) {
        let mut settings = self.settings();
        merge(&mut settings, over);
        write(&self.config(), &settings);
    }

    /// SIGKILL.
    pub(crate) fn kill_9(&mut self) {
        self.process.kill_9();
    }

    /// SIGTERM, and waits for the end.
    pub(crate) async fn terminate(&mut self) -> ExitStatus {
        self.process.terminate().await
    }

    /// Starts again what has ended, and waits until it can take calls.
    pub(crate) async fn restart(&mut self) {
        self.start_again();
        self.wait_until_healthy().await;
    }

    /// Starts again what has ended, and waits for nothing.
    pub(crate) fn start_again(&mut self) {
        assert!(self.process.exited().is_some(), "the node still runs");
        self.process = spawn(self.folder.path());
    }

    /// Waits until `/healthz` answers 200.
    pub(crate) async fn wait_until_healthy(&mut self) {
        let patience = Instant::now() + PATIENCE;
        let mut said = String::new();
        while Instant::now() < patience {
            self.process.assert_running();
            match self.healthz().await {
                Some((200, _)) => return,
                Some((status, body)) => said = format!("{status} {body}"),
                None => {}
            }
            tokio::time::sleep(LOOK).await;
        }
        panic!("the node was not healthy within {PATIENCE:?}; it last said {said:?}");
    }

    /// What `/healthz` answers now: its status and body; none where nobody listens.
    pub(crate) async fn healthz(&self) -> Option<(u16, String)> {
        let url = format!("{}/healthz", self.url());
        let answer = self.client.get(url).timeout(HEALTH_LOOK).send().await.ok()?;
        Some((answer.status().as_u16(), answer.text().await.ok()?))
    }

    /// The text of `/metrics`.
    pub(crate) async fn metrics(&self) -> String {
        let url = format!("{}/metrics", self.url());
        self.client.get(url).send().await.unwrap().text().await.unwrap()
    }

    /// Whether it has ended, and how.
    pub(crate) fn exited(&mut self) -> Option<ExitStatus> {
        self.process.exited()
    }

    /// The process, for signals.
    pub(crate) fn process(&self) -> &Process {
        &self.process
    }

    /// The base of its HTTP addresses.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.named(HTTP))
    }

    /// The tenant's side of its interfaces, with the sample account's credentials.
    pub(crate) fn api(&self) -> Api {
        Api::new(&self.url())
    }

    /// The folder of its settings and documents.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The file of its settings.
    pub(crate) fn config(&self) -> PathBuf {
        self.folder.path().join("yunling.yaml")
    }

    /// The folder of its data.
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Everything that it has logged since it was first started.
    pub(crate) fn log(&self) -> String {
        self.process.output()
    }
}

const HTTP: u16 = 0;
const SIP: u16 = 2;

fn spawn(folder: &Path) -> Process {
    let config = folder.join("yunling.yaml");
    let arguments = ["serve", "--config", config.to_str().unwrap()];
    Process::start("node", &arguments, &folder.join("node.log"))
}

fn generated_settings(ports: &Ports, database: &str) -> Value {
    let (http, sip) = (ports.named(HTTP), ports.named(SIP));
    json!({
        "node": "10000",
        "data_dir": "./data",
        "database": { "url": database },
        "http": { "listen": format!("127.0.0.1:{http}") },
        "sip": { "listen": [format!("udp:127.0.0.1:{sip}"), format!("tcp:127.0.0.1:{sip}")] },
        "rtp": { "address": "127.0.0.1", "ports": ports.rtp() },
        "callbacks": { "allow": ["127.0.0.0/8"] },
        "resources": ["./tenant.yaml"],
        "log": { "filter": "info" },
    })
}

/// Puts `over` on `base`: objects key by key, all else replaced.
pub(crate) fn merge(base: &mut Value, over: &Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                merge(base.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (base, over) => *base = over.clone(),
    }
}

fn write(path: &Path, document: &Value) {
    std::fs::write(path, serde_json::to_string_pretty(document).unwrap()).unwrap();
}
