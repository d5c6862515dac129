//! What the called party does: a pure state machine, chosen by the last two digits of the number,
//! or by what somebody has told it.
//! It is told the time and what its ear has heard, and says what to do next.

use crate::options::Mood;
use crate::orders::{Behaviour, Sign};

/// Milliseconds from the INVITE to the first sign of ringing.
const ROUTING_MS: u64 = 100;
/// Milliseconds that a telephone rings before it is picked up, unless its number says otherwise.
const RING_MS: u64 = 1_000;
/// Milliseconds of ringback as early media, unless `--answer-after-ms` says otherwise.
const EARLY_MEDIA_MS: u64 = 3_000;
/// A prompt counts as such after so much speech…
const PROMPT_SPEECH_MS: u64 = 1_000;
/// …and as over after so much silence: longer than any gap between a notice's contents (300 ms),
/// shorter than the window in which keys are taken (5 s).
const PROMPT_PAUSE_MS: u64 = 1_200;
/// Speech after which number 16 has heard enough.
const IMPATIENT_SPEECH_MS: u64 = 1_500;
/// Milliseconds after which it leaves even if nobody spoke.
const IMPATIENT_MS: u64 = 5_000;

/// What a number does when it is called.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Manner {
    /// Never replies at all.
    Dead,
    /// Rings until the caller gives up.
    Rings,
    /// Refuses, after ringing for so long; 0 without any ringing.
    Refuses { code: u16, reason: &'static str, ring_ms: u64 },
    /// Is picked up.
    Answers(Answers),
    /// As it was told.
    Told(Behaviour),
}

/// How a number that is picked up goes on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Answers {
    /// Milliseconds of ringing.
    pub(crate) ring_ms: u64,
    /// 183 with SDP and ringback tone instead of 180.
    pub(crate) early_media: bool,
    /// What it does afterwards.
    pub(crate) then: Then,
    /// Share of RTP packets that its line loses.
    pub(crate) loss_percent: f32,
}

/// What a party does once it has answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// Listens until the caller hangs up.
    Listens,
    /// Presses these keys, one at each pause.
    Presses(&'static str),
    /// Hangs up while the prompt still speaks.
    HangsUp,
    /// Greets like an answering machine, beeps, and listens.
    Machine,
}

impl Manner {
    /// The behaviour of every number of a network in a mood; nothing where each has its own.
    pub(crate) fn in_mood(mood: Mood) -> Option<Self> {
        match mood {
            Mood::Answer => None,
            Mood::Silent => Some(Self::Dead),
            Mood::Refuse => {
                Some(Self::Refuses { code: 503, reason: "Service Unavailable", ring_ms: 0 })
            }
        }
    }

    /// The behaviour of `number` (anything that is not a digit is passed over). `ring_ms` stands in
    /// for the usual ringing times.
    pub(crate) fn of(number: &str, ring_ms: Option<u64>) -> Self {
        let digits: Vec<u8> = number.bytes().filter(u8::is_ascii_digit).collect();
        let usual = Answers {
            ring_ms: ring_ms.unwrap_or(RING_MS),
            early_media: false,
            then: Then::Listens,
            loss_percent: 0.0,
        };
        let refuses = |code, reason, ring_ms| Self::Refuses { code, reason, ring_ms };
        match digits.last_chunk::<2>() {
            Some(b"01") => Self::Answers(Answers { then: Then::Presses("1"), ..usual }),
            Some(b"02") => Self::Answers(Answers { then: Then::Presses("2"), ..usual }),
            Some(b"03") => Self::Answers(Answers { then: Then::Presses("21"), ..usual }),
            Some(b"10") => refuses(486, "Busy Here", 0),
            Some(b"11") => Self::Rings,
            Some(b"12") => refuses(603, "Decline", RING_MS),
            Some(b"13") => refuses(404, "Not Found", 0),
            Some(b"14") => refuses(503, "Service Unavailable", 0),
            Some(b"15") => Self::Answers(Answers {
                early_media: true,
                ring_ms: ring_ms.unwrap_or(EARLY_MEDIA_MS),
                ..usual
            }),
            Some(b"16") => Self::Answers(Answers { then: Then::HangsUp, ..usual }),
            Some(b"17") => Self::Answers(Answers { then: Then::Machine, ..usual }),
            Some(b"18") => Self::Answers(Answers { ring_ms: 8_000, ..usual }),
            Some(b"19") => Self::Dead,
            Some(b"20") => Self::Answers(Answers { loss_percent: 5.0, ..usual }),
            _ => Self::Answers(usual),
        }
    }
}

