//! Offer and answer (RFC 3264): what both sides end up sending.

use std::net::SocketAddr;

use yunling_switch_contract::Codec;

use super::Direction;
use super::parse::{self, Description, Media};
use super::session::{self, AnswerLine, Session};

/// What both sides agreed on, as we see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Agreement {
    /// Where our RTP goes.
    pub remote: SocketAddr,
    /// Where our RTCP goes.
    pub remote_rtcp: SocketAddr,
    /// What we send and take.
    pub codec: Codec,
    /// The payload type of telephone-event, as the peer numbers it.
    pub telephone_event: Option<u8>,
    /// Ours, where the peer answered with another: RFC 3264 §5.1 has it send with our number, and
    /// the gateways that insist on one of their own also send with that.
    pub telephone_event_too: Option<u8>,
    /// Audio in each packet that we send, milliseconds: 10 to 60, in tens.
    pub ptime_ms: u8,
    /// We may send: not on hold.
    pub send: bool,
    /// The peer may send.
    pub receive: bool,
}

/// Why a description of the peer's is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unusable {
    #[error("the peer sent no session description")]
    Missing,
    #[error("the peer's session description cannot be read")]
    Malformed,
    #[error("the peer's session description refuses audio or has none over RTP/AVP")]
    NoAudio,
    #[error("the peer speaks none of the codecs that we offered")]
    NoCommonCodec,
    #[error("the peer's session description has no address to send to")]
    NoAddress,
}

/// Takes the peer's answer to our offer.
pub(crate) fn take_answer(answer: &str, session: &Session) -> Result<Agreement, Unusable> {
    let description = parse::parse(answer).ok_or(Unusable::Malformed)?;
    let media = usable_audio(&description).next().ok_or(Unusable::NoAudio)?;
    let (codec, _) = common_codec(media, session.codecs()).ok_or(Unusable::NoCommonCodec)?;
    let agreement = agree(media, codec)?;
    // Ours is free for the peer's events unless the peer gave the number to something else.
    let ours = session::TELEPHONE_EVENT;
    let differs = agreement.telephone_event.is_some_and(|theirs| theirs != ours)
        && media.mapping(&ours.to_string()).is_none();
    Ok(Agreement { telephone_event_too: differs.then_some(ours), ..agreement })
}

/// Takes an offer of the peer's: what is agreed on, and our answer.
pub(crate) fn take_offer(
    offer: &str,
    session: &mut Session,
) -> Result<(Agreement, String), Unusable> {
    let description = parse::parse(offer).ok_or(Unusable::Malformed)?;
    if usable_audio(&description).next().is_none() {
        return Err(Unusable::NoAudio);
    }
    let (chosen, codec, payload_type) = description
        .media
        .iter()
        .enumerate()
        .filter(|(_, media)| is_usable_audio(media))
        .find_map(|(index, media)| {
            let (codec, payload_type) = common_codec(media, session.codecs())?;
            Some((index, codec, payload_type))
        })
        .ok_or(Unusable::NoCommonCodec)?;
    let agreement = agree(&description.media[chosen], codec)?;
    let lines: Vec<AnswerLine<'_>> = description
        .media
        .iter()
        .enumerate()
        .map(|(index, media)| {
            if index == chosen {
                AnswerLine::Audio {
                    protocol: media.protocol,
                    codec,
                    payload_type,
                    telephone_event: agreement.telephone_event,
                    direction: Direction::of(agreement.send, agreement.receive),
                }
            } else {
                let (kind, protocol) = (media.kind, media.protocol);
                AnswerLine::Refused { kind, protocol, formats: &media.formats }
            }
        })
        .collect();
    let answer = session.answer(&lines);
    Ok((agreement, answer))
}

fn usable_audio<'a, 'b>(description: &'b Description<'a>) -> impl Iterator<Item = &'b Media<'a>> {
    description.media.iter().filter(|media| is_usable_audio(media))
}

fn is_usable_audio(media: &Media<'_>) -> bool {
    media.kind == "audio" && media.port != 0 && matches!(media.protocol, "RTP/AVP" | "RTP/AVPF")
}

/// The first of the peer's formats that we speak, and the payload type it has there.
fn common_codec<'a>(media: &Media<'a>, ours: &[Codec]) -> Option<(Codec, &'a str)> {
    media.formats.iter().find_map(|format| {
        ours.iter()
            .copied()
            .find(|codec| speaks(media, format, *codec))
            .map(|codec| (codec, *format))
    })
}

/// Whether a format is the codec: by its mapping, else by its static payload type.
fn speaks(media: &Media<'_>, format: &str, codec: Codec) -> bool {
    match media.mapping(format) {
        Some(encoding) => {
            let mut parts = encoding.split('/');
            parts.next().is_some_and(|name| name.eq_ignore_ascii_case(codec.name()))
                && parts.next().is_none_or(|rate| rate.trim() == "8000")
        }
        None => format.parse() == Ok(codec.payload_type()),
    }
}

