//! What this node knows of its trunks besides their configuration: whether they live, how many calls
//! they carry, what became of them. In memory, of this process; the gate reads it for every call.

mod counts;

pub use counts::Counts;

use crate::directory::{Directory, Trunk};
use crate::ports::TrunkLoads;
use arc_swap::ArcSwap;
use counts::Tally;
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};
use yunling_domain::Micros;
use yunling_domain::trunk_health::{
    Expected, Probing, Registration, Standing, TrunkFact, TrunkHealth, TrunkState,
};

/// What is known of every trunk of the directory.
#[derive(Default)]
pub struct Trunks {
    watched: Mutex<BTreeMap<Arc<str>, Watched>>,
    draining: ArcSwap<BTreeSet<String>>,
    down: ArcSwap<BTreeSet<String>>,
    closed: ArcSwap<BTreeSet<String>>,
    loads: OnceLock<Arc<dyn TrunkLoads>>,
}

struct Watched {
    /// As configured when its health began: a trunk that has moved is another one.
    trunk: Arc<Trunk>,
    health: TrunkHealth,
    tally: Tally,
}

/// A trunk's state has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// Which trunk.
    pub trunk: Arc<str>,
    /// How it stands now.
    pub standing: Standing,
}

/// Everything that is known of a trunk at one moment.
#[derive(Debug, Clone)]
pub struct Observed {
    /// How it stands.
    pub standing: Standing,
    /// Its registration, where it must register.
    pub registration: Option<Registration>,
    /// Its answers to OPTIONS.
    pub probing: Probing,
    /// Calls on it now.
    pub calls: u32,
    /// Calls that were sent to it within the last second.
    pub cps: u32,
    /// Since the start of this process.
    pub counts: Counts,
}

impl Trunks {
    /// Follows the configuration: trunks that are new or have moved begin with nothing known of them,
    /// those that are gone are forgotten, those that are as they were go on.
    pub(crate) fn follow(&self, directory: &Directory, now: Micros) {
        let mut watched = self.watched.lock();
        let mut before = std::mem::take(&mut *watched);
        for trunk in directory.trunks().filter(|trunk| trunk.enabled) {
            let known = before.remove(&trunk.name);
            let (old, tally) = match known {
                Some(Watched { trunk: old, health, tally }) => (Some((old, health)), tally),
                None => (None, Tally::default()),
            };
            let health = match old {
                Some((old, health)) if old.reaches_the_same(trunk) => health,
                _ => TrunkHealth::new(Expected { registers: trunk.register.is_some() }, now),
            };
            let one = Watched { trunk: Arc::clone(trunk), health, tally };
            watched.insert(Arc::clone(&trunk.name), one);
        }
        let draining = directory.draining().keys().map(ToString::to_string).collect();
        self.draining.store(Arc::new(draining));
        self.publish(&watched);
    }

    /// The names of the trunks that are known to take no calls: down, or being drained. What is
    /// asked for over these alone is refused.
    pub fn known_down(&self) -> Arc<BTreeSet<String>> {
        self.down.load_full()
    }

    /// The names of the trunks that no call is sent to now: [`Self::known_down`], and those that are
    /// still registering.
    pub fn closed(&self) -> Arc<BTreeSet<String>> {
        self.closed.load_full()
    }

    /// Takes what was learned of a trunk. Gives its standing where its state has changed. Facts of
    /// trunks that are not configured any more are thrown away.
    pub fn learn(&self, trunk: &str, fact: TrunkFact, now: Micros) -> Option<News> {
        let mut watched = self.watched.lock();
        let one = watched.get_mut(trunk)?;
        let took_calls = one.health.takes_calls();
        let changed = one.health.learn(now, fact);
        let news = changed.then(|| News {
            trunk: Arc::clone(&one.trunk.name),
            standing: one.health.standing().clone(),
        });
        if changed || one.health.takes_calls() != took_calls {
            self.publish(&watched);
        }
        news
    }

    /// Lets time pass. Gives those whose state has changed by it.
    pub fn tick(&self, now: Micros) -> Vec<News> {
        let mut watched = self.watched.lock();
        let moved = watched.values_mut().filter_map(|one| {
            one.health.tick(now).then(|| News {
                trunk: Arc::clone(&one.trunk.name),
                standing: one.health.standing().clone(),
            })
        });
        let moved: Vec<News> = moved.collect();
        if !moved.is_empty() {
            self.publish(&watched);
        }
        moved
    }

    /// Everything that is known of a trunk; nothing where it is not configured or disabled.
    pub fn observe(&self, trunk: &str, now: Micros) -> Option<Observed> {
        let calls = self.loads.get().map_or(0, |loads| loads.calls(trunk));
        let watched = self.watched.lock();
        let one = watched.get(trunk)?;
        Some(Observed {
            standing: one.health.standing().clone(),
            registration: one.health.registration().cloned(),
            probing: one.health.probing().clone(),
            calls,
            cps: one.tally.cps(now),
            counts: one.tally.counts().clone(),
        })
    }

    /// Where to ask how many calls a trunk carries. The first one who says so is asked for good.
    pub fn ask_for_loads(&self, loads: Arc<dyn TrunkLoads>) {
        // A process has one dispatcher.
        let _ = self.loads.set(loads);
    }

    /// A call was sent to a trunk.
    pub fn dialled(&self, trunk: &str, now: Micros) {
        self.tally(trunk, |tally| tally.dialled(now));
    }

    /// A call over a trunk was answered.
    pub fn answered(&self, trunk: &str) {
        self.tally(trunk, |tally| tally.counts.answered += 1);
    }

    /// A call over a trunk ended without an answer: with this SIP status or in this way.
    pub fn failed(&self, trunk: &str, how: &str) {
        self.tally(trunk, |tally| tally.failed(how));
    }

    /// A call went from this trunk to the next.
    pub fn failed_over(&self, trunk: &str) {
        self.tally(trunk, |tally| tally.counts.failed_over += 1);
    }

    /// A call went past a trunk that took none.
    pub fn skipped(&self, trunk: &str) {
        self.tally(trunk, |tally| tally.counts.skipped += 1);
    }

    fn tally(&self, trunk: &str, change: impl FnOnce(&mut Tally)) {
        if let Some(one) = self.watched.lock().get_mut(trunk) {
            change(&mut one.tally);
        }
    }

    fn publish(&self, watched: &BTreeMap<Arc<str>, Watched>) {
        let draining = self.draining.load();
        let names = |out: &dyn Fn(&TrunkHealth) -> bool| {
            let out = watched.values().filter(|one| out(&one.health));
            let names = out.map(|one| one.trunk.name.to_string());
            Arc::new(names.chain(draining.iter().cloned()).collect::<BTreeSet<_>>())
        };
        self.down.store(names(&|health| health.standing().state == TrunkState::Down));
        self.closed.store(names(&|health| !health.takes_calls()));
    }
}

#[cfg(test)]
mod tests;
