//! `cargo xtask openapi`: keeps the committed description of the interface equal to the code.

use crate::json_drift;
use crate::provision;
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Stdio};

/// The committed files and the product's arguments that print each.
const DOCUMENTS: &[(&str, &[&str])] = &[
    ("openapi/openapi.json", &["openapi"]),
    ("openapi/error-codes.json", &["openapi", "--error-codes"]),
];

/// So many differences of one file are told.
const TOLD: usize = 40;

/// Write or compare the generated documents.
#[derive(clap::Args)]
pub(crate) struct Openapi {
    /// Write nothing; fail where a committed file differs from the code
    #[arg(long)]
    check: bool,
}

impl Openapi {
    pub(crate) fn run(self, workspace: &Workspace) -> Result<()> {
        provision::ensure(provision::BUILD)?;
        let binary = workspace.build_yunling()?;
        let mut drifted = Vec::new();
        for (file, arguments) in DOCUMENTS {
            let code = printed(&binary, arguments)?;
            let path = workspace.root().join(file);
            if !self.check {
                write(&path, &code)?;
                println!("wrote {file}");
            } else if is_current(file, &path, &code)? {
                println!("{file} is what the code says");
            } else {
                drifted.push(*file);
            }
        }
        if !drifted.is_empty() {
            bail!(
                "drift in {}: if the change is meant, run `cargo xtask openapi` and commit the result; the published surface must not change",
                drifted.join(" and ")
            );
        }
        Ok(())
    }
}

/// What the product prints, with one newline at its end.
fn printed(binary: &Path, arguments: &[&str]) -> Result<String> {
    let output = Command::new(binary)
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start {}", binary.display()))?;
    let called = format!("`yunling {}`", arguments.join(" "));
    if !output.status.success() {
        bail!("{called} failed ({}): see its message above", output.status);
    }
    let text =
        String::from_utf8(output.stdout).with_context(|| format!("{called} printed no UTF-8"))?;
    serde_json::from_str::<Value>(&text).with_context(|| format!("{called} printed no JSON"))?;
    Ok(format!("{}\n", text.trim_end()))
}

fn write(path: &Path, text: &str) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// Compares byte by byte, and tells the differences by their meaning.
fn is_current(file: &str, path: &Path, code: &str) -> Result<bool> {
    let Ok(committed) = std::fs::read_to_string(path) else {
        println!("{file} is not committed yet");
        return Ok(false);
    };
    if committed == code {
        return Ok(true);
    }
    let Ok(old) = serde_json::from_str::<Value>(&committed) else {
        println!("{file} as committed is not JSON");
        return Ok(false);
    };
    let drifts = json_drift::between(&old, &serde_json::from_str(code)?);
    if drifts.is_empty() {
        println!("{file}: only its layout or the order of its keys differs");
    }
    for drift in drifts.iter().take(TOLD) {
        println!("{file}: {drift}");
    }
    if drifts.len() > TOLD {
        println!("{file}: and {} more differences", drifts.len() - TOLD);
    }
    Ok(false)
}
