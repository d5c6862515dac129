//! What the use cases need of the outside world, as traits: the time, fresh identifiers, random
//! bytes, and somebody to wake. Production hands in the real ones, tests hand in fakes; nothing
//! else in this crate reaches for a clock or a random number.

use yunling_domain::event::ConversationEvent;
use yunling_domain::{ConversationId, IdKind, Micros};

/// The one source of time.
pub trait Clock: Send + Sync + 'static {
    /// The instant now, UTC.
    fn now(&self) -> Micros;
}

/// Mints identifiers in the published form (RESOLUTIONS.md, "identifiers"), behind a stored
/// high-water mark, so that none is ever given out twice.
pub trait Ids: Send + Sync + 'static {
    /// A fresh identifier of this kind.
    fn mint(&self, kind: IdKind) -> String;
}

/// Random bytes fit for keys.
pub trait Random: Send + Sync + 'static {
    /// Fills the whole slice.
    fn fill(&self, bytes: &mut [u8]);
}

/// Knows how many calls each trunk carries: whoever counts them to keep a trunk's limits.
pub trait TrunkLoads: Send + Sync + 'static {
    /// Calls on this trunk now.
    fn calls(&self, trunk: &str) -> u32;
}

/// Wakes whoever acts on rows. A poke carries nothing and may be lost or doubled: the rows are the
/// truth, and both sleepers look at them from time to time anyway.
pub trait Poke: Send + Sync + 'static {
    /// Attempts may have become due.
    fn dispatcher(&self);
    /// Deliveries may have become due.
    fn deliveries(&self);
}

/// Takes the events of live conversations to whoever watches (the terminal's story, server-sent
/// events). Never blocks; a slow watcher loses events, the stored story does not.
pub trait Events: Send + Sync + 'static {
    /// Tells one event of one conversation.
    fn publish(&self, conversation: &ConversationId, event: &ConversationEvent);
}
