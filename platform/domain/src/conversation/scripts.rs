//! Conversations in simulated time, as data: "at ms, input -> outputs". Words of an input: a party
//! (`caller`, `callee`, `third-2`) and what happened to its leg.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use crate::{EndKind, Termination};

struct Script {
    name: &'static str,
    plan: Plan,
    addition: Addition,
    lines: &'static str,
}

const REACH: Reach = Reach { trunks: 1, ring_ms: 60_000, no_reply_ms: 4_000 };

fn plain() -> Plan {
    Plan {
        caller: REACH,
        callee: REACH,
        voices: Voices::default(),
        record: Record::Off,
        max_duration_s: None,
    }
}

fn third() -> Addition {
    Addition {
        reach: Reach { ring_ms: 120_000, ..REACH },
        voices: Voices::default(),
        record: Record::Off,
    }
}

fn script(name: &'static str, plan: Plan, lines: &'static str) -> Script {
    Script { name, plan, addition: third(), lines }
}

fn custom(voices: Voices) -> Voices {
    Voices { ringback: Ringback::Custom, ..voices }
}

fn scripts() -> Vec<Script> {
    let greeted =
        Voices { greets: true, caller_voice: true, callee_voice: true, ..Voices::default() };
    vec![
        script(
            "the whole way, ringback passed through",
            plain(),
            "0 start -> caller initiated, dial caller 0, arm no_reply caller 4000, arm ring caller 60000
             100 caller trying -> disarm no_reply caller
             500 caller ringing 180 -> caller ringing
             2000 caller answered -> disarm ring caller, caller answered, callee initiated, dial callee 0, arm no_reply callee 4000, arm ring callee 60000
             2500 callee ringing 183 media -> disarm no_reply callee, callee ringing, arm early_audio callee 1000
             2600 callee audio -> disarm early_audio callee, callee heard by caller
             2700 callee ringing 180 ->
             4000 callee answered -> disarm ring callee, callee answered, together caller callee
             9000 callee ended remote_bye -> callee completed completed, hang_up caller other_party_left
             9100 caller ended local_bye -> caller completed completed, finished 4 callee",
        ),
        script(
            "a tone where no audio comes",
            plain(),
            "0 talk-to-callee
             1000 callee ringing 183 media -> disarm no_reply callee, callee ringing, arm early_audio callee 1000
             1500 callee ringing 183 media ->
             2000 timer early_audio callee -> play caller 1 ringback_tone
             2500 callee ringing 180 ->
             3000 callee audio -> stop caller 1, callee heard by caller
             4000 callee answered -> disarm ring callee, callee answered, together caller callee",
        ),
        script(
            "the callee is busy: the tone says so",
            plain(),
            "0 talk-to-callee
             1000 callee ended rejected 486 -> disarm no_reply callee, disarm ring callee, callee completed failed, play caller 1 busy_tone
             4000 caller played 1 -> hang_up caller other_party_left
             4100 caller ended local_bye -> caller completed completed, finished 2 callee",
        ),
        script(
            "the network has said why: no tone on top",
            plain(),
            "0 talk-to-callee
             1000 callee ringing 183 media -> disarm no_reply callee, callee ringing, arm early_audio callee 1000
             1100 callee audio -> disarm early_audio callee, callee heard by caller
             6000 callee ended rejected 404 -> disarm ring callee, callee completed failed, apart, hang_up caller other_party_left",
        ),
        script(
            "custom voices; the caller leaves while it is told",
            Plan { voices: custom(Voices::default()), record: Record::FromRinging, ..plain() },
            "0 talk-to-callee
             1000 callee ringing 180 -> disarm no_reply callee, callee ringing, record, play caller 1 ringback_voice
             1100 callee ringing 183 media ->
             1200 callee audio ->
             60000 timer ring callee -> hang_up callee ring_timeout
             60100 callee ended cancelled 487 -> callee completed time-out, play caller 2 fail_voice
             61000 caller ended remote_bye -> caller completed completed, record off, finished 2 callee",
        ),
        script(
            "greeting, private prompts, who is done hears silence",
            Plan { voices: greeted, record: Record::FromAnswer, ..plain() },
            "0 start -> caller initiated, dial caller 0, arm no_reply caller 4000, arm ring caller 60000
             10 caller answered -> disarm no_reply caller, disarm ring caller, caller answered, play caller 1 greeting
             2000 caller played 1 -> callee initiated, dial callee 0, arm no_reply callee 4000, arm ring callee 60000
             2100 callee ringing 180 -> disarm no_reply callee, callee ringing, play caller 2 ringback_tone
             5000 callee answered -> disarm ring callee, callee answered, record, play caller 3 caller_voice, play callee 1 callee_voice
             5100 caller played 2 ->
             7000 callee played 1 ->
             8000 caller played 3 -> together caller callee
             9000 caller ended remote_bye -> caller completed completed, record off, hang_up callee other_party_left
             9100 callee ended local_bye -> callee completed completed, finished 3 caller",
        ),
        script(
            "the caller does not answer",
            plain(),
            "0 start -> caller initiated, dial caller 0, arm no_reply caller 4000, arm ring caller 60000
             1 caller ringing 180 -> disarm no_reply caller, caller ringing
             60000 timer ring caller -> hang_up caller ring_timeout
             60001 caller ended cancelled 487 -> caller completed time-out, finished 0 caller",
        ),
        script(
            "whoever waits for a line rings for as long as everybody, from its INVITE on",
            plain(),
            "0 talk-to-callee
             100 callee waits -> disarm no_reply callee, disarm ring callee
             2000 callee sent -> arm no_reply callee 4000, arm ring callee 60000
             2100 callee trying -> disarm no_reply callee
             61500 timer ring callee -> arm ring callee 500
             62000 timer ring callee -> hang_up callee ring_timeout
             62100 callee ended cancelled 487 -> callee completed time-out, play caller 1 busy_tone",
        ),
        script(
            "a cancelled caller who picks up is no answer",
            plain(),
            "0 start -> caller initiated, dial caller 0, arm no_reply caller 4000, arm ring caller 60000
             1 caller trying -> disarm no_reply caller
             5 cancel -> disarm ring caller, hang_up caller requested
             6 cancel ->
             7 caller answered -> caller crossed
             8 caller ended cancelled_after_answer -> caller completed failed, finished 0 api",
        ),
        script(
            "the caller leaves while the callee rings",
            plain(),
            "0 talk-to-callee
             1000 callee ringing 180 -> disarm no_reply callee, callee ringing, play caller 1 ringback_tone
             2000 caller ended remote_bye -> caller completed completed, disarm ring callee, hang_up callee other_party_left
             2100 callee ended cancelled 487 -> callee completed failed, finished 1 caller",
        ),
        script(
            "cancelled while it is being rung, and in the talk",
            plain(),
            "0 talk-to-callee
             1000 cancel -> hang_up caller requested, disarm no_reply callee, disarm ring callee, hang_up callee requested
             1100 caller ended local_bye -> caller completed completed
             1200 callee ended cancelled 487 -> callee completed failed, finished 1 api",
        ),
        script(
            "a silent trunk of the callee is left for the next",
            Plan { callee: Reach { trunks: 2, ..REACH }, ..plain() },
            "0 talk-to-callee
             4000 timer no_reply callee -> disarm ring callee, hang_up callee no_reply
             4100 callee ended no_reply -> callee trunk-failed 0, dial callee 1, arm no_reply callee 4000, arm ring callee 60000
             4200 callee ended rejected 503 -> disarm no_reply callee, disarm ring callee, callee completed failed, play caller 1 busy_tone",
        ),
        script(
            "the talk has an end, and is told so a minute before",
            Plan { max_duration_s: Some(90), ..plain() },
            "0 talk-to-callee
             1000 callee answered -> disarm no_reply callee, disarm ring callee, callee answered, together caller callee, arm max_duration 90000, arm last_minute 30000
             31000 timer last_minute -> announce caller last_minute, announce callee last_minute
             91000 timer max_duration -> hang_up caller max_duration, hang_up callee max_duration
             91100 callee ended local_bye -> callee completed completed
             91200 caller ended local_bye -> caller completed completed, finished 5 time_limit",
        ),
        script(
            "a talk of a minute is told nothing",
            Plan { max_duration_s: Some(60), ..plain() },
            "0 talk-to-callee
             1000 callee answered -> disarm no_reply callee, disarm ring callee, callee answered, together caller callee, arm max_duration 60000",
        ),
        Script {
            name: "a third party: greeting, music for the others, voices, three, two, a fourth",
            plan: plain(),
            addition: Addition { voices: greeted, record: Record::FromAnswer, ..third() },
            lines: "0 talk
             1000 add -> added third-2, apart, play callee 1 hold_music, play caller 1 greeting
             1001 add -> not-added already_three
             3000 caller played 1 -> third-2 initiated, dial third-2 0, arm no_reply third-2 4000, arm ring third-2 120000
             3100 third-2 ringing 180 -> disarm no_reply third-2, third-2 ringing, play caller 2 ringback_tone
             5000 third-2 answered -> disarm ring third-2, third-2 answered, record, stop callee 1, play caller 3 caller_voice, play third-2 1 callee_voice
             6000 caller played 3 ->
             7000 third-2 played 1 -> together caller callee third-2
             7001 add -> not-added already_three
             8000 caller ended remote_bye -> caller completed completed, together callee third-2
             9000 add -> added third-3, apart, play third-2 2 hold_music, play callee 2 greeting
             9500 cancel -> record off, hang_up callee requested, hang_up third-2 requested
             9600 callee ended local_bye -> callee completed completed
             9700 third-2 ended local_bye -> third-2 completed completed, finished 3 api",
        },
        Script {
            name: "a third party that is not reached: the two go on",
            plan: plain(),
            addition: Addition { voices: custom(Voices::default()), ..third() },
            lines: "0 talk
             1000 add -> added third-2, apart, play callee 1 hold_music, third-2 initiated, dial third-2 0, arm no_reply third-2 4000, arm ring third-2 120000
             1100 third-2 ringing 180 -> disarm no_reply third-2, third-2 ringing, play caller 1 ringback_voice
             121000 timer ring third-2 -> hang_up third-2 ring_timeout
             121100 third-2 ended cancelled 487 -> third-2 completed time-out, stop callee 1, play caller 2 fail_voice
             125000 caller played 2 -> together caller callee
             126000 caller ended remote_bye -> caller completed completed, hang_up callee other_party_left
             126100 callee ended local_bye -> callee completed completed, finished 3 caller",
        },
        script(
            "the caller leaves while a third party rings: the callee takes over",
            plain(),
            "0 talk
             1000 add -> added third-2, apart, play callee 1 hold_music, third-2 initiated, dial third-2 0, arm no_reply third-2 4000, arm ring third-2 120000
             1100 third-2 ringing 180 -> disarm no_reply third-2, third-2 ringing, play caller 1 ringback_tone
             2000 caller ended remote_bye -> caller completed completed, stop callee 1, play callee 2 ringback_tone
             3000 third-2 answered -> disarm ring third-2, third-2 answered, stop callee 2, together callee third-2
             4000 third-2 ended remote_bye -> third-2 completed completed, hang_up callee other_party_left
             4100 callee ended local_bye -> callee completed completed, finished 3 third_party",
        ),
        script(
            "the caller leaves, and then the third party is not reached: nobody is left to talk to",
            plain(),
            "0 talk
             1000 add -> added third-2, apart, play callee 1 hold_music, third-2 initiated, dial third-2 0, arm no_reply third-2 4000, arm ring third-2 120000
             2000 caller ended remote_bye -> caller completed completed, stop callee 1
             3000 third-2 ended rejected 486 -> disarm no_reply third-2, disarm ring third-2, third-2 completed failed, play callee 2 busy_tone
             5000 callee played 2 -> hang_up callee other_party_left
             5100 callee ended local_bye -> callee completed completed, finished 3 caller",
        ),
        script(
            "the callee ends it for all, also while a third party rings",
            plain(),
            "0 talk
             1000 add -> added third-2, apart, play callee 1 hold_music, third-2 initiated, dial third-2 0, arm no_reply third-2 4000, arm ring third-2 120000
             2000 callee ended remote_bye -> callee completed completed, hang_up caller other_party_left, disarm no_reply third-2, disarm ring third-2, hang_up third-2 other_party_left
             2100 caller ended local_bye -> caller completed completed
             2200 third-2 ended cancelled 487 -> third-2 completed failed, finished 4 callee",
        ),
        script(
            "too early for a third party, and shutdown",
            plain(),
            "0 talk-to-callee
             10 add -> not-added not_bridged
             20 callee answered -> disarm no_reply callee, disarm ring callee, callee answered, together caller callee
             30 shutdown -> hang_up caller platform_fault, hang_up callee platform_fault
             35 add -> not-added ended
             40 caller ended local_bye -> caller completed completed
             50 callee ended local_bye -> callee completed completed, finished 3 platform",
        ),
        script(
            "whoever is not heard any more has left; nobody waits for its last word",
            plain(),
            "0 talk
             1000 callee lost -> hang_up callee media_lost, hang_up caller other_party_left
             1001 callee lost ->
             1100 caller ended local_bye -> caller completed completed
             33000 callee ended local_bye -> callee completed completed, finished 4 callee",
        ),
        script(
            "of three, one that is lost leaves two talking",
            plain(),
            "0 talk
             1000 add -> added third-2, apart, play callee 1 hold_music, third-2 initiated, dial third-2 0, arm no_reply third-2 4000, arm ring third-2 120000
             2000 third-2 answered -> disarm no_reply third-2, disarm ring third-2, third-2 answered, stop callee 1, together caller callee third-2
             3000 caller lost -> hang_up caller media_lost, together callee third-2
             4000 caller ended local_bye -> caller completed completed
             5000 third-2 ended remote_bye -> third-2 completed completed, hang_up callee other_party_left
             5100 callee ended local_bye -> callee completed completed, finished 3 third_party",
        ),
        script(
            "the gate says over how many trunks; a refusal tries none",
            plain(),
            "0 talk-to-callee
             1 callee routed 2 ->
             100 callee ended rejected 503 -> disarm no_reply callee, disarm ring callee, callee trunk-failed 0, dial callee 1, arm no_reply callee 4000, arm ring callee 60000
             200 callee ended refused -> disarm no_reply callee, disarm ring callee, callee completed failed, play caller 1 busy_tone",
        ),
        script("cancelled before it began", plain(), "0 cancel -> finished 0 api\n 1 start ->"),
    ]
}

