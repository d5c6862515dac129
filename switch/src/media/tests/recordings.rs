use std::path::Path;
use std::time::{Duration, Instant};

use yunling_switch_contract::{Codec, EventKind, LegId, Owner, Recording, RecordingId};

use super::super::g711;
use super::super::handle::MediaLeg;
use super::rig::{Peer, Rig};

fn recording(id: u64, file: &Path) -> Recording {
    Recording {
        id: RecordingId(id),
        owner: Owner(7),
        leg: LegId::new("a"),
        left: vec![LegId::new("a")],
        right: vec![LegId::new("b"), LegId::new("c")],
        file: file.to_owned(),
    }
}

/// A leg that takes what its peer sends: what comes before it is connected is nobody's.
fn connected(rig: &Rig, name: &str) -> (MediaLeg, Peer) {
    let (leg, peer) = rig.connected(name);
    peer.receive();
    (leg, peer)
}

/// Both send 20 ms of their level every 20 ms.
fn talk(peers: &mut [(&mut Peer, i16)], time: Duration) {
    let start = Instant::now();
    let mut next = start;
    while start.elapsed() < time {
        for (peer, level) in peers.iter_mut() {
            peer.send(8, &[g711::encoded(*level, Codec::Pcma); 160]);
        }
        next += Duration::from_millis(20);
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
}

fn samples(file: &Path) -> (Vec<i16>, Vec<i16>) {
    let bytes = std::fs::read(file).unwrap();
    assert_eq!(&bytes[..4], b"RIFF");
    let told = u32::from_le_bytes(bytes[40..44].try_into().unwrap());
    assert_eq!(told as usize, bytes.len() - 44, "the header tells the length");
    let all: Vec<i16> =
        bytes[44..].chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
    (all.iter().step_by(2).copied().collect(), all.iter().skip(1).step_by(2).copied().collect())
}

/// The first and the last sample that are this loud, and whether all between are.
fn stretch(side: &[i16], level: i16) -> (usize, usize, bool) {
    let is = |sample: &i16| (i32::from(*sample) - i32::from(level)).abs() <= 300;
    let first = side.iter().position(is).unwrap();
    let last = side.iter().rposition(is).unwrap();
    (first, last, side[first..=last].iter().all(is))
}

#[test]
fn each_side_has_its_channel_in_step_and_without_a_gap() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("2026/a.wav");
    let rig = Rig::new(2);
    let (_a, mut peer_a) = connected(&rig, "a");
    let (_b, mut peer_b) = connected(&rig, "b");
    assert!(rig.plane.record(recording(1, &file)));
    talk(&mut [(&mut peer_a, 6_000), (&mut peer_b, -9_000)], Duration::from_millis(1_500));
    std::thread::sleep(Duration::from_millis(150));
    rig.plane.stop_recording(Owner(7), RecordingId(1));
    let EventKind::Recorded { recording, duration_ms, octets, lost_ms, failure } = rig.kind()
    else {
        panic!("expected the recording")
    };
    assert_eq!((recording, lost_ms, failure), (RecordingId(1), 0, None));
    assert_eq!(octets, std::fs::metadata(&file).unwrap().len());
    let (left, right) = samples(&file);
    assert_eq!(left.len() as u64, duration_ms * 8);
    let (first_left, last_left, left_whole) = stretch(&left, 6_000);
    let (first_right, _, right_whole) = stretch(&right, -9_000);
    assert!(left_whole && right_whole, "a gap");
    assert!(first_left.abs_diff(first_right) <= 160, "{first_left} {first_right}: out of step");
    assert!(last_left - first_left >= 11_000, "{first_left} to {last_left}");
}

#[test]
fn a_third_party_is_on_the_right_and_one_who_comes_later_too() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.wav");
    let rig = Rig::new(3);
    let (_a, mut peer_a) = connected(&rig, "a");
    assert!(rig.plane.record(recording(2, &file)));
    let (_b, mut peer_b) = connected(&rig, "b");
    let (_c, mut peer_c) = connected(&rig, "c");
    let all: &mut [(&mut Peer, i16)] =
        &mut [(&mut peer_a, 500), (&mut peer_b, 3_000), (&mut peer_c, 4_000)];
    talk(all, Duration::from_millis(500));
    std::thread::sleep(Duration::from_millis(150));
    rig.plane.stop_recording(Owner(7), RecordingId(2));
    assert!(matches!(rig.kind(), EventKind::Recorded { failure: None, .. }));
    let (_, right) = samples(&file);
    stretch(&right, 7_000);
}

#[test]
fn a_file_that_cannot_be_is_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("taken.wav");
    std::fs::write(&file, "something else").unwrap();
    let rig = Rig::new(1);
    let (_a, _peer) = connected(&rig, "a");
    assert!(rig.plane.record(recording(3, &file)));
    match rig.kind() {
        EventKind::Recorded { octets: 0, failure: Some(why), .. } => {
            assert!(why.contains("has this name"), "{why}");
        }
        other => panic!("expected a failure, got {other:?}"),
    }
    assert_eq!(std::fs::read(&file).unwrap(), b"something else");
}

