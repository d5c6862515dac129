//! Chance that can be repeated, and how long a suite may take.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::Duration;

/// A sequence of random numbers (SplitMix64), the same for the same seed.
pub(crate) struct Dice(u64);

impl Dice {
    /// With the seed of `YUNLING_SEED`, else a new one; it is printed, so that a failure can be
    /// repeated.
    pub(crate) fn throw() -> Self {
        let seed = match std::env::var("YUNLING_SEED") {
            Ok(text) => text.parse().expect("YUNLING_SEED is a number"),
            Err(_) => RandomState::new().build_hasher().finish(),
        };
        println!("YUNLING_SEED={seed}");
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A time below this one.
    pub(crate) fn moment(&mut self, below: Duration) -> Duration {
        let below_us = u64::try_from(below.as_micros()).expect("a test takes less than an age");
        Duration::from_micros(self.next() % below_us)
    }

    /// One of these.
    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        let count = u64::try_from(from.len()).expect("a slice is not that long");
        &from[usize::try_from(self.next() % count).expect("it is below the length")]
    }
}

/// `YUNLING_SOAK=1`: the long forms of the suites.
pub(crate) fn soak() -> bool {
    std::env::var("YUNLING_SOAK").is_ok_and(|value| value == "1")
}