#[test]
fn conversations_go_as_written() {
    for script in scripts() {
        run(&script);
    }
}

fn run(script: &Script) {
    let mut machine = ConversationMachine::new(script.plan.clone());
    for line in script.lines.lines().map(str::trim) {
        if let Some(way) = line.strip_prefix("0 talk") {
            let to = |input| Input::Leg(Party::CALLER, input);
            machine.handle(Micros(0), Input::Start);
            machine.handle(Micros(0), to(LegInput::Answered));
            if way.is_empty() {
                machine.handle(Micros(0), Input::Leg(Party::CALLEE, LegInput::Answered));
            }
            continue;
        }
        let (step, expected) = line.split_once("->").unwrap();
        let (ms, input) = step.trim().split_once(' ').unwrap();
        let now = Micros(0).plus_ms(ms.parse().unwrap());
        let outputs = machine.handle(now, read_input(input.trim(), script.addition));
        let shown: Vec<_> = outputs.iter().map(show).collect();
        assert_eq!(shown.join(", "), expected.trim(), "{}: {line}", script.name);
    }
}

fn read_input(text: &str, addition: Addition) -> Input {
    let words: Vec<&str> = text.split(' ').collect();
    match words.as_slice() {
        ["start"] => Input::Start,
        ["add"] => Input::Add(addition),
        ["cancel"] => Input::Cancel,
        ["shutdown"] => Input::Shutdown,
        ["timer", "no_reply", party] => Input::Timer(Timer::NoReply(read_party(party))),
        ["timer", "ring", party] => Input::Timer(Timer::Ring(read_party(party))),
        ["timer", "early_audio", party] => Input::Timer(Timer::EarlyAudio(read_party(party))),
        ["timer", "last_minute"] => Input::Timer(Timer::LastMinute),
        ["timer", "max_duration"] => Input::Timer(Timer::MaxDuration),
        [party, leg @ ..] => Input::Leg(read_party(party), read_leg(leg)),
        [] => panic!("an input without a word"),
    }
}

