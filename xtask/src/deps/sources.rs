//! Rules that only the source text shows: who names the SIP stack, what pure code must not call,
//! and how long a file may be.

use anyhow::{Context, Result};
use std::path::Path;

/// A longer file needs a line that begins with [`LONG_BECAUSE`] in its head.
const LONGEST_LINES: usize = 500;
const LONG_BECAUSE: &str = "//! Long because";
const HEAD_LINES: usize = 40;

/// The only place that may name the SIP stack, so that it can be replaced.
const SIP_STACK: &str = "switch/src/sip/stack";

/// Rooms without a clock, chance or I/O, and what would bring one in.
const PURE: &[&str] = &["platform/domain/src/", "switch/contract/src/"];
const IMPURE: &[&str] = &[
    "Instant::now",
    "SystemTime",
    "Utc::now",
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "std::thread",
];

/// Folders that hold no source of ours.
const SKIPPED: &[&str] = &["target", "node_modules"];

/// A source file: its path from the root, with `/`, and its text.
pub(crate) struct Source {
    path: String,
    text: String,
}

/// All Rust files of the clone.
pub(crate) fn read(root: &Path) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder)
            .with_context(|| format!("cannot list {}", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if path.is_dir() {
                if !name.starts_with('.') && !SKIPPED.contains(&name.as_ref()) {
                    folders.push(path);
                }
            } else if name.ends_with(".rs") {
                let text = std::fs::read_to_string(&path)
                    .with_context(|| format!("cannot read {} as UTF-8", path.display()))?;
                let relative = path.strip_prefix(root).unwrap_or(&path);
                sources.push(Source { path: relative.to_string_lossy().replace('\\', "/"), text });
            }
        }
    }
    sources.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(sources)
}

/// Every breach, as a sentence with file and line.
pub(crate) fn breaches(sources: &[Source]) -> Vec<String> {
    sources
        .iter()
        .flat_map(|source| [length(source), stack(source), purity(source)].concat())
        .collect()
}

fn length(source: &Source) -> Vec<String> {
    let lines = source.text.lines().count();
    let explained = source.text.lines().take(HEAD_LINES).any(|line| line.starts_with(LONG_BECAUSE));
    if lines <= LONGEST_LINES || explained {
        return Vec::new();
    }
    vec![format!(
        "{}: {lines} lines; over {LONGEST_LINES} its head must say `{LONG_BECAUSE} …`, or it is split",
        source.path
    )]
}

fn stack(source: &Source) -> Vec<String> {
    if source.path.starts_with(SIP_STACK) {
        return Vec::new();
    }
    code_lines(&source.text)
        .filter(|(_, line)| {
            line.contains(concat!("rsipstack", "::")) || line.contains(concat!("use ", "rsipstack"))
        })
        .map(|(number, _)| {
            format!("{}:{number}: only {SIP_STACK}/ may name rsipstack", source.path)
        })
        .collect()
}

/// Tests may read fixtures: by our style they stand at the end, behind `#[cfg(test)]`.
fn purity(source: &Source) -> Vec<String> {
    if !PURE.iter().any(|room| source.path.starts_with(room)) {
        return Vec::new();
    }
    code_lines(&source.text)
        .take_while(|(_, line)| !line.trim_start().starts_with("#[cfg(test)]"))
        .filter_map(|(number, line)| {
            let found = IMPURE.iter().find(|impure| line.contains(**impure))?;
            Some(format!(
                "{}:{number}: {found} in pure code; take what it gives as an argument",
                source.path
            ))
        })
        .collect()
}

/// The lines that are not comments, counted from 1.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line))
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaches_of(path: &str, text: &str) -> Vec<String> {
        breaches(&[Source { path: path.into(), text: text.into() }])
    }

    #[test]
    fn a_long_file_must_give_its_reason() {
        let long = "fn f() {}\n".repeat(501);
        assert_eq!(breaches_of("a.rs", &long).len(), 1);
        assert_eq!(breaches_of("a.rs", &"fn f() {}\n".repeat(500)), [""; 0]);
        assert_eq!(
            breaches_of("a.rs", &format!("//! Long because it is a table.\n{long}")),
            [""; 0]
        );
    }

    #[test]
    fn only_its_own_room_names_the_sip_stack() {
        let text = concat!("use ", "rsipstack", "::sip::Uri;\n");
        assert_eq!(breaches_of("switch/src/sip/stack/uri.rs", text), [""; 0]);
        assert_eq!(breaches_of("switch/src/sip/dialog.rs", text).len(), 1);
        assert_eq!(
            breaches_of("platform/src/log.rs", "let filter = \"rsipstack=warn\";\n"),
            [""; 0]
        );
    }

    #[test]
    fn pure_rooms_call_no_clock_outside_their_tests() {
        let clock = "let now = std::time::Instant::now();\n";
        assert_eq!(breaches_of("platform/domain/src/gate.rs", clock).len(), 1);
        assert_eq!(
            breaches_of("platform/domain/src/gate.rs", &format!("#[cfg(test)]\n{clock}")),
            [""; 0]
        );
        assert_eq!(breaches_of("platform/domain/src/gate.rs", &format!("// {clock}")), [""; 0]);
        assert_eq!(breaches_of("platform/src/clock.rs", clock), [""; 0]);
    }
}
