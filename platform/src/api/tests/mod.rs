//! The interfaces as their callers meet them, over a real database and without a telephone network.

#![expect(clippy::unwrap_used, reason = "tests")]

mod admin;
mod batch_rules;
mod campaigns;
mod captcha_rules;
mod cdrs;
mod ctc;
mod ctc_inputs;
mod ctc_pages;
mod ctc_privacy;
mod ctc_recordings;
mod ctc_rules;
mod exchange;
mod hostile;
mod idempotency;
mod isolation;
mod media;
mod notice_inputs;
mod notice_rules;
mod pages;
mod reading;
mod talks;
mod trunks;
pub(crate) mod world;
