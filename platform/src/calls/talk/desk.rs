//! Where the API finds the click-to-call conversations of this node: who has reserved a line, and
//! what runs.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use yunling_app::click::{AdditionSpec, Side};
use yunling_app::ports::{Busy, NotAdded, TalkPhase, TalkState, Talks};
use yunling_domain::conversation::AddRefusal;
use yunling_domain::policy::Rule;
use yunling_domain::{AccountId, ApplicationId, CallId, ConversationId, IdKind};
use yunling_store::attempts::{AttemptLane, NewAttempt};

use super::super::admission::{Full, Permit, WaitsFor};
use super::super::gate::{Gate, Passed, Verdict, Wanted};

/// How long a line is kept for a click until its conversation starts: the row is committed and
/// claimed well within it, also where the database is busy.
const LINE_KEPT: Duration = Duration::from_secs(10);
/// How long it is remembered that a conversation which has not started is to be ended: longer than
/// any click's row may wait.
const WORD_KEPT: Duration = Duration::from_secs(120);
/// Words kept at once. Beyond it the oldest goes: its conversation then runs until its next cancel.
const WORDS: usize = 4_096;
/// Third parties that may be asked for at once in one conversation; it takes one at a time anyway,
/// so what comes beyond is refused as one too many.
const ORDERS: usize = 8;

/// The desk.
pub(crate) struct TalkDesk {
    gate: Gate,
    talks: Mutex<HashMap<ConversationId, Entry>>,
}

enum Entry {
    /// It has not started.
    Awaited(Awaited),
    /// It runs.
    Live(Arc<Live>),
}

/// What is known of a conversation before it starts.
struct Awaited {
    account: AccountId,
    since: Instant,
    permit: Option<Permit>,
    is_cancelled: bool,
}

/// A conversation that runs, as seen from outside.
pub(super) struct Live {
    account: AccountId,
    orders: mpsc::Sender<Order>,
    /// Cancelled by cancelCall.
    pub(super) cancel: CancellationToken,
    /// Cancelled once its status callbacks are written; set when there may be some.
    pub(super) told: OnceLock<CancellationToken>,
    pub(super) view: Mutex<TalkState>,
}

/// What a conversation is asked for from outside.
pub(super) enum Order {
    /// addCall.
    Add(Box<Add>),
}

/// An addCall that the gate has let pass.
pub(super) struct Add {
    pub(super) spec: AdditionSpec,
    pub(super) call: CallId,
    pub(super) passed: Passed,
    pub(super) reply: oneshot::Sender<Result<(), AddRefusal>>,
}

/// What a conversation that starts takes over.
pub(in super::super) struct Begun {
    pub(super) live: Arc<Live>,
    pub(super) orders: mpsc::Receiver<Order>,
    /// The line that was reserved for its caller.
    pub(in super::super) permit: Option<Permit>,
}

impl TalkDesk {
    /// An empty desk.
    pub(in super::super) fn new(gate: Gate) -> Self {
        Self { gate, talks: Mutex::default() }
    }

    /// A row's conversation starts.
    pub(in super::super) fn begin(&self, queued: &NewAttempt) -> Begun {
        let (sender, orders) = mpsc::channel(ORDERS);
        let live = Arc::new(Live {
            account: queued.account.clone(),
            orders: sender,
            cancel: CancellationToken::new(),
            told: OnceLock::new(),
            view: Mutex::new(TalkState {
                conversation: queued.conversation_id.clone(),
                request: queued.request_id.clone(),
                application: queued.application.clone(),
                started_at: queued.created_at,
                phase: TalkPhase::Caller,
                masked: false,
                legs: Vec::new(),
                events: Vec::new(),
            }),
        });
        let entry = Entry::Live(Arc::clone(&live));
        let before = self.talks.lock().insert(queued.conversation_id.clone(), entry);
        let mut permit = None;
        if let Some(Entry::Awaited(awaited)) = before {
            permit = awaited.permit;
            if awaited.is_cancelled {
                live.cancel.cancel();
            }
        }
        Begun { live, orders, permit }
    }

