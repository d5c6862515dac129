//! When to register with a trunk, and what an answer means (RFC 3261 §10.2): a pure machine. What
//! came of each REGISTER goes in, with the time and chance; what to tell and when to register next
//! comes out.

use std::time::{Duration, Instant};

use yunling_switch_contract::TrunkEventKind;

use super::outcome::{Answer, Outcome, share};

/// The first pause after a failure, seconds; it doubles with each.
const RETRY_S: u32 = 30;

/// The longest of these pauses, seconds.
const RETRY_MOST_S: u32 = 1_800;

/// The pause after a refusal that will be the same the next time, seconds: a password must be
/// changed on one of both sides, and each try is a line in the registrar's log of break-ins.
const REFUSED_S: u32 = 600;

/// The longest that a Retry-After is heeded, seconds.
const RETRY_AFTER_MOST_S: u32 = 3_600;

/// The longest expiry that a registrar's Min-Expires may make us ask for, seconds.
const MIN_EXPIRES_MOST_S: u32 = 7 * 86_400;

/// See the module's head.
#[derive(Debug)]
pub(super) struct Registration {
    user: String,
    asked_s: u32,
    /// What a second lasts; shorter only in tests.
    second: Duration,
    failures: u32,
    /// The registrar wanted more seconds than we asked for; not again for the same registration.
    raised: bool,
    registered_at: Option<Instant>,
    registered_until: Option<Instant>,
    due: Instant,
}

impl Registration {
    /// Due at once.
    pub(super) fn new(user: &str, expires_s: u32, second: Duration, now: Instant) -> Self {
        Self {
            user: user.to_owned(),
            asked_s: expires_s,
            second,
            failures: 0,
            raised: false,
            registered_at: None,
            registered_until: None,
            due: now,
        }
    }

    /// When to register next.
    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// The expiry to ask for, seconds.
    pub(super) fn asks_for_s(&self) -> u32 {
        self.asked_s
    }

    /// Whether a registration holds, as far as is known.
    pub(super) fn is_registered(&self, now: Instant) -> bool {
        self.registered_until.is_some_and(|until| now < until)
    }

    /// What came of a REGISTER; gives what to tell, if anything. `random` spreads the next ones, so
    /// that a registrar that comes back is not fallen upon by all at once.
    pub(super) fn on_outcome(
        &mut self,
        outcome: &Outcome,
        now: Instant,
        random: u64,
    ) -> Option<TrunkEventKind> {
        let answer = match outcome {
            Outcome::Answered(answer) => answer,
            Outcome::Refused { sip_code, text } => {
                self.registered_until = None;
                let text = format!("the trunk {text}");
                return Some(self.refused(Some(*sip_code), text, now, random));
            }
            Outcome::Silent | Outcome::ConnectionLost | Outcome::Unreachable(_) => {
                return Some(self.failed(None, outcome.text(), None, now, random));
            }
        };
        let code = Some(answer.code);
        match answer.code {
            200..300 => return Some(self.registered(answer, now, random)),
            // Too brief for the registrar (§10.2.8): at once with what it wants, once.
            423 => match answer.min_expires_s {
                Some(least) if !self.raised && self.may_raise_to(least) => {
                    (self.asked_s, self.raised, self.due) = (least, true, now);
                    return None;
                }
                _ => {}
            },
            _ => {}
        }
        if !matches!(answer.code, 408 | 500..600) {
            // Whatever held before, the registrar has just said otherwise.
            self.registered_until = None;
        }
        Some(match answer.code {
            408 | 429 | 480 | 491 | 500..600 => {
                self.failed(code, answer.phrase.clone(), answer.retry_after_s, now, random)
            }
            _ => {
                let text = self.meaning(answer);
                self.refused(code, text, now, random)
            }
        })
    }

    /// The connection that we registered over is gone, and with it what the registrar would call us
    /// by (RFC 5626 §4.4): again at once, or soon if that happens often.
    pub(super) fn on_connection_lost(&mut self, now: Instant, random: u64) {
        let soon = share(self.second * 2, random, 0, 100);
        let often = self
            .registered_at
            .is_some_and(|at| now.saturating_duration_since(at) < self.second * RETRY_S);
        let pause = if often { self.second * RETRY_S } else { Duration::ZERO };
        self.due = now + soon + pause;
    }

    fn may_raise_to(&self, least_s: u32) -> bool {
        least_s > self.asked_s && least_s <= MIN_EXPIRES_MOST_S
    }

    fn registered(&mut self, answer: &Answer, now: Instant, random: u64) -> TrunkEventKind {
        let expires_s = answer.expires_s.unwrap_or(self.asked_s);
        if expires_s == 0 {
            let text = "the registrar says yes, but keeps no registration of ours".to_owned();
            return self.refused(Some(answer.code), text, now, random);
        }
        (self.failures, self.raised) = (0, false);
        let holds = self.second * expires_s;
        self.registered_at = Some(now);
        self.registered_until = Some(now + holds);
        // About half of it, so that a refresh that fails can be tried again before it runs out.
        self.due = now + share(holds, random, 45, 55).max(self.second);
        TrunkEventKind::Registered { expires_s }
    }