fn agree(media: &Media<'_>, codec: Codec) -> Result<Agreement, Unusable> {
    let address = media.address.ok_or(Unusable::NoAddress)?;
    let (rtcp_port, rtcp_address) =
        media.rtcp.unwrap_or((media.port.checked_add(1).unwrap_or(media.port), None));
    let telephone_event = media.formats.iter().find_map(|format| {
        let (name, rate) = media.mapping(format)?.split_once('/')?;
        (name.eq_ignore_ascii_case("telephone-event") && rate.trim_end_matches("/1") == "8000")
            .then(|| format.parse().ok())?
            .filter(|payload_type: &u8| *payload_type < 128)
    });
    // 0.0.0.0 is the old way to put somebody on hold (RFC 3264 §8.4).
    let held = address.is_unspecified();
    Ok(Agreement {
        remote: SocketAddr::new(address, media.port),
        remote_rtcp: SocketAddr::new(rtcp_address.unwrap_or(address), rtcp_port),
        codec,
        telephone_event,
        telephone_event_too: None,
        ptime_ms: ptime(media),
        send: media.direction.receives() && !held,
        receive: media.direction.sends(),
    })
}

/// What the peer asks for, at most its maximum, in whole tens from 10 to 60; else 20.
fn ptime(media: &Media<'_>) -> u8 {
    let wanted = media.ptime_ms.unwrap_or(20);
    let limit = media.maxptime_ms.unwrap_or(u16::MAX);
    let tens = wanted.min(limit).clamp(10, 60) / 10 * 10;
    u8::try_from(tens).unwrap_or(20)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may panic")]

    use super::*;

    fn session() -> Session {
        Session::new(7, "10.0.0.9:20000".parse().unwrap(), vec![Codec::Pcma, Codec::Pcmu])
    }

    const HEAD: &str = "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\n";

    #[test]
    fn our_offer_lists_codecs_in_order_and_counts_versions() {
        let mut session = session();
        assert_eq!(
            session.offer(),
            "v=0\r\no=- 7 1 IN IP4 10.0.0.9\r\ns=-\r\nc=IN IP4 10.0.0.9\r\nt=0 0\r\n\
             m=audio 20000 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n\
             a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n"
        );
        let offer = session.offer();
        assert!(offer.contains("o=- 7 1 IN"), "nothing has changed");
        let held = format!("{HEAD}m=audio 4000 RTP/AVP 8\r\na=sendonly\r\n");
        let (_, answer) = take_offer(&held, &mut session).unwrap();
        assert!(answer.contains("o=- 7 2 IN"), "{answer}");
        assert_eq!(session.current(), answer);
        assert_eq!(session.offer(), offer.replace("o=- 7 1 IN", "o=- 7 3 IN"));
    }

    /// One media section after another; what an answer with it leads to.
    #[test]
    fn answers_are_taken_as_they_come() {
        let plain = Agreement {
            remote: "10.0.0.1:4000".parse().unwrap(),
            remote_rtcp: "10.0.0.1:4001".parse().unwrap(),
            codec: Codec::Pcma,
            telephone_event: None,
            telephone_event_too: None,
            ptime_ms: 20,
            send: true,
            receive: true,
        };
        let rows: Vec<(&str, Result<Agreement, Unusable>)> = vec![
            ("m=audio 4000 RTP/AVP 8", Ok(plain)),
            (
                "m=audio 4000 RTP/AVP 0 8 96\r\na=rtpmap:96 telephone-event/8000",
                Ok(Agreement {
                    codec: Codec::Pcmu,
                    telephone_event: Some(96),
                    telephone_event_too: Some(101),
                    ..plain
                }),
            ),
            (
                "m=audio 4000/1 RTP/AVP 8 100\r\na=rtpmap:100 Telephone-Event/8000/1",
                Ok(Agreement {
                    telephone_event: Some(100),
                    telephone_event_too: Some(101),
                    ..plain
                }),
            ),
            (
                "m=audio 4000 RTP/AVP 8 97 101\r\na=rtpmap:97 telephone-event/8000\r\n\
                 a=rtpmap:101 telephone-event/16000",
                Ok(Agreement { telephone_event: Some(97), ..plain }),
            ),
            (
                "m=audio 4000 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/8000",
                Ok(Agreement { telephone_event: Some(101), ..plain }),
            ),
            ("m=audio 4000 RTP/AVP 8 101\r\na=rtpmap:101 telephone-event/16000", Ok(plain)),
            ("m=audio 4000 RTP/AVP 8\r\na=ptime:40", Ok(Agreement { ptime_ms: 40, ..plain })),
            (
                "m=audio 4000 RTP/AVP 8\r\na=ptime:40\r\na=maxptime:30",
                Ok(Agreement { ptime_ms: 30, ..plain }),
            ),
            ("m=audio 4000 RTP/AVP 8\r\na=ptime:5", Ok(Agreement { ptime_ms: 10, ..plain })),
            ("m=audio 4000 RTP/AVP 8\r\na=ptime:0", Ok(plain)),
            ("m=audio 4000 RTP/AVP 8\r\na=maxptime:200", Ok(plain)),
            (
                "m=audio 4000 RTP/AVP 8\r\nc=IN IP4 10.0.0.2\r\na=rtcp:53020 IN IP4 10.0.0.3",
                Ok(Agreement {
                    remote: "10.0.0.2:4000".parse().unwrap(),
                    remote_rtcp: "10.0.0.3:53020".parse().unwrap(),
                    ..plain
                }),
            ),
            ("m=audio 4000 RTP/AVP 8\r\na=recvonly", Ok(Agreement { receive: false, ..plain })),
            ("m=audio 4000 RTP/AVP 8\r\na=sendonly", Ok(Agreement { send: false, ..plain })),
            (
                "m=audio 4000 RTP/AVP 8\r\na=inactive",
                Ok(Agreement { send: false, receive: false, ..plain }),
            ),
            (
                "m=audio 4000 RTP/AVP 8\r\nc=IN IP4 0.0.0.0",
                Ok(Agreement {
                    remote: "0.0.0.0:4000".parse().unwrap(),
                    remote_rtcp: "0.0.0.0:4001".parse().unwrap(),
                    send: false,
                    ..plain
                }),
            ),
            ("m=video 6000 RTP/AVP 31\r\nm=audio 4000 RTP/AVP 8", Ok(plain)),
            ("m=audio 4000 RTP/AVP 97\r\na=rtpmap:97 PCMA/8000", Ok(plain)),
            ("m=audio 4000 RTP/AVP 97 8\r\na=rtpmap:97 PCMA/16000", Ok(plain)),
            ("m=audio 0 RTP/AVP 8", Err(Unusable::NoAudio)),
            ("m=audio 4000 RTP/SAVP 8", Err(Unusable::NoAudio)),
            ("m=video 6000 RTP/AVP 31", Err(Unusable::NoAudio)),
            ("", Err(Unusable::NoAudio)),
            ("m=audio 4000 RTP/AVP 18", Err(Unusable::NoCommonCodec)),
            ("m=audio 4000 RTP/AVP 8\r\nc=IN IP4 host.example", Err(Unusable::NoAddress)),
            ("m=audio x RTP/AVP 8", Err(Unusable::Malformed)),
        ];
        for (section, expected) in rows {
            let answer = format!("{HEAD}{section}\r\n");
            assert_eq!(take_answer(&answer, &session()), expected, "{section}");
        }
        assert_eq!(take_answer("nonsense", &session()), Err(Unusable::Malformed));
        assert_eq!(take_answer("", &session()), Err(Unusable::Malformed));
    }

    #[test]
    fn a_session_wide_direction_holds_until_a_section_says_otherwise() {
        let held = format!("{HEAD}a=sendonly\r\nm=audio 4000 RTP/AVP 8\r\n");
        assert!(!take_answer(&held, &session()).unwrap().send);
        let resumed = format!("{held}a=sendrecv\r\n");
        assert!(take_answer(&resumed, &session()).unwrap().send);
    }

    #[test]
    fn an_offer_is_answered_line_by_line() {
        let mut session = session();
        let offer = format!(
            "{HEAD}m=video 6000 RTP/AVP 31 32\r\nm=audio 4000 RTP/AVP 18 0 100\r\n\
             a=rtpmap:100 telephone-event/8000\r\na=sendonly\r\nm=audio 4002 RTP/AVP 8\r\n"
        );
        let (agreement, answer) = take_offer(&offer, &mut session).unwrap();
        assert_eq!((agreement.codec, agreement.telephone_event), (Codec::Pcmu, Some(100)));
        assert_eq!((agreement.send, agreement.receive), (false, true));
        assert!(
            answer.ends_with(
                "m=video 0 RTP/AVP 31 32\r\nm=audio 20000 RTP/AVP 0 100\r\na=rtpmap:0 PCMU/8000\r\n\
             a=rtpmap:100 telephone-event/8000\r\na=fmtp:100 0-15\r\na=ptime:20\r\na=recvonly\r\n\
             m=audio 0 RTP/AVP 8\r\n"
            ),
            "{answer}"
        );
        let foreign = format!("{HEAD}m=audio 4000 RTP/AVP 18\r\n");
        assert_eq!(take_offer(&foreign, &mut session), Err(Unusable::NoCommonCodec));
    }
}
