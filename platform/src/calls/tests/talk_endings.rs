//! Every way in which a click-to-call conversation can end: byeType, endedBy and causes, in its
//! callback and in its rows.

use yunling_app::click::ClickSpec;
use yunling_app::ports::TalkPhase;
use yunling_store::attempts;
use yunling_store::attempts::AttemptState;

use super::exchange::{CALLEE, CALLER, Exchange, THIRD, only, plain, third};
use super::rig::{self, Limits};

/// A conversation and what it is to come to.
struct Case {
    name: &'static str,
    spec: ClickSpec,
    /// `who what`, by numbers' last digit: 1 the caller, 2 the callee, 3 the third; or a command.
    steps: &'static [&'static str],
    bye_type: &'static str,
    ended_by: &'static str,
    reason: &'static str,
    /// `cause` of each leg, by callSeq.
    causes: &'static [&'static str],
}

fn case(
    name: &'static str,
    steps: &'static [&'static str],
    (bye_type, ended_by, reason): (&'static str, &'static str, &'static str),
    causes: &'static [&'static str],
) -> Case {
    Case { name, spec: plain(), steps, bye_type, ended_by, reason, causes }
}

fn cases() -> Vec<Case> {
    vec![
        case("the caller is busy", &["1 rejects 486"], ("0", "caller", "rejected"), &["failed"]),
        case(
            "the caller does not pick up, says its network",
            &["1 rings", "1 rejects 480"],
            ("0", "caller", "rejected"),
            &["no-answer"],
        ),
        case(
            "cancelled while the caller rings",
            &["1 rings", "cancel"],
            ("0", "api", "requested"),
            &["failed"],
        ),
        case(
            "the caller leaves while the callee rings",
            &["1 answers", "2 rings", "1 leaves"],
            ("1", "caller", "remote_bye"),
            &["completed", "failed"],
        ),
        case(
            "cancelled while the callee rings",
            &["1 answers", "2 rings", "cancel", "cancel"],
            ("1", "api", "requested"),
            &["completed", "failed"],
        ),
        case(
            "the callee is busy, and the tone says so",
            &["1 answers", "2 rejects 486", "1 heard"],
            ("2", "callee", "rejected"),
            &["completed", "failed"],
        ),
        case(
            "the callee's network plays why",
            &["1 answers", "2 rings-early", "2 audio", "2 rejects 404"],
            ("2", "callee", "rejected"),
            &["completed", "failed"],
        ),
        case(
            "the caller hangs up",
            &["1 answers", "2 rings", "2 answers", "connected", "1 leaves"],
            ("3", "caller", "remote_bye"),
            &["completed", "completed"],
        ),
        case(
            "cancelled in the talk",
            &["1 answers", "2 answers", "connected", "cancel"],
            ("3", "api", "requested"),
            &["completed", "completed"],
        ),
        case(
            "the callee hangs up",
            &["1 answers", "2 rings", "2 answers", "connected", "2 leaves"],
            ("4", "callee", "remote_bye"),
            &["completed", "completed"],
        ),
        case(
            "the callee's media is lost",
            &["1 answers", "2 answers", "connected", "2 lost"],
            ("4", "callee", "media_lost"),
            &["completed", "completed"],
        ),
        Case {
            spec: ClickSpec { max_duration_s: Some(1), ..plain() },
            ..case(
                "the time is up",
                &["1 answers", "2 answers", "connected"],
                ("5", "time_limit", "max_duration"),
                &["completed", "completed"],
            )
        },
        case(
            "the last but one of three leaves",
            &[
                "1 answers",
                "2 answers",
                "connected",
                "add",
                "3 answers",
                "three",
                "1 leaves",
                "3 leaves",
            ],
            ("3", "third_party", "remote_bye"),
            &["completed", "completed", "completed"],
        ),
        case(
            "the callee ends it for three",
            &["1 answers", "2 answers", "connected", "add", "3 answers", "three", "2 leaves"],
            ("4", "callee", "remote_bye"),
            &["completed", "completed", "completed"],
        ),
        case(
            "cancelled while a third party rings",
            &["1 answers", "2 answers", "connected", "add", "3 rings", "cancel"],
            ("3", "api", "requested"),
            &["completed", "completed", "failed"],
        ),
    ]
}

