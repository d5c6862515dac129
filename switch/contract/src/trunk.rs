use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::Peer;

/// A trunk that the engine keeps up besides the calls over it: registered, and asked for signs of
/// life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrunkPlan {
    /// Its name, given back with its events; unique.
    pub name: Arc<str>,
    /// The far end, as for calls.
    pub peer: Peer,
    /// Whether we register with it.
    pub register: Option<Registering>,
    /// How often it is asked whether it lives (OPTIONS, RFC 3261 §11); absent: never.
    pub probe_every: Option<Duration>,
}

/// How we register with a trunk (RFC 3261 §10.2). The credentials are the peer's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registering {
    /// User part of the address of record, and of Contact.
    pub user: String,
    /// How long a registration shall hold, seconds; the registrar may say otherwise.
    pub expires_s: u32,
}

/// Something that happened to a trunk, calls aside.
#[derive(Debug, Clone)]
pub struct TrunkEvent {
    /// The trunk's name.
    pub trunk: Arc<str>,
    /// When the engine saw it.
    pub at: Instant,
    /// What.
    pub kind: TrunkEventKind,
}

/// What happened to a trunk.
#[derive(Debug, Clone, PartialEq)]
pub enum TrunkEventKind {
    /// The registrar took us. Sent for each registration and refresh.
    Registered {
        /// How long it holds, seconds.
        expires_s: u32,
    },
    /// The registration failed, or a refresh did. It is tried again.
    NotRegistered {
        /// The final status, where there was one.
        sip_code: Option<u16>,
        /// The registrar's words, or what stood in the way.
        text: String,
        /// When the next try is made, milliseconds from now.
        retry_ms: u64,
    },
    /// An OPTIONS was answered, with whatever status but 408 and 503 (RFC 3261 §11.2).
    Alive {
        /// The status.
        sip_code: u16,
        /// From request to answer, milliseconds.
        round_trip_ms: f32,
    },
    /// An OPTIONS was not answered, or with 408 or 503, or could not be sent.
    Silent {
        /// The status, where there was one.
        sip_code: Option<u16>,
        /// What stood in the way.
        text: String,
        /// So many in a row, this one included.
        times: u32,
    },
}
