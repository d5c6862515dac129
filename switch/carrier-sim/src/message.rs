//! SIP messages as text (RFC 3261 §7): a small parser that takes what it can make sense of, and
//! the builder of what we send.

use std::fmt::Write as _;

use crate::address;

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Start {
    Request { method: String, uri: String },
    Response { code: u16, reason: String },
}

/// A request or a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) start: Start,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// Why bytes are not a message: the sender's fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    #[error("no blank line after the headers")]
    NoEnd,
    #[error("the first line {0:?} is neither a SIP/2.0 request nor a response")]
    FirstLine(String),
    #[error("header {0} is missing")]
    Missing(&'static str),
    #[error("header CSeq is {0:?}, expected a number and a method")]
    CSeq(String),
    #[error("header Content-Length says {declared} bytes, the body has {present}")]
    ShortBody { declared: usize, present: usize },
    #[error("longer than {0} bytes")]
    TooLong(usize),
}

const MANDATORY: [&str; 5] = ["Via", "From", "To", "Call-ID", "CSeq"];

impl Message {
    /// A request without headers or body.
    pub(crate) fn request(method: &str, uri: &str) -> Self {
        let start = Start::Request { method: method.to_owned(), uri: uri.to_owned() };
        Self { start, headers: Vec::new(), body: Vec::new() }
    }

    /// A response with what must be copied from its request (RFC 3261 §8.2.6). `tag` is added to
    /// To where it has none.
    pub(crate) fn reply(request: &Self, code: u16, reason: &str, tag: Option<&str>) -> Self {
        let start = Start::Response { code, reason: reason.to_owned() };
        let mut reply = Self { start, headers: Vec::new(), body: Vec::new() };
        for (name, value) in &request.headers {
            let copied = matches!(name.as_str(), "Via" | "From" | "Call-ID" | "CSeq")
                || (name == "Record-Route" && (101..300).contains(&code));
            if copied {
                reply.push(name, value);
            } else if name == "To" {
                match tag {
                    Some(tag) if address::tag(value).is_none() => {
                        reply.push("To", &format!("{value};tag={tag}"));
                    }
                    _ => reply.push("To", value),
                }
            }
        }
        reply
    }

