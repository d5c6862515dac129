//! Writes messages as text. What goes out is composed once and kept as bytes, so that sending it
//! again costs nothing.
//!
//! Nothing that the platform or a peer gives us can add a header, a line or a second message: every
//! value goes through [`Line`], whatever it is and wherever it came from.

use std::fmt::{self, Display, Write};

use bytes::Bytes;

use super::fields::NameAddr;
use super::stack::{Message, Method};

/// The methods that we take, for Allow (RFC 3261 §20.5).
pub(crate) const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, PRACK";

/// A message under construction.
#[derive(Debug)]
pub(crate) struct Composer {
    text: String,
}

impl Composer {
    /// Begins a request.
    pub(crate) fn request(method: Method, uri: &str) -> Self {
        let mut composer = Self { text: String::with_capacity(1024) };
        let _infallible = write!(composer.text, "{} ", method.as_str());
        let _infallible = Token(&mut composer.text).write_str(uri);
        composer.text.push_str(" SIP/2.0\r\n");
        composer
    }

    /// Begins the response to a request: its Via, From, To, Call-ID and CSeq are repeated, and To
    /// gets `to_tag` if it has none (RFC 3261 §8.2.6.2).
    pub(crate) fn response(to: &Message, status: u16, phrase: &str, to_tag: &str) -> Self {
        let mut composer = Self { text: String::with_capacity(512) };
        let _infallible = write!(Line(&mut composer.text), "SIP/2.0 {status} {phrase}");
        composer.text.push_str("\r\n");
        for via in to.headers("Via") {
            composer.push("Via", via);
        }
        for name in ["From", "Call-ID", "CSeq"] {
            composer.push(name, to.header(name).unwrap_or_default());
        }
        let party = to.header("To").unwrap_or_default();
        if status == 100 || NameAddr::parse(party).is_some_and(|to| to.tag().is_some()) {
            composer.push("To", party);
        } else {
            composer.push("To", format_args!("{party};tag={to_tag}"));
        }
        composer
    }

    fn push(&mut self, name: &str, value: impl Display) {
        let _infallible = write!(Line(&mut self.text), "{name}: {value}");
        self.text.push_str("\r\n");
    }

    /// Adds a header.
    #[must_use]
    pub(crate) fn header(mut self, name: &str, value: impl Display) -> Self {
        self.push(name, value);
        self
    }

    /// Adds a header if there is a value.
    #[must_use]
    pub(crate) fn maybe(self, name: &str, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.header(name, value),
            None => self,
        }
    }

    /// Adds a Route for each entry.
    #[must_use]
    pub(crate) fn routes(mut self, routes: &[String]) -> Self {
        for route in routes {
            self.push("Route", route);
        }
        self
    }

    /// Ends the message without a body.
    pub(crate) fn bare(mut self) -> Bytes {
        self.text.push_str("Content-Length: 0\r\n\r\n");
        self.text.into()
    }

    /// Ends the message with a session description, if there is one.
    pub(crate) fn sdp(self, sdp: Option<&str>) -> Bytes {
        let Some(sdp) = sdp else { return self.bare() };
        let mut composer = self.header("Content-Type", "application/sdp");
        let _infallible = write!(composer.text, "Content-Length: {}\r\n\r\n{sdp}", sdp.len());
        composer.text.into()
    }
}

/// The rest of a line: a control character in it, those that end lines first of all, becomes a
/// space (RFC 3261 §25.1 has none of them in any header).
struct Line<'a>(&'a mut String);

impl Write for Line<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend(text.chars().map(|c| if c.is_control() { ' ' } else { c }));
        Ok(())
    }
}

/// A word of a start line: what would end it is escaped (RFC 3261 §19.1.2).
struct Token<'a>(&'a mut String);

impl Write for Token<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            if c.is_control() || c.is_whitespace() {
                for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                    write!(self.0, "%{byte:02X}")?;
                }
            } else {
                self.0.push(c);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may panic")]

    use super::*;

    /// Whatever stands in a value, the message has the lines that it was given, and one end.
    #[test]
    fn no_value_can_add_a_line() {
        let nasty = [
            "a\r\nX: y",
            "a\nX: y",
            "a\rX: y",
            "a\r\n\r\nBYE sip:b SIP/2.0\r\n",
            "a\0b",
            "a\u{85}X: y\u{7f}\u{1b}",
            "a\r\n X: folded",
            " SIP/2.0\r\nX: y",
        ];
        for value in nasty {
            let bytes = Composer::request(Method::Bye, value)
                .header("Reason", value)
                .maybe("To", Some(value))
                .routes(&[value.to_owned()])
                .bare();
            let text = std::str::from_utf8(&bytes).unwrap();
            let lines: Vec<&str> = text.split("\r\n").collect();
            let begins = ["BYE ", "Reason: ", "To: ", "Route: ", "Content-Length: 0", "", ""];
            assert_eq!(lines.len(), begins.len(), "{text}");
            for (line, begin) in lines.iter().zip(begins) {
                assert!(line.starts_with(begin), "{text}");
                assert!(!line.contains(char::is_control), "{text:?}");
            }
            assert!(lines[0].ends_with(" SIP/2.0") && lines[0].split(' ').count() == 3, "{text}");

            let request = Message::parse(
                "INFO sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=1\r\nFrom: <sip:x@y>;tag=f\r\n\
                 To: <sip:a@b>\r\nCall-ID: i\r\nCSeq: 7 INFO\r\n\r\n",
            );
            let response = Composer::response(&request, 200, value, value);
            let bytes = response.header("Warning", value).bare();
            let text = std::str::from_utf8(&bytes).unwrap();
            assert_eq!(text.split("\r\n").count(), 10, "{text}");
            assert!(!text.replace("\r\n", "").contains(char::is_control), "{text:?}");
        }
    }

    #[test]
    fn a_response_repeats_what_it_must() {
        let request = Message::parse(
            "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=1\r\nVia: SIP/2.0/UDP g;branch=2\r\n\
             From: <sip:x@y>;tag=f\r\nTo: <sip:a@b>\r\nCall-ID: i\r\nCSeq: 7 OPTIONS\r\n\r\n",
        );
        let response = Composer::response(&request, 200, "OK", "t").header("Allow", ALLOW).bare();
        assert_eq!(
            std::str::from_utf8(&response).unwrap(),
            format!(
                "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=1\r\nVia: SIP/2.0/UDP g;branch=2\r\n\
                 From: <sip:x@y>;tag=f\r\nCall-ID: i\r\nCSeq: 7 OPTIONS\r\nTo: <sip:a@b>;tag=t\r\n\
                 Allow: {ALLOW}\r\nContent-Length: 0\r\n\r\n"
            )
        );
    }

    #[test]
    fn a_body_is_counted_in_bytes() {
        let bytes = Composer::request(Method::Bye, "sip:a@b").sdp(Some("s=云\r\n"));
        assert!(bytes.ends_with("Content-Length: 7\r\n\r\ns=云\r\n".as_bytes()));
    }
}
