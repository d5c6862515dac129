use std::time::Instant;

use yunling_switch_contract::{EventKind, KeySource, LegId};

use super::super::Agreed;
use super::super::telephone_event::TelephoneEvents;
use super::rig::{Got, PATIENCE, Peer, Rig};

const EVENT_TYPE: u8 = 101;

fn expect_key(rig: &Rig, key: char, source: KeySource) {
    match rig.kind() {
        EventKind::Key { key: got, source: how } => assert_eq!((got, how), (key, source)),
        other => panic!("expected key {key}, got {other:?}"),
    }
}

/// A-law of a key's tones, `ms` long.
fn tones(low_hz: f32, high_hz: f32, ms: usize) -> Vec<u8> {
    use audio_codec::Encoder as _;
    let linear: Vec<i16> = (0..ms * 8)
        .map(|n| {
            let sine = |hz: f32| (std::f32::consts::TAU * hz * n as f32 / 8_000.0).sin() * 6_000.0;
            (sine(low_hz) + sine(high_hz)) as i16
        })
        .collect();
    audio_codec::pcma::PcmaEncoder::new().encode(&linear)
}

fn send_audio(peer: &mut Peer, audio: &[u8]) {
    for frame in audio.chunks(160) {
        peer.send(8, frame);
    }
}

/// Lets the leg read what was sent, and do what it leads to: the thread that sends two more packets
/// has gone round since.
fn settle(peer: &Peer) {
    peer.until_read();
    peer.forget_received();
    let _: Vec<Got> = (0..2).map(|_| peer.receive()).collect();
}

#[test]
fn telephone_events_are_reported_once_each() {
    let rig = Rig::new(1);
    let leg = rig.open("rfc4733");
    let mut peer = Peer::new(leg.local());
    leg.connect(Agreed { telephone_event: Some(EVENT_TYPE), ..peer.agreed() });
    peer.receive();
    for code in [1, 1, 11, 10] {
        peer.press(EVENT_TYPE, code);
    }
    for key in ['1', '1', '#', '*'] {
        expect_key(&rig, key, KeySource::TelephoneEvent);
    }
    settle(&peer);
    assert!(rig.is_quiet());
}

#[test]
fn in_band_keys_are_heard_while_awaited() {
    let rig = Rig::new(1);
    let (leg, mut peer) = rig.connected("in-band");
    let silence = [0xD5; 480];
    let key_5 = [&tones(770.0, 1336.0, 60)[..], &silence].concat();
    let key_9 = [&tones(852.0, 1477.0, 60)[..], &silence].concat();
    peer.receive();
    send_audio(&mut peer, &key_5);
    settle(&peer);
    assert!(rig.is_quiet(), "not awaited yet");
    leg.await_keys(true);
    settle(&peer);
    send_audio(&mut peer, &key_9);
    send_audio(&mut peer, &key_9);
    for _ in 0..2 {
        expect_key(&rig, '9', KeySource::InBand);
    }
    leg.await_keys(false);
    settle(&peer);
    send_audio(&mut peer, &key_5);
    settle(&peer);
    assert!(rig.is_quiet(), "no longer awaited");
}

#[test]
fn tones_do_not_count_where_telephone_events_were_negotiated() {
    let rig = Rig::new(1);
    let leg = rig.open("negotiated");
    let mut peer = Peer::new(leg.local());
    leg.connect(Agreed { telephone_event: Some(EVENT_TYPE), ..peer.agreed() });
    leg.await_keys(true);
    peer.receive();
    send_audio(&mut peer, &tones(770.0, 1336.0, 100));
    peer.press(EVENT_TYPE, 2);
    expect_key(&rig, '2', KeySource::TelephoneEvent);
    settle(&peer);
    assert!(rig.is_quiet());
}

#[test]
fn telephone_events_that_were_not_negotiated_are_not_taken() {
    let rig = Rig::new(1);
    let (leg, mut peer) = rig.connected("unnegotiated");
    peer.receive();
    peer.press(EVENT_TYPE, 1);
    settle(&peer);
    assert!(rig.is_quiet());
    drop(leg);
}

