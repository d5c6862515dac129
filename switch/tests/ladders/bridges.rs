//! Two phones that hear each other: from early media to the hang-up, by commands and events alone.

use std::time::{Duration, Instant};

use yunling_switch_contract::{
    Command, Engine as _, HangUpWhy, LegId, Owner, Recording, RecordingId,
};

use crate::phone::{PCMA, PCMU, Phone};
use crate::rig::{Rig, peer};

/// Silence in A-law.
const SILENCE: u8 = 0xD5;

fn caller() -> LegId {
    LegId::new("CA10000202601011200000000000000001")
}

fn callee() -> LegId {
    LegId::new("CA10000202601011200000000000000002")
}

fn dial(rig: &Rig, leg: LegId, phone: &Phone) {
    let dial = rig.dial_command(peer(phone.hand.port()));
    rig.switch
        .send(Command::Dial(Box::new(yunling_switch_contract::Dial { leg, ..dial })))
        .unwrap();
}

fn hears(rig: &Rig, leg: LegId, other: LegId) {
    rig.switch.send(Command::Hear { leg, others: vec![other] }).unwrap();
}

/// A caller that has answered.
async fn rig_with_caller() -> (Rig, Phone) {
    let (rig, mut phone) = (Rig::start().await, Phone::new());
    dial(&rig, caller(), &phone);
    phone.rings();
    phone.says("200 OK", PCMA);
    phone.hand.recv("ACK");
    rig.until("Answered").await;
    (rig, phone)
}

async fn end(rig: &Rig, phones: [&mut Phone; 2]) {
    for leg in [caller(), callee()] {
        rig.switch.send(Command::HangUp { leg, why: HangUpWhy::Normal }).unwrap();
    }
    phones.into_iter().for_each(Phone::is_left);
    rig.until_count("Ended LocalBye", 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn from_early_media_over_the_answer_to_another_codec_and_hold() {
    let (rig, mut one) = rig_with_caller().await;
    let mut other = Phone::new();
    dial(&rig, callee(), &other);
    // Said before the callee's media is there.
    hears(&rig, caller(), callee());
    hears(&rig, callee(), caller());
    other.rings();
    other.says("183 Session Progress", PCMA);
    rig.until("Ringing 183 early").await;
    other.is_heard_by(&one, (PCMA, 1), (PCMA, 1));
    rig.until("EarlyAudio").await;
    one.speaks(PCMA, 2);
    other.is_heard_by(&one, (PCMA, 3), (PCMA, 3));
    let early = other.heard();
    assert!(early.iter().all(|(_, payload)| payload == &[SILENCE; 160]), "nobody has answered");

    other.says_only("200 OK");
    other.hand.recv("ACK");
    rig.until_count("Answered", 2).await;
    one.is_heard_by(&other, (PCMA, 4), (PCMA, 4));
    other.is_heard_by(&one, (PCMA, 5), (PCMA, 5));

    // Another address and the other law: 0xAA and 0x80 are the loudest of each.
    other.moves();
    other.reinvites(1, PCMU, "sendrecv");
    one.is_heard_by(&other, (PCMA, 0xAA), (PCMU, 0x80));
    other.is_heard_by(&one, (PCMU, 0x80), (PCMA, 0xAA));

    // On hold it hears nothing more, and what it plays meanwhile is heard.
    other.reinvites(2, PCMU, "sendonly");
    other.is_heard_by(&one, (PCMU, 0), (PCMA, 0x2A));
    other.until_quiet();
    for _ in 0..10 {
        one.speaks(PCMA, 6);
    }
    other.is_heard_by(&one, (PCMU, 0x80), (PCMA, 0xAA));
    assert_eq!(other.heard(), [], "it is on hold");
    other.reinvites(3, PCMU, "sendrecv");
    one.is_heard_by(&other, (PCMA, 0xAA), (PCMU, 0x80));
    end(&rig, [&mut one, &mut other]).await;
    assert_eq!(rig.count("EarlyAudio").0, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_branch_that_answers_is_heard_and_the_one_that_rang_is_not() {
    let (rig, mut one) = rig_with_caller().await;
    let mut rang = Phone::new();
    dial(&rig, callee(), &rang);
    hears(&rig, caller(), callee());
    hears(&rig, callee(), caller());
    rang.rings();
    rang.says("183 Session Progress", PCMA);
    rang.is_heard_by(&one, (PCMA, 1), (PCMA, 1));
    // A proxy forked the call: the same signalling address, another tag and other media.
    let mut answered = rang;
    let mut ringing_on = Phone::new();
    answered.swap_media(&mut ringing_on);
    answered.hand.tag = "fork";
    answered.says("200 OK", PCMA);
    answered.hand.recv("ACK");
    rig.until_count("Answered", 2).await;
    one.is_heard_by(&answered, (PCMA, 4), (PCMA, 4));
    answered.is_heard_by(&one, (PCMA, 5), (PCMA, 5));
    ringing_on.speaks(PCMA, 6);
    let heard = answered.is_heard_by(&one, (PCMA, 7), (PCMA, 7));
    assert!(!heard.contains(&(PCMA, vec![6; 160])), "the branch that lost");
    end(&rig, [&mut one, &mut answered]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_is_told_of_when_it_is_whole_or_cannot_be() {
    let folder = tempfile::tempdir().unwrap();
    let (rig, mut one) = rig_with_caller().await;
    let mut other = Phone::new();
    let record = |id: u64, name: &str| {
        let command = Command::Record(Box::new(Recording {
            id: RecordingId(id),
            owner: Owner(7),
            leg: caller(),
            left: vec![caller()],
            right: vec![callee()],
            file: folder.path().join(name),
        }));
        rig.switch.send(command).unwrap();
    };
    std::fs::write(folder.path().join("taken"), "a file where a folder ought to be").unwrap();
    record(1, "taken/1.wav");
    rig.until("Recorded 1 ").await;
    assert!(!rig.lines().contains(&"Recorded 1 whole".to_owned()));
    record(2, "2.wav");
    let began = Instant::now();
    dial(&rig, callee(), &other);
    other.rings();
    other.says("200 OK", PCMA);
    other.hand.recv("ACK");
    rig.until_count("Answered", 2).await;
    hears(&rig, caller(), callee());
    // Longer than a frame or two: on a fast machine all this takes no longer.
    while began.elapsed() < Duration::from_millis(200) {
        other.is_heard_by(&one, (PCMA, 1), (PCMA, 1));
    }
    assert!(folder.path().join("2.wav.part").exists());
    let leg = caller();
    rig.switch
        .send(Command::StopRecording { owner: Owner(7), leg, recording: RecordingId(2) })
        .unwrap();
    rig.until("Recorded 2 whole").await;
    assert!(std::fs::metadata(folder.path().join("2.wav")).unwrap().len() > 44);
    assert!(!folder.path().join("2.wav.part").exists());
    // One that nobody ends, ends with its legs.
    record(3, "3.wav");
    end(&rig, [&mut one, &mut other]).await;
    rig.until("Recorded 3 whole").await;
}
