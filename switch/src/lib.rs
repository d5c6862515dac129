//! The call engine: SIP and RTP behind [`yunling_switch_contract::Engine`]. It knows no tenant and
//! no database; the platform talks to it through the contract only.
//!
//! - [`Switch`] takes commands; each leg is one task (`engine/`), supervised, that feeds a
//!   pure call machine and carries out what it decides.
//! - `sip/` is the user agent client: `sip/call` the machine, `sip/stack` the sockets.
//! - `sdp/` is offer and answer.
//! - `media/` is the media plane on threads of its own.
//! - `trunks/` keeps trunks registered and asks them for signs of life.
//! - `random` is chance, for all of them.
//! - `recording/` writes files on a thread of its own.
//! - `supervision` keeps up the tasks that all legs need.

mod config;
mod engine;
#[cfg(test)]
mod fuzzing;
mod media;
mod random;
mod recording;
mod sdp;
mod sip;
mod supervision;
mod trunks;

pub use config::{FloodLimits, SipListen, StartError, SwitchConfig, Timers, TlsIdentity};
pub use engine::Switch;
pub use media::MediaConfig;
pub use recording::{Repaired, repair};
