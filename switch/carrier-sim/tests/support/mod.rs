//! A fake network in a thread of its own, and its event log to wait on.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a failed set-up is a failed test")]
#![expect(dead_code, reason = "each test program uses its part of this")]

pub(crate) mod caller;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use clap::Parser;
use serde_json::Value;
use tempfile::TempDir;
use yunling_carrier_sim::{Carrier, Options};

/// Longest wait for anything; reached only by a test that fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    options: Options,
}

/// A running network; stops when dropped.
pub(crate) struct Sim {
    pub(crate) address: SocketAddr,
    pub(crate) folder: TempDir,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Sim {
    /// Starts one on a free port with `arguments` as on the command line.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let record = folder.path().join("heard");
        let events = folder.path().join("events.jsonl");
        let usual = ["sim", "--listen", "127.0.0.1:0", "--seed", "1", "--record"];
        let command_line = usual
            .into_iter()
            .chain([record.to_str().unwrap(), "--events", events.to_str().unwrap()])
            .chain(arguments.iter().copied());
        let options = Cli::parse_from(command_line).options;
        let (address_sender, address) = mpsc::channel();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let carrier = Carrier::bind(options).await.unwrap();
                address_sender.send(carrier.address()).unwrap();
                carrier.serve(async { drop(stopped.await) }).await;
            });
        });
        let address = address.recv_timeout(PATIENCE).expect("the network binds");
        Self { address, folder, stop: Some(stop), thread: Some(thread) }
    }

    /// Every event so far.
    pub(crate) fn events(&self) -> Vec<Value> {
        let path = self.folder.path().join("events.jsonl");
        let text = std::fs::read_to_string(path).unwrap_or_default();
        // The last line may not be whole yet.
        text.split_inclusive('\n')
            .filter(|line| line.ends_with('\n'))
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Waits for the `count`th event of that kind about calls to `to`.
    pub(crate) fn wait_for(&self, to: &str, kind: &str, count: usize) -> Value {
        self.wait_until(count, &format!("{kind} for {to}"), |event| {
            event["to"] == to && event["kind"] == kind
        })
    }

    /// Waits for the `count`th event that is `wanted`; `name` is for the one who reads the failure.
    pub(crate) fn wait_until(
        &self,
        count: usize,
        name: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> Value {
        let patience = Instant::now() + PATIENCE;
        loop {
            let events = self.events();
            if let Some(event) = events.iter().filter(|event| wanted(event)).nth(count - 1) {
                return event.clone();
            }
            assert!(Instant::now() < patience, "no {name} #{count} in {events:#?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The kinds of the events about calls to `to`, in order.
    pub(crate) fn story(&self, to: &str) -> Vec<String> {
        self.events()
            .iter()
            .filter(|event| event["to"] == to)
            .map(|event| event["kind"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Samples of a recording named by an `ended` event.
    pub(crate) fn recording(ended: &Value) -> Vec<i16> {
        let path = PathBuf::from(ended["wav"].as_str().expect("the call was recorded"));
        let mut reader = hound::WavReader::open(path).unwrap();
        assert_eq!(
            (reader.spec().sample_rate, reader.spec().channels, reader.spec().bits_per_sample),
            (8_000, 1, 16)
        );
        reader.samples().map(Result::unwrap).collect()
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().map(JoinHandle::join);
        if !std::thread::panicking() {
            ended.unwrap().expect("the network does not panic");
        }
    }
}
