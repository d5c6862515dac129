//! The store against real databases: SQLite in a folder of its own, and PostgreSQL as well where
//! `YUNLING_TEST_POSTGRES` holds the address of a server on which databases may be made.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod attempts;
mod claiming;
mod configuration;
mod database;
mod durability;
mod faults;
mod group_commit;
mod identifiers;
mod leases;
mod lists;
mod outbox;
mod rows;
mod schema;
