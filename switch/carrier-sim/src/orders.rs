//! What somebody may tell the person at a telephone: the JSON body of a MESSAGE (RFC 3428) to the
//! number, as `"answer"`, `{"press":"5"}` or `{"behave":{"voice_hz":600}}`.

use serde::{Deserialize, Serialize};

use crate::g711::Law;

/// One order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Order {
    /// How the number behaves in all calls from the next one on.
    Behave(Behaviour),
    /// Pick up.
    Answer,
    /// Refuse, with a Reason header (RFC 3326) if one is given.
    Refuse {
        /// 300 to 699.
        code: u16,
        /// Such as `Q.850;cause=18`.
        #[serde(default)]
        reason: Option<String>,
    },
    /// Hang up.
    HangUp,
    /// Press a key.
    Press(char),
    /// Send nothing from now on, as a telephone does whose network is gone.
    Mute,
    /// Send again.
    Speak,
    /// Put the call on hold: a re-INVITE that offers `sendonly`.
    Hold,
    /// Take it back.
    Retrieve,
}

/// A number's behaviour, instead of what its last digits say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Behaviour {
    /// The first sign that it gives.
    pub(crate) ring: Sign,
    /// Milliseconds after which it picks up by itself; absent: it is told to.
    pub(crate) ring_ms: Option<u64>,
    /// The tone of its early media; absent: a network's ringback tone.
    pub(crate) early_hz: Option<u16>,
    /// The tone that it sends once it has picked up; absent: a quiet room.
    pub(crate) voice_hz: Option<u16>,
    /// Milliseconds of that tone, then as many of silence, and so on, by the network's clock: those
    /// of all telephones begin together. Absent: the tone does not stop.
    pub(crate) beat_ms: Option<u16>,
    /// The only codec that it speaks.
    pub(crate) codec: Option<Law>,
}

/// The first sign of a number that is being called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Sign {
    /// 180.
    #[default]
    Ringing,
    /// 183 without a description of media.
    Progress,
    /// 183 with one, and audio.
    EarlyMedia,
    /// 183 with one, and no audio.
    Promise,
    /// None before the final response.
    Nothing,
}

impl Sign {
    /// The status and its phrase.
    pub(crate) const fn status(self) -> Option<(u16, &'static str)> {
        match self {
            Self::Ringing => Some((180, "Ringing")),
            Self::Progress | Self::EarlyMedia | Self::Promise => Some((183, "Session Progress")),
            Self::Nothing => None,
        }
    }

    /// Whether it describes media.
    pub(crate) const fn has_media(self) -> bool {
        matches!(self, Self::EarlyMedia | Self::Promise)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed parse is a failed test")]
    use super::*;

    #[test]
    fn orders_are_json() {
        let behaviour = Behaviour {
            ring: Sign::EarlyMedia,
            ring_ms: Some(300),
            early_hz: Some(1_250),
            codec: Some(Law::Pcmu),
            ..Behaviour::default()
        };
        let refuse =
            |reason: Option<&str>| Order::Refuse { code: 486, reason: reason.map(str::to_owned) };
        let cases = [
            (r#""answer""#, Order::Answer),
            (r#""hang_up""#, Order::HangUp),
            (r#"{"press":"5"}"#, Order::Press('5')),
            (r#"{"refuse":{"code":486}}"#, refuse(None)),
            (
                r#"{"refuse":{"code":486,"reason":"Q.850;cause=17"}}"#,
                refuse(Some("Q.850;cause=17")),
            ),
            (
                r#"{"behave":{"ring":"early_media","ring_ms":300,"early_hz":1250,"codec":"pcmu"}}"#,
                Order::Behave(behaviour),
            ),
        ];
        for (text, order) in cases {
            assert_eq!(serde_json::from_str::<Order>(text).unwrap(), order, "{text}");
        }
        for wrong in ["", "answer", r#""sing""#, r#"{"behave":{"voice":1}}"#, r#"{"press":"55"}"#] {
            assert!(serde_json::from_str::<Order>(wrong).is_err(), "{wrong}");
        }
    }
}
