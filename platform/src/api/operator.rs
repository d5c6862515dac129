//! The operator's token: minted into the data folder at the first start, readable by its owner
//! only. Whoever can read it runs the node anyway; it opens `POST /api/v1/apply`.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use yunling_app::ports::Random;

const FILE_NAME: &str = "operator.token";
/// What every operator's token begins with, so that people and secret scanners know one.
const PREFIX: &str = "ylo_";
const RANDOM_BYTES: usize = 32;

/// The operator's token, as its digest.
#[derive(Clone)]
pub(crate) struct OperatorToken(Arc<[u8]>);

impl OperatorToken {
    /// Reads the token in the data folder; mints one where there is none yet.
    ///
    /// # Errors
    /// The file cannot be read or written, is empty, or can be read by others: the operator's fault.
    pub(crate) fn open(data_dir: &Path, random: &dyn Random) -> anyhow::Result<Self> {
        let path = data_dir.join(FILE_NAME);
        let shown = path.display();
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                refuse_exposed(&path)?;
                match text.trim() {
                    "" => {
                        bail!("{shown} is empty: delete it, and the next start mints a new token")
                    }
                    token => Ok(Self::of(token)),
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let mut bytes = [0; RANDOM_BYTES];
                random.fill(&mut bytes);
                let token = format!("{PREFIX}{}", hex::encode(bytes));
                write_private(&path, &token)
                    .with_context(|| format!("{shown} cannot be written"))?;
                Ok(Self::of(&token))
            }
            Err(error) => Err(error).with_context(|| format!("{shown} cannot be read")),
        }
    }

    fn of(token: &str) -> Self {
        Self(digest(&SHA256, token.as_bytes()).as_ref().into())
    }

    /// Whether this is it; in constant time.
    pub(super) fn is(&self, presented: &str) -> bool {
        let presented = digest(&SHA256, presented.as_bytes());
        verify_slices_are_equal(&self.0, presented.as_ref()).is_ok()
    }
}

/// Written whole under another name first: a crash in between leaves no half token behind.
fn write_private(path: &Path, token: &str) -> std::io::Result<()> {
    let draft = path.with_extension("token.new");
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&draft)?;
    writeln!(file, "{token}")?;
    file.sync_all()?;
    std::fs::rename(&draft, path)
}

#[cfg(unix)]
fn refuse_exposed(path: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(path)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        bail!("{} can be read by others (mode {mode:o}): chmod 600 it", path.display());
    }
    Ok(())
}

#[cfg(not(unix))]
fn refuse_exposed(_: &Path) -> anyhow::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::clock::SystemRandom;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_token_is_minted_once_private_and_known_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE_NAME);
        OperatorToken::open(folder.path(), &SystemRandom).unwrap();
        let token = std::fs::read_to_string(&file).unwrap();
        assert!(token.starts_with(PREFIX) && token.trim().len() == PREFIX.len() + 2 * RANDOM_BYTES);
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let again = OperatorToken::open(folder.path(), &SystemRandom).unwrap();
        assert!(again.is(token.trim()));
        for other in ["", "ylo_", &token.trim()[..20], &token.to_uppercase()] {
            assert!(!again.is(other), "{other:?}");
        }
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        let exposed = OperatorToken::open(folder.path(), &SystemRandom).err().unwrap();
        assert!(exposed.to_string().contains("chmod 600"), "{exposed}");
    }
}