/// What the ear knows, milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Heard {
    /// Speech since the answer or the last key.
    pub(crate) speech_ms: u64,
    /// Silence since the last sound.
    pub(crate) silence_ms: u64,
}

/// What is to be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Send this first sign.
    Ring(Sign),
    /// Send this final response.
    Refuse { code: u16, reason: &'static str },
    /// Send 200; a machine speaks its greeting, a person says hello.
    Answer { machine: bool },
    /// Press a key; what was heard so far no longer counts.
    Press(char),
    /// Send BYE.
    HangUp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Arrived,
    Ringing {
        since_ms: u64,
    },
    Talking {
        since_ms: u64,
        pressed: usize,
        last_ms: u64,
    },
    /// Nothing more will be done of its own accord.
    Settled,
}

/// One called party.
#[derive(Debug, Clone)]
pub(crate) struct Handset {
    manner: Manner,
    press_after_ms: Option<u64>,
    stage: Stage,
}

impl Handset {
    pub(crate) fn new(manner: Manner, press_after_ms: Option<u64>) -> Self {
        Self { manner, press_after_ms, stage: Stage::Arrived }
    }

    pub(crate) fn manner(&self) -> &Manner {
        &self.manner
    }

    /// The call is over: nothing is to be done any more.
    pub(crate) fn settle(&mut self) {
        self.stage = Stage::Settled;
    }

    /// What to do at `at_ms` (since the INVITE). At most one thing; ask again until `None`.
    pub(crate) fn poll(&mut self, at_ms: u64, heard: Heard) -> Option<Action> {
        match self.stage {
            Stage::Arrived => self.arrived(at_ms),
            Stage::Ringing { since_ms } => self.ringing(at_ms, at_ms.saturating_sub(since_ms)),
            Stage::Talking { since_ms, pressed, last_ms } => {
                self.talking(at_ms, since_ms, pressed, last_ms, heard)
            }
            Stage::Settled => None,
        }
    }

    fn arrived(&mut self, at_ms: u64) -> Option<Action> {
        if at_ms < ROUTING_MS {
            return None;
        }
        match self.manner {
            Manner::Dead => {
                self.stage = Stage::Settled;
                None
            }
            Manner::Refuses { code, reason, ring_ms: 0 } => {
                self.stage = Stage::Settled;
                Some(Action::Refuse { code, reason })
            }
            Manner::Rings | Manner::Refuses { .. } | Manner::Answers(_) | Manner::Told(_) => {
                self.stage = Stage::Ringing { since_ms: at_ms };
                match self.sign() {
                    Sign::Nothing => None,
                    sign => Some(Action::Ring(sign)),
                }
            }
        }
    }

    fn sign(&self) -> Sign {
        match self.manner {
            Manner::Told(behaviour) => behaviour.ring,
            Manner::Answers(answers) if answers.early_media => Sign::EarlyMedia,
            _ => Sign::Ringing,
        }
    }

    /// It has been picked up, by somebody's order.
    pub(crate) fn pick_up(&mut self, at_ms: u64) {
        self.stage = Stage::Talking { since_ms: at_ms, pressed: 0, last_ms: at_ms };
    }

