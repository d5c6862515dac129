use std::sync::Arc;
use std::time::{Duration, Instant};

use yunling_switch_contract::{Codec, LegId, PlayEnd, PlayId, PlayItem, PlayMode, Prompt};

use super::super::handle::MediaLeg;
use super::super::telephone_event::TelephoneEvents;
use super::super::{Agreed, g711};
use super::rig::{Got, Peer, Rig, prompt};

const EVENT_TYPE: u8 = 101;

/// A loud sample's A-law code, another one for each party.
fn tone(value: i16) -> u8 {
    g711::encoded(value, Codec::Pcma)
}

fn linear(codec: Codec, code: u8) -> i32 {
    i32::from(g711::linear(codec)[usize::from(code)])
}

/// A prompt of one code.
fn steady(code: u8, samples: usize) -> PlayItem {
    let codes: Arc<[u8]> = vec![code; samples].into();
    PlayItem::Prompt(Prompt::new("steady", Arc::clone(&codes), codes))
}

fn hear(leg: &MediaLeg, others: &str) {
    leg.hear(others.split_whitespace().map(LegId::new).collect());
}

/// Sends 20 ms of a code every 20 ms from each peer until `done` says so of what the first got.
fn talk_until(peers: &mut [(&mut Peer, u8)], mut done: impl FnMut(&Got) -> bool) -> Got {
    // Not a short read timeout: a kernel that counts time in 10 ms would stretch it to that, and
    // three peers would no longer speak in time.
    let block = |peers: &[(&mut Peer, u8)], on: bool| {
        peers.iter().for_each(|(peer, _)| peer.rtp.set_nonblocking(!on).unwrap());
    };
    block(peers, false);
    let start = Instant::now();
    let mut next = start;
    loop {
        assert!(start.elapsed() < super::rig::PATIENCE, "it never comes");
        if Instant::now() >= next {
            next += Duration::from_millis(20);
            for (peer, code) in peers.iter_mut() {
                peer.send(8, &[*code; 160]);
            }
        }
        for (at, (peer, _)) in peers.iter().enumerate() {
            while let Some(got) = peer.try_receive() {
                if at == 0 && done(&got) {
                    block(peers, true);
                    return got;
                }
            }
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Whether all of a packet is this loud, within G.711's steps.
fn is_level(got: &Got, level: i32) -> bool {
    is_one_of(got, &[level])
}

/// Whether each sample of a packet has one of these levels.
fn is_one_of(got: &Got, levels: &[i32]) -> bool {
    let codec = if got.header.payload_type == 0 { Codec::Pcmu } else { Codec::Pcma };
    let near = |code: u8, level: i32| (linear(codec, code) - level).abs() <= level.abs() / 16 + 16;
    got.payload.iter().all(|code| levels.iter().any(|level| near(*code, *level)))
}

#[test]
fn two_hear_each_other_packet_by_packet() {
    let rig = Rig::new(2);
    let (a, mut peer_a) = rig.connected("a");
    let (b, mut peer_b) = rig.connected("b");
    hear(&a, "b");
    hear(&b, "a");
    let (from_a, from_b) = (tone(8_000), tone(-8_000));
    talk_until(&mut [(&mut peer_a, from_a), (&mut peer_b, from_b)], |got| {
        got.payload == [from_b; 160]
    });
    talk_until(&mut [(&mut peer_b, from_b), (&mut peer_a, from_a)], |got| {
        got.payload == [from_a; 160]
    });
    // What is lost on one side is missing on the other, and nothing is sent in its place.
    peer_a.send(8, &[1; 160]);
    peer_a.lose();
    peer_a.lose();
    peer_a.send(8, &[2; 160]);
    let find = |peer: &Peer, code: u8| loop {
        let got = peer.receive();
        if got.payload == [code; 160] {
            return got.header;
        }
    };
    let (one, two) = (find(&peer_b, 1), find(&peer_b, 2));
    assert_eq!(two.sequence.wrapping_sub(one.sequence), 3);
    assert_eq!(two.timestamp.wrapping_sub(one.timestamp), 480);
    assert_eq!(one.ssrc, two.ssrc);
    assert_ne!(one.ssrc, peer_a.ssrc, "our stream is our own");
}

#[test]
fn one_law_is_translated_into_the_other() {
    let rig = Rig::new(2);
    let (a, mut peer_a) = rig.connected("a");
    let b = rig.open("b");
    let mut peer_b = Peer::new(b.local());
    b.connect(Agreed { codec: Codec::Pcmu, ..peer_b.agreed() });
    hear(&b, "a");
    let got = talk_until(&mut [(&mut peer_b, 0xFF), (&mut peer_a, tone(8_000))], |got| {
        is_level(got, 8_000)
    });
    assert_eq!(got.header.payload_type, Codec::Pcmu.payload_type());
    drop(a);
}

#[test]
fn keys_are_passed_on_under_the_other_sides_number() {
    let rig = Rig::new(2);
    let legs = [("a", 101), ("b", 96)].map(|(name, event)| {
        let leg = rig.open(name);
        let peer = Peer::new(leg.local());
        leg.connect(Agreed { telephone_event: Some(event), ..peer.agreed() });
        (leg, peer)
    });
    let [(_a, mut peer_a), (b, peer_b)] = legs;
    hear(&b, "a");
    peer_a.receive();
    peer_a.press(EVENT_TYPE, 5);
    let mut got = Vec::new();
    while got.len() < 5 {
        got.extend(Some(peer_b.receive()).filter(|got| got.header.payload_type == 96));
    }
    assert!(got[0].header.marker && got.iter().all(|packet| packet.payload[0] == 5));
    assert!(got.iter().all(|packet| packet.header.timestamp == got[0].header.timestamp));
}

#[test]
fn each_of_three_hears_the_other_two_and_a_monitor_is_not_heard() {
    let rig = Rig::new(4);
    let parties = [("a", 1_000), ("b", 3_000), ("c", 9_000)];
    let mut legs: Vec<(MediaLeg, Peer, i16)> = Vec::new();
    for (name, level) in parties {
        let (leg, peer) = rig.connected(name);
        legs.push((leg, peer, level));
    }
    let (monitor, mut peer_m) = rig.connected("m");
    for (leg, others) in legs.iter().zip(["b c", "a c", "a b"]) {
        hear(&leg.0, others);
    }
    hear(&monitor, "a b c");
    for listener in 0..3 {
        let expected: i32 = legs
            .iter()
            .enumerate()
            .filter(|(at, _)| *at != listener)
            .map(|(_, leg)| i32::from(leg.2))
            .sum();
        let mut peers: Vec<(&mut Peer, u8)> =
            legs.iter_mut().map(|(_, peer, level)| (peer, tone(*level))).collect();
        peers.rotate_left(listener);
        peers.push((&mut peer_m, tone(20_000)));
        talk_until(&mut peers, |got| is_level(got, expected));
    }
    let mut peers: Vec<(&mut Peer, u8)> = vec![(&mut peer_m, tone(20_000))];
    peers.extend(legs.iter_mut().map(|(_, peer, level)| (peer, tone(*level))));
    talk_until(&mut peers, |got| is_level(got, 13_000));
}

/// Its packets belong together, whatever else is mixed for the one who hears it.
#[test]
fn a_key_reaches_who_hears_a_mix() {
    for events in [Some(EVENT_TYPE), None] {
        let rig = Rig::new(3);
        let (a, mut peer_a) = rig.connected("a");
        let b = rig.open("b");
        let mut peer_b = Peer::new(b.local());
        b.connect(Agreed { telephone_event: events, ..peer_b.agreed() });
        let (_c, mut peer_c) = rig.connected("c");
        hear(&b, "a c");
        let codes = [7_000, 1_000, 3_000].map(tone);
        let mut heard = |done: &mut dyn FnMut(&Got) -> bool| {
            let mut peers =
                [(&mut peer_b, codes[0]), (&mut peer_a, codes[1]), (&mut peer_c, codes[2])];
            talk_until(&mut peers, |got| done(got))
        };
        heard(&mut |got| is_level(got, 4_000));
        a.press('5');
        let (mut keys, mut key) = (TelephoneEvents::default(), String::new());
        let (mut stamps, mut ends, mut tones) = (Vec::new(), 0, 0);
        heard(&mut |got| {
            if got.header.payload_type == EVENT_TYPE {
                let header = got.header;
                key.extend(keys.packet(header.marker, header.timestamp, &got.payload));
                stamps.push(header.timestamp);
                ends += usize::from(got.payload[1] & 0x80 != 0);
            }
            // A tone is no steady level.
            let first = linear(Codec::Pcma, got.payload[0]);
            let is_tone = got.header.payload_type == 8
                && got
                    .payload
                    .iter()
                    .any(|code| linear(Codec::Pcma, *code).abs_diff(first) > 9_000);
            tones += usize::from(is_tone);
            ends == 3 || tones == 8
        });
        stamps.dedup();
        let expected = if events.is_some() { ("5", 1, 0) } else { ("", 0, 8) };
        assert_eq!((key.as_str(), stamps.len(), tones), expected, "{events:?}");
        heard(&mut |got| is_level(got, 4_000));
    }
}

/// A frame of 60 ms is longer than what is laid out ahead.
#[test]
fn long_frames_are_mixed_whole() {
    let rig = Rig::new(3);
    let a = rig.open("a");
    let mut peer_a = Peer::new(a.local());
    a.connect(Agreed { ptime_ms: 60, ..peer_a.agreed() });
    let (_b, mut peer_b) = rig.connected("b");
    let (_c, mut peer_c) = rig.connected("c");
    hear(&a, "b c");
    let mut whole = 0;
    let peers = &mut [(&mut peer_a, 1), (&mut peer_b, tone(3_000)), (&mut peer_c, tone(9_000))];
    talk_until(peers, |got| {
        assert_eq!(got.payload.len(), 480);
        whole = if is_level(got, 12_000) { whole + 1 } else { 0 };
        whole == 10
    });
}

#[test]
fn a_private_prompt_goes_before_the_bridge_which_then_goes_on() {
    let rig = Rig::new(2);
    let (a, mut peer_a) = rig.connected("a");
    let (b, mut peer_b) = rig.connected("b");
    hear(&a, "b");
    hear(&b, "a");
    let (from_a, from_b) = (tone(8_000), tone(-8_000));
    talk_until(&mut [(&mut peer_a, from_a), (&mut peer_b, from_b)], |got| {
        got.payload == [from_b; 160]
    });
    let (item, samples) = prompt(3, 1_600);
    a.play(PlayId(1), vec![item], PlayMode::Once);
    let first = talk_until(&mut [(&mut peer_a, from_a), (&mut peer_b, from_b)], |got| {
        got.payload == samples[..160]
    });
    let last = talk_until(&mut [(&mut peer_a, from_a), (&mut peer_b, from_b)], |got| {
        assert!(
            got.payload == [from_b; 160] || samples.chunks(160).any(|part| part == got.payload)
        );
        got.payload == samples[1_440..]
    });
    assert_eq!(last.header.sequence.wrapping_sub(first.header.sequence), 9, "nothing in between");
    rig.expect_finished(PlayId(1), PlayEnd::Completed);
    talk_until(&mut [(&mut peer_a, from_a), (&mut peer_b, from_b)], |got| {
        got.payload == [from_b; 160]
    });
}

#[test]
fn an_announcement_is_heard_over_the_other_party() {
    let rig = Rig::new(2);
    let (a, mut peer_a) = rig.connected("a");
    let (_b, mut peer_b) = rig.connected("b");
    hear(&a, "b");
    let from_b = tone(4_000);
    let code = tone(2_000);
    a.play(PlayId(1), vec![steady(code, 4_000)], PlayMode::Over);
    talk_until(&mut [(&mut peer_a, code), (&mut peer_b, from_b)], |got| is_level(got, 6_000));
    rig.expect_finished(PlayId(1), PlayEnd::Completed);
    talk_until(&mut [(&mut peer_a, code), (&mut peer_b, from_b)], |got| {
        got.payload == [from_b; 160]
    });
}

/// The other party was passed on packet by packet until then.
#[test]
fn an_announcement_over_a_bridge_is_heard_whole() {
    const PACKETS: usize = 25;
    let rig = Rig::new(2);
    let (a, mut peer_a) = rig.connected("a");
    let (_b, mut peer_b) = rig.connected("b");
    hear(&a, "b");
    let (from_b, code) = (tone(4_000), tone(2_000));
    talk_until(&mut [(&mut peer_a, code), (&mut peer_b, from_b)], |got| {
        got.payload == [from_b; 160]
    });
    a.play(PlayId(1), vec![steady(code, PACKETS * 160)], PlayMode::Over);
    let mut announced = 0;
    talk_until(&mut [(&mut peer_a, code), (&mut peer_b, from_b)], |got| {
        // The other party sets in within a frame.
        announced += usize::from(is_one_of(got, &[6_000, 2_000]));
        announced > 0 && got.payload == [from_b; 160]
    });
    assert_eq!(announced, PACKETS);
    rig.expect_finished(PlayId(1), PlayEnd::Completed);
}

#[test]
fn who_hears_nobody_any_more_hears_silence() {
    let rig = Rig::new(2);
    let (a, mut peer_a) = rig.connected("a");
    let (_b, mut peer_b) = rig.connected("b");
    hear(&a, "b");
    let from_b = tone(8_000);
    talk_until(&mut [(&mut peer_a, 1), (&mut peer_b, from_b)], |got| got.payload == [from_b; 160]);
    hear(&a, "");
    let silence = Codec::Pcma.silence();
    talk_until(&mut [(&mut peer_a, 1), (&mut peer_b, from_b)], |got| got.payload == [silence; 160]);
}

#[test]
fn a_peer_that_falls_silent_is_told_of_once() {
    use yunling_switch_contract::EventKind;
    let rig = Rig::with_silence(1, Duration::from_secs(2));
    let (_leg, mut peer) = rig.connected("gone");
    peer.send(8, &[1; 160]);
    for _ in 0..2 {
        match rig.kind() {
            EventKind::MediaLost { silent_ms } => assert!(silent_ms >= 2_000, "{silent_ms}"),
            other => panic!("expected the loss, got {other:?}"),
        }
        // It comes back, and goes again.
        peer.send(8, &[1; 160]);
    }
}
