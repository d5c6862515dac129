//! The engine alone under load: dials so many callees a second, plays each a prompt, hangs up.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use parking_lot::Mutex;
use serde_json::json;
use tokio::sync::Notify;
use yunling_switch::{FloodLimits, MediaConfig, SipListen, Switch, SwitchConfig, Timers};
use yunling_switch_contract::{
    Codec, Command, Dial, Engine as _, Event, EventKind, EventSink, HangUpWhy, LegId, Owner, Peer,
    Play, PlayEnd, PlayId, PlayItem, PlayMode, Prompt, Transport, TrunkEvent,
};

use crate::told;

/// Enough pairs for a thousand calls a second with the pause that each port rests.
const PORTS: RangeInclusive<u16> = 10_000..=59_999;
/// Commands that may wait for the engine: those of a burst.
const COMMAND_QUEUE: usize = 65_536;
/// How long the last calls may take beyond their prompt.
const PATIENCE: Duration = Duration::from_secs(40);

/// Arguments of `engine`. It waits for a line `go` before it dials, prints `answered` when every
/// call has been answered or has failed, and `ended` with its figures when the last one has ended.
/// Then it waits for the end of its standard input.
#[derive(clap::Args)]
pub(crate) struct Engine {
    /// Where SIP and RTP are bound
    #[arg(long)]
    address: SocketAddr,
    /// The callee's SIP address
    #[arg(long)]
    callee: SocketAddr,
    /// How many calls
    #[arg(long)]
    calls: u32,
    /// Calls begun a second
    #[arg(long)]
    per_s: f64,
    /// Length of the prompt, milliseconds
    #[arg(long)]
    prompt_ms: u32,
}

/// What became of the calls.
#[derive(Default)]
struct Tally {
    switch: OnceLock<Switch>,
    prompt: OnceLock<Prompt>,
    calls: u32,
    answered: AtomicU32,
    played: AtomicU32,
    ended: AtomicU32,
    /// Of those that ended without having been played to.
    failures: Mutex<BTreeMap<String, u32>>,
    /// The worst of all legs, microseconds.
    worst_lateness_us: AtomicU64,
    heard_packets: AtomicU64,
    moved: Notify,
}

impl Tally {
    fn send(&self, command: Command) {
        let taken = self.switch.get().is_some_and(|switch| switch.send(command).is_ok());
        if !taken {
            *self.failures.lock().entry("command queue full".into()).or_default() += 1;
        }
    }

    /// How many calls have not been answered and have not failed.
    fn unanswered(&self) -> u32 {
        let failed: u32 = self.failures.lock().values().sum();
        self.calls.saturating_sub(self.answered.load(Ordering::Relaxed) + failed)
    }
}

impl EventSink for Tally {
    fn trunk(&self, _event: TrunkEvent) {}

    fn deliver(&self, event: Event) {
        match event.kind {
            EventKind::Answered { .. } => {
                self.answered.fetch_add(1, Ordering::Relaxed);
                let prompt = self.prompt.get().expect("it is made before the first call").clone();
                let items = vec![PlayItem::Prompt(prompt)];
                self.send(Command::Play(Box::new(Play {
                    leg: event.leg,
                    play: PlayId(1),
                    items,
                    mode: PlayMode::Once,
                })));
                self.moved.notify_one();
            }
            EventKind::PlayFinished { end: PlayEnd::Completed, .. } => {
                self.played.fetch_add(1, Ordering::Relaxed);
                self.send(Command::HangUp { leg: event.leg, why: HangUpWhy::Normal });
            }
            EventKind::Ended { termination, figures } => {
                if figures.sent_packets == 0 {
                    let why = format!("{:?} {:?}", termination.kind, termination.sip_code);
                    *self.failures.lock().entry(why).or_default() += 1;
                }
                let lateness_us = (figures.worst_lateness_ms * 1_000.0) as u64;
                self.worst_lateness_us.fetch_max(lateness_us, Ordering::Relaxed);
                self.heard_packets.fetch_add(figures.received_packets, Ordering::Relaxed);
                self.ended.fetch_add(1, Ordering::Relaxed);
                self.moved.notify_one();
            }
            _ => {}
        }
    }
}

