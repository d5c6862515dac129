//! Mends datagrams before the parser sees them, so that nothing a peer sends is lost in silence
//! (defects 1 to 3 in [`super`]'s list). Pure: bytes in, a verdict out.

use std::ops::Range;

/// What is to be done with a datagram.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Parse it as it is.
    Parse,
    /// Parse this instead.
    Mended(Vec<u8>),
    /// A request that nobody here could read on: send this back (RFC 3261 §8.2.1, §21.5.7).
    Answer(Vec<u8>),
}

/// The methods that the parser knows.
const KNOWN: [&str; 14] = [
    "ACK",
    "BYE",
    "CANCEL",
    "INFO",
    "INVITE",
    "MESSAGE",
    "NOTIFY",
    "OPTIONS",
    "PRACK",
    "PUBLISH",
    "REFER",
    "REGISTER",
    "SUBSCRIBE",
    "UPDATE",
];

/// Looks at one datagram and mends it: bytes that are not UTF-8 in the start line or a header
/// become `?` (the parser would drop that header and all behind it), control characters become
/// spaces (RFC 3261 §25.1 has none; a carriage return in the middle of a line is a line's end to
/// some elements and not to others), and a body without a usable Content-Length gets the one that
/// §18.3 gives it, the rest of the datagram (the parser would drop the body).
pub(super) fn inspect(datagram: &[u8]) -> Verdict {
    if let Some(reply) = refusal(datagram) {
        return Verdict::Answer(reply);
    }
    let Some(end) = head_end(datagram) else { return Verdict::Parse };
    let is_text = std::str::from_utf8(&datagram[..end]).is_ok()
        && !(0..end).any(|at| is_stray_control(datagram, at));
    if is_text && has_usable_length(datagram, end) {
        return Verdict::Parse;
    }
    let mut mended = datagram.to_vec();
    mend_text(&mut mended);
    complete(&mut mended);
    Verdict::Mended(mended)
}

/// Replaces what is not text in the head, byte by byte, so that lengths stay.
fn mend_text(datagram: &mut [u8]) {
    let end = head_end(datagram).unwrap_or(datagram.len());
    for at in 0..end {
        if is_stray_control(datagram, at) {
            datagram[at] = b' ';
        }
    }
    let mut from = 0;
    while let Err(error) = std::str::from_utf8(&datagram[from..end]) {
        let bad = from + error.valid_up_to();
        datagram[bad] = b'?';
        from = bad;
    }
}

/// A control character that neither separates words nor ends a line.
fn is_stray_control(datagram: &[u8], at: usize) -> bool {
    match datagram[at] {
        b'\t' | b'\n' => false,
        b'\r' => datagram.get(at + 1) != Some(&b'\n'),
        byte => byte.is_ascii_control(),
    }
}

/// Gives the body the Content-Length that it has. One that promises more than came is cut to what
/// came; one that promises less is left: the rest is not body (RFC 3261 §18.3).
pub(super) fn complete(datagram: &mut Vec<u8>) {
    let Some(end) = head_end(datagram) else { return };
    if has_usable_length(datagram, end) {
        return;
    }
    let arrived = datagram.len() - (end + 4);
    if let Some(range) = length_header(&datagram[..end]) {
        datagram.splice(range, format!(" {arrived}").into_bytes());
    } else {
        datagram.splice(end..end, format!("\r\nContent-Length: {arrived}").into_bytes());
    }
}

/// Whether there is a Content-Length that what arrived can satisfy.
fn has_usable_length(datagram: &[u8], end: usize) -> bool {
    let arrived = datagram.len() - (end + 4);
    length_header(&datagram[..end])
        .and_then(|range| std::str::from_utf8(&datagram[range]).ok()?.trim().parse::<usize>().ok())
        .is_some_and(|declared| declared <= arrived)
}

/// Where the blank line begins that ends the head.
fn head_end(datagram: &[u8]) -> Option<usize> {
    datagram.windows(4).position(|window| window == b"\r\n\r\n")
}

/// Where the value of Content-Length stands, behind the colon.
fn length_header(head: &[u8]) -> Option<Range<usize>> {
    let mut start = 0;
    for line in head.split(|byte| *byte == b'\n') {
        let text = line.strip_suffix(b"\r").unwrap_or(line);
        if let Some(colon) = text.iter().position(|byte| *byte == b':') {
            let name = text[..colon].trim_ascii();
            if name.eq_ignore_ascii_case(b"content-length") || name.eq_ignore_ascii_case(b"l") {
                return Some(start + colon + 1..start + text.len());
            }
        }
        start += line.len() + 1;
    }
    None
}

