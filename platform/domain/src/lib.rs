//! What Yunling decides, as pure code: no clock, no random number, no I/O, no runtime.
//!
//! Time is an argument ([`Micros`]), machines are told what happened and answer with what is to be
//! done, and every rule of the published interface can be tested as a table or a script.
//! `docs/spec/RESOLUTIONS.md` (cited as RESOLUTIONS) settles what the interface leaves open.

pub mod admission;
pub mod batch;
pub mod call_cause;
pub mod callback;
pub mod campaign;
pub mod cdr;
pub mod click_parameter;
pub mod contents;
pub mod conversation;
pub mod cron;
pub mod csv;
pub mod error_code;
pub mod event;
pub mod ids;
pub mod lang;
pub mod notice;
pub mod numbers;
pub mod parameter;
pub mod policy;
pub mod sip_trace;
pub mod speech;
pub mod termination;
pub mod time;
pub mod trunk_health;

pub use error_code::{ErrorCode, Fault};
pub use ids::{
    AccountId, ApplicationId, CallId, ConversationId, IdKind, NodeNumber, RecordingId, RequestId,
};
pub use lang::Lang;
pub use numbers::{Number, NumberClass, NumberFormat};
pub use termination::{EndKind, Termination};
pub use time::Micros;
