use crate::secrets::Plain;
use crate::yaml::Parsed;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// Where recordings grow, in the data folder, where the settings do not say.
pub(super) const FOLDER: &str = "recordings";

/// `recordings:` — where recordings of calls go, and for how long.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Recordings {
    /// Where they go when they are complete.
    pub store: StoreKind,
    /// Where they grow, and stay where the store is the disk. Default: `recordings` in the data
    /// folder. Always there in settings that were read.
    pub folder: Option<PathBuf>,
    /// The object store, for `store: s3`.
    pub s3: Option<ObjectStore>,
    /// How long they are kept, days, where the application does not say.
    pub keep_days: u32,
    /// How long a link holds, seconds, where the application does not say.
    pub link_s: u32,
    /// Where less than so many mebibytes are free, no recording is begun.
    pub min_free_mib: u32,
}

/// `recordings.store`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StoreKind {
    /// They stay in the folder.
    #[default]
    Disk,
    /// They are moved to an object store that speaks S3.
    S3,
}

/// `recordings.s3`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectStore {
    /// `https://s3.example.com`, without the bucket.
    pub endpoint: Parsed<url::Url>,
    /// The bucket; it is there already.
    pub bucket: String,
    /// The region that requests are signed for.
    #[serde(default = "usual_region")]
    pub region: String,
    /// What names begin with, such as `yunling/`.
    #[serde(default)]
    pub prefix: String,
    /// Whether the bucket stands in the path (`true`) or before the host.
    #[serde(default = "yes")]
    pub path_style: bool,
    /// The key's public half.
    pub access_key: String,
    /// Its secret half.
    pub secret_key: Option<Plain>,
    /// A file that holds the secret half.
    pub secret_key_file: Option<PathBuf>,
    /// The environment variable that holds the secret half.
    pub secret_key_env: Option<String>,
}

fn usual_region() -> String {
    "us-east-1".to_owned()
}

fn yes() -> bool {
    true
}

impl Default for Recordings {
    fn default() -> Self {
        Self {
            store: StoreKind::Disk,
            folder: None,
            s3: None,
            keep_days: 180,
            link_s: 7 * 24 * 3_600,
            min_free_mib: 1_024,
        }
    }
}

impl Recordings {
    /// Where they grow.
    pub fn folder(&self) -> &Path {
        self.folder.as_deref().unwrap_or(Path::new(FOLDER))
    }

    /// The object store that they are moved to, if they are.
    pub fn objects(&self) -> Option<&ObjectStore> {
        self.s3.as_ref().filter(|_| self.store == StoreKind::S3)
    }

    /// Where its files are, for a settings file in that folder.
    pub(super) fn place(&mut self, folder: &Path) {
        if let Some(file) = self.s3.as_mut().and_then(|s3| s3.secret_key_file.as_mut())
            && file.is_relative()
        {
            *file = folder.join(&file);
        }
    }

    /// The first key whose value cannot work, and what was expected of it.
    pub(super) fn impossible(&self) -> Option<(&'static str, String)> {
        let Some(s3) = &self.s3 else {
            let missing = self.store == StoreKind::S3;
            return missing.then(|| {
                let expected = "expected endpoint, bucket, access_key and secret_key for store: s3";
                ("s3", expected.to_owned())
            });
        };
        if !matches!(s3.endpoint.scheme(), "http" | "https") {
            return Some(("s3", "endpoint: expected an http:// or https:// URL".to_owned()));
        }
        let ways =
            [s3.secret_key.is_some(), s3.secret_key_file.is_some(), s3.secret_key_env.is_some()];
        if ways.into_iter().filter(|given| *given).count() != 1 {
            let expected = "expected one of secret_key, secret_key_file and secret_key_env";
            return Some(("s3", expected.to_owned()));
        }
        None
    }
}

impl ObjectStore {
    /// The secret half of the key.
    ///
    /// # Errors
    /// What the operator has to mend: the file or the variable that is not there.
    pub fn secret(&self, env: &dyn Fn(&str) -> Option<String>) -> Result<Plain, String> {
        if let Some(secret) = &self.secret_key {
            return Ok(secret.clone());
        }
        if let Some(file) = &self.secret_key_file {
            let text = std::fs::read_to_string(file).map_err(|error| {
                format!("recordings.s3.secret_key_file: {} cannot be read: {error}", file.display())
            })?;
            return Ok(Plain::new(text.trim()));
        }
        let name = self.secret_key_env.as_deref().unwrap_or_default();
        env(name).map(Plain::new).ok_or_else(|| {
            format!("recordings.s3.secret_key_env: the environment has no variable {name:?}")
        })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use crate::config::{Settings, StoreKind};
    use std::path::Path;

    const MINIMAL: &str = "node: \"10000\"\ndata_dir: ./data\ndatabase: { url: \"sqlite://x.db\" }\n\
        http: { listen: \"127.0.0.1:8080\" }\nsip: { listen: [\"udp:127.0.0.1:5060\"] }\n\
        rtp: { address: 127.0.0.1, ports: 20000-20999 }\n";

    fn read(recordings: &str) -> Result<Settings, String> {
        let text = format!("{MINIMAL}{recordings}");
        Settings::from_text("yunling.yaml", &text, Path::new("/etc/yunling"))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_disk_is_the_usual_store_and_relative_paths_start_at_the_file() {
        let settings = read("").unwrap().recordings;
        assert_eq!(settings.store, StoreKind::Disk);
        assert_eq!(settings.folder(), Path::new("/etc/yunling/./data/recordings"));
        assert!(settings.objects().is_none());
        let settings = read("recordings: { folder: rec, keep_days: 30 }\n").unwrap().recordings;
        assert_eq!(settings.folder(), Path::new("/etc/yunling/rec"));
        assert_eq!((settings.keep_days, settings.link_s), (30, 604_800));
    }

    #[test]
    fn an_object_store_is_whole_or_refused_with_its_key() {
        let whole = "recordings: { store: s3, s3: { endpoint: \"https://s3.example.com\", \
                     bucket: calls, access_key: AK, secret_key: SK } }\n";
        let settings = read(whole).unwrap().recordings;
        let s3 = settings.objects().unwrap();
        assert_eq!((s3.region.as_str(), s3.path_style), ("us-east-1", true));
        assert_eq!(s3.secret(&|_| None).unwrap().expose(), "SK");
        assert!(!format!("{settings:?}").contains("SK"), "secrets are never shown");
        for (text, said) in [
            ("recordings: { store: s3 }\n", "expected endpoint, bucket"),
            (&whole.replace(", secret_key: SK", ""), "expected one of secret_key"),
            (&whole.replace("https://s3", "ftp://s3"), "http:// or https://"),
            (&whole.replace("store: s3", "store: tape"), "recordings.store"),
            ("recordings: { link_s: 5 }\n", "expected 60 to"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(said), "{text} gave {error}");
        }
        let env = whole.replace("secret_key: SK", "secret_key_env: YL_S3");
        let settings = read(&env).unwrap().recordings;
        let s3 = settings.objects().unwrap();
        assert_eq!(s3.secret(&|name| Some(format!("of {name}"))).unwrap().expose(), "of YL_S3");
        assert!(s3.secret(&|_| None).unwrap_err().contains("\"YL_S3\""));
    }
}
