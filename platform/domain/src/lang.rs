//! The languages that the platform speaks, as requests and documents name them.

use std::str::FromStr;

pub use crate::speech::Lang;

impl Default for Lang {
    /// Chinese (RESOLUTIONS, captcha: `lang` `zh` is the default).
    fn default() -> Self {
        Self::Zh
    }
}

impl FromStr for Lang {
    type Err = UnknownLang;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Self::from_code(s).ok_or_else(|| UnknownLang(s.chars().take(16).collect()))
    }
}

/// A language that is not spoken here: fault of the client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown language {0:?}: expected zh or en")]
pub struct UnknownLang(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_exact() {
        assert_eq!("zh".parse(), Ok(Lang::Zh));
        assert_eq!("en".parse(), Ok(Lang::En));
        assert_eq!(Lang::default(), Lang::Zh);
        for unknown in ["", "ZH", "zh-CN", "fr"] {
            let error = unknown.parse::<Lang>().expect_err("not a language of ours");
            assert_eq!(error.0, unknown);
        }
    }
}
