//! A plan for people.

use super::plan::{Action, Plan, SecretEffect, Step};
use serde_json::Value;
use std::fmt;

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut set = None;
        for step in self.steps.iter().filter(|step| step.is_worth_telling()) {
            if set != Some(&step.set) {
                writeln!(f, "{}", step.set)?;
                set = Some(&step.set);
            }
            step.fmt(f)?;
        }
        for problem in &self.problems {
            writeln!(f, "  ✗ {}: {}", problem.at, problem.problem)?;
        }
        let open = self.steps.iter().filter(|step| step.has_open_conflict()).count();
        write!(
            f,
            "{} to create, {} to change, {} to delete, {} with conflicts, {} unchanged",
            self.count(Action::Create),
            self.count(Action::Change) + self.count(Action::Adopt),
            self.count(Action::Delete),
            open,
            self.count(Action::Unchanged)
        )?;
        if !self.problems.is_empty() {
            write!(f, "; {} in the way: nothing can be applied", self.problems.len())?;
        }
        writeln!(f)
    }
}

impl Step {
    fn is_worth_telling(&self) -> bool {
        self.action != Action::Unchanged || !self.notes.is_empty() || !self.conflicts.is_empty()
    }

    const fn sign(&self) -> char {
        match self.action {
            Action::Create => '+',
            Action::Change | Action::Adopt => '~',
            Action::Delete => '-',
            Action::Conflict => '!',
            Action::Unchanged => ' ',
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "  {} {} {}", self.sign(), self.kind, self.key)?;
        if !self.account.is_empty() && self.account != self.key {
            write!(f, " (account {})", self.account)?;
        }
        writeln!(f)?;
        for change in &self.changes {
            write!(f, "      {}: ", change.field)?;
            match (&change.old, &change.new) {
                (None, Some(new)) => writeln!(f, "{}", Short(new))?,
                (Some(old), Some(new)) => writeln!(f, "{} → {}", Short(old), Short(new))?,
                (Some(old), None) => writeln!(f, "{} → absent", Short(old))?,
                (None, None) => writeln!(f, "absent")?,
            }
        }
        for secret in &self.secrets {
            let name = secret.name.as_str();
            let mark = secret
                .fingerprint
                .as_ref()
                .map(|mark| format!(" (fingerprint {mark})"))
                .unwrap_or_default();
            match secret.effect {
                SecretEffect::Set => writeln!(f, "      {name}: set{mark}")?,
                SecretEffect::Mint => writeln!(f, "      {name}: minted, shown once")?,
                SecretEffect::Remove => writeln!(f, "      {name}: removed")?,
                SecretEffect::Conflict => {
                    writeln!(
                        f,
                        "    ! {name}: changed on both sides; the stored one stays (--force takes the file's)"
                    )?;
                }
            }
        }
        for conflict in &self.conflicts {
            let absent = Value::String("(absent)".to_owned());
            let side = |value: &Option<Value>| Short(value.as_ref().unwrap_or(&absent)).to_string();
            writeln!(
                f,
                "    ! {}: changed on both sides: applied {}, stored {}, file {}; {}",
                conflict.field,
                side(&conflict.base),
                side(&conflict.stored),
                side(&conflict.file),
                if conflict.taken {
                    "the file's is taken"
                } else {
                    "the stored one stays (--force takes the file's)"
                }
            )?;
        }
        for note in &self.notes {
            writeln!(f, "      # {note}")?;
        }
        Ok(())
    }
}

/// A value as JSON, cut where it is long.
struct Short<'a>(&'a Value);

impl fmt::Display for Short<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST: usize = 80;
        let text = self.0.to_string();
        match text.char_indices().nth(MOST) {
            Some((cut, _)) => write!(f, "{}…", &text[..cut]),
            None => f.write_str(&text),
        }
    }
}
