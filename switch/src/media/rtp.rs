//! RTP's fixed header (RFC 3550 §5.1), parsed and built.

/// Octets of a header without contributing sources or extension.
pub(super) const HEADER_LEN: usize = 12;

/// A packet as it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Packet<'a> {
    pub(super) marker: bool,
    pub(super) payload_type: u8,
    pub(super) sequence: u16,
    pub(super) timestamp: u32,
    pub(super) ssrc: u32,
    /// Without contributing sources, extension and padding.
    pub(super) payload: &'a [u8],
}

/// Parses a datagram; none if it is not RTP version 2 or its lengths contradict each other
/// (RFC 3550 §A.1).
pub(super) fn parse(datagram: &[u8]) -> Option<Packet<'_>> {
    let (&[first, second, s0, s1, t0, t1, t2, t3, c0, c1, c2, c3], mut rest) =
        datagram.split_first_chunk::<HEADER_LEN>()?;
    if first >> 6 != 2 {
        return None;
    }
    let contributors = usize::from(first & 0x0F);
    rest = rest.get(contributors * 4..)?;
    if first & 0x10 != 0 {
        let (&[_, _, high, low], after) = rest.split_first_chunk::<4>()?;
        let words = usize::from(u16::from_be_bytes([high, low]));
        rest = after.get(words * 4..)?;
    }
    if first & 0x20 != 0 {
        let padding = usize::from(*rest.last()?);
        if padding == 0 {
            return None;
        }
        rest = rest.get(..rest.len().checked_sub(padding)?)?;
    }
    Some(Packet {
        marker: second & 0x80 != 0,
        payload_type: second & 0x7F,
        sequence: u16::from_be_bytes([s0, s1]),
        timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
        ssrc: u32::from_be_bytes([c0, c1, c2, c3]),
        payload: rest,
    })
}

/// What goes into a header of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) marker: bool,
    pub(super) payload_type: u8,
    pub(super) sequence: u16,
    pub(super) timestamp: u32,
    pub(super) ssrc: u32,
}

impl Header {
    /// The header's octets.
    pub(super) fn to_bytes(self) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        bytes[0] = 2 << 6;
        bytes[1] = u8::from(self.marker) << 7 | self.payload_type & 0x7F;
        bytes[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        bytes[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.ssrc.to_be_bytes());
        bytes
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A packet by hand: first octet, then what follows the fixed header.
    fn packet(first: u8, rest: &[u8]) -> Vec<u8> {
        let mut bytes = vec![first, 0x80 | 8, 0x12, 0x34, 0, 0, 0, 160, 0xDE, 0xAD, 0xBE, 0xEF];
        bytes.extend_from_slice(rest);
        bytes
    }

    #[test]
    fn payload_is_what_is_left() {
        let extension = [0xBE, 0xDE, 0, 1, 9, 9, 9, 9];
        for (name, datagram, payload) in [
            ("plain", packet(0x80, &[1, 2, 3]), Some(&[1, 2, 3][..])),
            ("empty", packet(0x80, &[]), Some(&[][..])),
            ("version 1", packet(0x40, &[1]), None),
            ("version 3", packet(0xC0, &[1]), None),
            ("short", packet(0x80, &[])[..11].to_vec(), None),
            ("two contributors", packet(0x82, &[0, 0, 0, 1, 0, 0, 0, 2, 7]), Some(&[7][..])),
            ("contributors missing", packet(0x82, &[0, 0, 0, 1]), None),
            ("extension", packet(0x90, &[&extension[..], &[7]].concat()), Some(&[7][..])),
            ("extension too long", packet(0x90, &[0, 0, 0, 2, 9, 9, 9, 9]), None),
            ("extension's head missing", packet(0x90, &[0, 0, 0]), None),
            ("padding", packet(0xA0, &[5, 6, 0, 2]), Some(&[5, 6][..])),
            ("all padding", packet(0xA0, &[0, 0, 3]), Some(&[][..])),
            ("padding too long", packet(0xA0, &[0, 0, 4]), None),
            ("padding of none", packet(0xA0, &[1, 0]), None),
            ("padding without room", packet(0xA0, &[]), None),
        ] {
            assert_eq!(parse(&datagram).map(|p| p.payload), payload, "{name}");
        }
    }

    #[test]
    fn fields_are_where_they_belong() {
        let datagram = packet(0x80, &[]);
        let parsed = parse(&datagram).unwrap();
        assert!(parsed.marker);
        assert_eq!(parsed.payload_type, 8);
        assert_eq!(parsed.sequence, 0x1234);
        assert_eq!(parsed.timestamp, 160);
        assert_eq!(parsed.ssrc, 0xDEAD_BEEF);
    }

    proptest! {
        #[test]
        fn anything_may_come(datagram in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Some(parsed) = parse(&datagram) {
                prop_assert!(parsed.payload.len() + HEADER_LEN <= datagram.len());
            }
        }

        #[test]
        fn what_is_built_is_parsed(
            marker: bool, payload_type in 0u8..128, sequence: u16, timestamp: u32, ssrc: u32,
            payload in prop::collection::vec(any::<u8>(), 0..480),
        ) {
            let header = Header { marker, payload_type, sequence, timestamp, ssrc };
            let mut datagram = header.to_bytes().to_vec();
            datagram.extend_from_slice(&payload);
            let expected =
                Packet { marker, payload_type, sequence, timestamp, ssrc, payload: &payload };
            prop_assert_eq!(parse(&datagram), Some(expected));
        }
    }
}
