//! Who may have one more call now: the gauges of accounts and trunks. A permit gives back what it took when it is dropped.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use yunling_app::directory::{Account, Trunk};
use yunling_app::ports::TrunkLoads;
use yunling_domain::Fault;
use yunling_domain::admission::{Gauge, Limits, Wait, try_take_all};
use yunling_domain::policy::Rule;
use yunling_domain::{AccountId, Micros};

/// Whose gauge it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Holder {
    Account(Arc<str>),
    Trunk(Arc<str>),
    /// What the batches of an account may have of its limits.
    AccountBatches(Arc<str>),
    /// What batches may have of a trunk's limits.
    TrunkBatches(Arc<str>),
}

/// The gauges.
#[derive(Default)]
pub(crate) struct Admission {
    gauges: Mutex<HashMap<Holder, Gauge>>,
    /// Told whenever a permit comes back: calls that waited may start.
    pub(super) released: tokio::sync::Notify,
}

/// One call's share of an account's and a trunk's limits, or of a trunk's alone.
pub(super) struct Permit {
    admission: Arc<Admission>,
    held: Vec<Holder>,
}

/// How much of the limits a call may take of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Share {
    /// All: somebody waits for it.
    Whole,
    /// A batch's: so many percent are left to the others.
    AllBut {
        /// Percent.
        percent: u32,
    },
}

/// Why no call can start, and which limit it waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Full {
    /// For what.
    pub(super) waits_for: WaitsFor,
    /// When to ask again; absent: when a permit comes back.
    pub(super) until: Option<Micros>,
}

/// What a call that cannot start waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum WaitsFor {
    /// A line of `account`, or of the trunk of this name.
    Line(String),
    /// One of its trunks to come up.
    Trunks,
}

impl Full {
    /// Whether it waits for a trunk to come up.
    pub(super) fn is_for_trunks(&self) -> bool {
        self.waits_for == WaitsFor::Trunks
    }

    /// Its name in stories and logs.
    pub(super) fn limit(&self) -> &str {
        match &self.waits_for {
            WaitsFor::Line(limit) => limit,
            WaitsFor::Trunks => Rule::TrunksDown.name(),
        }
    }

    /// The rule and the fault of a call that has waited in vain.
    pub(super) fn expiry(&self) -> (&'static str, Fault) {
        match self.waits_for {
            WaitsFor::Line(_) => ("queue_max_wait", Fault::Platform),
            WaitsFor::Trunks => (Rule::TrunksDown.name(), Fault::Trunk),
        }
    }
}

impl Admission {
    /// A call of `account` over `trunk`: takes from every gauge concerned or from none.
    pub(super) fn take(
        self: &Arc<Self>,
        account: &Account,
        trunk: &Trunk,
        share: Share,
        now: Micros,
    ) -> Result<Permit, Full> {
        let mut wanted = vec![
            (Holder::Account(account.id.as_str().into()), account.limits),
            (Holder::Trunk(Arc::clone(&trunk.name)), trunk.limits),
        ];
        if let Share::AllBut { percent } = share {
            let id = account.id.as_str().into();
            wanted.push((Holder::AccountBatches(id), account.limits.less(percent)));
            let name = Arc::clone(&trunk.name);
            wanted.push((Holder::TrunkBatches(name), trunk.limits.less(percent)));
        }
        self.take_each(&wanted, now)
    }

    /// Another trunk for a call whose account's share is already held.
    pub(super) fn take_trunk(self: &Arc<Self>, trunk: &Trunk, now: Micros) -> Result<Permit, Full> {
        self.take_each(&[(Holder::Trunk(Arc::clone(&trunk.name)), trunk.limits)], now)
    }

    /// The share of a call that is up already, whatever the limits say: an earlier process's.
    pub(super) fn hold(self: &Arc<Self>, account: &AccountId, trunk: &str) -> Permit {
        let held = vec![Holder::Account(account.as_str().into()), Holder::Trunk(trunk.into())];
        let mut gauges = self.gauges.lock();
        for holder in &held {
            let gauge =
                gauges.entry(holder.clone()).or_insert_with(|| Gauge::new(Limits::default()));
            *gauge = Gauge::with_in_use(gauge.limits(), gauge.in_use() + 1);
            holder.show(gauge.in_use());
        }
        Permit { admission: Arc::clone(self), held }
    }

    fn take_each(
        self: &Arc<Self>,
        wanted: &[(Holder, Limits)],
        now: Micros,
    ) -> Result<Permit, Full> {
        let mut gauges = self.gauges.lock();
        for (holder, limits) in wanted {
            let gauge = gauges.entry(holder.clone()).or_insert_with(|| Gauge::new(*limits));
            if gauge.limits() != *limits {
                gauge.set_limits(*limits);
            }
        }
        for (holder, _) in wanted {
            if let Some(Err(wait)) = gauges.get(holder).map(|gauge| gauge.check(now)) {
                let waits_for = WaitsFor::Line(holder.name().to_owned());
                return Err(Full { waits_for, until: until(wait) });
            }
        }
        for (holder, _) in wanted {
            if let Some(gauge) = gauges.get_mut(holder) {
                // Checked under the same lock just above.
                let _ = try_take_all(&mut [gauge], now);
                holder.show(gauge.in_use());
            }
        }
        let held = wanted.iter().map(|(holder, _)| holder.clone()).collect();
        Ok(Permit { admission: Arc::clone(self), held })
    }
}

fn until(wait: Wait) -> Option<Micros> {
    match wait {
        Wait::ForRelease => None,
        Wait::Until(at) => Some(at),
    }
}

impl TrunkLoads for Admission {
    fn calls(&self, trunk: &str) -> u32 {
        self.gauges.lock().get(&Holder::Trunk(trunk.into())).map_or(0, Gauge::in_use)
    }
}

impl Holder {
    /// A trunk's calls as a figure. Accounts have none: figures carry no tenants.
    fn show(&self, calls: u32) {
        if let Self::Trunk(name) = self {
            metrics::gauge!("yunling_trunk_calls", "trunk" => name.to_string()).set(calls);
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::Account(_) | Self::AccountBatches(_) => "account",
            Self::Trunk(name) | Self::TrunkBatches(name) => name,
        }
    }
}

impl Permit {
    /// Whether it has a share of this trunk.
    pub(super) fn is_for(&self, trunk: &Arc<str>) -> bool {
        self.held.contains(&Holder::Trunk(Arc::clone(trunk)))
    }

    /// Takes over what another permit holds, so that both end together.
    pub(super) fn join(&mut self, mut other: Self) {
        self.held.append(&mut other.held);
    }

    /// Gives back a trunk's share: the call has left that trunk for the next.
    pub(super) fn leave_trunk(&mut self, trunk: &Arc<str>) {
        for holder in [Holder::Trunk(Arc::clone(trunk)), Holder::TrunkBatches(Arc::clone(trunk))] {
            if let Some(index) = self.held.iter().position(|held| *held == holder) {
                self.held.swap_remove(index);
                self.admission.give_back(&[holder]);
            }
        }
    }
}

impl Admission {
    fn give_back(&self, held: &[Holder]) {
        let mut gauges = self.gauges.lock();
        for holder in held {
            if let Some(gauge) = gauges.get_mut(holder) {
                gauge.release();
                holder.show(gauge.in_use());
            }
        }
        drop(gauges);
        self.released.notify_one();
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.admission.give_back(&self.held);
    }
}
