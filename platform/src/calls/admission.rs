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
    /// The pace of an account's batches.
    AccountBatches(Arc<str>),
    /// The pace of all batches on a trunk.
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

/// A gauge that a call takes from.
struct Wanted {
    holder: Holder,
    limits: Limits,
    /// A call that leaves room for others starts only below so many calls at once, whoever made
    /// them.
    below: Option<u32>,
}

/// How much of the limits a call may take of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Share {
    /// All: somebody waits for it.
    Whole,
    /// A batch's: so many percent of the calls at once stay free for others, and its pace is that
    /// much slower.
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
        let holder = Holder::Account(account.id.as_str().into());
        let mut wanted = share.of(holder, Holder::AccountBatches, account.limits);
        let holder = Holder::Trunk(Arc::clone(&trunk.name));
        wanted.extend(share.of(holder, Holder::TrunkBatches, trunk.limits));
        self.take_each(&wanted, now)
    }

    /// Another trunk for a call whose account's share is already held.
    pub(super) fn take_trunk(
        self: &Arc<Self>,
        trunk: &Trunk,
        share: Share,
        now: Micros,
    ) -> Result<Permit, Full> {
        let holder = Holder::Trunk(Arc::clone(&trunk.name));
        self.take_each(&share.of(holder, Holder::TrunkBatches, trunk.limits), now)
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

    fn take_each(self: &Arc<Self>, wanted: &[Wanted], now: Micros) -> Result<Permit, Full> {
        let mut gauges = self.gauges.lock();
        for Wanted { holder, limits, .. } in wanted {
            let gauge = gauges.entry(holder.clone()).or_insert_with(|| Gauge::new(*limits));
            if gauge.limits() != *limits {
                gauge.set_limits(*limits);
            }
        }
        for Wanted { holder, below, .. } in wanted {
            let Some(gauge) = gauges.get(holder) else { continue };
            let is_full = below.is_some_and(|below| gauge.in_use() >= below);
            if let Err(wait) = if is_full { Err(Wait::ForRelease) } else { gauge.check(now) } {
                let waits_for = WaitsFor::Line(holder.name().to_owned());
                return Err(Full { waits_for, until: until(wait) });
            }
        }
        for Wanted { holder, .. } in wanted {
            if let Some(gauge) = gauges.get_mut(holder) {
                // Checked under the same lock just above.
                let _ = try_take_all(&mut [gauge], now);
                holder.show(gauge.in_use());
            }
        }
        let held = wanted.iter().map(|wanted| wanted.holder.clone()).collect();
        Ok(Permit { admission: Arc::clone(self), held })
    }
}

impl Share {
    /// What a call of this share takes of an account's or a trunk's limits: from its gauge, and from
    /// the one that paces batches.
    fn of(self, holder: Holder, batches: fn(Arc<str>) -> Holder, limits: Limits) -> Vec<Wanted> {
        let Self::AllBut { percent } = self else {
            return vec![Wanted { holder, limits, below: None }];
        };
        let Limits { max_calls, max_cps } = limits.less(percent);
        let pace = Wanted {
            holder: batches(holder.key()),
            limits: Limits { max_calls: None, max_cps },
            below: None,
        };
        vec![Wanted { holder, limits, below: max_calls }, pace]
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

    /// Whose it is.
    fn key(&self) -> Arc<str> {
        let (Self::Account(key)
        | Self::AccountBatches(key)
        | Self::Trunk(key)
        | Self::TrunkBatches(key)) = self;
        Arc::clone(key)
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

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { max_calls: Some(10), max_cps: None };
    const BATCH: Share = Share::AllBut { percent: 20 };

    /// Calls of a trunk with these shares one after another; whether each started, and the calls.
    fn started(shares: &[Share]) -> (Vec<bool>, Arc<Admission>, Vec<Permit>) {
        let admission = Arc::<Admission>::default();
        let mut permits = Vec::new();
        let mut started = Vec::new();
        for share in shares {
            let wanted = share.of(Holder::Trunk("t".into()), Holder::TrunkBatches, LIMITS);
            let taken = admission.take_each(&wanted, Micros(0));
            started.push(taken.is_ok());
            permits.extend(taken);
        }
        (started, admission, permits)
    }

    #[test]
    fn a_batch_always_leaves_room_for_who_waits() {
        let many = |share, count| vec![share; count];
        for (name, shares, expected) in [
            ("a batch alone", many(BATCH, 10), vec![true; 8]),
            ("others alone", many(Share::Whole, 10), vec![true; 10]),
            (
                "a batch before others",
                [many(BATCH, 8), many(Share::Whole, 2)].concat(),
                vec![true; 10],
            ),
            (
                "a batch beside others",
                [many(Share::Whole, 5), many(BATCH, 5)].concat(),
                vec![true; 8],
            ),
        ] {
            let (mut taken, ..) = started(&shares);
            taken.retain(|taken| *taken);
            assert_eq!(taken, expected, "{name}");
        }
    }

    #[test]
    fn a_release_lets_a_batch_go_on() {
        let (_, admission, mut permits) = started(&[BATCH; 8]);
        let wanted = BATCH.of(Holder::Trunk("t".into()), Holder::TrunkBatches, LIMITS);
        let full = admission.take_each(&wanted, Micros(0)).err();
        assert_eq!(full, Some(Full { waits_for: WaitsFor::Line("t".into()), until: None }));
        permits.pop();
        assert!(admission.take_each(&wanted, Micros(0)).is_ok());
    }
}
