use std::time::Duration;

use yunling_switch_contract::{Codec, EventKind, PlayEnd, PlayId, PlayItem, PlayMode};

use super::super::Agreed;
use super::rig::{PATIENCE, Peer, Rig, prompt};

/// Joined payloads.
fn samples(packets: &[super::rig::Got]) -> Vec<u8> {
    packets.iter().flat_map(|packet| packet.payload.iter().copied()).collect()
}

#[test]
fn a_play_is_heard_sample_by_sample_without_a_seam() {
    let rig = Rig::new(1);
    let (leg, peer) = rig.connected("whole");
    let (one, one_samples) = prompt(1, 333);
    let (two, two_samples) = prompt(2, 1_001);
    leg.play(
        PlayId(1),
        vec![
            PlayItem::Mark(1),
            one,
            PlayItem::Silence { ms: 5 },
            PlayItem::Mark(2),
            two,
            PlayItem::Mark(3),
        ],
        PlayMode::Once,
    );
    let mut expected = one_samples;
    expected.extend([Codec::Pcma.silence(); 40]);
    expected.extend(two_samples);
    let packets = peer.receive_sound(Codec::Pcma, expected.len());
    let heard = samples(&packets);
    assert_eq!(heard[..expected.len()], expected);
    assert!(heard[expected.len()..].iter().all(|sample| *sample == Codec::Pcma.silence()));

    assert!(packets[0].header.marker, "a play begins a talk spurt");
    assert!(packets[1..].iter().all(|packet| !packet.header.marker));
    for pair in packets.windows(2) {
        let (before, after) = (pair[0].header, pair[1].header);
        assert_eq!(after.sequence, before.sequence.wrapping_add(1));
        assert_eq!(after.timestamp, before.timestamp.wrapping_add(160));
        assert_eq!((after.ssrc, after.payload_type), (before.ssrc, 8));
    }
    for mark in [1, 2, 3] {
        assert!(
            matches!(rig.kind(), EventKind::PlayMark { play: PlayId(1), mark: got } if got == mark)
        );
    }
    rig.expect_finished(PlayId(1), PlayEnd::Completed);
}

#[test]
fn silence_flows_from_the_connect_on() {
    let rig = Rig::new(1);
    let (_leg, peer) = rig.connected("silent");
    let packets: Vec<_> = (0..5).map(|_| peer.receive()).collect();
    assert!(packets[0].header.marker);
    assert!(samples(&packets).iter().all(|sample| *sample == Codec::Pcma.silence()));
}

/// Frames keep to the clock: not bunched, and not slower than real time. The bounds are wide enough
/// for a busy machine; what they catch is a wrong period.
#[test]
fn frames_keep_the_time_whatever_the_peer_insists_on() {
    for (ptime_ms, frames) in [(10u8, 60u32), (20, 30), (30, 20), (40, 15), (60, 10)] {
        let rig = Rig::new(1);
        let leg = rig.open("paced");
        let peer = super::rig::Peer::new(leg.local());
        leg.connect(Agreed { ptime_ms, ..peer.agreed() });
        let (item, expected) = prompt(3, usize::from(ptime_ms) * 8 * 5 - 3);
        let first = peer.receive();
        leg.play(PlayId(1), vec![item], PlayMode::Once);
        let heard = peer.receive_sound(Codec::Pcma, expected.len());
        assert_eq!(samples(&heard)[..expected.len()], expected, "{ptime_ms} ms");
        let mut last = heard[heard.len() - 1].clone();
        while last.header.sequence.wrapping_sub(first.header.sequence) < frames as u16 {
            last = peer.receive();
            assert_eq!(last.payload.len(), usize::from(ptime_ms) * 8);
        }
        let passed = last.header.timestamp.wrapping_sub(first.header.timestamp);
        let media = Duration::from_millis(u64::from(passed / 8));
        let clock = last.at - first.at;
        assert!(
            clock + Duration::from_millis(250) > media,
            "{ptime_ms} ms: {clock:?} for {media:?}"
        );
        assert!(clock < media + Duration::from_secs(5), "{ptime_ms} ms: {clock:?} for {media:?}");
    }
}

#[test]
fn fifty_legs_at_once_hear_each_its_own() {
    let rig = Rig::with(super::rig::free_ports(50), 2, Duration::ZERO);
    let mut legs = Vec::new();
    for n in 0..50u8 {
        let (leg, peer) = rig.connected(&format!("leg {n}"));
        let (item, expected) = prompt(n, 4_000 + usize::from(n));
        leg.play(PlayId(u32::from(n)), vec![item], PlayMode::Once);
        legs.push((leg, peer, expected));
    }
    for (n, (_, peer, expected)) in legs.iter().enumerate() {
        let heard = samples(&peer.receive_sound(Codec::Pcma, expected.len()));
        assert_eq!(heard[..expected.len()], expected[..], "leg {n}");
    }
    for _ in 0..50 {
        let event = rig.event();
        assert!(
            matches!(event.kind, EventKind::PlayFinished { play, end: PlayEnd::Completed }
                if event.leg.as_str() == format!("leg {}", play.0)),
            "{event:?}"
        );
    }
}

