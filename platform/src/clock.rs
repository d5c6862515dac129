//! The platform's clock and source of randomness: the only places that read either.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand;
use yunling_app::ports::{Clock, Random};
use yunling_domain::Micros;

/// The machine's wall clock.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the Clock port's one implementation")]
    fn now(&self) -> Micros {
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("a clock before 1970 is a broken machine");
        Micros(i64::try_from(since_epoch.as_micros()).expect("i64 microseconds last 292,000 years"))
    }
}

/// The operating system's random numbers.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, bytes: &mut [u8]) {
        rand::fill(bytes).expect("the operating system's random source works or nothing is safe");
    }
}