    /// A conversation's task is done. It may have become a row again, and have begun anew.
    pub(super) fn end(&self, conversation: &ConversationId, ended: &Arc<Live>) {
        let mut talks = self.talks.lock();
        if matches!(talks.get(conversation), Some(Entry::Live(live)) if Arc::ptr_eq(live, ended)) {
            talks.remove(conversation);
        }
    }

    /// A conversation whose row this node holds will never begin.
    pub(super) fn forget(&self, conversation: &ConversationId) {
        let forgotten = self.talks.lock().remove(conversation);
        // Outside the lock: a permit wakes the dispatcher.
        drop(forgotten);
    }

    /// A conversation could not start and waits as a row again; what it was told is remembered.
    pub(super) fn wait_again(&self, conversation: &ConversationId, live: &Live) {
        let mut talks = self.talks.lock();
        talks.remove(conversation);
        if live.cancel.is_cancelled() {
            remember_cancel(&mut talks, conversation, &live.account);
        }
    }

    /// Gives back what was reserved for clicks that never came.
    pub(in super::super) fn expire(&self) {
        let mut given_back = Vec::new();
        self.talks.lock().retain(|_, entry| {
            let Entry::Awaited(awaited) = entry else { return true };
            let age = awaited.since.elapsed();
            if age >= LINE_KEPT {
                given_back.extend(awaited.permit.take());
            }
            let is_word = awaited.is_cancelled && age < WORD_KEPT;
            awaited.permit.is_some() || is_word
        });
        // Outside the lock: a permit wakes the dispatcher.
        drop(given_back);
    }

    /// Whether a conversation runs.
    pub(super) fn is_any_live(&self) -> bool {
        self.talks.lock().values().any(|entry| matches!(entry, Entry::Live(_)))
    }

    fn live_of(&self, account: &AccountId, conversation: &ConversationId) -> Option<Arc<Live>> {
        match self.talks.lock().get(conversation) {
            Some(Entry::Live(live)) if live.account == *account => Some(Arc::clone(live)),
            _ => None,
        }
    }

    fn pass(
        &self,
        account: &AccountId,
        application: &ApplicationId,
        side: &Side,
    ) -> Result<Box<Passed>, Busy> {
        let directory = self.gate.app.directory();
        let wanted = Wanted {
            account,
            application,
            lane: AttemptLane::Talk,
            to: &side.number,
            from: Some(&side.line),
            held: None,
        };
        match self.gate.ask(&directory, wanted, self.gate.app.clock().now()) {
            Verdict::Pass(passed) => Ok(passed),
            Verdict::Wait(full) => Err(busy(full)),
            Verdict::Refuse { code, rule } => Err(Busy::Refused { code, rule }),
            Verdict::Defer { rule, .. } => Err(Busy::Limit(rule.name().to_owned())),
        }
    }
}

/// At a limit nobody waits who has a phone in the hand (RESOLUTIONS, at its limit).
fn busy(full: Full) -> Busy {
    match (full.waits_for, full.until) {
        (WaitsFor::Line(_), Some(at)) => Busy::Paced(at),
        (WaitsFor::Line(limit), None) => Busy::Limit(limit),
        (WaitsFor::Trunks, _) => Busy::TrunksDown,
    }
}

fn remember_cancel(
    talks: &mut HashMap<ConversationId, Entry>,
    conversation: &ConversationId,
    account: &AccountId,
) {
    let words = talks.iter().filter_map(|(id, entry)| match entry {
        Entry::Awaited(awaited) if awaited.is_cancelled => Some((awaited.since, id.clone())),
        _ => None,
    });
    let words: Vec<_> = words.collect();
    if words.len() >= WORDS
        && let Some((_, oldest)) = words.into_iter().min_by_key(|(since, _)| *since)
    {
        talks.remove(&oldest);
    }
    let awaited = Awaited {
        account: account.clone(),
        since: Instant::now(),
        permit: None,
        is_cancelled: true,
    };
    talks.insert(conversation.clone(), Entry::Awaited(awaited));
}

