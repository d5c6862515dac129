//! Ending a call from our side, at every moment of it.

use crate::carrier::Step::{Answer, Check, Recv};
use crate::carrier::{AUDIO, Carrier, Step};
use crate::hand::Hand;
use crate::rig::{Rig, peer};
use yunling_switch_contract::HangUpWhy;

/// Hangs up when a line comes.
async fn hung_up_at(steps: &[Step], line: &str, why: HangUpWhy, expected: &[&str]) {
    let carrier = Carrier::start(steps).await;
    let rig = Rig::start().await;
    rig.dial(peer(carrier.port));
    rig.until(line).await;
    rig.hang_up(why);
    rig.hang_up(HangUpWhy::PlatformFault);
    rig.until("Ended").await;
    carrier.assert_content().await;
    rig.assert_ladder(expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ringing_phone_is_cancelled() {
    hung_up_at(
        &[
            Recv("INVITE"),
            Answer("180 Ringing", ""),
            Check("CANCEL", "CSeq: 1 CANCEL.*Reason: Q.850;cause=19"),
            Answer("200 OK", ""),
            Step::AnswerInvite("487 Request Terminated", ""),
            Recv("ACK"),
        ],
        "Ringing",
        HangUpWhy::RingTimeout,
        &["Ringing 180", "Ended Cancelled 487 \"Request Terminated\""],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_was_only_tried_is_cancelled() {
    hung_up_at(
        &[
            Recv("INVITE"),
            Answer("100 Trying", ""),
            Recv("CANCEL"),
            Answer("200 OK", ""),
            Step::AnswerInvite("487 Request Terminated", ""),
            Recv("ACK"),
        ],
        "Trying",
        HangUpWhy::Requested,
        &["Trying", "Ended Cancelled 487 \"Request Terminated\""],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_crosses_the_cancel_is_acknowledged_and_ended() {
    hung_up_at(
        &[
            Recv("INVITE"),
            Answer("180 Ringing", ""),
            Recv("CANCEL"),
            Answer("200 OK", ""),
            Step::AnswerInviteSdp("200 OK", AUDIO),
            Recv("ACK"),
            Recv("BYE"),
            Answer("200 OK", ""),
        ],
        "Ringing",
        HangUpWhy::RingTimeout,
        &["Ringing 180", "Ended CancelledAfterAnswer 200 \"OK\""],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_failure_after_the_cancel_is_still_ours() {
    hung_up_at(
        &[
            Recv("INVITE"),
            Answer("180 Ringing", ""),
            Recv("CANCEL"),
            Step::AnswerInvite("486 Busy Here", ""),
            Recv("ACK"),
        ],
        "Ringing",
        HangUpWhy::Requested,
        &["Ringing 180", "Ended Cancelled 486 \"Busy Here\""],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_rings_after_we_gave_up_is_cancelled_behind_the_report() {
    let mut hand = Hand::new();
    let rig = Rig::start().await;
    rig.dial(peer(hand.port()));
    let invite = hand.recv("INVITE");
    rig.hang_up(HangUpWhy::NoReply);
    rig.until("Ended").await;
    rig.assert_ladder(&["Ended NoReply"]);
    hand.answer(&invite, "180 Ringing");
    let cancel = hand.recv("CANCEL");
    hand.answer(&cancel, "200 OK");
    hand.answer(&invite, "487 Request Terminated");
    hand.recv("ACK");
    rig.assert_ladder(&["Ended NoReply"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_answers_after_we_gave_up_is_ended_behind_the_report() {
    let mut hand = Hand::new();
    let rig = Rig::start().await;
    rig.dial(peer(hand.port()));
    let invite = hand.recv("INVITE");
    rig.hang_up(HangUpWhy::RingTimeout);
    rig.until("Ended").await;
    hand.answer(&invite, "200 OK");
    hand.recv("ACK");
    let bye = hand.recv("BYE");
    // Our ACK was lost: the answer comes again.
    hand.answer(&invite, "200 OK");
    hand.recv("ACK");
    hand.answer(&bye, "200 OK");
    rig.assert_ladder(&["Ended NoReply"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_acknowledgement_of_a_failure_is_sent_again_after_the_end() {
    let mut hand = Hand::new();
    let rig = Rig::start().await;
    rig.dial(peer(hand.port()));
    let invite = hand.recv("INVITE");
    hand.answer(&invite, "486 Busy Here");
    hand.recv("ACK");
    rig.until("Ended").await;
    hand.answer(&invite, "486 Busy Here");
    hand.recv("ACK");
    rig.assert_ladder(&["Ended Rejected 486 \"Busy Here\""]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_carrier_that_ignores_the_cancel_does_not_hold_us_up() {
    let mut hand = Hand::new();
    let rig = Rig::start().await;
    rig.dial(peer(hand.port()));
    let invite = hand.recv("INVITE");
    hand.answer(&invite, "180 Ringing");
    rig.until("Ringing").await;
    rig.hang_up(HangUpWhy::Requested);
    assert_eq!(hand.recv("CANCEL"), hand.recv("CANCEL"), "it is sent again as it was");
    rig.until("Ended").await;
    // It goes on behind the report.
    hand.recv("CANCEL");
    rig.assert_ladder(&["Ringing 180", "Ended Cancelled"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bye_that_is_never_answered_does_not_hold_us_up() {
    let mut hand = Hand::new();
    let rig = Rig::start().await;
    rig.dial(peer(hand.port()));
    let invite = hand.recv("INVITE");
    hand.answer(&invite, "200 OK");
    // Without SDP: the engine itself hangs up.
    hand.recv("ACK");
    assert_eq!(hand.recv("BYE"), hand.recv("BYE"), "it is sent again as it was");
    rig.until("Ended").await;
    hand.recv("BYE");
    rig.assert_ladder(&["Ended NoCommonMedia 200 \"the peer sent no session description\""]);
}

#[tokio::test(flavor = "multi_thread")]
async fn repeated_answers_are_acknowledged_each_time_even_after_the_end() {
    let mut hand = Hand::new();
    let rig = Rig::start().await;
    rig.dial(peer(hand.port()));
    let invite = hand.recv("INVITE");
    hand.answer_sdp(&invite, "200 OK");
    let ack = hand.recv("ACK");
    rig.until("Answered").await;
    hand.answer_sdp(&invite, "200 OK");
    assert_eq!(hand.recv("ACK"), ack);
    rig.hang_up(HangUpWhy::Normal);
    let bye = hand.recv("BYE");
    hand.answer(&bye, "200 OK");
    rig.until("Ended").await;
    hand.answer_sdp(&invite, "200 OK");
    assert_eq!(hand.recv("ACK"), ack);
    rig.assert_ladder(&["Answered PCMA 20", "Ended LocalBye"]);
}

/// Contacts and routes that lead nowhere from here: everything goes to the trunk.
#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_names_what_only_its_own_network_knows_is_ended_all_the_same() {
    for (contact, headers) in [
        (Some("sip:x@scscf.ims.mnc000.invalid"), ""),
        (Some("sips:x@127.0.0.1"), ""),
        (Some("tel:+8613800138000"), ""),
        (None, "Record-Route: <sip:pcscf.ims.mnc000.invalid;lr>\r\n"),
    ] {
        let mut hand = Hand::new();
        (hand.contact, hand.headers) = (contact, headers);
        let rig = Rig::start().await;
        rig.dial(peer(hand.port()));
        let invite = hand.recv("INVITE");
        hand.answer_sdp(&invite, "200 OK");
        let ack = hand.recv("ACK");
        if let Some(contact) = contact {
            assert!(ack.starts_with(&format!("ACK {contact} SIP/2.0")), "{ack}");
        }
        rig.until("Answered").await;
        rig.hang_up(HangUpWhy::Normal);
        let bye = hand.recv("BYE");
        hand.answer(&bye, "200 OK");
        rig.until("Ended").await;
        rig.assert_ladder(&["Answered PCMA 20", "Ended LocalBye"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_rings_behind_our_cancel_is_told() {
    let mut hand = Hand::new();
    let rig = Rig::start().await;
    rig.dial(peer(hand.port()));
    let invite = hand.recv("INVITE");
    hand.answer(&invite, "100 Trying");
    rig.until("Trying").await;
    rig.hang_up(HangUpWhy::NoReply);
    let cancel = hand.recv("CANCEL");
    hand.answer(&invite, "180 Ringing");
    hand.answer(&cancel, "200 OK");
    hand.answer(&invite, "487 Request Terminated");
    hand.recv("ACK");
    rig.until("Ended").await;
    rig.assert_ladder(&["Trying", "Ringing 180", "Ended Cancelled 487 \"Request Terminated\""]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_branch_that_answers_is_ended_and_the_first_goes_on() {
    let mut hand = Hand::new();
    let rig = Rig::start().await;
    rig.dial(peer(hand.port()));
    let invite = hand.recv("INVITE");
    hand.answer_sdp(&invite, "200 OK");
    hand.recv("ACK");
    rig.until("Answered").await;
    hand.tag = "other";
    hand.answer_sdp(&invite, "200 OK");
    assert!(hand.recv("ACK").contains(";tag=other"));
    let fork = hand.recv("BYE");
    assert!(fork.contains(";tag=other"));
    hand.answer(&fork, "200 OK");
    rig.hang_up(HangUpWhy::Normal);
    let bye = hand.recv("BYE");
    assert!(bye.contains(";tag=hand"));
    let via =
        |request: &str| request.lines().find(|line| line.starts_with("Via")).unwrap().to_owned();
    assert_ne!(via(&fork), via(&bye), "a proxy would take it for a repetition");
    hand.answer(&bye, "200 OK");
    rig.until("Ended").await;
    rig.assert_ladder(&["Answered PCMA 20", "Ended LocalBye"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_the_engine_hangs_up_what_is_live() {
    let mut hand = Hand::new();
    let rig = Rig::start().await;
    rig.dial(peer(hand.port()));
    let invite = hand.recv("INVITE");
    hand.answer_sdp(&invite, "200 OK");
    rig.until("Answered").await;
    let switch = rig.switch.clone();
    let closing = tokio::spawn(async move { switch.close().await });
    let bye = hand.recv("BYE");
    assert!(bye.contains("Reason: Q.850;cause=41"), "{bye}");
    hand.answer(&bye, "200 OK");
    closing.await.unwrap();
    assert!(!rig.switch.is_bound());
    rig.assert_ladder(&["Answered PCMA 20", "Ended LocalBye"]);
}
