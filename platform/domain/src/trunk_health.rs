//! Whether a trunk can take calls, by everything that is known of it: its registration, its answers
//! to OPTIONS, and what calls over it met. Pure: facts and the time come in, a standing comes out.
//!
//! A trunk is *down* where one of these holds:
//! - it must register and the registrar has refused, or the registration has run out;
//! - two OPTIONS in a row were not answered. A trunk that has never answered one may be of the kind
//!   that ignores them, so it is left out for a while only, and its silence counts no more once a
//!   call was heard;
//! - five calls in a row gave no sign of life: left out for a while, then one more is risked.
//!
//! It is *up* on any sign of life, and *unknown* before the first.

use crate::{EndKind, Micros, Termination};

/// So many calls in a row without a sign of life, and the trunk counts as down: fewer could be
/// single numbers that a carrier loses.
const SILENT_CALLS: u32 = 5;
/// So many OPTIONS in a row without an answer: one may be lost.
const SILENT_PROBES: u32 = 2;
/// How long a trunk is left out for silence that may mean nothing, before one more call is risked.
const LEFT_OUT_MS: i64 = 30_000;

/// Something that was learned of a trunk.
#[derive(Debug, Clone, PartialEq)]
pub enum TrunkFact {
    /// The registrar took us, for so long.
    Registered {
        /// Seconds.
        expires_s: u32,
    },
    /// The registration failed, or a refresh did.
    NotRegistered {
        /// The final status, where there was one.
        sip_code: Option<u16>,
        /// The registrar's words, or what stood in the way.
        text: String,
    },
    /// An OPTIONS was answered.
    ProbeAnswered {
        /// From request to answer, milliseconds.
        round_trip_ms: f32,
    },
    /// An OPTIONS was not answered, or with 408 or 503.
    ProbeSilent {
        /// The status, where there was one.
        sip_code: Option<u16>,
        /// What stood in the way.
        text: String,
        /// So many in a row, this one included.
        times: u32,
    },
    /// A call over the trunk got a reply of any kind.
    CallHeard,
    /// A call over the trunk ended without one.
    CallSilent,
}

impl TrunkFact {
    /// What the end of a call says of its trunk; nothing where we ended it ourselves.
    pub fn of_call_end(termination: &Termination) -> Option<Self> {
        match termination.kind {
            EndKind::NoReply | EndKind::Unreachable => Some(Self::CallSilent),
            _ if termination.sip_code.is_some() => Some(Self::CallHeard),
            _ => None,
        }
    }
}

/// What a trunk's configuration lets us expect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Expected {
    /// We register with it.
    pub registers: bool,
}

/// How a trunk stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// In one word.
    pub state: TrunkState,
    /// Why it is down.
    pub why: Option<DownWhy>,
    /// Since when it stands so.
    pub since: Micros,
}

/// How a trunk stands, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TrunkState {
    /// Nothing was heard of it yet, or not lately enough.
    Unknown,
    /// It lives.
    Up,
    /// It takes no calls.
    Down,
}

impl TrunkState {
    /// Its stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// Why a trunk is down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DownWhy {
    /// It must register, and is not registered; with the registrar's words.
    NotRegistered(String),
    /// It does not answer OPTIONS; with what stood in the way.
    ProbesSilent(String),
    /// Calls over it get no reply.
    CallsSilent,
}

impl DownWhy {
    /// Its stable name.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::NotRegistered(_) => "not_registered",
            Self::ProbesSilent(_) => "options_silent",
            Self::CallsSilent => "calls_silent",
        }
    }

    /// What was said or stood in the way; empty where nothing was.
    pub fn detail(&self) -> &str {
        match self {
            Self::NotRegistered(text) | Self::ProbesSilent(text) => text,
            Self::CallsSilent => "",
        }
    }
}

/// What is known of a trunk's registration.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Registration {
    /// Until when the last one holds, or held.
    pub expires_at: Option<Micros>,
    /// The status of the last try, where there was one; 200 after a success.
    pub last_code: Option<u16>,
    /// The registrar's words at the last failure.
    pub text: String,
    /// Whether a try was made.
    tried: bool,
}

impl Registration {
    /// `registered`, `refused` or `pending`.
    pub fn state(&self, now: Micros) -> &'static str {
        match (self.holds(now), self.tried) {
            (true, _) => "registered",
            (false, true) => "not_registered",
            (false, false) => "pending",
        }
    }

    fn holds(&self, now: Micros) -> bool {
        self.expires_at.is_some_and(|at| at > now)
    }

    fn succeed(&mut self, now: Micros, expires_s: u32) {
        *self = Self {
            expires_at: Some(now.plus_ms(i64::from(expires_s) * 1_000)),
            last_code: Some(200),
            text: String::new(),
            tried: true,
        };
    }

    /// A refusal ends what held; silence and a registrar's troubles leave it until it runs out.
    fn fail(&mut self, sip_code: Option<u16>, text: String) {
        let refused = sip_code.is_some_and(|code| code != 408 && !(500..600).contains(&code));
        if refused {
            self.expires_at = None;
        }
        self.last_code = sip_code;
        self.text = text;
        self.tried = true;
    }
}

/// What is known of a trunk's answers to OPTIONS.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Probing {
    /// Of the last answer, milliseconds.
    pub round_trip_ms: Option<f32>,
    /// When the last one was answered or given up.
    pub last_at: Option<Micros>,
    /// Unanswered ones in a row.
    pub silent_times: u32,
    /// What stood in the way the last time.
    text: String,
    /// One was answered at some time.
    answered: bool,
    /// It does not ignore them: one was answered at some time, be it with 503.
    speaks: bool,
    left_out: LeftOut,
}

