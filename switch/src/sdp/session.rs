//! Our own side of a session: the descriptions that we write.

use std::fmt::Write as _;
use std::net::SocketAddr;

use yunling_switch_contract::Codec;

use super::Direction;

/// The payload type that we give telephone-event in our own offers.
pub(super) const TELEPHONE_EVENT: u8 = 101;

/// What stays the same over all descriptions of one leg.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    id: u32,
    version: u32,
    local: SocketAddr,
    codecs: Vec<Codec>,
    /// The media lines of the last description that we wrote.
    media: String,
}

/// An `m=` line of an answer.
pub(super) enum AnswerLine<'a> {
    /// Taken, with this codec and telephone-event.
    Audio {
        protocol: &'a str,
        codec: Codec,
        /// The payload type that the offer gave the codec.
        payload_type: &'a str,
        telephone_event: Option<u8>,
        direction: Direction,
    },
    /// Refused.
    Refused { kind: &'a str, protocol: &'a str, formats: &'a [&'a str] },
}

impl Session {
    /// Begins a session. `id` tells it from others of this host (RFC 8866 §5.2).
    pub(crate) fn new(id: u32, local: SocketAddr, codecs: Vec<Codec>) -> Self {
        Self { id, version: 0, local, codecs, media: String::new() }
    }

    /// The codecs that we speak on this leg, in order of preference.
    pub(super) fn codecs(&self) -> &[Codec] {
        &self.codecs
    }

    /// An offer of all that we speak.
    pub(crate) fn offer(&mut self) -> String {
        let mut text = String::with_capacity(512);
        let _infallible = write!(text, "m=audio {} RTP/AVP", self.local.port());
        for codec in &self.codecs {
            let _infallible = write!(text, " {}", codec.payload_type());
        }
        let _infallible = write!(text, " {TELEPHONE_EVENT}\r\n");
        for codec in &self.codecs {
            let _infallible =
                write!(text, "a=rtpmap:{} {}/8000\r\n", codec.payload_type(), codec.name());
        }
        push_telephone_event(&mut text, TELEPHONE_EVENT);
        text.push_str("a=ptime:20\r\na=sendrecv\r\n");
        self.describe(text)
    }

    /// An answer of these lines.
    pub(super) fn answer(&mut self, lines: &[AnswerLine<'_>]) -> String {
        let mut text = String::with_capacity(512);
        for line in lines {
            match line {
                AnswerLine::Audio { protocol, codec, payload_type, telephone_event, direction } => {
                    let port = self.local.port();
                    let _infallible = write!(text, "m=audio {port} {protocol} {payload_type}");
                    if let Some(event) = telephone_event {
                        let _infallible = write!(text, " {event}");
                    }
                    let _infallible =
                        write!(text, "\r\na=rtpmap:{payload_type} {}/8000\r\n", codec.name());
                    if let Some(event) = telephone_event {
                        push_telephone_event(&mut text, *event);
                    }
                    let _infallible = write!(text, "a=ptime:20\r\na={}\r\n", direction.name());
                }
                AnswerLine::Refused { kind, protocol, formats } => {
                    let _infallible =
                        write!(text, "m={kind} 0 {protocol} {}\r\n", formats.join(" "));
                }
            }
        }
        self.describe(text)
    }

    /// The description that we sent last, as it was: what a re-INVITE offers that is only to refresh
    /// the session.
    pub(crate) fn current(&self) -> String {
        let ip = self.local.ip();
        let family = if ip.is_ipv4() { "IP4" } else { "IP6" };
        format!(
            "v=0\r\no=- {} {} IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\n{}",
            self.id, self.version, self.media
        )
    }

    /// A description of these media, its version counted up if they are others than before
    /// (RFC 3264 §8).
    fn describe(&mut self, media: String) -> String {
        if self.media != media {
            self.version += 1;
            self.media = media;
        }
        self.current()
    }
}

fn push_telephone_event(text: &mut String, payload_type: u8) {
    let _infallible = write!(
        text,
        "a=rtpmap:{payload_type} telephone-event/8000\r\na=fmtp:{payload_type} 0-15\r\n"
    );
}
