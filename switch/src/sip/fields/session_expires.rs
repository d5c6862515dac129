//! Session-Expires and Min-SE (RFC 4028 §4, §5).

use super::params;

/// Who refreshes, as the request that carries the header, or is answered with it, sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RefresherRole {
    /// The sender of the request.
    Uac,
    /// Its receiver.
    Uas,
}

/// What a Session-Expires header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SessionExpires {
    /// The interval, seconds.
    pub interval_s: u32,
    /// Absent: the receiver chooses.
    pub refresher: Option<RefresherRole>,
}

impl SessionExpires {
    /// Reads the header. What cannot be read is as if it were not there.
    pub(crate) fn parse(value: &str) -> Option<Self> {
        let interval_s = delta_seconds(value)?;
        let params = value.find(';').map_or("", |at| &value[at..]);
        let refresher = match params::param(params, "refresher") {
            Some(role) if role.eq_ignore_ascii_case("uac") => Some(RefresherRole::Uac),
            Some(role) if role.eq_ignore_ascii_case("uas") => Some(RefresherRole::Uas),
            _ => None,
        };
        Some(Self { interval_s, refresher })
    }
}

/// Whole seconds in front of any parameters: Min-SE, Session-Expires, and Retry-After, which may
/// have a comment behind (RFC 3261 §20.33). More than an `u32` holds counts as the most of it.
pub(crate) fn delta_seconds(value: &str) -> Option<u32> {
    let digits = value.trim_start();
    let digits = &digits[..digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len())];
    (!digits.is_empty()).then(|| digits.parse().unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_and_refreshers_are_read() {
        let rows = [
            ("1800", Some((1_800, None))),
            (" 90 ;Refresher=UAC", Some((90, Some(RefresherRole::Uac)))),
            ("1800;x=y;refresher=uas", Some((1_800, Some(RefresherRole::Uas)))),
            ("1800;refresher=me", Some((1_800, None))),
            ("99999999999", Some((u32::MAX, None))),
            ("-1", None),
            ("soon", None),
            ("", None),
        ];
        for (value, expected) in rows {
            let read = SessionExpires::parse(value).map(|s| (s.interval_s, s.refresher));
            assert_eq!(read, expected, "{value}");
        }
        assert_eq!(delta_seconds("18000 (Mon, at noon);duration=3600"), Some(18_000));
    }
}
