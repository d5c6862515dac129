//! A parsed message as the rest of the engine sees it: the parser's own storage, moved and not
//! copied, behind accessors that name nothing of the parser's.

use rsipstack::sip::{self, Headers, SipMessage};

use crate::sip::fields::{self, NameAddr, Via};

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
            Self::Other => "OTHER",
        }
    }

    fn read(text: &str) -> Self {
        [Self::Invite, Self::Ack, Self::Cancel, Self::Bye, Self::Options, Self::Info, Self::Update]
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

/// A message that has all that routing it takes: Call-ID, CSeq, From, To and a top Via.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    start: Start,
    cseq: u32,
    cseq_method: Method,
    headers: Headers,
    body: Vec<u8>,
}

impl Message {
    /// Takes over what the parser made. Nothing, if a header is missing without which the message
    /// belongs to nobody and cannot be answered either (RFC 3261 §8.1.1).
    pub(super) fn from_parser(message: SipMessage) -> Option<Self> {
        let (start, headers, body) = match message {
            SipMessage::Request(request) => {
                let method = Method::read(&request.method.to_string());
                (Start::Request(method), request.headers, request.body)
            }
            SipMessage::Response(response) => {
                let phrase =
                    response.wire_reason.unwrap_or_else(|| response.status_code.text().to_owned());
                let status = response.status_code.code();
                (Start::Response { status, phrase }, response.headers, response.body)
            }
        };
        let mut message = Self { start, cseq: 0, cseq_method: Method::Other, headers, body };
        let (number, method) = message.header("CSeq")?.trim().split_once([' ', '\t'])?;
        (message.cseq, message.cseq_method) = (number.parse().ok()?, Method::read(method.trim()));
        let complete = message.header("Call-ID").is_some_and(|id| !id.is_empty())
            && NameAddr::parse(message.header("From")?).is_some()
            && NameAddr::parse(message.header("To")?).is_some()
            && Via::parse(message.header("Via")?).is_some();
        complete.then_some(message)
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

    /// The first value of a header, by its long name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|header| header.name().eq_ignore_ascii_case(name))
            .map(sip::Header::value)
    }

    /// All values of a header, by its long name, in order. Comma-separated lists are not split.
    pub(crate) fn headers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers
            .iter()
            .filter(move |header| header.name().eq_ignore_ascii_case(name))
            .map(sip::Header::value)
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
