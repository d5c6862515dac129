//! Option tags: Supported, Require, Unsupported (RFC 3261 §19.2), and the methods of Allow, which
//! are lists of the same shape.

use super::params;

/// Session timers (RFC 4028).
pub(crate) const TIMER: &str = "timer";

/// Reliable provisional responses (RFC 3262).
pub(crate) const RELIABLE: &str = "100rel";

/// Whether one of the headers names this tag. Tags are compared without case, as tokens are.
pub(crate) fn names<'a>(mut values: impl Iterator<Item = &'a str>, tag: &str) -> bool {
    values.any(|value| params::list(value).any(|entry| entry.eq_ignore_ascii_case(tag)))
}

/// Those of the demanded options that we do not have, for Unsupported (RFC 3261 §8.2.2.3).
pub(crate) fn unknown<'a>(
    required: impl Iterator<Item = &'a str>,
    known: &[&str],
) -> Option<String> {
    let is_unknown = |tag: &&str| !known.iter().any(|known| tag.eq_ignore_ascii_case(known));
    let unknown: Vec<&str> = required.flat_map(params::list).filter(is_unknown).collect();
    (!unknown.is_empty()).then(|| unknown.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_found_over_all_headers() {
        let headers = ["replaces, TIMER", "100rel"];
        for (tag, found) in [(TIMER, true), (RELIABLE, true), ("precondition", false)] {
            assert_eq!(names(headers.into_iter(), tag), found, "{tag}");
        }
        assert_eq!(unknown(headers.into_iter(), &[TIMER, RELIABLE]).as_deref(), Some("replaces"));
        assert_eq!(unknown(headers.into_iter(), &[TIMER, RELIABLE, "Replaces"]), None);
    }
}
