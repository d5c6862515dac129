use std::path::PathBuf;

use crate::{LegId, Owner};

/// Names a recording; never used twice in a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordingId(pub u64);

/// A recording of legs of one owner: WAV, 16 bits, 8 kHz, what the left side's legs say in the left
/// channel, the right side's in the right, in step with each other. From the moment that it is asked
/// for; silence where nobody speaks. Keys that come as telephone-events are not in it.
///
/// It ends with [`crate::Command::StopRecording`], or by itself when the last of its legs that was
/// there has ended, or where the disk fails. Whichever comes first is followed by exactly one
/// [`crate::EventKind::Recorded`]; to end it again does nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    /// Its name.
    pub id: RecordingId,
    /// Whose it is; handed back with its event.
    pub owner: Owner,
    /// The leg that its event is told of.
    pub leg: LegId,
    /// Whose voices go into the left channel. One that is not up yet is recorded once it is.
    pub left: Vec<LegId>,
    /// And into the right.
    pub right: Vec<LegId>,
    /// Where the file will be; its folder is made. While it grows it has `.part` behind its name. When
    /// [`crate::EventKind::Recorded`] is told, it is on the disk under its own.
    pub file: PathBuf,
}
