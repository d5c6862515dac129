//! Who is live, and which message is whose.
//!
//! Legs are found by their id for commands, and by Call-ID for messages. What a call leaves behind
//! stays under its Call-ID for 64·T1 without a task of its own.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc};
use yunling_switch_contract::{HangUpWhy, LegId, Owner, PlayId, PlayItem, PlayMode};

use super::strays::{Stray, StraySender};
use crate::sip::call::{Hop, Late, Remains};
use crate::sip::stack::{Belongs, Message, Method, Start, Target};
use crate::supervision::Vitals;

/// Messages that may wait for one leg. Beyond, they are dropped, as the network might have: their
/// sender repeats them.
const INBOX: usize = 32;

/// Commands that may wait for one leg: far more than the platform ever has in flight.
const COMMANDS: usize = 64;

/// Locks that the table of Call-IDs is spread over.
const SHARDS: usize = 16;

/// A message for a call.
pub(crate) type Letter = Box<(Message, Target)>;

/// What a leg can be asked for while it lives. Hanging up is not among them: see [`HangUpLatch`].
pub(super) enum LegCommand {
    Play(PlayId, Vec<PlayItem>, PlayMode),
    Hear(Vec<LegId>),
    StopPlay(PlayId),
    AwaitKeys(bool),
    Acknowledge,
}

/// Asks a leg to hang up: never lost, however full its queue is. The first reason counts.
#[derive(Default)]
pub(super) struct HangUpLatch {
    why: Mutex<Option<HangUpWhy>>,
    asked: Notify,
}

impl HangUpLatch {
    pub(super) fn ask(&self, why: HangUpWhy) {
        self.why.lock().get_or_insert(why);
        self.asked.notify_one();
    }

    /// Completes when somebody has asked.
    pub(super) async fn asked(&self) -> HangUpWhy {
        loop {
            let why = *self.why.lock();
            if let Some(why) = why {
                return why;
            }
            self.asked.notified().await;
        }
    }
}

/// A live leg, as commands find it.
struct LegEntry {
    owner: Owner,
    commands: mpsc::Sender<LegCommand>,
    hang_up: Arc<HangUpLatch>,
}

/// What a new leg reads from.
pub(super) struct LegEnds {
    pub commands: mpsc::Receiver<LegCommand>,
    pub hang_up: Arc<HangUpLatch>,
}

/// A call's messages. When it is dropped, by whatever way, the call's remains answer for it.
pub(crate) struct Inbox {
    letters: mpsc::Receiver<Letter>,
    registry: Arc<Registry>,
    call_id: String,
    remains: Remains,
}

impl Inbox {
    /// The next message.
    pub(crate) async fn recv(&mut self) -> Option<Letter> {
        self.letters.recv().await
    }

    /// The call is over, and left this behind.
    pub(super) fn leave(mut self, remains: Remains) {
        self.remains = remains;
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.registry.bury(&self.call_id, std::mem::take(&mut self.remains), Instant::now());
        // What came in while the call ended is for its remains; nothing more can come in.
        while let Ok(letter) = self.letters.try_recv() {
            let (message, back) = *letter;
            self.registry.route(message, back);
        }
    }
}

enum Route {
    Live(mpsc::Sender<Letter>),
    Gone(Remains),
}

/// See the module's head.
pub(crate) struct Registry {
    legs: Mutex<HashMap<LegId, LegEntry>>,
    live: AtomicUsize,
    idle: Notify,
    hasher: RandomState,
    routes: [Mutex<HashMap<String, Route>>; SHARDS],
    /// Remains in the order in which they expire.
    expiring: Mutex<VecDeque<(Instant, String)>>,
    linger: Duration,
    strays: StraySender,
}

impl Registry {
    /// `linger`: how long remains are kept; `strays` gets what is nobody's.
    pub(super) fn new(linger: Duration, strays: StraySender) -> Self {
        Self {
            legs: Mutex::default(),
            live: AtomicUsize::new(0),
            idle: Notify::new(),
            hasher: RandomState::new(),
            routes: std::array::from_fn(|_| Mutex::default()),
            expiring: Mutex::default(),
            linger,
            strays,
        }
    }

