//! Reads an offer and writes the answer (RFC 8866, RFC 3264): one G.711 stream, telephone-event.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use crate::g711::Law;

/// What the handset speaks and hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Agreed {
    pub(crate) law: Law,
    /// Payload type of telephone-event, if both sides speak it.
    pub(crate) key_payload_type: Option<u8>,
    /// Where to send; `None` if the peer wants nothing (address 0.0.0.0 or port 0).
    pub(crate) remote: Option<SocketAddr>,
    /// The direction that we answer with.
    pub(crate) direction: Direction,
    /// Each m-line of the offer as `media port-count proto`, and which of them is taken.
    lines: Vec<String>,
    taken: usize,
    payload_type: u8,
}

/// A stream's direction, as seen from us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    SendReceive,
    SendOnly,
    ReceiveOnly,
    Inactive,
}

impl Direction {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::SendReceive => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::ReceiveOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }

    pub(crate) const fn sends(self) -> bool {
        matches!(self, Self::SendReceive | Self::SendOnly)
    }

    pub(crate) const fn receives(self) -> bool {
        matches!(self, Self::SendReceive | Self::ReceiveOnly)
    }

    /// From the offerer's word to ours (RFC 3264 §6.1).
    fn answering(attribute: &str) -> Option<Self> {
        match attribute {
            "sendrecv" => Some(Self::SendReceive),
            "sendonly" => Some(Self::ReceiveOnly),
            "recvonly" => Some(Self::SendOnly),
            "inactive" => Some(Self::Inactive),
            _ => None,
        }
    }
}

/// Why an offer cannot be met: 488.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unacceptable {
    #[error("no SDP offer in the INVITE")]
    EmptyOffer,
    #[error("no audio stream over RTP/AVP in the offer")]
    NoAudio,
    #[error("no codec in common: offered payload types {0}")]
    ForeignCodecs(String),
    #[error("no IP address for the audio stream (c= line)")]
    NoAddress,
}

struct Section<'a> {
    media: &'a str,
    lines: Vec<&'a str>,
}

/// Chooses the offer's first codec that we speak.
pub(crate) fn agree(offer: &[u8], laws: &[Law], take_keys: bool) -> Result<Agreed, Unacceptable> {
    let offer = String::from_utf8_lossy(offer);
    let (mut session, mut sections) = (Vec::new(), Vec::<Section>::new());
    for line in offer.lines().map(str::trim) {
        if let Some(media) = line.strip_prefix("m=") {
            sections.push(Section { media, lines: Vec::new() });
        } else if let Some(section) = sections.last_mut() {
            section.lines.push(line);
        } else if !line.is_empty() {
            session.push(line);
        }
    }
    if session.is_empty() && sections.is_empty() {
        return Err(Unacceptable::EmptyOffer);
    }
    let taken = sections.iter().position(is_audio).ok_or(Unacceptable::NoAudio)?;
    let section = &sections[taken];
    let mut words = section.media.split_whitespace().skip(1);
    let port: u16 = words.next().and_then(|port| port.split('/').next()?.parse().ok()).unwrap_or(0);
    let offered: Vec<u8> = words.skip(1).filter_map(|word| word.parse().ok()).collect();
    let (payload_type, law) = offered
        .iter()
        .find_map(|&number| {
            Some((number, law_of(number, section)?)).filter(|(_, law)| laws.contains(law))
        })
        .ok_or_else(|| Unacceptable::ForeignCodecs(section.media.to_owned()))?;
    let key_payload_type = offered.iter().copied().find(|&number| {
        take_keys
            && encoding(number, section)
                .is_some_and(|name| name.eq_ignore_ascii_case("telephone-event/8000"))
    });
    let ip =
        address(&section.lines).or_else(|| address(&session)).ok_or(Unacceptable::NoAddress)?;
    let direction = |lines: &[&str]| {
        lines.iter().find_map(|line| Direction::answering(line.strip_prefix("a=")?))
    };
    Ok(Agreed {
        law,
        key_payload_type,
        remote: (port != 0 && !ip.is_unspecified()).then_some(SocketAddr::new(ip, port)),
        direction: direction(&section.lines)
            .or_else(|| direction(&session))
            .unwrap_or(Direction::SendReceive),
        lines: sections.iter().map(|section| section.media.to_owned()).collect(),
        taken,
        payload_type,
    })
}

impl Agreed {
    /// The payload type of the audio, as offered.
    pub(crate) const fn payload_type(&self) -> u8 {
        self.payload_type
    }

    /// The answer, with our `local` address and a session `version` that rises with each answer.
    pub(crate) fn answer(&self, local: SocketAddr, version: u32) -> Vec<u8> {
        let family = if local.is_ipv4() { "IP4" } else { "IP6" };
        let (ip, port) = (local.ip(), local.port());
        let mut text = format!(
            "v=0\r\no=carrier {port} {version} IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\n"
        );
        for (at, line) in self.lines.iter().enumerate() {
            // Writing to a String cannot fail.
            let _ = if at == self.taken {
                self.taken_line(&mut text, port)
            } else {
                refused_line(&mut text, line)
            };
        }
        text.into_bytes()
    }

    fn taken_line(&self, text: &mut String, port: u16) -> std::fmt::Result {
        let number = self.payload_type;
        write!(text, "m=audio {port} RTP/AVP {number}")?;
        if let Some(keys) = self.key_payload_type {
            write!(text, " {keys}")?;
        }
        write!(text, "\r\na=rtpmap:{number} {}/8000\r\n", self.law.name())?;
        if let Some(keys) = self.key_payload_type {
            write!(text, "a=rtpmap:{keys} telephone-event/8000\r\na=fmtp:{keys} 0-15\r\n")?;
        }
        write!(text, "a=ptime:20\r\na={}\r\n", self.direction.name())
    }
}

