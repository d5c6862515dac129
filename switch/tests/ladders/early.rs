//! Reliable provisional responses (RFC 3262) and what else happens in dialogs that are not answered
//! yet.

use crate::carrier::Step::{
    Answer, AnswerBoth, AnswerInvite, AnswerInviteBoth, AnswerInviteSdp, Check, CheckStatus, Recv,
    SendBody,
};
use crate::carrier::{AUDIO, Carrier, Step};
use crate::hand::Hand;
use crate::rig::{Rig, peer};
use yunling_switch_contract::{HangUpWhy, Peer, ReliableProvisionals};

const OUR_BYE: [Step; 2] = [Recv("BYE"), Answer("200 OK", "")];

async fn answered(steps: &[Step], expected: &[&str], adapt: fn(Peer) -> Peer) {
    let carrier = Carrier::start(&[steps, &OUR_BYE[..]].concat()).await;
    let rig = Rig::start().await;
    rig.dial(adapt(peer(carrier.port)));
    rig.until("Answered").await;
    rig.hang_up(HangUpWhy::Normal);
    rig.until("Ended").await;
    carrier.assert_content().await;
    rig.assert_ladder(&[expected, &["Ended LocalBye"]].concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_required_prack_is_sent_and_the_answer_in_a_183_is_the_answer() {
    answered(
        &[
            Check("INVITE", "Supported: timer, 100rel.*Require: 100rel"),
            Answer("100 Trying", ""),
            AnswerBoth("183 Session Progress", "Require: 100rel\nRSeq: 813520\n", AUDIO),
            Check("PRACK", "To: .*;tag=callee.*CSeq: 2 PRACK.*RAck: 813520 1 INVITE"),
            Answer("200 OK", ""),
            AnswerInvite("200 OK", ""),
            Check("ACK", "CSeq: 1 ACK"),
        ],
        &["Trying", "Ringing 183 early", "Answered PCMA 20 keys"],
        |peer| Peer { reliable: ReliableProvisionals::Required, ..peer },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_may_ask_for_a_prack_and_send_an_update_behind_it() {
    let moved = "v=0\no=- 1 2 IN IP4 [local_ip]\ns=-\nc=IN IP4 [local_ip]\nt=0 0\n\
        m=audio [media_port] RTP/AVP 0";
    answered(
        &[
            Check("INVITE", "Supported: timer, 100rel"),
            Answer("180 Ringing", "Require: 100rel\nRSeq: 1\n"),
            Check("PRACK", "RAck: 1 1 INVITE"),
            Answer("200 OK", ""),
            AnswerInviteBoth("183 Session Progress", "Require: 100rel\nRSeq: 2\n", AUDIO),
            Check("PRACK", "CSeq: 3 PRACK.*RAck: 2 1 INVITE"),
            Answer("200 OK", ""),
            SendBody("UPDATE", 1, "Content-Type: application/sdp\n", moved),
            CheckStatus(200, "Contact: .*m=audio [0-9]+ RTP/AVP 0"),
            AnswerInvite("200 OK", ""),
            Recv("ACK"),
        ],
        &["Ringing 180", "Ringing 183 early", "Answered PCMU 20"],
        |peer| peer,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_asks_for_nothing_gets_nothing() {
    answered(
        &[
            Recv("INVITE"),
            Answer("180 Ringing", "Supported: 100rel\n"),
            AnswerInviteSdp("200 OK", AUDIO),
            Recv("ACK"),
        ],
        &["Ringing 180", "Answered PCMA 20 keys"],
        |peer| Peer { reliable: ReliableProvisionals::Off, ..peer },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_without_reliable_responses_is_told_where_they_are_required() {
    let carrier = Carrier::start(&[
        Check("INVITE", "Require: 100rel"),
        Answer("420 Bad Extension", "Unsupported: 100rel\n"),
        Recv("ACK"),
    ])
    .await;
    let rig = Rig::start().await;
    rig.dial(Peer { reliable: ReliableProvisionals::Required, ..peer(carrier.port) });
    rig.until("Ended").await;
    carrier.assert_content().await;
    rig.assert_ladder(&["Ended Rejected 420 \"the trunk has no reliable provisional responses, \
         and its setting requires them\""]);
}

/// Lost PRACKs, lost answers to them, and responses in the wrong order.
#[tokio::test(flavor = "multi_thread")]
async fn a_prack_is_repeated_and_what_it_acknowledged_is_told_once() {
    let mut hand = Hand::new();
    let rig = Rig::start().await;
    rig.dial(peer(hand.port()));
    let invite = hand.recv("INVITE");
    hand.headers = "Require: 100rel\r\nRSeq: 41\r\n";
    hand.answer(&invite, "180 Ringing");
    let prack = hand.recv("PRACK");
    assert_eq!(hand.recv("PRACK"), prack, "nobody has answered it");
    hand.answer(&invite, "180 Ringing");
    assert_eq!(hand.recv("PRACK"), prack, "the response came again");
    hand.headers = "Require: 100rel\r\nRSeq: 43\r\n";
    hand.answer(&invite, "183 Session Progress");
    hand.headers = "Require: 100rel\r\nRSeq: 42\r\n";
    hand.answer(&invite, "181 Call Is Being Forwarded");
    let second = loop {
        let request = hand.recv("PRACK");
        if request != prack {
            break request;
        }
    };
    assert!(second.contains("RAck: 42 1 INVITE"), "{second}");
    hand.headers = "";
    hand.answer(&prack, "200 OK");
    hand.answer(&second, "200 OK");
    hand.answer_sdp(&invite, "200 OK");
    hand.recv("ACK");
    rig.until("Answered").await;
    rig.hang_up(HangUpWhy::Normal);
    let bye = hand.recv("BYE");
    assert!(bye.contains("CSeq: 4 BYE"), "{bye}");
    hand.answer(&bye, "200 OK");
    rig.until("Ended").await;
    rig.assert_ladder(&["Ringing 180", "Ringing 181", "Answered PCMA 20", "Ended LocalBye"]);
}
