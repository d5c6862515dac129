//! The engine under test, its events, and a place of our own on the loopback network.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use yunling_switch::{FloodLimits, MediaConfig, SipListen, Switch, SwitchConfig, Timers};
use yunling_switch_contract::{
    Codec, Command, Dial, Engine, Event, EventKind, EventSink, HangUpWhy, LegId, MediaFigures,
    Owner, Peer, Play, PlayId, PlayItem, PlayMode, Prompt, Transport, TrunkEvent,
};

use crate::counters;

/// Far longer than anything takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

/// No limit at all, for what is about something else.
pub(crate) const UNLIMITED: FloodLimits =
    FloodLimits { per_source_per_s: 1_000_000, burst: 1_000_000 };

#[derive(Default)]
struct Events(Mutex<Vec<Event>>);

impl EventSink for Events {
    fn deliver(&self, event: Event) {
        self.0.lock().push(event);
    }

    fn trunk(&self, _event: TrunkEvent) {}
}

/// An engine that listens for both transports.
pub(crate) struct Rig {
    pub switch: Switch,
    events: Arc<Events>,
}

impl Rig {
    pub(crate) async fn start(flood: FloodLimits) -> Self {
        counters::begin();
        let listen = |transport| SipListen {
            transport,
            address: "127.0.0.1:0".parse().unwrap(),
            advertised: None,
        };
        let ip = "127.0.0.1".parse().unwrap();
        // Below the ports that the system gives away by itself.
        let first = 10_000 + u16::try_from(std::process::id() % 2_000).unwrap() * 10;
        let config = SwitchConfig {
            sip_listen: vec![listen(Transport::Udp), listen(Transport::Tcp)],
            tls: None,
            dns: None,
            flood,
            rtp: MediaConfig {
                address: ip,
                advertised: ip,
                ports: first..=first + 199,
                silence: Duration::from_secs(30),
                shards: 1,
            },
            user_agent: "Yunling test".into(),
            id_key: [9; 32],
            timers: Timers::default(),
            command_queue: 64,
        };
        let events = Arc::new(Events::default());
        let sink = Arc::clone(&events) as Arc<dyn EventSink>;
        Self { switch: Switch::start(config, sink).await.unwrap(), events }
    }

    pub(crate) fn udp(&self) -> SocketAddr {
        self.switch.addresses()[0].1
    }

    pub(crate) fn tcp(&self) -> SocketAddr {
        self.switch.addresses()[1].1
    }

    /// Calls a phone that listens on a port of 127.0.0.1.
    pub(crate) fn dial(&self, leg: &LegId, port: u16) {
        let peer = Peer { port: Some(port), ..Peer::new("phone", "127.0.0.1", Transport::Udp) };
        let dial = Dial {
            leg: leg.clone(),
            owner: Owner(7),
            attempt: 0,
            peer,
            to: "13800138000".into(),
            from: "01080001001".into(),
            codecs: vec![Codec::Pcma],
        };
        self.switch.send(Command::Dial(Box::new(dial))).unwrap();
    }

    pub(crate) fn hang_up(&self, leg: &LegId) {
        let why = HangUpWhy::Normal;
        self.switch.send(Command::HangUp { leg: leg.clone(), why }).unwrap();
    }

    /// Plays so many seconds of something.
    pub(crate) fn play(&self, leg: &LegId, play_s: usize) {
        let samples = vec![0x55; play_s * 8_000];
        let prompt = Prompt::new("tone", samples.clone().into(), samples.into());
        let items = vec![PlayItem::Prompt(prompt)];
        let play = Play { leg: leg.clone(), play: PlayId(1), items, mode: PlayMode::Once };
        self.switch.send(Command::Play(Box::new(play))).unwrap();
    }

    /// Waits for an event of a leg that `find` makes something of.
    pub(crate) async fn until<T>(
        &self,
        leg: &LegId,
        what: &str,
        find: impl Fn(&EventKind) -> Option<T>,
    ) -> T {
        let since = Instant::now();
        loop {
            let found =
                self.events.0.lock().iter().filter(|e| e.leg == *leg).find_map(|e| find(&e.kind));
            if let Some(found) = found {
                return found;
            }
            assert!(since.elapsed() < PATIENCE, "{leg}: no {what}: {:#?}", self.kinds(leg));
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    pub(crate) async fn until_answered(&self, leg: &LegId) {
        let answered = |kind: &EventKind| matches!(kind, EventKind::Answered { .. }).then_some(());
        self.until(leg, "answer", answered).await;
    }

    /// The figures of the leg's last event.
    pub(crate) async fn until_ended(&self, leg: &LegId) -> MediaFigures {
        self.until(leg, "end", |kind| match kind {
            EventKind::Ended { figures, .. } => Some(*figures),
            _ => None,
        })
        .await
    }

    /// What a leg has reported.
    pub(crate) fn kinds(&self, leg: &LegId) -> Vec<String> {
        let events = self.events.0.lock();
        events.iter().filter(|e| e.leg == *leg).map(|e| format!("{:?}", e.kind)).collect()
    }

    /// Waits until every leg has ended.
    pub(crate) async fn until_idle(&self) {
        let since = Instant::now();
        while self.switch.live_legs() > 0 {
            assert!(since.elapsed() < PATIENCE, "{} legs live on", self.switch.live_legs());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// A loopback address that nobody else in this run has, so that its well-known ports are free.
pub(crate) fn own_address() -> Ipv4Addr {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    let turn = TAKEN.fetch_add(1, Ordering::Relaxed);
    let process = std::process::id();
    Ipv4Addr::from_bits(0x7F00_0000 | (process & 0x3FFF | 0x4000) << 8 | (turn & 0x7F) << 1 | 1)
}

/// A socket there.
pub(crate) fn socket(ip: Ipv4Addr, port: u16) -> UdpSocket {
    let socket = UdpSocket::bind((ip, port))
        .unwrap_or_else(|error| panic!("{ip}:{port} cannot be bound: {error}"));
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// A request of this Call-ID that is answered with 200 whatever came before it: a barrier.
pub(crate) fn ping(call_id: &str, via: SocketAddr) -> String {
    format!(
        "OPTIONS sip:ping@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {via};rport;branch=z9hG4bK{call_id}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:t@127.0.0.1>;tag=1\r\nTo: <sip:ping@127.0.0.1>\r\n\
         Call-ID: {call_id}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    )
}