fn read_leg(words: &[&str]) -> LegInput {
    match words {
        ["waits"] => LegInput::Waits,
        ["sent"] => LegInput::Sent,
        ["trying"] => LegInput::Trying,
        ["ringing", code, rest @ ..] => {
            LegInput::Ringing { code: code.parse().unwrap(), early_media: rest == ["media"] }
        }
        ["routed", trunks] => LegInput::Routed { trunks: trunks.parse().unwrap() },
        ["lost"] => LegInput::MediaLost,
        ["audio"] => LegInput::EarlyAudio,
        ["answered"] => LegInput::Answered,
        ["played", play] => LegInput::PlayFinished { play: play.parse().unwrap() },
        ["ended", kind, code @ ..] => LegInput::Ended(Termination {
            sip_code: code.first().map(|code| code.parse().unwrap()),
            ..Termination::new(serde_json::from_value::<EndKind>((*kind).into()).unwrap())
        }),
        _ => panic!("unknown input {words:?}"),
    }
}

fn read_party(word: &str) -> Party {
    (0..9).map(Party).find(|party| party.to_string() == word).unwrap()
}

fn name_of(value: impl serde::Serialize) -> String {
    serde_json::to_value(value).unwrap().as_str().unwrap().to_owned()
}

fn show_timer(timer: Timer) -> String {
    match timer {
        Timer::NoReply(party) => format!("no_reply {party}"),
        Timer::Ring(party) => format!("ring {party}"),
        Timer::EarlyAudio(party) => format!("early_audio {party}"),
        Timer::LastMinute => "last_minute".to_owned(),
        Timer::MaxDuration => "max_duration".to_owned(),
    }
}

