//! A parsed message as the rest of the engine sees it: the parser's own storage, moved and not
//! copied, behind accessors that name nothing of the parser's.

use std::fmt::Write as _;

use rsipstack::sip::{self, Headers, SipMessage};

use crate::sip::fields::{self, NameAddr, Via};
use crate::sip::limits;

/// A request's method, as far as we treat them differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Invite,
    Ack,
    Cancel,
    Bye,
    Options,
    Info,
    Update,
    Prack,
    /// Sent, never taken: we are nobody's registrar.
    Register,
    /// One that the parser knows and we do not offer.
    Other,
}

impl Method {
    /// As the start line and CSeq write it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Invite => "INVITE",
            Self::Ack => "ACK",
            Self::Cancel => "CANCEL",
            Self::Bye => "BYE",
            Self::Options => "OPTIONS",
            Self::Info => "INFO",
            Self::Update => "UPDATE",
            Self::Prack => "PRACK",
            Self::Register => "REGISTER",
            Self::Other => "OTHER",
        }
    }

    fn read(text: &str) -> Self {
        let known = [
            Self::Invite,
            Self::Ack,
            Self::Cancel,
            Self::Bye,
            Self::Options,
            Self::Info,
            Self::Update,
            Self::Prack,
            Self::Register,
        ];
        known
            .into_iter()
            .find(|method| method.as_str().eq_ignore_ascii_case(text))
            .unwrap_or(Self::Other)
    }
}

/// What a message is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Start {
    Request(Method),
    Response {
        /// 100 to 699.
        status: u16,
        /// The peer's own words.
        phrase: String,
    },
}

/// Why a message is dropped although it can be parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Flaw {
    #[error("its {0} is missing or cannot be read")]
    Incomplete(&'static str),
    #[error("its {0} stands there more than once, with different values")]
    Repeated(&'static str),
    #[error("the method of its CSeq is not its own")]
    OtherMethod,
    #[error("it has too much of this: {0}")]
    TooMuch(&'static str),
}

impl Flaw {
    /// The label under which it is counted.
    pub(super) const fn why(self) -> &'static str {
        match self {
            Self::Incomplete(_) => "incomplete",
            Self::Repeated(_) => "repeated",
            Self::OtherMethod => "cseq",
            Self::TooMuch(_) => "too_much",
        }
    }
}

/// A message that has all that routing it takes: Call-ID, CSeq, From, To and a top Via.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    start: Start,
    cseq: u32,
    cseq_method: Method,
    headers: Headers,
    body: Vec<u8>,
    /// The method and URI of a request as they came, for [`Message::written`].
    request: Option<(sip::Method, sip::Uri)>,
}

impl Message {
    /// Takes over what the parser made.
    ///
    /// # Errors
    /// [`Flaw`]: nobody can tell whose the message is, or two would tell it differently. It is not
    /// answered either (RFC 3261 §8.1.1 lists what an answer would be made of).
    pub(super) fn from_parser(message: SipMessage) -> Result<Self, Flaw> {
        let (start, headers, body, request) = match message {
            SipMessage::Request(request) => {
                let method = Method::read(&request.method.to_string());
                let line = Some((request.method, request.uri));
                (Start::Request(method), request.headers, request.body, line)
            }
            SipMessage::Response(response) => {
                let phrase =
                    response.wire_reason.unwrap_or_else(|| response.status_code.text().to_owned());
                let status = response.status_code.code();
                (Start::Response { status, phrase }, response.headers, response.body, None)
            }
        };
        let mut message =
            Self { start, cseq: 0, cseq_method: Method::Other, headers, body, request };
        let headers = message.headers.iter().map(|header| (header.name(), header.value()));
        if let Some(what) = limits::excess(headers, message.body.len()) {
            return Err(Flaw::TooMuch(what));
        }
        if let Some(header) = message.ambiguous_header() {
            return Err(Flaw::Repeated(header));
        }
        let (number, method) = message.required("CSeq", |cseq| cseq.split_once([' ', '\t']))?;
        let method = Method::read(method.trim());
        let number = number.parse().map_err(|_| Flaw::Incomplete("CSeq"))?;
        (message.cseq, message.cseq_method) = (number, method);
        message.required("Call-ID", |id| (!id.is_empty()).then_some(()))?;
        message.required("From", NameAddr::parse)?;
        message.required("To", NameAddr::parse)?;
        message.required("Via", Via::parse)?;
        match message.start {
            Start::Request(start) if start != method => Err(Flaw::OtherMethod),
            Start::Request(_) | Start::Response { .. } => Ok(message),
        }
    }

