//! What a machine needs besides cargo, and how it gets it.

use crate::workspace::run;
use anyhow::{Result, bail};
use std::path::Path;
use std::process::{Command, Stdio};

/// A program that a command needs.
#[derive(Debug)]
pub(crate) struct Tool {
    /// What is looked for on the PATH.
    program: &'static str,
    /// The Debian packages that bring it.
    packages: &'static [&'static str],
    /// Why we need it, for the person who is asked to install it.
    why: &'static str,
}

/// For every build: SQLite and the cryptographic library compile C, with ready-made bindings and
/// assembly, so that neither cmake nor perl nor libclang is wanted.
pub(crate) const BUILD: &[Tool] = &[Tool {
    program: "cc",
    packages: &["gcc", "libc6-dev"],
    why: "compiles SQLite and the cryptographic library",
}];

/// For the tests.
pub(crate) const TESTS: &[Tool] = &[Tool {
    program: "sipp",
    packages: &["sip-tester"],
    why: "plays the carrier in the SIP tests",
}];

/// Sees to it that `tools` are there: installs what is missing with apt where this user may, else
/// says what to install.
pub(crate) fn ensure(tools: &[Tool]) -> Result<()> {
    let missing: Vec<&Tool> = tools.iter().filter(|tool| !on_path(tool.program)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    for tool in &missing {
        eprintln!("xtask: `{}` is missing; it {}", tool.program, tool.why);
    }
    let packages: Vec<&str> = missing.iter().flat_map(|tool| tool.packages).copied().collect();
    if !on_path("apt-get") {
        bail!(
            "install the programs named above with this system's package manager (Debian calls the packages {}), then run this command again",
            packages.join(", ")
        );
    }
    if !is_root() {
        bail!(
            "install what is missing, then run this command again:\n    sudo apt-get update && sudo apt-get install --no-install-recommends {}",
            packages.join(" ")
        );
    }
    eprintln!("xtask: installing with apt: {}", packages.join(" "));
    run(apt().arg("update"))?;
    run(apt().args(["install", "--no-install-recommends"]).args(&packages))?;
    for tool in missing {
        if !on_path(tool.program) {
            bail!(
                "{} did not bring `{}`: install it by hand, then run this command again",
                tool.packages.join(", "),
                tool.program
            );
        }
    }
    Ok(())
}

fn apt() -> Command {
    let mut command = Command::new("apt-get");
    command
        .args(["--quiet", "--yes"])
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null());
    command
}

fn on_path(program: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|dir| is_executable(&dir.join(program)))
    })
}

fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(file)
        .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_on_the_path_is_found_and_an_unknown_one_is_not() {
        assert!(on_path("sh"));
        assert!(!on_path("no-such-program-anywhere"));
    }

    #[test]
    fn nothing_missing_asks_for_nothing() {
        let there = [Tool { program: "sh", packages: &["dash"], why: "is everywhere" }];
        assert!(ensure(&there).is_ok());
    }
}
