//! What a node does of all that a node can do.

use std::str::FromStr;

/// The parts that `--roles` names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Roles {
    /// Serves the HTTP interfaces.
    pub(crate) api: bool,
    /// Dials.
    pub(crate) calls: bool,
    /// Runs jobs and delivers callbacks.
    pub(crate) workers: bool,
}

impl Roles {
    /// Everything in one process.
    pub(crate) const ALL: Self = Self { api: true, calls: true, workers: true };
}

impl FromStr for Roles {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut roles = Self { api: false, calls: false, workers: false };
        for name in text.split(',') {
            match name.trim() {
                "api" => roles.api = true,
                "calls" => roles.calls = true,
                "workers" => roles.workers = true,
                other => {
                    return Err(format!(
                        "unknown role {other:?}: expected some of api, calls, workers, separated by commas"
                    ));
                }
            }
        }
        Ok(roles)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_read_and_unknown_ones_named() {
        assert_eq!("api,calls,workers".parse(), Ok(Roles::ALL));
        let some = "workers, api".parse();
        assert_eq!(some, Ok(Roles { api: true, calls: false, workers: true }));
        for (text, named) in [("api,dial", "\"dial\""), ("", "\"\"")] {
            let problem = text.parse::<Roles>().err().unwrap_or_default();
            assert!(problem.contains(named), "{text:?}: {problem}");
        }
    }
}
