//! A batch's `to`: numbers between ASCII commas, trimmed, each once.

use crate::Refusal;
use crate::field_text::voice_number;
use std::collections::HashSet;
use yunling_domain::Number;
use yunling_domain::error_code::{BAD_NUMBER, BAD_PARAMETER};
use yunling_store::batches::BatchNumber;

/// The entries of a batch.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    /// In their order, without duplicates; `to_number` is empty where an entry is no number.
    pub(super) entries: Vec<BatchNumber>,
    /// How many were dropped because an earlier one names the same.
    pub(super) duplicates: u32,
}

impl Numbers {
    pub(super) fn total(&self) -> u32 {
        u32::try_from(self.entries.len()).unwrap_or(u32::MAX)
    }
}

/// Reads them; tells each number, once, to `found`. Nothing between two commas is no entry. Two ways
/// to write a number are one.
///
/// # Errors
/// `-4`: no entry is a number, or there are more than `limit`.
pub(super) fn read(
    to: &str,
    limit: u32,
    mut found: impl FnMut(&Number),
) -> Result<Numbers, Refusal> {
    let mut numbers = Numbers::default();
    let mut seen = HashSet::new();
    let mut any_number = false;
    let mut first_problem = None;
    for entry in to.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
        let (to_number, to_shown) = match voice_number("to", entry) {
            Ok(number) => {
                any_number = true;
                let stored = number.stored();
                if !seen.insert(stored.clone()) {
                    numbers.duplicates += 1;
                    continue;
                }
                found(&number);
                (stored, number.national().to_owned())
            }
            Err(refusal) => {
                // What is no number is told apart from every number by its letters or its length.
                if !seen.insert(entry.to_owned()) {
                    numbers.duplicates += 1;
                    continue;
                }
                first_problem.get_or_insert(refusal);
                (String::new(), entry.to_owned())
            }
        };
        let n = numbers.total();
        if n >= limit {
            let detail = format!("expected at most {limit} numbers");
            return Err(Refusal::field(BAD_PARAMETER, "to", detail));
        }
        numbers.entries.push(BatchNumber { n, to_number, to_shown });
    }
    if any_number {
        return Ok(numbers);
    }
    let detail = match first_problem {
        Some(problem) => {
            format!("no entry is a number that can be called; the first: {}", problem.detail)
        }
        None => "expected numbers between commas".to_owned(),
    };
    Err(Refusal::field(BAD_NUMBER, "to", detail))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn read_all(to: &str) -> (Vec<(String, String)>, u32, usize) {
        let mut told = 0;
        let numbers = read(to, 5, |_| told += 1).unwrap();
        let entries =
            numbers.entries.iter().map(|one| (one.to_number.clone(), one.to_shown.clone()));
        (entries.collect(), numbers.duplicates, told)
    }

    #[test]
    fn numbers_are_split_trimmed_and_taken_once() {
        // RESOLUTIONS, batch `to`: (to, entries as stored and shown, duplicates)
        type Case = (&'static str, &'static [(&'static str, &'static str)], u32);
        let cases: [Case; 6] = [
            (
                "13800100001,13800100002",
                &[("+8613800100001", "13800100001"), ("+8613800100002", "13800100002")],
                0,
            ),
            (
                " 13800100001 ,\t010-80001001\n,",
                &[("+8613800100001", "13800100001"), ("+861080001001", "01080001001")],
                0,
            ),
            (
                "13800100001,+8613800100001,138 0010 0001,13800100002",
                &[("+8613800100001", "13800100001"), ("+8613800100002", "13800100002")],
                2,
            ),
            // An entry that is no number keeps its place, and is itself taken once.
            (
                "abc,13800100001,abc, 95588",
                &[("", "abc"), ("+8613800100001", "13800100001"), ("", "95588")],
                1,
            ),
            // A full-width comma parts nothing.
            (
                "13800100001，13800100002,13800100003",
                &[("", "13800100001，13800100002"), ("+8613800100003", "13800100003")],
                0,
            ),
            // The gate refuses it by name.
            ("110,13800100001", &[("110", "110"), ("+8613800100001", "13800100001")], 0),
        ];
        for (to, expected, duplicates) in cases {
            let (entries, found, told) = read_all(to);
            let expected: Vec<(String, String)> =
                expected.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
            assert_eq!((&entries, found), (&expected, duplicates), "{to:?}");
            assert_eq!(told, entries.iter().filter(|(number, _)| !number.is_empty()).count());
        }
    }

    #[test]
    fn none_that_is_valid_and_too_many_are_refused() {
        let refused = |to: &str| {
            let refusal = read(to, 2, |_| ()).unwrap_err();
            (refusal.code.name, refusal.detail.clone())
        };
        assert_eq!(refused("abc,1380010000").0, "bad_number");
        assert!(refused("abc").1.contains("the first"));
        assert_eq!(refused(" , ,").0, "bad_number");
        assert_eq!(refused("13800100001,13800100002,abc").0, "bad_parameter");
        assert!(
            read("13800100001,13800100002,13800100002", 2, |_| ()).is_ok(),
            "a duplicate is none"
        );
    }
}
