use crate::documents::{
    CodecName, IdentityName, ReliableName, SessionTimerDoc, TlsDoc, TrunkTransport,
};
use crate::principal::Scope;
use crate::secrets::{Plain, WebhookSecret};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;
use yunling_domain::admission::Limits;
use yunling_domain::campaign::Caps;
use yunling_domain::policy::CallerIdFacts;
use yunling_domain::{AccountId, ApplicationId, NumberClass, NumberFormat};

/// A tenant.
#[derive(Debug)]
pub struct Account {
    /// Its AccountSid.
    pub id: AccountId,
    /// For people; the sid where it has no name.
    pub name: String,
    /// The zone of its stamps.
    pub zone: chrono_tz::Tz,
    /// Whether every request fails.
    pub suspended: bool,
    /// How many calls it may have.
    pub limits: Limits,
    /// How many of its calls may wait for a line.
    pub queue_max_len: u32,
    /// How many calls one callee gets at most without asking for them.
    pub callee_caps: Caps,
    /// How long its call records are kept, days; absent: for ever.
    pub cdr_keep_days: Option<u32>,
    /// Its applications.
    pub applications: HashMap<ApplicationId, Arc<Application>>,
}

/// An application.
#[derive(Debug)]
pub struct Application {
    /// Its appid.
    pub id: ApplicationId,
    /// For people; the appid where it has no name.
    pub name: String,
    /// Where result callbacks of notices and captchas go.
    pub notice_url: Option<Arc<str>>,
    /// Where status callbacks of click-to-call go by default.
    pub status_url: Option<Arc<str>>,
    /// Where call records of click-to-call go by default.
    pub cdr_url: Option<Arc<str>>,
    /// Where it is told that a recording can be had.
    pub recording_url: Option<Arc<str>>,
    /// How long its recordings are kept, days; absent: as the node says.
    pub recording_keep_days: Option<u32>,
    /// How long a recording's link holds, seconds; absent: as the node says.
    pub recording_link_s: Option<u32>,
    /// Origins of the web pages that may dial with browser tokens.
    pub origins: BTreeSet<String>,
    /// Whether failures get their own HTTP status.
    pub semantic_status: bool,
    /// Whether result callbacks carry `answerime` too.
    pub answerime: bool,
    /// The classes of numbers that it may call.
    pub open_classes: BTreeSet<NumberClass>,
    /// The account's caller IDs in order, as this application sees them.
    pub caller_ids: Vec<CallerIdFacts>,
    /// What callbacks are signed with: one, or two while rotating, the newest first; none only
    /// where a secret could not be opened.
    pub webhook_secrets: Vec<WebhookSecret>,
    /// Its media library, by name.
    pub media: BTreeMap<String, MediaRef>,
}

/// A file of a media library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaRef {
    /// Under which its audio is stored.
    pub sha256: Arc<str>,
}

/// A token or an API key.
#[derive(Debug, Clone)]
pub struct Credential {
    /// Its name in audit rows.
    pub id: Arc<str>,
    /// Whose it is.
    pub account: AccountId,
    /// What it may do.
    pub kind: CredentialKind,
}

/// What a credential is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialKind {
    /// The account's token: everything in the account.
    Token,
    /// An API key: its scopes.
    ApiKey(BTreeSet<Scope>),
}

/// A carrier peer.
#[derive(Debug, Clone)]
pub struct Trunk {
    /// Its name.
    pub name: Arc<str>,
    /// Host name or address, IPv6 without brackets.
    pub host: String,
    /// Port; absent: as the host name's SRV records say.
    pub port: Option<u16>,
    /// How to reach it.
    pub transport: TrunkTransport,
    /// Whether calls may take it.
    pub enabled: bool,
    /// How many calls it takes.
    pub limits: Limits,
    /// How it wants numbers.
    pub number_format: NumberFormat,
    /// The area code outside of which mobiles get a 0.
    pub home_area: Option<String>,
    /// What to answer its challenges with.
    pub login: Option<TrunkLogin>,
    /// As whom we register with it, where we do.
    pub register: Option<RegisterAs>,
    /// How often it is asked for a sign of life, seconds; absent: never.
    pub probe_s: Option<u32>,
    /// Whose certificates are believed, over TLS; absent: those that the system trusts.
    pub tls: Option<TlsDoc>,
    /// The domain of From; absent: our own address.
    pub from_domain: Option<String>,
    /// Session timers; absent: the usual ones.
    pub session_timer: Option<SessionTimerDoc>,
    /// Whether provisional responses are acknowledged.
    pub reliable: ReliableName,
    /// The header that carries the caller's number besides From.
    pub identity: IdentityName,
    /// Codecs to offer, best first.
    pub codecs: Vec<CodecName>,
}

impl Trunk {
    /// Whether what is known of the other one's life holds for this one: the same place, reached as
    /// the same user.
    pub(crate) fn reaches_the_same(&self, other: &Self) -> bool {
        let place = |trunk: &Self| (trunk.host.clone(), trunk.port, trunk.transport);
        place(self) == place(other)
            && self.register == other.register
            && self.login == other.login
            && self.probe_s.is_some() == other.probe_s.is_some()
    }
}

/// How we register with a trunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisterAs {
    /// The user part of the address that is registered.
    pub user: String,
    /// How long a registration shall hold, seconds.
    pub expires_s: u32,
}

/// A trunk's digest user.
#[derive(Clone, PartialEq, Eq)]
pub struct TrunkLogin {
    /// The user.
    pub username: String,
    /// The password.
    pub password: Plain,
}

impl fmt::Debug for TrunkLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TrunkLogin({}, …)", self.username)
    }
}
