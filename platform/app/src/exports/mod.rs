//! Exports of call records: ordered by a tenant or a schedule, written by a worker in turns, had by
//! a signed link until their time is over.
//!
//! An export reads newest first, a page at a time, with the very filter of the list. With each
//! checkpoint the row keeps where the reading is, how long the file is and what its format has to
//! know; whoever takes the export next cuts the file there and goes on. A turn ends after so many
//! pages, so that a large export holds up no small one. A *push* is an export without a file: each
//! of its pages is a callback, put into the outbox in the transaction of its checkpoint, and so
//! exactly once.

mod expire;
mod file;
mod link;
mod open;
mod order;
mod push;
mod schedule;
mod sheet;
mod turn;

use tokio::sync::Semaphore;

pub use expire::expire;
pub use link::{check as check_link, for_caller as link_for};
pub use open::{Download, by_link, of_account, open};
pub use order::{cancel, get, list, order};
pub(crate) use push::{MAX_RECORDS, batch, by_application, url as push_url};
pub use schedule::{
    MAX_SCHEDULES, ScheduleOrder, add as add_schedule, delete as delete_schedule, fire_due,
    list as list_schedules,
};
pub use turn::{Pace, write_due};

/// Exports that one node writes at once: reading has the disk and the processor to itself then, and
/// calls have the rest.
const AT_ONCE: usize = 1;

/// What this node writes.
pub(crate) struct ExportDesk {
    /// Whoever finds it taken leaves it to who has it.
    writing: Semaphore,
}

impl Default for ExportDesk {
    fn default() -> Self {
        Self { writing: Semaphore::new(AT_ONCE) }
    }
}

#[cfg(test)]
mod tests;
