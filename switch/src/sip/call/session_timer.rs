//! The session timer of one call (RFC 4028): what we ask for, what is agreed on, and when something
//! is due. Pure, and without a message of its own: [`super::refreshing`] sends what it wants.

use std::time::{Duration, Instant};

use yunling_switch_contract::{Refresher, SessionTimer};

use super::Message;
use crate::sip::fields::session_expires::delta_seconds;
use crate::sip::fields::{RefresherRole, SessionExpires, options};
use crate::sip::timers::Timers;

/// The smallest interval that anybody may ask for, seconds (§4).
const LEAST_S: u32 = 90;

/// How long before its end a session is given up by whoever does not refresh it, seconds; at most a
/// third of the interval (§10).
const MARGIN_S: u32 = 32;

/// How often an interval is raised for one request. One 422 says what its sender wants; there may be
/// proxies behind it.
pub(crate) const MOST_RAISES: u32 = 2;

/// What we ask for, as the peer's 422s have raised it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Terms {
    interval_s: u32,
    min_s: u32,
    refresher: Option<Refresher>,
}

impl Terms {
    /// Nothing, if no timer is offered.
    pub(super) fn of(setting: SessionTimer) -> Option<Self> {
        match setting {
            SessionTimer::Off => None,
            SessionTimer::Offered { interval_s, min_s, refresher } => {
                let min_s = min_s.max(LEAST_S);
                Some(Self { interval_s: interval_s.max(min_s), min_s, refresher })
            }
        }
    }

