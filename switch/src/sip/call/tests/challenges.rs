//! Who may ask for the trunk's password, and what comes of it.

use super::*;

const ASKED: &str = "WWW-Authenticate: Digest realm=r, nonce=n, qop=auth\r\n";

fn foreign(line: &Line) -> usize {
    line.out.iter().filter(|output| matches!(output, Output::ForeignChallenge(_))).count()
}

/// The callee learns our branch from Via, and answers our requests from its own address.
#[test]
fn a_stranger_in_the_dialog_gets_no_digest() {
    let mut line = Line::dial(Transport::Udp);
    let to_invite = line.response("INVITE", 401, ASKED, "").unwrap();
    line.receive_from_stranger(&to_invite);
    assert_eq!((line.count("INVITE "), line.count("ACK "), foreign(&line)), (1, 0, 1));
    line.respond("INVITE", 200, "Allow: UPDATE\r\n", SDP);
    line.pass(900_000);
    assert_eq!(line.count("UPDATE "), 1);
    for status in [401, 407] {
        let asked = ASKED.replace("WWW", if status == 401 { "WWW" } else { "Proxy" });
        let to_update = line.response("UPDATE", status, &asked, "").unwrap();
        line.receive_from_stranger(&to_update);
    }
    assert_eq!((line.count("UPDATE "), foreign(&line)), (1, 3));
    // The trunk itself may ask, in the dialog too, and both refreshes and BYE survive it.
    line.respond("UPDATE", 401, ASKED, "");
    let update = line.sent("UPDATE ").pop().unwrap();
    assert!(update.contains("CSeq: 3 UPDATE") && update.contains("Authorization: Digest"));
    line.respond("UPDATE", 200, "", "");
    line.hang_up();
    let to_bye = line.response("BYE", 407, "Proxy-Authenticate: Digest realm=r, nonce=m\r\n", "");
    line.receive_from_stranger(&to_bye.unwrap());
    assert_eq!((line.count("BYE "), foreign(&line)), (1, 4));
    line.respond("BYE", 407, "Proxy-Authenticate: Digest realm=r, nonce=m\r\n", "");
    assert_eq!(line.count("BYE "), 2);
    line.respond("BYE", 200, "", "");
    let all = line.sent("");
    assert!(!all.iter().any(|text| text.contains("nonce=\"x\"")));
    assert_eq!(line.ended()[0].kind, TerminationKind::LocalBye);
}

/// Another dialog, another branch, an earlier number: not an answer to what we asked last.
#[test]
fn only_the_response_to_our_own_request_counts() {
    let mut line = Line::dial(Transport::Udp);
    line.respond("INVITE", 200, "Allow: UPDATE\r\n", SDP);
    line.pass(900_000);
    let real = line.response("UPDATE", 401, ASKED, "").unwrap();
    for forged in [
        real.replace(";tag=b", ";tag=other"),
        real.replace("branch=z9hG4bK", "branch=z9hG4bKx"),
        real.replace("CSeq: 2 UPDATE", "CSeq: 1 UPDATE"),
        real.replace("CSeq: 2 UPDATE", "CSeq: 2 BYE"),
        real.replace("CSeq: 2 UPDATE", "CSeq: 2 INVITE"),
    ] {
        assert_ne!(forged, real);
        let before = line.sent("").len();
        line.receive(&forged);
        assert_eq!(line.sent("").len(), before, "{forged}");
    }
    line.receive(&real);
    assert_eq!(line.count("UPDATE "), 2);
}

#[test]
fn without_a_password_a_challenge_is_a_failure_wherever_it_comes_from() {
    let mut line = Line::to(Peer { credentials: None, ..peer(Transport::Udp) });
    let asked = line.response("INVITE", 401, ASKED, "").unwrap();
    line.receive_from_stranger(&asked);
    let [ended] = line.ended()[..] else { panic!("it has not ended") };
    assert_eq!((ended.kind, ended.sip_code), (TerminationKind::Rejected, Some(401)));
    assert_eq!(ended.text, "the trunk asks for a password, and none is set for it");
}

/// What a trunk asks for, one INVITE after another, and what is told when that leads nowhere.
#[test]
fn a_challenge_that_leads_nowhere_is_told_as_the_trunks_doing() {
    let rows: [(&[&str], &str); 4] = [
        (
            &["realm=r, nonce=1", "realm=r, nonce=1, stale=true"],
            "the trunk refuses the user name or the password that are set for it",
        ),
        (
            &["realm=r, nonce=1", "realm=r, nonce=2, stale=true", "realm=r, nonce=3, stale=true"],
            "the trunk calls every nonce stale that it gave itself",
        ),
        (
            &["realm=r, nonce=1, algorithm=SHA-512-256"],
            "the trunk asks for the digest algorithm SHA-512-256; MD5 and SHA-256 are spoken here",
        ),
        (
            &["realm=r, nonce=1, qop=\"auth-int\""],
            "the trunk asks for the digest protection auth-int; auth is spoken here",
        ),
    ];
    for (challenges, text) in rows {
        let mut line = Line::dial(Transport::Udp);
        for (index, challenge) in challenges.iter().enumerate() {
            assert_eq!(line.count("INVITE "), index + 1);
            let header = format!("WWW-Authenticate: Digest {challenge}\r\n");
            line.respond("INVITE", 401, &header, "");
        }
        assert_eq!(line.ended()[0].text, text);
        assert_eq!(line.ended()[0].sip_code, Some(401));
    }
}
