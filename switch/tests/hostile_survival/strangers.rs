//! Packets of a source that signalling does not vouch for, against a live call.

use std::io::ErrorKind;

use yunling_switch_contract::{EventKind, LegId};

use crate::counters;
use crate::phone::{Phone, key_press};
use crate::rig::{Rig, UNLIMITED, own_address, socket};

/// RTP and RTCP from elsewhere are neither heard nor answered, before and after the peer speaks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn media_of_a_stranger_is_neither_heard_nor_answered() {
    let (rig, leg) = (Rig::start(UNLIMITED).await, LegId::new("CAstranger"));
    let phone = Phone::new();
    rig.dial(&leg, phone.port());
    let phone = tokio::task::spawn_blocking(|| phone.answer()).await.unwrap();
    rig.until_answered(&leg).await;
    let stranger = own_address();
    let (rtp, rtcp) = (socket(stranger, 0), socket(stranger, 0));
    let control = (phone.media.ip(), phone.media.port() + 1);
    let receiver_report = [0x80, 201, 0, 1, 0, 0, 0, 9];
    let mut sent = 0;
    for turn in 0..2u16 {
        for packet in key_press(9, 100 + turn * 10) {
            rtp.send_to(&packet, phone.media).unwrap();
            sent += 1;
        }
        for _ in 0..10 {
            rtcp.send_to(&receiver_report, control).unwrap();
            sent += 1;
        }
        // Read in the order in which it came: what was before this key has been judged.
        let key = ['1', '2'][usize::from(turn)];
        phone.press(u8::try_from(turn).unwrap() + 1, turn * 1_000);
        rig.until(&leg, "key", |kind| {
            matches!(kind, EventKind::Key { key: found, .. } if *found == key).then_some(())
        })
        .await;
    }
    // RTCP has a socket of its own, which has its turn no later than this.
    rig.play(&leg, 1);
    rig.until(&leg, "end of the play", |kind| {
        matches!(kind, EventKind::PlayFinished { .. }).then_some(())
    })
    .await;
    assert!(!rig.kinds(&leg).iter().any(|kind| kind.contains("'9'")), "{:#?}", rig.kinds(&leg));
    for socket in [&rtp, &rtcp] {
        socket.set_nonblocking(true).unwrap();
        let got = socket.recv(&mut [0; 64]);
        assert_eq!(got.unwrap_err().kind(), ErrorKind::WouldBlock, "the stranger was answered");
    }
    rig.hang_up(&leg);
    let figures = rig.until_ended(&leg).await;
    assert_eq!(figures.foreign_packets, sent);
    phone.stop();
    rig.until_idle().await;
    counters::assert_nothing_panicked();
}