/// RFC 3264 §5.1 has the peer send our number although it answered with its own; many send theirs.
#[test]
fn telephone_events_are_taken_under_either_sides_number() {
    let rig = Rig::new(1);
    let leg = rig.open("two numbers");
    let mut peer = Peer::new(leg.local());
    let (theirs, ours) = (Some(97), Some(EVENT_TYPE));
    leg.connect(Agreed { telephone_event: theirs, telephone_event_too: ours, ..peer.agreed() });
    peer.receive();
    peer.press(EVENT_TYPE, 1);
    expect_key(&rig, '1', KeySource::TelephoneEvent);
    peer.press(97, 2);
    expect_key(&rig, '2', KeySource::TelephoneEvent);
    settle(&peer);
    assert!(rig.is_quiet());
}

#[test]
fn a_peer_that_is_not_to_be_heard_is_not() {
    let rig = Rig::new(1);
    let leg = rig.open("inactive");
    let mut peer = Peer::new(leg.local());
    let agreed = Agreed { telephone_event: Some(EVENT_TYPE), ..peer.agreed() };
    leg.connect(Agreed { receive: false, ..agreed.clone() });
    peer.receive();
    peer.press(EVENT_TYPE, 1);
    settle(&peer);
    leg.connect(agreed);
    settle(&peer);
    peer.press(EVENT_TYPE, 2);
    expect_key(&rig, '2', KeySource::TelephoneEvent);
}

/// Many telephones send each key both ways.
#[test]
fn a_key_that_comes_by_info_as_well_counts_once() {
    let rig = Rig::new(1);
    let leg = rig.open("both ways");
    let mut peer = Peer::new(leg.local());
    leg.connect(Agreed { telephone_event: Some(EVENT_TYPE), ..peer.agreed() });
    peer.receive();
    peer.press(EVENT_TYPE, 1);
    expect_key(&rig, '1', KeySource::TelephoneEvent);
    leg.press('1');
    leg.press('2');
    expect_key(&rig, '2', KeySource::Info);
    peer.press(EVENT_TYPE, 2);
    peer.press(EVENT_TYPE, 3);
    expect_key(&rig, '3', KeySource::TelephoneEvent);
    leg.press('3');
    leg.press('3');
    expect_key(&rig, '3', KeySource::Info);
    settle(&peer);
    assert!(rig.is_quiet());
}

#[test]
fn who_hears_the_leg_hears_such_a_key_once_too() {
    let rig = Rig::new(2);
    let [(a, mut peer_a), (b, peer_b)] = ["a", "b"].map(|name| {
        let leg = rig.open(name);
        let peer = Peer::new(leg.local());
        leg.connect(Agreed { telephone_event: Some(EVENT_TYPE), ..peer.agreed() });
        (leg, peer)
    });
    b.hear(vec![LegId::new("a")]);
    peer_a.receive();
    let (mut keys, mut heard) = (TelephoneEvents::default(), String::new());
    // Sends what is said until it is heard: whatever was pressed before it has been passed on then.
    let mut hears = |peer_a: &mut Peer| {
        let start = Instant::now();
        loop {
            assert!(start.elapsed() < PATIENCE, "nothing is passed on behind {heard:?}");
            peer_a.send(8, &[1; 160]);
            let got = peer_b.receive();
            if got.header.payload_type == EVENT_TYPE {
                let header = got.header;
                heard.extend(keys.packet(header.marker, header.timestamp, &got.payload));
            } else if got.payload == [1; 160] {
                return heard.clone();
            }
        }
    };
    hears(&mut peer_a);
    peer_a.press(EVENT_TYPE, 5);
    expect_key(&rig, '5', KeySource::TelephoneEvent);
    a.press('5');
    a.press('6');
    expect_key(&rig, '6', KeySource::Info);
    peer_a.press(EVENT_TYPE, 6);
    // Those of before may still be under way.
    let start = Instant::now();
    while !hears(&mut peer_a).ends_with('6') {
        assert!(start.elapsed() < PATIENCE, "the key by INFO is not passed on");
    }
    hears(&mut peer_a);
    peer_a.press(EVENT_TYPE, 7);
    while !hears(&mut peer_a).ends_with('7') {
        assert!(start.elapsed() < PATIENCE, "the last key is not passed on");
    }
    assert_eq!(hears(&mut peer_a), "567");
}
