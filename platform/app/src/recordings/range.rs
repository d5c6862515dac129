//! The `Range` header of RFC 9110 §14, as far as players use it: one range of bytes.

/// No part of the file lies in the range that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotSatisfiable;

/// The first and the last byte that are asked for; `None` where the whole file is to be sent: no
/// header, one that is not understood, or several ranges, which may be answered so (§14.2).
///
/// # Errors
/// [`NotSatisfiable`].
pub(crate) fn part(header: Option<&str>, whole: u64) -> Result<Option<(u64, u64)>, NotSatisfiable> {
    let Some((first, last)) = header.and_then(read) else {
        return Ok(None);
    };
    let end = whole.checked_sub(1).ok_or(NotSatisfiable)?;
    match (first, last) {
        (Some(first), last) => {
            let last = last.unwrap_or(end).min(end);
            if first > end { Err(NotSatisfiable) } else { Ok(Some((first, last))) }
        }
        (None, Some(0)) => Err(NotSatisfiable),
        (None, Some(suffix)) => Ok(Some((whole.saturating_sub(suffix), end))),
        (None, None) => Ok(None),
    }
}

/// `bytes=first-last`, each of which may be left out.
fn read(header: &str) -> Option<(Option<u64>, Option<u64>)> {
    let (unit, ranges) = header.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (first, last) = ranges.trim().split_once('-')?;
    let position = |text: &str| {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        match text {
            "" => Some(None),
            text if digits => Some(Some(text.parse().unwrap_or(u64::MAX))),
            _ => None,
        }
    };
    let (first, last) = (position(first)?, position(last)?);
    // A range that ends before it begins is not valid, and is passed over (§14.1.1).
    match (first, last) {
        (Some(first), Some(last)) if last < first => None,
        both => Some(both),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_served_and_odd_ones_are_passed_over() {
        let cases = [
            (None, Ok(None)),
            (Some("bytes=0-"), Ok(Some((0, 99)))),
            (Some("bytes=0-0"), Ok(Some((0, 0)))),
            (Some("bytes=10-19"), Ok(Some((10, 19)))),
            (Some("Bytes = 90-200"), Ok(Some((90, 99)))),
            (Some("bytes=-10"), Ok(Some((90, 99)))),
            (Some("bytes=-1000"), Ok(Some((0, 99)))),
            (Some("bytes=100-"), Err(NotSatisfiable)),
            (Some("bytes=99999999999999999999999-"), Err(NotSatisfiable)),
            (Some("bytes=-0"), Err(NotSatisfiable)),
            (Some("bytes=19-10"), Ok(None)),
            (Some("bytes=0-1,5-6"), Ok(None)),
            (Some("bytes=-"), Ok(None)),
            (Some("bytes=a-b"), Ok(None)),
            (Some("seconds=0-1"), Ok(None)),
            (Some(""), Ok(None)),
        ];
        for (header, expected) in cases {
            assert_eq!(part(header, 100), expected, "{header:?}");
        }
        assert_eq!(part(Some("bytes=0-"), 0), Err(NotSatisfiable));
        assert_eq!(part(None, 0), Ok(None));
    }
}
