//! Secrets as types, in two forms. *Hashed*: account tokens and API keys (keyed SHA-256, compared in
//! constant time) and users' passwords (argon2id) — nobody, we included, can read them again.
//! *Sealed*: trunk passwords and webhook secrets, which we must be able to use (AES-256-GCM under
//! `secret.key`). Neither form, nor [`Plain`], ever prints what it holds.

mod keyring;
mod password;
mod sealed;
mod token;
mod webhook;

pub use keyring::{KeyFileError, Keyring};
pub use password::PasswordHash;
pub use sealed::{Sealed, UnsealError};
pub use token::{ApiKey, TokenHash};
pub use webhook::{WebhookSecret, WebhookSecretError};

use serde::{Deserialize, Serialize};
use std::fmt;

/// A secret in the clear, on its way from a document or a request to its hashed or sealed form.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Plain(String);

impl Plain {
    /// Takes a secret.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// The secret itself. Never log it, never put it into an error.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Plain(…)")
    }
}

/// A short mark by which a person can tell whether two secrets are the same one, and from which
/// nothing can be learnt about either: eight hex digits of a keyed hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// A mark for tests of what is decided by marks.
    #[cfg(test)]
    pub(crate) fn of_text(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The eight hex digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
