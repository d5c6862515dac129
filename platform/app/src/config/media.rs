use serde::Deserialize;

/// `media:` — what tenants may put into their libraries.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Media {
    /// The largest file that is taken, mebibytes.
    pub max_upload_mib: u32,
    /// The longest recording that is taken, seconds.
    pub max_length_s: u32,
}

impl Default for Media {
    fn default() -> Self {
        Self { max_upload_mib: 20, max_length_s: 600 }
    }
}

impl Media {
    /// The largest file that is taken, bytes.
    pub fn max_upload_bytes(&self) -> usize {
        self.max_upload_mib as usize * 1024 * 1024
    }
}
