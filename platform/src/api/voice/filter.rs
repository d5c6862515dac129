//! What a list of calls is asked for, in the published surface's words.

use chrono::NaiveDateTime;
use chrono_tz::Tz;
use yunling_app::Refusal;
use yunling_domain::error_code::{BAD_NUMBER, BAD_PARAMETER};
use yunling_domain::{ApplicationId, Micros, Number, RequestId};
use yunling_store::calls::CallFilter;
use yunling_store::{PageRequest, TimeRange};

use crate::api::paging;

/// The query's parameters as they came.
pub(super) struct CallQuery {
    pub(super) appid: Option<String>,
    pub(super) requestid: Option<String>,
    pub(super) to: Option<String>,
    pub(super) from: Option<String>,
    pub(super) result: Option<String>,
    pub(super) starttime: Option<String>,
    pub(super) endtime: Option<String>,
}

impl CallQuery {
    /// The filter that they mean.
    ///
    /// # Errors
    /// `-4` for the first that is wrong.
    pub(super) fn filter(self, zone: Tz) -> Result<CallFilter, Refusal> {
        let to = given(self.to).map(|text| number("to", &text)).transpose()?;
        let from = given(self.from).map(|text| number("from", &text)).transpose()?;
        let result = match given(self.result).as_deref() {
            None => None,
            Some("0") => Some(0),
            Some("1") => Some(1),
            Some(_) => return Err(Refusal::field(BAD_PARAMETER, "result", "expected 0 or 1")),
        };
        Ok(CallFilter {
            to_number: to.map(|number| number.stored()),
            from_number: from.map(|number| number.stored()),
            application: given(self.appid).map(ApplicationId::new),
            request_id: given(self.requestid).map(RequestId::new),
            result,
            masked_numbers: false,
            started: TimeRange {
                from: stamp("starttime", self.starttime, zone)?,
                to: stamp("endtime", self.endtime, zone)?,
            },
        })
    }
}

/// Which page is asked for.
///
/// # Errors
/// `-4` for a limit that is no number from 1 to 500, or a cursor that is none of ours.
pub(in crate::api) fn page(
    limit: Option<String>,
    cursor: Option<String>,
) -> Result<PageRequest, Refusal> {
    let limit = given(limit).map(|text| text.trim().parse().ok());
    paging::page(limit, given(cursor).as_deref())
}

/// `""` means absent.
fn given(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

fn number(field: &str, text: &str) -> Result<Number, Refusal> {
    Number::parse_dialable(text)
        .map_err(|error| Refusal::field(BAD_NUMBER, field, error.to_string()))
}

/// An instant, written as 14 digits in the account's zone.
///
/// # Errors
/// `-4`.
pub(in crate::api) fn stamp(
    field: &str,
    text: Option<String>,
    zone: Tz,
) -> Result<Option<Micros>, Refusal> {
    let Some(text) = given(text) else {
        return Ok(None);
    };
    let wrong = || {
        Refusal::field(
            BAD_PARAMETER,
            field,
            "expected 14 digits, YYYYMMDDHHmmss, of a time that exists",
        )
    };
    let all_digits = text.len() == 14 && text.bytes().all(|byte| byte.is_ascii_digit());
    let local = NaiveDateTime::parse_from_str(&text, "%Y%m%d%H%M%S")
        .ok()
        .filter(|_| all_digits)
        .ok_or_else(wrong)?;
    let instant = local.and_local_timezone(zone).earliest().ok_or_else(wrong)?;
    Ok(Some(Micros(instant.timestamp_micros())))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn stamps_are_of_the_accounts_zone() {
        let shanghai = chrono_tz::Asia::Shanghai;
        let read = |text: &str| stamp("starttime", Some(text.to_owned()), shanghai);
        assert_eq!(read(""), Ok(None));
        assert_eq!(read("20261124140000").unwrap().unwrap().stamp14(shanghai), "20261124140000");
        for wrong in [
            "2026112414000",
            "20261324140000",
            "2026-11-24 14:00",
            "+0261124140000",
            "20261124146000",
        ] {
            assert_eq!(read(wrong).unwrap_err().field.as_deref(), Some("starttime"), "{wrong}");
        }
    }

    #[test]
    fn pages_have_bounds() {
        assert_eq!(page(None, None).unwrap().limit, 50);
        assert_eq!(page(Some("500".into()), Some(String::new())).unwrap().limit, 500);
        for (limit, cursor, field) in
            [("0", "", "limit"), ("501", "", "limit"), ("x", "", "limit"), ("1", "%%", "cursor")]
        {
            let refusal = page(Some(limit.into()), Some(cursor.into())).unwrap_err();
            assert_eq!(refusal.field.as_deref(), Some(field));
        }
    }
}
