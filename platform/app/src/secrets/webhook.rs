//! The secrets that callbacks are signed with (Standard Webhooks: `whsec_` and base64 of 24 to 64
//! bytes). While one is being rotated two are active and every callback carries both signatures.

use super::Plain;
use crate::ports::Random;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use std::fmt;
use std::str::FromStr;

const PREFIX: &str = "whsec_";

/// The key of one signature.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookSecret(Vec<u8>);

/// A webhook secret is not one; fault of whoever wrote the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected whsec_ and the base64 of 24 to 64 bytes (Standard Webhooks)")]
pub struct WebhookSecretError;

impl WebhookSecret {
    /// A fresh secret of 256 bits.
    pub fn mint(random: &dyn Random) -> Self {
        let mut bytes = [0; 32];
        random.fill(&mut bytes);
        Self(bytes.to_vec())
    }

    /// The signing key.
    pub fn key(&self) -> &[u8] {
        &self.0
    }

    /// The form in which people hand it around.
    pub fn to_plain(&self) -> Plain {
        Plain::new(format!("{PREFIX}{}", BASE64.encode(&self.0)))
    }
}

impl FromStr for WebhookSecret {
    type Err = WebhookSecretError;

    fn from_str(text: &str) -> Result<Self, WebhookSecretError> {
        let digits = text.trim().strip_prefix(PREFIX).ok_or(WebhookSecretError)?;
        let bytes = BASE64.decode(digits).map_err(|_| WebhookSecretError)?;
        if (24..=64).contains(&bytes.len()) { Ok(Self(bytes)) } else { Err(WebhookSecretError) }
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret(…)")
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::fakes::CountingRandom;

    #[test]
    fn secrets_are_read_and_minted_in_the_common_form() {
        let sample: WebhookSecret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3".parse().unwrap();
        assert_eq!(sample.key(), b"0123456789abcdef01234567");
        let minted = WebhookSecret::mint(&CountingRandom::default());
        assert_eq!(minted.to_plain().expose().parse::<WebhookSecret>().unwrap(), minted);
        for wrong in ["", "whsec_", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3", "whsec_MDEy", "whsec_???"] {
            assert_eq!(wrong.parse::<WebhookSecret>(), Err(WebhookSecretError), "{wrong:?}");
        }
    }
}
