//! Secrets that we must be able to use again: AES-256-GCM with a fresh 96-bit nonce, bound to the
//! place where they belong, so that a sealed text copied to another row does not open there.

use super::{Keyring, Plain};
use crate::ports::Random;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A sealed secret as it is stored: `key-id:base64(nonce, ciphertext, tag)`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sealed(String);

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = self.0.split(':').next().unwrap_or_default();
        write!(f, "Sealed({key}, …)")
    }
}

/// A sealed secret cannot be opened; fault of the platform's operator or its database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnsealError {
    /// It was sealed under a key that `secret.key` does not hold.
    #[error(
        "sealed under key {0:?}, which secret.key does not hold: restore that line of the file"
    )]
    UnknownKey(String),
    /// It was changed, or belongs to another place.
    #[error("the sealed secret was damaged, or copied from another place")]
    Damaged,
}

impl Keyring {
    /// Seals a secret for one place (`trunk/carrier-a/password`).
    pub fn seal(&self, place: &str, secret: &Plain, random: &dyn Random) -> Sealed {
        let key = self.current();
        let mut nonce = [0; NONCE_LEN];
        random.fill(&mut nonce);
        let mut text = secret.expose().as_bytes().to_vec();
        cipher(&key.sealing)
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(place.as_bytes()),
                &mut text,
            )
            .expect("AES-GCM seals any text shorter than 64 GiB");
        let mut whole = nonce.to_vec();
        whole.append(&mut text);
        Sealed(format!("{}:{}", key.id, BASE64.encode(whole)))
    }

    /// Opens what was sealed for that place.
    ///
    /// # Errors
    /// [`UnsealError`].
    pub fn unseal(&self, place: &str, sealed: &Sealed) -> Result<Plain, UnsealError> {
        let (id, text) = sealed.0.split_once(':').ok_or(UnsealError::Damaged)?;
        let key = self.named(id).ok_or_else(|| UnsealError::UnknownKey(id.to_owned()))?;
        let whole = BASE64.decode(text).map_err(|_| UnsealError::Damaged)?;
        let (nonce, text) = whole.split_at_checked(NONCE_LEN).ok_or(UnsealError::Damaged)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| UnsealError::Damaged)?;
        let mut text = text.to_vec();
        let opened = cipher(&key.sealing)
            .open_in_place(nonce, Aad::from(place.as_bytes()), &mut text)
            .map_err(|_| UnsealError::Damaged)?;
        let opened = std::str::from_utf8(opened).map_err(|_| UnsealError::Damaged)?;
        Ok(Plain::new(opened))
    }
}

fn cipher(key: &[u8; 32]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("AES-256 takes a key of 32 bytes"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::fakes::{CountingRandom, keyring};

    #[test]
    fn a_seal_opens_in_its_place_only() {
        let random = CountingRandom::default();
        let keys = keyring();
        let secret = Plain::new("p@ss 铃");
        let sealed = keys.seal("trunk/a/password", &secret, &random);
        assert_eq!(keys.unseal("trunk/a/password", &sealed).unwrap(), secret);
        assert_eq!(keys.unseal("trunk/b/password", &sealed), Err(UnsealError::Damaged));
        assert_ne!(
            keys.seal("trunk/a/password", &secret, &random),
            sealed,
            "a fresh nonce each time"
        );
        assert!(!format!("{sealed:?}{}", sealed.0).contains("p@ss"));
    }

    #[test]
    fn damage_is_told_from_a_missing_key() {
        let keys = keyring();
        let sealed = keys.seal("p", &Plain::new("x"), &CountingRandom::default());
        let (id, text) = sealed.0.split_once(':').unwrap();
        let turned = if text.starts_with('A') { "B" } else { "A" };
        let cases = [
            (format!("other:{text}"), UnsealError::UnknownKey("other".to_owned())),
            (format!("{id}:{turned}{}", &text[1..]), UnsealError::Damaged),
            (format!("{id}:AAAA"), UnsealError::Damaged),
            ("nothing".to_owned(), UnsealError::Damaged),
        ];
        for (text, expected) in cases {
            assert_eq!(keys.unseal("p", &Sealed(text)), Err(expected));
        }
    }
}
