//! What applying would do, as data: printed for people, or given out as JSON.

use super::merge::{FieldChange, FieldConflict};
use super::stored::StoredDoc;
use crate::documents::{Origin, ResourceKind, SecretName};
use crate::secrets::{Fingerprint, Plain};
use serde::Serialize;
use std::sync::Arc;
use yunling_store::media_blobs::MediaBlob;

/// What applying would do.
#[derive(Debug, Serialize)]
pub struct Plan {
    /// The configuration's version that the plan was made from.
    pub config_version: i64,
    /// One step a resource, those with nothing to do too.
    pub steps: Vec<Step>,
    /// What stands in the way: as long as there is one, nothing is applied.
    pub problems: Vec<Problem>,
}

/// What happens to one resource.
#[derive(Debug, Serialize)]
pub struct Step {
    /// The file set that it belongs to.
    pub set: String,
    /// What it is.
    pub kind: ResourceKind,
    /// Whose it is; empty for the platform's own.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub account: String,
    /// Its name.
    pub key: String,
    /// What happens.
    pub action: Action,
    /// Fields that are set, changed or removed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<FieldChange>,
    /// Fields that were changed on both sides.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conflicts: Vec<FieldConflict>,
    /// What happens to its secrets.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<SecretChange>,
    /// What else there is to know.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What is written; absent where nothing is.
    #[serde(skip)]
    pub(crate) write: Option<Write>,
}

/// What happens to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It is made.
    Create,
    /// Fields or secrets of it change.
    Change,
    /// It was made at the console; from now on the file manages it.
    Adopt,
    /// It goes: its own file set does not name it any more (`prune`).
    Delete,
    /// Nothing can be done without `force`.
    Conflict,
    /// Nothing.
    Unchanged,
}

/// What happens to one secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SecretChange {
    /// Which.
    pub name: SecretName,
    /// What happens.
    pub effect: SecretEffect,
    /// The mark of the new one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Fingerprint>,
}

/// What happens to a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretEffect {
    /// The file's is stored.
    Set,
    /// One is made, and told once.
    Mint,
    /// The stored one goes.
    Remove,
    /// Changed on both sides; the stored one stays.
    Conflict,
}

/// Something that stands in the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Where: `tenant.yaml:7:12 accounts[0].caller_ids[0]`, or the stored resource.
    pub at: String,
    /// What is wrong and what was expected.
    pub problem: String,
}

/// What a step writes.
#[derive(Debug)]
pub(crate) enum Write {
    /// The row as it will be, but for its new secrets.
    Put(Box<Put>),
    /// The row goes.
    Delete,
}

#[derive(Debug)]
pub(crate) struct Put {
    pub(crate) row: StoredDoc,
    /// Secrets that are to be hashed or sealed on the way in; `None` is minted.
    pub(crate) new_secrets: Vec<(SecretName, Option<Plain>)>,
    /// The bytes of a media file.
    pub(crate) blob: Option<Arc<[u8]>>,
    /// The same, taken in, and under which name it is to be stored; absent where the database has it
    /// already.
    pub(crate) media: Option<(String, MediaBlob)>,
    /// Where it was written.
    pub(crate) origin: Origin,
}

impl Plan {
    /// Whether applying would write nothing.
    pub fn is_empty(&self) -> bool {
        self.steps.iter().all(|step| step.write.is_none())
    }

    /// Whether a field or a secret was changed on both sides and the file's is not taken.
    pub fn has_open_conflicts(&self) -> bool {
        self.steps.iter().any(Step::has_open_conflict)
    }

    /// How many steps do this.
    pub fn count(&self, action: Action) -> usize {
        self.steps.iter().filter(|step| step.action == action).count()
    }
}

impl Step {
    /// Whether something of it was changed on both sides and the file's is not taken.
    pub fn has_open_conflict(&self) -> bool {
        self.conflicts.iter().any(|conflict| !conflict.taken)
            || self.secrets.iter().any(|secret| secret.effect == SecretEffect::Conflict)
    }
}
