use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Which key of the telephone is meant: `finishkey`, `repeatkey` (RESOLUTIONS, keys).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum KeyRule {
    /// `any`: each of the twelve.
    Any,
    /// One of `0-9*#`.
    One(char),
}

/// The twelve keys of a telephone; A to D are on no telephone that a listener has.
const fn is_telephone_key(key: char) -> bool {
    matches!(key, '0'..='9' | '*' | '#')
}

impl KeyRule {
    /// Whether a key that was pressed is meant.
    pub const fn matches(self, key: char) -> bool {
        match self {
            Self::Any => is_telephone_key(key),
            Self::One(wanted) => wanted as u32 == key as u32,
        }
    }
}

impl FromStr for KeyRule {
    type Err = BadKeyRule;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let mut chars = s.chars();
        match (chars.next(), chars.next()) {
            (Some(key), None) if is_telephone_key(key) => Ok(Self::One(key)),
            _ if s == "any" => Ok(Self::Any),
            _ => Err(BadKeyRule(s.chars().take(16).collect())),
        }
    }
}

impl fmt::Display for KeyRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::One(key) => write!(f, "{key}"),
        }
    }
}

impl TryFrom<String> for KeyRule {
    type Error = BadKeyRule;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<KeyRule> for String {
    fn from(rule: KeyRule) -> Self {
        rule.to_string()
    }
}

/// Not a key: fault of the client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a key: expected one of 0-9 * # or \"any\"")]
pub struct BadKeyRule(pub String);

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn rules_are_one_key_or_any() {
        for key in "0123456789*#".chars() {
            let rule: KeyRule = key.to_string().parse().unwrap();
            assert_eq!(rule, KeyRule::One(key));
            assert!(rule.matches(key) && KeyRule::Any.matches(key));
            assert!(!rule.matches(if key == '0' { '1' } else { '0' }));
        }
        assert_eq!("any".parse(), Ok(KeyRule::Any));
        for bad in ["", "12", "A", "D", "ANY", "Any", "+", "１", " 1", "any key"] {
            assert!(bad.parse::<KeyRule>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn any_means_the_keys_of_a_telephone() {
        for key in ['A', 'D', 'x', ' ', '１'] {
            assert!(!KeyRule::Any.matches(key), "{key:?}");
        }
    }

    #[test]
    fn rules_keep_their_form_in_documents() {
        for text in ["\"any\"", "\"#\"", "\"7\""] {
            let rule: KeyRule = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&rule).unwrap(), text);
        }
        assert!(serde_json::from_str::<KeyRule>("\"ab\"").is_err());
    }
}