/// What calls met.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Calls {
    silent: u32,
    heard: bool,
    left_out: LeftOut,
}

/// For how long something keeps a trunk out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum LeftOut {
    #[default]
    No,
    Until(Micros),
    UntilHeard,
}

impl LeftOut {
    fn holds(self, now: Micros) -> bool {
        match self {
            Self::No => false,
            Self::Until(at) => at > now,
            Self::UntilHeard => true,
        }
    }
}

/// The machine of one trunk.
#[derive(Debug, Clone)]
pub struct TrunkHealth {
    expected: Expected,
    registration: Registration,
    probing: Probing,
    calls: Calls,
    standing: Standing,
}

impl TrunkHealth {
    /// A trunk that nothing is known of.
    pub fn new(expected: Expected, now: Micros) -> Self {
        Self {
            expected,
            registration: Registration::default(),
            probing: Probing::default(),
            calls: Calls::default(),
            standing: Standing { state: TrunkState::Unknown, why: None, since: now },
        }
    }

    /// Takes a fact. True where the trunk's state changed by it.
    pub fn learn(&mut self, now: Micros, fact: TrunkFact) -> bool {
        match fact {
            TrunkFact::Registered { expires_s } => self.registration.succeed(now, expires_s),
            TrunkFact::NotRegistered { sip_code, text } => self.registration.fail(sip_code, text),
            TrunkFact::ProbeAnswered { round_trip_ms } => {
                self.probing = Probing {
                    round_trip_ms: Some(round_trip_ms),
                    last_at: Some(now),
                    answered: true,
                    speaks: true,
                    ..Probing::default()
                };
                self.calls.left_out.end_early(&mut self.calls.silent);
            }
            TrunkFact::ProbeSilent { sip_code, text, times } => {
                self.probe_silent(now, sip_code, text, times);
            }
            TrunkFact::CallHeard => {
                self.calls = Calls { heard: true, ..Calls::default() };
                self.probing.left_out = LeftOut::No;
            }
            TrunkFact::CallSilent => self.call_silent(now),
        }
        self.tick(now)
    }

    /// Lets time pass: what has run out counts no more. True where the trunk's state changed by it.
    pub fn tick(&mut self, now: Micros) -> bool {
        let (state, why) = self.judge(now);
        if (state, &why) == (self.standing.state, &self.standing.why) {
            return false;
        }
        let news = state != self.standing.state;
        let since = if news { now } else { self.standing.since };
        self.standing = Standing { state, why, since };
        news
    }

    /// How it stands.
    pub fn standing(&self) -> &Standing {
        &self.standing
    }

    /// Whether a call may be sent over it now. A trunk that must register takes none before it has.
    pub fn takes_calls(&self) -> bool {
        self.standing.state != TrunkState::Down
            && (!self.expected.registers || self.registration.tried)
    }

    /// Its registration, where it has one.
    pub fn registration(&self) -> Option<&Registration> {
        self.expected.registers.then_some(&self.registration)
    }

    /// Its answers to OPTIONS.
    pub fn probing(&self) -> &Probing {
        &self.probing
    }

    fn judge(&self, now: Micros) -> (TrunkState, Option<DownWhy>) {
        let down = |why| (TrunkState::Down, Some(why));
        let registered = self.expected.registers && self.registration.holds(now);
        if self.expected.registers && self.registration.tried && !registered {
            return down(DownWhy::NotRegistered(self.registration.text.clone()));
        }
        if self.probing.left_out.holds(now) {
            return down(DownWhy::ProbesSilent(self.probing.text.clone()));
        }
        if self.calls.left_out.holds(now) {
            return down(DownWhy::CallsSilent);
        }
        let answers = self.probing.answered && self.probing.silent_times < SILENT_PROBES;
        if registered || answers || self.calls.heard {
            (TrunkState::Up, None)
        } else {
            (TrunkState::Unknown, None)
        }
    }

    fn probe_silent(&mut self, now: Micros, sip_code: Option<u16>, text: String, times: u32) {
        let probing = &mut self.probing;
        // A 503 is an answer: it says that the trunk knows OPTIONS and takes no calls.
        probing.speaks |= sip_code.is_some();
        probing.last_at = Some(now);
        probing.round_trip_ms = None;
        probing.text = text;
        let crossed = probing.silent_times < SILENT_PROBES && times >= SILENT_PROBES;
        probing.silent_times = times;
        if crossed {
            probing.leave_out(now);
        }
    }

    fn call_silent(&mut self, now: Micros) {
        if self.probing.silent_times >= SILENT_PROBES && !self.probing.left_out.holds(now) {
            self.probing.leave_out(now);
        }
        let calls = &mut self.calls;
        if let LeftOut::Until(at) = calls.left_out {
            if at > now {
                return;
            }
            calls.left_out.end_early(&mut calls.silent);
        }
        calls.silent += 1;
        if calls.silent >= SILENT_CALLS {
            calls.heard = false;
            calls.left_out = LeftOut::Until(now.plus_ms(LEFT_OUT_MS));
        }
    }
}

impl Probing {
    fn leave_out(&mut self, now: Micros) {
        self.left_out = if self.speaks {
            LeftOut::UntilHeard
        } else {
            LeftOut::Until(now.plus_ms(LEFT_OUT_MS))
        };
    }
}

impl LeftOut {
    /// Lets one more call be risked: one more silent one is enough then.
    fn end_early(&mut self, silent: &mut u32) {
        if *self != Self::No {
            *self = Self::No;
            *silent = SILENT_CALLS - 1;
        }
    }
}

#[cfg(test)]
mod tests;