    /// Something that may be better the next time.
    fn failed(
        &mut self,
        sip_code: Option<u16>,
        text: String,
        retry_after_s: Option<u32>,
        now: Instant,
        random: u64,
    ) -> TrunkEventKind {
        let doubled = RETRY_S.saturating_mul(1 << self.failures.min(10)).min(RETRY_MOST_S);
        self.failures += 1;
        let wanted = retry_after_s.unwrap_or(0).min(RETRY_AFTER_MOST_S);
        let pause = share(self.second * doubled, random, 75, 125).max(share(
            self.second * wanted,
            random,
            100,
            110,
        ));
        self.not_registered(sip_code, text, pause, now)
    }

    /// Something that will be the same until somebody changes a setting.
    fn refused(
        &mut self,
        sip_code: Option<u16>,
        text: String,
        now: Instant,
        random: u64,
    ) -> TrunkEventKind {
        let pause = share(self.second * REFUSED_S, random, 75, 125);
        self.not_registered(sip_code, text, pause, now)
    }

    fn not_registered(
        &mut self,
        sip_code: Option<u16>,
        text: String,
        pause: Duration,
        now: Instant,
    ) -> TrunkEventKind {
        self.raised = false;
        self.due = now + pause;
        let retry_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        TrunkEventKind::NotRegistered { sip_code, text, retry_ms }
    }

