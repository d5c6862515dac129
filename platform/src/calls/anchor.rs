//! A conversation's own time: wall time read once, everything after by the monotonic clock, so
//! that a clock that steps cannot make a call last minus three seconds.

use std::time::Instant;

use yunling_domain::Micros;

/// The moment at which a conversation began, on both clocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Anchor {
    wall: Micros,
    monotonic: Instant,
}

impl Anchor {
    /// Pairs the two clocks' readings of now.
    pub(super) fn new(wall: Micros) -> Self {
        Self { wall, monotonic: Instant::now() }
    }

    /// Both clocks' readings of the same moment.
    pub(super) fn clocks(&self) -> (Micros, Instant) {
        (self.wall, self.monotonic)
    }

    /// The wall time of a monotonic reading.
    pub(super) fn at(&self, instant: Instant) -> Micros {
        let micros =
            |duration: std::time::Duration| i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        match instant.checked_duration_since(self.monotonic) {
            Some(after) => Micros(self.wall.0.saturating_add(micros(after))),
            None => Micros(self.wall.0.saturating_sub(micros(self.monotonic - instant))),
        }
    }

    /// Now.
    pub(super) fn now(&self) -> Micros {
        self.at(Instant::now())
    }
}
