//! When to ask a trunk whether it lives (OPTIONS, RFC 3261 §11), and what an answer means: a pure
//! machine.

use std::time::{Duration, Instant};

use yunling_switch_contract::TrunkEventKind;

use super::outcome::{Outcome, share};

/// How soon a silent trunk is asked again, seconds.
const SILENT_S: u32 = 5;

/// The first questions after a start are spread over this, seconds.
const FIRST_S: u32 = 1;

/// See the module's head.
#[derive(Debug)]
pub(super) struct Probe {
    every: Duration,
    second: Duration,
    /// Silences in a row.
    silent: u32,
    due: Instant,
}

impl Probe {
    /// Due at once, give or take. `second` is what a second lasts; shorter only in tests.
    pub(super) fn new(every: Duration, second: Duration, now: Instant, random: u64) -> Self {
        // An interval of nothing would be a flood.
        let every = every.max(second);
        let first = share((second * FIRST_S).min(every), random, 0, 100);
        Self { every, second, silent: 0, due: now + first }
    }

    /// When to ask next.
    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// What came of an OPTIONS that took so long; gives what to tell.
    pub(super) fn on_outcome(
        &mut self,
        outcome: &Outcome,
        round_trip: Duration,
        now: Instant,
        random: u64,
    ) -> TrunkEventKind {
        match outcome.sip_code().filter(|code| !matches!(code, 408 | 503)) {
            Some(sip_code) => {
                self.silent = 0;
                self.due = now + share(self.every, random, 90, 110);
                TrunkEventKind::Alive { sip_code, round_trip_ms: round_trip.as_secs_f32() * 1e3 }
            }
            None => {
                self.silent = self.silent.saturating_add(1);
                let soon = (self.second * SILENT_S).min(self.every);
                self.due = now + share(soon, random, 90, 110);
                TrunkEventKind::Silent {
                    sip_code: outcome.sip_code(),
                    text: outcome.text(),
                    times: self.silent,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trunks::outcome::Answer;

    const SECOND: Duration = Duration::from_secs(1);

    fn answered(code: u16) -> Outcome {
        Outcome::Answered(Answer { code, phrase: "p".into(), ..Answer::default() })
    }

    #[test]
    fn any_answer_but_408_and_503_is_a_sign_of_life() {
        let now = Instant::now();
        let mut probe = Probe::new(SECOND * 60, SECOND, now, 0);
        assert_eq!(probe.due(), now);
        let trip = Duration::from_micros(1_500);
        for code in [200, 301, 403, 404, 405, 486, 500, 501] {
            let event = probe.on_outcome(&answered(code), trip, now, 0);
            assert_eq!(event, TrunkEventKind::Alive { sip_code: code, round_trip_ms: 1.5 });
            assert_eq!(probe.due() - now, SECOND * 54);
        }
        let silences = [
            (answered(503), Some(503), "p"),
            (answered(408), Some(408), "p"),
            (Outcome::Silent, None, "no answer came"),
            (Outcome::Unreachable("why".into()), None, "why"),
            (Outcome::ConnectionLost, None, "the connection was lost before an answer came"),
        ];
        for (times, (outcome, sip_code, text)) in (1..).zip(silences) {
            let event = probe.on_outcome(&outcome, trip, now, u64::MAX);
            assert_eq!(event, TrunkEventKind::Silent { sip_code, text: text.into(), times });
            assert_eq!((probe.due() - now).as_millis(), 5_500, "sooner than usual");
        }
        probe.on_outcome(&answered(200), trip, now, 0);
        let event = probe.on_outcome(&Outcome::Silent, trip, now, 0);
        assert!(matches!(event, TrunkEventKind::Silent { times: 1, .. }), "counted anew");
    }

    #[test]
    fn many_trunks_do_not_ask_together_and_none_asks_all_the_time() {
        let now = Instant::now();
        let first = |random| Probe::new(SECOND * 60, SECOND, now, random).due() - now;
        assert_eq!(first(u64::MAX), SECOND);
        assert!(first(1 << 62) > first(1 << 61));
        let mut hasty = Probe::new(Duration::ZERO, SECOND, now, 0);
        hasty.on_outcome(&Outcome::Silent, SECOND, now, 0);
        assert!(hasty.due() - now >= SECOND * 9 / 10);
    }
}
