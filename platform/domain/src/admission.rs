//! Counting of permits: how many calls at once, and how many new ones a second, an account or a
//! trunk may have. Pure: the time is an argument. The dispatcher owns the gauges, takes a permit
//! from every one concerned in one step, and gives it back when the call is over.

use crate::Micros;

const MICROS_PER_S: i64 = 1_000_000;
/// How much of a second's worth of calls may come at once, one part in so many (at least one call):
/// a dispatcher that wakes a little late catches up, and a trunk still sees hardly more than its
/// rate in any second.
const BURST_DIVISOR: u32 = 10;

/// What an account or a trunk may have; absent: without limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Calls at once.
    pub max_calls: Option<u32>,
    /// New calls a second. 0 lets none through.
    pub max_cps: Option<u32>,
}

impl Limits {
    /// What is left of them where so many percent, and at least one call where there are two, are
    /// kept for others. A limit of one is not divided.
    #[must_use]
    pub fn less(self, kept_percent: u32) -> Self {
        let rest = |limit: u32| {
            if kept_percent == 0 || limit < 2 {
                return limit;
            }
            let kept = u64::from(limit) * u64::from(kept_percent.min(100));
            let kept = u32::try_from(kept.div_ceil(100)).unwrap_or(limit).max(1);
            limit.saturating_sub(kept).max(1)
        };
        Self { max_calls: self.max_calls.map(rest), max_cps: self.max_cps.map(rest) }
    }
}

/// Why no permit was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// As many calls are up as may be: when one is over, ask again.
    ForRelease,
    /// Calls came too fast: ask again then.
    Until(Micros),
}

/// The permits of one account or trunk.
#[derive(Debug, Clone)]
pub struct Gauge {
    limits: Limits,
    in_use: u32,
    /// When a bucket that holds one second's share would be full again (the generic cell rate
    /// algorithm of ITU-T I.371: a token bucket kept as one instant).
    full_at: Micros,
}

impl Gauge {
    /// A gauge with nothing in use and a full bucket.
    pub fn new(limits: Limits) -> Self {
        Self::with_in_use(limits, 0)
    }

    /// A gauge that is rebuilt from the calls that are already up.
    pub fn with_in_use(limits: Limits, in_use: u32) -> Self {
        Self { limits, in_use, full_at: Micros(i64::MIN) }
    }

    /// Calls that hold a permit.
    pub const fn in_use(&self) -> u32 {
        self.in_use
    }

    /// The limits in force.
    pub const fn limits(&self) -> Limits {
        self.limits
    }

    /// Takes changed limits; calls that are up stay up.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Whether a permit could be taken now.
    ///
    /// # Errors
    /// [`Wait`] says for what.
    pub fn check(&self, now: Micros) -> Result<(), Wait> {
        if self.limits.max_calls.is_some_and(|most| self.in_use >= most) {
            return Err(Wait::ForRelease);
        }
        match self.limits.max_cps {
            None => Ok(()),
            Some(0) => Err(Wait::ForRelease),
            Some(cps) => {
                let from = self.next_at(cps);
                if now >= from { Ok(()) } else { Err(Wait::Until(from)) }
            }
        }
    }

    /// Takes a permit.
    ///
    /// # Errors
    /// [`Wait`] says for what; nothing was taken then.
    pub fn try_take(&mut self, now: Micros) -> Result<(), Wait> {
        self.check(now)?;
        self.take(now);
        Ok(())
    }

    /// Gives a permit back. One too many is not counted: an in-use count never wraps.
    pub fn release(&mut self) {
        self.in_use = self.in_use.saturating_sub(1);
    }

    fn take(&mut self, now: Micros) {
        self.in_use = self.in_use.saturating_add(1);
        if let Some(cps @ 1..) = self.limits.max_cps {
            let base = self.full_at.max(now);
            self.full_at = Micros(base.0.saturating_add(interval_us(cps)));
        }
    }

    /// From when on the bucket holds a token.
    fn next_at(&self, cps: u32) -> Micros {
        let burst = i64::from((cps / BURST_DIVISOR).max(1));
        Micros(self.full_at.0.saturating_sub((burst - 1) * interval_us(cps)))
    }
}

/// Microseconds between calls at a rate, rounded up so that the rate is never exceeded.
fn interval_us(cps: u32) -> i64 {
    let cps = i64::from(cps);
    (MICROS_PER_S + cps - 1) / cps
}

/// Takes a permit from every gauge, or from none.
///
/// # Errors
/// The [`Wait`] of the first that refuses for lack of a release, else the latest instant asked for.
pub fn try_take_all(gauges: &mut [&mut Gauge], now: Micros) -> Result<(), Wait> {
    let waits = gauges.iter().filter_map(|gauge| gauge.check(now).err());
    let longest = waits.reduce(|a, b| match (a, b) {
        (Wait::Until(a), Wait::Until(b)) => Wait::Until(a.max(b)),
        _ => Wait::ForRelease,
    });
    if let Some(wait) = longest {
        return Err(wait);
    }
    for gauge in gauges {
        gauge.take(now);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
