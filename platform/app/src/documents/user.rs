use super::Email;
use super::initial::Initial;
use crate::secrets::Plain;
use crate::yaml::{Parsed, Text};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A person who signs in to the console.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserDoc {
    /// The name to sign in with.
    pub email: Parsed<Email>,
    /// The first password; stored hashed. A later change here does nothing.
    #[serde(skip_serializing)]
    pub password: Option<Plain>,
    /// A file that holds the password.
    #[serde(skip_serializing)]
    pub password_file: Option<PathBuf>,
    /// The environment variable that holds the password.
    #[serde(skip_serializing)]
    pub password_env: Option<String>,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Parsed<Text<128>>>,
    /// What they may do.
    pub role: Role,
}

impl UserDoc {
    pub(super) fn password(&self) -> Initial<'_> {
        Initial {
            field: "password",
            in_place: self.password.as_ref(),
            in_file: self.password_file.as_ref(),
            in_env: self.password_env.as_ref(),
        }
    }
}

/// `role:` of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything in the account.
    Admin,
    /// Applications, keys, callbacks; no users.
    Developer,
    /// Agents, queues, live calls.
    Supervisor,
    /// Looks only.
    Viewer,
}

/// Passwords between 8 characters and what no person types.
pub(super) fn unfit_password(password: &Plain) -> Option<String> {
    let fits = (8..=256).contains(&password.expose().chars().count());
    (!fits).then(|| "expected 8 to 256 characters".to_owned())
}
