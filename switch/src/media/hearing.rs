//! What a leg takes from its peer: whose packets, which keys.

use std::net::SocketAddr;
use std::time::Instant;

use yunling_switch_contract::{Codec, KeySource};

use super::events::LegEvents;
use super::goertzel::KeyDetector;
use super::heard::{Heard, What};
use super::key_pairs::{KeyPairs, Way};
use super::latch::{Latch, Source};
use super::meter::Meter;
use super::reception::{Reception, Taken};
use super::socket::Datagram;
use super::telephone_event::TelephoneEvents;
use super::{Agreed, Phase, g711, rtp};

/// Comfort noise (RFC 3389): heard as silence.
const COMFORT_NOISE: u8 = 13;

/// What RTCP that strayed to the RTP port looks like as RTP payload types (RFC 5761 §4).
const STRAY_RTCP: std::ops::RangeInclusive<u8> = 72..=76;

/// The receiving side of a connected leg.
pub(super) struct Hearing {
    latch: Latch,
    reception: Reception,
    foreign: u64,
    telephone_events: TelephoneEvents,
    keys: KeyPairs,
    /// Signalling has told of the telephone-event that is under way.
    is_told: bool,
    /// Present while in-band keys are awaited.
    detector: Option<Box<KeyDetector>>,
    /// Audio came before the answer, and was told of.
    early_audio_told: bool,
}

/// What a payload type means here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Payload {
    Audio(Codec),
    Event,
    Silent,
    Unknown,
}

impl Hearing {
    pub(super) fn new(agreed: &Agreed) -> Self {
        Self {
            latch: Latch::new(agreed.remote, agreed.allowed.clone()),
            reception: Reception::default(),
            foreign: 0,
            telephone_events: TelephoneEvents::default(),
            keys: KeyPairs::default(),
            is_told: false,
            detector: None,
            early_audio_told: false,
        }
    }

    /// After a re-INVITE.
    pub(super) fn renew(&mut self, agreed: &Agreed) {
        self.latch.renew(agreed.remote, agreed.allowed.clone());
    }

    /// Whether to listen for tones.
    pub(super) fn listen_for_tones(&mut self, on: bool) {
        if on != self.detector.is_some() {
            self.detector = on.then(|| Box::new(KeyDetector::new()));
        }
    }

    /// Where our packets go.
    pub(super) fn peer(&self) -> SocketAddr {
        self.latch.destination()
    }

    /// Takes what came to the RTP port.
    pub(super) fn take(
        &mut self,
        datagram: Datagram<'_>,
        agreed: &Agreed,
        events: &LegEvents,
        heard: &mut Heard,
        meter: &mut Meter,
    ) {
        let source = self.latch.judge(datagram.from);
        match source {
            Source::Peer | Source::Candidate => {}
            Source::Straggler => return,
            Source::Foreign => {
                self.foreign += 1;
                meter.foreign();
                return;
            }
        }
        let Some(packet) = rtp::parse(datagram.bytes) else { return };
        if STRAY_RTCP.contains(&packet.payload_type) {
            return;
        }
        let payload = payload(packet.payload_type, agreed);
        if source == Source::Candidate {
            if payload == Payload::Unknown {
                return;
            }
            self.latch.hold(datagram.from);
        }
        if !agreed.receive {
            return;
        }
        match self.reception.packet(packet.ssrc, packet.sequence) {
            Taken::No => return,
            Taken::Yes => {}
            Taken::NewSource => {
                self.telephone_events.reset();
                if let Some(detector) = &mut self.detector {
                    detector.reset();
                }
            }
        }
        meter.received();
        match payload {
            Payload::Audio(codec) => {
                heard.keep(&packet, What::Audio(codec), datagram.arrived);
                if agreed.phase == Phase::Early && !self.early_audio_told {
                    self.early_audio_told = true;
                    events.early_audio();
                }
                self.reception.arrival(packet.timestamp, datagram.arrived);
                if let Some(detector) = &mut self.detector {
                    let linear = g711::linear(codec);
                    let samples = packet.payload.iter().map(|code| linear[usize::from(*code)]);
                    let keys = &mut self.keys;
                    detector.feed(samples, |key| {
                        if keys.is_news(Way::Media, key, Instant::now()) {
                            events.key(key, KeySource::InBand);
                        }
                    });
                }
            }
            Payload::Event => {
                let (marker, timestamp) = (packet.marker, packet.timestamp);
                let now = Instant::now();
                match self.telephone_events.packet(marker, timestamp, packet.payload) {
                    Some(key) if agreed.phase == Phase::Answered => {
                        self.is_told = !self.keys.is_news(Way::Media, key, now);
                        if !self.is_told {
                            events.key(key, KeySource::TelephoneEvent);
                        }
                    }
                    // Nobody has answered yet whose key it could be.
                    Some(_) => self.is_told = false,
                    None => self.keys.is_held(now),
                }
                if !self.is_told {
                    heard.keep(&packet, What::Event, datagram.arrived);
                }
            }
            Payload::Silent | Payload::Unknown => {
                heard.keep(&packet, What::Other, datagram.arrived);
            }
        }
    }

    /// A key came by signalling. Gives whether it is news.
    pub(super) fn signalled(&mut self, key: char) -> bool {
        self.keys.is_news(Way::Signalling, key, Instant::now())
    }

    /// What was received, for reports and figures.
    pub(super) fn reception(&mut self) -> &mut Reception {
        &mut self.reception
    }

    /// Packets from somebody else.
    pub(super) fn foreign(&self) -> u64 {
        self.foreign
    }
}

/// Either law is taken whatever was agreed on: a peer may switch among what it was offered
/// (RFC 3264 §7).
fn payload(payload_type: u8, agreed: &Agreed) -> Payload {
    if [agreed.telephone_event, agreed.telephone_event_too].contains(&Some(payload_type)) {
        return Payload::Event;
    }
    match payload_type {
        COMFORT_NOISE => Payload::Silent,
        _ => [Codec::Pcma, Codec::Pcmu]
            .into_iter()
            .find(|codec| codec.payload_type() == payload_type)
            .map_or(Payload::Unknown, Payload::Audio),
    }
}
