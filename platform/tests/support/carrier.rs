//! The fake telephone network as a process of its own, and its event log to wait on.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::UdpSocket;

use super::ports::Ports;
use super::process::Process;
use super::{LOOK, PATIENCE};

/// An order is repeated after so long: a datagram may be lost.
const REPEAT: Duration = Duration::from_millis(500);

/// A running network; killed when dropped.
pub(crate) struct Carrier {
    /// Before the folder, in which its output is.
    process: Process,
    address: SocketAddr,
    folder: TempDir,
    arguments: Vec<String>,
    _ports: Ports,
    /// Orders given.
    orders: AtomicU32,
    log: Mutex<Log>,
}

/// What has been read of the event log.
#[derive(Default)]
struct Log {
    read: u64,
    events: Vec<Value>,
}

impl Carrier {
    /// Starts one with more `options` as on its command line (switch/carrier-sim/src/options.rs),
    /// and waits until it is ready.
    pub(crate) async fn start(options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ports = Ports::claim();
        let (listen, rtp) = (format!("127.0.0.1:{}", ports.named(0)), ports.rtp());
        let record = folder.path().join("heard");
        let events = folder.path().join("events.jsonl");
        let mut arguments = vec!["carrier-sim", "--listen", &listen, "--rtp", &rtp, "--seed", "1"];
        arguments.extend(["--record", record.to_str().unwrap()]);
        arguments.extend(["--events", events.to_str().unwrap()]);
        arguments.extend(options);
        let process = Process::start("carrier", &arguments, &folder.path().join("carrier.log"));
        let address = listen.parse().unwrap();
        let arguments = arguments.into_iter().map(str::to_owned).collect();
        let log = Mutex::new(Log::default());
        let mut carrier = Self {
            address,
            folder,
            arguments,
            _ports: ports,
            orders: AtomicU32::new(0),
            process,
            log,
        };
        carrier.wait_until_ready(1).await;
        carrier
    }

    /// Starts again, on the same address, one that was killed; its event log goes on.
    pub(crate) async fn start_again(&mut self) {
        assert!(self.process.exited().is_some(), "the fake network still runs");
        let starts = self.starts();
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        let log = self.folder.path().join("carrier.log");
        self.process = Process::start("carrier", &arguments, &log);
        self.wait_until_ready(starts + 1).await;
    }

    fn starts(&self) -> usize {
        self.events().iter().filter(|event| event["kind"] == "ready").count()
    }

    async fn wait_until_ready(&mut self, starts: usize) {
        let patience = Instant::now() + PATIENCE;
        while self.starts() < starts {
            self.process.assert_running();
            assert!(Instant::now() < patience, "the fake network was not ready in {PATIENCE:?}");
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Where it listens, UDP and TCP.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Tells a number what to do (switch/carrier-sim/src/orders.rs). Fails where it cannot.
    pub(crate) async fn tell(&self, number: &str, order: &Value) {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let (own, body) = (socket.local_addr().unwrap(), order.to_string());
        let (network, length) = (self.address, body.len());
        // A branch for each: a socket's port may come back.
        let branch = self.orders.fetch_add(1, Ordering::Relaxed);
        let message = format!(
            "MESSAGE sip:{number}@{network} SIP/2.0\r\n\
             Via: SIP/2.0/UDP {own};branch=z9hG4bKorder{branch}\r\nMax-Forwards: 70\r\n\
             From: <sip:test@{own}>;tag=test\r\nTo: <sip:{number}@{network}>\r\n\
             Call-ID: order-{branch}@{own}\r\nCSeq: 1 MESSAGE\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        let mut answer = [0; 2_048];
        let deadline = Instant::now() + PATIENCE;
        let length = loop {
            socket.send_to(message.as_bytes(), network).await.unwrap();
            let reply = tokio::time::timeout(REPEAT, socket.recv_from(&mut answer)).await;
            if let Ok(reply) = reply {
                break reply.unwrap().0;
            }
            assert!(Instant::now() < deadline, "the fake network takes no orders");
        };
        let answer = String::from_utf8_lossy(&answer[..length]);
        let status = answer.lines().next().unwrap_or_default();
        assert_eq!(status, "SIP/2.0 200 OK", "{number} cannot {order}: {:?}", self.story(number));
    }

    /// The folder of what was heard.
    pub(crate) fn recordings(&self) -> PathBuf {
        self.folder.path().join("heard")
    }

    /// The process, for signals.
    pub(crate) fn process(&self) -> &Process {
        &self.process
    }

    /// SIGKILL: it is gone for good.
    pub(crate) fn kill_9(&mut self) {
        self.process.kill_9();
    }

    /// Every event so far, in order.
    pub(crate) fn events(&self) -> Vec<Value> {
        let mut log = self.log.lock();
        log.read_on(&self.folder.path().join("events.jsonl"));
        log.events.clone()
    }

    /// The events of calls to this number.
    pub(crate) fn of(&self, to: &str) -> Vec<Value> {
        self.events().into_iter().filter(|event| event["to"] == to).collect()
    }

    /// The kinds of the events of calls to this number.
    pub(crate) fn story(&self, to: &str) -> Vec<String> {
        self.of(to).iter().filter_map(|event| event["kind"].as_str().map(str::to_owned)).collect()
    }

    /// How many events of that kind there are about calls to this number.
    pub(crate) fn count(&self, to: &str, kind: &str) -> usize {
        self.of(to).iter().filter(|event| event["kind"] == kind).count()
    }

    /// Waits for the first event of that kind about calls to this number.
    pub(crate) async fn wait_for(&self, to: &str, kind: &str) -> Value {
        self.wait_until(&format!("{kind} for {to}"), PATIENCE, |events| {
            events.iter().find(|event| event["to"] == to && event["kind"] == kind).cloned()
        })
        .await
    }

    /// Waits until `look` finds something in the events so far; `name` is for the one who reads the
    /// failure.
    pub(crate) async fn wait_until<T>(
        &self,
        name: &str,
        patience: Duration,
        mut look: impl FnMut(&[Value]) -> Option<T>,
    ) -> T {
        let deadline = Instant::now() + patience;
        let path = self.folder.path().join("events.jsonl");
        loop {
            {
                let mut log = self.log.lock();
                log.read_on(&path);
                if let Some(found) = look(&log.events) {
                    return found;
                }
                if Instant::now() >= deadline {
                    let last = &log.events[log.events.len().saturating_sub(40)..];
                    panic!("no {name} within {patience:?}; the last events: {last:#?}");
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The samples of what was heard, from the `ended` event of a call: 8 kHz.
    pub(crate) fn recording(ended: &Value) -> Vec<i16> {
        let path = ended["wav"].as_str().expect("an answered call is recorded");
        let mut reader = hound::WavReader::open(PathBuf::from(path)).unwrap();
        assert_eq!((reader.spec().sample_rate, reader.spec().channels), (8_000, 1));
        reader.samples().map(Result::unwrap).collect()
    }
}

impl Log {
    /// Reads the lines that have come since; the last one may not be whole yet.
    fn read_on(&mut self, path: &std::path::Path) {
        let Ok(mut file) = std::fs::File::open(path) else { return };
        file.seek(SeekFrom::Start(self.read)).unwrap();
        let mut more = Vec::new();
        file.read_to_end(&mut more).unwrap();
        for line in more.split_inclusive(|byte| *byte == b'\n') {
            if line.ends_with(b"\n") {
                self.events.push(serde_json::from_slice(line).unwrap());
                self.read += line.len() as u64;
            }
        }
    }
}
