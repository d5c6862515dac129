//! SIP as a user agent client speaks it.
//!
//! Everything here but [`stack`] is pure: it takes parsed messages and the time, and gives back
//! what is to be sent. [`stack`] owns the sockets and is the only place that names `rsipstack`.

pub(crate) mod authorizer;
pub(crate) mod call;
pub(crate) mod compose;
pub(crate) mod dialog;
pub(crate) mod digest;
pub(crate) mod fields;
pub(crate) mod ids;
pub(crate) mod invite;
mod limits;
pub(crate) mod reap;
pub(crate) mod stack;
pub(crate) mod timers;
pub(crate) mod transaction;
