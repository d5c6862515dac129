//! Where the workspace stands, which target directory it builds into, and how cargo is called.

use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Names the clone that a target directory was last built from.
const CLONE_STAMP: &str = ".yunling-clone";

/// This clone of the project and the target directory that it shares with others.
pub(crate) struct Workspace {
    root: PathBuf,
    target_dir: PathBuf,
}

impl Workspace {
    /// Finds the workspace from what `cargo xtask` tells its child. Not from what was known at
    /// compile time: this program may have been built in another clone.
    pub(crate) fn find() -> Result<Self> {
        let manifest_dir = std::env::var_os("CARGO_MANIFEST_DIR")
            .context("CARGO_MANIFEST_DIR is not set: start this program as `cargo xtask …`")?;
        let root = Path::new(&manifest_dir)
            .parent()
            .context("xtask/ has no parent directory: start this program as `cargo xtask …`")?
            .to_path_buf();
        let target_dir = match std::env::var_os("CARGO_TARGET_DIR").filter(|dir| !dir.is_empty()) {
            Some(dir) => std::path::absolute(dir)?,
            None => user_cache_dir()?.join("yunling").join("target"),
        };
        Ok(Self { root, target_dir })
    }

    /// The root of the clone.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Where cargo's children build: `$CARGO_TARGET_DIR`, else a folder in the user's cache, so
    /// that a fresh clone finds the dependencies compiled.
    pub(crate) fn target_dir(&self) -> &Path {
        &self.target_dir
    }

    /// A cargo command in the workspace's root, on the shared target directory.
    ///
    /// Incremental compilation is off unless the caller's environment says otherwise: it is part of
    /// a build's identity, and CI, `up` and tests must find each other's work.
    pub(crate) fn cargo(&self, subcommand: &str) -> Command {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command.current_dir(&self.root).arg(subcommand).env("CARGO_TARGET_DIR", &self.target_dir);
        for (name, _) in std::env::vars_os().filter(|(name, _)| is_of_this_package(name)) {
            command.env_remove(name);
        }
        if std::env::var_os("CARGO_INCREMENTAL").is_none() {
            command.env("CARGO_INCREMENTAL", "0");
        }
        if std::env::var_os("CI").is_some() && subcommand != "clean" {
            command.arg("--locked");
        }
        command
    }

    /// Makes the target directory safe for this clone.
    ///
    /// Cargo tells a workspace's crates apart by their paths inside the workspace and judges their
    /// freshness by file times. In a directory shared by two clones it could therefore take the
    /// other clone's crates for ours. Whenever the clone changes, our own crates are removed; the
    /// dependencies, which are nearly all of the work, stay.
    pub(crate) fn claim_target_dir(&self) -> Result<()> {
        std::fs::create_dir_all(&self.target_dir).with_context(|| {
            format!(
                "cannot create the target directory {}: set CARGO_TARGET_DIR to a writable folder",
                self.target_dir.display()
            )
        })?;
        let stamp = self.target_dir.join(CLONE_STAMP);
        let here = self.root.to_string_lossy();
        match std::fs::read_to_string(&stamp) {
            Ok(clone) if clone == here => return Ok(()),
            Ok(clone) => {
                eprintln!(
                    "xtask: the target directory was last used by {clone}; our own crates are built anew"
                );
                for profile in ["dev", "release"] {
                    let mut clean = self.cargo("clean");
                    // its stdout is `target-dir`'s answer to a script
                    clean
                        .args(["--quiet", "--workspace", "--profile", profile])
                        .stdout(Stdio::null());
                    run(&mut clean)?;
                }
            }
            Err(_) => {}
        }
        std::fs::write(&stamp, here.as_bytes())
            .with_context(|| format!("cannot write {}", stamp.display()))
    }

    /// Builds the product's binary in the profile of development and returns where it is.
    pub(crate) fn build_yunling(&self) -> Result<PathBuf> {
        self.claim_target_dir()?;
        run(self.cargo("build").args(["--package", "yunling"]))?;
        Ok(self.binary("debug"))
    }

    /// Where cargo puts the product's binary for a profile's directory (`debug`, `release`).
    pub(crate) fn binary(&self, profile_dir: &str) -> PathBuf {
        self.target_dir.join(profile_dir).join(format!("yunling{}", std::env::consts::EXE_SUFFIX))
    }

    /// `cargo metadata` as JSON, with what `arguments` select.
    pub(crate) fn metadata(&self, arguments: &[&str]) -> Result<serde_json::Value> {
        let output = self
            .cargo("metadata")
            .args(["--format-version", "1"])
            .args(arguments)
            .stderr(Stdio::inherit())
            .output()
            .context("cannot start cargo")?;
        if !output.status.success() {
            bail!("`cargo metadata` failed: see its message above");
        }
        serde_json::from_slice(&output.stdout).context("cargo's metadata is not JSON")
    }
}

/// Whether `cargo run` set the variable to tell this program about its own package. Inherited by
/// another cargo, such a variable makes build scripts that watch it (ring's is one) run again, and
/// everything above them is compiled anew.
fn is_of_this_package(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name.starts_with("CARGO_PKG_")
        || name.starts_with("CARGO_MANIFEST_")
        || matches!(&*name, "CARGO_BIN_NAME" | "CARGO_CRATE_NAME" | "CARGO_PRIMARY_PACKAGE")
}

/// Runs a command that talks to the terminal by itself; anything but success is an error.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let shown = show(command);
    let status = command.status().with_context(|| format!("cannot start `{shown}`"))?;
    if !status.success() {
        bail!("`{shown}` failed ({status}): its own message is above");
    }
    Ok(())
}

/// A command as one would type it.
pub(crate) fn show(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy();
    std::iter::once(name)
        .chain(command.get_args().map(|argument| argument.to_string_lossy()))
        .collect::<Vec<_>>()
        .join(" ")
}

fn user_cache_dir() -> Result<PathBuf> {
    if let Some(dir) = std::env::var_os("XDG_CACHE_HOME").filter(|dir| !dir.is_empty()) {
        return Ok(PathBuf::from(dir));
    }
    let home = std::env::home_dir().context(
        "neither HOME nor XDG_CACHE_HOME is set: set CARGO_TARGET_DIR to a writable folder",
    )?;
    Ok(home.join(".cache"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_tells_of_this_package_is_kept_from_children() {
        for name in ["CARGO_PKG_NAME", "CARGO_MANIFEST_DIR", "CARGO_BIN_NAME"] {
            assert!(is_of_this_package(OsStr::new(name)), "{name}");
        }
        for name in ["CARGO_HOME", "CARGO_NET_RETRY", "CARGO_TERM_COLOR", "CARGO", "PATH"] {
            assert!(!is_of_this_package(OsStr::new(name)), "{name}");
        }
    }

    #[test]
    fn a_command_is_shown_without_its_folder() {
        assert_eq!(
            show(Command::new("/opt/bin/cargo").args(["test", "--lib"])),
            "cargo test --lib"
        );
    }
}
