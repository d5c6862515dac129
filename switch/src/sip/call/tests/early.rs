//! Branches that ring, reliable provisional responses and their PRACK (RFC 3262, RFC 3311).

use yunling_switch_contract::ReliableProvisionals;

use super::*;

impl Line {
    /// A branch says something reliably.
    fn ring(&mut self, tag: &str, rseq: u32, headers: &str, sdp: &str) {
        let headers = format!("Require: 100rel\r\nRSeq: {rseq}\r\n{headers}");
        let text = self.response("INVITE", 183, &headers, sdp).unwrap();
        self.receive(&text.replace(";tag=b\r\n", &format!(";tag={tag}\r\n")));
    }

    fn ringing(&self) -> usize {
        self.out.iter().filter(|output| matches!(output, Output::Ringing { .. })).count()
    }

    /// CSeq, RAck and To tag of each PRACK.
    fn pracks(&self) -> Vec<(u32, String, String)> {
        let read = |text: &String| {
            let prack = Message::parse(text);
            let tag = prack.tag_of_to().unwrap().to_owned();
            (prack.cseq(), prack.header("RAck").unwrap().to_owned(), tag)
        };
        self.sent("PRACK ").iter().map(read).collect()
    }
}

fn prack(cseq: u32, rack: &str, tag: &str) -> (u32, String, String) {
    (cseq, rack.to_owned(), tag.to_owned())
}

#[test]
fn what_is_sent_reliably_is_acknowledged_in_order_and_told_once() {
    let mut line = Line::dial(Transport::Udp);
    let record = "Record-Route: <sip:10.0.0.7;lr>\r\n";
    line.ring("b", 700, record, "");
    assert_eq!(line.pracks(), [prack(2, "700 1 INVITE", "b")]);
    let first = line.sent("PRACK ")[0].clone();
    assert!(first.starts_with("PRACK sip:b@10.0.0.1 SIP/2.0\r\n"), "{first}");
    assert!(first.contains("Route: <sip:10.0.0.7;lr>\r\n"), "{first}");
    // It did not get there in time: the same once more, and nothing is told again.
    line.ring("b", 700, record, "");
    assert_eq!(line.sent("PRACK "), [first.clone(), first.clone()]);
    line.respond("PRACK", 200, "", "");
    line.ring("b", 700, record, "");
    assert_eq!(line.count("PRACK "), 3, "its 200 crossed");
    // One in between is missing.
    line.ring("b", 702, record, "");
    assert_eq!((line.count("PRACK "), line.ringing()), (3, 1));
    line.ring("b", 701, record, "");
    line.respond("PRACK", 200, "", "");
    line.ring("b", 702, record, "");
    let last = line.pracks().split_off(3);
    assert_eq!(last, [prack(3, "701 1 INVITE", "b"), prack(4, "702 1 INVITE", "b")]);
    assert_eq!(line.ringing(), 3);
    // The numbers of the dialog go on behind the answer; its ACK has the INVITE's.
    line.respond("INVITE", 200, "", SDP);
    assert!(line.sent("ACK ")[0].contains("CSeq: 1 ACK"));
    line.hang_up();
    assert!(line.sent("BYE ")[0].contains("CSeq: 5 BYE"));
}

#[test]
fn a_prack_is_repeated_until_it_is_answered_and_ends_nothing_when_it_is_not() {
    let mut line = Line::dial(Transport::Udp);
    line.ring("b", 1, "", "");
    line.pass(40_000);
    assert_eq!(line.count("PRACK "), 11, "timer E, until timer F");
    assert_eq!(line.ended().len(), 0, "the peer ends its INVITE itself");
    line.respond("INVITE", 500, "", "");
    assert_eq!(line.ended()[0].sip_code, Some(500));
    assert!(line.call.is_over());

    let mut line = Line::dial(Transport::Tcp);
    line.ring("b", 1, "", "");
    line.pass(40_000);
    assert_eq!(line.count("PRACK "), 1);
}

