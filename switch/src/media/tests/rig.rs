//! A plane, a peer and an ear for events.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use yunling_switch_contract::{
    Codec, Event, EventKind, EventSink, LegId, Owner, PlayEnd, PlayId, PlayItem, Prompt, TrunkEvent,
};

use super::super::rtp::{self, Header};
use super::super::{Agreed, MediaConfig, MediaLeg, MediaPlane, Phase};

/// Far longer than anything takes; a test that waits so long has failed.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// The mark at whose event the sink panics.
pub(super) const PANIC_MARK: u32 = 666;

/// The mark at whose event the sink waits for [`Rig::gate`].
pub(super) const GATE_MARK: u32 = 777;

/// A plane with a queue of the events that it delivered.
pub(super) struct Rig {
    pub(super) plane: MediaPlane,
    events: Receiver<Event>,
    /// While this is held, the shard stands still at a [`GATE_MARK`].
    pub(super) gate: Arc<Mutex<()>>,
}

struct Sink {
    events: Mutex<Sender<Event>>,
    gate: Arc<Mutex<()>>,
}

impl EventSink for Sink {
    fn trunk(&self, _event: TrunkEvent) {}

    fn deliver(&self, event: Event) {
        assert!(
            !matches!(event.kind, EventKind::PlayMark { mark: PANIC_MARK, .. }),
            "this panic is part of a test"
        );
        // The test may be over already.
        let is_gate = matches!(event.kind, EventKind::PlayMark { mark: GATE_MARK, .. });
        let _ = self.events.lock().unwrap().send(event);
        if is_gate {
            drop(self.gate.lock().unwrap());
        }
    }
}

impl Rig {
    /// A plane on any ports of a range of `pairs` pairs that are free now.
    pub(super) fn new(pairs: u16) -> Self {
        Self::with(free_ports(pairs), 1, Duration::ZERO)
    }

    /// The same, where a peer is taken for gone after so long.
    pub(super) fn with_silence(pairs: u16, silence: Duration) -> Self {
        Self::start(free_ports(pairs), 1, Duration::ZERO, silence)
    }

    pub(super) fn with(ports: RangeInclusive<u16>, shards: usize, quarantine: Duration) -> Self {
        Self::start(ports, shards, quarantine, Duration::ZERO)
    }

    fn start(
        ports: RangeInclusive<u16>,
        shards: usize,
        quarantine: Duration,
        silence: Duration,
    ) -> Self {
        let (sender, events) = channel();
        let config = MediaConfig { address: HERE, advertised: HERE, ports, silence, shards };
        let gate = Arc::new(Mutex::new(()));
        let sink = Arc::new(Sink { events: Mutex::new(sender), gate: Arc::clone(&gate) });
        let plane = MediaPlane::start_with(&config, sink, quarantine).unwrap();
        Self { plane, events, gate }
    }

    pub(super) fn open(&self, name: &str) -> MediaLeg {
        self.plane.open(LegId::new(name), Owner(7)).unwrap()
    }

    /// A leg that is connected to a peer.
    pub(super) fn connected(&self, name: &str) -> (MediaLeg, Peer) {
        let leg = self.open(name);
        let peer = Peer::new(leg.local());
        leg.connect(peer.agreed());
        (leg, peer)
    }

    /// The next event.
    pub(super) fn event(&self) -> Event {
        self.events.recv_timeout(PATIENCE).expect("an event comes")
    }

    pub(super) fn kind(&self) -> EventKind {
        self.event().kind
    }

    pub(super) fn expect_finished(&self, play: PlayId, end: PlayEnd) {
        match self.kind() {
            EventKind::PlayFinished { play: got, end: how } => assert_eq!((got, how), (play, end)),
            other => panic!("expected the end of {play:?}, got {other:?}"),
        }
    }

    /// Whether every event was looked at.
    pub(super) fn is_quiet(&self) -> bool {
        self.events.try_recv().is_err()
    }
}

