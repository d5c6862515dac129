#![expect(clippy::unwrap_used, reason = "tests may panic")]

use proptest::prelude::*;

use super::*;

const INVITE: &str = "INVITE sip:13800138000@carrier.example.net:5060;transport=udp SIP/2.0\r\n\
    Via: SIP/2.0/UDP 10.1.2.3:5060;branch=z9hG4bKabc;rport\r\n\
    From: <sip:01080001001@10.1.2.3>;tag=f1\r\nTo: <sip:13800138000@carrier.example.net>\r\n\
    Call-ID: c1@10.1.2.3\r\nCSeq: 1 INVITE\r\nContact: <sip:01080001001@10.1.2.3:5060>\r\n\
    P-Asserted-Identity: \"secretname\" <sip:01080001001@carrier.example.net>\r\n\
    Proxy-Authorization: Digest …\r\nMax-Forwards: 70\r\n\
    Content-Type: application/sdp\r\nContent-Length: 60\r\n\r\n\
    v=0\r\no=- 1 1 IN IP4 10.1.2.3\r\ns=-\r\nc=IN IP4 10.1.2.3\r\nt=0 0\r\n\
    m=audio 20000 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\na=rtcp:20001 IN IP4 10.1.2.3\r\n";

const TRYING: &str = "SIP/2.0 100 Trying\r\nVia: SIP/2.0/UDP 10.1.2.3:5060;branch=z9hG4bKabc\r\n\
    From: <sip:01080001001@10.1.2.3>;tag=f1\r\nTo: <sip:13800138000@carrier.example.net>\r\n\
    Call-ID: c1@10.1.2.3\r\nCSeq: 1 INVITE\r\nServer: SecretSBC/9\r\nContent-Length: 0\r\n\r\n";

const BUSY: &str = "SIP/2.0 486 Busy at 10.9.9.9\r\nVia: SIP/2.0/UDP 10.1.2.3:5060;branch=z9hG4bKabc\r\n\
    From: <sip:secretuser@10.1.2.3>;tag=f1\r\nTo: <sip:13800138000@carrier.example.net>;tag=as7@gw.example\r\n\
    Call-ID: c1@10.1.2.3\r\nCSeq: 1 INVITE\r\nReason: Q.850;cause=17;text=\"User busy at 10.9.9.9\"\r\n\
    X-Trunk: secretuser\r\nWarning: 399 gw.example \"x\"\r\nContent-Length: 0\r\n\r\n";

fn message(at_ms: i64, direction: Direction, remote: &str, text: &str) -> SipMessage {
    SipMessage {
        at: Micros(1_795_500_000_000_000).plus_ms(at_ms),
        leg: CallId::new("CA1"),
        attempt: 0,
        direction,
        transport: Transport::Udp,
        local: "10.1.2.3:5060".parse().unwrap(),
        remote: remote.parse().unwrap(),
        text: text.into(),
    }
}

fn trace() -> SipTrace {
    let peer = "198.51.100.7:5060";
    SipTrace {
        conversation: ConversationId::new("CV1"),
        messages: vec![
            message(0, Direction::Sent, peer, INVITE),
            message(500, Direction::Sent, peer, INVITE),
            message(512, Direction::Received, peer, TRYING),
            SipMessage {
                attempt: 1,
                ..message(1_700, Direction::Received, "198.51.100.8:5080", BUSY)
            },
        ],
        dropped: 0,
    }
}

#[test]
fn a_message_is_read() {
    let trace = trace();
    assert_eq!(trace.messages[0].start(), Start::Request { method: "INVITE" });
    assert_eq!(trace.messages[2].start(), Start::Response { status: 100, phrase: "Trying" });
    assert_eq!(trace.messages[2].cseq(), "1 INVITE");
    assert_eq!(trace.repetitions(), [false, true, false, false]);
    assert_eq!(message(0, Direction::Sent, "1.1.1.1:1", "").start_line(), "");
}

#[test]
fn a_ladder_is_drawn() {
    insta::assert_snapshot!(ladder::draw(&trace()));
    let empty = SipTrace { messages: Vec::new(), dropped: 3, ..trace() };
    assert_eq!(ladder::draw(&empty), "conversation CV1, 3 messages, 3 of them not kept\n");
}