#[test]
fn what_a_crash_left_is_made_whole() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sub/b.wav");
    let rig = Rig::new(1);
    let (_a, mut peer_a) = connected(&rig, "a");
    assert!(rig.plane.record(recording(4, &file)));
    talk(&mut [(&mut peer_a, 6_000)], Duration::from_millis(300));
    rig.plane.stop_recording(Owner(7), RecordingId(4));
    assert!(matches!(rig.kind(), EventKind::Recorded { failure: None, .. }));
    // As a killed process leaves it: a header without a length, and half a block at the end.
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[40..44].fill(0xFF);
    bytes.extend([1, 2, 3]);
    let left = folder.path().join("sub/c.wav.part");
    std::fs::write(&left, &bytes).unwrap();
    std::fs::write(folder.path().join("sub/d.wav.part"), b"RIFF").unwrap();
    let mut repaired = crate::recording::repair(folder.path()).unwrap();
    repaired.sort_by(|one, other| one.path.cmp(&other.path));
    let found: Vec<_> =
        repaired.iter().map(|one| (one.path.clone(), one.duration_ms > 0)).collect();
    let at = |name: &str| folder.path().join("sub").join(name);
    assert_eq!(found, [(at("c.wav"), true), (at("d.wav"), false)]);
    assert_eq!(samples(&at("c.wav")), samples(&file));
    assert_eq!(samples(&at("d.wav")).0, []);
    assert!(crate::recording::repair(&folder.path().join("nowhere")).unwrap().is_empty());
}

/// The legs end, and nobody says that the recording ends.
#[test]
fn a_recording_ends_with_its_legs_and_their_last_words_are_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("left.wav");
    let rig = Rig::new(2);
    let (a, mut peer_a) = connected(&rig, "a");
    let (b, _peer_b) = connected(&rig, "b");
    assert!(rig.plane.record(recording(5, &file)));
    talk(&mut [(&mut peer_a, 6_000)], Duration::from_millis(300));
    drop(b);
    talk(&mut [(&mut peer_a, 2_000)], Duration::from_millis(300));
    assert!(rig.is_quiet(), "one of two has left");
    drop(a);
    assert!(matches!(rig.kind(), EventKind::Recorded { failure: None, lost_ms: 0, .. }));
    let (left, _) = samples(&file);
    stretch(&left, 6_000);
    let (_, last, _) = stretch(&left, 2_000);
    assert!(left.len() - last <= 1_600, "{last} of {}", left.len());
    rig.plane.stop_recording(Owner(7), RecordingId(5));
    assert!(rig.is_quiet());
}

/// Each conversation has its own two levels; both sides fall silent and begin again together.
#[test]
fn a_hundred_at_once_are_whole_and_in_step() {
    let count: u16 = if std::env::var_os("YUNLING_SOAK").is_some() { 100 } else { 25 };
    let folder = tempfile::tempdir().unwrap();
    let rig = Rig::new(count * 2);
    let mut parties = Vec::new();
    for n in 0..count {
        let owner = Owner(u64::from(n));
        for side in ["a", "b"] {
            let leg = rig.plane.open(LegId::new(format!("{side}{n}")), owner).unwrap();
            let peer = Peer::new(leg.local());
            leg.connect(peer.agreed());
            parties.push((leg, peer));
        }
        let names = ["a", "b"].map(|side| LegId::new(format!("{side}{n}")));
        for (at, other) in [(0, 1), (1, 0)] {
            parties[usize::from(n) * 2 + at].0.hear(vec![names[other].clone()]);
        }
        let [left, right] = names.map(|name| vec![name]);
        assert!(rig.plane.record(Recording {
            id: RecordingId(u64::from(n)),
            owner,
            leg: left[0].clone(),
            left,
            right,
            file: folder.path().join(format!("{n}.wav")),
        }));
    }
    // What comes before a leg is connected is nobody's: each peer has been sent something.
    parties.iter().for_each(|(_, peer)| drop(peer.receive()));
    let level = |at: usize| 2_000 + 100 * (at as i16 % 100);
    let mut speaking: Vec<(&mut Peer, i16)> =
        parties.iter_mut().enumerate().map(|(at, (_, peer))| (peer, level(at))).collect();
    talk(&mut speaking, Duration::from_millis(1_500));
    std::thread::sleep(Duration::from_millis(150));
    for n in 0..count {
        rig.plane.stop_recording(Owner(n.into()), RecordingId(n.into()));
    }
    for _ in 0..count {
        match rig.kind() {
            EventKind::Recorded { lost_ms: 0, failure: None, .. } => {}
            other => panic!("expected a recording, got {other:?}"),
        }
    }
    for n in 0..usize::from(count) {
        let (left, right) = samples(&folder.path().join(format!("{n}.wav")));
        let (first_left, last_left, whole_left) = stretch(&left, level(n * 2));
        let (first_right, last_right, whole_right) = stretch(&right, level(n * 2 + 1));
        assert!(whole_left && whole_right, "conversation {n} has a gap");
        for (one, other) in [(first_left, first_right), (last_left, last_right)] {
            assert!(one.abs_diff(other) <= 160, "conversation {n}: {one} and {other}");
        }
    }
}