async fn play(exchange: &Exchange, case: &Case) {
    let clicked = exchange.click(&case.spec).await;
    let account = Exchange::account();
    for step in case.steps {
        match *step {
            "cancel" => exchange.talks().cancel(&account, &clicked.conversation),
            "connected" => {
                exchange.hears(CALLER, &[CALLEE]).await;
                exchange.hears(CALLEE, &[CALLER]).await;
                exchange.shows(&clicked, |state| state.phase == TalkPhase::Connected).await;
            }
            "three" => {
                exchange.hears(CALLER, &[CALLEE, THIRD]).await;
                exchange.hears(CALLEE, &[CALLER, THIRD]).await;
                exchange.hears(THIRD, &[CALLER, CALLEE]).await;
            }
            "add" => {
                let added = exchange.talks().add(&account, &clicked.conversation, third()).await;
                added.unwrap_or_else(|refusal| panic!("{}: {refusal:?}", case.name));
            }
            other => {
                let (who, what) = other.split_once(' ').expect("who and what");
                let number = [CALLER, CALLEE, THIRD][who.parse::<usize>().expect("1 to 3") - 1];
                exchange.happens(number, what).await;
            }
        }
    }
    let talk = exchange.ended(&clicked).await;
    let told = exchange.told(&clicked).await;
    let cdr = only(&told.cdrs, case.name);
    assert_eq!(cdr["byeType"], case.bye_type, "{}", case.name);
    assert_eq!(talk.bye_type.number().to_string(), case.bye_type, "{}", case.name);
    assert_eq!(cdr["endedBy"], case.ended_by, "{}", case.name);
    assert_eq!(cdr["hangupReason"], case.reason, "{}", case.name);
    let legs = cdr["cdrs"].as_array().expect("a list");
    let causes: Vec<_> = legs.iter().rev().map(|leg| leg["cause"].clone()).collect();
    assert_eq!(causes, case.causes, "{}", case.name);
    let seqs: Vec<_> = legs.iter().rev().map(|leg| leg["callSeq"].clone()).collect();
    let expected: Vec<_> = (0..case.causes.len()).map(|seq| seq.to_string()).collect();
    assert_eq!(seqs, expected, "{}", case.name);
    let records = exchange.records(&clicked).await;
    assert_eq!(records.len(), case.causes.len(), "{}: one record a leg", case.name);
    let completed = told.statuses.iter().filter(|status| status.contains("completed")).count();
    assert_eq!(completed, case.causes.len(), "{}: {:?}", case.name, told.statuses);
    let all_over =
        attempts::of_request(exchange.rig.app.store().reader(), &account, &clicked.request);
    let rows = all_over.await.expect("a read");
    assert!(rows.iter().all(|row| row.state == AttemptState::Ended), "{}: {rows:?}", case.name);
    assert!(
        exchange
            .talks()
            .state(&account, &clicked.conversation)
            .is_none_or(|state| state.phase == TalkPhase::Ending)
    );
}

/// Every byeType and callCause that needs no long wait (RESOLUTIONS, byeType, "Why a leg failed").
#[tokio::test]
async fn conversations_end_as_they_are_told() {
    for case in cases() {
        play(&Exchange::open().await, &case).await;
    }
}

#[tokio::test]
async fn a_phone_that_rings_for_too_long_is_a_time_out() {
    let limits = Limits { ring_ms: 1_000, ..Limits::default() };
    let exchange = Exchange::open_over(rig::folder(), limits, |_| None).await;
    let case = case("nobody answers", &["1 rings"], ("0", "caller", "ring_timeout"), &["time-out"]);
    play(&exchange, &case).await;
}
