//! Session timers (RFC 4028) against a real peer. A second of theirs is 20 ms here, so that the
//! least interval of 90 s takes 1.8.

use std::time::Duration;

use crate::carrier::Step::{
    Answer, AnswerBoth, AnswerSdp, Check, CheckReinvite, CheckStatus, Pause, Recv, RecvStatus,
    Send, SendBody,
};
use crate::carrier::{AUDIO, Carrier, Step};
use crate::rig::{Rig, config, peer, with_password};
use yunling_switch_contract::{Peer, SessionTimer};

const WE_REFRESH: &str = "Require: timer\nSession-Expires: 90;refresher=uac\n";
const PEER_REFRESHES: &str = "Require: timer\nSession-Expires: 90;refresher=uas\n";
const SDP: &str = "Content-Type: application/sdp\n";
const ITS_BYE: [Step; 2] = [Send("BYE", 9, ""), RecvStatus(200)];
const ITS_END: [&str; 2] = ["Answered PCMA 20 keys", "Ended RemoteBye"];

/// Goes through a call that the carrier, or the session's end, ends.
async fn session(steps: &[Step], expected: &[&str], adapt: fn(Peer) -> Peer) {
    let carrier = Carrier::start(steps).await;
    let mut config = config();
    config.timers.second = Duration::from_millis(20);
    let rig = Rig::with(config).await;
    rig.dial(adapt(peer(carrier.port)));
    rig.until("Ended").await;
    carrier.assert_content().await;
    rig.assert_ladder(expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn we_refresh_by_update() {
    let update =
        Check("UPDATE", "CSeq: [23] UPDATE.*Session-Expires: 90;refresher=uac.*Min-SE: 90");
    let steps = [
        &[
            Check("INVITE", "Supported: timer.*Session-Expires: 1800.*Min-SE: 90"),
            AnswerBoth(
                "200 OK",
                "Allow: INVITE, ACK, BYE, UPDATE\nRequire: timer\nSession-Expires: 90;refresher=uac\n",
                AUDIO,
            ),
            Recv("ACK"),
            update,
            Answer("200 OK", WE_REFRESH),
            update,
            Answer("200 OK", WE_REFRESH),
        ],
        &ITS_BYE[..],
    ]
    .concat();
    session(&steps, &ITS_END, |peer| peer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn we_refresh_by_re_invite_and_change_nothing() {
    let steps = [
        &[
            Check("INVITE", "o=- [0-9]+ 1 IN IP4"),
            AnswerBoth("200 OK", WE_REFRESH, AUDIO),
            Recv("ACK"),
            CheckReinvite("CSeq: 2 INVITE.*refresher=uac.*o=- [0-9]+ 1 IN IP4.*RTP/AVP 8 0 101"),
            Answer("100 Trying", ""),
            AnswerBoth("200 OK", WE_REFRESH, AUDIO),
            Check("ACK", "CSeq: 2 ACK"),
            // Glare, and again after a while.
            CheckReinvite("CSeq: 3 INVITE"),
            Answer("491 Request Pending", ""),
            Check("ACK", "CSeq: 3 ACK"),
            CheckReinvite("CSeq: 4 INVITE"),
            AnswerBoth("200 OK", WE_REFRESH, AUDIO),
            Check("ACK", "CSeq: 4 ACK"),
        ],
        &ITS_BYE[..],
    ]
    .concat();
    session(&steps, &ITS_END, |peer| peer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_survives_a_challenge_and_a_larger_interval() {
    let steps = [
        &[
            Check("INVITE", "Session-Expires: 90"),
            Answer("422 Session Interval Too Small", "Min-SE: 120\n"),
            Recv("ACK"),
            Check("INVITE", "CSeq: 2 INVITE.*Session-Expires: 120.*Min-SE: 120"),
            AnswerBoth(
                "200 OK",
                "Allow: UPDATE\nRequire: timer\nSession-Expires: 120;refresher=uac\n",
                AUDIO,
            ),
            Recv("ACK"),
            Check("UPDATE", "Session-Expires: 120"),
            Answer(
                "407 Proxy Authentication Required",
                "Proxy-Authenticate: Digest realm=\"r\", nonce=\"n1\", qop=\"auth\"\n",
            ),
            Check("UPDATE", "Proxy-Authorization: Digest .*uri=\"sip:callee@.*nc=00000001"),
            Answer("422 Session Interval Too Small", "Min-SE: 150\n"),
            Check("UPDATE", "Session-Expires: 150;refresher=uac.*nc=00000002|nc=00000002.*: 150;"),
            Answer("200 OK", "Require: timer\nSession-Expires: 150;refresher=uac\n"),
        ],
        &ITS_BYE[..],
    ]
    .concat();
    session(&steps, &ITS_END, |peer| Peer {
        session_timer: SessionTimer::Offered { interval_s: 90, min_s: 90, refresher: None },
        ..with_password(peer)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_refreshes_is_answered_and_one_that_stops_is_ended() {
    let agreed = "Session-Expires: 90;refresher=uac.*Require: timer";
    let offer = "v=0\no=- 1 1 IN IP4 [local_ip]\ns=-\nc=IN IP4 [local_ip]\nt=0 0\n\
        m=audio [media_port] RTP/AVP 8";
    session(
        &[
            Recv("INVITE"),
            AnswerBoth("200 OK", PEER_REFRESHES, AUDIO),
            Recv("ACK"),
            Pause(900),
            Send("UPDATE", 1, "Supported: timer\nSession-Expires: 90;refresher=uac\n"),
            CheckStatus(200, agreed),
            Pause(900),
            SendBody(
                "INVITE",
                2,
                "Supported: timer\nSession-Expires: 90;refresher=uac\nContent-Type: application/sdp\n",
                offer,
            ),
            CheckStatus(200, agreed),
            Send("ACK", 2, ""),
            Send("UPDATE", 3, "Supported: timer\nSession-Expires: 60\n"),
            CheckStatus(422, "Min-SE: 90"),
            Check("BYE", "Reason: Q.850;cause=102"),
            Answer("200 OK", ""),
        ],
        &[
            "Answered PCMA 20 keys",
            "Ended SessionExpired \"the peer did not refresh the session in time\"",
        ],
        |peer| peer,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_lost_the_call_is_ended() {
    session(
        &[
            Recv("INVITE"),
            AnswerBoth("200 OK", WE_REFRESH, AUDIO),
            Recv("ACK"),
            CheckReinvite("refresher=uac"),
            Answer("481 Call/Transaction Does Not Exist", ""),
            Recv("ACK"),
            Recv("BYE"),
            Answer("481 Call/Transaction Does Not Exist", ""),
        ],
        &[
            "Answered PCMA 20 keys",
            "Ended SessionExpired 481 \"the peer no longer knew the call when its session was refreshed\"",
        ],
        |peer| peer,
    )
    .await;
}

/// A timer that is off: nothing is asked for, and a peer that asks is answered.
#[tokio::test(flavor = "multi_thread")]
async fn a_timer_that_is_off_is_answered_all_the_same() {
    let steps = [
        &[
            Recv("INVITE"),
            AnswerSdp("200 OK", AUDIO),
            Recv("ACK"),
            Send("UPDATE", 1, "Supported: timer\nSession-Expires: 90;refresher=uac\n"),
            CheckStatus(200, "Session-Expires: 90;refresher=uac"),
            Pause(2_500),
            SendBody("UPDATE", 2, SDP, "v=0\no=- 1 1 IN IP4 [local_ip]\ns=-\nc=IN IP4 [local_ip]\nt=0 0\nm=audio [media_port] RTP/AVP 8"),
            RecvStatus(200),
        ],
        &ITS_BYE[..],
    ]
    .concat();
    session(&steps, &ITS_END, |peer| Peer { session_timer: SessionTimer::Off, ..peer }).await;
}
