//! What a machine needs besides cargo, and how it gets it.

use crate::workspace::run;
use anyhow::{Result, bail};
use std::path::{Path, PathBuf};
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
pub(crate) const TESTS: &[Tool] = &[
    Tool { program: "sipp", packages: &["sip-tester"], why: "plays the carrier in the SIP tests" },
    Tool {
        program: "initdb",
        packages: &["postgresql", "postgresql-client"],
        why: "makes the PostgreSQL server that the tests run on besides SQLite",
    },
];

/// For the bench.
pub(crate) const BENCH: &[Tool] =
    &[Tool { program: "sipp", packages: &["sip-tester"], why: "answers the calls of the bench" }];

/// For the bench of call records.
pub(crate) const DUMPS: &[Tool] = &[
    Tool { program: "sqlite3", packages: &["sqlite3"], why: "writes a table as CSV, to compare" },
    Tool { program: "psql", packages: &["postgresql-client"], why: "writes a table as CSV, too" },
];

/// Debian keeps the PostgreSQL server's programs here, a folder for each version.
const POSTGRES_VERSIONS: &str = "/usr/lib/postgresql";
/// Where Debian's package looks whether it is to make and start a server of its own.
const POSTGRES_CLUSTERS: &str = "/etc/postgresql-common/createcluster.conf";

/// Sees to it that `tools` are there: installs what is missing with apt where this user may, else
/// says what to install.
pub(crate) fn ensure(tools: &[Tool]) -> Result<()> {
    let missing: Vec<&Tool> = tools.iter().filter(|tool| find(tool.program).is_none()).collect();
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
    if packages.contains(&"postgresql") {
        no_server_of_the_package();
    }
    run(apt().arg("update"))?;
    run(apt().args(["install", "--no-install-recommends"]).args(&packages))?;
    for tool in missing {
        if find(tool.program).is_none() {
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
        .args(["--quiet", "--yes", "-o", "Dpkg::Options::=--force-confold"])
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null());
    command
}

/// The tests start a server of their own; one on the usual port would be nobody's. Where this file
/// cannot be written the package's server runs idle, which hinders nobody.
fn no_server_of_the_package() {
    let file = Path::new(POSTGRES_CLUSTERS);
    if !file.exists()
        && let Some(folder) = file.parent()
        && std::fs::create_dir_all(folder).is_ok()
    {
        let _ = std::fs::write(file, "create_main_cluster = false\n");
    }
}

/// A program on the PATH, or among the newest PostgreSQL server's.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let versions = std::fs::read_dir(POSTGRES_VERSIONS).into_iter().flatten().flatten();
    let mut servers: Vec<PathBuf> = versions.map(|entry| entry.path().join("bin")).collect();
    servers.sort();
    let folders = std::env::split_paths(&path).chain(servers.into_iter().rev());
    folders.map(|folder| folder.join(program)).find(|file| is_executable(file))
}

fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| is_executable(&folder.join(program)))
}

fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(file)
        .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// Whether this user may install, and may not run a PostgreSQL server.
pub(crate) fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_on_the_path_is_found_and_an_unknown_one_is_not() {
        assert!(on_path("sh") && find("sh").is_some());
        assert!(!on_path("no-such-program-anywhere"));
        assert_eq!(find("no-such-program-anywhere"), None);
    }

    #[test]
    fn nothing_missing_asks_for_nothing() {
        let there = [Tool { program: "sh", packages: &["dash"], why: "is everywhere" }];
        assert!(ensure(&there).is_ok());
    }
}
