use super::*;

const fn facts(saw_18x: bool, answered: bool, hung_up: Option<HangUpWhy>) -> LegFacts {
    LegFacts { saw_18x, answered, hung_up }
}

/// RESOLUTIONS, "Why a leg failed", row by row and in its order.
#[test]
fn causes_in_their_order() {
    use CallCause::{Completed, Failed, NoAnswer, TimeOut};
    use HangUpWhy as Why;
    let rejected = Termination::rejected;
    let ended = Termination::new;
    let cases = [
        // our own ring timer comes first, whatever the network says
        (
            ended(EndKind::Cancelled),
            facts(true, false, Some(Why::RingTimeout)),
            TimeOut,
            Fault::Callee,
        ),
        (rejected(486), facts(true, false, Some(Why::RingTimeout)), TimeOut, Fault::Callee),
        (
            rejected(486).with_q850(18),
            facts(true, false, Some(Why::RingTimeout)),
            TimeOut,
            Fault::Callee,
        ),
        (
            ended(EndKind::CancelledAfterAnswer),
            facts(true, false, Some(Why::RingTimeout)),
            TimeOut,
            Fault::Callee,
        ),
        // our own CANCEL
        (
            ended(EndKind::Cancelled),
            facts(true, false, Some(Why::Requested)),
            Failed,
            Fault::Client,
        ),
        (
            rejected(487).with_q850(19),
            facts(true, false, Some(Why::Requested)),
            Failed,
            Fault::Client,
        ),
        (
            ended(EndKind::CancelledAfterAnswer),
            facts(true, false, Some(Why::Requested)),
            Failed,
            Fault::Client,
        ),
        (
            ended(EndKind::Cancelled),
            facts(true, false, Some(Why::PlatformFault)),
            Failed,
            Fault::Platform,
        ),
        (ended(EndKind::NoReply), facts(false, false, Some(Why::NoReply)), Failed, Fault::Trunk),
        // Q.850 before the status
        (rejected(486).with_q850(18), facts(false, false, None), NoAnswer, Fault::Callee),
        (rejected(503).with_q850(19), facts(false, false, None), NoAnswer, Fault::Callee),
        (rejected(480).with_q850(17), facts(true, false, None), Failed, Fault::Callee),
        (rejected(480).with_q850(20), facts(true, false, None), Failed, Fault::Callee),
        (rejected(480).with_q850(21), facts(true, false, None), Failed, Fault::Callee),
        (rejected(480).with_q850(16), facts(true, false, None), NoAnswer, Fault::Callee),
        // 480, 408 or 487 unasked, after an 18x
        (rejected(480), facts(true, false, None), NoAnswer, Fault::Callee),
        (rejected(408), facts(true, false, None), NoAnswer, Fault::Callee),
        (rejected(487), facts(true, false, None), NoAnswer, Fault::Callee),
        (rejected(480), facts(false, false, None), Failed, Fault::Callee),
        (rejected(408), facts(false, false, None), Failed, Fault::Trunk),
        (rejected(487), facts(false, false, None), Failed, Fault::Callee),
        // no reply at all, busy, rejected, anything else
        (ended(EndKind::NoReply), facts(false, false, None), Failed, Fault::Trunk),
        (ended(EndKind::Unreachable), facts(false, false, None), Failed, Fault::Trunk),
        (rejected(486), facts(true, false, None), Failed, Fault::Callee),
        (rejected(603), facts(true, false, None), Failed, Fault::Callee),
        (rejected(404), facts(false, false, None), Failed, Fault::Client),
        (rejected(403), facts(false, false, None), Failed, Fault::Trunk),
        (rejected(503), facts(true, false, None), Failed, Fault::Trunk),
        (ended(EndKind::NoCommonMedia), facts(true, false, None), Failed, Fault::Trunk),
        (ended(EndKind::EngineFault), facts(false, false, None), Failed, Fault::Platform),
        // answered
        (ended(EndKind::LocalBye), facts(true, true, Some(Why::Normal)), Completed, Fault::Nobody),
        (ended(EndKind::RemoteBye), facts(true, true, None), Completed, Fault::Nobody),
        (
            ended(EndKind::LocalBye),
            facts(true, true, Some(Why::MaxDuration)),
            Completed,
            Fault::Nobody,
        ),
        (
            ended(EndKind::LocalBye),
            facts(true, true, Some(Why::PlatformFault)),
            Completed,
            Fault::Platform,
        ),
        (
            ended(EndKind::RemoteBye),
            facts(true, true, Some(Why::PlatformFault)),
            Completed,
            Fault::Nobody,
        ),
        (ended(EndKind::EngineFault), facts(true, true, None), Completed, Fault::Platform),
        (ended(EndKind::SessionExpired), facts(true, true, None), Completed, Fault::Trunk),
        (ended(EndKind::ConnectionLost), facts(false, false, None), Failed, Fault::Trunk),
    ];
    for (termination, facts, call_cause, fault) in cases {
        let verdict = judge(&termination, &facts);
        assert_eq!(verdict, Verdict { call_cause, fault }, "{termination} {facts:?}");
    }
}