impl Engine {
    pub(crate) fn run(self) -> Result<()> {
        // The same kind of runtime as the product's.
        tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(self.load())
    }

    async fn load(self) -> Result<()> {
        let samples: Arc<[u8]> = tone(self.prompt_ms).into();
        let tally = Arc::new(Tally { calls: self.calls, ..Tally::default() });
        let _ = tally.prompt.set(Prompt::new("tone", Arc::clone(&samples), samples));
        let switch = Switch::start(self.config(), Arc::clone(&tally) as _).await?;
        let _ = tally.switch.set(switch.clone());
        let orders = told::lines();
        told::tell(&json!({ "at": "ready" }));
        // Nothing else runs yet that a blocked thread could hold up.
        let go = tokio::task::spawn_blocking(move || (orders.recv(), orders));
        let (order, orders) = go.await.context("the reader of orders panicked")?;
        match order.as_deref() {
            Ok("go") => {}
            Ok(other) => bail!("unknown order {other:?}"),
            Err(_) => return Ok(()),
        }
        self.dial(&tally).await;
        let longest = PATIENCE + Duration::from_millis(self.prompt_ms.into());
        wait(&tally, longest, |tally| tally.unanswered() == 0).await;
        told::tell(&json!({ "at": "answered" }));
        wait(&tally, longest, |tally| tally.ended.load(Ordering::Relaxed) >= self.calls).await;
        told::tell(&json!({
            "at": "ended",
            "answered": tally.answered.load(Ordering::Relaxed),
            "played": tally.played.load(Ordering::Relaxed),
            "ended": tally.ended.load(Ordering::Relaxed),
            "failures": *tally.failures.lock(),
            "heard_packets": tally.heard_packets.load(Ordering::Relaxed),
            "worst_lateness_ms": tally.worst_lateness_us.load(Ordering::Relaxed) as f64 / 1_000.0,
        }));
        tokio::task::spawn_blocking(move || while orders.recv().is_ok() {}).await?;
        switch.close().await;
        Ok(())
    }

    fn config(&self) -> SwitchConfig {
        config(self.address)
    }

    /// Dials at an even pace; what falls behind is made good.
    async fn dial(&self, tally: &Tally) {
        let peer = Peer {
            port: Some(self.callee.port()),
            ..Peer::new("callee", self.callee.ip().to_string(), Transport::Udp)
        };
        let start = Instant::now();
        for number in 0..self.calls {
            let due = start + Duration::from_secs_f64(f64::from(number) / self.per_s);
            if due > Instant::now() {
                tokio::time::sleep_until(due.into()).await;
            }
            tally.send(Command::Dial(Box::new(Dial {
                leg: LegId::new(format!("CA10000202601011200000000{number:08}")),
                owner: Owner(number.into()),
                attempt: 0,
                peer: peer.clone(),
                to: format!("138{number:08}"),
                from: "01080001001".into(),
                codecs: vec![Codec::Pcma, Codec::Pcmu],
            })));
        }
    }
}

/// Waits until something is so, at most so long.
async fn wait(tally: &Tally, longest: Duration, so: impl Fn(&Tally) -> bool) {
    let waiting = async {
        while !so(tally) {
            tally.moved.notified().await;
        }
    };
    // Who reads the figures sees what is missing.
    let _ = tokio::time::timeout(longest, waiting).await;
}

/// An engine at an address, as it is shipped but for ports and queue.
pub(crate) fn config(address: SocketAddr) -> SwitchConfig {
    let listen = SipListen { transport: Transport::Udp, address, advertised: None };
    let ip = address.ip();
    SwitchConfig {
        sip_listen: vec![listen],
        tls: None,
        dns: None,
        flood: FloodLimits::default(),
        rtp: MediaConfig {
            address: ip,
            advertised: ip,
            ports: PORTS,
            silence: Duration::ZERO,
            shards: 0,
        },
        user_agent: "Yunling bench".into(),
        id_key: [7; 32],
        timers: Timers::default(),
        command_queue: COMMAND_QUEUE,
    }
}

/// Something that is not silence, for which a codec might have a shorter form.
fn tone(ms: u32) -> Vec<u8> {
    (0..ms * 8).map(|sample| if sample % 16 < 8 { 0x34 } else { 0xB4 }).collect()
}