    /// A refusal in words that say what to do.
    fn meaning(&self, answer: &Answer) -> String {
        let Answer { code, phrase, .. } = answer;
        match code {
            300..400 => {
                let to = answer.contact.as_deref().unwrap_or("somewhere else");
                format!(
                    "the registrar sends us to {to}, which is not followed: name it as the trunk's host"
                )
            }
            403 => format!(
                "the registrar forbids it ({phrase}): it does not like the user name, the password \
                 or our address"
            ),
            404 => format!("the registrar does not know the user {} ({phrase})", self.user),
            423 => {
                let wanted = answer.min_expires_s.map_or("more".to_owned(), |s| s.to_string());
                format!(
                    "the registrar wants registrations of {wanted} s, and refuses {}",
                    self.asked_s
                )
            }
            _ => phrase.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may panic")]

    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn answer(code: u16) -> Answer {
        Answer { code, phrase: format!("phrase {code}"), ..Answer::default() }
    }

    fn registration(now: Instant) -> Registration {
        Registration::new("u1", 600, SECOND, now)
    }

    /// Seconds until the next try, with chance in the middle.
    fn pause_s(registration: &mut Registration, outcome: &Outcome, now: Instant) -> u64 {
        registration.on_outcome(outcome, now, u64::MAX / 2);
        (registration.due() - now).as_secs()
    }

    #[test]
    fn a_registration_is_refreshed_at_about_half_of_what_the_registrar_grants() {
        for (granted, expected_s) in [(None, 600), (Some(120), 120), (Some(7_200), 7_200)] {
            let now = Instant::now();
            let mut registration = registration(now);
            assert_eq!(registration.due(), now);
            let outcome = Outcome::Answered(Answer { expires_s: granted, ..answer(200) });
            let event = registration.on_outcome(&outcome, now, 0).unwrap();
            assert_eq!(event, TrunkEventKind::Registered { expires_s: expected_s });
            let earliest = SECOND * expected_s * 45 / 100;
            assert_eq!(registration.due() - now, earliest);
            registration.on_outcome(&outcome, now, u64::MAX);
            assert!(registration.due() - now <= SECOND * expected_s * 55 / 100);
            assert!(registration.is_registered(now + SECOND * (expected_s - 1)));
            assert!(!registration.is_registered(now + SECOND * expected_s));
        }
    }

    #[test]
    fn failures_are_retried_less_and_less_often() {
        let now = Instant::now();
        let mut registration = registration(now);
        let outcomes = [
            Outcome::Silent,
            Outcome::Answered(answer(503)),
            Outcome::Unreachable("x".into()),
            Outcome::ConnectionLost,
            Outcome::Answered(answer(408)),
            Outcome::Silent,
            Outcome::Silent,
            Outcome::Silent,
        ];
        let pauses = outcomes.map(|outcome| pause_s(&mut registration, &outcome, now));
        assert_eq!(pauses, [30, 60, 120, 240, 480, 960, 1_800, 1_800]);
        registration.on_outcome(&Outcome::Answered(answer(200)), now, 0);
        assert_eq!(pause_s(&mut registration, &Outcome::Silent, now), 30, "counted anew");
    }

    #[test]
    fn a_retry_after_is_heeded_within_reason() {
        for (asked, expected) in [(5, 30), (100, 105), (999_999, 3_780)] {
            let now = Instant::now();
            let outcome = Outcome::Answered(Answer { retry_after_s: Some(asked), ..answer(503) });
            assert_eq!(pause_s(&mut registration(now), &outcome, now), expected, "{asked}");
        }
    }

    #[test]
    fn refusals_are_told_in_words_and_retried_slowly() {
        let contact = Some("sip:other.example".to_owned());
        let rows = [
            (
                Outcome::Refused {
                    sip_code: 401,
                    text: "refuses the user name or the password that are set for it".into(),
                },
                "the trunk refuses the user name or the password",
            ),
            (
                Outcome::Answered(answer(403)),
                "the registrar forbids it (phrase 403): it does not like the user name, the password",
            ),
            (
                Outcome::Answered(answer(404)),
                "the registrar does not know the user u1 (phrase 404)",
            ),
            (
                Outcome::Answered(Answer { contact, ..answer(302) }),
                "the registrar sends us to sip:other.example",
            ),
            (Outcome::Answered(answer(405)), "phrase 405"),
            (
                Outcome::Answered(Answer { expires_s: Some(0), ..answer(200) }),
                "the registrar says yes, but",
            ),
            (
                Outcome::Answered(Answer { min_expires_s: Some(10), ..answer(423) }),
                "the registrar wants registrations of 10 s, and refuses 600",
            ),
            (
                Outcome::Answered(Answer { min_expires_s: Some(u32::MAX), ..answer(423) }),
                "the registrar wants registrations of 4294967295 s",
            ),
            (Outcome::Answered(answer(423)), "the registrar wants registrations of more s"),
            (Outcome::Answered(answer(603)), "phrase 603"),
        ];
        for (outcome, begin) in rows {
            let now = Instant::now();
            let mut registration = registration(now);
            registration.on_outcome(&Outcome::Answered(answer(200)), now, 0);
            let event = registration.on_outcome(&outcome, now, u64::MAX / 2).unwrap();
            let TrunkEventKind::NotRegistered { text, retry_ms, .. } = event else {
                panic!("{begin}: {event:?}");
            };
            assert!(text.starts_with(begin), "{text}");
            assert!((450_000..=750_000).contains(&retry_ms), "{text}: {retry_ms}");
        }
    }

    #[test]
    fn a_longer_expiry_is_tried_once_and_kept() {
        let now = Instant::now();
        let mut registration = registration(now);
        let brief = Outcome::Answered(Answer { min_expires_s: Some(1_800), ..answer(423) });
        assert_eq!(registration.on_outcome(&brief, now, 0), None);
        assert_eq!((registration.asks_for_s(), registration.due()), (1_800, now));
        let more = Outcome::Answered(Answer { min_expires_s: Some(3_600), ..answer(423) });
        assert!(registration.on_outcome(&more, now, 0).is_some(), "a registrar that plays with us");
        registration.on_outcome(&Outcome::Answered(answer(200)), now, 0);
        assert_eq!(registration.asks_for_s(), 1_800);
    }

    #[test]
    fn a_lost_connection_is_registered_over_at_once_but_not_in_a_loop() {
        let now = Instant::now();
        let mut registration = registration(now);
        registration.on_outcome(&Outcome::Answered(answer(200)), now, 0);
        registration.on_connection_lost(now + SECOND, 0);
        assert_eq!(registration.due(), now + SECOND * 31);
        registration.on_connection_lost(now + SECOND * 60, 0);
        assert_eq!(registration.due(), now + SECOND * 60);
    }

    #[test]
    fn what_a_silent_refresh_leaves_holds_until_it_runs_out() {
        let now = Instant::now();
        let mut registration = registration(now);
        registration.on_outcome(&Outcome::Answered(answer(200)), now, 0);
        registration.on_outcome(&Outcome::Silent, now + SECOND, 0);
        registration.on_outcome(&Outcome::Answered(answer(503)), now + SECOND, 0);
        assert!(registration.is_registered(now + SECOND * 2));
        registration.on_outcome(&Outcome::Answered(answer(403)), now + SECOND * 2, 0);
        assert!(!registration.is_registered(now + SECOND * 3));
    }

    proptest! {
        /// Whatever a registrar answers, it is neither flooded nor forgotten.
        #[test]
        fn the_next_try_is_never_too_soon_and_always_comes(
            answers in prop::collection::vec(
                (100u16..700, any::<Option<u32>>(), any::<Option<u32>>(), any::<u64>()),
                1..50,
            ),
        ) {
            let mut now = Instant::now();
            let mut registration = registration(now);
            let mut at_once = 0;
            for (code, number, other, random) in answers {
                let outcome = Outcome::Answered(Answer {
                    expires_s: number.map(|n| n % 100_000),
                    min_expires_s: number,
                    retry_after_s: other,
                    ..answer(code)
                });
                registration.on_outcome(&outcome, now, random);
                let pause = registration.due() - now;
                if pause < SECOND {
                    at_once += 1;
                    prop_assert!(at_once <= 1, "{outcome:?}");
                } else {
                    at_once = 0;
                }
                prop_assert!(pause <= SECOND * 55_000, "{pause:?} {outcome:?}");
                now += pause;
            }
        }
    }
}
