//! What was found, for people in two languages and for machines.

use std::fmt::Write as _;

use serde::Serialize;

/// The same said in both languages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Both {
    pub(crate) zh: String,
    pub(crate) en: String,
}

/// A [`Both`] of two format strings, Chinese first.
macro_rules! both {
    ($zh:literal, $en:literal) => {
        $crate::doctor::Both { zh: format!($zh), en: format!($en) }
    };
}
pub(super) use both;

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    /// As it should be.
    Ok,
    /// It works, and may not for long.
    Warn,
    /// Something is wrong.
    Fail,
    /// It could not be looked at.
    Skip,
}

impl Verdict {
    const fn word(self, language: Language) -> &'static str {
        match (self, language) {
            (Self::Ok, Language::Zh) => "正常",
            (Self::Warn, Language::Zh) => "注意",
            (Self::Fail, Language::Zh) => "故障",
            (Self::Skip, Language::Zh) => "跳过",
            (Self::Ok, Language::En) => "ok  ",
            (Self::Warn, Language::En) => "warn",
            (Self::Fail, Language::En) => "FAIL",
            (Self::Skip, Language::En) => "skip",
        }
    }
}

/// In which language people read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Language {
    /// 中文
    Zh,
    /// English
    En,
}

impl Language {
    /// Of a POSIX locale, `zh_CN.UTF-8`.
    pub(crate) fn of_locale(locale: &str) -> Self {
        if locale.starts_with("zh") { Self::Zh } else { Self::En }
    }
}

/// One question and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Check {
    /// What was looked at; stable.
    pub(crate) name: String,
    pub(crate) verdict: Verdict,
    /// What was found.
    pub(crate) found: Both,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) advice: Option<Both>,
}

/// Every answer, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Report {
    pub(crate) checks: Vec<Check>,
}

impl Report {
    pub(super) fn ok(&mut self, name: impl Into<String>, found: Both) {
        self.add(name, Verdict::Ok, found, None);
    }

    pub(super) fn warn(&mut self, name: impl Into<String>, found: Both, advice: Both) {
        self.add(name, Verdict::Warn, found, Some(advice));
    }

    pub(super) fn fail(&mut self, name: impl Into<String>, found: Both, advice: Both) {
        self.add(name, Verdict::Fail, found, Some(advice));
    }

    /// It could not be looked at, for this reason.
    pub(super) fn skip(&mut self, name: impl Into<String>, reason: Both) {
        self.add(name, Verdict::Skip, reason, None);
    }

    fn add(
        &mut self,
        name: impl Into<String>,
        verdict: Verdict,
        found: Both,
        advice: Option<Both>,
    ) {
        self.checks.push(Check { name: name.into(), verdict, found, advice });
    }

    /// Whether nothing is wrong; what is only to be watched is not.
    pub(crate) fn is_well(&self) -> bool {
        self.count(Verdict::Fail) == 0
    }

    fn count(&self, verdict: Verdict) -> usize {
        self.checks.iter().filter(|check| check.verdict == verdict).count()
    }

    /// A line a check, and one for what to do.
    pub(crate) fn text(&self, language: Language) -> String {
        let say = |both: &Both| match language {
            Language::Zh => both.zh.clone(),
            Language::En => both.en.clone(),
        };
        let mut text = String::new();
        for check in &self.checks {
            let (word, name, found) =
                (check.verdict.word(language), &check.name, say(&check.found));
            let _ = writeln!(text, "{word}  {name:<22} {found}");
            if let Some(advice) = &check.advice {
                let _ = writeln!(text, "      → {}", say(advice));
            }
        }
        let [fail, warn] = [Verdict::Fail, Verdict::Warn].map(|verdict| self.count(verdict));
        let all = self.checks.len();
        let _ = match language {
            Language::Zh => writeln!(text, "共 {all} 项，{fail} 项故障，{warn} 项需注意"),
            Language::En => writeln!(text, "{all} checks, {fail} failed, {warn} to be watched"),
        };
        text
    }

    /// The same for machines.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::json!({ "well": self.is_well(), "checks": self.checks })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_languages_say_the_same_and_a_warning_is_no_fault() {
        let mut report = Report::default();
        report.ok("one", both!("好", "good"));
        report.warn("two", both!("慢", "slow"), both!("换盘", "another disk"));
        assert!(report.is_well());
        report.fail("three", both!("坏", "broken"), both!("修", "mend it"));
        assert!(!report.is_well());
        let english = report.text(Language::En);
        assert!(english.contains("FAIL  three"), "{english}");
        assert!(english.contains("      → mend it"), "{english}");
        assert!(english.ends_with("3 checks, 1 failed, 1 to be watched\n"), "{english}");
        assert!(report.text(Language::Zh).contains("故障  three"));
        assert_eq!(report.json()["checks"][1]["verdict"], "warn");
        assert_eq!(Language::of_locale("zh_CN.UTF-8"), Language::Zh);
        assert_eq!(Language::of_locale("C"), Language::En);
    }
}
