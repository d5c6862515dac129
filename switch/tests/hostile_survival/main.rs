//! The engine against strangers and hostile peers: the tortuous messages of RFC 4475, floods, and
//! storms of mutated packets against live calls.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod counters;
mod floods;
mod phone;
mod rig;
mod storms;
mod strangers;
mod torture;
mod torture_table;