    /// Takes a leg in; nothing if one of that id lives.
    pub(super) fn enter(&self, leg: &LegId, owner: Owner) -> Option<LegEnds> {
        let mut legs = self.legs.lock();
        if legs.contains_key(leg) {
            return None;
        }
        let (commands, receiver) = mpsc::channel(COMMANDS);
        let hang_up = Arc::new(HangUpLatch::default());
        let entry = LegEntry { owner, commands, hang_up: Arc::clone(&hang_up) };
        legs.insert(leg.clone(), entry);
        self.live.fetch_add(1, Ordering::AcqRel);
        Some(LegEnds { commands: receiver, hang_up })
    }

    /// Whether a leg of that id lives.
    pub(super) fn is_live(&self, leg: &LegId) -> bool {
        self.legs.lock().contains_key(leg)
    }

    /// Asks a leg to hang up; one that is gone has nothing to end.
    pub(super) fn hang_up(&self, leg: &LegId, why: HangUpWhy) {
        if let Some(entry) = self.legs.lock().get(leg) {
            entry.hang_up.ask(why);
        }
    }

    /// Hands a command to a leg. One that is gone hears nothing: its last event is on its way.
    ///
    /// # Errors
    /// The command and the leg's owner, if the leg's queue is full.
    pub(super) fn hand_over(
        &self,
        leg: &LegId,
        command: LegCommand,
    ) -> Result<(), (Owner, LegCommand)> {
        // Sent under the lock: behind `shut` there is nothing more to come.
        let legs = self.legs.lock();
        let Some(entry) = legs.get(leg) else { return Ok(()) };
        match entry.commands.try_send(command) {
            Err(mpsc::error::TrySendError::Full(command)) => Err((entry.owner, command)),
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => Ok(()),
        }
    }

    /// Takes no more commands for a leg. The leg still counts as live until [`Registry::leave`].
    pub(super) fn shut(&self, leg: &LegId) {
        self.legs.lock().remove(leg);
    }

