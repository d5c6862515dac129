//! How a resource stands in its row: the fields of its document, its secrets in their hashed or
//! sealed form under the reserved key `secrets`, and the base of the next merge.

use super::merge::Fields;
use crate::documents::{ResourceKind, SecretName};
use crate::secrets::{Fingerprint, PasswordHash, Sealed};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use yunling_domain::Micros;

/// The reserved key of a row's document.
const SECRETS: &str = "secrets";

/// A resource as it is stored.
#[derive(Debug, Clone)]
pub struct StoredDoc {
    /// What it is.
    pub kind: ResourceKind,
    /// Whose it is; empty for the platform's own.
    pub account: String,
    /// Its name among its account's resources of this kind.
    pub key: String,
    /// Its fields.
    pub fields: Fields,
    /// Its secrets.
    pub secrets: BTreeMap<SecretName, StoredSecret>,
    /// What a file set applied last; none for a resource that no file ever named.
    pub applied: Option<Applied>,
    /// Who manages it.
    pub owner: Owner,
}

/// A secret as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "form", rename_all = "snake_case")]
pub enum StoredSecret {
    /// We can use it: a trunk's password, a webhook secret.
    Sealed {
        /// The newest first; two while rotating.
        active: Vec<SealedSecret>,
    },
    /// A user's password.
    Password {
        /// Its argon2id hash.
        hash: PasswordHash,
        /// Its mark.
        fingerprint: Fingerprint,
    },
    /// An account's token; its hash is a credential row.
    Token {
        /// Its mark.
        fingerprint: Fingerprint,
    },
}

/// One sealed secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedSecret {
    /// The sealed text.
    pub sealed: Sealed,
    /// Its mark.
    pub fingerprint: Fingerprint,
    /// Since when it is active.
    pub since: Micros,
}

impl StoredSecret {
    /// The mark of the secret in force.
    pub fn fingerprint(&self) -> Option<&Fingerprint> {
        match self {
            Self::Sealed { active } => active.first().map(|one| &one.fingerprint),
            Self::Password { fingerprint, .. } | Self::Token { fingerprint } => Some(fingerprint),
        }
    }
}

/// The base of the next merge.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Applied {
    /// The fields as the file had them.
    pub fields: Fields,
    /// The marks of the secrets that the file gave.
    #[serde(default)]
    pub secrets: BTreeMap<SecretName, Fingerprint>,
}

/// Who manages a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// People at the console, or the API.
    Console,
    /// A named file set.
    Set(String),
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Console => f.write_str("console"),
            Self::Set(name) => write!(f, "file:{name}"),
        }
    }
}

impl FromStr for Owner {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text.strip_prefix("file:") {
            Some(name) => Self::Set(name.to_owned()),
            None => Self::Console,
        })
    }
}

/// A stored row is none of ours; fault of the platform (a newer release wrote it, or a hand did).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("stored {kind} {key}: {problem}")]
pub struct UnreadableRow {
    /// The row's kind.
    pub kind: String,
    /// The row's key.
    pub key: String,
    /// What is wrong with it.
    pub problem: String,
}

impl StoredDoc {
    /// Reads a row's columns.
    ///
    /// # Errors
    /// [`UnreadableRow`].
    pub fn from_columns(
        (kind, account, key): (&str, String, String),
        doc: Value,
        applied: Option<Value>,
        owner: &str,
    ) -> Result<Self, UnreadableRow> {
        let wrong =
            |problem: String| UnreadableRow { kind: kind.to_owned(), key: key.clone(), problem };
        let known = ResourceKind::from_stored(kind)
            .ok_or_else(|| wrong("of an unknown kind".to_owned()))?;
        let Value::Object(mut fields) = doc else {
            return Err(wrong("its document is no object".to_owned()));
        };
        let secrets = match fields.remove(SECRETS) {
            Some(secrets) => serde_json::from_value(secrets)
                .map_err(|error| wrong(format!("secrets: {error}")))?,
            None => BTreeMap::new(),
        };
        let applied = match applied {
            Some(applied) => serde_json::from_value(applied)
                .map_err(|error| wrong(format!("applied: {error}")))?,
            None => None,
        };
        let owner = owner.parse().unwrap_or(Owner::Console);
        Ok(Self { kind: known, account, key, fields, secrets, applied, owner })
    }

    /// The row's document.
    pub fn doc_column(&self) -> Value {
        let mut fields = self.fields.clone();
        if !self.secrets.is_empty() {
            let secrets = serde_json::to_value(&self.secrets).expect("maps of texts become JSON");
            fields.insert(SECRETS.to_owned(), secrets);
        }
        Value::Object(fields)
    }

    /// The row's base of the next merge.
    pub fn applied_column(&self) -> Option<Value> {
        self.applied
            .as_ref()
            .map(|applied| serde_json::to_value(applied).expect("maps of texts become JSON"))
    }

    /// The document as people see it: secrets as `{set: true, fingerprint}`.
    pub fn shown(&self) -> Value {
        let mut fields = self.fields.clone();
        for (name, secret) in &self.secrets {
            let mark = secret.fingerprint().map(Fingerprint::as_str);
            fields.insert(
                name.as_str().to_owned(),
                serde_json::json!({ "set": true, "fingerprint": mark }),
            );
        }
        Value::Object(fields)
    }
}

/// What a secret is sealed for: it opens nowhere else.
pub(crate) fn seal_place(kind: ResourceKind, account: &str, key: &str, name: SecretName) -> String {
    format!("{kind}/{account}/{key}/{}", name.as_str())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use serde_json::json;

    #[test]
    fn a_row_survives_reading_and_writing_and_shows_no_secret() {
        let doc = json!({
            "sid": "1",
            "name": "demo",
            "secrets": {"webhook_secret": {"form": "sealed", "active": [
                {"sealed": "k1:AAAA", "fingerprint": "0011aabb", "since": 5}
            ]}},
        });
        let applied = json!({"fields": {"sid": "1"}, "secrets": {"webhook_secret": "0011aabb"}});
        let row = StoredDoc::from_columns(
            ("application", "a".into(), "1".into()),
            doc.clone(),
            Some(applied.clone()),
            "file:tenant.yaml",
        )
        .unwrap();
        assert_eq!(row.owner, Owner::Set("tenant.yaml".into()));
        assert_eq!(row.doc_column(), doc);
        assert_eq!(row.applied_column(), Some(applied));
        assert_eq!(
            row.shown(),
            json!({"sid": "1", "name": "demo", "webhook_secret": {"set": true, "fingerprint": "0011aabb"}})
        );
    }

    #[test]
    fn a_strange_row_is_told_not_guessed() {
        let cases = [
            ("robot", json!({}), None, "unknown kind"),
            ("trunk", json!([]), None, "no object"),
            ("trunk", json!({"secrets": 1}), None, "secrets:"),
            ("trunk", json!({}), Some(json!(1)), "applied:"),
        ];
        for (kind, doc, applied, said) in cases {
            let error =
                StoredDoc::from_columns((kind, String::new(), "k".into()), doc, applied, "console")
                    .unwrap_err();
            assert!(error.to_string().contains(said), "{error}");
        }
    }
}
