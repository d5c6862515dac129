//! Whose certificates a trunk over TLS may show.

use super::initial::Initial;
use crate::secrets::Plain;
use crate::yaml::Parsed;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// What is believed instead of the system's authorities: `ca…` or `fingerprint`, not both.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsDoc {
    /// Certificates of authorities, PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<Parsed<Authorities>>,
    /// A file that holds them, beside the document; its contents are stored.
    #[serde(default, skip_serializing)]
    pub ca_file: Option<PathBuf>,
    /// The environment variable that holds them.
    #[serde(default, skip_serializing)]
    pub ca_env: Option<String>,
    /// The SHA-256 fingerprint of the one certificate that is believed, whatever it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Parsed<CertificateFingerprint>>,
}

impl TlsDoc {
    /// The authorities as the document gives them; they are no secret, but come by the same ways.
    pub(super) fn authorities<'a>(&'a self, in_place: Option<&'a Plain>) -> Initial<'a> {
        Initial {
            field: "ca",
            in_place,
            in_file: self.ca_file.as_ref(),
            in_env: self.ca_env.as_ref(),
        }
    }

    /// What does not fit together.
    pub(super) fn inconsistency(&self) -> Option<&'static str> {
        let authorities = self.ca.is_some() || self.ca_file.is_some() || self.ca_env.is_some();
        match (authorities, self.fingerprint.is_some()) {
            (true, true) => Some("expected either ca (ca_file, ca_env) or fingerprint, found both"),
            (false, false) => Some("expected ca, ca_file, ca_env or fingerprint"),
            _ => None,
        }
    }
}

/// At least one certificate, PEM (RFC 7468).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorities(String);

impl Authorities {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Authorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Authorities {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (mut rest, mut found) = (text, 0);
        while let Some((_, from)) = rest.split_once(BEGIN) {
            found += 1;
            let (body, after) = from
                .split_once(END)
                .ok_or_else(|| format!("certificate {found} has no {END:?}"))?;
            let digits: String = body.chars().filter(|c| !c.is_whitespace()).collect();
            // A DER certificate is a SEQUENCE (X.690 §8.9).
            match BASE64.decode(digits) {
                Ok(der) if der.first() == Some(&0x30) => rest = after,
                _ => return Err(format!("certificate {found} is not the base64 of a certificate")),
            }
        }
        if found == 0 {
            return Err(format!("expected certificates in PEM, found no {BEGIN:?}"));
        }
        Ok(Self(text.trim().to_owned() + "\n"))
    }
}

/// The SHA-256 of a certificate: 64 hex digits, with or without colons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CertificateFingerprint(pub [u8; 32]);

impl fmt::Display for CertificateFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl FromStr for CertificateFingerprint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits: String = text.trim().chars().filter(|c| *c != ':').collect();
        let bytes = hex::decode(&digits).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or_else(|| {
            format!("expected a SHA-256 fingerprint of 64 hex digits (openssl x509 -fingerprint -sha256), found {text:?}")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities_are_checked() {
        let one = format!("{BEGIN}\nMAA=\n{END}\n");
        assert!(one.parse::<Authorities>().is_ok());
        assert!(format!("# ours\n{one}{one}").parse::<Authorities>().is_ok());
        let cases = [
            ("", "found no"),
            ("-----BEGIN PRIVATE KEY-----", "found no"),
            (BEGIN, "certificate 1 has no"),
            (&format!("{one}{BEGIN}\nnot base64\n{END}"), "certificate 2 is not"),
            (&format!("{BEGIN}\nAAAA\n{END}"), "certificate 1 is not"),
        ];
        for (text, said) in cases {
            let problem = text.parse::<Authorities>().err().unwrap_or_default();
            assert!(problem.contains(said), "{text:?} gave {problem:?}");
        }
    }

    #[test]
    fn fingerprints_are_read_with_and_without_colons() {
        let plain = "ab".repeat(32);
        let colons = ["AB"; 32].join(":");
        assert_eq!(plain.parse(), Ok(CertificateFingerprint([0xab; 32])));
        assert_eq!(colons.parse(), Ok(CertificateFingerprint([0xab; 32])));
        for text in ["", "ab", &plain[1..], &"xy".repeat(32)] {
            assert!(text.parse::<CertificateFingerprint>().is_err(), "{text:?}");
        }
    }
}
