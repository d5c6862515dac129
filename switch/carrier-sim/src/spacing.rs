//! How evenly packets came in: a histogram of the time between packets that follow one another.

use serde::Serialize;

/// Width of a bin.
const BIN_US: u64 = 100;
/// Longer gaps share the last bin; the longest is kept exactly.
const BINS: usize = 2_000;

/// Gaps of one call.
#[derive(Debug)]
pub(crate) struct Spacing {
    bins: Box<[u32]>,
    gaps: u32,
    even: u32,
    longest_us: u64,
}

/// The summary that the `ended` event carries.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Evenness {
    /// Median gap, milliseconds.
    pub(crate) spacing_p50_ms: f64,
    /// 99th percentile.
    pub(crate) spacing_p99_ms: f64,
    /// Longest gap.
    pub(crate) spacing_max_ms: f64,
    /// Share of gaps within 20 ± 2 ms, 0 to 1.
    pub(crate) share_20ms: f64,
}

impl Default for Spacing {
    fn default() -> Self {
        Self { bins: vec![0; BINS].into(), gaps: 0, even: 0, longest_us: 0 }
    }
}

impl Spacing {
    pub(crate) fn add(&mut self, gap_us: u64) {
        let bin = usize::try_from(gap_us / BIN_US).unwrap_or(BINS).min(BINS - 1);
        self.bins[bin] = self.bins[bin].saturating_add(1);
        self.gaps += 1;
        self.even += u32::from((18_000..=22_000).contains(&gap_us));
        self.longest_us = self.longest_us.max(gap_us);
    }

    /// `None` if no two packets followed one another.
    pub(crate) fn evenness(&self) -> Option<Evenness> {
        (self.gaps > 0).then(|| Evenness {
            spacing_p50_ms: self.percentile_ms(0.50),
            spacing_p99_ms: self.percentile_ms(0.99),
            spacing_max_ms: self.longest_us as f64 / 1_000.0,
            share_20ms: f64::from(self.even) / f64::from(self.gaps),
        })
    }

    fn percentile_ms(&self, share: f64) -> f64 {
        let wanted = (f64::from(self.gaps) * share).ceil() as u64;
        let mut seen = 0;
        for (bin, count) in self.bins.iter().enumerate() {
            seen += u64::from(*count);
            if seen >= wanted {
                return bin as f64 * BIN_US as f64 / 1_000.0;
            }
        }
        self.longest_us as f64 / 1_000.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summarises_gaps() {
        let mut spacing = Spacing::default();
        assert_eq!(spacing.evenness(), None);
        for _ in 0..97 {
            spacing.add(20_040);
        }
        for gap_us in [23_000, 30_000, 900_000] {
            spacing.add(gap_us);
        }
        let expected = Evenness {
            spacing_p50_ms: 20.0,
            spacing_p99_ms: 30.0,
            spacing_max_ms: 900.0,
            share_20ms: 0.97,
        };
        assert_eq!(spacing.evenness(), Some(expected));
    }
}