    fn ringing(&mut self, at_ms: u64, rung_ms: u64) -> Option<Action> {
        match self.manner {
            Manner::Refuses { code, reason, ring_ms } if rung_ms >= ring_ms => {
                self.stage = Stage::Settled;
                Some(Action::Refuse { code, reason })
            }
            Manner::Answers(answers) if rung_ms >= answers.ring_ms => {
                self.pick_up(at_ms);
                Some(Action::Answer { machine: answers.then == Then::Machine })
            }
            Manner::Told(behaviour) if behaviour.ring_ms.is_some_and(|ms| rung_ms >= ms) => {
                self.pick_up(at_ms);
                Some(Action::Answer { machine: false })
            }
            _ => None,
        }
    }

    fn talking(
        &mut self,
        at_ms: u64,
        since_ms: u64,
        pressed: usize,
        last_ms: u64,
        heard: Heard,
    ) -> Option<Action> {
        let Manner::Answers(answers) = self.manner else {
            return None;
        };
        match answers.then {
            Then::Listens | Then::Machine => None,
            Then::Presses(keys) => {
                let key = keys.chars().nth(pressed)?;
                let due = match self.press_after_ms {
                    Some(wait_ms) => at_ms >= last_ms + wait_ms,
                    None => {
                        heard.speech_ms >= PROMPT_SPEECH_MS && heard.silence_ms >= PROMPT_PAUSE_MS
                    }
                };
                due.then(|| {
                    self.stage = Stage::Talking { since_ms, pressed: pressed + 1, last_ms: at_ms };
                    Action::Press(key)
                })
            }
            Then::HangsUp => {
                let due =
                    heard.speech_ms >= IMPATIENT_SPEECH_MS || at_ms >= since_ms + IMPATIENT_MS;
                due.then(|| {
                    self.stage = Stage::Settled;
                    Action::HangUp
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lives through a call in steps of 20 ms; `speech` are the stretches in which the platform
    /// speaks, milliseconds since the answer. Gives back what happened and when.
    fn live(
        number: &str,
        ring_ms: Option<u64>,
        press_after_ms: Option<u64>,
        speech: &[(u64, u64)],
    ) -> Vec<(u64, Action)> {
        let mut handset = Handset::new(Manner::of(number, ring_ms), press_after_ms);
        let (mut answered_ms, mut heard, mut done) = (None, Heard::default(), Vec::new());
        for at_ms in (0..30_000).step_by(20) {
            if let Some(answered_ms) = answered_ms {
                let talk_ms = at_ms - answered_ms;
                if speech.iter().any(|&(from, to)| (from..to).contains(&talk_ms)) {
                    heard.speech_ms += 20;
                    heard.silence_ms = 0;
                } else {
                    heard.silence_ms += 20;
                }
            }
            while let Some(action) = handset.poll(at_ms, heard) {
                match action {
                    Action::Answer { .. } => answered_ms = Some(at_ms),
                    Action::Press(_) => heard = Heard::default(),
                    _ => {}
                }
                done.push((at_ms, action));
            }
        }
        done
    }

    #[test]
    fn each_number_does_what_the_table_says() {
        use Action::{Answer, HangUp, Press, Refuse, Ring};
        const TONE: Action = Ring(Sign::EarlyMedia);
        const BELL: Action = Ring(Sign::Ringing);
        const HELLO: Action = Answer { machine: false };
        // A prompt of 3 s, then after 300 ms another of 2 s; a replay of it from 10 s on.
        let speech = [(200, 3_200), (3_500, 5_500), (10_000, 15_000)];
        let refuse = |code, reason| Refuse { code, reason };
        let cases: [(&str, Vec<(u64, Action)>); 16] = [
            ("13800138000", vec![(100, BELL), (1_100, HELLO)]),
            ("13800138001", vec![(100, BELL), (1_100, HELLO), (7_780, Press('1'))]),
            ("13800138002", vec![(100, BELL), (1_100, HELLO), (7_780, Press('2'))]),
            (
                "13800138003",
                vec![(100, BELL), (1_100, HELLO), (7_780, Press('2')), (17_280, Press('1'))],
            ),
            ("13800138010", vec![(100, refuse(486, "Busy Here"))]),
            ("13800138011", vec![(100, BELL)]),
            ("13800138012", vec![(100, BELL), (1_100, refuse(603, "Decline"))]),
            ("13800138013", vec![(100, refuse(404, "Not Found"))]),
            ("13800138014", vec![(100, refuse(503, "Service Unavailable"))]),
            ("13800138015", vec![(100, TONE), (3_100, HELLO)]),
            ("13800138016", vec![(100, BELL), (1_100, HELLO), (2_780, HangUp)]),
            ("13800138017", vec![(100, BELL), (1_100, Answer { machine: true })]),
            ("13800138018", vec![(100, BELL), (8_100, HELLO)]),
            ("13800138019", vec![]),
            ("13800138020", vec![(100, BELL), (1_100, HELLO)]),
            ("+86 138-0013-8099", vec![(100, BELL), (1_100, HELLO)]),
        ];
        for (number, expected) in cases {
            assert_eq!(live(number, None, None, &speech), expected, "{number}");
        }
    }

    #[test]
    fn ringing_and_pressing_can_be_timed() {
        let times = |done: Vec<(u64, Action)>| done.iter().map(|(at, _)| *at).collect::<Vec<_>>();
        type Case<'a> = (&'a str, Option<u64>, Option<u64>, &'a [u64]);
        let cases: [Case; 5] = [
            ("00", Some(0), None, &[100, 100]),
            ("15", Some(400), None, &[100, 500]),
            ("18", Some(0), None, &[100, 8_100]),
            ("12", Some(0), None, &[100, 1_100]),
            ("03", Some(0), Some(2_000), &[100, 100, 2_100, 4_100]),
        ];
        for (number, ring_ms, press_after_ms, expected) in cases {
            assert_eq!(times(live(number, ring_ms, press_after_ms, &[])), expected, "{number}");
        }
    }

    #[test]
    fn a_cough_is_no_prompt_and_a_gap_no_pause() {
        assert_eq!(live("01", Some(0), None, &[(0, 500)]).len(), 2, "half a second of speech");
        assert_eq!(
            live("01", Some(0), None, &[(0, 2_000), (3_100, 30_000)]).len(),
            2,
            "a gap of 1.1 s"
        );
        assert_eq!(live("16", Some(0), None, &[]).last(), Some(&(5_100, Action::HangUp)));
    }

    #[test]
    fn only_number_20_has_a_bad_line_and_short_numbers_are_ordinary() {
        let loss = |number| match Manner::of(number, None) {
            Manner::Answers(answers) => answers.loss_percent,
            _ => f32::NAN,
        };
        assert_eq!(
            (loss("13800138020"), loss("13800138000"), loss("7"), loss("")),
            (5.0, 0.0, 0.0, 0.0)
        );
    }

    #[test]
    fn a_number_does_as_it_was_told() {
        let waits = Behaviour { ring: Sign::Progress, ..Behaviour::default() };
        let first = |behaviour: Behaviour| {
            let mut handset = Handset::new(Manner::Told(behaviour), None);
            let done = (0..5_000).step_by(20).filter_map(|at_ms| {
                handset.poll(at_ms, Heard::default()).map(|action| (at_ms, action))
            });
            done.collect::<Vec<_>>()
        };
        assert_eq!(first(waits), [(100, Action::Ring(Sign::Progress))]);
        let silent = Behaviour { ring: Sign::Nothing, ring_ms: Some(400), ..waits };
        assert_eq!(first(silent), [(500, Action::Answer { machine: false })]);
        let mut handset = Handset::new(Manner::Told(waits), None);
        handset.pick_up(200);
        assert_eq!(handset.poll(300, Heard::default()), None, "it rings no more");
    }

    #[test]
    fn a_call_that_is_over_does_nothing_more() {
        let mut handset = Handset::new(Manner::of("00", None), None);
        handset.settle();
        assert_eq!(handset.poll(60_000, Heard::default()), None);
    }
}
