//! What a test run's output says: how many passed, how many failed, and which.

/// The sum of one or more runs of Rust's test harness.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) ignored: u64,
    /// Names of failed tests, or what else went wrong with the run.
    pub(crate) failures: Vec<String>,
}

impl Tally {
    /// Takes one line of output into account. The harness closes each binary with
    /// `test result: ok. 3 passed; 0 failed; 1 ignored; …` and reports `test NAME ... FAILED`.
    pub(crate) fn read_line(&mut self, line: &str) {
        if let Some(at) = line.find("test result: ") {
            self.passed += count_before(&line[at..], " passed");
            self.failed += count_before(&line[at..], " failed");
            self.ignored += count_before(&line[at..], " ignored");
        } else if let Some(name) =
            line.strip_prefix("test ").and_then(|rest| rest.strip_suffix(" ... FAILED"))
        {
            self.failures.push(name.to_owned());
        }
    }

    /// Counts something that is no test's own verdict (a crash, a hang) as one failure.
    pub(crate) fn fail(&mut self, what: impl Into<String>) {
        self.failed += 1;
        self.failures.push(what.into());
    }

    /// Adds another run's figures.
    pub(crate) fn add(&mut self, other: &Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
        self.failures.extend(other.failures.iter().cloned());
    }

    /// How many tests came to a verdict.
    pub(crate) fn ran(&self) -> u64 {
        self.passed + self.failed
    }
}

/// The number right before `word`, or 0.
fn count_before(text: &str, word: &str) -> u64 {
    let Some(end) = text.find(word) else { return 0 };
    let digits = text[..end].bytes().rev().take_while(u8::is_ascii_digit).count();
    text[end - digits..end].parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdict_lines_are_summed_and_failures_named() {
        let cases = [
            (
                "test result: ok. 12 passed; 0 failed; 3 ignored; 0 measured; 0 filtered out; finished in 0.00s",
                [12, 0, 3],
                None,
            ),
            (
                "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out",
                [1, 2, 0],
                None,
            ),
            (
                "a print without a newline test result: ok. 1 passed; 0 failed; 0 ignored",
                [1, 0, 0],
                None,
            ),
            ("test gate::refuses ... FAILED", [0, 0, 0], Some("gate::refuses")),
            ("test gate::allows ... ok", [0, 0, 0], None),
            ("running 5 tests", [0, 0, 0], None),
        ];
        for (line, figures, failure) in cases {
            let mut tally = Tally::default();
            tally.read_line(line);
            assert_eq!([tally.passed, tally.failed, tally.ignored], figures, "{line}");
            assert_eq!(tally.failures.first().map(String::as_str), failure, "{line}");
        }
    }

    #[test]
    fn sums_keep_every_failure() {
        let mut sum = Tally { passed: 3, ..Tally::default() };
        let mut hung = Tally { passed: 1, ..Tally::default() };
        hung.fail("hung");
        sum.add(&hung);
        assert_eq!(sum, Tally { passed: 4, failed: 1, ignored: 0, failures: vec!["hung".into()] });
        assert_eq!(sum.ran(), 5);
    }
}
