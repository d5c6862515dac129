//! The configuration in force: an immutable snapshot with everything that a call needs, so that
//! nothing on its way asks the database. A running call keeps the snapshot that it began with.

mod build;
mod media_cache;
mod model;
mod read;

pub use media_cache::{Audio, MediaCache};
pub use model::{
    Account, Application, Credential, CredentialKind, MediaRef, RegisterAs, Trunk, TrunkLogin,
};
pub(crate) use read::{current_rows, read, stored_version};

use crate::secrets::TokenHash;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use yunling_domain::policy::RouteTable;
use yunling_domain::{AccountId, ApplicationId};
use yunling_store::trunk_states::Draining;

/// One snapshot.
#[derive(Debug, Default)]
pub struct Directory {
    version: i64,
    accounts: HashMap<AccountId, Arc<Account>>,
    credentials: HashMap<TokenHash, Credential>,
    trunks: BTreeMap<Arc<str>, Arc<Trunk>>,
    draining: BTreeMap<Arc<str>, Draining>,
    routes: RouteTable,
}

impl Directory {
    /// A snapshot with nothing in it, of version -1: older than any that is stored.
    pub(crate) fn empty() -> Self {
        Self { version: -1, ..Self::default() }
    }

    /// The stored configuration's version that this snapshot shows.
    pub fn version(&self) -> i64 {
        self.version
    }

    /// An account.
    pub fn account(&self, id: &AccountId) -> Option<&Arc<Account>> {
        self.accounts.get(id)
    }

    /// Every account, in no order.
    pub fn accounts(&self) -> impl Iterator<Item = &Arc<Account>> {
        self.accounts.values()
    }

    /// An application of an account.
    pub fn application(
        &self,
        account: &AccountId,
        id: &ApplicationId,
    ) -> Option<&Arc<Application>> {
        self.accounts.get(account)?.applications.get(id)
    }

    /// The token or API key with this hash.
    pub fn credential(&self, hash: &TokenHash) -> Option<&Credential> {
        self.credentials.get(hash)
    }

    /// Whether a token or API key of this name is valid.
    pub fn has_credential(&self, account: &AccountId, id: &str) -> bool {
        let named =
            |credential: &Credential| &*credential.id == id && credential.account == *account;
        self.credentials.values().any(named)
    }

    /// A trunk, disabled or not.
    pub fn trunk(&self, name: &str) -> Option<&Arc<Trunk>> {
        self.trunks.get(name)
    }

    /// Every trunk, by name, the disabled ones too.
    pub fn trunks(&self) -> impl Iterator<Item = &Arc<Trunk>> {
        self.trunks.values()
    }

    /// The trunks that are being drained, by name.
    pub fn draining(&self) -> &BTreeMap<Arc<str>, Draining> {
        &self.draining
    }

    /// Which trunks carry calls to which numbers.
    pub fn routes(&self) -> &RouteTable {
        &self.routes
    }
}
