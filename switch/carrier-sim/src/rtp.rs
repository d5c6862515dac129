//! RTP headers (RFC 3550 §5.1).

/// What a packet's header says that a telephone looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) marker: bool,
    pub(crate) payload_type: u8,
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    pub(crate) ssrc: u32,
}

/// Bytes of a header without contributing sources or extension.
pub(crate) const HEADER: usize = 12;

impl Header {
    pub(crate) fn write(&self, packet: &mut [u8; HEADER]) {
        packet[0] = 0x80;
        packet[1] = (u8::from(self.marker) << 7) | self.payload_type;
        packet[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        packet[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        packet[8..12].copy_from_slice(&self.ssrc.to_be_bytes());
    }
}

/// Reads a packet; `None` if it is none. Contributing sources, extension and padding are stripped.
pub(crate) fn read(packet: &[u8]) -> Option<(Header, &[u8])> {
    let fixed: &[u8; HEADER] = packet.first_chunk()?;
    if fixed[0] >> 6 != 2 {
        return None;
    }
    let header = Header {
        marker: fixed[1] & 0x80 != 0,
        payload_type: fixed[1] & 0x7f,
        sequence: u16::from_be_bytes([fixed[2], fixed[3]]),
        timestamp: u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]),
        ssrc: u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]),
    };
    let mut payload = packet.get(HEADER + 4 * usize::from(fixed[0] & 0x0f)..)?;
    if fixed[0] & 0x10 != 0 {
        let words = u16::from_be_bytes([*payload.get(2)?, *payload.get(3)?]);
        payload = payload.get(4 + 4 * usize::from(words)..)?;
    }
    if fixed[0] & 0x20 != 0 {
        let padding = usize::from(*payload.last()?);
        payload = payload.get(..payload.len().checked_sub(padding)?)?;
    }
    Some((header, payload))
}

/// Whether it is RTCP that came to the RTP port (RFC 5761 §4).
pub(crate) fn is_rtcp(packet: &[u8]) -> bool {
    matches!(packet, [first, 192..=223, ..] if first >> 6 == 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes_and_strips_the_rest() {
        let header =
            Header { marker: true, payload_type: 8, sequence: 65_535, timestamp: 1 << 31, ssrc: 7 };
        let mut plain = [0; HEADER];
        header.write(&mut plain);
        let mut packet = plain.to_vec();
        packet.extend_from_slice(b"abc");
        assert_eq!(read(&packet), Some((header, &b"abc"[..])));

        let mut dressed = plain.to_vec();
        dressed[0] |= 0x31; // one contributing source, an extension, padding
        dressed.extend_from_slice(&[9; 4]);
        dressed.extend_from_slice(&[0xbe, 0xde, 0, 1, 5, 5, 5, 5]);
        dressed.extend_from_slice(b"abc\0\0\x03");
        assert_eq!(read(&dressed), Some((header, &b"abc"[..])));
    }

    #[test]
    fn anything_else_is_no_packet() {
        let mut padded = [0x80; HEADER + 1];
        padded[0] = 0xa0;
        padded[HEADER] = 200;
        let cases: [&[u8]; 5] = [&[], &[0x80; 11], &[0x40; 20], &[0x8f; 20], &padded];
        for packet in cases {
            assert_eq!(read(packet), None, "{packet:x?}");
        }
        assert!(is_rtcp(&[0x80, 200, 0, 6]) && !is_rtcp(&[0x80, 0x88, 0, 6]));
    }
}
