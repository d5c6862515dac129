//! The store against real databases: SQLite in a folder of its own, or PostgreSQL where
//! `YUNLING_TEST_DATABASE` names a server. What only one of them has is tested on that one.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod attempts;
mod batches;
mod campaigns;
mod cdr_plans;
mod cdrs;
mod claiming;
mod configuration;
mod database;
mod durability;
mod exports;
mod faults;
mod group_commit;
mod identifiers;
mod leases;
mod lists;
mod lost_answers;
mod outbox;
mod rows;
mod schema;
mod sip_traces;
mod talks;
