//! Chance: octets that nobody can foresee, and a cheap generator for spreading things.

/// `N` octets that nobody can foresee.
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes)
        .expect("the system's random generator works once it is seeded");
    bytes
}

/// A cheap generator for spreading things in time and over servers; not for secrets. SplitMix64.
#[derive(Debug, Clone)]
pub(crate) struct Spread(u64);

impl Spread {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Evenly from 0 to below `limit`, for a `limit` that is small against 2^64; 0 for 0.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)).checked_rem(limit).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spread_covers_its_range() {
        let mut spread = Spread::new(1);
        let mut seen = [false; 10];
        for _ in 0..1_000 {
            seen[usize::try_from(spread.below(10)).unwrap_or(99)] = true;
        }
        assert_eq!(seen, [true; 10]);
        assert_eq!(spread.below(0), 0);
    }
}