/// A stream is refused by port 0 and the rest of its line (RFC 3264 §6).
fn refused_line(text: &mut String, line: &str) -> std::fmt::Result {
    let mut words = line.split_whitespace();
    let media = words.next().unwrap_or("audio");
    let rest: Vec<&str> = words.skip(1).collect();
    write!(text, "m={media} 0 {}\r\n", rest.join(" "))
}

fn is_audio(section: &Section) -> bool {
    let words: Vec<&str> = section.media.split_whitespace().collect();
    matches!(words[..], ["audio", _, "RTP/AVP", ..])
}

/// The `name/rate` that an rtpmap gives a payload type, without a channel count.
fn encoding<'a>(number: u8, section: &Section<'a>) -> Option<&'a str> {
    section.lines.iter().find_map(|line| {
        let (mapped, name) = line.strip_prefix("a=rtpmap:")?.split_once(' ')?;
        (mapped.trim().parse() == Ok(number)).then(|| name.trim().trim_end_matches("/1"))
    })
}

fn law_of(number: u8, section: &Section) -> Option<Law> {
    match encoding(number, section) {
        Some(name) if name.eq_ignore_ascii_case("PCMA/8000") => Some(Law::Pcma),
        Some(name) if name.eq_ignore_ascii_case("PCMU/8000") => Some(Law::Pcmu),
        Some(_) => None,
        // Static payload types need no rtpmap.
        None => [Law::Pcma, Law::Pcmu].into_iter().find(|law| law.payload_type() == number),
    }
}

fn address(lines: &[&str]) -> Option<IpAddr> {
    lines.iter().find_map(|line| {
        let address = line.strip_prefix("c=IN IP4 ").or_else(|| line.strip_prefix("c=IN IP6 "))?;
        address.split('/').next()?.trim().parse().ok()
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a refused offer is a failed test")]
    use super::*;

    const BOTH: [Law; 2] = [Law::Pcma, Law::Pcmu];
    const HEAD: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n";

    fn agreed(media: &str) -> Result<Agreed, Unacceptable> {
        agree(format!("{HEAD}{media}").as_bytes(), &BOTH, true)
    }

    #[test]
    fn takes_the_first_codec_it_speaks() {
        let cases = [
            ("m=audio 4000 RTP/AVP 0 8\r\n", Law::Pcmu, None),
            (
                "m=audio 4000 RTP/AVP 18 8 101\r\na=rtpmap:101 telephone-event/8000\r\n",
                Law::Pcma,
                Some(101),
            ),
            (
                "m=audio 4000 RTP/AVP 96 97 98\na=rtpmap:96 opus/48000/2\na=rtpmap:97 pcmu/8000/1\na=rtpmap:98 TELEPHONE-EVENT/8000\n",
                Law::Pcmu,
                Some(98),
            ),
            (
                "m=audio 4000 RTP/AVP 8 110\r\na=rtpmap:110 telephone-event/48000\r\n",
                Law::Pcma,
                None,
            ),
        ];
        for (media, law, keys) in cases {
            let agreed = agreed(media).unwrap();
            assert_eq!((agreed.law, agreed.key_payload_type), (law, keys), "{media}");
            assert_eq!(agreed.remote, Some("127.0.0.1:4000".parse().unwrap()));
        }
        let only_u =
            agree(format!("{HEAD}m=audio 4 RTP/AVP 8 0\r\n").as_bytes(), &[Law::Pcmu], true);
        assert_eq!(only_u.unwrap().law, Law::Pcmu);
        let no_keys = agree(
            format!("{HEAD}m=audio 4 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\n")
                .as_bytes(),
            &BOTH,
            false,
        );
        assert_eq!(no_keys.unwrap().key_payload_type, None);
    }

    #[test]
    fn says_why_not() {
        let cases = [
            ("m=audio 4 RTP/SAVP 8\r\n", Unacceptable::NoAudio),
            ("m=video 4 RTP/AVP 8\r\n", Unacceptable::NoAudio),
            ("m=audio 4 RTP/AVP 18\r\n", Unacceptable::ForeignCodecs("audio 4 RTP/AVP 18".into())),
        ];
        for (media, fault) in cases {
            assert_eq!(agreed(media), Err(fault));
        }
        assert_eq!(agree(b"", &BOTH, true), Err(Unacceptable::EmptyOffer));
        assert_eq!(
            agree(b"v=0\r\nm=audio 4 RTP/AVP 8\r\n", &BOTH, true),
            Err(Unacceptable::NoAddress)
        );
    }

    #[test]
    fn turns_directions_round() {
        let cases = [
            ("", "sendrecv"),
            ("a=sendonly", "recvonly"),
            ("a=recvonly", "sendonly"),
            ("a=inactive", "inactive"),
        ];
        for (offered, answered) in cases {
            let agreed = agreed(&format!("m=audio 4 RTP/AVP 8\r\n{offered}\r\n")).unwrap();
            assert_eq!(agreed.direction.name(), answered);
        }
        assert_eq!(
            agreed("c=IN IP4 0.0.0.0\r\nm=audio 4 RTP/AVP 8\r\nc=IN IP4 0.0.0.0\r\n")
                .unwrap()
                .remote,
            None
        );
    }

    #[test]
    fn answers_every_line_of_the_offer() {
        let agreed = agreed("m=video 6 RTP/AVP 99\r\nm=audio 4 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000\r\n").unwrap();
        let answer =
            String::from_utf8(agreed.answer("127.0.0.1:40000".parse().unwrap(), 2)).unwrap();
        assert_eq!(
            answer,
            "v=0\r\no=carrier 40000 2 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
             m=video 0 RTP/AVP 99\r\nm=audio 40000 RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\n\
             a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n"
        );
    }
}
