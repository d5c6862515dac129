//! What the use cases need of the outside world, as traits: the time, fresh identifiers, random
//! bytes, and somebody to wake. Production hands in the real ones, tests hand in fakes; nothing
//! else in this crate reaches for a clock or a random number.

use crate::click::{AdditionSpec, Side};
use std::path::Path;
use std::pin::Pin;
use tokio::io::AsyncRead;
use tokio::sync::broadcast::Receiver;
pub use yunling_domain::conversation::TalkPhase;
use yunling_domain::conversation::{AddRefusal, CallStatus, LegOutcome, Party};
use yunling_domain::event::ConversationEvent;
use yunling_domain::{
    AccountId, ApplicationId, CallId, ConversationId, ErrorCode, IdKind, Micros, RequestId,
};

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

    /// Hears what is told from now on; none where nobody can.
    fn watch(&self) -> Option<Receiver<(ConversationId, ConversationEvent)>> {
        None
    }
}

/// What comes of an object store, in time.
pub type Coming<'a, T> = Pin<Box<dyn Future<Output = Result<T, ObjectError>> + Send + 'a>>;
/// Bytes that come as they are read.
pub type Bytes = Pin<Box<dyn AsyncRead + Send>>;

/// A store of files by name, such as one that speaks S3.
pub trait Objects: Send + Sync + 'static {
    /// Puts a file there under a name, in place of what was there.
    fn put<'a>(&'a self, key: &'a str, file: &'a Path, octets: u64) -> Coming<'a, ()>;

    /// Gives a file, or the part from one byte to another, both included.
    fn get<'a>(&'a self, key: &'a str, part: Option<(u64, u64)>) -> Coming<'a, Bytes>;

    /// Deletes a file.
    fn delete<'a>(&'a self, key: &'a str) -> Coming<'a, ()>;
}

/// Why an object store did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ObjectError {
    /// It has no such file, or no such bucket; or the file to be put there is not here.
    #[error("there is no such file")]
    NotFound,
    /// It cannot be reached, or it refuses.
    #[error("{0}")]
    Unavailable(String),
}

/// The click-to-call conversations of this node: whoever carries them. Absent in a process that
/// makes no calls.
pub trait Talks: Send + Sync + 'static {
    /// Takes a line for the caller of a click that is about to be stored. The conversation takes it
    /// over when it starts; where it does not start within some seconds, the line is given back.
    ///
    /// # Errors
    /// [`Busy`]: nothing was taken.
    fn reserve(
        &self,
        account: &AccountId,
        application: &ApplicationId,
        conversation: &ConversationId,
        caller: &Side,
    ) -> Result<(), Busy>;

    /// Gives back what was taken for a click that was not stored after all.
    fn release(&self, conversation: &ConversationId);

    /// Ends a conversation, whatever it is doing; one that has been stored and has not started yet
    /// is ended as soon as it would. Idempotent. The caller has seen to it that there is such a
    /// conversation and that it is not over.
    fn cancel(&self, account: &AccountId, conversation: &ConversationId);

    /// Calls a third party into a conversation; gives the identifier of its call.
    fn add<'a>(
        &'a self,
        account: &'a AccountId,
        conversation: &'a ConversationId,
        addition: AdditionSpec,
    ) -> Pin<Box<dyn Future<Output = Result<CallId, NotAdded>> + Send + 'a>>;

    /// How a conversation of the account stands, while it runs here.
    fn state(&self, account: &AccountId, conversation: &ConversationId) -> Option<TalkState>;

    /// How far it is: [`Self::state`] without its story.
    fn phase(&self, account: &AccountId, conversation: &ConversationId) -> Option<TalkPhase>;
}

/// Why a click cannot start now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Busy {
    /// At its limit: `account`, or the trunk of this name.
    Limit(String),
    /// Calls come faster than the account or the trunk takes them: ask again at this instant. A
    /// matter of milliseconds, which is no limit of calls.
    Paced(Micros),
    /// Every trunk that may be used is down.
    TrunksDown,
    /// The gate refuses it.
    Refused {
        /// What to answer.
        code: ErrorCode,
        /// The deciding rule.
        rule: &'static str,
    },
}

/// Why no third party is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotAdded {
    /// The account has no such conversation here.
    Unknown,
    /// The conversation cannot take one in now.
    Refused(AddRefusal),
    /// It could be taken in, but it cannot be called now.
    Busy(Busy),
}

/// How a live conversation stands.
#[derive(Debug, Clone, PartialEq)]
pub struct TalkState {
    /// Its identifier.
    pub conversation: ConversationId,
    /// The request that asked for it.
    pub request: RequestId,
    /// The application it is made for.
    pub application: ApplicationId,
    /// When it began.
    pub started_at: Micros,
    /// How far it is.
    pub phase: TalkPhase,
    /// Whether numbers of those who are called are shown masked.
    pub masked: bool,
    /// Who takes part or took part, by `callSeq`.
    pub legs: Vec<TalkLeg>,
    /// What has happened so far.
    pub events: Vec<ConversationEvent>,
}

/// One party of a live conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TalkLeg {
    /// Who.
    pub party: Party,
    /// Its call.
    pub call: CallId,
    /// The number called, as it is stored.
    pub number: String,
    /// The line number shown to it, as it is stored.
    pub line: String,
    /// What was told of it last.
    pub status: CallStatus,
    /// When it was dialled first.
    pub started_at: Micros,
    /// The first 18x.
    pub ring_at: Option<Micros>,
    /// The answer.
    pub answered_at: Option<Micros>,
    /// The end.
    pub ended_at: Option<Micros>,
    /// What it came to, once it has ended.
    pub outcome: Option<LegOutcome>,
}
