//! Starting and stopping the shards, and opening legs on them.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::eventfd::{EfdFlags, EventFd};
use parking_lot::Mutex;
use tokio::sync::mpsc;
use yunling_switch_contract::{EventSink, LegId, Owner, Recording, RecordingId};

use super::events::LegEvents;
use super::handle::{Command, Ending, LegKey, Life, ShardLink};
use super::homes::Homes;
use super::leg::Leg;
use super::poll::Poll;
use super::ports::{PortLease, PortPool};
use super::shard::Shard;
use super::socket::LegSockets;
use super::{MediaConfig, MediaLeg};
use crate::recording::{Recorder, RecorderLink};

/// Commands that may wait for one shard. A shard empties its queue at each wake-up.
pub(super) const COMMAND_QUEUE: usize = 8_192;

/// How long a port rests after its leg: late packets of one call must not reach the next.
const QUARANTINE: Duration = Duration::from_secs(4);

/// Busy ports that one `open` passes over before it gives up.
const BIND_ATTEMPTS: usize = 32;

/// The media plane of one node.
pub(crate) struct MediaPlane {
    config: MediaConfig,
    ports: Arc<Mutex<PortPool>>,
    sink: Arc<dyn EventSink>,
    shards: Vec<ShardLink>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    stop: Arc<AtomicBool>,
    next_key: AtomicU64,
    /// Where the open legs of an owner sit: together, for they may hear one another.
    homes: Arc<Homes>,
    recorder: Mutex<Option<Recorder>>,
}

impl MediaPlane {
    /// Starts the shards.
    ///
    /// # Errors
    /// See [`MediaStartError`].
    pub(crate) fn start(
        config: &MediaConfig,
        sink: Arc<dyn EventSink>,
    ) -> Result<Self, MediaStartError> {
        Self::start_with(config, sink, QUARANTINE)
    }

    /// [`Self::start`] with another quarantine, for tests.
    pub(super) fn start_with(
        config: &MediaConfig,
        sink: Arc<dyn EventSink>,
        quarantine: Duration,
    ) -> Result<Self, MediaStartError> {
        let ports = PortPool::new(config.ports.clone(), quarantine);
        if ports.is_empty() {
            return Err(MediaStartError::NoPortPair(config.ports.clone()));
        }
        UdpSocket::bind((config.address, 0))
            .map_err(|source| MediaStartError::Address { address: config.address, source })?;

        let recorder = Recorder::start(Arc::clone(&sink)).map_err(MediaStartError::Shard)?;
        let link = recorder.link();
        let mut plane = Self {
            config: config.clone(),
            ports: Arc::new(Mutex::new(ports)),
            sink,
            shards: Vec::new(),
            threads: Mutex::new(Vec::new()),
            stop: Arc::new(AtomicBool::new(false)),
            next_key: AtomicU64::new(0),
            homes: Arc::default(),
            recorder: Mutex::new(Some(recorder)),
        };
        for number in 0..shard_count(config.shards) {
            plane.start_shard(number, link.clone()).map_err(MediaStartError::Shard)?;
        }
        Ok(plane)
    }