/// Ports that nothing uses, below those that the system gives out by itself (so that no peer's
/// socket takes one in between), and never the same ones twice in a run.
pub(super) fn free_ports(pairs: u16) -> RangeInclusive<u16> {
    static TAKEN: AtomicU16 = AtomicU16::new(0);
    const FIRST: u16 = 10_000;
    const COUNT: u16 = 9_000;
    // Runs at the same time begin in different places.
    let beginning = std::process::id().wrapping_mul(2_654_435_761) >> 16;
    loop {
        let taken = TAKEN.fetch_add(pairs * 2, Ordering::Relaxed);
        let offset = (beginning + u32::from(taken)) % u32::from(COUNT);
        let first = (FIRST + u16::try_from(offset).unwrap()) & !1;
        let last = first + pairs * 2 - 1;
        if (first..=last).all(|port| UdpSocket::bind((HERE, port)).is_ok()) {
            return first..=last;
        }
    }
}

/// The far end of a leg.
pub(super) struct Peer {
    pub(super) rtp: UdpSocket,
    pub(super) rtcp: UdpSocket,
    /// The leg's RTP address.
    leg: SocketAddr,
    pub(super) ssrc: u32,
    /// Of the next packet that it sends.
    sequence: u16,
    timestamp: u32,
}

/// A packet that a peer got.
#[derive(Debug, Clone)]
pub(super) struct Got {
    pub(super) header: Header,
    pub(super) payload: Vec<u8>,
    pub(super) at: Instant,
}

impl Peer {
    pub(super) fn new(leg: SocketAddr) -> Self {
        let socket = || {
            let socket = UdpSocket::bind((HERE, 0)).unwrap();
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
            socket
        };
        let (rtp, rtcp) = (socket(), socket());
        let ssrc = u32::from(rtp.local_addr().unwrap().port());
        Self { rtp, rtcp, leg, ssrc, sequence: 65_530, timestamp: 1_000 }
    }

    /// What was agreed with this peer: A-law, 20 ms, no telephone-event.
    pub(super) fn agreed(&self) -> Agreed {
        Agreed {
            phase: Phase::Answered,
            remote: self.rtp.local_addr().unwrap(),
            remote_rtcp: self.rtcp.local_addr().unwrap(),
            codec: Codec::Pcma,
            telephone_event: None,
            telephone_event_too: None,
            ptime_ms: 20,
            send: true,
            receive: true,
            allowed: vec![HERE],
        }
    }

    /// The next packet.
    pub(super) fn receive(&self) -> Got {
        self.try_receive().expect("a packet comes")
    }

    /// The next packet, if one comes before the socket's time is out.
    pub(super) fn try_receive(&self) -> Option<Got> {
        let mut buffer = [0; 2_000];
        let length = self.rtp.recv(&mut buffer).ok()?;
        let packet = rtp::parse(&buffer[..length]).expect("it is RTP");
        Some(Got {
            header: Header {
                marker: packet.marker,
                payload_type: packet.payload_type,
                sequence: packet.sequence,
                timestamp: packet.timestamp,
                ssrc: packet.ssrc,
            },
            payload: packet.payload.to_vec(),
            at: Instant::now(),
        })
    }

    /// Packets from the first that is not all silence, for as many samples.
    pub(super) fn receive_sound(&self, codec: Codec, samples: usize) -> Vec<Got> {
        let mut got = vec![loop {
            let packet = self.receive();
            if packet.payload.iter().any(|sample| *sample != codec.silence()) {
                break packet;
            }
        }];
        while got.iter().map(|packet| packet.payload.len()).sum::<usize>() < samples {
            got.push(self.receive());
        }
        got
    }

