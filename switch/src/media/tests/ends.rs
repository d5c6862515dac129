use std::net::UdpSocket;
use std::time::Duration;

use yunling_switch_contract::{
    EventKind, LegId, MediaFigures, Owner, PlayEnd, PlayId, PlayItem, PlayMode,
};

use super::super::NoPorts;
use super::super::plane::COMMAND_QUEUE;
use super::rig::{GATE_MARK, PANIC_MARK, Rig, free_ports, prompt};

#[tokio::test]
async fn close_finishes_the_play_and_nothing_comes_after() {
    let rig = Rig::new(1);
    let (leg, peer) = rig.connected("closed");
    leg.play(PlayId(1), vec![prompt(1, 80_000).0], PlayMode::Once);
    peer.receive();
    let figures = leg.close().await;
    assert!(figures.sent_packets > 0);
    rig.expect_finished(PlayId(1), PlayEnd::LegEnded);
    assert!(rig.is_quiet());
    peer.rtp.set_nonblocking(true).unwrap();
    let mut packets = 0;
    while peer.rtp.recv(&mut [0; 500]).is_ok() {
        packets += 1;
    }
    assert_eq!(packets + 1, figures.sent_packets, "the figures count what was sent");
}

#[tokio::test]
async fn a_leg_that_was_never_connected_has_no_figures() {
    let rig = Rig::new(1);
    let leg = rig.open("idle");
    assert_eq!(leg.close().await, MediaFigures::default());
    assert!(rig.is_quiet());
}

#[tokio::test]
async fn dropping_a_leg_ends_it_and_frees_its_ports() {
    let rig = Rig::new(1);
    let (leg, _peer) = rig.connected("dropped");
    leg.play(PlayId(1), vec![prompt(1, 80_000).0], PlayMode::Once);
    drop(leg);
    rig.expect_finished(PlayId(1), PlayEnd::LegEnded);
    loop {
        match rig.plane.open(LegId::new("next"), Owner(1)) {
            Ok(_) => break,
            Err(NoPorts::AllTaken(_)) => tokio::task::yield_now().await,
            Err(other) => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn ports_run_out_rest_and_come_back() {
    let ports = free_ports(2);
    let rig = Rig::with(ports.clone(), 1, Duration::from_millis(300));
    let (one, two) = (rig.open("one"), rig.open("two"));
    assert_eq!((one.local().port(), two.local().port()), (*ports.start(), *ports.start() + 2));
    let refused = rig.plane.open(LegId::new("three"), Owner(1)).err();
    assert!(matches!(refused, Some(NoPorts::AllTaken(_))), "{refused:?}");
    one.close().await;
    let resting = rig.plane.open(LegId::new("three"), Owner(1)).err();
    assert!(matches!(resting, Some(NoPorts::AllTaken(_))), "in quarantine: {resting:?}");
    let three = loop {
        match rig.plane.open(LegId::new("three"), Owner(1)) {
            Ok(leg) => break leg,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    assert_eq!(three.local().port(), *ports.start());
}

#[test]
fn ports_of_another_program_are_passed_over() {
    let ports = free_ports(2);
    let _other = UdpSocket::bind(("127.0.0.1", *ports.start() + 1)).unwrap();
    let rig = Rig::with(ports.clone(), 1, Duration::ZERO);
    assert_eq!(rig.open("one").local().port(), *ports.start() + 2);
}

#[tokio::test]
async fn a_panic_ends_one_leg_alone() {
    let rig = Rig::new(2);
    let (sound, peer) = rig.connected("sound");
    let (broken, _) = rig.connected("broken");
    broken.play(
        PlayId(1),
        vec![prompt(1, 400).0, PlayItem::Mark(PANIC_MARK), prompt(1, 80_000).0],
        PlayMode::Once,
    );
    broken.ended().await;
    rig.expect_finished(PlayId(1), PlayEnd::LegEnded);
    broken.play(PlayId(2), vec![], PlayMode::Once);
    rig.expect_finished(PlayId(2), PlayEnd::LegEnded);
    assert!(broken.close().await.sent_packets > 0);
    let (item, expected) = prompt(5, 1_600);
    sound.play(PlayId(3), vec![item], PlayMode::Once);
    let heard: Vec<u8> = peer
        .receive_sound(yunling_switch_contract::Codec::Pcma, 1_600)
        .into_iter()
        .flat_map(|packet| packet.payload)
        .collect();
    assert_eq!(heard, expected);
    rig.expect_finished(PlayId(3), PlayEnd::Completed);
}

#[tokio::test]
async fn closing_the_plane_ends_every_leg() {
    let rig = Rig::with(free_ports(4), 2, Duration::ZERO);
    let legs: Vec<_> = (0..4).map(|n| rig.connected(&format!("leg {n}"))).collect();
    for (leg, _) in &legs {
        leg.play(PlayId(1), vec![prompt(1, 80_000).0], PlayMode::Once);
    }
    rig.plane.close();
    for _ in 0..4 {
        assert!(matches!(
            rig.kind(),
            EventKind::PlayFinished { play: PlayId(1), end: PlayEnd::LegEnded }
        ));
    }
    let refused = rig.plane.open(LegId::new("late"), Owner(1)).err();
    assert!(matches!(refused, Some(NoPorts::Stopped)), "{refused:?}");
    for (leg, _) in legs {
        leg.ended().await;
        leg.close().await;
    }
    rig.plane.close();
    assert!(rig.is_quiet());
}

/// A shard that stands still: what its queue cannot take ends the leg, and no play is forgotten.
#[tokio::test]
async fn a_full_queue_ends_the_leg() {
    let rig = Rig::new(2);
    let (leg, _peer) = rig.connected("flooded");
    let gate = rig.gate.lock().unwrap();
    leg.play(PlayId(1), vec![PlayItem::Mark(GATE_MARK), prompt(1, 80_000).0], PlayMode::Once);
    assert!(matches!(rig.kind(), EventKind::PlayMark { .. }));
    for _ in 0..COMMAND_QUEUE {
        leg.stop(PlayId(99));
    }
    let refused = rig.plane.open(LegId::new("late"), Owner(1)).err();
    assert!(matches!(refused, Some(NoPorts::Stalled)), "{refused:?}");
    leg.play(PlayId(2), vec![], PlayMode::Once);
    drop(gate);
    leg.ended().await;
    rig.expect_finished(PlayId(1), PlayEnd::LegEnded);
    rig.expect_finished(PlayId(2), PlayEnd::LegEnded);
    assert!(leg.close().await.sent_packets > 0);
    assert!(rig.is_quiet());
}
