//! Trunks, calls aside: registered with, and asked for signs of life.
//!
//! - [`Trunks`] has one task for each trunk, its `keeper`: begun, replaced and ended as the platform
//!   says. One that fails disturbs no other.
//! - `registration` and `probe` decide, purely: when to ask, what an answer means.
//! - `exchange` carries one request to its answer, `requests` writes it, `outcome` reads what came.

mod exchange;
mod figures;
mod keeper;
mod outcome;
mod probe;
mod registration;
mod requests;

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use parking_lot::Mutex;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use yunling_switch_contract::{EventSink, TrunkPlan};

use crate::engine::Registry;
use crate::sip::stack::Stack;
use crate::sip::timers::Timers;
use keeper::Leave;

/// The pause before a keeper that panicked is begun anew; it doubles with each time, until one has
/// run for longer than [`LONGEST_PAUSE`].
const PAUSE: Duration = Duration::from_secs(1);

/// The longest of these pauses.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// What all keepers share.
pub(crate) struct Office {
    pub stack: Arc<Stack>,
    pub registry: Arc<Registry>,
    pub timers: Timers,
    pub sink: Arc<dyn EventSink>,
}

/// See the module's head.
pub(crate) struct Trunks {
    office: Arc<Office>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    kept: HashMap<Arc<str>, Kept>,
    /// Keepers that were asked to leave and may not be gone yet.
    leaving: Vec<Leaving>,
    closed: bool,
}

/// A trunk that is kept.
struct Kept {
    plan: TrunkPlan,
    leave: Leave,
    gone: CancellationToken,
}

/// A keeper on its way out.
struct Leaving {
    binding: Option<Binding>,
    gone: CancellationToken,
}

/// What a registrar knows us by: host and user. One that is taken back must be gone before it is
/// made anew, or the farewell of the old keeper undoes what the new one did.
type Binding = (String, String);

fn binding(plan: &TrunkPlan) -> Option<Binding> {
    plan.register.as_ref().map(|register| (plan.peer.host.clone(), register.user.clone()))
}

/// Whether two plans register the same contact at the same place.
fn is_bound_alike(one: &TrunkPlan, other: &TrunkPlan) -> bool {
    let place = |plan: &TrunkPlan| {
        let peer = &plan.peer;
        (peer.host.clone(), peer.port, peer.transport, peer.from_domain.clone())
    };
    one.register.as_ref().map(|register| &register.user)
        == other.register.as_ref().map(|register| &register.user)
        && place(one) == place(other)
}

impl Trunks {
    pub(crate) fn new(office: Office) -> Self {
        Self { office: Arc::new(office), state: Mutex::default() }
    }

    /// Keeps these trunks from now on. A trunk that is as it was goes on undisturbed, one that
    /// changed is begun anew, one that is gone is unregistered.
    pub(crate) fn keep(&self, plans: Vec<TrunkPlan>) {
        let mut state = self.state.lock();
        if state.closed {
            return;
        }
        state.leaving.retain(|leaving| !leaving.gone.is_cancelled());
        let mut before = std::mem::take(&mut state.kept);
        let mut changed: Vec<TrunkPlan> = Vec::new();
        for plan in plans {
            let is_changed = changed.iter().any(|other| other.name == plan.name);
            if is_changed || state.kept.contains_key(&plan.name) {
                tracing::error!(trunk = %plan.name, "a trunk is planned twice: the first one counts");
                continue;
            }
            match before.remove(&plan.name) {
                Some(kept) if kept.plan == plan => {
                    state.kept.insert(Arc::clone(&plan.name), kept);
                }
                Some(kept) => {
                    // Replaced by the next registration, so that there is no moment without one.
                    if is_bound_alike(&kept.plan, &plan) {
                        kept.leave.ask_silently();
                    }
                    state.leaving.push(kept.go());
                    changed.push(plan);
                }
                None => changed.push(plan),
            }
        }
        for (_, gone) in before {
            state.leaving.push(gone.go());
        }
        // Begun when all who leave are known.
        for plan in changed {
            let binding = binding(&plan);
            let after: Vec<CancellationToken> = state
                .leaving
                .iter()
                .filter(|leaving| binding.is_some() && leaving.binding == binding)
                .map(|leaving| leaving.gone.clone())
                .collect();
            let kept = self.begin(plan, after);
            state.kept.insert(Arc::clone(&kept.plan.name), kept);
        }
    }

    fn begin(&self, plan: TrunkPlan, after: Vec<CancellationToken>) -> Kept {
        let kept = Kept { plan, leave: Leave::default(), gone: CancellationToken::new() };
        let (office, plan) = (Arc::clone(&self.office), kept.plan.clone());
        let (leave, gone) = (kept.leave.clone(), kept.gone.clone());
        tokio::spawn(async move {
            let _gone = gone.drop_guard();
            for other in after {
                // Their farewells are bounded too.
                let _bounded = timeout(office.timers.farewell * 2, other.cancelled()).await;
            }
            supervise(&office, &plan, &leave).await;
        });
        kept
    }

    /// Takes back all registrations, within so long, and keeps no trunk any more.
    pub(crate) async fn close(&self, patience: Duration) {
        let leaving = {
            let mut state = self.state.lock();
            state.closed = true;
            let kept = std::mem::take(&mut state.kept);
            let mut leaving = std::mem::take(&mut state.leaving);
            leaving.extend(kept.into_values().map(Kept::go));
            leaving
        };
        let gone = async {
            for keeper in leaving {
                keeper.gone.cancelled().await;
            }
        };
        if timeout(patience, gone).await.is_err() {
            tracing::warn!("closing over trunks that could not be unregistered in time");
        }
    }
}

impl Drop for Trunks {
    fn drop(&mut self) {
        for kept in self.state.get_mut().kept.values() {
            kept.leave.ask_silently();
        }
    }
}

impl Kept {
    /// Asks the keeper to leave.
    fn go(self) -> Leaving {
        self.leave.ask();
        Leaving { binding: binding(&self.plan), gone: self.gone }
    }
}

/// Runs a keeper until it is asked to leave; one that panics is begun anew after a pause.
async fn supervise(office: &Office, plan: &TrunkPlan, leave: &Leave) {
    let mut pause = PAUSE;
    loop {
        let began = Instant::now();
        let keeping = AssertUnwindSafe(keeper::keep(office, plan, leave)).catch_unwind();
        if keeping.await.is_ok() {
            return;
        }
        // The hook has printed where.
        tracing::error!(
            trunk = %plan.name,
            "the keeper of a trunk panicked, by a fault of the engine's: it is begun anew"
        );
        figures::keeper_panicked();
        if began.elapsed() > LONGEST_PAUSE {
            pause = PAUSE;
        }
        tokio::select! {
            () = leave.asked() => return,
            () = sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
        }
    }
}
