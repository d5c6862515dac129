use std::net::SocketAddr;

use yunling_switch_contract::EventKind;

use super::super::Agreed;
use super::super::reception::ReportBlock;
use super::super::rtcp::{self, Heard, Report, SenderInfo, SinceSenderReport};
use super::rig::{Peer, Rig};

const EVENT_TYPE: u8 = 101;
const SILENCE: [u8; 160] = [0xD5; 160];

/// The next RTCP packet that a peer gets.
fn report(peer: &Peer) -> Vec<u8> {
    let mut buffer = [0; 500];
    let length = peer.rtcp.recv(&mut buffer).expect("a report comes");
    buffer[..length].to_vec()
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap())
}

#[tokio::test]
async fn reports_go_both_ways() {
    let rig = Rig::new(1);
    let leg = rig.open("reports");
    let mut peer = Peer::new(leg.local());
    leg.connect(Agreed { telephone_event: Some(EVENT_TYPE), ..peer.agreed() });
    let first = peer.receive();
    for _ in 0..4 {
        peer.send(8, &SILENCE);
        peer.lose();
    }
    peer.send(8, &SILENCE);

    // Theirs: a sender report on us, with one of our first 4 packets missing.
    let ours = report(&peer);
    assert_eq!((ours[0], ours[1]), (0x81, 200), "a sender report with one block");
    assert_eq!(u32_at(&ours, 4), first.header.ssrc);
    assert_eq!(u32_at(&ours, 28), peer.ssrc, "the block is about the peer");
    assert_eq!(u32_at(&ours, 32) & 0xFF_FFFF, 4, "four packets lost");
    let their = Report {
        ssrc: peer.ssrc,
        sender: Some(SenderInfo {
            ntp: 0x1234_5678_9ABC_DEF0,
            timestamp: 0,
            packets: 5,
            octets: 800,
        }),
        block: Some((
            ReportBlock {
                ssrc: first.header.ssrc,
                fraction_lost: 64,
                cumulative_lost: 1,
                extended_highest: u32::from(first.header.sequence) + 3,
                jitter: 0,
            },
            SinceSenderReport { last_report: u32_at(&ours, 10), delay: 0 },
        )),
        cname: b"peer@example.com",
        bye: false,
    };
    let mut buffer = [0; rtcp::MAX_LEN];
    let length = rtcp::build(&their, &mut buffer);
    let to = SocketAddr::new(leg.local().ip(), leg.local().port() + 1);
    peer.rtcp.send_to(&buffer[..length], to).unwrap();

    // A key sent after the report is read in the same pass or a later one.
    peer.press(EVENT_TYPE, 1);
    assert!(matches!(rig.kind(), EventKind::Key { .. }));
    peer.receive();
    let next = report(&peer);
    assert_eq!(u32_at(&next, 44), 0x5678_9ABC, "our block echoes their report");

    let figures = leg.close().await;
    assert_eq!(figures.received_packets, 5 + 5);
    assert_eq!(figures.lost_packets, 4);
    assert_eq!(figures.reported_loss, Some(0.25));
    assert!(figures.round_trip_ms.is_some_and(|ms| ms < 10_000.0), "{figures:?}");
    assert!(figures.sent_packets > 100, "{figures:?}");
    let bye = report(&peer);
    assert_eq!(bye[bye.len() - 8..bye.len() - 4], [0x81, 203, 0, 1], "it takes leave");
    assert_eq!(rtcp::parse(&bye, 1).and_then(|heard: Heard| heard.about_us), None);
}
