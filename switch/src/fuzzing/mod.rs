//! Whatever may come from the network, mutated: no input panics, none costs more than it is worth,
//! and nothing of what we print in answer is more than one well-formed message.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod calls;
mod challenges;
mod datagrams;
mod descriptions;

use std::net::SocketAddr;

use yunling_fuzz::Limits;

use crate::sip::stack::{self, Message};

/// Tens of kilobytes are the longest that a datagram or a stream's message can be; a parsed message
/// is its pieces.
const LIMITS: Limits = Limits { cpu_ms: 500, fixed_bytes: 256 << 10, bytes_per_byte: 64 };

/// Words of SIP that change what a parser does.
const SIP_WORDS: &[&str] = &[
    "SIP/2.0",
    "INVITE",
    "ACK",
    "BYE",
    "CANCEL",
    "OPTIONS",
    "REGISTER",
    "UPDATE",
    "INFO",
    "PRACK",
    "REFER",
    "\r\n\r\n",
    "\r\n ",
    "\r\n\t",
    "Via: ",
    "v:",
    "From: ",
    "f:",
    "To: ",
    "t:",
    "Call-ID: ",
    "i:",
    "CSeq: ",
    "Contact: ",
    "m:",
    "Content-Length: ",
    "l:",
    "Content-Type: application/sdp",
    "Route: ",
    "Record-Route: ",
    "Require: 100rel",
    "RSeq: 1",
    "Session-Expires: 90;refresher=uas",
    "Min-SE: 90",
    "Reason: Q.850;cause=16",
    "Retry-After: 1",
    ";tag=",
    ";branch=z9hG4bK",
    ";rport",
    ";received=",
    ";lr",
    ";maddr=",
    ";transport=tcp",
    "sip:",
    "sips:",
    "tel:",
    "<",
    ">",
    "\"",
    "\\\"",
    "%00",
    "%0d%0a",
    "[::1]",
    "127.0.0.1:5060",
    "=?",
    ",,",
    ";;",
    "*",
    "\u{4e91}",
    "Signal=5\r\nDuration=160",
    "application/dtmf-relay",
];

fn source() -> SocketAddr {
    "192.0.2.1:5060".parse().unwrap()
}

fn read(datagram: &[u8]) -> Option<Result<Message, Vec<u8>>> {
    stack::read(datagram, source())
}

/// What we print is one message: each line ends as it must, and no piece of what the peer wrote
/// smuggles a line of its own in. Gives its lines.
fn assert_well_formed(message: &[u8]) -> Vec<&str> {
    let end = message.windows(4).position(|four| four == b"\r\n\r\n");
    let (head, body) = message.split_at(end.expect("a message of ours has a head") + 4);
    let head = std::str::from_utf8(head).expect("a head of ours is text");
    let lines: Vec<&str> = head.trim_end_matches("\r\n").split("\r\n").collect();
    let mut lengths = 0;
    for line in &lines {
        assert!(!line.contains(['\r', '\n', '\0']), "a line within a line: {head:?}");
    }
    for line in &lines[1..] {
        let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("no header: {line:?}"));
        let is_token = |c: char| c.is_ascii_alphanumeric() || c == '-';
        assert!(!name.is_empty() && name.chars().all(is_token), "no name: {line:?}");
        if name == "Content-Length" {
            lengths += 1;
            assert_eq!(value.trim(), body.len().to_string(), "{head:?}");
        }
    }
    assert_eq!(lengths, 1, "{head:?}");
    lines
}
