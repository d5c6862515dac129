//! A fake telephone network on loopback: a SIP carrier with handsets behind it.
//!
//! `yunling dev` and the tests start it as the carrier, as a process of its own: it outlives a
//! caller that is killed, as a real network would. Ringing handsets ring until CANCEL, answered
//! ones listen until BYE, or hang up themselves when no RTP has come for a minute.
//!
//! The last two digits of the number called choose what happens:
//!
//! | digits | behaviour |
//! |---|---|
//! | 00 | answers after 1 s of ringing and listens to the end |
//! | 01, 02 | answers; presses that key when the prompt has fallen silent |
//! | 03 | answers; presses 2 at the first pause, 1 at the next |
//! | 10 | busy: 486 |
//! | 11 | rings and never answers |
//! | 12 | rings for 1 s, then rejects: 603 |
//! | 13 | unknown number: 404 |
//! | 14 | carrier failure: 503 |
//! | 15 | 183 with ringback tone as early media, then answers |
//! | 16 | answers and hangs up in mid-prompt |
//! | 17 | an answering machine: a greeting, a beep, then it listens |
//! | 18 | answers after 8 s |
//! | 19 | never replies at all |
//! | 20 | answers; its line loses 5 % of RTP packets, both ways |
//! | others | as 00 |
//!
//! Whoever tests something else tells a number what to do, by a SIP MESSAGE to it whose body is an
//! order in JSON (`orders.rs`): how to behave in its next calls (which sign it gives, its tones, its
//! codec, when it picks up), or what to do in the one that it is in (`"answer"`, `"hang_up"`,
//! `{"press":"5"}`, `"mute"`, `"hold"`…). The answer is 200 once it is done, 480 where it cannot be
//! done now, 404 where the number is in no call, 400 for what is no order.
//!
//! It shares no SIP, RTP or G.711 code with the call engine, on purpose: a fake network built on
//! the engine's stack would share its faults and find none of them. It must also misbehave (stay
//! silent, lose packets, hang up at bad moments) in ways that a correct stack forbids. For the same
//! reason its parser takes nearly anything, while what it writes follows the RFCs.
//!
//! Not spoken: TLS, IPv6 names, reliable provisional responses (an INVITE that requires any
//! extension gets 420), INVITEs without an offer (488), digest challenges but for REGISTER, RTCP.

mod address;
mod call;
mod clock;
mod dialog;
mod dice;
mod ear;
mod events;
mod exchange;
mod framing;
mod g711;
mod handset;
mod media;
mod message;
mod mouth;
mod network;
mod notes;
mod options;
mod orders;
mod ports;
mod registrar;
mod rtp;
mod sdp;
mod sounds;
mod spacing;
mod track;
mod transaction;
mod voice;
mod wire;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval};

pub use g711::Law;
pub use options::{Keys, Options};

use clock::Clock;
use events::{Events, What};
use exchange::Exchange;
use network::Network;
use wire::Wire;

/// One timer moves all calls; four steps a frame spread their packets.
const TICK: Duration = Duration::from_millis(5);

/// Why the network could not start: the operator's fault, or the machine's.
#[derive(Debug, thiserror::Error)]
pub enum CarrierError {
    /// The address is taken or not ours.
    #[error("--listen: cannot bind {address} on UDP and TCP: {source}")]
    Bind {
        /// What was asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// A file or folder cannot be used.
    #[error("{option}: cannot use {}: {source}", path.display())]
    Path {
        /// The option that named it.
        option: &'static str,
        /// The path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Signals cannot be awaited.
    #[error("cannot wait for signals: {0}")]
    Signal(io::Error),
}

/// A fake network that is bound but not yet serving.
pub struct Carrier {
    exchange: Exchange,
    clock: Clock,
    address: SocketAddr,
}

impl Carrier {
    /// Binds the SIP address and opens the logs. Needs a Tokio runtime with I/O and time.
    ///
    /// # Errors
    /// [`CarrierError`], naming the option at fault.
    pub async fn bind(options: Options) -> Result<Self, CarrierError> {
        raise_file_limit();
        let clock = Clock::start();
        let bind_error = |source| CarrierError::Bind { address: options.listen, source };
        let wire = Wire::bind(options.listen).await.map_err(bind_error)?;
        let address = wire.local().map_err(bind_error)?;
        if let Some(folder) = &options.record {
            std::fs::create_dir_all(folder).map_err(|source| CarrierError::Path {
                option: "--record",
                path: folder.clone(),
                source,
            })?;
        }
        let mut events = Events::open(options.events.as_deref(), clock).map_err(|source| {
            CarrierError::Path {
                option: "--events",
                path: options.events.clone().unwrap_or_default(),
                source,
            }
        })?;
        let now = clock.now();
        events.emit(now, None, &What::Ready { listen: address });
        let seed = options.seed.unwrap_or(clock.unix_us(now).unsigned_abs());
        let exchange = Exchange::new(Network::new(options, wire, (events, clock), address, seed));
        Ok(Self { exchange, clock, address })
    }

    /// Where it listens, with the port that was taken for port 0.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Carries calls until `stop` completes, then finishes recordings and the event log.
    pub async fn serve(mut self, stop: impl Future<Output = ()>) {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        tokio::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => break,
                _ = tick.tick() => self.exchange.tick(self.clock.now()),
                inbound = self.exchange.network().wire.next() => {
                    self.exchange.take(self.clock.now(), inbound);
                }
            }
        }
        let now = self.clock.now();
        // A panic while closing has been printed already; there is nothing else to end.
        let _ = tokio::task::spawn_blocking(move || self.exchange.close(now)).await;
    }
}

/// Runs the fake network until SIGINT or SIGTERM. Prints `carrier-sim ready on ADDRESS` to standard
/// output once calls can come.
///
/// # Errors
/// [`CarrierError`] if it could not start.
pub async fn run(options: Options) -> Result<(), CarrierError> {
    let mut interrupt = signal(SignalKind::interrupt()).map_err(CarrierError::Signal)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(CarrierError::Signal)?;
    let carrier = Carrier::bind(options).await?;
    announce(carrier.address());
    let stop = async {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    carrier.serve(stop).await;
    Ok(())
}

/// Unlike `println!` it does not panic when nobody reads.
fn announce(address: SocketAddr) {
    use io::Write as _;
    let mut out = io::stdout();
    let _ = writeln!(out, "carrier-sim ready on {address}").and_then(|()| out.flush());
}

/// A socket and a recording a call: more than the usual soft limit. Where it cannot be raised, the
/// calls beyond it get 500.
fn raise_file_limit() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
    {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}
