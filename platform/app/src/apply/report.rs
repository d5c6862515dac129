//! What applying came to, and the secrets that were minted on the way.

use super::plan::Plan;
use crate::documents::{ResourceKind, SecretName};
use crate::secrets::Plain;
use std::fmt::{self, Write as _};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// What was done.
#[derive(Debug)]
pub struct Report {
    /// The plan that was carried out.
    pub plan: Plan,
    /// Secrets that were minted: this is the only time that anybody sees them.
    pub minted: Vec<Minted>,
}

/// A secret that was minted.
#[derive(Debug)]
pub struct Minted {
    /// Of what.
    pub kind: ResourceKind,
    /// Of whose.
    pub account: String,
    /// Of which.
    pub key: String,
    /// Which secret.
    pub name: SecretName,
    /// The secret.
    pub secret: Plain,
}

impl Report {
    /// The minted secrets for the eyes of whoever applied, one a line; empty where there are none.
    pub fn minted_text(&self) -> String {
        let mut text = String::new();
        for Minted { kind, key, name, secret, .. } in &self.minted {
            writeln!(text, "{kind} {key}: {} {}", name.as_str(), secret.expose())
                .expect("a text takes every line");
        }
        text
    }

    /// Appends the minted secrets to `minted-secrets.txt` in a folder, readable by its owner only:
    /// for a start, where nobody watches. Gives the file, or none where nothing was minted.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn keep_minted(&self, folder: &Path) -> std::io::Result<Option<PathBuf>> {
        if self.minted.is_empty() {
            return Ok(None);
        }
        let path = folder.join("minted-secrets.txt");
        let mut options = std::fs::OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&path)?;
        file.write_all(self.minted_text().as_bytes())?;
        file.sync_all()?;
        Ok(Some(path))
    }
}

/// The plan alone: a report may go into a log, a secret never.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.plan.fmt(f)
    }
}
