//! Recordings: files that a thread of their own writes, and what a crash left of them.

mod repair;
mod wav_file;
mod writer;

pub use repair::{Repaired, repair};
pub(crate) use writer::{Order, Recorder, RecorderLink, RecordingOwner};
