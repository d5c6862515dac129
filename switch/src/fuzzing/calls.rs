//! Whole calls against a peer that sends anything: sequences of mutated messages, and time.

use std::time::{Duration, Instant};

use yunling_fuzz::{Limits, Target};
use yunling_switch_contract::{Codec, Credentials, HangUpWhy, LegId, Peer, Transport};

use super::{SIP_WORDS, assert_well_formed, read};
use crate::sdp::Session;
use crate::sip::call::{Call, Output, Purpose};
use crate::sip::ids::IdSource;
use crate::sip::invite::{Invite, LocalParty};
use crate::sip::stack::Target as Address;
use crate::sip::timers::Timers;

/// Between two messages of an input.
const NEXT: u8 = 0x1E;

/// The same, and what happens in between: the next timer runs out, the platform hangs up, a sending
/// fails, the connection is lost.
const LATER: u8 = 0x1F;
const HANG_UP: u8 = 0x1D;
const UNSENT: u8 = 0x1C;
const LOST: u8 = 0x01;

/// All that can fail to be sent.
const PURPOSES: [Purpose; 5] =
    [Purpose::Invite, Purpose::Cancel, Purpose::Bye, Purpose::Refresh, Purpose::Reply];

/// Does not compile when one is missing above.
const _: () = {
    let mut at = 0;
    while at < PURPOSES.len() {
        let place = match PURPOSES[at] {
            Purpose::Invite => 0,
            Purpose::Cancel => 1,
            Purpose::Bye => 2,
            Purpose::Refresh => 3,
            Purpose::Reply => 4,
        };
        assert!(place == at);
        at += 1;
    }
};

const SDP: &str = "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\n\
    m=audio 4000 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\n";

/// Time-outs that a call may need to end once the platform has hung up: T1 doubles to T2.
const MOST_TIMERS: usize = 200;

/// A call and all that it did.
struct Line {
    call: Call,
    now: Instant,
    trunk: Address,
    out: Vec<Output>,
    ended: usize,
    sent: usize,
}

impl Line {
    fn dial() -> Self {
        let transport = Transport::Udp;
        let peer = Peer {
            credentials: Some(Credentials { username: "u".into(), password: "p".into() }),
            ..Peer::new("t", "10.0.0.1", transport)
        };
        let local = LocalParty {
            advertised: "10.0.0.9:5060".parse().unwrap(),
            transport,
            user_agent: "x".into(),
        };
        let ids = IdSource::new(&[3; 32]);
        let invite = Invite::new(&ids, &LegId::new("CA1"), 0, &peer, ("1", "2"), local);
        let trunk = Address { transport, address: "10.0.0.1:5060".parse().unwrap(), listener: 0 };
        let session = Session::new(1, "10.0.0.9:2000".parse().unwrap(), vec![Codec::Pcma]);
        let (now, mut out) = (Instant::now(), Vec::new());
        let timers = Timers::default();
        let call = Call::start(invite, trunk, peer.credentials, session, timers, now, &mut out);
        Self { call, now, trunk, out, ended: 0, sent: 0 }
    }

    /// The text of the INVITE.
    fn invite(&self) -> String {
        let invite = self.out.iter().find_map(|output| match output {
            Output::Send(sending) => Some(String::from_utf8(sending.bytes.to_vec()).unwrap()),
            _ => None,
        });
        invite.expect("a call begins with an INVITE")
    }

    /// Checks what came out since, and forgets it.
    fn settle(&mut self, bound: usize) {
        assert!(self.out.len() <= 64, "{} outputs of one event", self.out.len());
        for output in self.out.drain(..) {
            match output {
                Output::Send(sending) => {
                    self.sent += 1;
                    assert_well_formed(&sending.bytes);
                    assert!(sending.bytes.len() <= bound, "{} bytes", sending.bytes.len());
                }
                Output::Ended(termination) => {
                    self.ended += 1;
                    assert!(termination.text.chars().count() <= 128);
                }
                _ => {}
            }
        }
        assert!(self.ended <= 1, "it ended twice");
    }

    fn later(&mut self) {
        if let Some(deadline) = self.call.deadline() {
            self.now = self.now.max(deadline);
            self.call.on_time(self.now, &mut self.out);
        }
    }

    /// Feeds one message, if it is one.
    fn receive(&mut self, datagram: &[u8]) -> bool {
        let Some(Ok(message)) = read(datagram) else { return false };
        self.now += Duration::from_millis(10);
        self.call.on_message(&message, self.trunk, self.now, &mut self.out);
        true
    }
}