impl Talks for TalkDesk {
    fn reserve(
        &self,
        account: &AccountId,
        application: &ApplicationId,
        conversation: &ConversationId,
        caller: &Side,
    ) -> Result<(), Busy> {
        self.expire();
        let passed = self.pass(account, application, caller)?;
        let awaited = Awaited {
            account: account.clone(),
            since: Instant::now(),
            permit: Some(passed.permit),
            is_cancelled: false,
        };
        self.talks.lock().insert(conversation.clone(), Entry::Awaited(awaited));
        Ok(())
    }

    fn release(&self, conversation: &ConversationId) {
        let mut talks = self.talks.lock();
        if matches!(talks.get(conversation), Some(Entry::Awaited(_))) {
            let released = talks.remove(conversation);
            drop(talks);
            drop(released);
        }
    }

    fn cancel(&self, account: &AccountId, conversation: &ConversationId) {
        let mut talks = self.talks.lock();
        match talks.get_mut(conversation) {
            Some(Entry::Live(live)) if live.account == *account => live.cancel.cancel(),
            Some(Entry::Awaited(awaited)) if awaited.account == *account => {
                awaited.is_cancelled = true;
            }
            Some(_) => {}
            None => remember_cancel(&mut talks, conversation, account),
        }
    }

    fn add<'a>(
        &'a self,
        account: &'a AccountId,
        conversation: &'a ConversationId,
        addition: AdditionSpec,
    ) -> Pin<Box<dyn Future<Output = Result<CallId, NotAdded>> + Send + 'a>> {
        Box::pin(async move {
            let live = self.live_of(account, conversation).ok_or(NotAdded::Unknown)?;
            let (application, phase) = {
                let view = live.view.lock();
                (view.application.clone(), view.phase)
            };
            // Asked again by the machine; here so that a refusal takes no line and names its reason
            // before the line's.
            if let Some(refusal) = refusal_in(phase) {
                return Err(NotAdded::Refused(refusal));
            }
            let passed =
                self.pass(account, &application, &addition.callee).map_err(NotAdded::Busy)?;
            let call = CallId::new(self.gate.app.ids().mint(IdKind::Call));
            let (reply, told) = oneshot::channel();
            let add = Add { spec: addition, call: call.clone(), passed: *passed, reply };
            if live.orders.try_send(Order::Add(Box::new(add))).is_err() {
                let refusal = match live.orders.is_closed() {
                    true => AddRefusal::Ended,
                    false => AddRefusal::AlreadyThree,
                };
                return Err(NotAdded::Refused(refusal));
            }
            match told.await {
                Ok(Ok(())) => Ok(call),
                Ok(Err(refusal)) => Err(NotAdded::Refused(refusal)),
                // The conversation has ended without looking at it.
                Err(_) => Err(NotAdded::Refused(AddRefusal::Ended)),
            }
        })
    }

    fn state(&self, account: &AccountId, conversation: &ConversationId) -> Option<TalkState> {
        self.live_of(account, conversation).map(|live| live.view.lock().clone())
    }

    fn phase(&self, account: &AccountId, conversation: &ConversationId) -> Option<TalkPhase> {
        self.live_of(account, conversation).map(|live| live.view.lock().phase)
    }
}

/// Why a conversation that is so far takes nobody in.
fn refusal_in(phase: TalkPhase) -> Option<AddRefusal> {
    match phase {
        TalkPhase::Caller | TalkPhase::Callee => Some(AddRefusal::NotBridged),
        TalkPhase::Adding => Some(AddRefusal::AlreadyThree),
        TalkPhase::Ending => Some(AddRefusal::Ended),
        TalkPhase::Connected => None,
    }
}

/// The rule under which a leg that met a limit is recorded.
pub(super) fn rule_of(full: &Full) -> String {
    match &full.waits_for {
        WaitsFor::Line(limit) => limit.clone(),
        WaitsFor::Trunks => Rule::TrunksDown.name().to_owned(),
    }
}