/// The refusal of a request that the parser would not take for what it is: 505 for another version
/// of SIP, 501 for a method that it does not know; nothing for all else. It copies what a response
/// must repeat (RFC 3261 §8.2.6.2).
fn refusal(datagram: &[u8]) -> Option<Vec<u8>> {
    let head = &datagram[..head_end(datagram)?];
    let start_line = head.split(|byte| *byte == b'\r').next()?.trim_ascii_end();
    let mut words = start_line.split(|byte| *byte == b' ');
    let (method, version) = (words.next()?, words.next_back()?);
    let is_token = !method.is_empty()
        && method.iter().all(|b| b.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(b));
    if !is_token {
        return None;
    }
    let is_known = KNOWN.iter().any(|known| method.eq_ignore_ascii_case(known.as_bytes()));
    let mut reply = match version.strip_prefix(b"SIP/")? {
        b"2.0" if is_known => return None,
        b"2.0" => b"SIP/2.0 501 Not Implemented\r\n".to_vec(),
        [b'0'..=b'9', b'.', b'0'..=b'9'] if !method.eq_ignore_ascii_case(b"ACK") => {
            b"SIP/2.0 505 Version Not Supported\r\n".to_vec()
        }
        _ => return None,
    };
    for line in head.split(|byte| *byte == b'\n').skip(1) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let name = line.split(|byte| *byte == b':').next().unwrap_or_default().trim_ascii();
        let repeated = ["via", "v", "from", "f", "to", "t", "call-id", "i", "cseq"];
        if repeated.iter().any(|wanted| name.eq_ignore_ascii_case(wanted.as_bytes())) {
            reply.extend_from_slice(line);
            reply.extend_from_slice(b"\r\n");
        }
    }
    reply.extend_from_slice(b"Content-Length: 0\r\n\r\n");
    Some(reply)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mended(text: &[u8]) -> Vec<u8> {
        match inspect(text) {
            Verdict::Parse => text.to_vec(),
            Verdict::Mended(datagram) => datagram,
            Verdict::Answer(_) => panic!("it is not to be answered"),
        }
    }

    #[test]
    fn foreign_bytes_in_a_header_cost_only_themselves() {
        let datagram =
            mended(b"SIP/2.0 200 OK\r\nX: a\xffb\r\nVia: v\r\nContent-Length: 1\r\n\r\n\xff");
        assert_eq!(
            datagram,
            b"SIP/2.0 200 OK\r\nX: a?b\r\nVia: v\r\nContent-Length: 1\r\n\r\n\xff"
        );
    }

    #[test]
    fn a_line_ends_where_it_ends_and_nowhere_else() {
        let datagram = mended(b"A\r\nX: a\rVia: v\0\x7f\r\nl: 0\r\n\r\n\r\0");
        assert_eq!(datagram, b"A\r\nX: a Via: v  \r\nl: 0\r\n\r\n\r\0");
    }

    #[test]
    fn a_body_gets_the_length_it_has() {
        let rows: [(&[u8], &[u8]); 5] = [
            (b"A B SIP\r\nX: y\r\n\r\nbody", b"A B SIP\r\nX: y\r\nContent-Length: 4\r\n\r\nbody"),
            (b"A\r\nl: 9\r\nX: y\r\n\r\nbody", b"A\r\nl: 4\r\nX: y\r\n\r\nbody"),
            (b"A\r\nContent-Length: x\r\n\r\n", b"A\r\nContent-Length: 0\r\n\r\n"),
            (b"A\r\nContent-Length: 2\r\n\r\nbody", b"A\r\nContent-Length: 2\r\n\r\nbody"),
            (b"no head", b"no head"),
        ];
        for (before, after) in rows {
            let mut datagram = before.to_vec();
            complete(&mut datagram);
            assert_eq!(datagram, after, "{}", String::from_utf8_lossy(before));
        }
    }

    #[test]
    fn an_unknown_method_is_answered() {
        let datagram =
            b"FOO sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=1\r\nf: <sip:x>;tag=1\r\nTo: <sip:y>\r\nX: z\r\nCall-ID: 1\r\nCSeq: 1 FOO\r\n\r\n";
        let Verdict::Answer(reply) = inspect(datagram) else { panic!("it is answered") };
        assert_eq!(
            reply,
            b"SIP/2.0 501 Not Implemented\r\nVia: SIP/2.0/UDP h;branch=1\r\nf: <sip:x>;tag=1\r\nTo: <sip:y>\r\nCall-ID: 1\r\nCSeq: 1 FOO\r\nContent-Length: 0\r\n\r\n"
        );
        let Verdict::Answer(reply) = inspect(b"OPTIONS sip:a SIP/7.0\r\nCall-ID: 1\r\n\r\n") else {
            panic!("it is answered")
        };
        assert!(reply.starts_with(b"SIP/2.0 505 Version Not Supported\r\nCall-ID: 1\r\n"));
        for silent in ["OPTIONS sip:a SIP/x\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "A\r\n\r\n"] {
            assert!(!matches!(inspect(silent.as_bytes()), Verdict::Answer(_)), "{silent}");
        }
        let known = b"OPTIONS sip:a@b SIP/2.0\r\nl: 0\r\n\r\n";
        assert_eq!(inspect(known), Verdict::Parse);
    }
}
