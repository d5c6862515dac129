use serde::{Deserialize, Serialize};

use super::BackupError;

/// The archive's own version: raised when an older release could not read a newer archive.
const FORMAT: u32 = 1;

/// What an archive holds. The last entry of each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The archive's own version.
    pub format: u32,
    /// The release that wrote it.
    pub release: String,
    /// The node that it was taken of.
    pub node: String,
    /// When the database was copied, microseconds UTC.
    pub taken_at: i64,
    /// Which database it was.
    pub database: DatabaseKind,
    /// The migrations that were applied.
    pub schema: Vec<String>,
    /// Files of the data folder that were left out, because whoever has them can read the secrets.
    pub left_out: Vec<String>,
    /// Every other entry of the archive, in its order.
    pub entries: Vec<Entry>,
}

/// The database's kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DatabaseKind {
    /// A file.
    Sqlite,
    /// A dump in PostgreSQL's custom format.
    Postgres,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its name in the archive.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// Its hash, hex.
    pub sha256: String,
}

impl Manifest {
    /// Its name in the archive.
    pub(super) const NAME: &str = "manifest.json";

    pub(super) fn new(
        node: String,
        taken_at: i64,
        database: DatabaseKind,
        schema: Vec<String>,
    ) -> Self {
        Self {
            format: FORMAT,
            release: env!("CARGO_PKG_VERSION").to_owned(),
            node,
            taken_at,
            database,
            schema,
            left_out: Vec::new(),
            entries: Vec::new(),
        }
    }

    pub(super) fn read(text: &[u8]) -> Result<Self, BackupError> {
        /// What every version has.
        #[derive(Deserialize)]
        struct Head {
            format: u32,
        }
        let damaged = |error: serde_json::Error| {
            BackupError::Damaged(format!("{} cannot be read: {error}", Self::NAME))
        };
        let head: Head = serde_json::from_slice(text).map_err(damaged)?;
        if head.format > FORMAT {
            return Err(BackupError::Format { found: head.format, known: FORMAT });
        }
        serde_json::from_slice(text).map_err(damaged)
    }

    /// All bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.entries.iter().map(|entry| entry.bytes).sum()
    }
}

impl DatabaseKind {
    /// Its name in the archive.
    pub(super) fn entry(self) -> &'static str {
        match self {
            Self::Sqlite => "database/yunling.db",
            Self::Postgres => "database/yunling.pgdump",
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }
}
