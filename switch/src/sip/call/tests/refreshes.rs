//! Session timers (RFC 4028) with their real values, in simulated time.

use yunling_switch_contract::{Refresher, SessionTimer};

use super::*;

const WITH_UPDATE: &str = "Allow: INVITE, ACK, UPDATE\r\n";

fn with_timer(session_timer: SessionTimer) -> Line {
    Line::to(Peer { session_timer, ..peer(Transport::Udp) })
}

/// Answered with these headers.
fn answered(headers: &str) -> Line {
    let mut line = Line::dial(Transport::Udp);
    line.respond("INVITE", 200, headers, SDP);
    assert_eq!(line.answers(), 1);
    line
}

impl Line {
    fn expired(&self) -> Option<&str> {
        let ended = self.ended();
        let expired = ended.first().filter(|t| t.kind == TerminationKind::SessionExpired)?;
        Some(&expired.text)
    }

    fn ended_with_bye(&mut self) {
        assert_eq!(self.count("BYE "), 1);
        assert!(self.sent("BYE ")[0].contains("Reason: Q.850;cause=102"));
        self.respond("BYE", 200, "", "");
        assert!(self.call.is_over());
    }
}

#[test]
fn an_invite_asks_for_a_timer() {
    let line = Line::dial(Transport::Udp);
    let invite = &line.sent("INVITE ")[0];
    for header in ["Supported: timer, 100rel", "Session-Expires: 1800", "Min-SE: 90"] {
        assert!(invite.contains(&format!("{header}\r\n")), "{invite}");
    }
    let line = with_timer(SessionTimer::Off);
    let invite = &line.sent("INVITE ")[0];
    for absent in ["timer", "Session-Expires", "Min-SE"] {
        assert!(!invite.contains(absent), "{invite}");
    }
}

#[test]
fn an_interval_that_is_too_small_is_raised_and_answers_to_challenges_are_kept() {
    let refresher = Some(Refresher::Peer);
    let mut line = with_timer(SessionTimer::Offered { interval_s: 120, min_s: 90, refresher });
    line.respond("INVITE", 401, "WWW-Authenticate: Digest realm=r, nonce=n, qop=auth\r\n", "");
    line.respond("INVITE", 422, "Min-SE: 300\r\n", "");
    let invite = line.sent("INVITE ").pop().unwrap();
    for header in ["CSeq: 3 INVITE", "Session-Expires: 300;refresher=uas", "Min-SE: 300"] {
        assert!(invite.contains(&format!("{header}\r\n")), "{invite}");
    }
    assert!(invite.contains("nonce=\"n\"") && invite.contains("nc=00000002"), "{invite}");
    line.respond("INVITE", 422, "Min-SE: 400\r\n", "");
    line.respond("INVITE", 422, "Min-SE: 500\r\n", "");
    assert_eq!(line.count("INVITE "), 4, "two raises, no more");
    assert_eq!(line.count("ACK "), 4);
    let ended = line.ended()[0];
    assert_eq!((ended.kind, ended.sip_code), (TerminationKind::Rejected, Some(422)));
    assert!(ended.text.starts_with("the trunk calls every session interval too small"));
}

#[test]
fn we_refresh_by_update_where_the_peer_takes_it() {
    let mut line = answered(&format!("{WITH_UPDATE}Session-Expires: 600;refresher=uac\r\n"));
    line.pass(299_999);
    assert_eq!(line.count("UPDATE "), 0);
    line.pass(1);
    let update = line.sent("UPDATE ").pop().unwrap();
    for header in [
        "CSeq: 2 UPDATE",
        "Session-Expires: 600;refresher=uac",
        "Min-SE: 90",
        "Supported: timer, 100rel",
        "Contact: <sip:2@10.0.0.9:5060>",
        "Content-Length: 0",
    ] {
        assert!(update.contains(&format!("{header}\r\n")), "{update}");
    }
    line.respond("UPDATE", 200, "Session-Expires: 600;refresher=uac\r\n", "");
    line.pass(300_000);
    assert!(line.sent("UPDATE ").pop().unwrap().contains("CSeq: 3 UPDATE"));
    // The peer takes over, and then dies.
    line.respond("UPDATE", 200, "Session-Expires: 600;refresher=uas\r\n", "");
    line.pass(567_999);
    assert_eq!((line.count("UPDATE "), line.count("BYE ")), (2, 0));
    line.pass(1);
    line.ended_with_bye();
    assert_eq!(line.expired(), Some("the peer did not refresh the session in time"));
}

