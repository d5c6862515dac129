//! Calls in simulated time, as data: "at ms, input -> outputs". Events are left out of the outputs
//! here; [`the_story_of_a_call`] has them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod answered;
mod unanswered;

use super::*;
use crate::call_cause::CallCause;
use crate::termination::{EndKind, Termination};

/// One trunk, two plays, no keys.
fn plain() -> Plan {
    Plan {
        trunks: 1,
        times: 2,
        finish_key: None,
        repeat_key: None,
        has_finish_voice: false,
        ring_ms: 60_000,
        no_reply_ms: 4_000,
        max_duration_ms: 600_000,
        key_window_ms: 5_000,
        max_plays: 10,
    }
}

/// The published sample's keys: 1 confirms, 2 repeats, and a voice follows 1.
fn keyed() -> Plan {
    Plan {
        finish_key: Some("1".parse().unwrap()),
        repeat_key: Some("2".parse().unwrap()),
        has_finish_voice: true,
        ..plain()
    }
}

struct Script {
    name: &'static str,
    plan: Plan,
    /// A line a step. `answered` lines stand for the whole way to an answer.
    lines: &'static str,
}

#[test]
fn scripts() {
    for script in answered::scripts().iter().chain(&unanswered::scripts()) {
        run(script);
    }
}

fn run(script: &Script) {
    let mut machine = NoticeMachine::new(script.plan.clone());
    for line in script.lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if line == "0 up" {
            machine.handle(Micros(0), Input::Start);
            machine.handle(Micros(0), Input::Ringing { code: 180, early_media: false });
            machine.handle(Micros(0), Input::Answered);
            assert_eq!(machine.stage(), StageName::Speaking);
            continue;
        }
        let (step, expected) = line.split_once("->").unwrap();
        let (ms, input) = step.trim().split_once(' ').unwrap();
        let now = Micros(0).plus_ms(ms.parse().unwrap());
        let outputs = machine.handle(now, read_input(input.trim()));
        let shown: Vec<_> = outputs.iter().filter_map(show).collect();
        assert_eq!(shown.join(", "), expected.trim(), "{}: {line}", script.name);
    }
}

fn read_input(text: &str) -> Input {
    let words: Vec<&str> = text.split(' ').collect();
    let number = |word: &str| word.parse::<u32>().unwrap();
    match words.as_slice() {
        ["start"] => Input::Start,
        ["trying"] => Input::Trying,
        ["ringing", code, rest @ ..] => {
            Input::Ringing { code: code.parse().unwrap(), early_media: rest == ["media"] }
        }
        ["answered"] => Input::Answered,
        ["key", key] => Input::Key(key.parse().unwrap()),
        ["mark", play, mark] => Input::MarkReached { play: number(play), mark: number(mark) },
        ["played", play] => Input::PlayFinished { play: number(play), completed: true },
        ["cut", play] => Input::PlayFinished { play: number(play), completed: false },
        ["ended", kind, code] => Input::LegEnded(Termination {
            sip_code: Some(code.parse().unwrap()),
            ..Termination::new(read_name::<EndKind>(kind))
        }),
        ["ended", kind] => Input::LegEnded(Termination::new(read_name::<EndKind>(kind))),
        ["timer", reason] => Input::Timer(read_name(reason)),
        ["cancel"] => Input::Cancel,
        ["shutdown"] => Input::Shutdown,
        _ => panic!("unknown input {text:?}"),
    }
}

fn read_name<T: serde::de::DeserializeOwned>(name: &str) -> T {
    serde_json::from_value(name.into()).unwrap()
}

fn name_of(value: impl serde::Serialize) -> String {
    serde_json::to_value(value).unwrap().as_str().unwrap().to_owned()
}

fn show(output: &Output) -> Option<String> {
    Some(match output {
        Output::Event(_) => return None,
        Output::Dial { attempt, trunk } => {
            assert_eq!(usize::from(*attempt), *trunk);
            format!("dial {trunk}")
        }
        Output::Play { play, what } => format!("play {play} {}", name_of(what)),
        Output::StopPlay { play } => format!("stop {play}"),
        Output::AwaitKeys(on) => format!("await {}", if *on { "on" } else { "off" }),
        Output::HangUp(why) => format!("hang_up {}", why.name()),
        Output::Arm { timer, after_ms } => format!("arm {} {after_ms}", name_of(timer)),
        Output::Disarm(timer) => format!("disarm {}", name_of(timer)),
        Output::Finished(outcome) => show_outcome(outcome),
    })
}

fn show_outcome(outcome: &Outcome) -> String {
    assert_eq!(outcome.answered, outcome.cause == CallCause::Completed);
    let mut shown = format!(
        "finished {} {} {} attempts {} plays {}",
        outcome.result,
        outcome.cause.as_str(),
        outcome.fault.name(),
        outcome.attempts,
        outcome.plays
    );
    let mut add = |text: String| shown.push_str(&text);
    outcome.input_key.map(|key| format!(" key {key}")).into_iter().for_each(&mut add);
    outcome.reason.map(|reason| format!(" reason {reason}")).into_iter().for_each(&mut add);
    outcome.crossed_answer.then(|| " crossed".to_owned()).into_iter().for_each(&mut add);
    shown
}

#[test]
fn the_story_of_a_call() {
    let mut machine = NoticeMachine::new(Plan { trunks: 2, ..keyed() });
    let steps = [
        (0, "start"),
        (200, "ended rejected 503"),
        (300, "trying"),
        (900, "ringing 183 media"),
        (1_000, "ringing 180"),
        (5_000, "answered"),
        (6_000, "key 1"),
        (9_000, "mark 1 1"),
        (9_100, "key 5"),
        (9_200, "key 2"),
        (9_210, "cut 1"),
        (14_000, "mark 2 1"),
        (15_000, "played 2"),
        (16_000, "key 1"),
        (18_000, "played 3"),
        (18_030, "ended local_bye"),
    ];
    let mut story = Vec::new();
    for (ms, input) in steps {
        for output in machine.handle(Micros(0).plus_ms(ms), read_input(input)) {
            if let Output::Event(body) = output {
                let at = Micros(0).plus_ms(ms);
                let seq = u32::try_from(story.len()).unwrap();
                let event = crate::event::ConversationEvent { seq, at, party: None, body };
                let stored = serde_json::to_value(&event).unwrap();
                assert_eq!(stored["kind"], event.kind());
                assert_eq!(
                    serde_json::from_value::<crate::event::ConversationEvent>(stored).unwrap(),
                    event
                );
                story.push(serde_json::to_string(&event).unwrap());
            }
        }
    }
    assert_eq!(machine.stage(), StageName::Over);
    insta::assert_snapshot!(story.join("\n"));
}
