//! What an earlier process left behind, and calls that were never ours.

use std::net::UdpSocket;
use std::time::Duration;

use crate::carrier::Step::{Answer, AnswerSdp, Check, Recv};
use crate::carrier::{AUDIO, Carrier, Step, free_port};
use crate::rig::{Rig, config, listen, peer, with_password};
use yunling_switch::SwitchConfig;
use yunling_switch_contract::{Command, Engine, Orphan, Owner, Peer, Transport};

/// An engine at a port that its successor can have again.
fn at_port(port: u16) -> SwitchConfig {
    let mut config = config();
    config.sip_listen = vec![listen(Transport::Udp, &format!("127.0.0.1:{port}"))];
    config
}

fn invited(peer: Peer) -> Orphan {
    Orphan::Invited { peer, attempt: 0, to: "13800138000".into(), from: "01080001001".into() }
}

fn reap(rig: &Rig, orphan: Orphan) {
    let orphan = Box::new(orphan);
    rig.switch.send(Command::Reap { leg: rig.leg.clone(), owner: Owner(7), orphan }).unwrap();
}

/// Kills an engine in mid-call: its tasks stop where they stand, its sockets close, and nothing
/// more is said to the carrier.
async fn killed_at(line: &'static str, port: u16, peer: Peer) -> Rig {
    let life = move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let rig = runtime.block_on(async {
            let rig = Rig::with(at_port(port)).await;
            rig.dial(peer);
            rig.until(line).await;
            rig
        });
        runtime.shutdown_timeout(Duration::from_secs(5));
        rig
    };
    tokio::task::spawn_blocking(life).await.unwrap()
}

/// The port is free when the last reader of the crashed engine is gone.
async fn successor(port: u16) -> Rig {
    while UdpSocket::bind(("127.0.0.1", port)).is_err() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Rig::with(at_port(port)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_orphaned_ringing_phone_is_cancelled() {
    let carrier = Carrier::start(&[
        Recv("INVITE"),
        Answer("180 Ringing", ""),
        Check("CANCEL", "CSeq: 1 CANCEL"),
        Answer("200 OK", ""),
        Step::AnswerInvite("487 Request Terminated", ""),
        Recv("ACK"),
    ])
    .await;
    let (port, peer) = (free_port(), peer(carrier.port));
    drop(killed_at("Ringing", port, peer.clone()).await);
    let rig = successor(port).await;
    reap(&rig, invited(peer));
    rig.until("Reaped NeverAnswered").await;
    carrier.assert_content().await;
    assert_eq!(rig.lines().len(), 1, "{:?}", rig.lines());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_orphan_behind_two_challenges_is_cancelled_by_its_third_cseq() {
    let unknown = Answer("481 Call/Transaction Does Not Exist", "");
    let carrier = Carrier::start(&[
        Recv("INVITE"),
        Answer(
            "407 Proxy Authentication Required",
            "Proxy-Authenticate: Digest realm=\"p\", nonce=\"n\"\n",
        ),
        Recv("ACK"),
        Recv("INVITE"),
        Answer("401 Unauthorized", "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\"\n"),
        Recv("ACK"),
        Recv("INVITE"),
        Answer("180 Ringing", ""),
        Check("CANCEL", "CSeq: 1 CANCEL"),
        unknown,
        Check("CANCEL", "CSeq: 2 CANCEL"),
        unknown,
        Check("CANCEL", "CSeq: 3 CANCEL"),
        Answer("200 OK", ""),
        Check("CANCEL", "CSeq: 4 CANCEL"),
        unknown,
        Check("CANCEL", "CSeq: 5 CANCEL"),
        unknown,
        Step::AnswerInvite("487 Request Terminated", ""),
        Check("ACK", "CSeq: 3 ACK"),
    ])
    .await;
    let (port, peer) = (free_port(), with_password(peer(carrier.port)));
    drop(killed_at("Ringing", port, peer.clone()).await);
    let rig = successor(port).await;
    reap(&rig, invited(peer));
    rig.until("Reaped NeverAnswered").await;
    carrier.assert_content().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_orphan_that_answers_late_is_acknowledged_and_ended() {
    let carrier = Carrier::start(&[
        Recv("INVITE"),
        Answer("180 Ringing", ""),
        Recv("CANCEL"),
        Step::AnswerInviteSdp("200 OK", AUDIO),
        Recv("ACK"),
        Recv("BYE"),
        Answer("200 OK", ""),
    ])
    .await;
    let (port, peer) = (free_port(), peer(carrier.port));
    drop(killed_at("Ringing", port, peer.clone()).await);
    let rig = successor(port).await;
    reap(&rig, invited(peer));
    rig.until("Reaped Ended").await;
    carrier.assert_content().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answered_orphan_is_ended_from_its_stored_dialog() {
    let carrier = Carrier::start(&[
        Recv("INVITE"),
        AnswerSdp("200 OK", AUDIO),
        Recv("ACK"),
        Check("BYE", "CSeq: 20002 BYE"),
        Answer("200 OK", ""),
    ])
    .await;
    let (port, peer) = (free_port(), peer(carrier.port));
    let dead = killed_at("Answered", port, peer.clone()).await;
    let dialog = dead.dialog();
    drop(dead);
    let rig = successor(port).await;
    reap(&rig, Orphan::Answered { peer, dialog });
    rig.until("Reaped Ended").await;
    carrier.assert_content().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_orphan_that_nobody_knows_is_over_in_seconds() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let rig = Rig::start().await;
    reap(&rig, invited(peer(silent.local_addr().unwrap().port())));
    rig.until("Reaped Unknown(Termination { kind: NoReply, sip_code: None").await;

    let carrier =
        Carrier::start(&[Recv("CANCEL"), Answer("481 Call/Transaction Does Not Exist", "")]).await;
    let rig = Rig::start().await;
    reap(&rig, invited(peer(carrier.port)));
    rig.until("Reaped Unknown(Termination { kind: NoReply, sip_code: Some(481)").await;
    assert_eq!(rig.lines().len(), 1);
}

/// A datagram, and how the answer to it begins.
#[tokio::test(flavor = "multi_thread")]
async fn what_belongs_to_no_call_is_answered() {
    let rig = Rig::start().await;
    let outside = UdpSocket::bind("127.0.0.1:0").unwrap();
    outside.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let rows = [
        ("OPTIONS", "", "SIP/2.0 200 "),
        ("INVITE", "", "SIP/2.0 403 "),
        ("BYE", ";tag=x", "SIP/2.0 481 "),
        ("SUBSCRIBE", "", "SIP/2.0 403 "),
        ("FROBNICATE", "", "SIP/2.0 501 "),
    ];
    for (method, tag, answer) in rows {
        let request = format!(
            "{method} sip:a@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bK{method};rport\r\n\
             From: \"caf\u{e9}\" <sip:o@127.0.0.1>;tag=o\r\nTo: <sip:a@127.0.0.1>{tag}\r\n\
             Call-ID: outside-{method}\r\nCSeq: 1 {method}\r\nMax-Forwards: 70\r\n\r\n"
        );
        // Latin-1, as some gateways write names.
        let latin: Vec<u8> = request.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
        outside.send_to(&latin, rig.udp()).unwrap();
        let mut buffer = [0; 2_000];
        let length = outside.recv(&mut buffer).unwrap();
        let response = String::from_utf8_lossy(&buffer[..length]);
        assert!(response.starts_with(answer), "{method}: {response}");
        assert!(response.contains(&format!("Call-ID: outside-{method}")), "{response}");
    }
}
