//! Writes messages as text. What goes out is composed once and kept as bytes, so that sending it
//! again costs nothing.

use std::fmt::{Display, Write as _};

use bytes::Bytes;

use super::fields::NameAddr;
use super::stack::{Message, Method};

/// The methods that we take, for Allow (RFC 3261 §20.5).
pub(crate) const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE";

/// A message under construction.
#[derive(Debug)]
pub(crate) struct Composer {
    text: String,
}

impl Composer {
    /// Begins a request.
    pub(crate) fn request(method: Method, uri: &str) -> Self {
        let mut composer = Self { text: String::with_capacity(1024) };
        let _infallible = write!(composer.text, "{} {uri} SIP/2.0\r\n", method.as_str());
        composer
    }

    /// Begins the response to a request: its Via, From, To, Call-ID and CSeq are repeated, and To
    /// gets `to_tag` if it has none (RFC 3261 §8.2.6.2).
    pub(crate) fn response(to: &Message, status: u16, phrase: &str, to_tag: &str) -> Self {
        let mut composer = Self { text: String::with_capacity(512) };
        let _infallible = write!(composer.text, "SIP/2.0 {status} {phrase}\r\n");
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
        let _infallible = write!(self.text, "{name}: {value}\r\n");
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

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may panic")]

    use super::*;

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
