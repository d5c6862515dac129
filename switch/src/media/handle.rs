//! The signalling half's hold on a leg, and what both halves share of its life.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use nix::sys::eventfd::EventFd;
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use yunling_switch_contract::{
    LegId, MediaFigures, PlayId, PlayItem, PlayMode, Recording, RecordingId,
};

use super::Agreed;
use super::homes::Home;
use super::leg::Leg;
use super::wall_clock;

/// Names a leg within its shard; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct LegKey(pub(super) u64);

/// What a shard can be asked for.
pub(super) enum Command {
    /// Take over a new leg.
    Open(Box<Leg>),
    /// An offer and an answer were exchanged, for the first time or anew; with the
    /// time of this order, since Unix's epoch.
    Connect(LegKey, Box<Agreed>, Duration),
    /// Play.
    Play(LegKey, PlayId, Vec<PlayItem>, PlayMode),
    /// Stop this play, if it is the current one.
    Stop(LegKey, PlayId),
    /// Whom to hear, instead of whoever was heard before.
    Hear(LegKey, Vec<LegId>),
    /// Whether keys are awaited.
    AwaitKeys(LegKey, bool),
    /// The peer pressed a key by signalling.
    Press(LegKey, char),
    /// Record, or change whom a recording takes down.
    Record(Box<Recording>, Home),
    /// End a recording.
    StopRecording(RecordingId),
    /// End the leg.
    Close(LegKey),
}

/// The way to one shard.
#[derive(Clone)]
pub(super) struct ShardLink {
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) wake: Arc<EventFd>,
    /// Legs that are open, for choosing the shard with the fewest.
    pub(super) legs: Arc<AtomicUsize>,
}

impl ShardLink {
    /// Hands over a command and wakes the shard; false if the queue is full or the shard is gone.
    pub(super) fn send(&self, command: Command) -> bool {
        let taken = self.commands.try_send(command).is_ok();
        self.wake_up();
        taken
    }

    /// Wakes the shard.
    pub(super) fn wake_up(&self) {
        // The only failure is a counter that stands at its limit, and then the shard is awake.
        let _ = self.wake.write(1);
    }
}

/// The little that a handle and its leg share.
#[derive(Debug, Default)]
pub(super) struct Life {
    ended: CancellationToken,
    /// The shard is to end the leg, although it may never get a Close.
    abandoned: AtomicBool,
    /// The handle is gone: nothing of the leg need be kept.
    dropped: AtomicBool,
    figures: OnceLock<MediaFigures>,
    /// Plays that found the queue full.
    lost_plays: Mutex<Vec<PlayId>>,
}

impl Life {
    pub(super) fn abandon(&self) {
        self.abandoned.store(true, Ordering::Release);
    }

    pub(super) fn is_abandoned(&self) -> bool {
        self.abandoned.load(Ordering::Acquire)
    }

    pub(super) fn is_dropped(&self) -> bool {
        self.dropped.load(Ordering::Acquire)
    }

    /// The plays that never reached the shard.
    pub(super) fn take_lost_plays(&self) -> Vec<PlayId> {
        std::mem::take(&mut self.lost_plays.lock())
    }
}

/// The shard's side of [`Life`]: when it goes, by whatever way, the leg has ended.
pub(super) struct Ending(pub(super) Arc<Life>);

impl Ending {
    /// Leaves the final figures. The first ones count.
    pub(super) fn leave(&self, figures: MediaFigures) {
        let _ = self.0.figures.set(figures);
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.ended.cancel();
    }
}

/// One leg's media, from [`super::MediaPlane::open`] until it is closed or dropped.
///
/// Commands return at once and are carried out in order. Each shard's queue is bounded; a command
/// that finds it full is lost, which no call survives sensibly, so the leg is then ended within a
/// second, its lost plays finish with `LegEnded`, and [`Self::ended`] completes.
pub(crate) struct MediaLeg {
    key: LegKey,
    shard: ShardLink,
    life: Arc<Life>,
    local: SocketAddr,
    /// Keeps its owner's next legs on the same shard.
    _home: Home,
}

impl MediaLeg {
    pub(super) fn new(
        key: LegKey,
        shard: ShardLink,
        life: Arc<Life>,
        local: SocketAddr,
        home: Home,
    ) -> Self {
        Self { key, shard, life, local, _home: home }
    }

    /// The address and RTP port for our SDP; RTCP is one above.
    pub(crate) fn local(&self) -> SocketAddr {
        self.local
    }

    /// Starts the media, or changes it after a re-INVITE. From here on packets flow; the source of
    /// the peer's packets is learnt anew.
    pub(crate) fn connect(&self, agreed: Agreed) {
        self.ask(Command::Connect(self.key, Box::new(agreed), wall_clock::since_epoch()));
    }

    /// Plays. Before [`Self::connect`] the play is refused.
    pub(crate) fn play(&self, play: PlayId, items: Vec<PlayItem>, mode: PlayMode) {
        if !self.shard.send(Command::Play(self.key, play, items, mode)) {
            self.life.lost_plays.lock().push(play);
            self.life.abandon();
        }
    }

    /// Stops a play; nothing happens if it is not the current one.
    pub(crate) fn stop(&self, play: PlayId) {
        self.ask(Command::Stop(self.key, play));
    }

    /// Whom the leg hears from now on. They must sit on the same shard: have the same owner.
    pub(crate) fn hear(&self, others: Vec<LegId>) {
        self.ask(Command::Hear(self.key, others));
    }

    /// Whether keys are awaited: runs the in-band detector where no telephone-event was
    /// negotiated.
    pub(crate) fn await_keys(&self, on: bool) {
        self.ask(Command::AwaitKeys(self.key, on));
    }

    /// The peer pressed a key by signalling: the owner is told, and who hears the leg hears it, unless
    /// it came in the media as well.
    pub(crate) fn press(&self, key: char) {
        self.ask(Command::Press(self.key, key));
    }

    /// Ends the media: a running play finishes with `LegEnded`, RTCP says BYE, and when this
    /// returns no event of the leg's media comes any more.
    pub(crate) async fn close(self) -> MediaFigures {
        // Waits for room: a Close is never lost. An error means that the shard has ended, and the
        // leg with it.
        let _ = self.shard.commands.send(Command::Close(self.key)).await;
        self.shard.wake_up();
        self.life.ended.cancelled().await;
        self.life.figures.get().copied().unwrap_or_default()
    }

    /// Completes when the leg has ended by itself, which is a fault of the engine's (a panic, a
    /// full command queue, or the plane was closed). Call [`Self::close`] for its figures.
    pub(crate) async fn ended(&self) {
        self.life.ended.cancelled().await;
    }

    fn ask(&self, command: Command) {
        if !self.shard.send(command) {
            self.life.abandon();
        }
    }
}

impl Drop for MediaLeg {
    fn drop(&mut self) {
        self.life.dropped.store(true, Ordering::Release);
        self.life.abandon();
        self.shard.send(Command::Close(self.key));
    }
}
