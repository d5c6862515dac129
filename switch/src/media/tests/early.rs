use std::time::{Duration, Instant};

use yunling_switch_contract::{Codec, EventKind, KeySource, LegId, PlayEnd, PlayId, PlayMode};

use super::super::{Agreed, Phase};
use super::rig::{PATIENCE, Peer, Rig, prompt};

const EVENT_TYPE: u8 = 101;

fn early(peer: &Peer) -> Agreed {
    Agreed { phase: Phase::Early, telephone_event: Some(EVENT_TYPE), ..peer.agreed() }
}

/// What a peer has got so far.
fn got(peer: &Peer) -> Vec<Vec<u8>> {
    peer.rtp.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    std::iter::from_fn(|| peer.try_receive()).map(|got| got.payload).collect()
}

/// One peer speaks until the other has heard it.
fn speak_until_heard(speaker: &mut Peer, code: u8, listener: &Peer) {
    let start = Instant::now();
    while !got(listener).contains(&vec![code; 160]) {
        assert!(start.elapsed() < PATIENCE, "{code} is never heard");
        speaker.send(8, &[code; 160]);
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn early_media_is_heard_and_told_once_and_nobody_is_heard_by_it() {
    let rig = Rig::new(2);
    let (caller, mut peer_caller) = rig.connected("caller");
    let callee = rig.open("callee");
    let mut ringback = Peer::new(callee.local());
    // Whom the callee will hear is known before there is any media.
    callee.hear(vec![LegId::new("caller")]);
    caller.hear(vec![LegId::new("callee")]);
    callee.connect(early(&ringback));
    let (item, _) = prompt(1, 160);
    callee.play(PlayId(1), vec![item], PlayMode::Once);
    rig.expect_finished(PlayId(1), PlayEnd::Refused);
    speak_until_heard(&mut ringback, 1, &peer_caller);
    assert!(matches!(rig.kind(), EventKind::EarlyAudio));
    ringback.press(EVENT_TYPE, 5);
    for _ in 0..20 {
        peer_caller.send(8, &[2; 160]);
        std::thread::sleep(Duration::from_millis(20));
    }
    speak_until_heard(&mut ringback, 3, &peer_caller);
    assert!(
        rig.is_quiet(),
        "neither is audio told twice nor a key of somebody who has not answered"
    );
    let opened = got(&ringback);
    let silence = Codec::Pcma.silence();
    assert!(opened.iter().all(|payload| payload == &[silence; 160]), "the caller was heard");
    assert!((1..=5).contains(&opened.len()), "{} packets in some 500 ms", opened.len());

    // Another branch answers, elsewhere; the first one goes on for a while.
    let mut answered = Peer::new(callee.local());
    callee.connect(Agreed { telephone_event: Some(EVENT_TYPE), ..answered.agreed() });
    speak_until_heard(&mut peer_caller, 4, &answered);
    ringback.send(8, &[5; 160]);
    speak_until_heard(&mut answered, 6, &peer_caller);
    ringback.send(8, &[5; 160]);
    answered.send(8, &[7; 160]);
    let mut heard = Vec::new();
    let start = Instant::now();
    while !heard.contains(&vec![7; 160]) {
        assert!(start.elapsed() < PATIENCE);
        heard.extend(got(&peer_caller));
    }
    assert!(!heard.contains(&vec![5; 160]), "the branch that lost is heard no more");
    assert!(got(&ringback).iter().all(|payload| payload == &[silence; 160]));
    answered.press(EVENT_TYPE, 9);
    assert!(matches!(rig.kind(), EventKind::Key { key: '9', source: KeySource::TelephoneEvent }));
}

#[test]
fn another_description_moves_early_media() {
    let rig = Rig::new(2);
    let (caller, peer_caller) = rig.connected("caller");
    let callee = rig.open("callee");
    caller.hear(vec![LegId::new("callee")]);
    let mut first = Peer::new(callee.local());
    callee.connect(early(&first));
    speak_until_heard(&mut first, 1, &peer_caller);
    let mut second = Peer::new(callee.local());
    callee.connect(early(&second));
    speak_until_heard(&mut second, 2, &peer_caller);
    callee.connect(second.agreed());
    speak_until_heard(&mut second, 3, &peer_caller);
    assert!(matches!(rig.kind(), EventKind::EarlyAudio));
    assert!(rig.is_quiet(), "once");
}

#[test]
fn a_callee_that_rings_may_be_silent_and_one_that_answered_may_not() {
    let rig = Rig::with_silence(1, Duration::from_secs(2));
    let callee = rig.open("callee");
    let peer = Peer::new(callee.local());
    callee.connect(early(&peer));
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(3_500) {
        assert!(rig.is_quiet(), "silence before the answer is no loss");
        std::thread::sleep(Duration::from_millis(50));
    }
    let answered = Instant::now();
    callee.connect(peer.agreed());
    assert!(matches!(rig.kind(), EventKind::MediaLost { .. }));
    assert!(answered.elapsed() >= Duration::from_secs(2));
}
