//! Who asks, and what they may do. A scope is a type: a use case that takes
//! `&Granted<SendNotices>` cannot be called by anybody who was not granted it.

mod basic;
mod page;
mod scope;

pub use basic::{AuthFailure, authenticate_basic};
pub use page::Page;
pub use scope::{
    Dial, ManageKeys, ReadCalls, ReadDeliveries, ReadMedia, ReadNumbers, ReadRecordings,
    ResendDeliveries, Scope, ScopeKind, SendNotices, UnknownScope, WriteMedia,
};

use crate::Refusal;
use std::collections::BTreeSet;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use yunling_domain::AccountId;
use yunling_domain::error_code::SCOPE_MISSING;

/// An authenticated caller, acting for one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The account that it acts for.
    pub account: AccountId,
    /// The credential that it showed; stands in audit rows.
    pub credential: Arc<str>,
    /// What the credential may do.
    pub scopes: Scopes,
}

/// Whoever runs the platform: the process itself at start, the local socket, the operator's token.
/// Belongs to no account and may touch every one.
#[derive(Debug, Clone)]
pub struct Operator {
    who: Arc<str>,
}

impl Operator {
    /// The caller has proven to be one. `who` stands in audit rows.
    pub fn proven(who: impl Into<Arc<str>>) -> Self {
        Self { who: who.into() }
    }

    /// How audit rows name it.
    pub fn who(&self) -> &str {
        &self.who
    }

    /// Acts in an account with any scope.
    pub fn in_account<S: ScopeKind>(&self, account: AccountId) -> Granted<S> {
        Granted {
            account,
            who: Arc::clone(&self.who),
            credential: None,
            scopes: Scopes::All,
            scope: PhantomData,
        }
    }
}

/// What a credential may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scopes {
    /// Everything in its account: the account's token.
    All,
    /// Only this: an API key.
    Only(BTreeSet<Scope>),
}

impl Scopes {
    /// Whether a scope is among them.
    pub fn include(&self, scope: Scope) -> bool {
        match self {
            Self::All => true,
            Self::Only(scopes) => scopes.contains(&scope),
        }
    }
}

impl Principal {
    /// The proof that this caller may do what `S` stands for.
    ///
    /// # Errors
    /// `SCOPE_MISSING`: the credential is an API key without this scope.
    pub fn grant<S: ScopeKind>(&self) -> Result<Granted<S>, Refusal> {
        if self.scopes.include(S::SCOPE) {
            Ok(Granted {
                account: self.account.clone(),
                who: self.who(),
                credential: Some(Arc::clone(&self.credential)),
                scopes: self.scopes.clone(),
                scope: PhantomData,
            })
        } else {
            Err(Refusal::new(SCOPE_MISSING)
                .with_detail(format!("the API key has no scope {}", S::SCOPE)))
        }
    }

    /// How audit rows name it.
    pub fn who(&self) -> Arc<str> {
        format!("credential {}", self.credential).into()
    }
}

/// A caller that may do what `S` stands for, in one account.
pub struct Granted<S: ScopeKind> {
    account: AccountId,
    who: Arc<str>,
    credential: Option<Arc<str>>,
    scopes: Scopes,
    scope: PhantomData<fn() -> S>,
}

impl<S: ScopeKind> Granted<S> {
    /// The account that it acts for.
    pub fn account(&self) -> &AccountId {
        &self.account
    }

    /// How audit rows name it.
    pub fn who(&self) -> &str {
        &self.who
    }

    /// The credential that it showed; none for the platform's operator.
    pub fn credential(&self) -> Option<&str> {
        self.credential.as_deref()
    }

    /// Everything that it may do: nobody hands on more than that.
    pub fn scopes(&self) -> &Scopes {
        &self.scopes
    }
}

impl<S: ScopeKind> fmt::Debug for Granted<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Granted({}, {}, {})", S::SCOPE, self.account, self.who)
    }
}
