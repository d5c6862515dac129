//! Click-to-call: what its requests, its conversations and its callbacks share.

pub(crate) mod find;
mod spec;
pub mod voices;

pub use spec::{AdditionSpec, ClickSpec, Side, VoiceNames};
