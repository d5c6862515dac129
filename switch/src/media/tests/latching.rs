use std::net::UdpSocket;

use yunling_switch_contract::{EventKind, MediaFigures, PlayEnd, PlayId, PlayItem, PlayMode};

use super::super::{Agreed, MediaLeg};
use super::rig::{GATE_MARK, Peer, Rig};

const EVENT_TYPE: u8 = 101;
const SILENCE: [u8; 160] = [0xD5; 160];

/// A socket of an address that signalling does not vouch for.
fn stranger() -> UdpSocket {
    UdpSocket::bind("127.0.0.2:0").unwrap()
}

fn with_events(peer: &Peer) -> Agreed {
    Agreed { telephone_event: Some(EVENT_TYPE), ..peer.agreed() }
}

/// Packets arrive in the order in which they were sent on loopback, so a key at their end proves
/// that all were read.
fn read_all(rig: &Rig, peer: &mut Peer) {
    peer.press(EVENT_TYPE, 0);
    assert!(matches!(rig.kind(), EventKind::Key { key: '0', .. }));
}

async fn figures(leg: MediaLeg) -> MediaFigures {
    leg.close().await
}

#[tokio::test]
async fn an_allowed_source_that_sdp_did_not_tell_is_answered() {
    let rig = Rig::new(1);
    let leg = rig.open("nat");
    let told = Peer::new(leg.local());
    let mut real = Peer::new(leg.local());
    leg.connect(with_events(&told));
    told.receive();
    read_all(&rig, &mut real);
    for _ in 0..5 {
        real.receive();
    }
    assert_eq!(figures(leg).await.foreign_packets, 0);
}

#[tokio::test]
async fn strangers_are_neither_heard_nor_answered() {
    let rig = Rig::new(1);
    let leg = rig.open("strangers");
    let mut peer = Peer::new(leg.local());
    leg.connect(with_events(&peer));
    peer.receive();
    let stranger = stranger();
    for _ in 0..3 {
        peer.send_from(Some(&stranger), 8, &SILENCE);
    }
    read_all(&rig, &mut peer);
    // Once latched, another port of an allowed address is a stranger too.
    let mut other_port = Peer::new(leg.local());
    other_port.press(EVENT_TYPE, 9);
    read_all(&rig, &mut peer);
    assert!(rig.is_quiet(), "the stranger's key was not heard");
    stranger.set_nonblocking(true).unwrap();
    assert!(stranger.recv(&mut [0; 10]).is_err());
    assert_eq!(figures(leg).await.foreign_packets, 3 + 5);
}

#[tokio::test]
async fn what_is_not_sound_does_not_latch() {
    let rig = Rig::new(1);
    let leg = rig.open("unsound");
    let mut peer = Peer::new(leg.local());
    leg.connect(with_events(&peer));
    peer.receive();
    let noise = UdpSocket::bind("127.0.0.1:0").unwrap();
    noise.send_to(b"hello", leg.local()).unwrap();
    noise.send_to(&[0xFF; 200], leg.local()).unwrap();
    let mut unknown_type = Peer::new(leg.local());
    unknown_type.send(77, &SILENCE);
    read_all(&rig, &mut peer);
    assert_eq!(figures(leg).await.received_packets, 5);
}

/// Ringback tones come from another port of the same gateway, and its last packets after the answer.
#[tokio::test]
async fn a_peer_where_sdp_says_takes_over_from_early_media() {
    let rig = Rig::new(1);
    let leg = rig.open("ringback");
    let mut ringback = Peer::new(leg.local());
    let mut peer = Peer::new(leg.local());
    leg.connect(with_events(&peer));
    peer.receive();
    read_all(&rig, &mut ringback);
    read_all(&rig, &mut peer);
    ringback.press(EVENT_TYPE, 9);
    read_all(&rig, &mut peer);
    assert!(rig.is_quiet(), "the ringback server is not heard any more");
    // It is the peer that is talked to.
    peer.rtp.set_nonblocking(true).unwrap();
    while peer.try_receive().is_some() {}
    peer.rtp.set_nonblocking(false).unwrap();
    peer.receive();
    assert_eq!(figures(leg).await.foreign_packets, 5);
}

/// What came before the answer still waits in the socket when the leg is connected: the shard reads
/// in slots.
#[tokio::test]
async fn early_media_that_waits_in_the_socket_is_thrown_away() {
    let rig = Rig::new(2);
    let (other, _other_peer) = rig.connected("holds the shard");
    let leg = rig.open("answered");
    let mut ringback = Peer::new(leg.local());
    let mut peer = Peer::new(leg.local());
    let gate = std::sync::Arc::clone(&rig.gate);
    let held = gate.lock().unwrap();
    other.play(PlayId(1), vec![PlayItem::Mark(GATE_MARK)], PlayMode::Once);
    assert!(matches!(rig.kind(), EventKind::PlayMark { .. }), "the shard stands still");
    for _ in 0..30 {
        ringback.send(8, &SILENCE);
    }
    leg.connect(with_events(&peer));
    drop(held);
    rig.expect_finished(PlayId(1), PlayEnd::Completed);
    peer.receive();
    read_all(&rig, &mut peer);
    let figures = figures(leg).await;
    assert_eq!((figures.received_packets, figures.foreign_packets), (5, 0));
}

#[tokio::test]
async fn only_a_connect_latches_anew() {
    let rig = Rig::new(1);
    let leg = rig.open("moved");
    let mut old = Peer::new(leg.local());
    let mut new = Peer::new(leg.local());
    leg.connect(with_events(&old));
    old.receive();
    read_all(&rig, &mut old);
    leg.connect(with_events(&new));
    new.receive();
    read_all(&rig, &mut new);
    // More packets than would pass for stragglers.
    for _ in 0..20 {
        old.press(EVENT_TYPE, 5);
    }
    read_all(&rig, &mut new);
    assert!(rig.is_quiet());
    let foreign = figures(leg).await.foreign_packets;
    assert!((50..100).contains(&foreign), "{foreign}");
}
