//! Packets that are passed on: what a peer may have sent to another one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use yunling_fuzz::{Limits, Target};
use yunling_switch_contract::{Codec, EventKind, KeySource, LegId, Owner};

use super::super::events::LegEvents;
use super::super::heard::Heard;
use super::super::hearing::Hearing;
use super::super::meter::Meter;
use super::super::relay::{DATAGRAM_LEN, Relay};
use super::super::rtp;
use super::super::sender::Sender;
use super::super::socket::Datagram;
use super::super::telephone_event;
use super::super::{Agreed, Phase};
use super::hostile::{self, Counter};
use super::rig::{Got, PATIENCE, Peer, Rig};

const OUR_SSRC: u32 = 0x0102_0304;
const LISTENERS_EVENT: u8 = 96;

/// A peer that agreed to telephone-event under a number of its own, or to none.
fn listener(codec: Codec, telephone_event: Option<u8>) -> Agreed {
    Agreed {
        phase: Phase::Answered,
        remote: "192.0.2.2:4000".parse().unwrap(),
        remote_rtcp: "192.0.2.2:4001".parse().unwrap(),
        codec,
        telephone_event,
        telephone_event_too: None,
        ptime_ms: 20,
        send: true,
        receive: true,
        allowed: vec!["192.0.2.2".parse().unwrap()],
    }
}

/// What is passed on is one sound packet of ours for one of the peer's, in our stream, of an agreed
/// type, and all tones together are no longer than the time.
#[test]
fn whatever_a_peer_sends_reaches_another_well_formed() {
    let target = Target {
        name: "media_relay",
        run_by: "test -p yunling-switch --lib media::tests::relaying",
        seeds: hostile::seeds(),
        words: &[],
        longest: 16_384,
        limits: Limits { cpu_ms: 500, fixed_bytes: 64 << 10, bytes_per_byte: 8 },
    };
    target.run(|input| {
        let now = Instant::now();
        let codec = [Codec::Pcma, Codec::Pcmu][input.len() % 2];
        let telephone_event = (input.len() % 4 < 2).then_some(LISTENERS_EVENT);
        let agreed = listener(codec, telephone_event);
        let (mut relay, mut sender) = (Relay::new(), Sender::new(OUR_SSRC, 65_000, 1));
        let (mut heard, mut meter) = (Heard::default(), Meter::new(0, now));
        let mut buffer = [0; DATAGRAM_LEN];
        let (mut passed, mut keys, mut tones) = (0_usize, 0_usize, 0_usize);
        let mut at = now;
        let speaker = hostile::agreed();
        let events = LegEvents {
            owner: Owner(1),
            leg: LegId::new("fuzz"),
            sink: Arc::new(Counter::default()),
        };
        let mut hearing = Hearing::new(&speaker);
        for (_, bytes) in hostile::packets(input).filter(|(is_rtcp, _)| !is_rtcp) {
            at += Duration::from_millis(1);
            heard.begin(true);
            let datagram = Datagram { bytes, from: speaker.remote, arrived: 0 };
            hearing.take(datagram, &speaker, &events, &mut heard, &mut meter);
            let mut of_this = 0;
            for said in heard.packets() {
                if !relay.has_room(at) {
                    continue;
                }
                let came = said.1.len();
                let Some(ready) = relay.datagram(said, &agreed, &mut sender, &mut buffer, at)
                else {
                    continue;
                };
                of_this += 1;
                let packet = rtp::parse(&buffer[..ready.length]).expect("it is RTP");
                assert_eq!(packet.ssrc, OUR_SSRC);
                assert_eq!(packet.payload.len() + rtp::HEADER_LEN, ready.length);
                if Some(packet.payload_type) == telephone_event {
                    assert!(packet.payload.len() == 4 && packet.payload[0] < 16);
                    keys += 1;
                } else {
                    assert_eq!(packet.payload_type, codec.payload_type());
                    assert_eq!(packet.payload.len(), usize::from(ready.samples));
                    assert!(!packet.payload.is_empty());
                    if came == packet.payload.len() {
                        assert!(ready.length <= bytes.len(), "more than came");
                    } else {
                        tones += packet.payload.len();
                    }
                }
            }
            assert!(of_this <= 1, "{of_this} packets for one");
            passed += of_this;
        }
        let time_ms = at.duration_since(now).as_millis() as usize;
        assert!(passed <= 100 + time_ms / 4 + 1, "{passed} packets in {time_ms} ms");
        assert!(tones <= (time_ms + 100 + 60) * 8, "{tones} samples of tones in {time_ms} ms");
        let own = sender.next(8, 160, at);
        assert_eq!(own.ssrc, OUR_SSRC);
        (passed.min(15), keys.min(3), tones.min(1))
    });
}