    /// Waits until the leg has read all that was sent to it, as the kernel tells.
    pub(super) fn until_read(&self) {
        let waiting = format!(":{:04X}", self.leg.port());
        let since = Instant::now();
        loop {
            let sockets = std::fs::read_to_string("/proc/net/udp").expect("the kernel tells");
            let leg = sockets
                .lines()
                .map(|line| line.split_ascii_whitespace().collect::<Vec<_>>())
                .find(|fields| fields.get(1).is_some_and(|local| local.ends_with(&waiting)))
                .expect("the leg has a socket");
            if leg[4].ends_with(":00000000") {
                return;
            }
            assert!(since.elapsed() < PATIENCE, "the leg does not read: {leg:?}");
            std::thread::yield_now();
        }
    }

    /// Throws away what has come.
    pub(super) fn forget_received(&self) {
        self.rtp.set_nonblocking(true).expect("a socket can be");
        while self.rtp.recv(&mut [0; 1]).is_ok() {}
        self.rtp.set_nonblocking(false).expect("a socket can be");
    }

    /// Sends one packet of 20 ms.
    pub(super) fn send(&mut self, payload_type: u8, payload: &[u8]) {
        self.send_from(None, payload_type, payload);
    }

    /// Sends the next packet from another socket.
    pub(super) fn send_from(
        &mut self,
        socket: Option<&UdpSocket>,
        payload_type: u8,
        payload: &[u8],
    ) {
        self.timestamp = self.timestamp.wrapping_add(160);
        let bytes = self.packet(false, payload_type, self.timestamp, payload);
        socket.unwrap_or(&self.rtp).send_to(&bytes, self.leg).unwrap();
    }

    /// Sends the packets of one press of a key.
    pub(super) fn press(&mut self, payload_type: u8, code: u8) {
        self.timestamp = self.timestamp.wrapping_add(1_600);
        for (n, end) in [(1u16, 0), (2, 0), (3, 0x80), (3, 0x80), (3, 0x80)] {
            let [high, low] = (n * 160).to_be_bytes();
            let payload = [code, end | 10, high, low];
            let bytes = self.packet(n == 1, payload_type, self.timestamp, &payload);
            self.rtp.send_to(&bytes, self.leg).unwrap();
        }
    }

    /// Sends one packet of a key that has lasted so long.
    pub(super) fn event(&mut self, payload_type: u8, code: u8, duration: u16, is_over: bool) {
        let [high, low] = duration.to_be_bytes();
        let payload = [code, u8::from(is_over) << 7 | 10, high, low];
        let begins = self.timestamp.wrapping_add(160);
        let bytes = self.packet(duration == 160, payload_type, begins, &payload);
        self.rtp.send_to(&bytes, self.leg).unwrap();
    }

    /// Sends an empty receiver report.
    pub(super) fn report(&self) {
        let [s0, s1, s2, s3] = self.ssrc.to_be_bytes();
        let mut to = self.leg;
        to.set_port(to.port() + 1);
        self.rtcp.send_to(&[0x80, 201, 0, 1, s0, s1, s2, s3], to).unwrap();
    }

    /// Leaves a sequence number out, as if a packet were lost.
    pub(super) fn lose(&mut self) {
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(160);
    }

    fn packet(
        &mut self,
        marker: bool,
        payload_type: u8,
        timestamp: u32,
        payload: &[u8],
    ) -> Vec<u8> {
        let sequence = self.sequence;
        self.sequence = sequence.wrapping_add(1);
        let header = Header { marker, payload_type, sequence, timestamp, ssrc: self.ssrc };
        let mut bytes = header.to_bytes().to_vec();
        bytes.extend_from_slice(payload);
        bytes
    }
}

/// A prompt whose samples are told apart, and never are A-law silence.
pub(super) fn prompt(seed: u8, samples: usize) -> (PlayItem, Vec<u8>) {
    let alaw: Vec<u8> = (0..samples)
        .map(|n| (n % 97) as u8 ^ seed)
        .map(|sample| if sample == Codec::Pcma.silence() { 0 } else { sample })
        .collect();
    let ulaw: Arc<[u8]> = alaw.iter().map(|sample| sample & 0x7F).collect();
    let prompt = Prompt::new(format!("prompt {seed}"), Arc::from(&alaw[..]), ulaw);
    (PlayItem::Prompt(prompt), alaw)
}
