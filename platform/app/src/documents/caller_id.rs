use super::{Name, Sid};
use crate::yaml::Parsed;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use yunling_domain::{Number, NumberClass};

/// A line number that an account may show.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallerIdDoc {
    /// The number (docs/spec/RESOLUTIONS.md, "Numbers").
    pub number: Parsed<LineNumber>,
    /// The trunks that carry it, in order: failover follows it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trunks: Vec<Parsed<Name>>,
    /// Short for a list of one.
    #[serde(skip_serializing)]
    pub trunk: Option<Parsed<Name>>,
    /// The applications that may show it; absent: all of the account's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub applications: Option<Vec<Parsed<Sid>>>,
    /// Its place among the account's lines, from 0; comes from the order in the file.
    #[serde(default)]
    pub position: u32,
}

/// A number that can be shown: any of the grammar but emergency numbers. Prints its national form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineNumber(pub Number);

impl FromStr for LineNumber {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number =
            Number::parse_dialable(text).map_err(|error| format!("{error}, found {text:?}"))?;
        match number.class() {
            NumberClass::Emergency => {
                Err(format!("an emergency number is nobody's line, found {text:?}"))
            }
            _ => Ok(Self(number)),
        }
    }
}

impl fmt::Display for LineNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.national())
    }
}