    /// Reads one whole datagram, or one message cut from a stream. Line ends may be bare LF, lines
    /// may be folded, names compact, bytes not UTF-8; a line without a colon is passed over.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let (head, rest) = split_head(bytes).ok_or(Malformed::NoEnd)?;
        let head = String::from_utf8_lossy(head);
        let mut lines = head.lines();
        let start = start_line(lines.next().unwrap_or_default())?;
        let mut headers: Vec<(String, String)> = Vec::new();
        for line in lines {
            if line.starts_with([' ', '\t']) {
                if let Some((_, value)) = headers.last_mut() {
                    value.push(' ');
                    value.push_str(line.trim());
                }
            } else if let Some((name, value)) = line.split_once(':') {
                headers.push((long_name(name.trim()), value.trim().to_owned()));
            }
        }
        let mut message = Self { start, headers, body: rest.to_vec() };
        if let Some(name) = MANDATORY.into_iter().find(|name| message.header(name).is_none()) {
            return Err(Malformed::Missing(name));
        }
        message.cseq()?;
        if let Some(declared) = message.content_length() {
            if declared > rest.len() {
                return Err(Malformed::ShortBody { declared, present: rest.len() });
            }
            message.body.truncate(declared);
        }
        Ok(message)
    }

    /// As it goes over the wire; Content-Length is always written.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut text = match &self.start {
            Start::Request { method, uri } => format!("{method} {uri} SIP/2.0\r\n"),
            Start::Response { code, reason } => format!("SIP/2.0 {code} {reason}\r\n"),
        };
        for (name, value) in &self.headers {
            // Writing to a String cannot fail.
            let _ = write!(text, "{name}: {value}\r\n");
        }
        let _ = write!(text, "Content-Length: {}\r\n\r\n", self.body.len());
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }

    pub(crate) fn push(&mut self, name: &str, value: &str) {
        self.headers.push((name.to_owned(), value.to_owned()));
    }

    pub(crate) fn set_body(&mut self, content_type: &str, body: Vec<u8>) {
        self.push("Content-Type", content_type);
        self.body = body;
    }

    /// The first header of that (long) name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Every header of that (long) name, in order.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers
            .iter()
            .filter(move |(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Changes the first header of that name; nothing happens without one.
    pub(crate) fn replace_first(&mut self, name: &str, value: String) {
        if let Some((_, old)) =
            self.headers.iter_mut().find(|(found, _)| found.eq_ignore_ascii_case(name))
        {
            *old = value;
        }
    }

    /// The request's method; for a response, that of CSeq.
    pub(crate) fn method(&self) -> &str {
        match &self.start {
            Start::Request { method, .. } => method,
            Start::Response { .. } => {
                self.header("CSeq").and_then(|cseq| cseq.split_whitespace().nth(1)).unwrap_or("")
            }
        }
    }

    /// The Request-URI; none of a response.
    pub(crate) fn uri(&self) -> Option<&str> {
        match &self.start {
            Start::Request { uri, .. } => Some(uri),
            Start::Response { .. } => None,
        }
    }

    /// The status code; 0 for a request.
    pub(crate) const fn code(&self) -> u16 {
        match self.start {
            Start::Request { .. } => 0,
            Start::Response { code, .. } => code,
        }
    }

    /// The number of CSeq.
    pub(crate) fn cseq(&self) -> Result<u32, Malformed> {
        let value = self.header("CSeq").ok_or(Malformed::Missing("CSeq"))?;
        let mut words = value.split_whitespace();
        let number = words.next().and_then(|number| number.parse().ok());
        match (number, words.next()) {
            (Some(number), Some(_)) => Ok(number),
            _ => Err(Malformed::CSeq(value.to_owned())),
        }
    }

    /// Call-ID; empty only for messages that we are still building.
    pub(crate) fn call_id(&self) -> &str {
        self.header("Call-ID").unwrap_or_default()
    }

    /// The topmost Via, without those that share its line.
    pub(crate) fn top_via(&self) -> &str {
        let line = self.header("Via").unwrap_or_default();
        line.split(',').next().unwrap_or(line).trim()
    }

    fn content_length(&self) -> Option<usize> {
        self.header("Content-Length").and_then(|length| length.parse().ok())
    }
}

/// Cuts at the first blank line; the blank line belongs to neither part.
pub(crate) fn split_head(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let find = |end: &[u8]| bytes.windows(end.len()).position(|window| window == end);
    match (find(b"\r\n\r\n"), find(b"\n\n")) {
        (Some(at), Some(bare)) if bare < at => Some((&bytes[..bare], &bytes[bare + 2..])),
        (Some(at), _) => Some((&bytes[..at], &bytes[at + 4..])),
        (None, Some(bare)) => Some((&bytes[..bare], &bytes[bare + 2..])),
        (None, None) => None,
    }
}

fn start_line(line: &str) -> Result<Start, Malformed> {
    let malformed = || Malformed::FirstLine(line.chars().take(80).collect());
    let mut words = line.splitn(3, ' ');
    match (words.next(), words.next(), words.next()) {
        (Some("SIP/2.0"), Some(code), reason) => {
            let code = code.parse().map_err(|_| malformed())?;
            Ok(Start::Response { code, reason: reason.unwrap_or_default().to_owned() })
        }
        (Some(method), Some(uri), Some("SIP/2.0")) if !method.is_empty() && !uri.is_empty() => {
            Ok(Start::Request { method: method.to_owned(), uri: uri.to_owned() })
        }
        _ => Err(malformed()),
    }
}

/// Compact forms (RFC 3261 §7.3.3) spelled out, and one spelling for the names that we copy.
fn long_name(name: &str) -> String {
    let long = match name.to_ascii_lowercase().as_str() {
        "v" | "via" => "Via",
        "f" | "from" => "From",
        "t" | "to" => "To",
        "i" | "call-id" => "Call-ID",
        "cseq" => "CSeq",
        "m" | "contact" => "Contact",
        "l" | "content-length" => "Content-Length",
        "c" | "content-type" => "Content-Type",
        "k" | "supported" => "Supported",
        "record-route" => "Record-Route",
        _ => name,
    };
    long.to_owned()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed parse is a failed test")]
    use super::*;

    const INVITE: &str = "INVITE sip:13800138000@127.0.0.1:5070 SIP/2.0\r\n\
        Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKa;rport\r\n\
        Max-Forwards: 70\r\nFrom: <sip:1@x>;tag=f\r\nTo: <sip:2@y>\r\nCall-ID: c@h\r\n\
        CSeq: 1 INVITE\r\nRecord-Route: <sip:p;lr>\r\nContent-Length: 4\r\n\r\nbodyJUNK";

    #[test]
    fn reads_and_cuts_the_body_to_its_length() {
        let message = Message::parse(INVITE.as_bytes()).unwrap();
        assert_eq!(message.method(), "INVITE");
        assert_eq!(message.call_id(), "c@h");
        assert_eq!(message.cseq(), Ok(1));
        assert_eq!(message.body, b"body");
    }

    #[test]
    fn takes_compact_names_folds_bare_line_feeds_and_foreign_bytes() {
        let mut bytes = b"BYE sip:a@b SIP/2.0\nv: SIP/2.0/UDP h;branch=z9hG4bKb\nf: \"".to_vec();
        bytes.extend_from_slice(&[0xff, 0xfe]);
        bytes.extend_from_slice(b"\" <sip:1@x>\n ;tag=f\nt: <sip:2@y>;tag=t\ni: c\nCSeq: 2 BYE\n");
        bytes.extend_from_slice(b"this line has no meaning\n\n");
        let message = Message::parse(&bytes).unwrap();
        assert_eq!(message.method(), "BYE");
        assert!(message.header("From").unwrap().ends_with("<sip:1@x> ;tag=f"));
        assert_eq!(message.header("Call-ID"), Some("c"));
    }

    #[test]
    fn names_what_is_wrong() {
        let cases: [(&str, Malformed); 5] = [
            ("INVITE sip:a SIP/2.0\r\nVia: x", Malformed::NoEnd),
            ("HELLO\r\n\r\n", Malformed::FirstLine("HELLO".into())),
            ("OPTIONS sip:a SIP/2.0\r\nVia: x\r\n\r\n", Malformed::Missing("From")),
            (
                "OPTIONS sip:a SIP/2.0\r\nVia: x\r\nFrom: a\r\nTo: b\r\nCall-ID: c\r\nCSeq: x y\r\n\r\n",
                Malformed::CSeq("x y".into()),
            ),
            (
                "OPTIONS sip:a SIP/2.0\r\nVia: x\r\nFrom: a\r\nTo: b\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\nl: 9\r\n\r\nab",
                Malformed::ShortBody { declared: 9, present: 2 },
            ),
        ];
        for (text, fault) in cases {
            assert_eq!(Message::parse(text.as_bytes()), Err(fault), "{text:?}");
        }
    }

    #[test]
    fn a_reply_copies_what_it_must_and_survives_its_own_parser() {
        let request = Message::parse(INVITE.as_bytes()).unwrap();
        let mut reply = Message::reply(&request, 200, "OK", Some("ours"));
        reply.set_body("text/plain", b"hi".to_vec());
        let read = Message::parse(&reply.to_bytes()).unwrap();
        assert_eq!(read.start, Start::Response { code: 200, reason: "OK".into() });
        assert_eq!(read.header("To"), Some("<sip:2@y>;tag=ours"));
        assert_eq!(read.header("Record-Route"), Some("<sip:p;lr>"));
        assert_eq!(read.top_via(), request.top_via());
        assert_eq!((read.method(), &read.body[..]), ("INVITE", &b"hi"[..]));
        assert_eq!(Message::reply(&request, 100, "Trying", None).header("To"), Some("<sip:2@y>"));
    }
}
