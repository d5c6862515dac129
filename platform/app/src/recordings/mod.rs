//! Recordings of conversations, from the folder in which the engine writes them to whoever listens.
//!
//! [`begin`] names a file and notes it; the engine writes it; [`publish`] notes that it is complete,
//! and from then on it can be had from the node's own disk. Where an object store is configured, the
//! file is moved there afterwards ([`move_out`]): a store that is away delays no call record.
//! [`settle`] does the same for what a crash left, [`settle_late`] for what was not noted; [`expire`] deletes what has served its time.

mod begin;
mod desk;
mod expire;
mod link;
mod move_out;
mod open;
mod publish;
pub(crate) mod range;
mod settle;

pub use begin::{NotBegun, Place, begin};
pub(crate) use desk::RecordingDesk;
pub use expire::expire;
pub use link::{check as check_link, fresh as fresh_link};
pub use move_out::{move_leftovers, move_out};
pub use open::{Sound, open};
pub use publish::{End, facts, of_conversation, publish};
pub use settle::{Found, settle, settle_late};

#[cfg(test)]
mod tests;
