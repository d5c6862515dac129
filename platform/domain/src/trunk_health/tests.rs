#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;

const REGISTERS: Expected = Expected { registers: true };
const PLAIN: Expected = Expected { registers: false };

/// A step: at which second, what is learned (nothing: time passes), and how the trunk stands then.
type Step = (i64, Option<TrunkFact>, TrunkState, Option<&'static str>);

fn at(s: i64) -> Micros {
    Micros(0).plus_ms(s * 1_000)
}

fn registered(expires_s: u32) -> Option<TrunkFact> {
    Some(TrunkFact::Registered { expires_s })
}

fn unregistered(sip_code: Option<u16>) -> Option<TrunkFact> {
    Some(TrunkFact::NotRegistered { sip_code, text: "because".to_owned() })
}

fn alive() -> Option<TrunkFact> {
    Some(TrunkFact::ProbeAnswered { round_trip_ms: 3.0 })
}

fn silent(times: u32, sip_code: Option<u16>) -> Option<TrunkFact> {
    Some(TrunkFact::ProbeSilent { sip_code, text: "no answer".to_owned(), times })
}

fn follow(name: &str, expected: Expected, steps: &[Step]) {
    let mut health = TrunkHealth::new(expected, at(0));
    for (index, (s, fact, state, why)) in steps.iter().enumerate() {
        let before = health.standing().state;
        let news = match fact {
            Some(fact) => health.learn(at(*s), fact.clone()),
            None => health.tick(at(*s)),
        };
        let standing = health.standing();
        let found = (standing.state, standing.why.as_ref().map(DownWhy::name));
        assert_eq!(found, (*state, *why), "{name}: step {index} at {s} s");
        assert_eq!(news, before != *state, "{name}: step {index} is news or not");
        if news {
            assert_eq!(standing.since, at(*s), "{name}: step {index} begins then");
        }
    }
}

#[test]
fn registrations() {
    use TrunkState::{Down, Unknown, Up};
    let out = Some("not_registered");
    follow(
        "taken, refreshed, refused, taken again",
        REGISTERS,
        &[
            (0, None, Unknown, None),
            (1, registered(60), Up, None),
            (50, registered(60), Up, None),
            (100, unregistered(Some(403)), Down, out),
            (130, registered(60), Up, None),
        ],
    );
    follow(
        "a registrar that falls silent is trusted until the registration runs out",
        REGISTERS,
        &[
            (0, registered(60), Up, None),
            (50, unregistered(None), Up, None),
            (55, unregistered(Some(503)), Up, None),
            (59, None, Up, None),
            (60, None, Down, out),
        ],
    );
    follow(
        "a sign of life does not help who is not registered",
        REGISTERS,
        &[
            (0, unregistered(Some(401)), Down, out),
            (1, alive(), Down, out),
            (2, Some(TrunkFact::CallHeard), Down, out),
            (3, registered(60), Up, None),
        ],
    );
    follow(
        "where none is wanted it does not count",
        PLAIN,
        &[(0, unregistered(Some(403)), Unknown, None), (1, alive(), Up, None)],
    );
}

#[test]
fn probes() {
    use TrunkState::{Down, Unknown, Up};
    let out = Some("options_silent");
    follow(
        "silence of one that has answered lasts until it answers again",
        PLAIN,
        &[
            (0, alive(), Up, None),
            (30, silent(1, None), Up, None),
            (35, silent(2, None), Down, out),
            (1_000, silent(9, None), Down, out),
            (1_001, alive(), Up, None),
        ],
    );
    follow(
        "one that never answered may ignore OPTIONS: a call decides",
        PLAIN,
        &[
            (0, silent(1, None), Unknown, None),
            (5, silent(2, None), Down, out),
            (30, silent(3, None), Down, out),
            (35, None, Unknown, None),
            (36, silent(4, None), Unknown, None),
            (40, Some(TrunkFact::CallSilent), Down, out),
            (70, None, Unknown, None),
            (71, Some(TrunkFact::CallHeard), Up, None),
            (75, silent(12, None), Up, None),
        ],
    );
    follow(
        "503 is spoken, and meant",
        PLAIN,
        &[
            (0, silent(1, Some(503)), Unknown, None),
            (5, silent(2, Some(503)), Down, out),
            (500, None, Down, out),
            (501, alive(), Up, None),
        ],
    );
    follow(
        "a call that is heard speaks against silent probes, the next silent one for them",
        PLAIN,
        &[
            (0, alive(), Up, None),
            (30, silent(2, None), Down, out),
            (31, Some(TrunkFact::CallHeard), Up, None),
            (40, silent(3, None), Up, None),
            (41, Some(TrunkFact::CallSilent), Down, out),
        ],
    );
    follow(
        "registered and silent",
        REGISTERS,
        &[(0, registered(600), Up, None), (1, alive(), Up, None), (9, silent(2, None), Down, out)],
    );
}

#[test]
fn calls() {
    use TrunkState::{Down, Unknown, Up};
    let (out, quiet) = (Some("calls_silent"), || Some(TrunkFact::CallSilent));
    follow(
        "left out after five, then one more is risked",
        PLAIN,
        &[
            (0, quiet(), Unknown, None),
            (1, quiet(), Unknown, None),
            (2, quiet(), Unknown, None),
            (3, quiet(), Unknown, None),
            (4, quiet(), Down, out),
            (5, quiet(), Down, out),
            (33, None, Down, out),
            (34, None, Unknown, None),
            (35, quiet(), Down, out),
            (65, None, Unknown, None),
            (66, Some(TrunkFact::CallHeard), Up, None),
            (67, quiet(), Up, None),
        ],
    );
    let mut health = TrunkHealth::new(PLAIN, at(0));
    for _ in 0..SILENT_CALLS {
        health.learn(at(1), TrunkFact::CallSilent);
    }
    assert!(health.learn(at(2), alive().unwrap()), "an answered OPTIONS ends it at once");
    assert!(health.learn(at(3), TrunkFact::CallSilent), "and one more silent call begins it again");
}

#[test]
fn who_must_register_takes_no_call_before_it_has() {
    let mut health = TrunkHealth::new(REGISTERS, at(0));
    assert!(!health.takes_calls());
    assert_eq!(health.standing().state, TrunkState::Unknown, "but it is not known to be down");
    assert_eq!(health.registration().unwrap().state(at(0)), "pending");
    health.learn(at(1), registered(60).unwrap());
    assert!(health.takes_calls());
    assert_eq!(health.registration().unwrap().state(at(1)), "registered");
    assert_eq!(health.registration().unwrap().expires_at, Some(at(61)));
    health.learn(at(2), unregistered(Some(403)).unwrap());
    assert!(!health.takes_calls());
    let registration = health.registration().unwrap();
    assert_eq!((registration.state(at(2)), registration.last_code), ("not_registered", Some(403)));
    assert!(TrunkHealth::new(PLAIN, at(0)).takes_calls());
}

#[test]
fn what_the_end_of_a_call_says() {
    let of = |termination: Termination| TrunkFact::of_call_end(&termination);
    for kind in [EndKind::NoReply, EndKind::Unreachable] {
        assert_eq!(of(Termination::new(kind)), Some(TrunkFact::CallSilent), "{kind:?}");
    }
    assert_eq!(of(Termination::rejected(503)), Some(TrunkFact::CallHeard));
    for kind in [EndKind::Cancelled, EndKind::LocalBye, EndKind::EngineFault] {
        assert_eq!(of(Termination::new(kind)), None, "{kind:?}");
    }
}
