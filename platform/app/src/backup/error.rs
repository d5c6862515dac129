use std::path::{Path, PathBuf};

use yunling_store::StoreError;

/// A backup was not taken or not restored. Nothing was replaced, and no half archive is left.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The file system says no.
    #[error("{what} {path}: {error}", path = .path.display())]
    Io {
        /// What was being done.
        what: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The database cannot be copied or opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The archive is not as it was written.
    #[error("the archive is damaged: {0}; nothing was replaced")]
    Damaged(String),
    /// A newer release wrote the archive.
    #[error("the archive has the format {found}, and this release reads {known}: use a newer one")]
    Format {
        /// The archive's.
        found: u32,
        /// Ours.
        known: u32,
    },
    /// The archive is of the other kind of database.
    #[error("the archive holds a {archived} database, and `database.url` names {configured}")]
    OtherDatabase {
        /// The archive's kind.
        archived: &'static str,
        /// The configuration's kind.
        configured: &'static str,
    },
    /// There is something already.
    #[error("{0} is there already: {1}")]
    Exists(String, &'static str),
    /// A node uses the data.
    #[error("a node runs on this data ({lock} is locked): stop it first", lock = .0.display())]
    Running(PathBuf),
    /// Nodes use the database, perhaps of another machine.
    #[error(
        "nodes run on this database ({}): stop them first; one that was killed counts for half a \
         minute",
        .0.join(", ")
    )]
    NodesRun(Vec<String>),
    /// A program of PostgreSQL's is missing or failed.
    #[error("{program}: {said}")]
    Tool {
        /// Which.
        program: &'static str,
        /// What happened, and what to do.
        said: String,
    },
}

impl BackupError {
    pub(super) fn io(
        what: &'static str,
        path: &Path,
    ) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |error| Self::Io { what, path, error }
    }
}
