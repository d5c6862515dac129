//! The engine alone with conversations: dials both parties or all three of each, lets them hear one
//! another as soon as all have answered, records them if it is told to.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use parking_lot::Mutex;
use serde_json::json;
use tokio::sync::{Notify, mpsc};
use yunling_switch::Switch;
use yunling_switch_contract::{
    Codec, Command, Dial, Engine as _, Event, EventKind, EventSink, HangUpWhy, LegId, Owner, Peer,
    Recording, RecordingId, TerminationKind, Transport, TrunkEvent,
};

use crate::{engine, told};

/// How long the last answers and the last ends may take.
const PATIENCE: Duration = Duration::from_secs(40);

/// Arguments of `bridge`. It waits for a line `go` before it dials, prints `up` when all
/// conversations are, hangs up at a line `end`, and prints `ended` with its figures. Then it waits
/// for the end of its standard input.
#[derive(clap::Args)]
pub(crate) struct Bridge {
    /// Where SIP and RTP are bound
    #[arg(long)]
    address: SocketAddr,
    /// The first party's SIP address
    #[arg(long)]
    callers: SocketAddr,
    /// The others'
    #[arg(long)]
    callees: SocketAddr,
    /// How many conversations
    #[arg(long)]
    conversations: u32,
    /// Conversations begun a second
    #[arg(long)]
    per_s: f64,
    /// Parties of each: 2, or 3 whose voices are mixed
    #[arg(long, default_value_t = 2)]
    parties: u8,
    /// A folder to record all conversations in
    #[arg(long)]
    record: Option<PathBuf>,
}

/// What became of the conversations.
struct Tally {
    switch: OnceLock<Switch>,
    parties: u8,
    record: Option<PathBuf>,
    /// Parties of each that have answered.
    answered: Vec<AtomicU8>,
    up: AtomicU32,
    ended: AtomicU32,
    recorded: AtomicU32,
    lost_ms: AtomicU64,
    received_packets: AtomicU64,
    lost_packets: AtomicU64,
    failures: Mutex<BTreeMap<String, u32>>,
    moved: Notify,
}

impl Tally {
    fn send(&self, command: Command) {
        let taken = self.switch.get().is_some_and(|switch| switch.send(command).is_ok());
        if !taken {
            self.failed("command queue full");
        }
    }

    fn failed(&self, why: &str) {
        *self.failures.lock().entry(why.to_owned()).or_default() += 1;
    }

    /// Everybody hears the others.
    fn connect(&self, number: u64) {
        let legs: Vec<LegId> = (0..self.parties).map(|party| leg(number, party)).collect();
        for leg in &legs {
            let others = legs.iter().filter(|other| *other != leg).cloned().collect();
            self.send(Command::Hear { leg: leg.clone(), others });
        }
        if let Some(folder) = &self.record {
            self.send(Command::Record(Box::new(Recording {
                id: RecordingId(number),
                owner: Owner(number),
                leg: legs[0].clone(),
                left: legs[..1].to_vec(),
                right: legs[1..].to_vec(),
                file: folder.join(format!("{number}.wav")),
            })));
        }
    }
}

impl EventSink for Tally {
    fn trunk(&self, _event: TrunkEvent) {}

    fn deliver(&self, event: Event) {
        match event.kind {
            EventKind::Answered { .. } => {
                let answered = &self.answered[event.owner.0 as usize];
                if answered.fetch_add(1, Ordering::Relaxed) + 1 == self.parties {
                    self.connect(event.owner.0);
                    self.up.fetch_add(1, Ordering::Relaxed);
                    self.moved.notify_one();
                }
            }
            EventKind::Recorded { failure, lost_ms, .. } => {
                if let Some(why) = failure {
                    self.failed(&why);
                }
                self.lost_ms.fetch_add(lost_ms, Ordering::Relaxed);
                self.recorded.fetch_add(1, Ordering::Relaxed);
                self.moved.notify_one();
            }
            EventKind::Ended { termination, figures } => {
                if termination.kind != TerminationKind::LocalBye {
                    self.failed(&format!("{:?} {:?}", termination.kind, termination.sip_code));
                }
                self.received_packets.fetch_add(figures.received_packets, Ordering::Relaxed);
                self.lost_packets.fetch_add(figures.lost_packets, Ordering::Relaxed);
                self.ended.fetch_add(1, Ordering::Relaxed);
                self.moved.notify_one();
            }
            _ => {}
        }
    }
}

