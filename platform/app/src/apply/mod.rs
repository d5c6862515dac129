//! Config as code. `plan` shows what applying documents would do, `apply` does it. Every resource
//! remembers who owns it (a named file set, or the console) and what its file set applied last, so
//! that applying is a three-way merge: an unchanged file does nothing, what the console changed
//! stays, a field changed on both sides is a conflict. Tokens, users' passwords and webhook secrets
//! are initial values only.

mod compute;
mod execute;
mod merge;
mod plan;
mod print;
mod references;
mod report;
mod secret_rule;
mod stored;

pub use compute::Options;
pub(crate) use execute::token_credential;
pub use execute::{ApplyError, apply, plan};
pub use merge::{FieldChange, FieldConflict, Fields, Merged, merge};
pub use plan::{Action, Plan, Problem, SecretChange, SecretEffect, Step};
pub use report::{Minted, Report};
pub(crate) use stored::seal_place;
pub use stored::{Applied, Owner, SealedSecret, StoredDoc, StoredSecret, UnreadableRow};
