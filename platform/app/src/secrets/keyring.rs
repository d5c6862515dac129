//! `secret.key`: the node's own keys, one a line as `id hex`, the first the current one. To rotate,
//! put a new line on top; the old lines go when nothing is sealed or hashed under them any more.

use super::{Fingerprint, Plain, TokenHash};
use crate::ports::Random;
use aws_lc_rs::hmac;
use std::fmt;
use std::io::Write;
use std::path::Path;

const KEY_BYTES: usize = 32;

/// The keys that hash and seal.
pub struct Keyring {
    /// Not empty; the first is the current one.
    keys: Vec<Key>,
}

pub(super) struct Key {
    pub(super) id: String,
    /// Seals.
    pub(super) sealing: [u8; KEY_BYTES],
    /// Hashes tokens.
    hashing: hmac::Key,
    /// Makes fingerprints.
    marking: hmac::Key,
}

/// `secret.key` cannot be used; fault of the platform's operator.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The file system says no.
    #[error("secret key file {file}: {error}")]
    Io {
        /// The file.
        file: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// Its text is not what it should be.
    #[error(
        "secret key file {file}, line {line}: expected a key's name (letters and digits), a space and 64 hex digits"
    )]
    Malformed {
        /// The file.
        file: String,
        /// 1-based.
        line: usize,
    },
    /// There is no key in it.
    #[error(
        "secret key file {file} is empty: restore it from the backup, or every sealed secret and every token is lost"
    )]
    Empty {
        /// The file.
        file: String,
    },
    /// Others may read it.
    #[error("secret key file {file} can be read by others (mode {mode:o}): chmod 600 it")]
    Exposed {
        /// The file.
        file: String,
        /// The mode found.
        mode: u32,
    },
}

impl Keyring {
    /// The file in the data folder.
    pub const FILE_NAME: &str = "secret.key";

    /// Reads `secret.key` in the data folder; mints one, readable by its owner only, where there is
    /// none yet.
    ///
    /// # Errors
    /// [`KeyFileError`].
    pub fn open(data_dir: &Path, random: &dyn Random) -> Result<Self, KeyFileError> {
        let path = data_dir.join(Self::FILE_NAME);
        let file = path.display().to_string();
        let io = |error| KeyFileError::Io { file: file.clone(), error };
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                refuse_exposed(&path, &file)?;
                Self::parse(&file, &text)
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                std::fs::create_dir_all(data_dir).map_err(io)?;
                let text = mint(random);
                write_private(&path, &text).map_err(io)?;
                Self::parse(&file, &text)
            }
            Err(error) => Err(io(error)),
        }
    }

    pub(crate) fn parse(file: &str, text: &str) -> Result<Self, KeyFileError> {
        let mut keys = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let malformed = || KeyFileError::Malformed { file: file.to_owned(), line: index + 1 };
            let (id, digits) = line.split_once(' ').ok_or_else(malformed)?;
            let mut master = [0; KEY_BYTES];
            hex::decode_to_slice(digits.trim(), &mut master).map_err(|_| malformed())?;
            if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                return Err(malformed());
            }
            keys.push(Key::derive(id, &master));
        }
        if keys.is_empty() {
            return Err(KeyFileError::Empty { file: file.to_owned() });
        }
        Ok(Self { keys })
    }

    pub(super) fn current(&self) -> &Key {
        self.keys.first().expect("a keyring is never empty: parse refuses that")
    }

    pub(super) fn named(&self, id: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.id == id)
    }

    /// A token's hash under the current key: what is stored.
    pub fn hash_token(&self, token: &Plain) -> TokenHash {
        self.current().hash(token)
    }

    /// A token's hashes under every key: what is looked up when somebody presents it.
    pub fn hashes_of(&self, token: &Plain) -> impl Iterator<Item = TokenHash> {
        self.keys.iter().map(|key| key.hash(token))
    }

    /// For every key its name and a number by which it is recognised, the current one first. The
    /// number tells nothing about the key: it is a part of a keyed hash of a constant.
    pub(crate) fn checks(&self) -> Vec<(String, i64)> {
        let check = |key: &Key| {
            let tag = hmac::sign(&key.marking, b"key check");
            let mut number = [0; 8];
            number.copy_from_slice(&tag.as_ref()[..8]);
            (key.id.clone(), i64::from_be_bytes(number))
        };
        self.keys.iter().map(check).collect()
    }

    /// A key for another purpose. From the oldest key, so that it stays the same when the keys
    /// rotate.
    pub fn derive(&self, purpose: &str) -> [u8; KEY_BYTES] {
        let oldest = self.keys.last().expect("a keyring is never empty: parse refuses that");
        let tag = hmac::sign(&oldest.marking, format!("derived key: {purpose}").as_bytes());
        let mut key = [0; KEY_BYTES];
        key.copy_from_slice(tag.as_ref());
        key
    }

    /// The mark by which a person tells secrets apart. Under the oldest key, so that it stays the
    /// same when the keys rotate.
    pub fn fingerprint(&self, secret: &Plain) -> Fingerprint {
        let oldest = self.keys.last().expect("a keyring is never empty: parse refuses that");
        let tag = hmac::sign(&oldest.marking, secret.expose().as_bytes());
        Fingerprint(hex::encode(&tag.as_ref()[..4]))
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|key| &key.id)).finish()
    }
}

