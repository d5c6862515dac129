//! What the platform and a call engine say to each other: plain types, no runtime, no I/O.
//!
//! The platform sends [`Command`]s to an [`Engine`] and receives [`Event`]s through an
//! [`EventSink`]. Nothing else crosses the line, so that a second engine is possible: it need only
//! implement [`Engine`] and honour the promises written on each command and event.
//!
//! A *leg* is one party's call. The engine knows no tenant, no conversation's rules and no
//! database; an [`Owner`] is only a number that it hands back with every event.

mod codec;
mod command;
mod event;
mod peer;
mod prompt;
mod recording;
mod recovery;
mod termination;
mod trace;
mod trunk;

pub use codec::{Codec, UnknownCodec};
pub use command::{Command, Dial, HangUpWhy, KeySource, Play, PlayId, PlayItem, PlayMode};
pub use event::{Event, EventKind, Media, MediaFigures, PlayEnd};
pub use peer::{
    Credentials, IdentityHeader, Peer, Refresher, ReliableProvisionals, SessionTimer, TlsTrust,
    Transport,
};
pub use prompt::{Prompt, SAMPLE_RATE_HZ};
pub use recording::{Recording, RecordingId};
pub use recovery::{DialogState, Orphan, ReapOutcome};
pub use termination::{Termination, TerminationKind};
pub use trace::{SipTrace, TraceDirection};
pub use trunk::{Registering, TrunkEvent, TrunkEventKind, TrunkPlan};

use std::fmt;
use std::sync::Arc;

/// Names one leg for its whole life: the platform's call id (`CA…`). SIP's Call-ID, From tag and
/// Via branch are derived from it, so that a restarted engine can still speak for the leg.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LegId(Arc<str>);

impl LegId {
    /// Takes the platform's call id as it is.
    pub fn new(call_id: impl Into<Arc<str>>) -> Self {
        Self(call_id.into())
    }

    /// The call id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for LegId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for LegId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The platform's handle for whoever owns a leg (a conversation's task); opaque to the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Owner(pub u64);

/// A call engine.
pub trait Engine: Send + Sync + 'static {
    /// Hands over a command. It returns at once; what becomes of it arrives as events.
    ///
    /// # Errors
    /// [`Overloaded`] when the engine's queue is full. The command was then not taken.
    fn send(&self, command: Command) -> Result<(), Overloaded>;

    /// Says which trunks to keep up. Replaces what was said before: a trunk that is as it was goes
    /// on undisturbed, one that is gone is unregistered. Calls are not touched.
    fn keep_trunks(&self, trunks: Vec<TrunkPlan>);
}

/// Where an engine delivers its events. Implementations must not block: they are called from the
/// engine's signalling tasks and media threads.
pub trait EventSink: Send + Sync + 'static {
    /// Takes one event. Events of one leg arrive in the order in which they happened.
    fn deliver(&self, event: Event);

    /// Takes what happened to a trunk. Events of one trunk arrive in order.
    fn trunk(&self, event: TrunkEvent);

    /// Whether [`EventSink::trace`] is to be called for a leg's messages.
    fn wants_trace(&self) -> bool {
        false
    }

    /// Takes a SIP message of a leg. May be dropped: nothing hangs on it.
    fn trace(&self, _message: SipTrace) {}
}

/// The engine's queue is full: fault of the platform (too much work for this node).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overloaded;

impl fmt::Display for Overloaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the call engine's command queue is full")
    }
}

impl std::error::Error for Overloaded {}
