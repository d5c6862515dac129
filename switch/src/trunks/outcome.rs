//! What came of a request to a trunk, and how pauses are spread.

use std::time::Duration;

use crate::sip::fields::session_expires::delta_seconds;
use crate::sip::fields::{self, NameAddr};
use crate::sip::stack::{Message, Start};

/// What came of a REGISTER or an OPTIONS.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Outcome {
    /// A final answer that is no challenge.
    Answered(Answer),
    /// A challenge that our password does not satisfy; the text says what the trunk does.
    Refused { sip_code: u16, text: String },
    /// No final answer in time.
    Silent,
    /// It could not be sent; the text says why.
    Unreachable(String),
    /// The connection broke while we waited.
    ConnectionLost,
}

impl Outcome {
    /// The status, where there was one.
    pub(super) fn sip_code(&self) -> Option<u16> {
        match self {
            Self::Answered(answer) => Some(answer.code),
            Self::Refused { sip_code, .. } => Some(*sip_code),
            Self::Silent | Self::Unreachable(_) | Self::ConnectionLost => None,
        }
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Answered(answer) => answer.phrase.clone(),
            Self::Refused { text, .. } => format!("the trunk {text}"),
            Self::Silent => "no answer came".to_owned(),
            Self::Unreachable(text) => text.clone(),
            Self::ConnectionLost => "the connection was lost before an answer came".to_owned(),
        }
    }

    /// Whether another server of the same trunk may do better (RFC 3263 §4.3).
    pub(super) fn blames_server(&self) -> bool {
        match self {
            Self::Answered(answer) => answer.code == 503,
            Self::Silent | Self::ConnectionLost => true,
            // All servers were tried, or one has decided.
            Self::Unreachable(_) | Self::Refused { .. } => false,
        }
    }
}

/// A final answer.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Answer {
    /// The status.
    pub code: u16,
    /// The trunk's words.
    pub phrase: String,
    /// For how long it keeps our contact, seconds (RFC 3261 §10.2.4).
    pub expires_s: Option<u32>,
    /// The least that it takes, seconds (§20.23).
    pub min_expires_s: Option<u32>,
    /// When it wants to be asked again, seconds (§20.33).
    pub retry_after_s: Option<u32>,
    /// Its first Contact.
    pub contact: Option<String>,
}

impl Answer {
    /// Reads a response; `ours` is the URI that we registered, without brackets.
    pub(super) fn read(response: &Message, ours: &str) -> Self {
        let (code, phrase) = match response.start() {
            Start::Response { status, phrase } => (*status, phrase.chars().take(128).collect()),
            Start::Request(_) => (0, String::new()),
        };
        let seconds = |name| response.header(name).and_then(delta_seconds);
        let contacts: Vec<NameAddr<'_>> = response
            .headers("Contact")
            .flat_map(fields::list)
            .filter_map(NameAddr::parse)
            .collect();
        let of_contact = match contacts.iter().find(|contact| is_same(contact.uri, ours)) {
            Some(found) => found.param("expires").and_then(delta_seconds),
            // A registrar behind a NAT may write our address as it sees it.
            None => match contacts.as_slice() {
                [only] => only.param("expires").and_then(delta_seconds),
                _ => None,
            },
        };
        Self {
            code,
            phrase,
            expires_s: of_contact.or_else(|| seconds("Expires")),
            min_expires_s: seconds("Min-Expires"),
            retry_after_s: seconds("Retry-After"),
            contact: contacts.first().map(|contact| contact.uri.chars().take(80).collect()),
        }
    }
}

/// Whether two URIs name the same contact, parameters aside.
fn is_same(uri: &str, ours: &str) -> bool {
    let bare = |uri: &str| uri.split(';').next().unwrap_or_default().to_ascii_lowercase();
    bare(uri) == bare(ours)
}

/// A part of a time between two percentages, by chance.
pub(super) fn share(time: Duration, random: u64, from_percent: u32, to_percent: u32) -> Duration {
    // Thousandths are fine enough to keep hundreds of trunks apart.
    let thousandths = u32::try_from(random >> 32).map_or(0, |high| high / (u32::MAX / 1_000));
    let spread = (to_percent - from_percent) * thousandths.min(1_000);
    time * (from_percent * 1_000 + spread) / 100_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_registrar_grants_is_read_from_our_contact_first() {
        let ours = "sip:u1@192.0.2.1:5060";
        let rows = [
            ("Contact: <sip:u1@192.0.2.1:5060>;expires=120\r\nExpires: 600\r\n", Some(120)),
            ("Contact: <sip:a@h>;expires=9, <SIP:U1@192.0.2.1:5060;x=y>;expires=60\r\n", Some(60)),
            (
                "Contact: <sip:a@h>;expires=9\r\nContact: <sip:b@h>;expires=8\r\nExpires: 7\r\n",
                Some(7),
            ),
            ("Contact: <sip:u1@203.0.113.9:1024>;expires=50\r\n", Some(50)),
            ("Contact: <sip:u1@192.0.2.1:5060>\r\nExpires: 600\r\n", Some(600)),
            ("Contact: <sip:u1@192.0.2.1:5060>;expires=soon\r\n", None),
            ("", None),
        ];
        for (headers, expected) in rows {
            let response = Message::parse(&format!(
                "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=z\r\nFrom: <sip:a>;tag=1\r\n\
                 To: <sip:a>;tag=2\r\nCall-ID: c\r\nCSeq: 1 REGISTER\r\n{headers}\r\n"
            ));
            assert_eq!(Answer::read(&response, ours).expires_s, expected, "{headers}");
        }
    }

    #[test]
    fn shares_lie_between_their_bounds() {
        let time = Duration::from_secs(100);
        assert_eq!(share(time, 0, 75, 125), Duration::from_secs(75));
        assert_eq!(share(time, u64::MAX, 75, 125), Duration::from_secs(125));
        for random in [1 << 40, 1 << 50, 1 << 60, 1 << 63] {
            let found = share(time, random, 90, 110);
            assert!((90..=110).contains(&found.as_secs()), "{found:?}");
        }
        assert_eq!(share(Duration::from_secs(7 * 86_400), u64::MAX, 45, 55).as_secs(), 332_640);
    }
}