#[test]
fn reasons_of_the_result_callback() {
    // RESOLUTIONS, result callback: 1 our ring timer or no-answer, 2 all else, none when answered
    for (cause, reason, text) in [
        (CallCause::TimeOut, Some(1), "time-out"),
        (CallCause::NoAnswer, Some(1), "no-answer"),
        (CallCause::Failed, Some(2), "failed"),
        (CallCause::Completed, None, "completed"),
    ] {
        assert_eq!(cause.reason(), reason);
        assert_eq!(cause.as_str(), text);
        assert_eq!(serde_json::to_value(cause).ok(), Some(text.into()));
    }
}

/// RESOLUTIONS, failover: nobody is rung twice.
#[test]
fn failover_only_before_anybody_was_rung() {
    let before = facts(false, false, None);
    for code in 300..700 {
        let expected = code == 408 || (500..600).contains(&code);
        assert_eq!(may_fail_over(&Termination::rejected(code), &before), expected, "{code}");
        for after in [facts(true, false, None), facts(true, true, None), facts(false, true, None)] {
            assert!(!may_fail_over(&Termination::rejected(code), &after), "{code}");
        }
    }
    let gave_up = facts(false, false, Some(HangUpWhy::NoReply));
    for (kind, alone, when_silent) in [
        (EndKind::NoReply, true, true),
        (EndKind::Unreachable, true, true),
        (EndKind::Cancelled, false, false),
        (EndKind::CancelledAfterAnswer, false, false),
        (EndKind::LocalBye, false, false),
        (EndKind::RemoteBye, false, false),
        (EndKind::NoCommonMedia, false, false),
        (EndKind::ConnectionLost, false, false),
        (EndKind::SessionExpired, false, false),
        (EndKind::EngineFault, false, false),
    ] {
        let termination = Termination::new(kind);
        assert_eq!(may_fail_over(&termination, &before), alone, "{kind:?}");
        assert_eq!(may_fail_over(&termination, &gave_up), when_silent, "{kind:?}");
        for why in [HangUpWhy::Requested, HangUpWhy::RingTimeout, HangUpWhy::PlatformFault] {
            assert!(!may_fail_over(&termination, &facts(false, false, Some(why))), "{kind:?}");
        }
    }
}

/// The trunk replied while we gave it up: its last word decides, and a phone that rang ends it.
#[test]
fn a_cancelled_trunk_is_left_only_when_it_confirms() {
    for code in 300..700 {
        let termination =
            Termination { sip_code: Some(code), ..Termination::new(EndKind::Cancelled) };
        let expected = matches!(code, 408 | 487) || (500..600).contains(&code);
        for (rang, why, expected) in [
            (false, HangUpWhy::NoReply, expected),
            (true, HangUpWhy::NoReply, false),
            (false, HangUpWhy::Requested, false),
        ] {
            let facts = facts(rang, false, Some(why));
            assert_eq!(may_fail_over(&termination, &facts), expected, "{code} {facts:?}");
        }
    }
}
