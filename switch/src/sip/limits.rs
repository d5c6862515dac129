//! How much one message may hold. All of it is kept, compared, repeated in answers or stored with
//! the call, so that a peer without measure must not decide how much that is. Far more than any
//! network writes; beyond, the message is dropped and counted.

use super::fields;

/// Headers, each line of its own.
const HEADERS: usize = 256;

/// Bytes of all headers, names and values.
const HEAD_BYTES: usize = 32 << 10;

/// Bytes of the body. Datagrams hold no more than twice that.
const BODY_BYTES: usize = 32 << 10;

/// Entries of Record-Route: every request of the dialog lists them again (RFC 3261 §12.1).
const ROUTES: usize = 32;

/// Bytes of them, which are stored with the call.
const ROUTE_BYTES: usize = 4 << 10;

/// Bytes of a tag or of Call-ID, which are stored and compared.
const ID_BYTES: usize = 512;

/// What of a message is too much, if anything is.
pub(super) fn excess<'a>(
    headers: impl Iterator<Item = (&'a str, &'a str)>,
    body_bytes: usize,
) -> Option<&'static str> {
    if body_bytes > BODY_BYTES {
        return Some("body");
    }
    let (mut count, mut bytes, mut routes, mut route_bytes) = (0, 0, 0, 0);
    for (name, value) in headers {
        count += 1;
        bytes += name.len() + value.len();
        if name.eq_ignore_ascii_case("Record-Route") {
            routes += fields::list(value).count();
            route_bytes += value.len();
        }
        let is_party = ["From", "To"].iter().any(|party| name.eq_ignore_ascii_case(party));
        let id_bytes = if is_party {
            fields::NameAddr::parse(value).and_then(|party| party.tag()).map_or(0, str::len)
        } else if name.eq_ignore_ascii_case("Call-ID") {
            value.len()
        } else {
            0
        };
        if id_bytes > ID_BYTES {
            return Some("identifiers");
        }
        if count > HEADERS || bytes > HEAD_BYTES {
            return Some("headers");
        }
        if routes > ROUTES || route_bytes > ROUTE_BYTES {
            return Some("Record-Route");
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Headers, how often, the body's length, and what of it is too much.
    #[test]
    fn each_measure_has_its_end() {
        let long = |bytes: usize| "x".repeat(bytes);
        let tag = |bytes: usize| format!("<sip:a@b>;tag={}", long(bytes));
        let rows: [(&str, String, usize, usize, Option<&str>); 11] = [
            ("X", "y".into(), HEADERS, BODY_BYTES, None),
            ("X", "y".into(), HEADERS + 1, 0, Some("headers")),
            ("X", long(HEAD_BYTES - 1), 1, 0, None),
            ("X", long(HEAD_BYTES), 1, 0, Some("headers")),
            ("X", "y".into(), 1, BODY_BYTES + 1, Some("body")),
            ("record-route", "<sip:a>, <sip:b>".into(), ROUTES / 2, 0, None),
            ("Record-Route", "<sip:a>, <sip:b>".into(), ROUTES / 2 + 1, 0, Some("Record-Route")),
            ("Record-Route", format!("<sip:{}>", long(ROUTE_BYTES)), 1, 0, Some("Record-Route")),
            ("To", tag(ID_BYTES), 1, 0, None),
            ("From", tag(ID_BYTES + 1), 1, 0, Some("identifiers")),
            ("call-id", long(ID_BYTES + 1), 1, 0, Some("identifiers")),
        ];
        for (name, value, times, body_bytes, expected) in rows {
            let headers = std::iter::repeat_n((name, value.as_str()), times);
            assert_eq!(excess(headers, body_bytes), expected, "{name} {} {times}", value.len());
        }
    }
}
