//! Asking trunks for signs of life.

use std::net::UdpSocket;

use yunling_switch_contract::TrunkEventKind;

use crate::carrier::Carrier;
use crate::carrier::Step::{Answer, Check};
use crate::rig::{Rig, over_tcp, peer};
use crate::trunk_rig::{hasty, probed};

#[tokio::test(flavor = "multi_thread")]
async fn any_answer_is_a_sign_of_life_but_408_and_503() {
    let carrier = Carrier::start(&[
        Check(
            "OPTIONS",
            "^OPTIONS sip:127.0.0.1:[0-9]+ SIP.*CSeq: 1 OPTIONS.*Accept: application/sdp",
        ),
        Answer("200 OK", ""),
        Check("OPTIONS", "CSeq: 2 OPTIONS"),
        Answer("503 Service Unavailable", ""),
        Check("OPTIONS", "CSeq: 3 OPTIONS"),
        Answer("408 Request Timeout", ""),
        Check("OPTIONS", "CSeq: 4 OPTIONS"),
        Answer("404 Not Found", ""),
    ])
    .await;
    let rig = Rig::with(hasty()).await;
    rig.keep(&[probed(peer(carrier.port))]);
    rig.until_trunk("sipp", "Alive 404", 1).await;
    carrier.assert_content().await;
    assert_eq!(
        rig.of_trunk("sipp"),
        [
            "Alive 200",
            "Silent 1 503 Service Unavailable",
            "Silent 2 408 Request Timeout",
            "Alive 404"
        ]
    );
    let events = rig.events.trunks.lock();
    let TrunkEventKind::Alive { round_trip_ms, .. } = events[0].kind else { panic!("alive first") };
    assert!(round_trip_ms > 0.0 && round_trip_ms < 30_000.0, "{round_trip_ms}");
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_is_counted_and_a_trunk_that_cannot_be_reached_says_why() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let rig = Rig::with(hasty()).await;
    let mut refusing = over_tcp(peer(crate::carrier::free_port()));
    refusing.name = "refusing".into();
    rig.keep(&[probed(peer(silent.local_addr().unwrap().port())), probed(refusing)]);
    rig.until_trunk("sipp", "Silent", 3).await;
    rig.until_trunk("refusing", "Silent", 3).await;
    let lines = rig.of_trunk("sipp");
    assert_eq!(
        lines[..3],
        ["Silent 1 no answer came", "Silent 2 no answer came", "Silent 3 no answer came"]
    );
    let refused = &rig.of_trunk("refusing")[0];
    assert!(refused.contains("cannot be reached: Connection refused"), "{refused}");
    // No more of either from here on.
    rig.keep(&[]);
    rig.switch.close().await;
}
