//! Callbacks from the outbox's row to a real receiver on loopback, in simulated time.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod addresses;
mod answers;
mod endpoints;
mod jobs;
mod lanes;
mod receiver;
mod restarts;
mod schedule;
mod world;
