//! A second opinion for the tests: CLDR's spell-out rules and the interpreter that they need.
//!
//! The rules are those of CLDR 48 in `cldr-spellout.json` (only the rule sets used here, unchanged;
//! its licence is in the file). The rule language is described in UTS #35, part 3,
//! "Rule-Based Number Formatting". Of it: base values with radix, the substitutions `←←`, `→→` and
//! `==` with or without a rule set's name, optional text in brackets, and the leading apostrophe.

#![expect(clippy::unwrap_used, reason = "used by tests only, on a file that is part of them")]

use std::collections::BTreeMap;

type RuleSets = BTreeMap<String, Vec<Rule>>;

struct Rule {
    base: u64,
    divisor: u64,
    text: String,
}

/// The spell-out rules of one language.
pub(super) struct Spellout {
    sets: RuleSets,
}

impl Spellout {
    pub(super) fn of(lang: &str) -> Self {
        let file: serde_json::Value =
            serde_json::from_str(include_str!("cldr-spellout.json")).unwrap();
        let mut sets = RuleSets::new();
        for (name, rules) in file[lang].as_object().unwrap() {
            let rules = rules.as_array().unwrap().iter();
            let rules = rules.filter_map(|rule| {
                Rule::parse(rule[0].as_str().unwrap(), rule[1].as_str().unwrap())
            });
            sets.insert(name.clone(), rules.collect());
        }
        Spellout { sets }
    }

    /// The number in words, as rule set `set` says it.
    pub(super) fn say(&self, set: &str, number: u64) -> String {
        let rules = &self.sets[set];
        let rule = rules.iter().rfind(|rule| rule.base <= number).unwrap();
        let mut said = String::new();
        self.apply(set, rule, &rule.text, number, &mut said);
        said
    }

    fn apply(&self, set: &str, rule: &Rule, text: &str, number: u64, said: &mut String) {
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let after = &rest[first.len_utf8()..];
            match first {
                '[' => {
                    let end = after.find(']').unwrap();
                    if !number.is_multiple_of(rule.divisor) {
                        self.apply(set, rule, &after[..end], number, said);
                    }
                    rest = &after[end + 1..];
                }
                '←' | '→' | '=' => {
                    let end = after.find(first).unwrap();
                    let named = &after[..end];
                    let value = match first {
                        '←' => number / rule.divisor,
                        '→' => number % rule.divisor,
                        _ => number,
                    };
                    said.push_str(&self.say(if named.is_empty() { set } else { named }, value));
                    rest = &after[end + first.len_utf8()..];
                }
                other => {
                    said.push(other);
                    rest = after;
                }
            }
        }
    }
}

impl Rule {
    /// None for the rules of negative, fractional and special numbers, which the tests do not ask.
    fn parse(head: &str, text: &str) -> Option<Rule> {
        let (base, radix) = head.split_once('/').unwrap_or((head, "10"));
        let (base, radix): (u64, u64) = (base.parse().ok()?, radix.parse().ok()?);
        let mut divisor = 1;
        while base / divisor >= radix {
            divisor *= radix;
        }
        let text = text.strip_suffix(';').unwrap();
        Some(Rule { base, divisor, text: text.strip_prefix('\'').unwrap_or(text).to_owned() })
    }
}
