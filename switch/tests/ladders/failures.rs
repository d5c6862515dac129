//! Calls that come to nothing.

use std::io::Read as _;
use std::net::{TcpListener, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::carrier::Step::{Answer, Check, Recv};
use crate::carrier::{Carrier, Step, free_port};
use crate::rig::{Events, Rig, config, listen, over_tcp, peer, timers, with_password};
use yunling_switch::{Switch, SwitchConfig};
use yunling_switch_contract::{Engine, HangUpWhy, Peer, Transport};

async fn refused(steps: &[Step], expected: &[&str], adapt: fn(Peer) -> Peer) {
    let carrier = Carrier::start(steps).await;
    let rig = Rig::start().await;
    rig.dial(adapt(peer(carrier.port)));
    rig.until("Ended").await;
    carrier.assert_content().await;
    rig.assert_ladder(expected);
}

/// What the carrier says, and the network's fact that comes of it.
#[tokio::test(flavor = "multi_thread")]
async fn final_responses_are_acknowledged_and_reported() {
    let rows = [
        (
            "486 Busy Here",
            "Reason: Q.850;cause=17;text=\"User busy\"\n",
            "Ended Rejected 486 Q.850 17 \"User busy\"",
        ),
        ("603 Decline", "", "Ended Rejected 603 \"Decline\""),
        (
            "404 Not Found",
            "Reason: SIP;cause=404, Q.850;cause=1\n",
            "Ended Rejected 404 Q.850 1 \"Not Found\"",
        ),
        ("503 Trunk Is Full", "", "Ended Rejected 503 \"Trunk Is Full\""),
        ("302 Moved Temporarily", "", "Ended Rejected 302 \"Moved Temporarily\""),
        (
            "401 Unauthorized",
            "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\"\n",
            "Ended Rejected 401 \"the trunk asks for a password, and none is set for it\"",
        ),
    ];
    for (status, headers, ended) in rows {
        refused(
            &[
                Recv("INVITE"),
                Answer("100 Trying", ""),
                Answer(status, headers),
                Check("ACK", "To: .*;tag=callee"),
            ],
            &["Trying", ended],
            |peer| peer,
        )
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_password_is_not_tried_again() {
    let challenge = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"\n";
    refused(
        &[
            Recv("INVITE"),
            Answer("401 Unauthorized", challenge),
            Recv("ACK"),
            Recv("INVITE"),
            Answer("401 Unauthorized", challenge),
            Recv("ACK"),
        ],
        &["Ended Rejected 401 \"the trunk refuses the user name or the password that are set for it\""],
        with_password,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_a_common_codec_is_ended_with_bye() {
    refused(
        &[
            Recv("INVITE"),
            Step::AnswerSdp("200 OK", "m=audio [media_port] RTP/AVP 18"),
            Recv("ACK"),
            Check("BYE", "Reason: Q.850;cause=88"),
            Answer("200 OK", ""),
        ],
        &["Ended NoCommonMedia 200 \"the peer speaks none of the codecs that we offered\""],
        |peer| peer,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_reply_at_all_ends_with_timer_b() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut quick = config();
    quick.timers.t1 = Duration::from_millis(20);
    let rig = Rig::with(quick).await;
    rig.dial(peer(silent.local_addr().unwrap().port()));
    rig.until("Ended").await;
    rig.assert_ladder(&["Ended NoReply"]);
    silent.set_nonblocking(true).unwrap();
    let mut buffer = [0; 2_000];
    let sent = std::iter::from_fn(|| silent.recv(&mut buffer).ok()).count();
    assert!(sent >= 6, "the INVITE was sent only {sent} times");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_platform_may_give_up_before_any_reply() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    silent.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let rig = Rig::start().await;
    rig.dial(peer(silent.local_addr().unwrap().port()));
    let mut buffer = [0; 2_000];
    let length = silent.recv(&mut buffer).unwrap();
    assert!(buffer[..length].starts_with(b"INVITE "));
    rig.hang_up(HangUpWhy::NoReply);
    rig.hang_up(HangUpWhy::NoReply);
    let asked = Instant::now();
    rig.until("Ended").await;
    assert!(asked.elapsed() < timers().farewell, "it is reported at once");
    rig.assert_ladder(&["Ended NoReply"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trunk_that_cannot_be_reached_says_so() {
    let rig = Rig::start().await;
    rig.dial(over_tcp(peer(free_port())));
    rig.until("Ended Unreachable").await;
    assert_eq!(rig.lines().len(), 1);

    let rig = Rig::start().await;
    let mut nowhere = peer(5060);
    nowhere.host = "no-such-host.invalid".into();
    rig.dial(nowhere);
    rig.until("Ended").await;
    rig.assert_ladder(&[
        "Ended Unreachable \"the host name no-such-host.invalid cannot be resolved\"",
    ]);
}

/// Whoever was answered at all may be ringing a phone: nobody else may be called then.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_connection_ends_the_call() {
    for (reply, told) in [("100 Trying", "Trying"), ("180 Ringing", "Ringing 180")] {
        let carrier = Carrier::over_tcp(&[Recv("INVITE"), Answer(reply, ""), Recv("BYE")]).await;
        let rig = Rig::start().await;
        rig.dial(over_tcp(peer(carrier.port)));
        rig.until(told).await;
        drop(carrier);
        rig.until("Ended").await;
        rig.assert_ladder(&[told, "Ended ConnectionLost \"the connection was lost\""]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_lost_before_any_reply_reached_nobody() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let carrier = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut begin = [0; 7];
        stream.read_exact(&mut begin).unwrap();
        assert_eq!(&begin, b"INVITE ");
    });
    let rig = Rig::start().await;
    rig.dial(over_tcp(peer(port)));
    rig.until("Ended").await;
    carrier.join().unwrap();
    rig.assert_ladder(&["Ended Unreachable \"the connection was lost\""]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_ends_its_leg_and_cancels_the_phone() {
    let carrier = Carrier::start(&[
        Recv("INVITE"),
        Answer("180 Ringing", ""),
        Recv("CANCEL"),
        Answer("200 OK", ""),
        Step::AnswerInvite("487 Request Terminated", ""),
    ])
    .await;
    let rig = Rig::start().await;
    rig.panic_at("Ringing 180");
    rig.dial(peer(carrier.port));
    rig.until("Ended").await;
    carrier.assert_content().await;
    rig.assert_ladder(&["Ringing 180", "Ended EngineFault \"a fault of the engine's\""]);
}

/// The intake of commands itself panics, at an event that it delivers: it goes on with the next.
#[tokio::test(flavor = "multi_thread")]
async fn a_panic_of_the_intake_loses_nothing_else() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let rig = Rig::start().await;
    rig.panic_at("Ended EngineFault \"the leg was dialled while it lives\"");
    let peer = peer(silent.local_addr().unwrap().port());
    rig.dial(peer.clone());
    rig.dial(peer);
    rig.until("Ended EngineFault").await;
    rig.hang_up(HangUpWhy::Requested);
    rig.until("Ended Cancelled").await;
    assert!(rig.switch.is_bound());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leg_that_lives_is_not_dialled_again() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let rig = Rig::start().await;
    let peer = peer(silent.local_addr().unwrap().port());
    rig.dial(peer.clone());
    rig.dial(peer.clone());
    rig.until("Ended EngineFault").await;
    rig.hang_up(HangUpWhy::Requested);
    rig.until("Ended Cancelled").await;
    rig.assert_ladder(&[
        "Ended EngineFault \"the leg was dialled while it lives\"",
        "Ended Cancelled",
    ]);
    // Draining takes no more.
    assert!(rig.switch.drain(Duration::from_secs(1)).await);
    let again = yunling_switch_contract::Command::Dial(Box::new(rig.dial_command(peer)));
    assert!(rig.switch.send(again).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_is_dropped_gives_its_sockets_back() {
    let rig = Rig::start().await;
    let address = rig.udp();
    assert!(UdpSocket::bind(address).is_err());
    drop(rig);
    let since = Instant::now();
    while UdpSocket::bind(address).is_err() {
        assert!(since.elapsed() < Duration::from_secs(20), "its tasks live on");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// What is wrong with the configuration, and what it is told.
#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_that_cannot_be_used_is_refused() {
    let rows = [
        (vec![], "sip.listen is empty".to_owned()),
        (
            vec![listen(Transport::Tcp, "127.0.0.1:0"), listen(Transport::Udp, "192.0.2.1:5060")],
            "sip.listen udp:192.0.2.1:5060 cannot be bound".to_owned(),
        ),
        (
            vec![listen(Transport::Udp, "0.0.0.0:0")],
            "sip.listen udp:0.0.0.0:0 binds every address".to_owned(),
        ),
    ];
    for (sip_listen, told) in rows {
        let config = SwitchConfig { sip_listen, ..config() };
        let refused = Switch::start(config, Arc::new(Events::default())).await.err().unwrap();
        assert!(refused.to_string().starts_with(&told), "{refused}");
    }
    let mut no_ports = config();
    no_ports.rtp.ports = 30_001..=30_001;
    let refused = Switch::start(no_ports, Arc::new(Events::default())).await.err().unwrap();
    assert!(refused.to_string().starts_with("rtp.ports"), "{refused}");
}
