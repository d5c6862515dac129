//! The engine under test, and its events as lines.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::Notify;
use yunling_switch::{FloodLimits, MediaConfig, SipListen, Switch, SwitchConfig, Timers};
use yunling_switch_contract::{
    Codec, Command, Credentials, Dial, DialogState, Engine, Event, EventKind, EventSink, HangUpWhy,
    LegId, Owner, Peer, Play, PlayId, PlayItem, PlayMode, Prompt, Transport, TrunkEvent,
};

/// How long a test waits for something that must come.
const PATIENCE: Duration = Duration::from_secs(40);

/// Collects events; can be told to panic at one.
#[derive(Default)]
pub(crate) struct Events {
    lines: Mutex<Vec<(String, Event)>>,
    pub trunks: Mutex<Vec<TrunkEvent>>,
    came: Notify,
    panic_at: Mutex<Option<&'static str>>,
}

impl EventSink for Events {
    fn trunk(&self, event: TrunkEvent) {
        let line = crate::trunk_rig::line(&event.kind);
        let panics = self.panic_at.lock().is_some_and(|at| line == at);
        self.trunks.lock().push(event);
        assert!(!panics, "a fault in the trunk's own task, as the test wants it");
    }

    fn deliver(&self, event: Event) {
        let line = line(&event.kind);
        let panics = self.panic_at.lock().is_some_and(|at| line == at);
        self.lines.lock().push((line, event));
        self.came.notify_waiters();
        assert!(!panics, "a fault in the leg's own task, as the test wants it");
    }
}

/// One event as one line, without what differs from run to run.
fn line(kind: &EventKind) -> String {
    match kind {
        EventKind::Trying => "Trying".into(),
        EventKind::Ringing { code, early_media: false } => format!("Ringing {code}"),
        EventKind::Ringing { code, early_media: true } => format!("Ringing {code} early"),
        EventKind::Answered { media, .. } => {
            let keys = if media.telephone_event { " keys" } else { "" };
            format!("Answered {} {}{keys}", media.codec, media.ptime_ms)
        }
        EventKind::Key { key, source } => format!("Key {key} {source:?}"),
        EventKind::PlayMark { play, mark } => format!("PlayMark {} {mark}", play.0),
        EventKind::PlayFinished { play, end } => format!("PlayFinished {} {end:?}", play.0),
        EventKind::Ended { termination, .. } => format!("Ended {termination}"),
        EventKind::Reaped { outcome } => format!("Reaped {outcome:?}"),
        EventKind::EarlyAudio => "EarlyAudio".into(),
        EventKind::MediaLost { .. } => "MediaLost".into(),
        EventKind::Recorded { recording, failure, .. } => {
            format!("Recorded {} {}", recording.0, failure.as_deref().unwrap_or("whole"))
        }
    }
}

/// An engine on loopback with one leg.
pub(crate) struct Rig {
    pub switch: Switch,
    pub events: Arc<Events>,
    pub leg: LegId,
}

/// Short enough for a test, long enough for a loaded machine.
pub(crate) fn timers() -> Timers {
    Timers {
        t1: Duration::from_millis(200),
        farewell: Duration::from_millis(1_500),
        reap: Duration::from_millis(2_500),
        ..Timers::default()
    }
}

pub(crate) fn listen(transport: Transport, address: &str) -> SipListen {
    SipListen { transport, address: address.parse().unwrap(), advertised: None }
}

pub(crate) fn config() -> SwitchConfig {
    let ip = "127.0.0.1".parse().unwrap();
    SwitchConfig {
        sip_listen: vec![
            listen(Transport::Udp, "127.0.0.1:0"),
            listen(Transport::Tcp, "127.0.0.1:0"),
        ],
        tls: None,
        dns: None,
        flood: FloodLimits::default(),
        rtp: MediaConfig {
            address: ip,
            advertised: ip,
            ports: 30_000..=33_999,
            silence: Duration::from_secs(30),
            shards: 1,
        },
        user_agent: "Yunling test".into(),
        id_key: [9; 32],
        timers: timers(),
        command_queue: 64,
    }
}

impl Rig {
    pub(crate) async fn start() -> Self {
        Self::with(config()).await
    }

    pub(crate) async fn with(config: SwitchConfig) -> Self {
        let events = Arc::new(Events::default());
        let sink = Arc::clone(&events) as Arc<dyn EventSink>;
        let switch = Switch::start(config, sink).await.unwrap();
        Self { switch, events, leg: LegId::new("CA10000202601011200000000000000001") }
    }

