//! The machine against a scripted peer, in simulated time: moments that no real carrier can be made
//! to hit, and what must hold whatever a carrier does.

#![expect(clippy::unwrap_used, reason = "tests may panic")]

mod acknowledging;
mod challenges;
mod early;
mod properties;
mod refreshes;

use std::time::Duration;

use yunling_switch_contract::{Codec, IdentityHeader, LegId, Peer};

use super::*;
use crate::sip::ids::IdSource;
use crate::sip::invite::LocalParty;

const SDP: &str = "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\n\
    m=audio 4000 RTP/AVP 8\r\n";

/// A call, the time, and all that came out.
struct Line {
    call: Call,
    now: Instant,
    out: Vec<Output>,
    trunk: Target,
}

fn peer(transport: Transport) -> Peer {
    Peer {
        credentials: Some(Credentials { username: "u".into(), password: "p".into() }),
        identity: IdentityHeader::None,
        ..Peer::new("t", "10.0.0.1", transport)
    }
}

impl Line {
    fn dial(transport: Transport) -> Self {
        Self::to(peer(transport))
    }

    fn to(peer: Peer) -> Self {
        let transport = peer.transport;
        let local = LocalParty {
            advertised: "10.0.0.9:5060".parse().unwrap(),
            transport,
            user_agent: "x".into(),
        };
        let ids = IdSource::new(&[3; 32]);
        let invite = Invite::new(&ids, &LegId::new("CA1"), 0, &peer, ("1", "2"), local);
        let trunk = Target { transport, address: "10.0.0.1:5060".parse().unwrap(), listener: 0 };
        let session = Session::new(1, "10.0.0.9:2000".parse().unwrap(), vec![Codec::Pcma]);
        let (now, mut out) = (Instant::now(), Vec::new());
        let credentials = peer.credentials;
        let timers = Timers::default();
        let call = Call::start(invite, trunk, credentials, session, timers, now, &mut out);
        Self { call, now, out, trunk }
    }

    /// Texts of what was sent, of this method.
    fn sent(&self, method: &str) -> Vec<String> {
        let begins = |bytes: &Bytes| bytes.starts_with(method.as_bytes());
        self.out
            .iter()
            .filter_map(|output| match output {
                Output::Send(sending) if begins(&sending.bytes) => {
                    Some(String::from_utf8(sending.bytes.to_vec()).unwrap())
                }
                _ => None,
            })
            .collect()
    }

    fn answers(&self) -> usize {
        self.out.iter().filter(|output| matches!(output, Output::Answered { .. })).count()
    }

    fn ended(&self) -> Vec<&Termination> {
        self.out
            .iter()
            .filter_map(|output| match output {
                Output::Ended(termination) => Some(termination),
                _ => None,
            })
            .collect()
    }

    /// How often something was sent that begins so.
    fn count(&self, begin: &str) -> usize {
        self.sent(begin).len()
    }

    /// The peer responds to the latest request of this method, if there was one.
    fn respond(&mut self, method: &str, status: u16, headers: &str, sdp: &str) {
        let text = self.response(method, status, headers, sdp);
        if let Some(text) = text {
            self.receive(&text);
        }
    }

    /// Such a response.
    fn response(&self, method: &str, status: u16, headers: &str, sdp: &str) -> Option<String> {
        let request = self.sent(&format!("{method} ")).pop()?;
        let mut text = format!("SIP/2.0 {status} x\r\n");
        for line in request.lines().take_while(|line| !line.is_empty()) {
            let name = line.split(':').next().unwrap();
            if ["Via", "From", "Call-ID", "CSeq"].contains(&name) {
                text += &format!("{line}\r\n");
            } else if name == "To" {
                let tag = if line.contains(";tag=") || status == 100 { "" } else { ";tag=b" };
                text += &format!("{line}{tag}\r\n");
            }
        }
        text += &format!("Contact: <sip:b@10.0.0.1>\r\n{headers}\r\n{sdp}");
        Some(text)
    }

    /// The peer asks something within the dialog.
    fn ask(&mut self, method: &str, cseq: u32, headers: &str, body: &str) {
        let ids = &self.call.invite.ids;
        let text = format!(
            "{method} sip:2@10.0.0.9 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK{cseq}{method}\r\n\
             From: <sip:1@10.0.0.1>;tag=b\r\nTo: <sip:2@10.0.0.9>;tag={}\r\nCall-ID: {}\r\n\
             CSeq: {cseq} {method}\r\n{headers}\r\n{body}",
            ids.tag, ids.call_id
        );
        self.receive(&text);
    }