#[test]
fn a_prack_that_an_answer_overtakes_goes_on() {
    let mut line = Line::dial(Transport::Udp);
    line.ring("b", 1, "", "");
    line.respond("INVITE", 200, "", SDP);
    line.pass(600);
    assert_eq!(line.count("PRACK "), 2);
    line.respond("PRACK", 200, "", "");
    line.pass(10_000);
    assert_eq!(line.count("PRACK "), 2);
    assert_eq!(line.answers(), 1);
}

#[test]
fn a_prack_may_be_challenged() {
    let mut line = Line::dial(Transport::Udp);
    line.ring("b", 9, "", "");
    let challenge = "Proxy-Authenticate: Digest realm=r, nonce=n\r\n";
    line.respond("PRACK", 407, challenge, "");
    let pracks = line.sent("PRACK ");
    assert_eq!(line.pracks()[1], prack(3, "9 1 INVITE", "b"));
    assert!(pracks[1].contains("Proxy-Authorization: Digest"), "{}", pracks[1]);
    line.respond("PRACK", 407, challenge, "");
    line.pass(40_000);
    assert_eq!(line.count("PRACK "), 2, "the password was refused");
}

#[test]
fn each_branch_has_numbers_of_its_own() {
    let mut line = Line::dial(Transport::Udp);
    line.ring("b", 5, "", "");
    line.ring("c", 90, "", "");
    line.ring("c", 91, "", "");
    line.ring("b", 6, "", "");
    let expected = [
        prack(2, "5 1 INVITE", "b"),
        prack(2, "90 1 INVITE", "c"),
        prack(3, "91 1 INVITE", "c"),
        prack(3, "6 1 INVITE", "b"),
    ];
    assert_eq!(line.pracks(), expected);
    let vias: std::collections::HashSet<String> = line
        .sent("PRACK ")
        .iter()
        .map(|text| Message::parse(text).branch().unwrap().to_owned())
        .collect();
    assert_eq!(vias.len(), 4);
    for number in 0..100 {
        line.ring(&format!("d{number}"), 1, "", "");
    }
    assert_eq!(line.count("PRACK "), 18, "16 branches and no more");
}

#[test]
fn an_answer_in_a_reliable_response_is_the_answer() {
    let other = SDP.replace("4000", "4002");
    let mut line = Line::dial(Transport::Udp);
    line.ring("b", 1, "", SDP);
    line.respond("PRACK", 200, "", "");
    line.respond("INVITE", 200, "", "");
    let agreed = |line: &Line| {
        line.out.iter().find_map(|output| match output {
            Output::Answered { agreement, .. } => Some(agreement.remote.port()),
            _ => None,
        })
    };
    assert_eq!(agreed(&line), Some(4_000));
    // What the 200 says beside it is no answer any more (RFC 3261 §13.2.1) ...
    let mut line = Line::dial(Transport::Udp);
    line.ring("b", 1, "", SDP);
    line.respond("INVITE", 200, "", &other);
    assert_eq!(agreed(&line), Some(4_000));
    // ... but it is, behind one that was only a preview, or another branch's.
    let mut line = Line::dial(Transport::Udp);
    line.respond("INVITE", 183, "", SDP);
    line.ring("c", 1, "", SDP);
    line.respond("INVITE", 200, "", &other);
    assert_eq!(agreed(&line), Some(4_002));
}

#[test]
fn an_update_of_a_ringing_branch_is_answered_once_our_offer_is() {
    let other = SDP.replace("4000", "4002");
    let mut line = Line::dial(Transport::Udp);
    line.respond("INVITE", 183, "", SDP);
    line.ask("UPDATE", 1, "", &other);
    assert_eq!(line.count("SIP/2.0 491"), 1, "RFC 3311 §5.2");
    line.ask("UPDATE", 2, "", "");
    assert_eq!(line.count("SIP/2.0 200"), 1, "it offers nothing");
    line.ring("b", 1, "", SDP);
    line.ask("UPDATE", 3, "", &other);
    let answer = line.sent("SIP/2.0 200").pop().unwrap();
    assert!(answer.contains("o=- 1 2 IN") && answer.contains("a=sendrecv"), "{answer}");
    line.ask("UPDATE", 3, "", &other);
    assert_eq!(line.sent("SIP/2.0 200")[1..], [answer.clone(), answer]);
    line.ask("UPDATE", 4, "", "v=0\r\nm=audio 1 RTP/AVP 18\r\n");
    assert_eq!(line.count("SIP/2.0 488"), 1);
    line.ask("UPDATE", 4, "X: y\r\n", "");
    line.respond("INVITE", 200, "", SDP);
    let answered = line.out.iter().find_map(|output| match output {
        Output::Answered { agreement, .. } => Some(agreement.remote.port()),
        _ => None,
    });
    assert_eq!(answered, Some(4_002), "what was agreed on last");
    // The peer's numbers go on too.
    line.ask("UPDATE", 2, "Y: z\r\n", "");
    assert_eq!(line.count("SIP/2.0 500"), 1);
}

