//! The platform's side of the app's ports: what it wakes, whom it tells, how it mints.

use std::sync::Arc;

use tokio::sync::{Notify, broadcast};
use yunling_app::ports::{Clock, Events, Ids, Poke};
use yunling_domain::event::ConversationEvent;
use yunling_domain::{ConversationId, IdKind};
use yunling_store::ids::IdMint;

use crate::clock::SystemClock;

/// Events that a slow watcher may be behind before it loses the oldest.
const WATCH_BACKLOG: usize = 4_096;

/// Who is woken when rows become due.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pokes {
    /// The dispatcher.
    pub(crate) dispatcher: Arc<Notify>,
    /// The delivery of callbacks.
    pub(crate) deliveries: Arc<Notify>,
}

impl Poke for Pokes {
    fn dispatcher(&self) {
        self.dispatcher.notify_one();
    }

    fn deliveries(&self) {
        self.deliveries.notify_one();
    }
}

/// Mints behind the stored high-water mark.
pub(crate) struct Minting(pub(crate) Arc<IdMint>);

impl Ids for Minting {
    fn mint(&self, kind: IdKind) -> String {
        self.0.mint(kind, SystemClock.now())
    }
}

/// An event and whose it is.
pub(crate) type Watched = (ConversationId, ConversationEvent);

/// Tells the events of live conversations to whoever watches.
#[derive(Debug, Clone)]
pub(crate) struct Watchers(broadcast::Sender<Watched>);

impl Default for Watchers {
    fn default() -> Self {
        Self(broadcast::Sender::new(WATCH_BACKLOG))
    }
}

impl Watchers {
    /// Watches from now on.
    pub(crate) fn watch(&self) -> broadcast::Receiver<Watched> {
        self.0.subscribe()
    }
}

impl Events for Watchers {
    fn publish(&self, conversation: &ConversationId, event: &ConversationEvent) {
        // Without a watcher there is nobody to tell; the stored story is written all the same.
        let _ = self.0.send((conversation.clone(), event.clone()));
    }

    fn watch(&self) -> Option<broadcast::Receiver<Watched>> {
        Some(self.0.subscribe())
    }
}