    fn required<'a, T>(
        &'a self,
        name: &'static str,
        read: impl FnOnce(&'a str) -> Option<T>,
    ) -> Result<T, Flaw> {
        self.header(name).and_then(read).ok_or(Flaw::Incomplete(name))
    }

    /// A header that says whose the message is, or how long it is, and that stands there twice:
    /// another element may believe the other one.
    fn ambiguous_header(&self) -> Option<&'static str> {
        let single = ["CSeq", "Call-ID", "From", "To"];
        let repeated = single.into_iter().find(|name| self.headers(name).nth(1).is_some());
        repeated.or_else(|| {
            let mut lengths = self.headers("Content-Length");
            let first = lengths.next()?;
            lengths.any(|length| length != first).then_some("Content-Length")
        })
    }

    /// Parses one datagram.
    #[cfg(test)]
    pub(crate) fn parse(text: &str) -> Self {
        let mut datagram = text.as_bytes().to_vec();
        super::repair::complete(&mut datagram);
        let parsed = sip::parser::parse_message(&datagram).expect("the test's message parses");
        Self::from_parser(parsed).expect("the test's message is complete")
    }

    /// Request or response.
    pub(crate) fn start(&self) -> &Start {
        &self.start
    }

    /// The first value of a header, by its long name, without white space around it (one that is
    /// folded behind its colon would begin with a space).
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|header| header.name().eq_ignore_ascii_case(name))
            .map(|header| header.value().trim())
    }

    /// All values of a header, by its long name, in order. Comma-separated lists are not split.
    pub(crate) fn headers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers
            .iter()
            .filter(move |header| header.name().eq_ignore_ascii_case(name))
            .map(|header| header.value().trim())
    }

    /// Call-ID.
    pub(crate) fn call_id(&self) -> &str {
        self.header("Call-ID").unwrap_or_default()
    }

    /// The number of CSeq.
    pub(crate) fn cseq(&self) -> u32 {
        self.cseq
    }

    /// The method of CSeq: what a response answers.
    pub(crate) fn cseq_method(&self) -> Method {
        self.cseq_method
    }

    /// The tag of From.
    pub(crate) fn tag_of_from(&self) -> Option<&str> {
        self.header("From").and_then(NameAddr::parse)?.tag()
    }

    /// The tag of To.
    pub(crate) fn tag_of_to(&self) -> Option<&str> {
        self.header("To").and_then(NameAddr::parse)?.tag()
    }

    /// The branch of the top Via.
    pub(crate) fn branch(&self) -> Option<&str> {
        self.header("Via").and_then(Via::parse)?.branch()
    }

    /// The URI of the first Contact.
    pub(crate) fn contact(&self) -> Option<&str> {
        let entry = fields::list(self.header("Contact")?).next()?;
        NameAddr::parse(entry).map(|contact| contact.uri)
    }

    /// The message written anew, for people: what came, but for compact names of headers, folded
    /// lines and bytes that are not UTF-8. `instead` gives what to show in place of a header's value.
    pub(crate) fn written(&self, instead: impl Fn(&str) -> Option<&'static str>) -> String {
        let mut text = String::with_capacity(1_024 + self.body.len());
        let _infallible = match (&self.start, &self.request) {
            (Start::Response { status, phrase }, _) => write!(text, "SIP/2.0 {status} {phrase}"),
            (Start::Request(_), Some((method, uri))) => write!(text, "{method} {uri} SIP/2.0"),
            (Start::Request(method), None) => write!(text, "{} SIP/2.0", method.as_str()),
        };
        for header in self.headers.iter() {
            let value = instead(header.name()).unwrap_or(header.value());
            let _infallible = write!(text, "\r\n{}: {value}", header.name());
        }
        text.push_str("\r\n\r\n");
        text.push_str(&String::from_utf8_lossy(&self.body));
        text
    }

    /// The body as it came.
    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }

    /// The body, if it is a session description.
    pub(crate) fn sdp(&self) -> Option<&str> {
        if self.body.is_empty() {
            return None;
        }
        let is_sdp = self.header("Content-Type").is_none_or(|value| {
            let media_type = value.split(';').next().unwrap_or_default().trim();
            media_type.eq_ignore_ascii_case("application/sdp")
        });
        is_sdp.then(|| std::str::from_utf8(&self.body).ok())?
    }
}