/// What peers usually do, for mutation: each a sequence of messages.
fn seeds() -> Vec<Vec<u8>> {
    let line = Line::dial();
    let invite = line.invite();
    let header = |name: &str| {
        let begin = format!("{name}: ");
        invite.lines().find(|line| line.starts_with(&begin)).unwrap().to_owned()
    };
    let (via, from, to, call_id) = (header("Via"), header("From"), header("To"), header("Call-ID"));
    let reply = |line: &str, cseq: &str, headers: &str, body: &str| {
        format!(
            "SIP/2.0 {line}\r\n{via}\r\n{from}\r\n{to};tag=b\r\n{call_id}\r\nCSeq: {cseq}\r\n\
             Contact: <sip:b@10.0.0.1>\r\n{headers}\r\n{body}"
        )
    };
    let swapped = |name: &str, value: &str| {
        value.replacen(name, if name == "From" { "To" } else { "From" }, 1)
    };
    let ask = |method: &str, cseq: u32, headers: &str, body: &str| {
        format!(
            "{method} sip:2@10.0.0.9 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK{cseq}{method}\r\n\
             {};tag=b\r\n{}\r\n{call_id}\r\nCSeq: {cseq} {method}\r\nContact: <sip:b@10.0.0.1>\r\n\
             {headers}\r\n{body}",
            swapped("To", &to),
            swapped("From", &from),
        )
    };
    let sdp = "Content-Type: application/sdp\r\n";
    let ok = reply(
        "200 OK",
        "1 INVITE",
        &format!("Record-Route: <sip:p1;lr>, <sip:p2;lr>\r\n{sdp}"),
        SDP,
    );
    let bye_ok = reply("200 OK", "2 BYE", "", "");
    let challenge =
        "WWW-Authenticate: Digest realm=\"a\", nonce=\"n\", qop=\"auth\", algorithm=SHA-256\r\n";
    let sequences: Vec<Vec<String>> = vec![
        vec![
            reply("100 Trying", "1 INVITE", "", ""),
            reply("180 Ringing", "1 INVITE", "", ""),
            ok.clone(),
            ask("BYE", 1, "Reason: Q.850;cause=16\r\n", ""),
        ],
        vec![
            reply("183 Progress", "1 INVITE", &format!("Require: 100rel\r\nRSeq: 1\r\n{sdp}"), SDP),
            ok.clone(),
            "\u{1d}".into(),
            bye_ok.clone(),
        ],
        vec![
            reply("401 Unauthorized", "1 INVITE", challenge, ""),
            reply("407 Proxy", "2 INVITE", challenge, ""),
            ok.clone(),
        ],
        vec![
            ok.clone(),
            ask("INVITE", 1, sdp, SDP),
            ask("ACK", 1, "", ""),
            ask(
                "INFO",
                2,
                "Content-Type: application/dtmf-relay\r\n",
                "Signal=5\r\nDuration=160\r\n",
            ),
            ask("UPDATE", 3, "Session-Expires: 90;refresher=uac\r\n", ""),
            ask("OPTIONS", 4, "", ""),
            ask("BYE", 5, "", ""),
        ],
        vec![
            reply("180 Ringing", "1 INVITE", "", ""),
            "\u{1d}".into(),
            reply("200 OK", "1 CANCEL", "", ""),
            reply("487 Request Terminated", "1 INVITE", "", ""),
        ],
        vec![
            reply("200 OK", "1 INVITE", "Session-Expires: 90;refresher=uas\r\n", SDP),
            "\u{1f}\u{1f}".into(),
            bye_ok,
        ],
        vec![
            reply("486 Busy Here", "1 INVITE", "Reason: SIP;cause=486;text=\"x\"\r\n", ""),
            reply("503 x", "1 INVITE", "Retry-After: 9\r\n", ""),
        ],
        vec![reply("422 Session Interval Too Small", "1 INVITE", "Min-SE: 1800\r\n", ""), ok],
    ];
    sequences.into_iter().map(|messages| messages.join("\u{1e}").into_bytes()).collect()
}

#[test]
fn a_call_survives_any_peer_and_ends() {
    let words: Vec<&str> = SIP_WORDS
        .iter()
        .copied()
        .chain(["\u{1e}", "\u{1f}", "\u{1d}", "\u{1c}", "\u{1}"])
        .collect();
    let target = Target {
        name: "sip_call",
        run_by: "test -p yunling-switch --lib fuzzing::calls",
        seeds: seeds(),
        words: &words,
        longest: 16_384,
        limits: Limits { cpu_ms: 1_000, fixed_bytes: 1 << 20, bytes_per_byte: 256 },
    };
    target.run(|input| {
        let mut line = Line::dial();
        let bound = 8_192 + input.len() * 8;
        line.settle(bound);
        let mut taken = 0;
        let is_break = |byte: &u8| matches!(*byte, NEXT | LATER | HANG_UP | UNSENT | LOST);
        for piece in input.split_inclusive(is_break) {
            let (message, then) = match piece.split_last() {
                Some((last, message)) if is_break(last) => (message, *last),
                _ => (piece, NEXT),
            };
            taken += usize::from(line.receive(message));
            line.settle(bound);
            match then {
                LATER => line.later(),
                HANG_UP => line.call.on_hang_up(HangUpWhy::Requested, line.now, &mut line.out),
                UNSENT => {
                    for purpose in PURPOSES {
                        line.call.on_send_failed(purpose, "x", line.now, &mut line.out);
                    }
                }
                LOST => line.call.on_connection_lost(line.now, &mut line.out),
                _ => {}
            }
            line.settle(bound);
        }
        let outcome = (taken.min(7), line.sent.min(15), line.ended, line.call.awaits_answer());
        line.call.on_hang_up(HangUpWhy::Requested, line.now, &mut line.out);
        line.settle(bound);
        for _ in 0..MOST_TIMERS {
            if line.call.is_over() {
                break;
            }
            line.later();
            line.settle(bound);
        }
        assert!(line.call.is_over(), "it does not end");
        assert_eq!(line.ended, 1, "it ends without saying so");
        let remains = line.call.into_remains();
        for piece in input.split(|byte| *byte == NEXT) {
            if let Some(Ok(message)) = read(piece) {
                let _late = remains.on_message(&message);
            }
        }
        outcome
    });
}
