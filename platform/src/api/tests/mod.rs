//! The interfaces as their callers meet them, over a real database and without a telephone network.

#![expect(clippy::unwrap_used, reason = "tests")]

mod admin;
mod exchange;
mod idempotency;
mod isolation;
mod notice_inputs;
mod notice_rules;
mod pages;
mod reading;
pub(crate) mod world;
