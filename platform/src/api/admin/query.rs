//! Parameters that several lists have.

use chrono::DateTime;
use yunling_app::Refusal;
use yunling_domain::Micros;
use yunling_domain::error_code::BAD_PARAMETER;
use yunling_store::{PageRequest, TimeRange};

use crate::api::paging;

/// Which page is asked for.
///
/// # Errors
/// `BAD_PARAMETER` for a limit outside 1 to 500, or a cursor that is none of ours.
pub(super) fn page(limit: Option<u32>, cursor: Option<&str>) -> Result<PageRequest, Refusal> {
    paging::page(limit.map(Some), cursor)
}

/// Instants from `since` (inclusive) to `until` (exclusive).
///
/// # Errors
/// `BAD_PARAMETER` for what is not RFC 3339.
pub(super) fn range(since: Option<&str>, until: Option<&str>) -> Result<TimeRange, Refusal> {
    Ok(TimeRange { from: instant("since", since)?, to: instant("until", until)? })
}

fn instant(field: &str, text: Option<&str>) -> Result<Option<Micros>, Refusal> {
    let Some(text) = text else {
        return Ok(None);
    };
    // A plus sign that was not escaped in a query arrives as a space.
    let parsed = DateTime::parse_from_rfc3339(&text.trim().replace(' ', "+"));
    let expected = "expected a time as in RFC 3339, such as 2026-11-24T06:00:00Z";
    let instant = parsed.map_err(|_| Refusal::field(BAD_PARAMETER, field, expected))?;
    Ok(Some(Micros(instant.timestamp_micros())))
}

/// A time as the admin API shows it.
pub(super) fn shown(at: Micros) -> String {
    at.rfc3339(chrono_tz::UTC)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn times_are_read_with_any_offset_and_shown_in_utc() {
        for text in
            ["2026-11-24T06:00:00Z", "2026-11-24T14:00:00+08:00", "2026-11-24T14:00:00 08:00"]
        {
            let range = range(Some(text), None).unwrap();
            assert_eq!(shown(range.from.unwrap()), "2026-11-24T06:00:00.000000Z", "{text}");
        }
        let refusal = range(None, Some("yesterday")).unwrap_err();
        assert_eq!(refusal.field.as_deref(), Some("until"));
    }

    #[test]
    fn pages_have_bounds() {
        assert_eq!(page(None, None).unwrap().limit, 50);
        assert!(page(Some(0), None).is_err() && page(Some(501), None).is_err());
        assert_eq!(page(None, Some("x")).unwrap_err().field.as_deref(), Some("cursor"));
    }
}