    fn receive(&mut self, text: &str) {
        self.call.on_message(&Message::parse(text), self.trunk, self.now, &mut self.out);
    }

    /// The same from somebody else's address.
    fn receive_from_stranger(&mut self, text: &str) {
        let stranger = Target { address: "10.6.6.6:5060".parse().unwrap(), ..self.trunk };
        self.call.on_message(&Message::parse(text), stranger, self.now, &mut self.out);
    }

    fn hang_up(&mut self) {
        self.call.on_hang_up(HangUpWhy::Requested, self.now, &mut self.out);
    }

    /// Time passes, every timer at its moment.
    fn pass(&mut self, ms: u64) {
        let until = self.now + Duration::from_millis(ms);
        while let Some(at) = self.call.deadline().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.call.on_time(self.now, &mut self.out);
        }
        self.now = until;
    }
}

#[test]
fn an_invite_is_repeated_until_timer_b() {
    let mut line = Line::dial(Transport::Udp);
    line.pass(32_000);
    assert_eq!(line.sent("INVITE").len(), 7);
    assert_eq!(line.ended(), [&Termination::new(TerminationKind::NoReply)]);
    assert!(line.call.is_over());

    let mut line = Line::dial(Transport::Tcp);
    line.pass(32_000);
    assert_eq!((line.sent("INVITE").len(), line.ended().len()), (1, 1));
}

#[test]
fn a_ringing_phone_may_ring_as_long_as_the_platform_lets_it() {
    let mut line = Line::dial(Transport::Udp);
    line.respond("INVITE", 180, "", "");
    line.pass(600_000);
    assert_eq!((line.sent("INVITE").len(), line.ended().len()), (1, 0));
}

#[test]
fn a_held_cancel_leaves_with_the_first_sign_of_life() {
    let mut line = Line::dial(Transport::Udp);
    line.hang_up();
    assert_eq!(line.ended(), [&Termination::new(TerminationKind::Cancelled)]);
    assert_eq!(line.sent("CANCEL").len(), 0, "RFC 3261 §9.1");
    line.pass(10_000);
    assert_eq!(line.sent("INVITE").len(), 1, "nothing is repeated any more");
    line.respond("INVITE", 100, "", "");
    assert_eq!(line.sent("CANCEL").len(), 1);
    line.respond("CANCEL", 200, "", "");
    line.respond("INVITE", 487, "", "");
    assert_eq!(line.sent("ACK").len(), 1);
    assert!(line.call.is_over());
}

#[test]
fn a_hang_up_between_challenge_and_first_reply_holds_the_cancel() {
    let mut line = Line::dial(Transport::Udp);
    line.respond("INVITE", 401, "WWW-Authenticate: Digest realm=r, nonce=n\r\n", "");
    assert_eq!(line.sent("INVITE").len(), 2);
    line.hang_up();
    assert_eq!(line.ended(), [&Termination::new(TerminationKind::Cancelled)]);
    line.respond("INVITE", 180, "", "");
    assert!(line.sent("CANCEL")[0].contains("CSeq: 2 CANCEL"));
}

#[test]
fn a_trunk_that_challenged_and_then_fell_silent_gave_no_reply() {
    let mut line = Line::dial(Transport::Udp);
    line.respond("INVITE", 401, "WWW-Authenticate: Digest realm=r, nonce=n\r\n", "");
    line.call.on_hang_up(HangUpWhy::NoReply, line.now, &mut line.out);
    assert_eq!(line.ended(), [&Termination::new(TerminationKind::NoReply)]);
}

#[test]
fn a_phone_that_rings_behind_our_cancel_is_told_until_the_report() {
    let mut line = Line::dial(Transport::Udp);
    line.respond("INVITE", 100, "", "");
    line.call.on_hang_up(HangUpWhy::NoReply, line.now, &mut line.out);
    line.respond("INVITE", 180, "", "");
    assert_eq!(line.out.last(), Some(&Output::Ringing { code: 180, early_media: false }));
    line.pass(4_000);
    assert_eq!(line.ended(), [&Termination::new(TerminationKind::Cancelled)]);
    line.respond("INVITE", 180, "", "");
    let ringing = |output: &&Output| matches!(output, Output::Ringing { .. });
    assert_eq!(line.out.iter().filter(ringing).count(), 1, "nothing is told behind the report");
}

