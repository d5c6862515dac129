//! The database is the truth: everything that must survive `kill -9` goes through this crate.
//!
//! [`Store::open`] brings the schema up to date and gives a read-only pool ([`Store::reader`]) and
//! the one [`Writer`], which commits many operations at once and answers each after its commit.
//! One module holds one aggregate. Each function takes the account that its rows belong to; what
//! the platform itself needs across tenants is in the modules called `platform_side`.
//!
//! Functions that write take a transaction, so that several make one unit:
//! ```text
//! store
//!     .writer()
//!     .write(Lane::Live, move |tx| {
//!         Box::pin(async move {
//!             requests::insert(tx, &request).await?;
//!             attempts::insert(tx, &[attempt]).await
//!         })
//!     })
//!     .await
//! ```
//!
//! Instants are microseconds UTC ([`yunling_domain::Micros`]) and always arguments: no statement
//! asks the database for the time.

mod backend;
mod compare;
mod cursor;
mod deflated;
mod entity;
mod error;
mod kind;
mod migration;
mod open;
mod store;
mod writer;

pub mod attempts;
pub mod audit;
pub mod backup;
pub mod batches;
pub mod calls;
pub mod campaigns;
pub mod cdrs;
pub mod clicks;
pub mod conversations;
pub mod credentials;
pub mod deliveries;
pub mod do_not_call;
pub mod endpoints;
pub mod export_schedules;
pub mod exports;
pub mod idempotency;
pub mod ids;
pub mod key_checks;
pub mod lease;
pub mod media_blobs;
pub mod recordings;
pub mod requests;
pub mod resources;
pub mod restore_target;
pub mod sip_traces;
pub mod talks;
pub mod test_database;
pub mod trace_contexts;
pub mod trunk_states;

pub use cursor::{Cursor, MAX_PAGE, Page, PageRequest, TimeRange};
pub use error::{StoreError, Unavailability};
pub use kind::RequestKind;
pub use migration::SchemaState;
pub use open::{Copies, Migrate, OpenOptions};
pub use sea_orm::{ConnectionTrait, DatabaseConnection, DatabaseTransaction};
pub use store::{JobPool, Store};
pub use writer::{BULK_ROWS, BulkStopped, Lane, Writer};
