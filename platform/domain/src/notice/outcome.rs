use serde::{Deserialize, Serialize};

use crate::call_cause::CallCause;
use crate::{Fault, Termination};

/// What came of a call: what its record and its result callback say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The callee answered.
    pub answered: bool,
    /// A 200 crossed our CANCEL: the callee picked up, but it is not an answer.
    pub crossed_answer: bool,
    /// 0 if and only if answered, else 1.
    pub result: u8,
    /// 1 not answered, 2 all else; absent when answered.
    pub reason: Option<u8>,
    /// The confirming key.
    pub input_key: Option<char>,
    /// The published cause.
    pub cause: CallCause,
    /// Whose fault it was.
    pub fault: Fault,
    /// How the last leg ended; none where nothing was dialled.
    pub termination: Option<Termination>,
    /// How often was dialled.
    pub attempts: u8,
    /// Plays of the contents that were begun, replays counted.
    pub plays: u8,
}