#[test]
fn a_key_is_a_tone_for_who_agreed_to_no_keys() {
    let rig = Rig::new(2);
    let a = rig.open("a");
    let mut peer_a = Peer::new(a.local());
    a.connect(Agreed { telephone_event: Some(101), ..peer_a.agreed() });
    let (b, peer_b) = rig.connected("b");
    b.hear(vec![LegId::new("a")]);
    let start = Instant::now();
    loop {
        assert!(start.elapsed() < PATIENCE, "nothing is passed on");
        peer_a.send(8, &[1; 160]);
        if peer_b.receive().payload == [1; 160] {
            break;
        }
    }
    for n in 1..=5 {
        peer_a.event(101, 5, n * 160, n == 5);
        std::thread::sleep(Duration::from_millis(20));
    }
    let mut loud = 0;
    let start = Instant::now();
    while loud < 5 {
        assert!(start.elapsed() < PATIENCE, "{loud} packets of tone");
        let got = peer_b.receive();
        assert_ne!(got.header.payload_type, 101);
        let silence = Codec::Pcma.silence();
        loud += usize::from(got.payload.iter().filter(|code| **code != silence).count() > 100);
    }
    assert!(matches!(rig.kind(), EventKind::Key { key: '5', .. }));
}

#[test]
fn a_peer_that_only_reports_is_not_gone() {
    let rig = Rig::with_silence(1, Duration::from_secs(2));
    let (_leg, mut peer) = rig.connected("quiet");
    peer.send(8, &[1; 160]);
    let start = Instant::now();
    // Twice the time after which a silent peer is taken for gone.
    while start.elapsed() < Duration::from_secs(4) {
        peer.report();
        assert!(rig.is_quiet(), "it reports by RTCP");
        std::thread::sleep(Duration::from_millis(200));
    }
    assert!(matches!(rig.kind(), EventKind::MediaLost { .. }));
}

/// A key by INFO: as an event for who takes events, as a tone for who does not; what is said beside
/// it waits, and goes on behind it.
#[test]
fn a_key_by_signalling_reaches_who_hears_the_leg() {
    for events in [Some(LISTENERS_EVENT), None] {
        let rig = Rig::new(2);
        let (a, mut peer_a) = rig.connected("a");
        let b = rig.open("b");
        let peer_b = Peer::new(b.local());
        b.connect(Agreed { telephone_event: events, ..peer_b.agreed() });
        b.hear(vec![LegId::new("a")]);
        let said = |got: &Got| got.payload == [1; 160];
        let mut hears = || {
            let start = Instant::now();
            let mut packets = Vec::new();
            while packets.last().is_none_or(|last| !said(last)) {
                assert!(start.elapsed() < PATIENCE, "nothing is passed on");
                peer_a.send(8, &[1; 160]);
                packets.push(peer_b.receive());
            }
            packets
        };
        hears();
        a.press('5');
        let mut keys = telephone_event::TelephoneEvents::default();
        let (mut pressed, mut loud, mut ends) = (String::new(), 0, 0);
        let mut last: Option<u16> = None;
        let start = Instant::now();
        while ends < 3 && loud < 8 {
            assert!(start.elapsed() < PATIENCE, "{pressed:?}, {loud} packets of tone");
            for got in hears().iter().filter(|got| !said(got)) {
                let header = got.header;
                if Some(header.payload_type) == events {
                    pressed.extend(keys.packet(header.marker, header.timestamp, &got.payload));
                    ends += usize::from(got.payload[1] & 0x80 != 0);
                    let gap = last.replace(header.sequence);
                    assert!(gap.is_none_or(|gap| header.sequence == gap.wrapping_add(1)));
                } else {
                    let silence = Codec::Pcma.silence();
                    let sounds = got.payload.iter().filter(|code| **code != silence).count();
                    loud += usize::from(sounds > 100);
                }
            }
        }
        let expected = if events.is_some() { ("5", 0) } else { ("", 8) };
        assert_eq!((pressed.as_str(), loud), expected, "{events:?}");
        assert!(matches!(rig.kind(), EventKind::Key { key: '5', source: KeySource::Info }));
        assert!(rig.is_quiet(), "once");
    }
}
