//! Many calls at once: each has exactly one end, and all share what there is to share.

use std::time::{Duration, Instant};

use crate::carrier::Step::{Answer, AnswerSdp, Recv};
use crate::carrier::{AUDIO, Carrier};
use crate::rig::{Rig, config, over_tcp, peer};
use yunling_switch_contract::{Command, Engine, HangUpWhy, LegId, Peer};

const CALLS: usize = 400;

async fn burst(transport: &str, adapt: fn(Peer) -> Peer) {
    let steps = [
        Recv("INVITE"),
        Answer("180 Ringing", ""),
        AnswerSdp("200 OK", AUDIO),
        Recv("ACK"),
        Recv("BYE"),
        Answer("200 OK", ""),
    ];
    let calls = u32::try_from(CALLS).unwrap();
    let carrier = Carrier::launch(&steps, transport, calls).await;
    let mut roomy = config();
    roomy.rtp.ports = 34_000..=35_999;
    roomy.timers.t1 = Duration::from_millis(500);
    let rig = Rig::with(roomy).await;
    let began = Instant::now();
    let legs: Vec<LegId> = (0..CALLS).map(|number| LegId::new(format!("CA{number}"))).collect();
    for leg in &legs {
        let mut dial = rig.dial_command(adapt(peer(carrier.port)));
        dial.leg = leg.clone();
        send(&rig, Command::Dial(Box::new(dial))).await;
    }
    rig.until_count("Answered", CALLS).await;
    eprintln!("{CALLS} calls answered over {transport} in {:?}", began.elapsed());
    for leg in &legs {
        send(&rig, Command::HangUp { leg: leg.clone(), why: HangUpWhy::Normal }).await;
    }
    rig.until_count("Ended", CALLS).await;
    carrier.assert_content().await;
    assert_eq!(rig.count("Ringing 180"), (CALLS, CALLS));
    assert_eq!(rig.count("Ended LocalBye"), (CALLS, CALLS));
}

/// Some hundreds a second, which sipp's socket can hold. The queue is small: whoever finds it full
/// tries again.
async fn send(rig: &Rig, command: Command) {
    tokio::time::sleep(Duration::from_millis(1)).await;
    while rig.switch.send(command.clone()).is_err() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_calls_at_once_over_udp() {
    burst("u1", |peer| peer).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_calls_at_once_share_one_connection() {
    // sipp's `t1` is a single connection: a second one would be another call's stranger.
    burst("t1", over_tcp).await;
}
