use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// The smallest interval that may be asked for, seconds (RFC 4028 §5).
const LEAST_S: u32 = 90;
/// A day.
const MOST_S: u32 = 86_400;
/// Half an hour (RFC 4028 §4).
const USUAL_S: u32 = 1_800;

/// A trunk's session timers (RFC 4028). In documents: `off`, or
/// `{interval_s: 1800, min_s: 90, refresher: us}` of which everything may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionTimerDoc {
    /// Not offered.
    Off,
    /// Offered.
    Offered(SessionIntervals),
}

/// What is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionIntervals {
    /// How long a call may go without a refresh, seconds.
    #[serde(default = "usual_s")]
    pub interval_s: u32,
    /// The shortest interval that the peer may ask of us, seconds.
    #[serde(default = "least_s")]
    pub min_s: u32,
    /// Who refreshes; absent: as the peer likes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresher: Option<RefresherName>,
}

/// Who refreshes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RefresherName {
    /// We do.
    Us,
    /// The trunk does.
    Peer,
}

const fn usual_s() -> u32 {
    USUAL_S
}

const fn least_s() -> u32 {
    LEAST_S
}

impl SessionIntervals {
    fn problem(&self) -> Option<String> {
        let SessionIntervals { interval_s, min_s, .. } = *self;
        if !(LEAST_S..=MOST_S).contains(&min_s) {
            return Some(format!("min_s: expected {LEAST_S} to {MOST_S} seconds, found {min_s}"));
        }
        if !(min_s..=MOST_S).contains(&interval_s) {
            return Some(format!(
                "interval_s: expected at least min_s ({min_s}) and at most {MOST_S} seconds, found {interval_s}"
            ));
        }
        None
    }
}

impl Serialize for SessionTimerDoc {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Off => serializer.serialize_str("off"),
            Self::Offered(intervals) => intervals.serialize(serializer),
        }
    }
}

// By hand: an untagged enum would not say what is wrong inside the map.
impl<'de> Deserialize<'de> for SessionTimerDoc {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TimerVisitor)
    }
}

struct TimerVisitor;

impl<'de> Visitor<'de> for TimerVisitor {
    type Value = SessionTimerDoc;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("off or {interval_s, min_s, refresher}")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        match text {
            "off" => Ok(SessionTimerDoc::Off),
            other => Err(E::invalid_value(de::Unexpected::Str(other), &self)),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        let intervals = SessionIntervals::deserialize(MapAccessDeserializer::new(map))?;
        match intervals.problem() {
            Some(problem) => Err(de::Error::custom(problem)),
            None => Ok(SessionTimerDoc::Offered(intervals)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_taken_and_what_is_not() {
        let offered = |interval_s, min_s, refresher| {
            SessionTimerDoc::Offered(SessionIntervals { interval_s, min_s, refresher })
        };
        for (written, read) in [
            (json!("off"), SessionTimerDoc::Off),
            (json!({}), offered(1_800, 90, None)),
            (json!({ "interval_s": 600 }), offered(600, 90, None)),
            (
                json!({ "interval_s": 600, "min_s": 120, "refresher": "peer" }),
                offered(600, 120, Some(RefresherName::Peer)),
            ),
        ] {
            let timer: SessionTimerDoc = serde_json::from_value(written.clone()).unwrap();
            assert_eq!(timer, read, "{written}");
            let again = serde_json::to_value(timer).unwrap();
            assert_eq!(
                serde_json::from_value::<SessionTimerDoc>(again).unwrap(),
                read,
                "{written}"
            );
        }
        for (written, said) in [
            (json!("on"), "expected off or"),
            (json!(90), "expected off or"),
            (json!({ "min_s": 89 }), "min_s: expected 90 to"),
            (json!({ "interval_s": 100, "min_s": 200 }), "interval_s: expected at least min_s"),
            (json!({ "interval_s": 90_000 }), "interval_s: expected"),
            (json!({ "refresher": "uac" }), "unknown variant"),
            (json!({ "interval": 90 }), "unknown field"),
        ] {
            let problem = serde_json::from_value::<SessionTimerDoc>(written.clone()).unwrap_err();
            assert!(problem.to_string().contains(said), "{written} gave {problem}");
        }
    }
}
