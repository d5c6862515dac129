//! The network outlives its callers.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a failed set-up is a failed test")]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use support::caller::body;
use support::{PATIENCE, Sim};

/// One message from a stream.
fn read_message(stream: &TcpStream) -> String {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let start = head.len();
        reader.read_line(&mut head).expect("the network says something");
        match head[start..].trim_end() {
            "" => break,
            line => {
                if let Some(declared) = line.strip_prefix("Content-Length: ") {
                    length = declared.parse().unwrap();
                }
            }
        }
    }
    let mut rest = vec![0; length];
    reader.read_exact(&mut rest).unwrap();
    head + &String::from_utf8(rest).unwrap()
}

fn invite(sim: SocketAddr, contact: SocketAddr, number: &str) -> String {
    let offer = "v=0\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nm=audio 9 RTP/AVP 8\r\n";
    format!(
        "INVITE sip:{number}@{sim} SIP/2.0\r\nVia: SIP/2.0/TCP {contact};branch=z9hG4bK{number}\r\n\
         From: <sip:1@{contact}>;tag=t\r\nTo: <sip:{number}@{sim}>\r\nCall-ID: {number}@here\r\n\
         CSeq: 1 INVITE\r\nContact: <sip:1@{contact};transport=tcp>\r\n\
         Content-Type: application/sdp\r\n{}",
        body(offer)
    )
}

/// A caller over TCP dies; its successor listens where Contact points.
#[test]
fn an_answered_handset_finds_the_successor_of_a_caller_that_died() {
    let sim =
        Sim::start(&["--answer-after-ms", "0", "--media-timeout-s", "1", "--rtp", "43000-43999"]);
    let successor = TcpListener::bind("127.0.0.1:0").unwrap();
    let contact = successor.local_addr().unwrap();
    let mut caller = TcpStream::connect(sim.address).unwrap();
    caller.write_all(invite(sim.address, contact, "13800138000").as_bytes()).unwrap();
    sim.wait_for("13800138000", "answered", 1);
    drop(caller);
    let (stream, _) = successor.accept().unwrap();
    // The 200 that was never acknowledged is repeated over a new connection; then comes BYE.
    let bye = loop {
        let message = read_message(&stream);
        if message.starts_with("BYE ") {
            break message;
        }
        assert!(message.starts_with("SIP/2.0 200"), "{message}");
    };
    assert!(bye.contains("CSeq: 1 BYE\r\n") && bye.contains(";tag=t\r\n"), "{bye}");
    assert_eq!(sim.wait_for("13800138000", "ended", 1)["by"], "media_timeout");
}

/// A phone that still rings is cancelled by whoever knows its branch, over another connection.
#[test]
fn a_ringing_handset_rings_on_until_its_orphan_cancel() {
    let sim = Sim::start(&[]);
    let contact: SocketAddr = "127.0.0.1:9".parse().unwrap();
    let invite = invite(sim.address, contact, "13800138011");
    let mut caller = TcpStream::connect(sim.address).unwrap();
    caller.write_all(invite.as_bytes()).unwrap();
    sim.wait_for("13800138011", "ringing", 1);
    drop(caller);
    let mut successor = TcpStream::connect(sim.address).unwrap();
    let head: String = invite
        .lines()
        .filter(|line| ["Via", "From", "To", "Call-ID"].iter().any(|name| line.starts_with(name)))
        .map(|line| format!("{line}\r\n"))
        .collect();
    let cancel = format!(
        "CANCEL sip:13800138011@{} SIP/2.0\r\n{head}CSeq: 1 CANCEL\r\nReason: SIP;cause=487\r\n{}",
        sim.address,
        body("")
    );
    successor.write_all(cancel.as_bytes()).unwrap();
    assert!(read_message(&successor).starts_with("SIP/2.0 200"));
    assert_eq!(sim.wait_for("13800138011", "cancel", 1)["in_time"], true);
    assert_eq!(sim.wait_for("13800138011", "refused", 1)["code"], 487);
}

#[test]
fn bytes_without_meaning_are_told_and_survived() {
    let sim = Sim::start(&[]);
    let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    udp.set_read_timeout(Some(PATIENCE)).unwrap();
    for junk in [&b"\xff\xfe\0junk"[..], b"INVITE\r\n\r\n", b"SIP/2.0 999999 x\r\n\r\n"] {
        udp.send_to(junk, sim.address).unwrap();
    }
    let mut tcp = TcpStream::connect(sim.address).unwrap();
    tcp.write_all(b"INVITE sip:a SIP/2.0\r\nContent-Length: 99999999\r\n\r\n").unwrap();
    assert_eq!(tcp.read(&mut [0; 10]).unwrap(), 0, "the connection is closed");
    let ping = "OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/UDP h;rport;branch=z9hG4bKp\r\nFrom: <sip:a>;tag=f\r\n\
                To: <sip:b>\r\nCall-ID: p\r\nCSeq: 1 OPTIONS\r\n\r\n";
    udp.send_to(ping.as_bytes(), sim.address).unwrap();
    let mut buffer = [0; 2_048];
    let (length, _) = udp.recv_from(&mut buffer).unwrap();
    assert!(buffer[..length].starts_with(b"SIP/2.0 200 OK"));
    sim.wait_until(4, "malformed", |event| event["kind"] == "malformed");
}
