//! RTCP compound packets (RFC 3550 §6), parsed and built.

use super::reception::ReportBlock;

/// The most octets that [`build`] writes: SR with one block (52), SDES (12 + 16 + padding), BYE (8).
pub(super) const MAX_LEN: usize = 96;

/// Octets of our canonical names (§6.5.1, RFC 7022): random, for one call only.
pub(super) const CNAME_LEN: usize = 16;

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const BYE: u8 = 203;

/// What a peer's compound packet tells us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Heard {
    /// The middle 32 bits of its sender report's NTP time, to be given back as LSR.
    pub(super) sender_report: Option<u32>,
    /// What it says of our stream.
    pub(super) about_us: Option<AboutUs>,
}

/// A peer's report block on our stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AboutUs {
    /// Negative where it got duplicates.
    pub(super) cumulative_lost: i32,
    pub(super) extended_highest: u32,
    /// The middle 32 bits of the NTP time of our last report that it got; 0 if none.
    pub(super) last_report: u32,
    /// Since it got that, in 65,536ths of a second.
    pub(super) delay: u32,
}

/// Parses a datagram; none unless it is a whole compound packet that begins with a report (§A.2).
pub(super) fn parse(datagram: &[u8], our_ssrc: u32) -> Option<Heard> {
    let mut heard = Heard::default();
    let mut rest = datagram;
    let mut first = true;
    while let Some((&[flags, kind, high, low], _)) = rest.split_first_chunk::<4>() {
        if flags >> 6 != 2 {
            return None;
        }
        let length = (usize::from(u16::from_be_bytes([high, low])) + 1) * 4;
        let (packet, after) = rest.split_at_checked(length)?;
        rest = after;
        if first && !matches!(kind, SENDER_REPORT | RECEIVER_REPORT) {
            return None;
        }
        first = false;
        let blocks = match kind {
            SENDER_REPORT => {
                heard.sender_report = Some(u32_at(packet, 10)?);
                packet.get(28..)?
            }
            RECEIVER_REPORT => packet.get(8..)?,
            _ => continue,
        };
        let count = usize::from(flags & 0x1F);
        for block in blocks.get(..count * 24)?.as_chunks::<24>().0 {
            if u32_at(block, 0) == Some(our_ssrc) {
                // The 24 bits of the cumulative loss are signed: shifted up and down again.
                heard.about_us = Some(AboutUs {
                    cumulative_lost: (u32_at(block, 4)? << 8).cast_signed() >> 8,
                    extended_highest: u32_at(block, 8)?,
                    last_report: u32_at(block, 16)?,
                    delay: u32_at(block, 20)?,
                });
            }
        }
    }
    if first || !rest.is_empty() { None } else { Some(heard) }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().copied().map(u32::from_be_bytes)
}

/// A compound packet of ours.
#[derive(Debug, Clone, Copy)]
pub(super) struct Report<'a> {
    pub(super) ssrc: u32,
    /// Present: we have sent media, so this is a sender report.
    pub(super) sender: Option<SenderInfo>,
    /// Present: we have received media.
    pub(super) block: Option<(ReportBlock, SinceSenderReport)>,
    pub(super) cname: &'a [u8; CNAME_LEN],
    /// Whether we leave with this.
    pub(super) bye: bool,
}

/// The sender's part of a sender report (§6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SenderInfo {
    /// NTP time, 32.32 bits.
    pub(super) ntp: u64,
    /// The same instant as an RTP timestamp.
    pub(super) timestamp: u32,
    pub(super) packets: u32,
    /// Of payload.
    pub(super) octets: u32,
}

/// LSR and DLSR of a report block; both 0 if the peer has sent no sender report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct SinceSenderReport {
    pub(super) last_report: u32,
    /// 65,536ths of a second.
    pub(super) delay: u32,
}

/// Builds a compound packet; gives its length in octets.
pub(super) fn build(report: &Report<'_>, out: &mut [u8; MAX_LEN]) -> usize {
    let mut writer = Writer { out, at: 0 };
    let start = writer.at;
    let blocks = u8::from(report.block.is_some());
    writer.head(blocks, if report.sender.is_some() { SENDER_REPORT } else { RECEIVER_REPORT });
    writer.u32(report.ssrc);
    if let Some(sender) = report.sender {
        writer.put(&sender.ntp.to_be_bytes());
        writer.u32(sender.timestamp);
        writer.u32(sender.packets);
        writer.u32(sender.octets);
    }
    if let Some((block, since)) = report.block {
        let [_, lost @ ..] = block.cumulative_lost.to_be_bytes();
        writer.u32(block.ssrc);
        writer.put(&[block.fraction_lost]);
        writer.put(&lost);
        writer.u32(block.extended_highest);
        writer.u32(block.jitter);
        writer.u32(since.last_report);
        writer.u32(since.delay);
    }
    writer.close(start);

    let start = writer.at;
    writer.head(1, SOURCE_DESCRIPTION);
    writer.u32(report.ssrc);
    writer.put(&[1, CNAME_LEN as u8]);
    writer.put(report.cname);
    // At least one zero octet ends the chunk, and it is padded to 32 bits (§6.5).
    writer.put(&[0]);
    while !writer.at.is_multiple_of(4) {
        writer.put(&[0]);
    }
    writer.close(start);

    if report.bye {
        let start = writer.at;
        writer.head(1, BYE);
        writer.u32(report.ssrc);
        writer.close(start);
    }
    writer.at
}

