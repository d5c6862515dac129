//! Somebody who is not the trunk, and knows of the call all that its callee knows.

use std::net::UdpSocket;
use std::time::Duration;

use crate::hand::Hand;
use crate::rig::{Rig, config, peer, with_password};
use yunling_switch_contract::{Command, Engine as _, HangUpWhy};

const CHALLENGE: &str =
    "Proxy-Authenticate: Digest realm=\"r\", nonce=\"chosen\", algorithm=MD5\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_challenge_is_not_answered_and_the_trunks_own_is() {
    let stranger = UdpSocket::bind("127.0.0.2:0").unwrap();
    let mut hand = Hand::new();
    let mut config = config();
    config.timers.second = Duration::from_millis(20);
    let rig = Rig::with(config).await;
    rig.dial(with_password(peer(hand.port())));
    let invite = hand.recv("INVITE");
    hand.headers = CHALLENGE;
    let forged = |hand: &Hand, request: &str| {
        let challenge = hand.response(request, "407 Proxy Authentication Required", "");
        stranger.send_to(challenge.as_bytes(), rig.udp()).unwrap();
    };
    forged(&hand, &invite);
    hand.headers = "Allow: UPDATE\r\nRequire: timer\r\nSession-Expires: 90;refresher=uac\r\n";
    hand.answer_sdp(&invite, "200 OK");
    assert!(hand.recv("ACK").contains("CSeq: 1 ACK"), "the first INVITE was the only one");
    rig.until("Answered").await;

    let update = hand.recv("UPDATE");
    hand.headers = CHALLENGE;
    forged(&hand, &update);
    assert_eq!(hand.recv("UPDATE"), update, "it is repeated as if nothing had come");
    hand.headers = "Proxy-Authenticate: Digest realm=\"r\", nonce=\"real\", qop=\"auth\"\r\n";
    hand.answer(&update, "407 Proxy Authentication Required");
    let update = loop {
        let next = hand.recv("UPDATE");
        if next != update {
            break next;
        }
    };
    assert!(update.contains("nonce=\"real\"") && !update.contains("chosen"), "{update}");
    hand.headers = "Session-Expires: 1800;refresher=uac\r\n";
    hand.answer(&update, "200 OK");

    rig.hang_up(HangUpWhy::Normal);
    let bye = hand.recv("BYE");
    hand.headers = CHALLENGE;
    forged(&hand, &bye);
    assert_eq!(hand.recv("BYE"), bye);
    hand.headers = "";
    hand.answer(&bye, "200 OK");
    rig.until("Ended").await;
    rig.assert_ladder(&["Answered PCMA 20", "Ended LocalBye"]);
}

/// What the platform is given by its customers, and what a peer writes, stays where it belongs.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_given_to_us_becomes_a_header() {
    let mut hand = Hand::new();
    let rig = Rig::start().await;
    let mut dial = rig.dial_command(peer(hand.port()));
    dial.to = "138>\r\nX-Evil: to".into();
    dial.from = "010@a\nX-Evil: from".into();
    dial.peer.from_domain = Some("a.example>\r\nX-Evil: domain\r\n\r\nBYE sip:x SIP/2.0".into());
    rig.switch.send(Command::Dial(Box::new(dial))).unwrap();
    let invite = hand.recv("INVITE");
    hand.tag = "t\rX-Evil: tag";
    hand.contact = Some("sip:x@ims.invalid?X-Evil=1\rX-Evil: contact");
    hand.answer_sdp(&invite, "200 OK");
    let ack = hand.recv("ACK");
    rig.until("Answered").await;
    rig.hang_up(HangUpWhy::Normal);
    let bye = hand.recv("BYE");
    for request in [&invite, &ack, &bye] {
        let head = request.split("\r\n\r\n").next().unwrap();
        for line in head.split(['\r', '\n']) {
            assert!(!line.starts_with("X-Evil"), "{request}");
        }
        assert!(request.lines().next().unwrap().split(' ').count() == 3, "{request}");
        assert!(!request.contains("\nBYE sip:x"), "{request}");
    }
    hand.answer(&bye, "200 OK");
    rig.until("Ended").await;
}
