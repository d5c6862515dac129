//! Our canonical names in RTCP.

use base64::Engine as _;

use super::rtcp::CNAME_LEN;
use crate::random;

/// A canonical name: 96 random bits in printable form (RFC 7022 §4.2).
pub(super) fn cname() -> [u8; CNAME_LEN] {
    let mut name = [0; CNAME_LEN];
    base64::engine::general_purpose::STANDARD_NO_PAD
        .encode_slice(random::bytes::<12>(), &mut name)
        .expect("12 octets make 16 characters");
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_printable_and_differ() {
        let (one, other) = (cname(), cname());
        assert_ne!(one, other);
        assert!(one.iter().all(u8::is_ascii_graphic));
    }
}