#[test]
fn a_peer_without_reliable_responses_is_told_if_they_are_required() {
    let required = ReliableProvisionals::Required;
    let mut line = Line::to(Peer { reliable: required, ..peer(Transport::Udp) });
    assert!(line.sent("INVITE ")[0].contains("Require: 100rel\r\n"));
    line.respond("INVITE", 420, "Unsupported: 100rel\r\n", "");
    let ended = line.ended()[0];
    assert_eq!((ended.kind, ended.sip_code), (TerminationKind::Rejected, Some(420)));
    assert_eq!(
        ended.text,
        "the trunk has no reliable provisional responses, and its setting requires them"
    );
}

impl Line {
    /// Ports of the descriptions whose media was to be heard before the answer.
    fn heard(&self) -> Vec<u16> {
        self.out
            .iter()
            .filter_map(|output| match output {
                Output::Early(agreement) => Some(agreement.remote.port()),
                _ => None,
            })
            .collect()
    }

    /// A branch rings with media of its own, if it is reliable with this RSeq.
    fn ring_from(&mut self, tag: &str, rseq: Option<u32>, port: u16) {
        let sdp = SDP.replace("4000", &port.to_string());
        match rseq {
            Some(rseq) => self.ring(tag, rseq, "", &sdp),
            None => {
                let text = self.response("INVITE", 183, "", &sdp).unwrap();
                self.receive(&text.replace(";tag=b\r\n", &format!(";tag={tag}\r\n")));
            }
        }
    }
}

#[test]
fn the_branch_that_described_its_media_last_is_heard_until_one_answers() {
    let mut line = Line::dial(Transport::Udp);
    line.respond("INVITE", 180, "", "");
    assert_eq!(line.heard(), [0u16; 0]);
    line.ring_from("b", None, 4000);
    line.ring_from("b", None, 4000);
    assert_eq!(line.heard(), [4000], "said again");
    line.ring_from("c", None, 5000);
    line.respond("INVITE", 180, "", "");
    assert_eq!(line.heard(), [4000, 5000]);
    line.ring_from("b", None, 4002);
    assert_eq!(line.heard(), [4000, 5000, 4002]);
    line.respond("INVITE", 200, "", "");
    let answered = line.out.iter().find_map(|output| match output {
        Output::Answered { agreement, .. } => Some(agreement.remote.port()),
        _ => None,
    });
    assert_eq!(answered, Some(4002), "the answering branch's own");
}

#[test]
fn what_a_reliable_response_settled_no_later_one_changes_but_an_update_does() {
    let mut line = Line::dial(Transport::Udp);
    line.ring_from("b", Some(1), 4000);
    line.respond("PRACK", 200, "", "");
    line.ring_from("b", None, 5000);
    assert_eq!(line.heard(), [4000]);
    let sdp = SDP.replace("4000", "6000");
    line.ask("UPDATE", 1, "Content-Type: application/sdp\r\n", &sdp);
    assert_eq!(line.heard(), [4000, 6000]);
}

#[test]
fn nobody_is_heard_behind_our_cancel() {
    let mut line = Line::dial(Transport::Udp);
    line.respond("INVITE", 180, "", "");
    line.hang_up();
    line.ring_from("b", None, 4000);
    assert_eq!(line.heard(), [0u16; 0]);
}