struct Writer<'a> {
    out: &'a mut [u8; MAX_LEN],
    at: usize,
}

impl Writer<'_> {
    fn put(&mut self, bytes: &[u8]) {
        self.out[self.at..self.at + bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
    }

    fn u32(&mut self, value: u32) {
        self.put(&value.to_be_bytes());
    }

    fn head(&mut self, count: u8, kind: u8) {
        self.put(&[2 << 6 | count, kind, 0, 0]);
    }

    /// Writes the length of the packet that began at `start`: 32-bit words less one.
    fn close(&mut self, start: usize) {
        let words = (self.at - start) / 4 - 1;
        let length = u16::try_from(words).expect("a packet of ours is shorter than MAX_LEN");
        self.out[start + 2..start + 4].copy_from_slice(&length.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CNAME: &[u8; CNAME_LEN] = b"abcdefghijklmnop";

    fn built(report: &Report<'_>) -> Vec<u8> {
        let mut out = [0; MAX_LEN];
        let length = build(report, &mut out);
        out[..length].to_vec()
    }

    fn block() -> ReportBlock {
        ReportBlock {
            ssrc: 0xAABB_CCDD,
            fraction_lost: 12,
            cumulative_lost: -3,
            extended_highest: 0x1_0002,
            jitter: 7,
        }
    }

    fn full() -> Report<'static> {
        Report {
            ssrc: 0x0102_0304,
            sender: Some(SenderInfo {
                ntp: 0x1111_2222_3333_4444,
                timestamp: 5,
                packets: 6,
                octets: 7,
            }),
            block: Some((block(), SinceSenderReport { last_report: 8, delay: 9 })),
            cname: CNAME,
            bye: true,
        }
    }

    #[test]
    fn a_full_packet_octet_by_octet() {
        let mut expected = vec![
            0x81, 200, 0, 12, 1, 2, 3, 4, // SR, 13 words
            0x11, 0x11, 0x22, 0x22, 0x33, 0x33, 0x44, 0x44, 0, 0, 0, 5, 0, 0, 0, 6, 0, 0, 0, 7,
            0xAA, 0xBB, 0xCC, 0xDD, 12, 0xFF, 0xFF, 0xFD, 0, 1, 0, 2, 0, 0, 0, 7, 0, 0, 0, 8, 0, 0,
            0, 9, //
            0x81, 202, 0, 6, 1, 2, 3, 4, 1, 16, // SDES, 7 words
        ];
        expected.extend_from_slice(CNAME);
        expected.extend_from_slice(&[0, 0]);
        expected.extend_from_slice(&[0x81, 203, 0, 1, 1, 2, 3, 4]); // BYE
        assert_eq!(built(&full()), expected);
    }

    #[test]
    fn without_media_it_is_an_empty_receiver_report() {
        let report = Report { sender: None, block: None, bye: false, ..full() };
        let bytes = built(&report);
        assert_eq!(bytes[..8], [0x80, 201, 0, 1, 1, 2, 3, 4]);
        assert_eq!(parse(&bytes, 1), Some(Heard::default()));
    }

    #[test]
    fn what_is_said_about_us_is_found() {
        let bytes = built(&full());
        let about_us =
            AboutUs { cumulative_lost: -3, extended_highest: 0x1_0002, last_report: 8, delay: 9 };
        let sender_report = Some(0x2222_3333);
        assert_eq!(
            parse(&bytes, 0xAABB_CCDD),
            Some(Heard { sender_report, about_us: Some(about_us) })
        );
        assert_eq!(parse(&bytes, 1), Some(Heard { sender_report, about_us: None }));
    }

    #[test]
    fn broken_compounds_are_refused() {
        let whole = built(&full());
        for (name, bytes) in [
            ("empty", vec![]),
            ("cut short", whole[..whole.len() - 1].to_vec()),
            ("a tail", [&whole[..], &[0]].concat()),
            ("SDES first", whole[52..].to_vec()),
            ("version 1", {
                let mut bytes = whole.clone();
                bytes[0] = 0x41;
                bytes
            }),
            ("more blocks than there is room for", {
                let mut bytes = whole.clone();
                bytes[0] = 0x82;
                bytes
            }),
        ] {
            assert_eq!(parse(&bytes, 0xAABB_CCDD), None, "{name}");
        }
    }

    proptest! {
        #[test]
        fn anything_may_come(datagram in prop::collection::vec(any::<u8>(), 0..300), ssrc: u32) {
            let _ = parse(&datagram, ssrc);
        }

        /// Any change of one octet of a sound packet is parsed or refused, never a panic.
        #[test]
        fn a_changed_octet_is_survived(at in 0usize..88, value: u8) {
            let mut bytes = built(&full());
            bytes[at] = value;
            let _ = parse(&bytes, 0xAABB_CCDD);
        }
    }
}
