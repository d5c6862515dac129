//! The machine against a scripted peer, in simulated time: moments that no real carrier can be made
//! to hit, and what must hold whatever a carrier does.

#![expect(clippy::unwrap_used, reason = "tests may panic")]

use std::time::Duration;

use proptest::prelude::*;
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

impl Line {
    fn dial(transport: Transport) -> Self {
        let peer = Peer {
            name: "t".into(),
            host: "10.0.0.1".into(),
            port: 5060,
            transport,
            credentials: Some(Credentials { username: "u".into(), password: "p".into() }),
            identity: IdentityHeader::None,
        };
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

    fn ended(&self) -> Vec<&Termination> {
        self.out
            .iter()
            .filter_map(|output| match output {
                Output::Ended(termination) => Some(termination),
                _ => None,
            })
            .collect()
    }

    /// The peer responds to the latest request of this method, if there was one.
    fn respond(&mut self, method: &str, status: u16, headers: &str, sdp: &str) {
        let Some(request) = self.sent(&format!("{method} ")).pop() else { return };
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
        self.receive(&text);
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
    line.respond("INVITE", 200, "", SDP);
    let call_id = line.call.invite.ids.call_id.clone();
    line.receive(&format!(
        "BYE sip:2@10.0.0.9 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKx\r\n\
         From: <sip:1@10.0.0.1>;tag=stranger\r\nTo: <sip:2@10.0.0.9>;tag=t\r\n\
         Call-ID: {call_id}\r\nCSeq: 9 BYE\r\n\r\n"
    ));
    assert_eq!(line.sent("SIP/2.0 481").len(), 2);
    assert_eq!(line.sent("SIP/2.0 500").len(), 1, "our offer is not answered yet (RFC 3311)");
    assert_eq!(line.ended().len(), 0);
}

#[test]
fn a_failed_sending_ends_a_call_only_if_it_is_the_first() {
    let mut line = Line::dial(Transport::Udp);
    line.call.on_send_failed(Purpose::Invite, "no route", &mut line.out);
    assert_eq!(line.ended()[0].kind, TerminationKind::Unreachable);
    assert!(line.call.is_over());

    let mut line = Line::dial(Transport::Udp);
    line.pass(600);
    line.call.on_send_failed(Purpose::Invite, "no route", &mut line.out);
    assert_eq!(line.ended().len(), 0);
}

/// What a carrier, the network and the platform may do, in any order.
#[derive(Debug, Clone)]
enum Deed {
    Provisional(u16),
    Answer,
    AnswerWithoutSdp,
    Fail(u16),
    AnswerCancel(u16),
    AnswerBye(u16),
    Ask(&'static str, u32),
    HangUp,
    LoseConnection,
    FailToSend,
    Pass(u64),
}

fn deed() -> impl Strategy<Value = Deed> {
    let methods = prop::sample::select(vec!["BYE", "INVITE", "ACK", "INFO", "UPDATE", "CANCEL"]);
    prop_oneof![
        3 => prop::sample::select(vec![100, 180, 183]).prop_map(Deed::Provisional),
        2 => Just(Deed::Answer),
        1 => Just(Deed::AnswerWithoutSdp),
        2 => prop::sample::select(vec![302, 401, 407, 486, 487, 503, 603]).prop_map(Deed::Fail),
        1 => prop::sample::select(vec![200, 481]).prop_map(Deed::AnswerCancel),
        1 => prop::sample::select(vec![100, 200, 401, 481]).prop_map(Deed::AnswerBye),
        2 => (methods, 1_u32..4).prop_map(|(method, cseq)| Deed::Ask(method, cseq)),
        1 => Just(Deed::HangUp),
        1 => Just(Deed::LoseConnection),
        1 => Just(Deed::FailToSend),
        3 => (1_u64..20_000).prop_map(Deed::Pass),
    ]
}

impl Line {
    fn act(&mut self, deed: &Deed) {
        let challenge = "WWW-Authenticate: Digest realm=r, nonce=n\r\n\
            Proxy-Authenticate: Digest realm=p, nonce=m, qop=auth\r\n";
        match *deed {
            Deed::Provisional(status) => self.respond("INVITE", status, "", ""),
            Deed::Answer => self.respond("INVITE", 200, "", SDP),
            Deed::AnswerWithoutSdp => self.respond("INVITE", 200, "", ""),
            Deed::Fail(status) => self.respond("INVITE", status, challenge, ""),
            Deed::AnswerCancel(status) => self.respond("CANCEL", status, "", ""),
            Deed::AnswerBye(status) => self.respond("BYE", status, challenge, ""),
            Deed::Ask(method, cseq) => self.ask(method, cseq, "", ""),
            Deed::HangUp => self.hang_up(),
            Deed::LoseConnection => self.call.on_connection_lost(self.now, &mut self.out),
            Deed::FailToSend => {
                for purpose in [Purpose::Invite, Purpose::Cancel, Purpose::Bye, Purpose::Reply] {
                    self.call.on_send_failed(purpose, "x", &mut self.out);
                }
            }
            Deed::Pass(ms) => self.pass(ms),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Whatever happens: one end, at most one answer and that before the end, every final response
    /// acknowledged, nobody left in a call that we think is over, and nothing lives for ever.
    #[test]
    fn every_call_ends_once_and_cleanly(
        tcp in any::<bool>(),
        deeds in prop::collection::vec(deed(), 0..24),
    ) {
        let mut line = Line::dial(if tcp { Transport::Tcp } else { Transport::Udp });
        for deed in &deeds {
            line.act(deed);
        }
        line.hang_up();
        line.pass(200_000);
        prop_assert!(line.call.is_over(), "it lives for ever");
        prop_assert_eq!(line.ended().len(), 1);
        let position = |wanted: fn(&Output) -> bool| line.out.iter().position(wanted);
        let ended = position(|output| matches!(output, Output::Ended(_))).unwrap();
        let told = |output: &Output| {
            !matches!(output, Output::Send(_) | Output::StopMedia | Output::Ended(_))
        };
        prop_assert!(!line.out[ended..].iter().any(told), "something is told behind the end");
        let answers =
            line.out.iter().filter(|output| matches!(output, Output::Answered { .. })).count();
        prop_assert!(answers <= 1);
        if let Some(answered) = position(|output| matches!(output, Output::Answered { .. })) {
            prop_assert!(answered < ended);
            let acked = position(|output| {
                matches!(output, Output::Send(sending) if sending.bytes.starts_with(b"ACK "))
            });
            prop_assert!(acked.unwrap() < answered, "acknowledged before it is reported");
            let peer_left =
                line.ended().iter().any(|ended| ended.kind == TerminationKind::RemoteBye);
            prop_assert!(peer_left || !line.sent("BYE ").is_empty(), "somebody is left talking");
        }
        if line.sent("BYE ").is_empty() {
            prop_assert!(line.ended()[0].kind != TerminationKind::LocalBye);
        }
    }
}
