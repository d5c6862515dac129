use serde::Deserialize;
use std::path::{Path, PathBuf};

/// Where exports grow, in the data folder, where the settings do not say.
pub(super) const FOLDER: &str = "exports";

/// `exports:` — where exports of call records go, and for how long. Where recordings go to an object
/// store, complete exports do too.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Exports {
    /// Where they grow, and stay where there is no object store. Default: `exports` in the data
    /// folder. Always there in settings that were read.
    pub folder: Option<PathBuf>,
    /// How long files are kept, days.
    pub keep_days: u32,
    /// How long a link holds, seconds.
    pub link_s: u32,
}

impl Default for Exports {
    fn default() -> Self {
        Self { folder: None, keep_days: 7, link_s: 24 * 3_600 }
    }
}

impl Exports {
    /// Where they grow.
    pub fn folder(&self) -> &Path {
        self.folder.as_deref().unwrap_or(Path::new(FOLDER))
    }
}