impl Bridge {
    pub(crate) fn run(self) -> Result<()> {
        // The same kind of runtime as the product's.
        tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(self.load())
    }

    async fn load(self) -> Result<()> {
        let tally = Arc::new(Tally {
            switch: OnceLock::new(),
            parties: self.parties,
            record: self.record.clone(),
            answered: (0..self.conversations).map(|_| AtomicU8::new(0)).collect(),
            up: AtomicU32::new(0),
            ended: AtomicU32::new(0),
            recorded: AtomicU32::new(0),
            lost_ms: AtomicU64::new(0),
            received_packets: AtomicU64::new(0),
            lost_packets: AtomicU64::new(0),
            failures: Mutex::default(),
            moved: Notify::new(),
        });
        let switch = Switch::start(engine::config(self.address), Arc::clone(&tally) as _).await?;
        let _ = tally.switch.set(switch.clone());
        let mut orders = orders();
        told::tell(&json!({ "at": "ready" }));
        if !is_told(&mut orders, "go").await? {
            return Ok(());
        }
        self.dial(&tally).await;
        wait(&tally, |tally| tally.up.load(Ordering::Relaxed) >= self.conversations).await;
        told::tell(&json!({ "at": "up", "conversations": tally.up.load(Ordering::Relaxed) }));
        if !is_told(&mut orders, "end").await? {
            return Ok(());
        }
        for number in 0..u64::from(self.conversations) {
            for party in 0..self.parties {
                let why = HangUpWhy::Normal;
                tally.send(Command::HangUp { leg: leg(number, party), why });
            }
        }
        let legs = self.conversations * u32::from(self.parties);
        let recordings = if self.record.is_some() { self.conversations } else { 0 };
        wait(&tally, |tally| {
            tally.ended.load(Ordering::Relaxed) >= legs
                && tally.recorded.load(Ordering::Relaxed) >= recordings
        })
        .await;
        told::tell(&json!({
            "at": "ended",
            "ended": tally.ended.load(Ordering::Relaxed),
            "recorded": tally.recorded.load(Ordering::Relaxed),
            "recording_lost_ms": tally.lost_ms.load(Ordering::Relaxed),
            "received_packets": tally.received_packets.load(Ordering::Relaxed),
            "lost_packets": tally.lost_packets.load(Ordering::Relaxed),
            "failures": *tally.failures.lock(),
        }));
        while orders.recv().await.is_some() {}
        switch.close().await;
        Ok(())
    }

    /// Dials at an even pace; what falls behind is made good.
    async fn dial(&self, tally: &Tally) {
        let start = Instant::now();
        for number in 0..self.conversations {
            let due = start + Duration::from_secs_f64(f64::from(number) / self.per_s);
            if due > Instant::now() {
                tokio::time::sleep_until(due.into()).await;
            }
            for party in 0..self.parties {
                let at = if party == 0 { self.callers } else { self.callees };
                tally.send(Command::Dial(Box::new(Dial {
                    leg: leg(number.into(), party),
                    owner: Owner(number.into()),
                    attempt: 0,
                    peer: Peer {
                        port: Some(at.port()),
                        ..Peer::new("party", at.ip().to_string(), Transport::Udp)
                    },
                    to: format!("138{number:08}"),
                    from: "01080001001".into(),
                    codecs: vec![Codec::Pcma, Codec::Pcmu],
                })));
            }
        }
    }
}

fn leg(number: u64, party: u8) -> LegId {
    LegId::new(format!("CA1000020260101120000000{number:08}{party}"))
}

/// The lines of standard input, for async code.
fn orders() -> mpsc::UnboundedReceiver<String> {
    // As many as whoever started this cares to write.
    let (sender, receiver) = mpsc::unbounded_channel();
    let lines = told::lines();
    std::thread::spawn(move || {
        for line in lines {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

/// Waits for an order; false if there are no more.
async fn is_told(orders: &mut mpsc::UnboundedReceiver<String>, wanted: &str) -> Result<bool> {
    match orders.recv().await {
        Some(order) if order == wanted => Ok(true),
        Some(other) => bail!("unknown order {other:?}; expected {wanted:?}"),
        None => Ok(false),
    }
}

/// Waits until something is so, at most so long. Who reads the figures sees what is missing.
async fn wait(tally: &Tally, so: impl Fn(&Tally) -> bool) {
    let waiting = async {
        while !so(tally) {
            tally.moved.notified().await;
        }
    };
    let _ = tokio::time::timeout(PATIENCE, waiting).await;
}
