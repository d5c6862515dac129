use super::initial::Initial;
use super::{ApplicationDoc, CallerIdDoc, Positive, Sid, UserDoc};
use crate::secrets::Plain;
use crate::yaml::{Parsed, Text, Zone};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A tenant. Only `sid` must be given; a token is minted where none is.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountDoc {
    /// Its AccountSid.
    pub sid: Parsed<Sid>,
    /// Its first AccountToken; stored hashed. A later change here does nothing.
    #[serde(skip_serializing)]
    pub token: Option<Plain>,
    /// A file that holds the token.
    #[serde(skip_serializing)]
    pub token_file: Option<PathBuf>,
    /// The environment variable that holds the token.
    #[serde(skip_serializing)]
    pub token_env: Option<String>,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Parsed<Text<128>>>,
    /// The zone of its stamps; absent: the node's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<Zone>,
    /// Whether it may do anything; absent: active.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<AccountStatus>,
    /// Its limits; absent: none of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// How long its call records are kept, days, and what tells of their conversations; absent: for
    /// ever. Recordings have a time of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cdr_keep_days: Option<Positive>,
    /// Console users.
    #[serde(default, skip_serializing)]
    pub users: Vec<UserDoc>,
    /// Its lines, in order: the first that an application may show is the default `from`.
    #[serde(default, skip_serializing)]
    pub caller_ids: Vec<CallerIdDoc>,
    /// Its applications.
    #[serde(default, skip_serializing)]
    pub applications: Vec<ApplicationDoc>,
}

impl AccountDoc {
    pub(super) fn token(&self) -> Initial<'_> {
        Initial {
            field: "token",
            in_place: self.token.as_ref(),
            in_file: self.token_file.as_ref(),
            in_env: self.token_env.as_ref(),
        }
    }
}

/// `status:` of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountStatus {
    /// May call.
    Active,
    /// Every request fails with `-1`.
    Suspended,
}

/// `limits:` of an account; what is absent is not limited by the account.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Calls at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_calls: Option<Positive>,
    /// New calls a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_cps: Option<Positive>,
    /// Calls that may wait for a line; absent: the node's `calls.queue_max_len`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue_max_len: Option<Positive>,
    /// Calls that one callee gets at most on a day of its zone without asking for them: notices,
    /// batches and campaigns together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls_per_callee_a_day: Option<Positive>,
    /// The same for a week, from Monday on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls_per_callee_a_week: Option<Positive>,
}

/// An account's token may be this short; ours have 32 characters.
const TOKEN_CHARS: std::ops::RangeInclusive<usize> = 16..=256;

/// What is wrong with an account token, if anything.
pub(super) fn unfit_token(token: &Plain) -> Option<String> {
    let text = token.expose();
    let fits =
        TOKEN_CHARS.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    (!fits).then(|| {
        format!(
            "expected {} to {} printable ASCII characters without spaces",
            TOKEN_CHARS.start(),
            TOKEN_CHARS.end()
        )
    })
}
