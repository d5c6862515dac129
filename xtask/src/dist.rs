//! `cargo xtask dist`: a release build, packed with what an operator needs.

use crate::provision;
use crate::workspace::{Workspace, run};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What goes beside the binary, from the root of the clone.
const CONTENT: &[&str] = &["deploy", "LICENSE", "README.md", "README.zh-CN.md", "CHANGELOG.md"];

/// Build and pack a release.
#[derive(clap::Args)]
pub(crate) struct Dist {
    /// Where the archive is written (default: `dist` in the target directory)
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl Dist {
    pub(crate) fn run(self, workspace: &Workspace) -> Result<()> {
        provision::ensure(provision::BUILD)?;
        workspace.claim_target_dir()?;
        run(workspace.cargo("build").args(["--release", "--package", "yunling"]))?;
        let name = format!("yunling-{}-{}", env!("CARGO_PKG_VERSION"), host_triple()?);
        let out = self.out.unwrap_or_else(|| workspace.target_dir().join("dist"));
        let archive = pack(workspace.root(), &workspace.binary("release"), &name, &out)?;
        println!("{}", archive.display());
        Ok(())
    }
}

/// Packs the binary and [`CONTENT`] below one folder `name`. Names are sorted and owners and times
/// fixed, so that equal content gives an equal archive.
fn pack(root: &Path, binary: &Path, name: &str, out: &Path) -> Result<PathBuf> {
    let stage = out.join(name);
    if stage.exists() {
        std::fs::remove_dir_all(&stage)
            .with_context(|| format!("cannot clear {}", stage.display()))?;
    }
    std::fs::create_dir_all(&stage)
        .with_context(|| format!("cannot create {}", stage.display()))?;
    run(Command::new("cp").arg(binary).arg(&stage))?;
    for item in CONTENT {
        run(Command::new("cp").args(["-R"]).arg(root.join(item)).arg(&stage))?;
    }
    let archive = out.join(format!("{name}.tar.gz"));
    run(Command::new("tar")
        .args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mtime=@0"])
        .args(["--use-compress-program", "gzip -9n", "--create", "--file"])
        .arg(&archive)
        .arg("--directory")
        .arg(out)
        .arg(name))?;
    std::fs::remove_dir_all(&stage)?;
    Ok(archive)
}

/// The triple that rustc builds for where nothing else is said.
pub(crate) fn host_triple() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").output().context("cannot start rustc")?;
    let text = String::from_utf8_lossy(&output.stdout);
    match text.lines().find_map(|line| line.strip_prefix("host: ")) {
        Some(triple) => Ok(triple.to_owned()),
        None => bail!("`rustc -vV` names no host: is the toolchain whole?"),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a panic with its line is what a test is for")]

    use super::*;

    #[test]
    fn an_archive_holds_the_binary_and_the_papers_and_is_the_same_twice() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let out = std::env::temp_dir().join(format!("yunling-dist-test-{}", std::process::id()));
        std::fs::create_dir_all(&out).unwrap();
        let binary = out.join("yunling");
        std::fs::write(&binary, "binary").unwrap();

        let archive = pack(root, &binary, "yunling-test", &out).unwrap();
        let first = std::fs::read(&archive).unwrap();
        let second = std::fs::read(pack(root, &binary, "yunling-test", &out).unwrap()).unwrap();
        let listing = Command::new("tar").arg("-tzf").arg(&archive).output().unwrap();
        std::fs::remove_dir_all(&out).unwrap();

        assert!(first == second, "two archives of one content differ");
        let listing = String::from_utf8(listing.stdout).unwrap();
        for wanted in ["yunling", "LICENSE", "README.md", "deploy/yunling.yaml"] {
            assert!(listing.contains(&format!("yunling-test/{wanted}\n")), "{wanted} in {listing}");
        }
    }
}