#[test]
fn we_refresh_by_a_re_invite_that_changes_nothing_where_it_does_not() {
    // Says nothing of timers: we refresh for ourselves.
    let mut line = answered("Allow: INVITE, ACK\r\n");
    let offer = line.sent("INVITE ")[0].split("\r\n\r\n").nth(1).unwrap().to_owned();
    line.pass(900_000);
    let reinvite = line.sent("INVITE ").pop().unwrap();
    assert!(reinvite.contains("CSeq: 2 INVITE") && reinvite.contains(";tag=b"), "{reinvite}");
    assert!(reinvite.contains("Session-Expires: 1800;refresher=uac\r\n"), "{reinvite}");
    assert!(reinvite.ends_with(&offer), "{reinvite}");
    line.respond("INVITE", 100, "", "");
    line.pass(5_000);
    assert_eq!(line.count("INVITE "), 2, "it is proceeding");
    let before = line.out.len();
    line.respond("INVITE", 200, "", SDP);
    let ack = line.sent("ACK ").pop().unwrap();
    assert!(ack.contains("CSeq: 2 ACK"), "{ack}");
    let told = |output: &Output| !matches!(output, Output::Send(_));
    assert!(!line.out[before..].iter().any(told), "nothing has changed");
    line.respond("INVITE", 200, "", SDP);
    assert_eq!(line.sent("ACK ")[1..], [ack.clone(), ack.clone()], "our ACK was lost");
    line.pass(900_000);
    assert!(line.sent("INVITE ").pop().unwrap().contains("CSeq: 3 INVITE"));
    // An answer that moves its audio is followed.
    line.respond("INVITE", 200, "", &SDP.replace("4000", "4002"));
    assert!(matches!(line.out.last(), Some(Output::Changed(a)) if a.remote.port() == 4_002));
    line.hang_up();
    line.respond("BYE", 200, "", "");
    assert!(line.call.is_over());
    // The late repetition of its answer still gets its ACK.
    let remains = line.call.into_remains();
    let late = Message::parse(
        "SIP/2.0 200 x\r\nVia: SIP/2.0/UDP h;branch=1\r\nFrom: <sip:2@h>;tag=x\r\n\
         To: <sip:1@h>;tag=b\r\nCall-ID: c\r\nCSeq: 3 INVITE\r\n\r\n",
    );
    assert!(matches!(remains.on_message(&late), Late::Repeat(..)));
}

#[test]
fn a_held_call_stays_held_when_it_is_refreshed() {
    let mut line = answered("");
    line.ask("INVITE", 1, "", &format!("{SDP}a=sendonly\r\n"));
    let answer = line.sent("SIP/2.0 200").pop().unwrap();
    line.ask("ACK", 1, "", "");
    line.pass(900_000);
    let reinvite = line.sent("INVITE ").pop().unwrap();
    let body = |text: &str| text.split("\r\n\r\n").nth(1).unwrap().to_owned();
    assert_eq!(body(&reinvite), body(&answer));
    assert!(reinvite.contains("a=recvonly"), "{reinvite}");
}

/// What a refresh is answered with, and when what is sent next.
#[test]
fn a_refresh_that_fails_is_made_again_while_the_session_lasts() {
    let rows = [
        ("422", "Min-SE: 2000\r\n", 0, 0),
        ("401", "WWW-Authenticate: Digest realm=r, nonce=n\r\n", 0, 0),
        ("491", "", 2_099, 2_000),
        ("500", "Retry-After: 7\r\n", 6_999, 1),
        ("500", "Retry-After: 0\r\n", 999, 1),
        ("503", "", 449_999, 1),
        ("500", "Retry-After: 3600\r\n", 449_999, 1),
    ];
    for (status, headers, silent_ms, then_ms) in rows {
        let mut line = answered(WITH_UPDATE);
        line.pass(900_000);
        line.respond("UPDATE", status.parse().unwrap(), headers, "");
        if then_ms > 0 {
            line.pass(silent_ms);
            assert_eq!(line.count("UPDATE "), 1, "{status} {headers}");
            line.pass(then_ms);
        }
        let updates = line.sent("UPDATE ");
        assert_eq!(updates.len(), 2, "{status} {headers}");
        assert!(updates[1].contains("CSeq: 3 UPDATE"), "{}", updates[1]);
        if status == "422" {
            assert!(updates[1].contains("Session-Expires: 2000;refresher=uac\r\nMin-SE: 2000\r\n"));
        }
        line.respond("UPDATE", 200, "", "");
        line.pass(899_000);
        assert_eq!((line.count("UPDATE "), line.ended().len()), (2, 0), "{status}");
    }
}