    /// The headers of the INVITE.
    pub(super) fn headers(&self) -> [(&'static str, String); 2] {
        let refresher = match self.refresher {
            None => "",
            Some(Refresher::Us) => ";refresher=uac",
            Some(Refresher::Peer) => ";refresher=uas",
        };
        self.written(self.interval_s, refresher)
    }

    /// The headers of a refresh of ours: whoever refreshes goes on to.
    pub(super) fn headers_of_refresh(&self, clock: &Clock) -> [(&'static str, String); 2] {
        self.written(clock.interval_s, ";refresher=uac")
    }

    fn written(&self, interval_s: u32, refresher: &str) -> [(&'static str, String); 2] {
        [
            ("Session-Expires", format!("{interval_s}{refresher}")),
            ("Min-SE", self.min_s.to_string()),
        ]
    }

    /// Takes a 422 to an INVITE or a refresh that asked for so much. False: it does not say that
    /// more is wanted (§7.3).
    fn raise(&mut self, response: &Message, asked_s: u32) -> bool {
        let wanted = response.header("Min-SE").and_then(delta_seconds);
        let Some(min_s) = wanted.filter(|min_s| *min_s > asked_s) else { return false };
        self.min_s = self.min_s.max(min_s);
        self.interval_s = self.interval_s.max(min_s);
        true
    }

    /// Takes a 422 to the INVITE.
    pub(super) fn raise_for_invite(&mut self, response: &Message) -> bool {
        self.raise(response, self.interval_s)
    }

    /// Takes a 422 to a refresh.
    pub(super) fn raise_for_refresh(&mut self, response: &Message, clock: &mut Clock) -> bool {
        let raised = self.raise(response, clock.interval_s);
        clock.interval_s = clock.interval_s.max(self.min_s);
        raised
    }

    /// The clock that a 2xx to the INVITE starts (§7.2). A peer that says nothing of a timer has
    /// none: we refresh for ourselves, and so see whether it lives.
    pub(super) fn agreed(&self, answer: &Message, timers: &Timers, now: Instant) -> Clock {
        self.clock(answer, (self.interval_s, self.refresher), timers, now)
    }

    /// The clock that a 2xx to our refresh starts.
    pub(super) fn refreshed(
        &self,
        answer: &Message,
        clock: &Clock,
        timers: &Timers,
        now: Instant,
    ) -> Clock {
        self.clock(answer, (clock.interval_s, Some(Refresher::Us)), timers, now)
    }

    fn clock(
        &self,
        answer: &Message,
        (asked_s, asked): (u32, Option<Refresher>),
        timers: &Timers,
        now: Instant,
    ) -> Clock {
        let said = answer.header("Session-Expires").and_then(SessionExpires::parse);
        let refresher = match said.map(|said| said.refresher) {
            Some(Some(RefresherRole::Uac)) | None => Refresher::Us,
            Some(Some(RefresherRole::Uas)) => Refresher::Peer,
            Some(None) => asked.unwrap_or(Refresher::Us),
        };
        // Less than we take is against §9; to follow it would have us ask without end.
        let interval_s = said.map_or(asked_s, |said| said.interval_s.max(self.min_s));
        Clock::start(interval_s, refresher, timers, now)
    }
}

/// A session that is to be refreshed.
#[derive(Debug, Clone)]
pub(super) struct Clock {
    interval_s: u32,
    refresher: Refresher,
    /// When we refresh; absent where the peer does.
    refresh_at: Option<Instant>,
    /// When the call is given up.
    over_at: Instant,
}

impl Clock {
    fn start(interval_s: u32, refresher: Refresher, timers: &Timers, now: Instant) -> Self {
        let interval = timers.second * interval_s;
        let (refresh_at, over_at) = match refresher {
            Refresher::Us => (Some(now + interval / 2), now + interval),
            Refresher::Peer => {
                let margin = (timers.second * MARGIN_S).min(interval / 3);
                (None, now + interval - margin)
            }
        };
        Self { interval_s, refresher, refresh_at, over_at }
    }

    /// When the call is given up.
    pub(super) fn over_at(&self) -> Instant {
        self.over_at
    }

    /// When a refresh of ours is due.
    pub(super) fn refresh_at(&self) -> Option<Instant> {
        self.refresh_at
    }

    /// Who refreshes.
    pub(super) fn refresher(&self) -> Refresher {
        self.refresher
    }

    /// A refresh failed for now: the next is made after `wait`, or in the middle of what is left of
    /// the session if that is sooner, so that there is one at all. Never sooner than `least`: a peer
    /// that says "at once" each time would have us ask without end.
    pub(super) fn retry_after(&mut self, wait: Duration, least: Duration, now: Instant) {
        let left = self.over_at.saturating_duration_since(now);
        self.refresh_at = Some(now + wait.min(left / 2).max(least));
    }

    /// A refresh is due now, of another kind than the one that failed.
    pub(super) fn refresh_now(&mut self, now: Instant) {
        self.refresh_at = Some(now);
    }
}

/// What a re-INVITE or UPDATE of the peer's is answered with, as to its session timer (§9).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// These headers in the 2xx, and from then on this interval and refresher.
    Take { headers: Vec<(&'static str, String)>, clock: Option<(u32, Refresher)> },
    /// 422 with this Min-SE: the interval is too small.
    TooSmall(u32),
    /// 420: we are to refresh, and have no timer.
    NoTimer,
}

/// Decides that. A timer that is off is answered where the peer does all the work, which it can only
/// if it speaks of timers itself, and never ends a call.
pub(super) fn answer(terms: Option<&Terms>, clock: Option<&Clock>, request: &Message) -> Answer {
    let said = request.header("Session-Expires").and_then(SessionExpires::parse);
    let required = options::names(request.headers("Require"), options::TIMER);
    let spoken = required || options::names(request.headers("Supported"), options::TIMER);
    let nothing = Answer::Take { headers: Vec::new(), clock: None };
    let min_s = terms.map_or(LEAST_S, |terms| terms.min_s);
    if let Some(said) = said
        && spoken
        && said.interval_s < min_s
    {
        return Answer::TooSmall(min_s);
    }
    let Some(terms) = terms else {
        return match said {
            None => nothing,
            // A proxy's wish alone: a peer without timers must not be told to refresh.
            Some(_) if !spoken => nothing,
            Some(SessionExpires { refresher: Some(RefresherRole::Uas), .. }) if required => {
                Answer::NoTimer
            }
            Some(SessionExpires { refresher: Some(RefresherRole::Uas), .. }) => nothing,
            Some(said) => {
                let headers = agreed(said.interval_s, Refresher::Peer, spoken);
                Answer::Take { headers, clock: None }
            }
        };
    };
    let before = clock.map(|clock| (clock.interval_s, clock.refresher));
    let usual = match before {
        Some((_, refresher)) => refresher,
        None => terms.refresher.unwrap_or(Refresher::Peer),
    };
    let (interval_s, refresher) = match said {
        Some(said) => {
            let refresher = match said.refresher {
                Some(RefresherRole::Uac) => Refresher::Peer,
                Some(RefresherRole::Uas) => Refresher::Us,
                // Who does not speak of timers, and has a proxy that does, refreshes nothing.
                None if spoken => usual,
                None => Refresher::Us,
            };
            (said.interval_s.max(min_s), refresher)
        }
        None => {
            let interval_s = before.map_or(terms.interval_s, |(interval_s, _)| interval_s);
            if !spoken {
                // It knows of no timer (any more): we go on for ourselves.
                let clock = Some((interval_s, Refresher::Us));
                return Answer::Take { headers: Vec::new(), clock };
            }
            (interval_s, usual)
        }
    };
    let headers = agreed(interval_s, refresher, spoken);
    Answer::Take { headers, clock: Some((interval_s, refresher)) }
}

/// The headers of a 2xx of ours. Require says that the peer is to refresh, and must know how (§9).
fn agreed(interval_s: u32, refresher: Refresher, spoken: bool) -> Vec<(&'static str, String)> {
    let role = match refresher {
        Refresher::Us => "uas",
        Refresher::Peer => "uac",
    };
    let mut headers = vec![("Session-Expires", format!("{interval_s};refresher={role}"))];
    if refresher == Refresher::Peer && spoken {
        headers.push(("Require", options::TIMER.to_owned()));
    }
    headers
}

/// The clock that our 2xx to a request of the peer's starts.
pub(super) fn restarted(
    (interval_s, refresher): (u32, Refresher),
    timers: &Timers,
    now: Instant,
) -> Clock {
    Clock::start(interval_s, refresher, timers, now)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests may panic")]

    use super::*;

    fn offered(interval_s: u32, min_s: u32, refresher: Option<Refresher>) -> Terms {
        Terms::of(SessionTimer::Offered { interval_s, min_s, refresher }).unwrap()
    }

    fn message(start: &str, headers: &str) -> Message {
        Message::parse(&format!(
            "{start}\r\nVia: SIP/2.0/UDP h;branch=z\r\nFrom: <sip:a>;tag=1\r\nTo: <sip:b>;tag=2\r\n\
             Call-ID: c\r\nCSeq: 1 UPDATE\r\n{headers}\r\n"
        ))
    }

    fn response(headers: &str) -> Message {
        message("SIP/2.0 200 OK", headers)
    }

    #[test]
    fn settings_that_no_rfc_allows_are_raised_to_what_it_does() {
        assert_eq!(Terms::of(SessionTimer::Off), None);
        assert_eq!(
            offered(10, 5, None).headers().map(|(_, value)| value),
            ["90".to_owned(), "90".to_owned()]
        );
        assert_eq!(offered(300, 120, Some(Refresher::Peer)).headers()[0].1, "300;refresher=uas");
        assert_eq!(offered(300, 120, Some(Refresher::Us)).headers()[0].1, "300;refresher=uac");
    }

    /// What the 2xx says of a timer of 1,800 s, at least 100, and whether we asked for a refresher;
    /// the interval and refresher that follow.
    #[test]
    fn a_2xx_decides() {
        let rows = [
            ("", None, (1_800, Refresher::Us)),
            ("", Some(Refresher::Peer), (1_800, Refresher::Us)),
            ("Session-Expires: 600;refresher=uac\r\n", None, (600, Refresher::Us)),
            ("x: 600;refresher=uas\r\n", None, (600, Refresher::Peer)),
            ("Session-Expires: 600\r\n", Some(Refresher::Peer), (600, Refresher::Peer)),
            ("Session-Expires: 600\r\n", None, (600, Refresher::Us)),
            ("Session-Expires: 2;refresher=uac\r\n", None, (100, Refresher::Us)),
        ];
        let (timers, now) = (Timers::default(), Instant::now());
        for (headers, asked, expected) in rows {
            let clock = offered(1_800, 100, asked).agreed(&response(headers), &timers, now);
            assert_eq!((clock.interval_s, clock.refresher()), expected, "{headers} {asked:?}");
        }
    }

    #[test]
    fn we_refresh_at_half_time_and_give_up_a_peer_that_does_not_in_time() {
        let (timers, now) = (Timers::default(), Instant::now());
        let seconds = |at: Instant| (at - now).as_secs();
        let rows = [
            (1_800, Refresher::Us, Some(900), 1_800),
            (1_800, Refresher::Peer, None, 1_768),
            (90, Refresher::Us, Some(45), 90),
            (90, Refresher::Peer, None, 60),
        ];
        for (interval_s, refresher, refresh, over) in rows {
            let clock = Clock::start(interval_s, refresher, &timers, now);
            assert_eq!(clock.refresh_at().map(seconds), refresh);
            assert_eq!(seconds(clock.over_at()), over);
        }
    }

    #[test]
    fn a_422_raises_only_to_more_than_was_asked() {
        for (min_se, raised, asks) in
            [("600", true, "600"), ("300", false, "300"), ("x", false, "300")]
        {
            let mut terms = offered(300, 90, None);
            let refusal = response(&format!("Min-SE: {min_se}\r\n"));
            assert_eq!(terms.raise_for_invite(&refusal), raised, "{min_se}");
            assert_eq!(terms.headers()[0].1, asks);
        }
    }

    /// The peer's headers; what they are answered with while we refresh each 600 s (at least 100).
    #[test]
    fn a_peers_refresh_is_answered_as_it_asks() {
        let both = |role: &str, interval_s: u32, clock| {
            let mut headers = vec![("Session-Expires", format!("{interval_s};refresher={role}"))];
            if role == "uac" {
                headers.push(("Require", "timer".to_owned()));
            }
            Answer::Take { headers, clock: Some((interval_s, clock)) }
        };
        let rows = [
            (
                "Supported: timer\r\nSession-Expires: 300;refresher=uac\r\n",
                both("uac", 300, Refresher::Peer),
            ),
            ("k: timer\r\nSession-Expires: 300;refresher=uas\r\n", both("uas", 300, Refresher::Us)),
            ("Supported: timer\r\nSession-Expires: 300\r\n", both("uas", 300, Refresher::Us)),
            ("Supported: timer\r\nSession-Expires: 99\r\n", Answer::TooSmall(100)),
            ("Session-Expires: 99\r\n", both("uas", 100, Refresher::Us)),
            ("Supported: timer\r\n", both("uas", 600, Refresher::Us)),
            ("", Answer::Take { headers: Vec::new(), clock: Some((600, Refresher::Us)) }),
        ];
        let terms = offered(1_800, 100, None);
        let clock = Clock::start(600, Refresher::Us, &Timers::default(), Instant::now());
        for (headers, expected) in rows {
            let request = message("UPDATE sip:a SIP/2.0", headers);
            assert_eq!(answer(Some(&terms), Some(&clock), &request), expected, "{headers}");
        }
    }

    /// The same where the timer is off: answered if the peer does the work.
    #[test]
    fn a_timer_that_is_off_is_answered_and_no_more() {
        let nothing = Answer::Take { headers: Vec::new(), clock: None };
        let headers = [("Session-Expires", "300;refresher=uac"), ("Require", "timer")];
        let headers = headers.map(|(name, value)| (name, value.to_owned())).to_vec();
        let answered = Answer::Take { headers, clock: None };
        let rows = [
            ("Session-Expires: 300;refresher=uac\r\n", nothing.clone()),
            ("Session-Expires: 300\r\n", nothing.clone()),
            ("Supported: timer\r\nSession-Expires: 300;refresher=uac\r\n", answered.clone()),
            ("Supported: timer\r\nSession-Expires: 300\r\n", answered),
            ("Supported: timer\r\nSession-Expires: 300;refresher=uas\r\n", nothing.clone()),
            ("Require: timer\r\nSession-Expires: 300;refresher=uas\r\n", Answer::NoTimer),
            ("Supported: timer\r\nSession-Expires: 80\r\n", Answer::TooSmall(90)),
            ("", nothing),
        ];
        for (headers, expected) in rows {
            let request = message("UPDATE sip:a SIP/2.0", headers);
            assert_eq!(answer(None, None, &request), expected, "{headers}");
        }
    }

    #[test]
    fn what_failed_is_tried_again_while_there_is_time() {
        let (timers, now) = (Timers::default(), Instant::now());
        let mut clock = Clock::start(90, Refresher::Us, &timers, now);
        let at = now + Duration::from_secs(45);
        let seconds = Duration::from_secs;
        clock.retry_after(seconds(3), seconds(1), at);
        assert_eq!(clock.refresh_at(), Some(at + seconds(3)));
        clock.retry_after(seconds(0), seconds(1), at);
        assert_eq!(clock.refresh_at(), Some(at + seconds(1)));
        clock.retry_after(seconds(3_600), seconds(1), at);
        assert_eq!(clock.refresh_at(), Some(at + Duration::from_millis(22_500)));
        let late = now + seconds(88);
        clock.retry_after(Duration::MAX, seconds(5), late);
        assert!(clock.refresh_at().unwrap() > clock.over_at(), "the end comes first");
    }
}
