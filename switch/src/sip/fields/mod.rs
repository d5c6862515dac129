//! Parsers of header values, borrowing from the message; tolerant of what carriers really send.

pub(crate) mod dtmf;
pub(crate) mod name_addr;
pub(crate) mod options;
pub(crate) mod params;
pub(crate) mod reason;
pub(crate) mod session_expires;
pub(crate) mod uri;
pub(crate) mod via;

pub(crate) use name_addr::NameAddr;
pub(crate) use params::{list, param};
pub(crate) use reason::Reason;
pub(crate) use session_expires::{RefresherRole, SessionExpires};
pub(crate) use uri::UriParts;
pub(crate) use via::Via;