#[test]
fn a_refresh_that_never_succeeds_ends_with_the_session() {
    for (status, headers, most) in [(503, "", 20), (500, "Retry-After: 0\r\n", 901), (491, "", 900)]
    {
        let mut line = answered(WITH_UPDATE);
        line.pass(900_000);
        while line.count("BYE ") == 0 {
            // At once, as often as we ask.
            let asked = line.count("UPDATE ");
            line.respond("UPDATE", status, headers, "");
            assert_eq!(line.count("UPDATE "), asked, "no refresh follows on the heels of another");
            line.pass(500);
        }
        assert!((3..most).contains(&line.count("UPDATE ")), "{}", line.count("UPDATE "));
        line.ended_with_bye();
        assert_eq!(line.expired(), Some("no refresh of the session succeeded in time"));
    }
}

#[test]
fn a_peer_that_no_longer_knows_the_call_ends_it() {
    for status in [408, 481] {
        let mut line = answered(WITH_UPDATE);
        line.pass(900_000);
        line.respond("UPDATE", status, "", "");
        line.ended_with_bye();
        assert_eq!(line.ended()[0].sip_code, Some(status));
        let why = "the peer no longer knew the call when its session was refreshed";
        assert_eq!(line.expired(), Some(why));
    }
    let mut line = answered("");
    line.pass(900_000);
    line.pass(32_000);
    assert_eq!(line.count("INVITE "), 1 + 7);
    line.ended_with_bye();
    assert_eq!(line.expired(), Some("nobody answered the session's refresh"));
}

#[test]
fn an_allow_that_does_not_hold_is_no_end() {
    for status in [405, 501] {
        let mut line = answered(WITH_UPDATE);
        line.pass(900_000);
        line.respond("UPDATE", status, "", "");
        line.pass(1);
        assert!(line.sent("INVITE ").pop().unwrap().contains("CSeq: 3 INVITE"));
        line.respond("INVITE", 200, "", SDP);
        line.pass(900_000);
        assert_eq!((line.count("UPDATE "), line.count("INVITE ")), (1, 3));
    }
}

#[test]
fn a_re_invite_that_is_refused_is_acknowledged_in_its_own_transaction() {
    let mut line = answered("");
    line.pass(900_000);
    let reinvite = Message::parse(&line.sent("INVITE ").pop().unwrap());
    line.respond("INVITE", 491, "", "");
    line.respond("INVITE", 491, "", "");
    let acks = line.sent("ACK ");
    assert_eq!(acks.len(), 3);
    assert_eq!(acks[1], acks[2]);
    let ack = Message::parse(&acks[1]);
    assert_eq!((ack.branch(), ack.cseq()), (reinvite.branch(), 2));
    let late = line.response("INVITE", 491, "", "").unwrap();
    line.pass(4_100);
    assert!(line.sent("INVITE ").pop().unwrap().contains("CSeq: 3 INVITE"));
    // The ACK was lost again; and the next one is hung up over, and acknowledged all the same.
    line.receive(&late);
    assert_eq!(line.sent("ACK ").pop().as_ref(), Some(&acks[1]));
    line.hang_up();
    line.respond("INVITE", 487, "", "");
    assert_eq!(line.count("ACK "), 5);
    line.respond("BYE", 200, "", "");
    assert!(line.call.is_over());
}

#[test]
fn offers_that_cross_are_refused_and_offers_that_do_not_are_taken() {
    let mut line = answered("");
    line.pass(900_000);
    assert_eq!(line.count("INVITE "), 2);
    line.ask("INVITE", 1, "", SDP);
    line.ask("UPDATE", 2, "", SDP);
    assert_eq!(line.count("SIP/2.0 491"), 2, "ours is not answered yet (RFC 3261 §14.2)");
    line.ask("UPDATE", 3, "", "");
    assert_eq!(line.count("SIP/2.0 200"), 1, "it offers nothing");
    line.respond("INVITE", 200, "", SDP);
    line.ask("INVITE", 4, "", SDP);
    assert_eq!(line.count("SIP/2.0 200"), 2);
}

