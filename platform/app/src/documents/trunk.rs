use super::initial::Initial;
use super::{FromDomain, Name, Positive, SessionTimerDoc, TlsDoc, TrunkTransport, TrunkUri};
use crate::secrets::Plain;
use crate::yaml::{Parsed, Text};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use yunling_domain::NumberFormat;

/// A carrier peer. Only `name` and `uri` must be given.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrunkDoc {
    /// Its name, by which caller IDs refer to it.
    pub name: Parsed<Name>,
    /// Where it is.
    pub uri: Parsed<TrunkUri>,
    /// Calls at once; absent: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_calls: Option<Positive>,
    /// New calls a second; absent: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_cps: Option<Positive>,
    /// How it wants numbers; absent: plain national.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number_format: Option<NumberFormat>,
    /// The area code (`010`) outside of which mobiles are dialled with a 0 in front.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub home_area: Option<Parsed<AreaCode>>,
    /// The digest user that answers its challenges.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<Parsed<Text<128>>>,
    /// The digest password; stored sealed.
    #[serde(skip_serializing)]
    pub password: Option<Plain>,
    /// A file that holds the password.
    #[serde(skip_serializing)]
    pub password_file: Option<PathBuf>,
    /// The environment variable that holds the password.
    #[serde(skip_serializing)]
    pub password_env: Option<String>,
    /// Whether we register with it; absent: no.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub register: Option<bool>,
    /// How long a registration shall hold, seconds; absent: an hour. The registrar may say otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub register_expires_s: Option<Seconds<60, 86_400>>,
    /// The user part of the address that is registered; absent: `username`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub register_user: Option<Parsed<RegisterUser>>,
    /// How often it is asked for a sign of life by OPTIONS, seconds, 0 for never; absent: 30.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probe_s: Option<Seconds<0, 3_600>>,
    /// Whose certificates are believed; only for `transport=tls`. Absent: those that the system
    /// trusts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsDoc>,
    /// The domain of From and of the identity header; absent: our own address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_domain: Option<Parsed<FromDomain>>,
    /// Session timers (RFC 4028); absent: half an hour, refreshed as the peer likes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_timer: Option<SessionTimerDoc>,
    /// Whether provisional responses are acknowledged (RFC 3262); absent: where the peer asks for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reliable: Option<ReliableName>,
    /// The header that carries the caller's number besides From; absent: P-Asserted-Identity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<IdentityName>,
    /// Codecs to offer, best first; absent: pcma, pcmu.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub codecs: Option<Vec<CodecName>>,
    /// Whether calls may take it; absent: yes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}

impl TrunkDoc {
    pub(super) fn password(&self) -> Initial<'_> {
        Initial {
            field: "password",
            in_place: self.password.as_ref(),
            in_file: self.password_file.as_ref(),
            in_env: self.password_env.as_ref(),
        }
    }

    /// What does not fit together, as field and problem.
    pub(super) fn inconsistency(&self, has_password: bool) -> Option<(&'static str, &'static str)> {
        match (&self.username, has_password, self.register) {
            (None, true, _) => Some(("password", "a password needs a username")),
            (None, _, Some(true)) if self.register_user.is_none() => {
                Some(("register", "registering needs a username or a register_user"))
            }
            _ if self.register != Some(true) && self.register_user.is_some() => {
                Some(("register_user", "it needs register: true"))
            }
            _ if self.register != Some(true) && self.register_expires_s.is_some() => {
                Some(("register_expires_s", "it needs register: true"))
            }
            _ if self.tls.is_some() && self.uri.transport != TrunkTransport::Tls => {
                Some(("tls", "it needs a uri with transport=tls, or sips:"))
            }
            _ if let Some(problem) = self.tls.as_ref().and_then(TlsDoc::inconsistency) => {
                Some(("tls", problem))
            }
            _ if self.codecs.as_ref().is_some_and(Vec::is_empty) => {
                Some(("codecs", "expected at least one of pcma and pcmu"))
            }
            _ => None,
        }
    }
}

/// A header that carries the caller's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdentityName {
    /// From alone.
    None,
    /// `P-Asserted-Identity` (RFC 3325).
    PAssertedIdentity,
    /// `Remote-Party-ID`.
    RemotePartyId,
}

/// Whether provisional responses are acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReliableName {
    /// Not offered.
    Off,
    /// Offered: the peer may ask for it.
    Supported,
    /// Demanded of the peer.
    Required,
}

/// A span of time within bounds, whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Seconds<const LEAST: u32, const MOST: u32>(u32);

impl<const LEAST: u32, const MOST: u32> Seconds<LEAST, MOST> {
    /// The seconds.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl<'de, const LEAST: u32, const MOST: u32> Deserialize<'de> for Seconds<LEAST, MOST> {
    fn deserialize<D: serde::Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        struct Number<const LEAST: u32, const MOST: u32>;
        impl<const LEAST: u32, const MOST: u32> serde::de::Visitor<'_> for Number<LEAST, MOST> {
            type Value = Seconds<LEAST, MOST>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{LEAST} to {MOST} seconds")
            }

            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Self::Value, E> {
                let seconds = u32::try_from(number).ok();
                seconds
                    .filter(|seconds| (LEAST..=MOST).contains(seconds))
                    .map(Seconds)
                    .ok_or_else(|| E::invalid_value(serde::de::Unexpected::Unsigned(number), &self))
            }
        }
        reader.deserialize_u64(Number)
    }
}

/// The user part of a SIP address as carriers give them: letters, digits and `-_.!~*'()&=+$,;?/`
/// without what would end it (RFC 3261 §25.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisterUser(String);

impl RegisterUser {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for RegisterUser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for RegisterUser {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let allowed =
            |byte: u8| byte.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,;?/".contains(&byte);
        if !text.is_empty() && text.len() <= 128 && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!(
                "expected the user part of a SIP address, such as 01080001000, without @ and spaces, found {text:?}"
            ))
        }
    }
}

/// A codec of G.711.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CodecName {
    /// A-law.
    Pcma,
    /// µ-law.
    Pcmu,
}

/// A mainland area code with its 0: `010`, `0571`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AreaCode(String);

impl AreaCode {
    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for AreaCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for AreaCode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        let sound = match text.as_bytes() {
            [b'0', b'1' | b'2', _] => digits,
            [b'0', b'3'..=b'9', _, _] => digits,
            _ => false,
        };
        if sound {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!("expected an area code such as 010 or 0571, found {text:?}"))
        }
    }
}