    /// Makes the task panic that delivers this line.
    pub(crate) fn panic_at(&self, line: &'static str) {
        *self.events.panic_at.lock() = Some(line);
    }

    pub(crate) fn panic_never(&self) {
        *self.events.panic_at.lock() = None;
    }

    pub(crate) fn udp(&self) -> SocketAddr {
        self.switch.addresses()[0].1
    }

    pub(crate) fn dial(&self, peer: Peer) {
        self.switch.send(Command::Dial(Box::new(self.dial_command(peer)))).unwrap();
    }

    pub(crate) fn dial_command(&self, peer: Peer) -> Dial {
        Dial {
            leg: self.leg.clone(),
            owner: Owner(7),
            attempt: 0,
            peer,
            to: "13800138000".into(),
            from: "01080001001".into(),
            codecs: vec![Codec::Pcma, Codec::Pcmu],
        }
    }

    pub(crate) fn hang_up(&self, why: HangUpWhy) {
        self.switch.send(Command::HangUp { leg: self.leg.clone(), why }).unwrap();
    }

    /// Plays so many milliseconds of something.
    pub(crate) fn play(&self, play: u32, ms: u32) {
        let samples = vec![0x55; usize::try_from(ms * 8).unwrap()];
        let prompt = Prompt::new("tone", samples.clone().into(), samples.into());
        let items = vec![PlayItem::Prompt(prompt), PlayItem::Mark(1)];
        let play = Play { leg: self.leg.clone(), play: PlayId(play), items, mode: PlayMode::Once };
        self.switch.send(Command::Play(Box::new(play))).unwrap();
    }

    /// Waits until a line has come.
    pub(crate) async fn until(&self, wanted: &str) {
        let waiting = async {
            loop {
                let came = self.events.came.notified();
                tokio::pin!(came);
                came.as_mut().enable();
                if self.lines().iter().any(|line| line.starts_with(wanted)) {
                    return;
                }
                came.await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, waiting).await;
        assert!(waited.is_ok(), "{wanted:?} did not come: {:#?}", self.lines());
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.events.lines.lock().iter().map(|(line, _)| line.clone()).collect()
    }

    /// How many lines begin so, and of how many legs.
    pub(crate) fn count(&self, begin: &str) -> (usize, usize) {
        let lines = self.events.lines.lock();
        let found = || lines.iter().filter(|(line, _)| line.starts_with(begin));
        let legs: HashSet<LegId> = found().map(|(_, event)| event.leg.clone()).collect();
        (found().count(), legs.len())
    }

    /// Waits until so many lines have come that begin so.
    pub(crate) async fn until_count(&self, begin: &str, wanted: usize) {
        let since = Instant::now();
        while self.count(begin).0 < wanted {
            assert!(since.elapsed() < PATIENCE, "{begin}: {:?} of {wanted}", self.count(begin));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The dialog of the Answered event.
    pub(crate) fn dialog(&self) -> DialogState {
        let lines = self.events.lines.lock();
        let dialog = lines.iter().find_map(|(_, event)| match &event.kind {
            EventKind::Answered { dialog, .. } => Some((**dialog).clone()),
            _ => None,
        });
        dialog.unwrap()
    }

    /// The whole ladder, all of it the leg's and its owner's.
    pub(crate) fn assert_ladder(&self, expected: &[&str]) {
        assert_eq!(self.lines(), expected);
        for (_, event) in self.events.lines.lock().iter() {
            assert_eq!((event.owner, &event.leg), (Owner(7), &self.leg));
        }
        // The count falls right behind the delivery of the last event.
        let since = Instant::now();
        while self.switch.live_legs() > 0 {
            assert!(since.elapsed() < PATIENCE, "a leg lives on behind its last event");
            std::thread::yield_now();
        }
    }
}

/// A trunk on loopback.
pub(crate) fn peer(port: u16) -> Peer {
    Peer { port: Some(port), ..Peer::new("sipp", "127.0.0.1", Transport::Udp) }
}

pub(crate) fn with_password(mut peer: Peer) -> Peer {
    peer.credentials = Some(Credentials { username: "u1".into(), password: "p1".into() });
    peer
}

pub(crate) fn over_tcp(mut peer: Peer) -> Peer {
    peer.transport = Transport::Tcp;
    peer
}