#[test]
fn a_new_play_cuts_the_old_one() {
    let rig = Rig::new(1);
    let (leg, peer) = rig.connected("cut");
    leg.play(PlayId(1), vec![PlayItem::Mark(1), prompt(1, 80_000).0], PlayMode::Once);
    assert!(matches!(rig.kind(), EventKind::PlayMark { .. }));
    let (item, expected) = prompt(0x80, 500);
    leg.play(PlayId(2), vec![item], PlayMode::Once);
    rig.expect_finished(PlayId(1), PlayEnd::Cut);
    rig.expect_finished(PlayId(2), PlayEnd::Completed);
    let mut packet = peer.receive();
    while packet.payload[..160] != expected[..160] {
        packet = peer.receive();
    }
    assert!(packet.header.marker);
}

#[test]
fn stop_stops_only_the_play_it_names() {
    let rig = Rig::new(1);
    let (leg, peer) = rig.connected("stop");
    leg.play(PlayId(1), vec![PlayItem::Mark(1), prompt(1, 80_000).0], PlayMode::Once);
    assert!(matches!(rig.kind(), EventKind::PlayMark { .. }));
    leg.stop(PlayId(9));
    let sound = peer.receive_sound(Codec::Pcma, 800);
    assert_eq!(sound.len(), 5);
    assert!(rig.is_quiet());
    leg.stop(PlayId(1));
    rig.expect_finished(PlayId(1), PlayEnd::Cut);
    while peer.receive().payload != [Codec::Pcma.silence(); 160] {}
    leg.stop(PlayId(1));
    leg.play(PlayId(2), vec![], PlayMode::Once);
    rig.expect_finished(PlayId(2), PlayEnd::Completed);
}

#[test]
fn before_the_connect_a_play_is_refused() {
    let rig = Rig::new(1);
    let leg = rig.open("early");
    leg.play(PlayId(1), vec![prompt(1, 800).0], PlayMode::Once);
    rig.expect_finished(PlayId(1), PlayEnd::Refused);
}

#[test]
fn a_play_stands_still_while_the_peer_holds_us_and_goes_on_where_it_was() {
    let rig = Rig::new(1);
    let (leg, peer) = rig.connected("held");
    let (item, expected) = prompt(1, 8_000);
    leg.play(PlayId(1), vec![item, PlayItem::Mark(1)], PlayMode::Once);
    let mut heard = peer.receive_sound(Codec::Pcma, 1_600);
    let before = heard.last().unwrap().header;
    leg.connect(Agreed { send: false, ..peer.agreed() });
    // What was sent before the hold took effect; then a second of nothing, which is longer than
    // the rest of the play.
    peer.rtp.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    while let Some(packet) = peer.try_receive() {
        heard.push(packet);
    }
    assert!(rig.is_quiet(), "neither the mark nor the end was passed on hold");
    peer.rtp.set_read_timeout(Some(PATIENCE)).unwrap();
    leg.connect(peer.agreed());
    let resumed = peer.receive();
    assert!(resumed.header.marker);
    assert_eq!(resumed.header.ssrc, before.ssrc);
    let passed = resumed.header.timestamp.wrapping_sub(before.timestamp);
    let sent = u32::from(resumed.header.sequence.wrapping_sub(before.sequence));
    assert!(passed > sent * 160 + 6_400, "timestamps follow the time: {passed} after {sent}");
    heard.push(resumed);
    while samples(&heard).len() < expected.len() {
        heard.push(peer.receive());
    }
    assert_eq!(samples(&heard)[..expected.len()], expected);
    assert!(matches!(rig.kind(), EventKind::PlayMark { mark: 1, .. }));
    rig.expect_finished(PlayId(1), PlayEnd::Completed);
}

#[test]
fn a_held_play_can_be_stopped() {
    let rig = Rig::new(1);
    let leg = rig.open("held and stopped");
    let peer = Peer::new(leg.local());
    leg.connect(Agreed { send: false, ..peer.agreed() });
    leg.play(PlayId(1), vec![prompt(1, 160).0], PlayMode::Once);
    leg.stop(PlayId(1));
    rig.expect_finished(PlayId(1), PlayEnd::Cut);
}

#[test]
fn the_codec_may_change_in_mid_play() {
    let rig = Rig::new(1);
    let (leg, peer) = rig.connected("recoded");
    let (item, expected) = prompt(1, 8_000);
    leg.play(PlayId(1), vec![item], PlayMode::Once);
    let mut packets = peer.receive_sound(Codec::Pcma, 160);
    leg.connect(Agreed { codec: Codec::Pcmu, ..peer.agreed() });
    while packets.len() < 50 {
        packets.push(peer.receive());
    }
    assert!(packets.iter().any(|packet| packet.header.payload_type == 0), "it changed");
    for (packet, expected) in packets.iter().zip(expected.chunks(160)) {
        let expected: Vec<u8> = match packet.header.payload_type {
            8 => expected.to_vec(),
            _ => expected.iter().map(|sample| sample & 0x7F).collect(),
        };
        assert_eq!(packet.payload, expected);
    }
}
