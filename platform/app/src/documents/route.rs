use super::Name;
use crate::yaml::Parsed;
use serde::{Deserialize, Serialize};
use yunling_domain::numbers::Prefix;

/// Which trunks carry calls to the numbers that begin with a prefix; the platform's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteDoc {
    /// The beginning of the numbers, as [`Prefix`] reads it; its name among the routes.
    pub prefix: Parsed<Prefix>,
    /// The trunks, in the order in which they are tried; of them a call takes those that carry its
    /// caller ID.
    pub trunks: Vec<Parsed<Name>>,
}

impl RouteDoc {
    /// What does not fit together, as field and problem.
    pub(super) fn inconsistency(&self) -> Option<(&'static str, String)> {
        if self.trunks.is_empty() {
            return Some(("trunks", "expected at least one trunk".to_owned()));
        }
        let twice =
            self.trunks.iter().enumerate().find(|(i, name)| self.trunks[..*i].contains(name));
        twice.map(|(_, name)| ("trunks", format!("{name} stands in the list twice")))
    }
}
