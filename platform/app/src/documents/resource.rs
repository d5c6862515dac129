use crate::apply::Fields;
use crate::secrets::Plain;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// What a resource is. The order is the order in which they are applied: whoever is referred to
/// comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResourceKind {
    /// A carrier peer; the platform's own.
    Trunk,
    /// Which trunks carry calls to which numbers; the platform's own. Its key is the prefix.
    Route,
    /// A tenant.
    Account,
    /// A console user of a tenant.
    User,
    /// An application of a tenant.
    Application,
    /// A line number of a tenant.
    CallerId,
    /// A file of an application's media library; its key is `appid/name`.
    Media,
}

impl ResourceKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Trunk,
        Self::Route,
        Self::Account,
        Self::User,
        Self::Application,
        Self::CallerId,
        Self::Media,
    ];

    /// As stored, and as plans show it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trunk => "trunk",
            Self::Route => "route",
            Self::Account => "account",
            Self::User => "user",
            Self::Application => "application",
            Self::CallerId => "caller_id",
            Self::Media => "media",
        }
    }

    /// The kind of a stored row.
    pub fn from_stored(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

impl fmt::Display for ResourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which secret of a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretName {
    /// A trunk's or a user's password.
    Password,
    /// An account's token.
    Token,
    /// What an application's callbacks are signed with.
    WebhookSecret,
}

impl SecretName {
    /// The field's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Token => "token",
            Self::WebhookSecret => "webhook_secret",
        }
    }
}

/// Where a resource was written, for messages about it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Origin {
    /// The file.
    pub file: String,
    /// 1-based; absent where the document did not come from a text.
    pub line: Option<usize>,
    /// 1-based.
    pub column: Option<usize>,
    /// `accounts[0].caller_ids[0]`
    pub path: String,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let (Some(line), Some(column)) = (self.line, self.column) {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, " {}", self.path)
    }
}

/// One resource of a document, checked, apart from its children.
#[derive(Debug, Clone)]
pub struct Resource {
    /// What it is.
    pub kind: ResourceKind,
    /// Whose it is; empty for the platform's own.
    pub account: String,
    /// Its name among its account's resources of this kind.
    pub key: String,
    /// Its fields, without secrets; what was not written is not here.
    pub doc: Fields,
    /// The secrets that the document gives.
    pub secrets: Vec<(SecretName, Plain)>,
    /// The bytes of a media file.
    pub blob: Option<Arc<[u8]>>,
    /// Where it was written.
    pub origin: Origin,
}

/// A resource's identity: kind, account, key.
pub(super) type ResourceId = (ResourceKind, String, String);

impl Resource {
    /// Its identity.
    pub fn id(&self) -> ResourceId {
        (self.kind, self.account.clone(), self.key.clone())
    }
}
