//! Packets of a peer that sends anything, to the RTP and the RTCP port, in any order.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use yunling_fuzz::{Limits, Target};
use yunling_switch_contract::{Codec, Event, EventSink, LegId, Owner, TrunkEvent};

use super::super::events::LegEvents;
use super::super::heard::Heard;
use super::super::hearing::Hearing;
use super::super::meter::Meter;
use super::super::reports::Reports;
use super::super::rtcp;
use super::super::rtp::{self, Header};
use super::super::sender::Sender;
use super::super::socket::Datagram;
use super::super::{Agreed, Phase};

/// Where a packet of an input goes and how long it is: a byte, then two.
const RTP_PORT: u8 = 0;
const RTCP_PORT: u8 = 1;
const OUR_SSRC: u32 = 0x0102_0304;

/// Counts events.
#[derive(Default)]
pub(super) struct Counter(AtomicUsize);

impl EventSink for Counter {
    fn deliver(&self, _event: Event) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn trunk(&self, _event: TrunkEvent) {}
}

/// What was agreed on with the peer that sends anything.
pub(super) fn agreed() -> Agreed {
    Agreed {
        phase: Phase::Answered,
        remote: "192.0.2.1:4000".parse().unwrap(),
        remote_rtcp: "192.0.2.1:4001".parse().unwrap(),
        codec: Codec::Pcma,
        telephone_event: Some(101),
        telephone_event_too: None,
        ptime_ms: 20,
        send: true,
        receive: true,
        allowed: vec!["192.0.2.1".parse().unwrap()],
    }
}

fn framed(packets: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut input = Vec::new();
    for (port, packet) in packets {
        input.push(*port);
        input.extend_from_slice(&u16::try_from(packet.len()).unwrap().to_be_bytes());
        input.extend_from_slice(packet);
    }
    input
}

fn packet(sequence: u16, payload_type: u8, payload: &[u8]) -> (u8, Vec<u8>) {
    let (timestamp, marker) = (u32::from(sequence) * 160, sequence == 0);
    let header = Header { marker, payload_type, sequence, timestamp, ssrc: 9 };
    (RTP_PORT, [&header.to_bytes()[..], payload].concat())
}

/// The packets of an input, and whether each goes to the RTCP port.
pub(super) fn packets(mut input: &[u8]) -> impl Iterator<Item = (bool, &[u8])> {
    std::iter::from_fn(move || {
        let (&[port, high, low], after) = input.split_first_chunk::<3>()?;
        let length = usize::from(u16::from_be_bytes([high, low])).min(after.len());
        let (packet, rest) = after.split_at(length);
        input = rest;
        Some((port & 1 == RTCP_PORT, packet))
    })
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let key = |end: u8, duration: u8| [5, end | 10, 0, duration];
    let sender_report = vec![
        0x81, 200, 0, 12, 0, 0, 0, 9, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 5, 0, 0, 0, 6, 0, 0, 0, 7,
        1, 2, 3, 4, 12, 0xFF, 0xFF, 0xFD, 0, 1, 0, 2, 0, 0, 0, 7, 0, 0, 0, 8, 0, 0, 0, 9, 0x81,
        202, 0, 2, 0, 0, 0, 9, 1, 1, b'x', 0,
    ];
    let goodbye = vec![0x80, 201, 0, 1, 0, 0, 0, 9, 0x81, 203, 0, 1, 0, 0, 0, 9];
    let extended = [&[0xBE, 0xDE, 0, 1, 9, 9, 9, 9][..], &[0xD5; 160]].concat();
    vec![
        framed(&(0..12).map(|n| packet(n, 8, &[0xD5; 160])).collect::<Vec<_>>()),
        framed(&[
            packet(1, 8, &[7; 160]),
            packet(2, 101, &key(0, 80)),
            packet(3, 101, &key(0x80, 160)),
            packet(4, 101, &[5, 10, 0xFF, 0xFF]),
        ]),
        framed(&[packet(65_535, 0, &[7; 80]), packet(0, 13, &[40]), packet(1, 77, &extended)]),
        framed(&[packet(1, 8, &[1; 20]), (RTCP_PORT, sender_report), (RTCP_PORT, goodbye)]),
    ]
}

#[test]
fn any_packets_are_survived_and_none_costs_memory() {
    let target = Target {
        name: "media_packets",
        run_by: "test -p yunling-switch --lib media::tests::hostile",
        seeds: seeds(),
        words: &[],
        longest: 16_384,
        limits: Limits { cpu_ms: 500, fixed_bytes: 64 << 10, bytes_per_byte: 0 },
    };
    let agreed = agreed();
    target.run(|input| {
        let now = Instant::now();
        let sink = Arc::new(Counter::default());
        let keys = Arc::clone(&sink);
        let events = LegEvents { owner: Owner(1), leg: LegId::new("fuzz"), sink };
        let (mut hearing, mut meter) = (Hearing::new(&agreed), Meter::new(0, now));
        let mut reports = Reports::new(&agreed, 1, now);
        let sender = Sender::new(OUR_SSRC, 1, 1);
        hearing.listen_for_tones(input.first().is_some_and(|first| first & 0x80 != 0));
        let mut heard = Heard::default();
        let (mut arrived, mut taken) = (0u32, 0usize);
        for (is_rtcp, bytes) in packets(input) {
            arrived = arrived.wrapping_add(160);
            taken += 1;
            if is_rtcp {
                let from = agreed.remote_rtcp;
                reports.take(Datagram { bytes, from, arrived }, &sender, &mut meter);
                if let Some(heard) = rtcp::parse(bytes, OUR_SSRC) {
                    let lost = heard.about_us.map_or(0, |about| about.cumulative_lost);
                    assert!((-(1 << 23)..1 << 23).contains(&lost), "24 bits are signed: {lost}");
                }
            } else {
                let from = agreed.remote;
                let datagram = Datagram { bytes, from, arrived };
                heard.begin(true);
                hearing.take(datagram, &agreed, &events, &mut heard, &mut meter);
                if let Some(packet) = rtp::parse(bytes) {
                    assert!(packet.payload.len() + rtp::HEADER_LEN <= bytes.len());
                }
            }
        }
        let reception = hearing.reception();
        let (received, lost) = (reception.received(), reception.lost());
        assert!(received <= taken as u64);
        let report = reception.report();
        assert_eq!(report.is_some(), received > 0);
        if let Some(report) = report {
            assert!((-(1 << 23)..1 << 23).contains(&report.cumulative_lost));
        }
        // Each packet ends at most one key press.
        let keys = keys.0.load(Ordering::Relaxed);
        assert!(keys <= taken, "{keys} keys of {taken} packets");
        (received.min(15), lost.min(3), keys.min(3), report.is_some())
    });
}