#[test]
fn a_cancel_without_an_answer_is_reported_after_the_farewell_and_goes_on() {
    let mut line = Line::dial(Transport::Udp);
    line.respond("INVITE", 180, "", "");
    line.hang_up();
    line.pass(3_999);
    assert_eq!(line.ended().len(), 0);
    line.pass(1);
    assert_eq!(line.ended(), [&Termination::new(TerminationKind::Cancelled)]);
    // A 200 long after: nobody may be left talking to nobody.
    line.pass(10_000);
    line.respond("INVITE", 200, "", SDP);
    assert_eq!((line.sent("ACK").len(), line.sent("BYE").len()), (1, 1));
    line.respond("BYE", 200, "", "");
    assert!(line.call.is_over());
    assert_eq!(line.ended().len(), 1);
}

#[test]
fn a_strict_router_gets_its_own_uri_in_the_request_line() {
    let mut line = Line::dial(Transport::Udp);
    line.respond("INVITE", 200, "Record-Route: <sip:c;lr>, <sip:strict>\r\n", SDP);
    let ack = &line.sent("ACK")[0];
    assert!(ack.starts_with("ACK sip:strict SIP/2.0\r\n"), "{ack}");
    assert!(ack.contains("Route: <sip:c;lr>\r\nRoute: <sip:b@10.0.0.1>\r\n"), "{ack}");
}

#[test]
fn both_sides_hang_up_at_once() {
    let mut line = Line::dial(Transport::Udp);
    line.respond("INVITE", 200, "", SDP);
    line.hang_up();
    line.ask("BYE", 1, "", "");
    assert_eq!(line.sent("SIP/2.0 200").len(), 1);
    assert_eq!(line.ended(), [&Termination::new(TerminationKind::LocalBye)]);
    // Its 200 was lost.
    let remains = line.call.into_remains();
    let bye = Message::parse(
        "BYE sip:2@10.0.0.9 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1BYE\r\n\
         From: <sip:1@10.0.0.1>;tag=b\r\nTo: <sip:2@10.0.0.9>\r\nCall-ID: c\r\nCSeq: 1 BYE\r\n\r\n",
    );
    assert!(matches!(remains.on_message(&bye), Late::RepeatBack(_)));
}

#[test]
fn an_answer_to_a_re_invite_is_repeated_until_its_acknowledgement() {
    let mut line = Line::dial(Transport::Udp);
    line.respond("INVITE", 200, "", SDP);
    line.ask("INVITE", 5, "", "");
    line.pass(1_600);
    assert_eq!(line.sent("SIP/2.0 200").len(), 3);
    // The same request again, then its ACK with the answer to our offer.
    line.ask("INVITE", 5, "", "");
    assert_eq!(line.sent("SIP/2.0 200").len(), 4);
    line.ask("ACK", 5, "", SDP);
    assert!(matches!(line.out.last(), Some(Output::Changed(_))));
    line.pass(60_000);
    assert_eq!(line.sent("SIP/2.0 200").len(), 4);
}

/// RFC 3261 §14.2: a peer that never acknowledges is gone.
#[test]
fn a_re_invite_that_is_never_acknowledged_ends_the_call() {
    let mut line = Line::dial(Transport::Udp);
    line.respond("INVITE", 200, "", SDP);
    line.ask("INVITE", 5, "", SDP);
    line.pass(31_999);
    assert_eq!((line.sent("BYE ").len(), line.ended().len()), (0, 0));
    line.pass(1);
    assert!(line.sent("BYE ")[0].contains("Reason: Q.850;cause=102"));
    line.respond("BYE", 200, "", "");
    assert_eq!(line.ended()[0].kind, TerminationKind::LocalBye);
    assert_eq!(line.ended()[0].text, "the peer never acknowledged our answer to its re-INVITE");
    assert!(line.call.is_over());
}

/// RFC 3261 §17.2.3: a proxy takes what carries a known branch for a repetition.
#[test]
fn no_two_requests_of_two_branches_of_a_call_share_their_via() {
    let mut line = Line::dial(Transport::Udp);
    line.respond("INVITE", 200, "", SDP);
    let other = line.sent("INVITE ")[0].replace("INVITE sip:1@10.0.0.1 SIP/2.0", "SIP/2.0 200 OK");
    line.receive(&other.replace("To: <sip:1@10.0.0.1>", "To: <sip:1@10.0.0.1>;tag=other"));
    line.hang_up();
    for method in ["ACK ", "BYE "] {
        let sent = line.sent(method);
        assert_eq!(sent.len(), 2, "{method}");
        let via = |request: &str| Message::parse(request).branch().unwrap().to_owned();
        assert_ne!(via(&sent[0]), via(&sent[1]), "{method}");
    }
}

