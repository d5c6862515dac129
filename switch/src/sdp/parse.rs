//! Reads the lines of a session description that matter to audio; the rest is passed over.

use std::net::IpAddr;

use super::Direction;

/// A session description.
#[derive(Debug, Default)]
pub(super) struct Description<'a> {
    /// Every `m=` line, in order: an answer must have as many.
    pub media: Vec<Media<'a>>,
}

/// An `m=` section, session-level values filled in where it has none of its own.
#[derive(Debug, Clone)]
pub(super) struct Media<'a> {
    /// `audio`, `video`…
    pub kind: &'a str,
    /// 0: refused.
    pub port: u16,
    /// `RTP/AVP`…
    pub protocol: &'a str,
    /// Payload types, in order of preference; kept as text because other protocols put other things
    /// there.
    pub formats: Vec<&'a str>,
    /// From `c=`; absent if it names a host instead of an address.
    pub address: Option<IpAddr>,
    pub direction: Direction,
    /// From `a=ptime`, milliseconds.
    pub ptime_ms: Option<u16>,
    /// From `a=maxptime`, milliseconds.
    pub maxptime_ms: Option<u16>,
    /// From `a=rtcp` (RFC 3605).
    pub rtcp: Option<(u16, Option<IpAddr>)>,
    maps: Vec<(&'a str, &'a str)>,
}

impl<'a> Media<'a> {
    /// The `name/rate` that a payload type stands for.
    pub(super) fn mapping(&self, format: &str) -> Option<&'a str> {
        self.maps.iter().find(|(mapped, _)| *mapped == format).map(|(_, encoding)| *encoding)
    }
}

/// Reads a description; nothing if it does not begin as one, or holds what no line may (RFC 8866
/// §9, `byte-string`): pieces of it are repeated in our answer.
pub(super) fn parse(text: &str) -> Option<Description<'_>> {
    let mut lines = text.lines().map(str::trim_end).filter(|line| !line.is_empty());
    if !lines.next()?.starts_with("v=") {
        return None;
    }
    let mut description = Description::default();
    let mut session_address = None;
    let mut session_direction = Direction::SendReceive;
    for line in lines {
        if line.contains(['\0', '\r']) {
            return None;
        }
        let Some((kind, value)) = line.split_once('=') else { continue };
        match (kind, description.media.last_mut()) {
            ("m", _) => {
                let mut media = media_line(value)?;
                media.address = session_address;
                media.direction = session_direction;
                description.media.push(media);
            }
            ("c", Some(media)) => media.address = connection(value),
            ("c", None) => session_address = connection(value),
            ("a", Some(media)) => attribute(media, value),
            ("a", None) => session_direction = direction(value).unwrap_or(session_direction),
            _ => {}
        }
    }
    Some(description)
}

fn media_line(value: &str) -> Option<Media<'_>> {
    let mut words = value.split_whitespace();
    let kind = words.next()?;
    let port = words.next()?.split('/').next()?.parse().ok()?;
    let protocol = words.next()?;
    Some(Media {
        kind,
        port,
        protocol,
        formats: words.collect(),
        address: None,
        direction: Direction::SendReceive,
        ptime_ms: None,
        maxptime_ms: None,
        rtcp: None,
        maps: Vec::new(),
    })
}

fn connection(value: &str) -> Option<IpAddr> {
    let address = value.split_whitespace().nth(2)?;
    address.split('/').next()?.parse().ok()
}

fn direction(attribute: &str) -> Option<Direction> {
    Direction::ALL.into_iter().find(|direction| attribute.trim() == direction.name())
}

fn attribute<'a>(media: &mut Media<'a>, attribute: &'a str) {
    if let Some(direction) = direction(attribute) {
        media.direction = direction;
        return;
    }
    let Some((name, value)) = attribute.split_once(':') else { return };
    let value = value.trim();
    match name {
        "rtpmap" => {
            if let Some((format, encoding)) = value.split_once(char::is_whitespace) {
                media.maps.push((format, encoding.trim()));
            }
        }
        "ptime" => media.ptime_ms = milliseconds(value),
        "maxptime" => media.maxptime_ms = milliseconds(value),
        "rtcp" => {
            let mut words = value.split_whitespace();
            let port = words.next().and_then(|port| port.parse().ok());
            let address = words.nth(2).and_then(|address| address.parse().ok());
            media.rtcp = port.map(|port| (port, address));
        }
        _ => {}
    }
}

/// Whole milliseconds; some write `20.0`.
fn milliseconds(value: &str) -> Option<u16> {
    value.split('.').next()?.parse().ok().filter(|ms| *ms > 0)
}