impl Key {
    /// One key per use, so that none is ever used for two things.
    fn derive(id: &str, master: &[u8; KEY_BYTES]) -> Self {
        let master = hmac::Key::new(hmac::HMAC_SHA256, master);
        let sub = |purpose: &str| hmac::sign(&master, purpose.as_bytes());
        let mut sealing = [0; KEY_BYTES];
        sealing.copy_from_slice(sub("yunling seal 1").as_ref());
        Self {
            id: id.to_owned(),
            sealing,
            hashing: hmac::Key::new(hmac::HMAC_SHA256, sub("yunling hash 1").as_ref()),
            marking: hmac::Key::new(hmac::HMAC_SHA256, sub("yunling fingerprint 1").as_ref()),
        }
    }

    fn hash(&self, token: &Plain) -> TokenHash {
        let tag = hmac::sign(&self.hashing, token.expose().as_bytes());
        let mut hash = [0; KEY_BYTES];
        hash.copy_from_slice(tag.as_ref());
        TokenHash::new(hash)
    }
}

fn mint(random: &dyn Random) -> String {
    let (mut id, mut master) = ([0; 4], [0; KEY_BYTES]);
    random.fill(&mut id);
    random.fill(&mut master);
    format!("{} {}\n", hex::encode(id), hex::encode(master))
}

/// Written whole under another name first: a crash in between leaves no half key behind.
fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let draft = path.with_extension("key.new");
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&draft, path)
}

#[cfg(unix)]
fn refuse_exposed(path: &Path, file: &str) -> Result<(), KeyFileError> {
    use std::os::unix::fs::PermissionsExt;
    let found = std::fs::metadata(path)
        .map_err(|error| KeyFileError::Io { file: file.to_owned(), error })?;
    let mode = found.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        Ok(())
    } else {
        Err(KeyFileError::Exposed { file: file.to_owned(), mode })
    }
}

#[cfg(not(unix))]
fn refuse_exposed(_: &Path, _: &str) -> Result<(), KeyFileError> {
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::fakes::CountingRandom;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_key_is_minted_once_and_private() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let random = CountingRandom::default();
        let first = Keyring::open(&data, &random).unwrap();
        let mode = std::fs::metadata(data.join(Keyring::FILE_NAME)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let again = Keyring::open(&data, &random).unwrap();
        let token = Plain::new("0123456789abcdef");
        assert_eq!(first.hash_token(&token), again.hash_token(&token));
        assert_eq!(first.fingerprint(&token), again.fingerprint(&token));
        std::fs::set_permissions(
            data.join(Keyring::FILE_NAME),
            std::fs::Permissions::from_mode(0o640),
        )
        .unwrap();
        assert!(matches!(
            Keyring::open(&data, &random),
            Err(KeyFileError::Exposed { mode: 0o640, .. })
        ));
    }

    #[test]
    fn a_damaged_file_is_refused_never_replaced() {
        let key = "00".repeat(32);
        let cases = [
            (String::new(), "is empty"),
            ("# nothing\n".to_owned(), "is empty"),
            (format!("k1 {key}\nk2 {}\n", &key[2..]), "line 2"),
            (format!("k-1 {key}\n"), "line 1"),
            (format!("{key}\n"), "line 1"),
        ];
        for (text, said) in cases {
            let error = Keyring::parse("secret.key", &text).unwrap_err().to_string();
            assert!(error.contains(said), "{text:?} gave {error}");
        }
    }

    #[test]
    fn after_a_rotation_old_hashes_are_still_found_and_marks_stay() {
        let (old, new) = ("01".repeat(32), "02".repeat(32));
        let before = Keyring::parse("f", &format!("k1 {old}\n")).unwrap();
        let after = Keyring::parse("f", &format!("k2 {new}\nk1 {old}\n")).unwrap();
        let token = Plain::new("secret");
        let stored = before.hash_token(&token);
        assert_ne!(after.hash_token(&token), stored);
        assert!(after.hashes_of(&token).any(|hash| hash == stored));
        assert_eq!(after.fingerprint(&token), before.fingerprint(&token));
        assert!(!format!("{after:?} {token:?} {stored:?}").contains("secret"));
    }
}