    /// The leg's last event is delivered.
    pub(super) fn leave(&self) {
        if self.live.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.idle.notify_waiters();
        }
    }

    pub(super) fn live_legs(&self) -> usize {
        self.live.load(Ordering::Acquire)
    }

    pub(super) fn hang_up_all(&self) {
        for entry in self.legs.lock().values() {
            entry.hang_up.ask(HangUpWhy::PlatformFault);
        }
    }

    /// Waits until no leg lives, at most so long; true if so.
    pub(super) async fn wait_until_idle(&self, patience: Duration) -> bool {
        let idle = async {
            loop {
                let woken = self.idle.notified();
                tokio::pin!(woken);
                woken.as_mut().enable();
                if self.live_legs() == 0 {
                    return;
                }
                woken.await;
            }
        };
        tokio::time::timeout(patience, idle).await.is_ok()
    }

    /// Gives a call's messages to whoever holds the inbox.
    pub(crate) fn open_inbox(registry: &Arc<Self>, call_id: &str) -> Inbox {
        let (sender, letters) = mpsc::channel(INBOX);
        registry.shard(call_id).lock().insert(call_id.to_owned(), Route::Live(sender));
        let remains = Remains::default();
        Inbox { letters, registry: Arc::clone(registry), call_id: call_id.to_owned(), remains }
    }

    /// The call is over; its remains answer for it.
    fn bury(&self, call_id: &str, remains: Remains, now: Instant) {
        self.shard(call_id).lock().insert(call_id.to_owned(), Route::Gone(remains));
        self.expiring.lock().push_back((now + self.linger, call_id.to_owned()));
    }

    /// Takes a message to its call, or to those who answer for nobody's.
    pub(super) fn route(&self, message: Message, back: Target) -> Belongs {
        let (belongs, late) = match self.shard(message.call_id()).lock().get(message.call_id()) {
            Some(Route::Live(inbox)) => {
                if let Err(mpsc::error::TrySendError::Full(_)) =
                    inbox.try_send(Box::new((message, back)))
                {
                    metrics::counter!("switch_sip_dropped_total", "why" => "inbox").increment(1);
                }
                return Belongs::ToACall;
            }
            Some(Route::Gone(remains)) => (Belongs::ToACall, remains.on_message(&message)),
            None => (Belongs::ToNobody, Late::NoSuchCall),
        };
        let stray = match late {
            Late::Repeat(bytes, hop) => Stray::Send(bytes, hop),
            Late::RepeatBack(bytes) => Stray::Send(bytes, Hop::Back(back)),
            Late::Ignore => return belongs,
            Late::NoSuchCall => match message.start() {
                Start::Request(Method::Ack) | Start::Response { .. } => {
                    // Nobody waits for an answer to these.
                    metrics::counter!("switch_sip_dropped_total", "why" => "nobody").increment(1);
                    return belongs;
                }
                Start::Request(_) => Stray::Refuse(Box::new(message), back),
            },
        };
        self.strays.give(stray);
        belongs
    }

    /// Forgets remains as they expire, until the engine is gone.
    pub(super) fn sweep(vitals: &Vitals, registry: Weak<Self>) {
        vitals.keep_up("sweep of ended calls", move || {
            let registry = Weak::clone(&registry);
            async move {
                let mut every = tokio::time::interval(Duration::from_secs(1));
                every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
                loop {
                    every.tick().await;
                    let Some(registry) = registry.upgrade() else { return Ok(()) };
                    registry.forget_expired(Instant::now());
                }
            }
        });
    }

    fn forget_expired(&self, now: Instant) {
        loop {
            let expired = {
                let mut expiring = self.expiring.lock();
                match expiring.front() {
                    Some((at, _)) if *at <= now => expiring.pop_front(),
                    _ => None,
                }
            };
            let Some((_, call_id)) = expired else { return };
            let mut routes = self.shard(&call_id).lock();
            // The same Call-ID may be live again: an orphan's, reaped twice.
            if matches!(routes.get(&call_id), Some(Route::Gone(_))) {
                routes.remove(&call_id);
            }
        }
    }

    fn shard(&self, call_id: &str) -> &Mutex<HashMap<String, Route>> {
        let hash = self.hasher.hash_one(call_id);
        let index = usize::try_from(hash % 16).unwrap_or(0);
        &self.routes[index]
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may panic")]

    use super::*;

    fn registry(linger: Duration) -> Registry {
        Registry::new(linger, super::super::strays::queue().0)
    }

    #[tokio::test]
    async fn a_hang_up_is_never_lost_and_the_first_reason_counts() {
        let latch = HangUpLatch::default();
        latch.ask(HangUpWhy::RingTimeout);
        latch.ask(HangUpWhy::Requested);
        assert_eq!(latch.asked().await, HangUpWhy::RingTimeout);
        assert_eq!(latch.asked().await, HangUpWhy::RingTimeout);
    }

    #[tokio::test]
    async fn a_leg_lives_once_until_its_last_event() {
        let registry = registry(Duration::ZERO);
        let leg = LegId::new("CA1");
        let _ends = registry.enter(&leg, Owner(1)).unwrap();
        assert!(registry.enter(&leg, Owner(2)).is_none());
        registry.shut(&leg);
        assert_eq!(registry.live_legs(), 1);
        assert!(!registry.wait_until_idle(Duration::from_millis(1)).await);
        registry.leave();
        assert!(registry.wait_until_idle(Duration::from_millis(1)).await);
        assert!(registry.enter(&leg, Owner(2)).is_some());
    }

    #[test]
    fn remains_are_forgotten_in_time() {
        let registry = registry(Duration::from_secs(32));
        let now = Instant::now();
        registry.bury("x", Remains::default(), now);
        registry.forget_expired(now + Duration::from_secs(31));
        assert_eq!(registry.shard("x").lock().len(), 1);
        registry.forget_expired(now + Duration::from_secs(32));
        assert_eq!(registry.shard("x").lock().len(), 0);
    }

    #[tokio::test]
    async fn what_comes_while_a_call_ends_is_for_its_remains() {
        let (strays, mut answered) = super::super::strays::queue();
        let registry = Arc::new(Registry::new(Duration::from_secs(32), strays));
        let inbox = Registry::open_inbox(&registry, "c");
        let bye = Message::parse(
            "BYE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=1\r\nFrom: <sip:x@y>;tag=f\r\n\
             To: <sip:a@b>;tag=t\r\nCall-ID: c\r\nCSeq: 7 BYE\r\n\r\n",
        );
        let address = "127.0.0.1:5060".parse().unwrap();
        let transport = yunling_switch_contract::Transport::Udp;
        registry.route(bye, Target { transport, address, listener: 0 });
        assert!(answered.try_recv().is_err(), "the call itself has it");
        drop(inbox);
        assert!(matches!(answered.try_recv(), Ok(Stray::Refuse(..))));
    }
}
