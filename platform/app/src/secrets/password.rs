//! Users' passwords: argon2id (RFC 9106) with the crate's default costs, which are OWASP's advice
//! (19 MiB, 2 passes, 1 lane), kept as a PHC string.

use super::Plain;
use crate::ports::Random;
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use serde::{Deserialize, Serialize};
use std::fmt;

const SALT_BYTES: usize = 16;
const HASH_BYTES: usize = 32;

/// A password's hash, `$argon2id$v=19$…`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Hashes a password with a fresh salt. Takes some tens of milliseconds and 19 MiB on purpose:
    /// never on a task that must not wait.
    pub fn of(password: &Plain, random: &dyn Random) -> Self {
        let mut salt = [0; SALT_BYTES];
        random.fill(&mut salt);
        let params = Params::default();
        let head = format!(
            "$argon2id$v={}$m={},t={},p={}",
            Version::V0x13 as u32,
            params.m_cost(),
            params.t_cost(),
            params.p_cost()
        );
        let hash = compute(params, password, &salt);
        Self(format!("{head}${}${}", BASE64.encode(salt), BASE64.encode(hash)))
    }

    /// Whether this is the password. Constant time in the password; false for a hash that is not
    /// one of ours.
    pub fn matches(&self, password: &Plain) -> bool {
        let Some((params, salt, hash)) = self.parts() else {
            return false;
        };
        let found = compute(params, password, &salt);
        aws_lc_rs::constant_time::verify_slices_are_equal(&found, &hash).is_ok()
    }

    fn parts(&self) -> Option<(Params, Vec<u8>, Vec<u8>)> {
        let rest = self.0.strip_prefix("$argon2id$v=19$")?;
        let [costs, salt, hash] = *rest.split('$').collect::<Vec<_>>().as_slice() else {
            return None;
        };
        let mut numbers = costs.split(',').map(|pair| pair.split_once('=')?.1.parse::<u32>().ok());
        let (m, t, p) = (numbers.next()??, numbers.next()??, numbers.next()??);
        let params = Params::new(m, t, p, Some(HASH_BYTES)).ok()?;
        Some((params, BASE64.decode(salt).ok()?, BASE64.decode(hash).ok()?))
    }
}

fn compute(params: Params, password: &Plain, salt: &[u8]) -> [u8; HASH_BYTES] {
    let mut hash = [0; HASH_BYTES];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(password.expose().as_bytes(), salt, &mut hash)
        .expect(
            "salt and output have lengths that argon2 takes, and passwords are far below 4 GiB",
        );
    hash
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fakes::CountingRandom;

    #[test]
    fn a_password_matches_its_hash_only() {
        let random = CountingRandom::default();
        let hash = PasswordHash::of(&Plain::new("change-me"), &random);
        assert!(hash.0.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.0);
        assert!(hash.matches(&Plain::new("change-me")));
        assert!(!hash.matches(&Plain::new("change-me ")));
        assert_ne!(
            hash,
            PasswordHash::of(&Plain::new("change-me"), &random),
            "a fresh salt each time"
        );
        assert!(!PasswordHash("plain".to_owned()).matches(&Plain::new("plain")));
    }
}