#[test]
fn a_tenant_sees_the_call_and_not_the_carrier() {
    insta::assert_snapshot!(tenant::view(&trace()).joined().replace("\r\n", "\n"));
    for secret in ["10.1.2.3", "10.9.9.9", "198.51", "example", "secret", "SBC"] {
        for text in [tenant::view(&trace()).joined(), ladder::draw(&tenant::view(&trace()))] {
            assert!(!text.to_lowercase().contains(&secret.to_lowercase()), "{secret}: {text}");
        }
    }
}

proptest! {
    /// Whatever header an address or a name of the trunk stands in, in whatever form.
    #[test]
    fn no_header_gives_a_trunk_away(
        name in "[A-Za-z][A-Za-z-]{0,20}",
        before in "[ -~]{0,20}",
        after in "[ -~]{0,20}",
        status in 100..700_u16,
    ) {
        let host = "10.66.77.88";
        let text = format!(
            "SIP/2.0 {status} Odd {host}\r\n{name}: {before}{host}{after}\r\nFrom: <sip:1@{host}>\r\n\
             Content-Type: application/sdp\r\n\r\nv=0\r\nc=IN IP4 {host}\r\na={name}:{host}\r\n"
        );
        let shown = tenant::view(&SipTrace {
            messages: vec![message(0, Direction::Received, "10.66.77.88:5060", &text)],
            ..trace()
        });
        // What a peer writes into a line of codecs is not looked into.
        prop_assume!(!["rtpmap", "fmtp", "ptime", "maxptime"].contains(&name.as_str()));
        prop_assume!(!["date", "call-id"].contains(&name.to_lowercase().as_str()));
        prop_assert!(!shown.joined().contains(host), "{}", shown.joined());
    }
}

#[test]
fn a_capture_can_be_read_back() {
    let mut trace = trace();
    trace.messages.push(SipMessage {
        local: "[2001:db8::1]:5060".parse().unwrap(),
        ..message(2_000, Direction::Sent, "[2001:db8::2]:5061", TRYING)
    });
    let file = pcap::write(&trace);
    assert_eq!(&file[..8], [0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0]);
    assert_eq!(file[20..24], 101_u32.to_le_bytes());
    let mut rest = &file[24..];
    for message in &trace.messages {
        let word = |at: usize| u32::from_le_bytes(rest[at..at + 4].try_into().unwrap());
        assert_eq!(
            i64::from(word(0)) * 1_000_000 + i64::from(word(4)),
            message.at.0,
            "{message:?}"
        );
        let length = usize::try_from(word(8)).unwrap();
        assert_eq!(word(8), word(12));
        let packet = &rest[16..16 + length];
        let (header, addresses) = match packet[0] >> 4 {
            4 => (20, &packet[12..20]),
            6 => (40, &packet[8..40]),
            version => panic!("IP version {version}"),
        };
        if header == 20 {
            assert_eq!(ones_sum(&packet[..20]), 0xffff, "the header's checksum");
            assert_eq!(usize::from(u16::from_be_bytes([packet[2], packet[3]])), length);
        }
        let datagram = &packet[header..];
        let pseudo_header = [addresses, &[0, 17], &datagram[4..6]].concat();
        assert_eq!(ones_sum(&[&pseudo_header, datagram].concat()), 0xffff, "UDP's checksum");
        let (from, to) = match message.direction {
            Direction::Sent => (message.local.port(), message.remote.port()),
            Direction::Received => (message.remote.port(), message.local.port()),
        };
        assert_eq!(datagram[..2], from.to_be_bytes());
        assert_eq!(datagram[2..4], to.to_be_bytes());
        assert_eq!(&datagram[8..], message.text.as_bytes());
        rest = &rest[16 + length..];
    }
    assert!(rest.is_empty());
}

fn ones_sum(bytes: &[u8]) -> u16 {
    let words = bytes
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0)));
    let sum: u32 = words.sum();
    u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap()
}
