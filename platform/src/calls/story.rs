//! A conversation's one event stream: numbered, kept for the record, told to whoever watches.

use yunling_app::{App, trace_context};
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
const KEPT: usize = 2_000;

impl Story {
    /// An empty story.
    pub(super) fn new(conversation: ConversationId, app: App) -> Self {
        Self { conversation, app, events: Vec::new() }
    }

    /// Adds what happened.
    pub(super) fn tell(&mut self, at: Micros, body: EventBody) {
        let seq = u32::try_from(self.events.len()).unwrap_or(u32::MAX);
        let event = ConversationEvent { seq, at, body };
        trace_context::event(event.kind());
        self.app.events().publish(&self.conversation, &event);
        if self.events.len() < KEPT {
            self.events.push(event);
        }
    }

    /// The whole, for the record.
    pub(super) fn into_events(self) -> Vec<ConversationEvent> {
        self.events
    }
}