#[test]
fn no_re_invite_leaves_while_the_peers_is_not_acknowledged() {
    let mut line = answered(WITH_UPDATE);
    line.pass(900_000);
    line.ask("INVITE", 1, "", SDP);
    line.respond("UPDATE", 405, "", "");
    line.pass(10_000);
    assert_eq!(line.count("INVITE "), 1, "RFC 3261 §14.1");
    line.ask("ACK", 1, "", "");
    line.pass(1);
    assert_eq!(line.count("INVITE "), 2);
}

#[test]
fn a_peer_that_refreshes_is_answered_and_one_that_stops_is_ended() {
    let mut line = answered("Session-Expires: 600;refresher=uas\r\n");
    for cseq in 1..5 {
        line.pass(500_000);
        let method = if cseq % 2 == 0 { "UPDATE" } else { "INVITE" };
        let sdp = if cseq % 2 == 0 { "" } else { SDP };
        let headers = "Supported: timer\r\nSession-Expires: 600;refresher=uac\r\n";
        line.ask(method, cseq, headers, sdp);
        let ok = line.sent("SIP/2.0 200").pop().unwrap();
        assert!(ok.contains("Session-Expires: 600;refresher=uac\r\nRequire: timer\r\n"), "{ok}");
        line.ask("ACK", cseq, "", "");
    }
    assert_eq!((line.count("UPDATE "), line.count("INVITE "), line.ended().len()), (0, 1, 0));
    // Too small an interval is none, and no sign of life either.
    line.ask("UPDATE", 9, "Supported: timer\r\nSession-Expires: 60\r\n", "");
    assert!(line.sent("SIP/2.0 422").pop().unwrap().contains("Min-SE: 90\r\n"));
    line.pass(568_000);
    line.ended_with_bye();
    assert!(line.expired().is_some());
}

#[test]
fn a_peer_may_leave_the_refreshing_to_us() {
    let mut line = answered("Session-Expires: 600;refresher=uas\r\n");
    line.ask("UPDATE", 1, "Supported: timer\r\nSession-Expires: 200;refresher=uas\r\n", "");
    let ok = line.sent("SIP/2.0 200").pop().unwrap();
    assert!(ok.contains("Session-Expires: 200;refresher=uas\r\n"), "{ok}");
    assert!(!ok.contains("Require:"), "{ok}");
    line.pass(100_000);
    assert_eq!(line.count("INVITE "), 2);
}

#[test]
fn a_timer_that_is_off_is_answered_and_ends_nothing() {
    let mut line = with_timer(SessionTimer::Off);
    line.respond("INVITE", 200, "Session-Expires: 90;refresher=uas\r\n", SDP);
    line.ask("UPDATE", 1, "Supported: timer\r\nSession-Expires: 90;refresher=uac\r\n", "");
    let ok = line.sent("SIP/2.0 200").pop().unwrap();
    assert!(ok.contains("Session-Expires: 90;refresher=uac\r\nRequire: timer\r\n"), "{ok}");
    line.ask("UPDATE", 2, "Require: timer\r\nSession-Expires: 90;refresher=uas\r\n", "");
    assert!(line.sent("SIP/2.0 420").pop().unwrap().contains("Unsupported: timer\r\n"));
    line.pass(10_000_000);
    assert_eq!((line.count("INVITE "), line.ended().len()), (1, 0));
}

#[test]
fn a_refresh_that_cannot_be_sent_is_tried_again() {
    let mut line = answered(WITH_UPDATE);
    line.pass(900_000);
    line.call.on_send_failed(Purpose::Refresh, "no route", line.now, &mut line.out);
    line.pass(449_999);
    assert_eq!(line.count("UPDATE "), 1);
    line.pass(1);
    assert_eq!(line.count("UPDATE "), 2);
    // A repetition that fails is one that is lost.
    line.pass(600);
    line.call.on_send_failed(Purpose::Refresh, "no route", line.now, &mut line.out);
    line.pass(1_000);
    assert_eq!((line.count("UPDATE "), line.ended().len()), (4, 0));
}
