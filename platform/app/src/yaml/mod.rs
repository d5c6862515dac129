//! Reading YAML that people write: typed, and strict about unknown keys. Every failure says the
//! file, the line, the column, the field and what was expected there.

mod path;
mod probe;
mod scalar;

pub use path::{FieldPath, Step};
pub use scalar::{Parsed, Text, Zone};

use serde::de::DeserializeOwned;
use std::fmt;

/// What is wrong in a file, and where. Prints as
/// `tenant.yaml:7:12 accounts[0].caller_ids[0].number: expected …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileError {
    /// The file, as it was named by whoever asked for it.
    pub file: String,
    /// 1-based; `None` where the failure is not in one place (the file cannot be read).
    pub line: Option<usize>,
    /// 1-based.
    pub column: Option<usize>,
    /// The field, empty for the document itself.
    pub path: String,
    /// What was found and what was expected.
    pub problem: String,
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let (Some(line), Some(column)) = (self.line, self.column) {
            write!(f, ":{line}:{column}")?;
        }
        if self.path.is_empty() {
            write!(f, ": {}", self.problem)
        } else {
            write!(f, " {}: {}", self.path, self.problem)
        }
    }
}

impl std::error::Error for FileError {}

impl FileError {
    /// A failure of the file as a whole.
    pub fn whole(file: &str, problem: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line: None,
            column: None,
            path: String::new(),
            problem: problem.into(),
        }
    }

    /// A failure of one field of a text that has been read well: the place is looked up in the text
    /// again, the nearest field above standing in for one that is not written there.
    pub fn at(file: &str, text: &str, path: &FieldPath, problem: impl Into<String>) -> Self {
        let place = probe::locate(text, path);
        Self {
            file: file.to_owned(),
            line: place.map(|(line, _)| line),
            column: place.map(|(_, column)| column),
            path: path.to_string(),
            problem: problem.into(),
        }
    }
}

/// Everything that is wrong in one or several files, one a line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FileErrors(Vec<FileError>);

impl FileErrors {
    /// A single one.
    pub fn one(error: FileError) -> Self {
        Self(vec![error])
    }

    /// Adds one.
    pub fn push(&mut self, error: FileError) {
        self.0.push(error);
    }

    /// Adds others.
    pub fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &FileError> {
        self.0.iter()
    }
}

impl fmt::Display for FileErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for FileErrors {}

/// Reads one document.
///
/// # Errors
/// [`FileError`] with the place and the field.
pub fn parse<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, FileError> {
    serde_yaml::from_str(text).map_err(|error| explain(file, &error))
}

/// Takes serde_yaml's error apart: it prints `path: message at line L column C`.
fn explain(file: &str, error: &serde_yaml::Error) -> FileError {
    let printed = error.to_string();
    let place = error.location().map(|at| (at.line(), at.column()));
    let message = match place {
        Some((line, column)) => {
            printed.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&printed)
        }
        None => &printed,
    };
    let (path, problem) = split_path(message);
    FileError {
        file: file.to_owned(),
        line: place.map(|(line, _)| line),
        column: place.map(|(_, column)| column),
        path: path.to_owned(),
        problem: problem.to_owned(),
    }
}

/// `accounts[0].sid: what is wrong` → both halves. A path has no space; a message without one has
/// its first colon after a word with spaces before it.
fn split_path(message: &str) -> (&str, &str) {
    match message.split_once(": ") {
        Some((path, problem)) if looks_like_path(path) => (path, problem),
        _ => ("", message),
    }
}

fn looks_like_path(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|b| {
            b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'[' | b']' | b'-' | b'\\')
        })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use serde::Deserialize;
    use std::collections::BTreeMap;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        #[expect(dead_code, reason = "only its shape matters here")]
        items: Vec<Item>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Item {
        #[expect(dead_code, reason = "only its shape matters here")]
        address: Parsed<std::net::IpAddr>,
        #[expect(dead_code, reason = "only its shape matters here")]
        size: Option<u32>,
    }

    #[test]
    fn every_failure_names_its_place_and_field() {
        let cases = [
            (
                "items:\n  - { address: 10.0.0.1, size: many }\n",
                "t.yaml:2:32 items[0].size: invalid type: string \"many\", expected u32",
            ),
            (
                "items:\n  - address: nowhere\n",
                "t.yaml:2:14 items[0].address: invalid IP address syntax",
            ),
            (
                "items:\n  - address: [1]\n",
                "t.yaml:2:14 items[0].address: invalid type: sequence, expected text",
            ),
            ("items: []\nothers: 1\n", "t.yaml:2:1: unknown field `others`, expected `items`"),
            ("item: []\n", "t.yaml:1:1: unknown field `item`, expected `items`"),
            ("{}", "t.yaml:1:1: missing field `items`"),
            ("items:\n  - size: 3\n", "t.yaml:2:5 items[0]: missing field `address`"),
        ];
        for (text, expected) in cases {
            let error = parse::<Sample>("t.yaml", text).unwrap_err();
            assert_eq!(error.to_string(), expected, "for {text:?}");
        }
        let broken = parse::<Sample>("t.yaml", "items: [\n").unwrap_err();
        assert!(broken.line.is_some(), "{broken}");
    }

    #[test]
    fn a_field_read_well_is_found_again() {
        let text = "a:\n  - b: 1\n    c: two\n";
        let _: BTreeMap<String, serde_json::Value> = parse("t.yaml", text).unwrap();
        let path = FieldPath::root().key("a").index(0).key("c");
        assert_eq!(FileError::at("t.yaml", text, &path, "no").to_string(), "t.yaml:3:8 a[0].c: no");
        let absent = FieldPath::root().key("a").index(0).key("d");
        assert_eq!(
            FileError::at("t.yaml", text, &absent, "no").to_string(),
            "t.yaml:2:5 a[0].d: no"
        );
    }
}
