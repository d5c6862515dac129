//! Calls that are answered: what may happen on the way.

use crate::carrier::Step::{Answer, AnswerSdp, Check, Recv};
use crate::carrier::{AUDIO, Carrier, Step};
use crate::rig::{Rig, over_tcp, peer, with_password};
use yunling_switch_contract::HangUpWhy;

/// Dials, plays when answered, hangs up when the play is over.
async fn notice(steps: &[Step], expected: &[&str], password: bool) {
    let carrier = Carrier::start(steps).await;
    let rig = Rig::start().await;
    let peer = peer(carrier.port);
    rig.dial(if password { with_password(peer) } else { peer });
    rig.until("Answered").await;
    rig.play(1, 100);
    rig.until("PlayFinished").await;
    rig.hang_up(HangUpWhy::Normal);
    rig.until("Ended").await;
    carrier.assert_content().await;
    rig.assert_ladder(expected);
}

const PLAYED: [&str; 3] = ["PlayMark 1 1", "PlayFinished 1 Completed", "Ended LocalBye"];

#[tokio::test(flavor = "multi_thread")]
async fn trying_ringing_answer_play_and_bye() {
    notice(
        &[
            Check("INVITE", "P-Asserted-Identity: <sip:01080001001@127.0.0.1>"),
            Answer("100 Trying", ""),
            Answer("180 Ringing", ""),
            Answer("180 Ringing", ""),
            AnswerSdp("200 OK", AUDIO),
            Check("ACK", "To: .*;tag=callee"),
            Check("BYE", "Reason: Q.850;cause=16"),
            Answer("200 OK", ""),
        ],
        &[&["Trying", "Ringing 180", "Ringing 180", "Answered PCMA 20 keys"], &PLAYED[..]].concat(),
        false,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn early_media_that_the_answer_does_not_repeat() {
    notice(
        &[
            Recv("INVITE"),
            AnswerSdp("183 Session Progress", "m=audio [media_port] RTP/AVP 0\na=ptime:40"),
            Answer("200 OK", ""),
            Recv("ACK"),
            Recv("BYE"),
            Answer("200 OK", ""),
        ],
        &[&["Ringing 183 early", "Answered PCMU 40"], &PLAYED[..]].concat(),
        false,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forwarding_and_queueing_are_ringing_too() {
    notice(
        &[
            Recv("INVITE"),
            Answer("181 Call Is Being Forwarded", ""),
            Answer("182 Queued", ""),
            AnswerSdp("200 OK", AUDIO),
            Recv("ACK"),
            Recv("BYE"),
            Answer("200 OK", ""),
        ],
        &[&["Ringing 181", "Ringing 182", "Answered PCMA 20 keys"], &PLAYED[..]].concat(),
        false,
    )
    .await;
}

/// Each kind of challenge: the response's status line, its header, and what the second INVITE must
/// carry.
#[tokio::test(flavor = "multi_thread")]
async fn challenges_are_answered() {
    let rows = [
        (
            "401 Unauthorized",
            "WWW-Authenticate: Digest realm=\"r\", nonce=\"n1\", qop=\"auth\", algorithm=MD5\n",
            "Authorization: Digest username=.u1.*algorithm=MD5.*qop=auth, nc=00000001",
        ),
        (
            "401 Unauthorized",
            "WWW-Authenticate: Digest realm=\"r\", nonce=\"n1\", algorithm=MD5\n\
             WWW-Authenticate: Digest realm=\"r\", nonce=\"n2\", qop=\"auth\", algorithm=SHA-256\n",
            "Authorization: Digest .*nonce=.n2.*algorithm=SHA-256.*nc=00000001",
        ),
        (
            "407 Proxy Authentication Required",
            "Proxy-Authenticate: Digest realm=r, nonce=n1, algorithm=\"MD5\"\n",
            "Proxy-Authorization: Digest .*nonce=.n1",
        ),
        (
            "407 Proxy Authentication Required",
            "Proxy-Authenticate: Digest realm=\"r\", nonce=\"n1\", qop=\"auth\", algorithm=SHA-256\n",
            "Proxy-Authorization: Digest .*algorithm=SHA-256",
        ),
    ];
    for (status, challenge, answer) in rows {
        notice(
            &[
                Check("INVITE", "CSeq: 1 INVITE"),
                Answer(status, challenge),
                Check("ACK", "CSeq: 1 ACK"),
                Check("INVITE", answer),
                Answer("180 Ringing", ""),
                AnswerSdp("200 OK", AUDIO),
                Check("ACK", "CSeq: 2 ACK"),
                Check("BYE", "CSeq: 3 BYE"),
                Answer("200 OK", ""),
            ],
            &[&["Ringing 180", "Answered PCMA 20 keys"], &PLAYED[..]].concat(),
            true,
        )
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_nonce_is_answered_once_more_and_a_bye_may_be_challenged() {
    let challenge = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n1\", qop=\"auth\"\n";
    let stale = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n2\", qop=\"auth\", stale=true\n";
    notice(
        &[
            Recv("INVITE"),
            Answer("401 Unauthorized", challenge),
            Recv("ACK"),
            Check("INVITE", "nonce=.n1"),
            Answer("401 Unauthorized", stale),
            Recv("ACK"),
            Check("INVITE", "nonce=.n2.*nc=00000001"),
            AnswerSdp("200 OK", AUDIO),
            Check("ACK", "nonce=.n2"),
            Check("BYE", "nonce=.n2.*nc=00000002"),
            Answer("401 Unauthorized", challenge),
            Check("BYE", "nonce=.n1.*nc=00000001"),
            Answer("200 OK", ""),
        ],
        &[&["Answered PCMA 20 keys"], &PLAYED[..]].concat(),
        true,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn routes_are_followed_in_reverse() {
    // The carrier's own entry is the last, so it comes first for us (RFC 3261 §12.1.2).
    let record = "Record-Route: <sip:10.9.9.9;lr>, <sip:[local_ip]:[local_port];lr>\n";
    let in_order =
        "^[A-Z]+ sip:callee@.*Route: <sip:127.0.0.1:[0-9]+;lr>.*Route: <sip:10.9.9.9;lr>";
    notice(
        &[
            Recv("INVITE"),
            Step::AnswerBoth("200 OK", record, AUDIO),
            Check("ACK", in_order),
            Check("BYE", in_order),
            Answer("200 OK", ""),
        ],
        &[&["Answered PCMA 20 keys"], &PLAYED[..]].concat(),
        false,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tcp_carries_a_whole_call() {
    let carrier = Carrier::over_tcp(&[
        Check("INVITE", "Via: SIP/2.0/TCP"),
        Answer("180 Ringing", ""),
        AnswerSdp("200 OK", AUDIO),
        Recv("ACK"),
        Recv("BYE"),
        Answer("200 OK", ""),
    ])
    .await;
    let rig = Rig::start().await;
    rig.dial(over_tcp(peer(carrier.port)));
    rig.until("Answered").await;
    rig.hang_up(HangUpWhy::Normal);
    rig.until("Ended").await;
    carrier.assert_content().await;
    rig.assert_ladder(&["Ringing 180", "Answered PCMA 20 keys", "Ended LocalBye"]);
}
