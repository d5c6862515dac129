//! The `Retry-After` header (RFC 9110, section 10.2.3): a number of seconds or an HTTP date.

use chrono::DateTime;
use yunling_domain::Micros;

/// How long the receiver wants to be left alone, milliseconds from `now`. None where it says
/// nothing that can be understood; a date that is past asks for nothing.
pub(crate) fn parse(value: &str, now: Micros) -> Option<i64> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit are still a request to wait long; the schedule has its own cap.
        return Some(value.parse::<i64>().unwrap_or(i64::MAX).saturating_mul(1_000));
    }
    let at = DateTime::parse_from_rfc2822(value).ok()?;
    Some(Micros(at.timestamp_micros()).ms_since(now).max(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_understood() {
        // Sun, 06 Nov 1994 08:49:37 GMT
        let now = Micros(784_111_777_000_000);
        let cases = [
            ("120", Some(120_000)),
            (" 0 ", Some(0)),
            ("99999999999999999999", Some(i64::MAX)),
            ("Sun, 06 Nov 1994 08:50:37 GMT", Some(60_000)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("", None),
            ("-5", None),
            ("1.5", None),
            ("soon", None),
        ];
        for (value, expected) in cases {
            assert_eq!(parse(value, now), expected, "{value:?}");
        }
    }
}
