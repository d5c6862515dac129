//! Which files of a data folder belong into a backup.

use std::fs;
use std::path::{Path, PathBuf};

use super::BackupError;
use crate::config::BACKUPS;
use crate::secrets::Keyring;

/// With these whoever has the backup can read the sealed secrets, and is the node's operator.
pub(super) const SECRETS: [&str; 3] = [Keyring::FILE_NAME, "operator.token", "minted-secrets.txt"];
/// What a restore leaves of the time before it.
pub(super) const BEFORE_RESTORE: &str = "before-restore-";
/// Where an archive is unpacked; left only by a restore that was killed.
pub(super) const RESTORING: &str = "restoring-";

/// A file and its name in the archive.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) name: String,
    pub(super) path: PathBuf,
}

/// Every regular file of the data folder but the database (`sqlite`, which is copied otherwise), its
/// lock files, earlier copies and secrets.
pub(super) fn of_data_dir(
    data_dir: &Path,
    sqlite: Option<&Path>,
) -> Result<Vec<Found>, BackupError> {
    let mut found = Vec::new();
    let mut unvisited = vec![PathBuf::new()];
    while let Some(folder) = unvisited.pop() {
        let whole = data_dir.join(&folder);
        let entries = fs::read_dir(&whole).map_err(BackupError::io("cannot read", &whole))?;
        for entry in entries {
            let entry = entry.map_err(BackupError::io("cannot read", &whole))?;
            let (kind, path) = (entry.file_type(), entry.path());
            let kind = kind.map_err(BackupError::io("cannot read", &path))?;
            let relative = folder.join(entry.file_name());
            if folder.as_os_str().is_empty() && stays(&relative) || is_of(sqlite, &path) {
                continue;
            }
            // A recording that grows: its size and its sum would not be those in the manifest.
            if relative.to_str().is_some_and(|name| name.ends_with(".wav.part")) {
                continue;
            }
            if kind.is_dir() {
                unvisited.push(relative);
            } else if kind.is_file() {
                let Some(name) = relative.to_str() else {
                    let no_text = std::io::Error::other("its name is no UTF-8");
                    return Err(BackupError::io("cannot archive", &path)(no_text));
                };
                found.push(Found { name: format!("data/{name}"), path });
            } else {
                tracing::warn!(path = %path.display(), "neither file nor folder: left out of the backup");
            }
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// Whether something at the top of the data folder is never part of a backup.
fn stays(name: &Path) -> bool {
    let Some(name) = name.to_str() else { return false };
    name == BACKUPS
        || SECRETS.contains(&name)
        // Its draft, while it is being written.
        || name.starts_with(Keyring::FILE_NAME)
        || name.starts_with(BEFORE_RESTORE)
        || name.starts_with(RESTORING)
        || name.starts_with("node-") && name.ends_with(".lock")
}

/// Whether a path is the database or one of the files beside it (`-wal`, `-shm`, lock files).
fn is_of(sqlite: Option<&Path>, path: &Path) -> bool {
    let Some(database) = sqlite else { return false };
    let same_folder = match (path.parent(), database.parent()) {
        (Some(one), Some(other)) => one == other || same(one, other),
        _ => false,
    };
    let (Some(name), Some(of)) = (
        path.file_name().and_then(|name| name.to_str()),
        database.file_name().and_then(|name| name.to_str()),
    ) else {
        return false;
    };
    let rest = name.strip_prefix(of);
    same_folder
        && rest.is_some_and(|rest| {
            matches!(rest, "" | "-wal" | "-shm" | "-journal")
                || rest.starts_with(".node-") && rest.ends_with(".lock")
        })
}

fn same(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn what_follows_from_the_rest_or_is_secret_stays() {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "yunling.db",
            "yunling.db-wal",
            "yunling.db.node-10000.lock",
            "node-10000.lock",
            "secret.key",
            "operator.token",
            "minted-secrets.txt",
            "secret.key.new",
            "backups/before-m1.db",
            "before-restore-1/yunling.db",
            "restoring-1/data/x",
            "media/a.wav",
            "recordings/2026/11/b.wav",
            "recordings/2026/11/c.wav.part",
            "recordings/secret.key",
            "yunling.db.txt",
        ] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, name).unwrap();
        }
        std::os::unix::fs::symlink("/etc", folder.path().join("elsewhere")).unwrap();
        let database = folder.path().join("./yunling.db");
        let found = of_data_dir(folder.path(), Some(&database)).unwrap();
        let names: Vec<&str> = found.iter().map(|found| found.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "data/media/a.wav",
                "data/recordings/2026/11/b.wav",
                "data/recordings/secret.key",
                "data/yunling.db.txt",
            ]
        );
    }
}