#[test]
fn requests_of_another_dialog_are_refused() {
    let mut line = Line::dial(Transport::Udp);
    line.ask("INFO", 1, "", "");
    line.ask("UPDATE", 2, "", "");
    line.ask("PRACK", 3, "RAck: 1 1 INVITE\r\n", "");
    line.respond("INVITE", 200, "", SDP);
    let call_id = line.call.invite.ids.call_id.clone();
    line.receive(&format!(
        "BYE sip:2@10.0.0.9 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKx\r\n\
         From: <sip:1@10.0.0.1>;tag=stranger\r\nTo: <sip:2@10.0.0.9>;tag=t\r\n\
         Call-ID: {call_id}\r\nCSeq: 9 BYE\r\n\r\n"
    ));
    assert_eq!(line.sent("SIP/2.0 481").len(), 4);
    assert_eq!(line.ended().len(), 0);
}

#[test]
fn a_failed_sending_ends_a_call_only_if_it_is_the_first() {
    let mut line = Line::dial(Transport::Udp);
    line.call.on_send_failed(Purpose::Invite, "no route", line.now, &mut line.out);
    assert_eq!(line.ended()[0].kind, TerminationKind::Unreachable);
    assert!(line.call.is_over());

    let mut line = Line::dial(Transport::Udp);
    line.pass(600);
    line.call.on_send_failed(Purpose::Invite, "no route", line.now, &mut line.out);
    assert_eq!(line.ended().len(), 0);
}

/// RFC 3261 §8.2.2.3: what we do not have is named; a BYE ends the call whatever it requires.
#[test]
fn what_a_peer_requires_and_we_do_not_have_is_named() {
    let mut line = Line::dial(Transport::Udp);
    line.respond("INVITE", 200, "", SDP);
    line.ask("INVITE", 1, "Require: precondition, timer\r\n", SDP);
    let refusal = line.sent("SIP/2.0 420").pop().unwrap();
    assert!(refusal.contains("Unsupported: precondition\r\n"), "{refusal}");
    line.ask("BYE", 2, "Require: precondition\r\n", "");
    assert_eq!(line.ended()[0].kind, TerminationKind::RemoteBye);
}

/// Before any reply another trunk may be tried; behind one a phone may ring.
#[test]
fn a_lost_connection_is_told_by_what_had_come_before() {
    let challenge = "WWW-Authenticate: Digest realm=r, nonce=n\r\n";
    let rows = [
        (None, TerminationKind::Unreachable),
        (Some((100, "")), TerminationKind::ConnectionLost),
        (Some((180, "")), TerminationKind::ConnectionLost),
        (Some((401, challenge)), TerminationKind::ConnectionLost),
    ];
    for (reply, expected) in rows {
        let mut line = Line::dial(Transport::Tcp);
        if let Some((status, headers)) = reply {
            line.respond("INVITE", status, headers, "");
        }
        line.call.on_connection_lost(line.now, &mut line.out);
        let mut termination = Termination::new(expected);
        termination.text = "the connection was lost".to_owned();
        assert_eq!(line.ended(), [&termination], "{reply:?}");
        line.pass(40_000);
        assert!(line.call.is_over(), "{reply:?}");
    }
}

/// A peer that knows our branch invents one To tag after another.
#[test]
fn invented_branches_cost_a_bounded_amount() {
    let mut line = Line::dial(Transport::Udp);
    line.respond("INVITE", 200, "", SDP);
    let answer = line.response("INVITE", 200, "", SDP).unwrap();
    for number in 0..1_000 {
        line.receive(&answer.replace(";tag=b\r\n", &format!(";tag=b{number}\r\n")));
        line.receive(
            &answer.replace("200 x", "486 x").replace(";tag=b\r\n", &format!(";tag=c{number}\r\n")),
        );
    }
    assert!(line.count("BYE ") <= MOST_ACKS, "{}", line.count("BYE "));
    assert!(line.call.acks.len() <= MOST_ACKS);
    let bye_of_ours = |bye: &String| bye.contains(";tag=b\r\n");
    assert!(!line.sent("BYE ").iter().any(bye_of_ours), "ours goes on");
    line.hang_up();
    line.respond("BYE", 200, "", "");
    line.pass(40_000);
    assert!(line.call.is_over());
}
