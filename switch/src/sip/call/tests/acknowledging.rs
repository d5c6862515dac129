//! When an answer is acknowledged: once it is stored, and soon at all events.

use super::*;

const PATIENCE: Duration = Duration::from_millis(200);

/// An answered call whose ACK waits.
fn answered() -> Line {
    let mut line = Line::dial(Transport::Udp);
    line.call.timers.acknowledge = PATIENCE;
    line.respond("INVITE", 200, "", SDP);
    assert_eq!((line.answers(), line.count("ACK ")), (1, 0));
    line
}

#[test]
fn an_ack_leaves_once_whatever_comes_first() {
    let cases: [(&str, fn(&mut Line)); 6] = [
        ("the answer is stored", |line| line.call.acknowledge(&mut line.out)),
        ("nobody says so", |line| line.pass(200)),
        ("the peer repeats its answer", |line| line.respond("INVITE", 200, "", SDP)),
        ("we hang up", Line::hang_up),
        ("the peer hangs up", |line| line.ask("BYE", 1, "", "")),
        ("the peer goes on", |line| line.ask("INFO", 1, "", "")),
    ];
    for (name, case) in cases {
        let mut line = answered();
        line.pass(199);
        assert_eq!(line.count("ACK "), 0, "{name}");
        case(&mut line);
        assert_eq!(line.count("ACK "), 1, "{name}");
        line.call.acknowledge(&mut line.out);
        line.pass(1_000);
        assert_eq!(line.count("ACK "), 1, "{name}: again");
    }
}

#[test]
fn no_bye_goes_before_its_ack() {
    let mut line = answered();
    line.hang_up();
    let first = |begin: &str| {
        line.out.iter().position(|output| {
            matches!(output, Output::Send(sent) if sent.bytes.starts_with(begin.as_bytes()))
        })
    };
    assert!(first("ACK ").unwrap() < first("BYE ").unwrap());
}

#[test]
fn what_is_not_taken_waits_for_nothing() {
    let mut line = Line::dial(Transport::Udp);
    line.call.timers.acknowledge = PATIENCE;
    line.respond("INVITE", 200, "", "");
    assert_eq!((line.answers(), line.count("ACK "), line.count("BYE ")), (0, 1, 1));
}