fn show(output: &Output) -> String {
    match output {
        Output::Dial { party, attempt } => format!("dial {party} {attempt}"),
        Output::Play { party, play, what } => format!("play {party} {play} {}", name_of(what)),
        Output::StopPlay { party, play } => format!("stop {party} {play}"),
        Output::Announce { party, what } => format!("announce {party} {}", name_of(what)),
        Output::Connect(Connection::Apart) => "apart".to_owned(),
        Output::Connect(Connection::EarlyAudio { from, to }) => format!("{from} heard by {to}"),
        Output::Connect(Connection::Together(parties)) => {
            parties.iter().fold("together".to_owned(), |text, party| format!("{text} {party}"))
        }
        Output::StartRecording => "record".to_owned(),
        Output::StopRecording => "record off".to_owned(),
        Output::HangUp { party, why } => format!("hang_up {party} {}", why.name()),
        Output::Arm { timer, after_ms } => format!("arm {} {after_ms}", show_timer(*timer)),
        Output::Disarm(timer) => format!("disarm {}", show_timer(*timer)),
        Output::Status { party, status, cause: None, .. } => format!("{party} {}", name_of(status)),
        Output::Status { party, status, cause: Some(cause), .. } => {
            format!("{party} {} {}", name_of(status), cause.as_str())
        }
        Output::TrunkFailed { party, attempt, .. } => format!("{party} trunk-failed {attempt}"),
        Output::AnswerCrossedCancel(party) => format!("{party} crossed"),
        Output::Added(party) => format!("added {party}"),
        Output::NotAdded(AddRefusal::NotBridged) => "not-added not_bridged".to_owned(),
        Output::NotAdded(AddRefusal::AlreadyThree) => "not-added already_three".to_owned(),
        Output::NotAdded(AddRefusal::Ended) => "not-added ended".to_owned(),
        Output::Finished(outcome) => {
            format!("finished {} {}", outcome.ending.bye_type.number(), name_of(outcome.ending.by))
        }
    }
}
