//! The interfaces as their callers meet them, over a real database and without a telephone network.

#![expect(clippy::unwrap_used, reason = "tests")]

mod admin;
mod batch_rules;
mod captcha_rules;
mod exchange;
mod hostile;
mod idempotency;
mod isolation;
mod media;
mod notice_inputs;
mod notice_rules;
mod pages;
mod reading;
mod trunks;
pub(crate) mod world;
