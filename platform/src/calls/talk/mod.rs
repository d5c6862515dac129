//! Click-to-call conversations: one task owns a conversation's machine and carries out what it says.
//!
//! `desk` is where the API finds them (and the lines that clicks have reserved); `supervision` is
//! what stands around each; `task` is the conversation itself, with `line` (the gate and the trunks
//! of a leg), `sound` (what is played, who hears whom) and `recorder` beside it; `teller` puts the
//! status callbacks into the outbox in their order; `ending` writes what a conversation came to, and
//! `lost` what is known of one whose task is gone. `obey` ends what was cancelled on another node.

mod desk;
mod ending;
mod leg;
mod line;
mod lost;
mod obey;
mod recorder;
mod sound;
mod supervision;
mod task;
mod teller;

pub(super) use desk::TalkDesk;
pub(super) use lost::interrupted;
pub(super) use obey::obey;
pub(super) use supervision::{Undialled, never_dialled, supervise};
