//! Which conversation's task gets an engine event.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::RwLock;
use tokio::sync::mpsc;
use yunling_app::sip_trace::SipTraces;
use yunling_switch_contract::{Event, EventKind, EventSink, Owner, SipTrace, TrunkEvent};

use super::sip_trace;
use super::trunks::TrunkDesk;

/// How many events may wait for one conversation before the ones that only tell (keys, rings,
/// marks) are dropped and counted. Facts that the machine waits for are never dropped.
const WAITING_LIMIT: usize = 256;

/// The engine's [`EventSink`]: hands each event to the task that owns the leg.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    next: AtomicU64,
    owners: RwLock<HashMap<Owner, Arc<Mailbox>>>,
    desk: OnceLock<TrunkDesk>,
    traces: OnceLock<Arc<SipTraces>>,
}

#[derive(Debug)]
struct Mailbox {
    waiting: AtomicUsize,
    sender: mpsc::UnboundedSender<Event>,
}

/// A conversation's end of a route; gone when dropped.
#[derive(Debug)]
pub(crate) struct Route {
    owner: Owner,
    mailbox: Arc<Mailbox>,
    receiver: mpsc::UnboundedReceiver<Event>,
    routes: Arc<Routes>,
}

impl Routes {
    /// Says who hears of trunks; to be said before the engine is asked to keep any.
    pub(super) fn tell_of_trunks(&self, desk: TrunkDesk) {
        // Routes serve one dispatcher.
        let _ = self.desk.set(desk);
    }

    /// Says where the SIP messages of legs are gathered; to be said before the engine starts.
    pub(crate) fn gather(&self, traces: Arc<SipTraces>) {
        // Routes serve one engine.
        let _ = self.traces.set(traces);
    }

    /// Opens a route under a fresh owner number.
    pub(crate) fn open(self: &Arc<Self>) -> Route {
        let owner = Owner(self.next.fetch_add(1, Ordering::Relaxed));
        let (sender, receiver) = mpsc::unbounded_channel();
        let mailbox = Arc::new(Mailbox { waiting: AtomicUsize::new(0), sender });
        self.owners.write().insert(owner, Arc::clone(&mailbox));
        Route { owner, mailbox, receiver, routes: Arc::clone(self) }
    }
}

impl EventSink for Routes {
    fn deliver(&self, event: Event) {
        let Some(mailbox) = self.owners.read().get(&event.owner).cloned() else {
            tracing::debug!(leg = %event.leg, kind = ?event.kind, "event for a conversation that has ended");
            return;
        };
        let waiting = mailbox.waiting.fetch_add(1, Ordering::Relaxed);
        if waiting >= WAITING_LIMIT && only_tells(&event.kind) {
            mailbox.waiting.fetch_sub(1, Ordering::Relaxed);
            metrics::counter!("yunling_conversation_events_dropped_total").increment(1);
            return;
        }
        // The receiver lives as long as the route; a failed send means that it has just ended.
        let _ = mailbox.sender.send(event);
    }

    fn trunk(&self, event: TrunkEvent) {
        if let Some(desk) = self.desk.get() {
            desk.event(&event);
        }
    }

    fn wants_trace(&self) -> bool {
        self.traces.get().is_some_and(|traces| traces.gathers())
    }

    fn trace(&self, message: SipTrace) {
        if let Some(traces) = self.traces.get() {
            sip_trace::add(traces, message);
        }
    }
}

/// Whether the machine can do without the event.
fn only_tells(kind: &EventKind) -> bool {
    match kind {
        EventKind::Trying
        | EventKind::Ringing { .. }
        | EventKind::Key { .. }
        | EventKind::EarlyAudio
        | EventKind::PlayMark { .. } => true,
        EventKind::Answered { .. }
        | EventKind::PlayFinished { .. }
        | EventKind::Recorded { .. }
        | EventKind::MediaLost { .. }
        | EventKind::Ended { .. }
        | EventKind::Reaped { .. } => false,
    }
}

impl Route {
    /// The number to dial with.
    pub(crate) fn owner(&self) -> Owner {
        self.owner
    }

    /// The next event. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Event {
        let event = self.receiver.recv().await.expect("the route itself keeps a sender alive");
        self.mailbox.waiting.fetch_sub(1, Ordering::Relaxed);
        event
    }
}

impl Drop for Route {
    fn drop(&mut self) {
        self.routes.owners.write().remove(&self.owner);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use yunling_switch_contract::{KeySource, LegId, Termination, TerminationKind};

    use super::*;

    fn event(owner: Owner, kind: EventKind) -> Event {
        Event { owner, leg: LegId::new("CA1"), at: Instant::now(), kind }
    }

    #[tokio::test]
    async fn a_flood_of_keys_is_cut_but_the_end_arrives() {
        let routes = Arc::new(Routes::default());
        let mut route = routes.open();
        for _ in 0..WAITING_LIMIT * 3 {
            routes.deliver(event(
                route.owner(),
                EventKind::Key { key: '1', source: KeySource::Info },
            ));
        }
        let termination = Termination::new(TerminationKind::RemoteBye);
        let figures = yunling_switch_contract::MediaFigures::default();
        routes.deliver(event(route.owner(), EventKind::Ended { termination, figures }));
        let mut keys = 0;
        loop {
            match route.next().await.kind {
                EventKind::Key { .. } => keys += 1,
                EventKind::Ended { .. } => break,
                other => panic!("unexpected {other:?}"),
            }
        }
        assert_eq!(keys, WAITING_LIMIT);
    }

    #[test]
    fn a_closed_route_takes_nothing() {
        let routes = Arc::new(Routes::default());
        let owner = routes.open().owner();
        routes.deliver(event(owner, EventKind::Trying));
        assert!(routes.owners.read().is_empty());
    }
}
