//! A conversation's one event stream: numbered, kept for the record, told to whoever watches.

use yunling_app::{App, trace_context};
use yunling_domain::conversation::Party;
use yunling_domain::event::{ConversationEvent, EventBody};
use yunling_domain::{ConversationId, Micros};

/// The events of a live conversation.
pub(super) struct Story {
    conversation: ConversationId,
    app: App,
    events: Vec<ConversationEvent>,
}

/// More events than a conversation of the longest notice can make; what comes beyond is a peer's
/// flood and is told but not kept.
pub(super) const KEPT: usize = 2_000;

impl Story {
    /// An empty story.
    pub(super) fn new(conversation: ConversationId, app: App) -> Self {
        Self { conversation, app, events: Vec::new() }
    }

    /// A story that was begun by a task which is gone.
    pub(super) fn resumed(
        conversation: ConversationId,
        app: App,
        events: Vec<ConversationEvent>,
    ) -> Self {
        Self { conversation, app, events }
    }

    /// Adds what happened to a call that is its conversation's only one.
    pub(super) fn tell(&mut self, at: Micros, body: EventBody) {
        self.tell_of(at, None, body);
    }

    /// Adds what happened to one of several parties, or to all; gives it back.
    pub(super) fn tell_of(
        &mut self,
        at: Micros,
        party: Option<Party>,
        body: EventBody,
    ) -> ConversationEvent {
        let seq = u32::try_from(self.events.len()).unwrap_or(u32::MAX);
        let event = ConversationEvent { seq, at, party, body };
        trace_context::event(event.kind());
        self.app.events().publish(&self.conversation, &event);
        if self.events.len() < KEPT {
            self.events.push(event.clone());
        }
        event
    }

    /// What was told so far.
    pub(super) fn events(&self) -> &[ConversationEvent] {
        &self.events
    }

    /// The whole, for the record.
    pub(super) fn into_events(self) -> Vec<ConversationEvent> {
        self.events
    }
}
