use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A time of day in minutes from midnight, 00:00 to 24:00.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeOfDay(u16);

const MINUTES_PER_DAY: u16 = 24 * 60;

impl TimeOfDay {
    /// The end of a day.
    pub const END: Self = Self(MINUTES_PER_DAY);

    /// Minutes from midnight, 0 to 1,440.
    pub const fn minutes(self) -> u16 {
        self.0
    }

    /// The time so many minutes from midnight; beyond the day its end.
    pub const fn from_minutes(minutes: u16) -> Self {
        if minutes > MINUTES_PER_DAY { Self::END } else { Self(minutes) }
    }
}

impl FromStr for TimeOfDay {
    type Err = BadTimeOfDay;

    fn from_str(text: &str) -> Result<Self, BadTimeOfDay> {
        let two = |digits: &str| -> Option<u16> {
            (digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit()))
                .then(|| digits.parse().ok())
                .flatten()
        };
        let parsed = text.split_once(':').and_then(|(hour, minute)| {
            let (hour, minute) = (two(hour)?, two(minute)?);
            let minutes = hour * 60 + minute;
            (minute < 60 && minutes <= MINUTES_PER_DAY).then_some(Self(minutes))
        });
        parsed.ok_or_else(|| BadTimeOfDay(text.chars().take(16).collect()))
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl TryFrom<String> for TimeOfDay {
    type Error = BadTimeOfDay;

    fn try_from(text: String) -> Result<Self, BadTimeOfDay> {
        text.parse()
    }
}

impl From<TimeOfDay> for String {
    fn from(time: TimeOfDay) -> Self {
        time.to_string()
    }
}

/// Not a time of day: fault of the client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no time of day: expected HH:MM, 00:00 to 24:00")]
pub struct BadTimeOfDay(pub String);

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn times_are_read_and_written_in_one_form() {
        for (text, minutes) in [("00:00", 0), ("09:30", 570), ("23:59", 1_439), ("24:00", 1_440)] {
            let time: TimeOfDay = text.parse().unwrap();
            assert_eq!((time.minutes(), time.to_string().as_str()), (minutes, text));
        }
        for text in ["", "9:30", "09:60", "24:01", "0930", "09:3x", "-1:00", "٠٩:٣٠"] {
            assert!(text.parse::<TimeOfDay>().is_err(), "{text:?}");
        }
    }
}
