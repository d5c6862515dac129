//! What the peer asks for while we talk.

use crate::carrier::Step::{
    Answer, AnswerSdp, Check, CheckStatus, Recv, RecvStatus, Send, SendBody,
};
use crate::carrier::{AUDIO, Carrier, Step};
use crate::rig::{Rig, peer};
use yunling_switch_contract::HangUpWhy;

const ANSWERED: [Step; 3] = [Recv("INVITE"), AnswerSdp("200 OK", AUDIO), Recv("ACK")];
const OUR_BYE: [Step; 2] = [Recv("BYE"), Answer("200 OK", "")];

/// Plays so long from the answer on, and hangs up when a line comes.
async fn talk(steps: &[Step], play_ms: u32, until: &str, expected: &[&str]) {
    let carrier = Carrier::start(steps).await;
    let rig = Rig::start().await;
    rig.dial(peer(carrier.port));
    rig.until("Answered").await;
    rig.play(1, play_ms);
    rig.until(until).await;
    rig.hang_up(HangUpWhy::Normal);
    rig.until("Ended").await;
    carrier.assert_content().await;
    rig.assert_ladder(expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_peer_hangs_up_in_mid_play() {
    let steps = [
        &ANSWERED[..],
        &[
            Step::Pause(300),
            Send("BYE", 1, "Reason: Q.850;cause=31;text=\"Normal, unspecified\"\n"),
            RecvStatus(200),
        ],
    ]
    .concat();
    talk(
        &steps,
        60_000,
        "Ended",
        &[
            "Answered PCMA 20 keys",
            "PlayFinished 1 LegEnded",
            "Ended RemoteBye Q.850 31 \"Normal, unspecified\"",
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_re_invite_in_mid_play_changes_the_codec_and_the_play_goes_on() {
    let offer = "v=0\no=- 1 2 IN IP4 [local_ip]\ns=-\nc=IN IP4 [local_ip]\nt=0 0\n\
        m=audio [media_port] RTP/AVP 0 96\na=rtpmap:96 telephone-event/8000\na=ptime:40";
    let steps = [
        &ANSWERED[..],
        &[
            Step::Pause(200),
            SendBody("INVITE", 1, "Content-Type: application/sdp\n", offer),
            CheckStatus(200, "m=audio [0-9]+ RTP/AVP 0 96.*a=rtpmap:0 PCMU/8000.*a=sendrecv"),
            Send("ACK", 1, ""),
        ],
        &OUR_BYE,
    ]
    .concat();
    talk(
        &steps,
        1_000,
        "PlayFinished",
        &["Answered PCMA 20 keys", "PlayMark 1 1", "PlayFinished 1 Completed", "Ended LocalBye"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hold_and_retrieval_an_empty_re_invite_and_an_update_are_answered() {
    let held = "v=0\no=- 1 2 IN IP4 [local_ip]\ns=-\nc=IN IP4 0.0.0.0\nt=0 0\n\
        m=audio [media_port] RTP/AVP 8\na=sendonly";
    let back = "v=0\no=- 1 3 IN IP4 [local_ip]\ns=-\nc=IN IP4 [local_ip]\nt=0 0\n\
        m=audio [media_port] RTP/AVP 8";
    let sdp = "Content-Type: application/sdp\n";
    let steps = [
        &ANSWERED[..],
        &[
            SendBody("INVITE", 1, sdp, held),
            CheckStatus(200, "a=recvonly"),
            Send("ACK", 1, ""),
            SendBody("UPDATE", 2, sdp, back),
            CheckStatus(200, "a=sendrecv"),
            // Without an offer of its own: ours is in the 200, its answer in the ACK.
            Send("INVITE", 3, ""),
            CheckStatus(200, "m=audio [0-9]+ RTP/AVP 8 0 101"),
            SendBody("ACK", 3, sdp, back),
            Send("UPDATE", 4, ""),
            RecvStatus(200),
        ],
        &OUR_BYE,
    ]
    .concat();
    talk(
        &steps,
        1_500,
        "PlayFinished",
        &["Answered PCMA 20 keys", "PlayMark 1 1", "PlayFinished 1 Completed", "Ended LocalBye"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_come_by_info() {
    let relay = "Content-Type: application/dtmf-relay\n";
    let steps = [
        &ANSWERED[..],
        &[
            SendBody("INFO", 1, relay, "Signal=1\nDuration=160"),
            RecvStatus(200),
            SendBody("INFO", 2, "Content-Type: application/dtmf\n", "#"),
            RecvStatus(200),
            SendBody("INFO", 3, "Content-Type: text/plain\n", "5"),
            RecvStatus(415),
            SendBody("INFO", 4, relay, "Signal=2"),
            RecvStatus(200),
        ],
        &OUR_BYE,
    ]
    .concat();
    talk(
        &steps,
        60_000,
        "Key 2",
        &[
            "Answered PCMA 20 keys",
            "Key 1 Info",
            "Key # Info",
            "Key 2 Info",
            "PlayFinished 1 LegEnded",
            "Ended LocalBye",
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_belong_is_refused_and_the_call_goes_on() {
    let foreign = "v=0\no=- 1 2 IN IP4 [local_ip]\ns=-\nc=IN IP4 [local_ip]\nt=0 0\n\
        m=audio [media_port] RTP/AVP 18";
    let steps = [
        &ANSWERED[..],
        &[
            Send("OPTIONS", 5, ""),
            CheckStatus(200, "Allow: INVITE, ACK"),
            Send("MESSAGE", 6, ""),
            CheckStatus(405, "Allow: INVITE, ACK"),
            // Numbered below what came before (RFC 3261 §12.2.2).
            Send("OPTIONS", 4, ""),
            RecvStatus(500),
            SendBody("INVITE", 8, "Content-Type: application/sdp\n", foreign),
            CheckStatus(488, "Warning: 399"),
            Send("ACK", 8, ""),
        ],
        &OUR_BYE,
    ]
    .concat();
    talk(
        &steps,
        800,
        "PlayFinished",
        &["Answered PCMA 20 keys", "PlayMark 1 1", "PlayFinished 1 Completed", "Ended LocalBye"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_play_before_the_answer_is_refused() {
    let carrier = Carrier::start(&[
        Recv("INVITE"),
        Answer("180 Ringing", ""),
        Check("CANCEL", "CANCEL"),
        Answer("200 OK", ""),
        Step::AnswerInvite("487 Request Terminated", ""),
        Recv("ACK"),
    ])
    .await;
    let rig = Rig::start().await;
    rig.dial(peer(carrier.port));
    rig.until("Ringing").await;
    rig.play(4, 100);
    rig.until("PlayFinished").await;
    rig.hang_up(HangUpWhy::OtherPartyLeft);
    rig.until("Ended").await;
    carrier.assert_content().await;
    rig.assert_ladder(&[
        "Ringing 180",
        "PlayFinished 4 Refused",
        "Ended Cancelled 487 \"Request Terminated\"",
    ]);
}
