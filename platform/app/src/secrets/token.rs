//! Account tokens and API keys: 128 random bits or more, so a keyed hash is enough to store.

use super::Plain;
use crate::ports::Random;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use std::fmt;
use std::hash::{Hash, Hasher};

/// A token's keyed hash. Compared in constant time.
#[derive(Clone, Copy, Eq)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// Takes a hash as it is stored.
    pub const fn new(hash: [u8; 32]) -> Self {
        Self(hash)
    }

    /// The stored form.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for TokenHash {
    fn eq(&self, other: &Self) -> bool {
        verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

impl Hash for TokenHash {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(…)")
    }
}

/// Mints API keys.
pub struct ApiKey;

impl ApiKey {
    /// What every API key begins with, so that people and secret scanners know one when they see it.
    pub const PREFIX: &'static str = "ylk_";

    /// A fresh key of 256 bits. It is shown once and stored as its hash.
    pub fn mint(random: &dyn Random) -> Plain {
        let mut bytes = [0; 32];
        random.fill(&mut bytes);
        Plain::new(format!("{}{}", Self::PREFIX, BASE64URL.encode(bytes)))
    }

    /// A fresh account token, in the document's own shape: 32 hex digits, 128 bits.
    pub fn mint_account_token(random: &dyn Random) -> Plain {
        let mut bytes = [0; 16];
        random.fill(&mut bytes);
        Plain::new(hex::encode(bytes))
    }
}
