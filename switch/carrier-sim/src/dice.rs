//! Chance that can be repeated: each call throws its own dice, seeded by the run and its Call-ID,
//! so that the packets lost in one call do not depend on which other calls ran beside it.

/// SplitMix64 (Steele, Lea, Flood 2014). Not for secrets.
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64, salt: &str) -> Self {
        // FNV-1a: any mixing of the salt will do, SplitMix64 scrambles it further.
        let hash = salt.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        Self(seed ^ hash)
    }

    pub(crate) fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn next_u32(&mut self) -> u32 {
        (self.next_u64() >> 32) as u32
    }

    pub(crate) fn next_u16(&mut self) -> u16 {
        (self.next_u64() >> 48) as u16
    }

    /// True in `percent` of all throws.
    pub(crate) fn falls_within(&mut self, percent: f32) -> bool {
        // 24 bits fill an f32's mantissa exactly.
        let throw = (self.next_u64() >> 40) as f32 / (1u32 << 24) as f32;
        throw * 100.0 < percent
    }

    /// Sixteen hexadecimal digits, for a tag or a branch.
    pub(crate) fn token(&mut self) -> String {
        format!("{:016x}", self.next_u64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_call_throws_the_same_dice_and_another_does_not() {
        let throw = |seed, salt| Dice::new(seed, salt).next_u64();
        assert_eq!(throw(7, "a@b"), throw(7, "a@b"));
        assert_ne!(throw(7, "a@b"), throw(8, "a@b"));
        assert_ne!(throw(7, "a@b"), throw(7, "a@c"));
    }

    #[test]
    fn five_percent_is_about_five_in_a_hundred() {
        let mut dice = Dice::new(1, "loss");
        let hits = (0..100_000).filter(|_| dice.falls_within(5.0)).count();
        assert!((4_700..5_300).contains(&hits), "{hits} of 100,000");
        assert!(!(0..1_000).any(|_| dice.falls_within(0.0)));
        assert!((0..1_000).all(|_| dice.falls_within(100.0)));
    }
}