    fn start_shard(&mut self, number: usize, recorder: RecorderLink) -> io::Result<()> {
        let (commands, queue) = mpsc::channel(COMMAND_QUEUE);
        let wake = EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC)?;
        let link =
            ShardLink { commands, wake: Arc::new(wake), legs: Arc::new(AtomicUsize::new(0)) };
        let poll = Poll::new(Arc::clone(&link.wake))?;
        let (legs, stop) = (Arc::clone(&link.legs), Arc::clone(&self.stop));
        let silence = self.config.silence;
        let thread = std::thread::Builder::new()
            .name(format!("media-{number}"))
            .spawn(move || Shard::new(number, queue, poll, legs, stop, recorder, silence).run())?;
        self.threads.get_mut().push(thread);
        self.shards.push(link);
        Ok(())
    }

    /// Opens a leg: binds a port pair and hands it to its owner's shard, or the one with the fewest
    /// legs. Nothing is sent before [`MediaLeg::connect`], and what arrives is thrown away.
    ///
    /// # Errors
    /// See [`NoPorts`].
    pub(crate) fn open(&self, leg: LegId, owner: Owner) -> Result<MediaLeg, NoPorts> {
        let home = self.homes.settle(owner, || self.freest()).ok_or(NoPorts::Stopped)?;
        let shard = &self.shards[home.shard()];
        let sockets = self.bind()?;
        let local = SocketAddr::new(self.config.advertised, sockets.port());
        let key = LegKey(self.next_key.fetch_add(1, Ordering::Relaxed));
        let life = Arc::new(Life::default());
        let events = LegEvents { owner, leg, sink: Arc::clone(&self.sink) };
        let leg = Leg::new(key, events, Ending(Arc::clone(&life)), sockets);
        shard.legs.fetch_add(1, Ordering::Relaxed);
        if !shard.send(Command::Open(Box::new(leg))) {
            shard.legs.fetch_sub(1, Ordering::Relaxed);
            return Err(NoPorts::Stalled);
        }
        Ok(MediaLeg::new(key, shard.clone(), life, local, home))
    }

    /// The shard with the fewest legs among those that run.
    fn freest(&self) -> Option<usize> {
        let running = |number: &usize| !self.shards[*number].commands.is_closed();
        (0..self.shards.len())
            .filter(running)
            .min_by_key(|number| self.shards[*number].legs.load(Ordering::Relaxed))
    }

    /// Begins a recording, or changes whom one takes down. False if the shard's queue is full or the
    /// plane is stopped: nothing was begun then.
    pub(crate) fn record(&self, recording: Recording) -> bool {
        let Some(home) = self.homes.settle(recording.owner, || self.freest()) else { return false };
        self.shards[home.shard()].send(Command::Record(Box::new(recording), home))
    }

    /// Ends a recording, if it runs.
    pub(crate) fn stop_recording(&self, owner: Owner, id: RecordingId) {
        if let Some(shard) = self.homes.shard_of(owner)
            && !self.shards[shard].send(Command::StopRecording(id))
        {
            tracing::error!(?id, "a recording runs on until its legs end: its shard is too busy");
        }
    }

    /// A bound pair from the pool. Ports that another process holds are put back and passed over.
    fn bind(&self) -> Result<LegSockets, NoPorts> {
        let mut last_failure = None;
        for _ in 0..BIND_ATTEMPTS {
            let Some(lease) = PortLease::take(&self.ports, Instant::now()) else {
                break;
            };
            match LegSockets::bind(self.config.address, lease) {
                Ok(sockets) => return Ok(sockets),
                Err(failure) if failure.kind() == io::ErrorKind::AddrInUse => {
                    last_failure = Some(failure);
                }
                Err(failure) => return Err(NoPorts::Socket(failure)),
            }
        }
        Err(last_failure
            .map_or_else(|| NoPorts::AllTaken(self.config.ports.clone()), NoPorts::Socket))
    }

    /// Ends every leg and joins the threads, which takes a few milliseconds. Idempotent. Handles
    /// that are left see their legs as ended.
    pub(crate) fn close(&self) {
        self.stop.store(true, Ordering::Release);
        for shard in &self.shards {
            shard.wake_up();
        }
        for thread in self.threads.lock().drain(..) {
            if thread.join().is_err() {
                tracing::error!("a media thread had panicked");
            }
        }
        if let Some(recorder) = self.recorder.lock().take() {
            recorder.close();
        }
    }
}

impl Drop for MediaPlane {
    fn drop(&mut self) {
        self.close();
    }
}

/// How many shards a configured number means.
fn shard_count(configured: usize) -> usize {
    match configured {
        0 => std::thread::available_parallelism().map_or(1, |cores| (cores.get() - 1).max(1)),
        some => some,
    }
}

/// The media plane cannot start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MediaStartError {
    /// Fault of the configuration, field `rtp.ports`.
    #[error(
        "rtp.ports: {}-{} holds no pair of an even port and the odd one above it; expected a range \
         such as 20000-29999",
        .0.start(),
        .0.end()
    )]
    NoPortPair(RangeInclusive<u16>),
    /// Fault of the configuration, field `rtp.address`.
    #[error("rtp.address: cannot bind to {address}: {source}; expected an address of this machine")]
    Address {
        /// As configured.
        address: IpAddr,
        /// What the system said.
        source: io::Error,
    },
    /// Fault of this machine: descriptors or threads cannot be made.
    #[error("cannot start a media thread: {0}")]
    Shard(io::Error),
}

/// No media for another leg. Nothing was opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoPorts {
    /// Every pair is in use or in quarantine: the node is full, or `rtp.ports` too small.
    #[error("every RTP port pair of {}-{} is in use or was freed a moment ago", .0.start(), .0.end())]
    AllTaken(RangeInclusive<u16>),
    /// Fault of this machine: sockets cannot be made, or other programs sit on the ports.
    #[error("cannot bind RTP ports: {0}")]
    Socket(io::Error),
    /// The shard does not keep up with its commands: too much work for this node.
    #[error("the media threads do not keep up")]
    Stalled,
    /// The plane is closed, or its threads have died.
    #[error("the media plane is stopped")]
    Stopped,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_least_one_shard() {
        assert!(shard_count(0) >= 1);
        assert_eq!(shard_count(3), 3);
    }
}
