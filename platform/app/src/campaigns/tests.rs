//! Long because it is one table of a campaign's life, with what makes one.

#![expect(clippy::unwrap_used, reason = "tests")]
use super::change::{self, Change};
use super::feed::{self, Fed};
use super::get::CampaignView;
use super::plan::Fate;
use super::*;
use crate::fakes::{ACCOUNT, APPID, World};
use crate::finish_call::{self, AttemptFacts};
use crate::principal::{ReadCalls, SendNotices};
use std::collections::BTreeMap;
use yunling_domain::call_cause::CallCause;
use yunling_domain::campaign::{CallResult, Caps, NumberResult, Rule};
use yunling_domain::error_code::{BAD_PARAMETER, CALLER_ID_NOT_FOR_APPLICATION, CONFLICT};
use yunling_domain::notice::Outcome;
use yunling_domain::{AccountId, EndKind, Fault, Micros, Termination};
use yunling_store::attempts;
use yunling_store::attempts::{Attempt, AttemptLane, of_request};
use yunling_store::campaigns::{CampaignState, ListCounts};

pub(super) const DAY_MS: i64 = 24 * 3_600_000;

pub(super) fn definition() -> Definition {
    Definition {
        name: "spring".to_owned(),
        appid: APPID.to_owned(),
        contents: vec![
            ItemText { kind: "voice".into(), content: "prompt1.wav".into(), lang: None },
            ItemText { kind: "money".into(), content: "{amount}".into(), lang: None },
        ],
        finishkey: Some("1".to_owned()),
        ..Definition::default()
    }
}

pub(super) fn retry(on: &str, after_min: &[u32]) -> RetryText {
    RetryText { on: on.to_owned(), after_min: after_min.to_vec(), other_caller_id: false }
}

pub(super) fn list_of(count: u32) -> String {
    let rows = (0..count).map(|n| format!("138{n:08},{n}.50\n"));
    format!("number,amount\n{}", rows.collect::<String>())
}

async fn upload(world: &World, id: &RequestId, file: &[u8]) -> Result<ListCounts, Refusal> {
    let caller = world.caller::<SendNotices>();
    let place = world.app.batch_room().enter(caller.account())?;
    upload_list::run(&world.app, &caller, id, file.into(), place).await
}

pub(super) async fn made(world: &World, definition: &Definition, list: &str) -> RequestId {
    let caller = world.caller::<SendNotices>();
    let view = create::run(&world.app, &caller, definition).await.unwrap();
    let id = view.progress.campaign.id;
    upload(world, &id, list.as_bytes()).await.unwrap();
    id
}

pub(super) async fn started(world: &World, definition: &Definition, list: &str) -> RequestId {
    let id = made(world, definition, list).await;
    changed(world, &id, Change::Start).await;
    id
}

pub(super) async fn changed(world: &World, id: &RequestId, change: Change) -> CampaignView {
    change::run(&world.app, &world.caller::<SendNotices>(), id, change).await.unwrap()
}

pub(super) async fn read(world: &World, id: &RequestId) -> CampaignView {
    get::run(&world.app, &world.caller::<ReadCalls>(), id).await.unwrap()
}

pub(super) async fn fed(world: &World) -> Fed {
    feed::run(&world.app).await.unwrap()
}

/// Attempts that are not over.
pub(super) async fn queued(world: &World, id: &RequestId) -> Vec<Attempt> {
    let reader = world.app.store().reader();
    let all = of_request(reader, &AccountId::new(ACCOUNT), id).await.unwrap();
    all.into_iter().filter(|one| one.state != attempts::AttemptState::Ended).collect()
}

fn outcome(result: CallResult) -> Outcome {
    let answered = result.is_answered();
    let (reason, fault, code) = match result {
        CallResult::Confirmed | CallResult::Answered => (None, Fault::Nobody, None),
        CallResult::Busy => (Some(2), Fault::Callee, Some(486)),
        CallResult::NoAnswer => (Some(1), Fault::Callee, None),
        CallResult::Declined => (Some(2), Fault::Callee, Some(603)),
        CallResult::NoSuchNumber => (Some(2), Fault::Client, Some(404)),
        CallResult::Failed | CallResult::Refused | CallResult::PutBack => {
            (Some(2), Fault::Trunk, Some(503))
        }
    };
    let mut termination = Termination::new(EndKind::Rejected);
    termination.sip_code = code;
    Outcome {
        answered,
        crossed_answer: false,
        result: u8::from(!answered),
        reason,
        input_key: (result == CallResult::Confirmed).then_some('1'),
        cause: if answered { CallCause::Completed } else { CallCause::Failed },
        fault,
        termination: Some(termination),
        attempts: u8::from(result.was_dialled()),
        plays: 1,
    }
}

/// Lets a call end as the dispatcher would: after 30 s, answered calls after 20 s of talk.
pub(super) async fn end(world: &World, attempt: Attempt, result: CallResult, rule: Option<&str>) {
    let start = world.app.clock().now();
    let answered_at = result.is_answered().then(|| start.plus_ms(10_000));
    let facts = AttemptFacts {
        started_at: start,
        ring_at: None,
        answered_at,
        ended_at: start.plus_ms(30_000),
        trunk: Some("carrier-a".into()),
        from_number: attempt.queued.from_number.clone(),
        rule: rule.map(str::to_owned),
        figures: None,
        traceparent: None,
        attempt,
    };
    assert!(finish_call::run(&world.app, facts, &outcome(result), &[]).await.unwrap());
}

/// The world's clock begins at 14:00 on Tuesday, 2026-11-24, in Shanghai.
fn advance_hours(world: &World, hours: i64) {
    world.clock.advance_ms(hours * 3_600_000);
}

fn counts(view: &CampaignView) -> BTreeMap<&'static str, u32> {
    let campaign = &view.progress.campaign;
    NumberResult::ALL
        .into_iter()
        .map(|result| (result.name(), campaign.count(result)))
        .filter(|(_, count)| *count > 0)
        .collect()
}

#[tokio::test]
async fn a_list_is_called_by_its_rules_and_counted() {
    let world = World::open().await;
    let rules = Definition { retries: vec![retry("busy", &[10])], ..definition() };
    let id = started(&world, &rules, &list_of(4)).await;
    assert_eq!(fed(&world).await, Fed { live: 1, queued: 4, halted: vec![] });
    assert_eq!(fed(&world).await.queued, 0, "they are out");
    let view = read(&world, &id).await;
    assert_eq!((view.progress.waiting(), view.progress.out), (0, 4));

    let out = queued(&world, &id).await;
    let first = &out[0].queued;
    assert_eq!((first.lane, first.to_shown.as_str()), (AttemptLane::Batch, "13800000000"));
    let nine_in_the_evening = world.app.clock().now().plus_ms(7 * 3_600_000);
    assert_eq!(first.deadline_at, nine_in_the_evening, "no call after the hours");
    let spec = serde_json::to_value(&view.contents).unwrap();
    let briefed = brief::run(&world.app, &out[3].queued.call_id, spec).await.unwrap();
    let brief::Brief::Say(spec) = briefed else { panic!("{briefed:?}") };
    assert_eq!(spec.contents[1].0.text(), "3.50", "each hears its own amount");

    let results =
        [CallResult::Confirmed, CallResult::Answered, CallResult::Busy, CallResult::NoSuchNumber];
    for (attempt, result) in out.into_iter().zip(results) {
        end(&world, attempt, result, None).await;
    }
    assert_eq!(fed(&world).await.queued, 0);
    let view = read(&world, &id).await;
    assert_eq!(
        counts(&view),
        BTreeMap::from([("confirmed", 1), ("answered", 1), ("no_such_number", 1)])
    );
    assert_eq!((view.progress.waiting(), view.progress.campaign.calls), (1, 4));

    // The busy one again, ten minutes after the end of its call.
    world.clock.advance_ms(10 * 60_000);
    assert_eq!(fed(&world).await.queued, 0, "its call ended half a minute after it began");
    world.clock.advance_ms(30_000);
    assert_eq!(fed(&world).await.queued, 1);
    let again = queued(&world, &id).await.pop().unwrap();
    assert_eq!(again.queued.to_shown, "13800000002");
    end(&world, again, CallResult::Busy, None).await;
    assert_eq!(fed(&world).await.live, 1);
    assert_eq!(fed(&world).await.live, 0, "it is finished");
    let view = read(&world, &id).await;
    assert_eq!(view.progress.campaign.state, CampaignState::Finished);
    assert_eq!(view.progress.campaign.count(NumberResult::Busy), 1);

    let report = report::run(&world.app, &world.caller::<ReadCalls>(), &id).await.unwrap();
    assert_eq!((report.all_calls(), report.answered(), report.talk_s()), (5, 2, 40));
    assert_eq!(report.hours.len(), 1);
    let csv = report.to_csv(chrono_tz::Asia::Shanghai);
    assert!(csv.contains("14:00:00.000000+08:00,5,2,1,40\r\n"), "{csv}");
    assert!(csv.ends_with("all,5,2,1,40\r\n"), "{csv}");
}

#[tokio::test]
async fn rows_that_cannot_be_called_come_back_with_their_reasons() {
    let world = World::open().await;
    let caller = world.caller::<SendNotices>();
    let id = made(&world, &definition(), "number,amount\n1,1\n13800000001,much\n").await;
    let empty = change::run(&world.app, &caller, &id, Change::Start).await.unwrap_err();
    assert_eq!(empty.code, CONFLICT);
    let list = "number,amount,userdata\n13800000001,1,a\n13800000001,2,b\nx,3,c\n";
    let counts = upload(&world, &id, list.as_bytes()).await.unwrap();
    assert_eq!((counts.total, counts.rejected, counts.duplicates), (1, 1, 1));
    let reading = world.caller::<ReadCalls>();
    let first = report::rejected_csv(&world.app, &reading, &id, None).await.unwrap();
    assert!(first.text.starts_with("line,reason,row\r\n4,"), "{}", first.text);
    assert!(first.text.ends_with("\"x,3,c\"\r\n"), "the list before is forgotten: {}", first.text);
    let rest = report::rejected_csv(&world.app, &reading, &id, first.after).await.unwrap();
    assert_eq!((rest.text.as_str(), rest.after), ("", None));

    let bad = [&b"number\n1\n"[..], b"", b"number,amount\n\xd6\xd0\n"];
    for file in bad {
        let refusal = upload(&world, &id, file).await.unwrap_err();
        assert_eq!((refusal.code, refusal.field.as_deref()), (BAD_PARAMETER, Some("body")));
    }
    assert_eq!(read(&world, &id).await.progress.campaign.total, 1, "the list before stays");
    changed(&world, &id, Change::Start).await;
    let late = upload(&world, &id, list.as_bytes()).await;
    assert_eq!(late.unwrap_err().code, CONFLICT);
}

#[tokio::test]
async fn a_number_without_a_line_goes_back_and_nothing_is_told() {
    let world = World::open().await;
    let id = started(&world, &definition(), &list_of(1)).await;
    fed(&world).await;
    let out = queued(&world, &id).await.pop().unwrap();
    end(&world, out, CallResult::PutBack, Some("queue_max_wait")).await;
    let reading = world.caller::<ReadCalls>();
    let page = yunling_store::PageRequest { after: None, limit: 10 };
    let calls = crate::list_request_calls::run(&world.app, &reading, &id, &page).await.unwrap();
    assert!(calls.rows.is_empty(), "no record of a call that was none");
    world.clock.advance_ms(60_000);
    assert_eq!(fed(&world).await.queued, 1, "it is called after all");
    let again = queued(&world, &id).await.pop().unwrap();
    end(&world, again, CallResult::Refused, Some("destination_class")).await;
    fed(&world).await;
    assert_eq!(counts(&read(&world, &id).await), BTreeMap::from([("refused", 1)]));
    let calls = crate::list_request_calls::run(&world.app, &reading, &id, &page).await.unwrap();
    assert_eq!(calls.rows.len(), 1, "what the gate refused for good is told");
}

#[tokio::test]
async fn what_may_have_been_dialled_is_not_just_put_back() {
    let world = World::open().await;
    let id = started(&world, &definition(), &list_of(1)).await;
    fed(&world).await;
    let mut out = queued(&world, &id).await.pop().unwrap();
    // As a restored row is marked whose call may have been made after the backup.
    out.invited_at = Some(world.app.clock().now());
    end(&world, out, CallResult::PutBack, None).await;
    world.clock.advance_ms(60_000);
    assert_eq!(fed(&world).await.queued, 0);
    assert_eq!(counts(&read(&world, &id).await), BTreeMap::from([("failed", 1)]));
}

#[tokio::test]
async fn a_campaign_is_paused_resumed_and_cancelled() {
    let world = World::open().await;
    let id = started(&world, &definition(), &list_of(300)).await;
    assert_eq!(fed(&world).await.queued, 256, "a window of them");
    changed(&world, &id, Change::Pause).await;
    let out = queued(&world, &id).await;
    let now = world.app.clock().now();
    assert!(out.iter().all(|one| one.queued.deadline_at == now), "their time is up");
    let spec = serde_json::to_value(read(&world, &id).await.contents).unwrap();
    let briefed = brief::run(&world.app, &out[0].queued.call_id, spec).await.unwrap();
    assert_eq!(briefed, brief::Brief::Withhold("campaign_paused"));
    for attempt in out {
        end(&world, attempt, CallResult::PutBack, Some("campaign_paused")).await;
    }
    world.clock.advance_ms(60_000);
    let halted = fed(&world).await;
    assert_eq!((halted.queued, halted.halted), (0, vec![(id.clone(), "campaign_paused")]));
    assert_eq!(read(&world, &id).await.progress.waiting(), 300);
    changed(&world, &id, Change::Resume).await;
    assert_eq!(fed(&world).await.queued, 256);
    changed(&world, &id, Change::Cancel).await;
    fed(&world).await;
    let view = read(&world, &id).await;
    assert_eq!((view.progress.out, counts(&view)), (256, BTreeMap::from([("cancelled", 44)])));
    for (n, attempt) in queued(&world, &id).await.into_iter().enumerate() {
        let (result, rule) = match n {
            0 => (CallResult::Confirmed, None),
            _ => (CallResult::PutBack, Some("campaign_cancelled")),
        };
        end(&world, attempt, result, rule).await;
    }
    while fed(&world).await.live > 0 {}
    let view = read(&world, &id).await;
    assert_eq!(counts(&view), BTreeMap::from([("cancelled", 299), ("confirmed", 1)]));
    assert_eq!(view.progress.campaign.state, CampaignState::Cancelled);
    let late = change::run(&world.app, &world.caller(), &id, Change::Resume).await.unwrap_err();
    assert_eq!(late.code, CONFLICT);
}

#[tokio::test]
async fn caps_hold_across_campaigns_and_the_list_across_all() {
    let world = World::open().await;
    let capped = Definition { caps: Caps { a_day: Some(1), a_week: None }, ..definition() };
    let first = started(&world, &capped, &list_of(2)).await;
    assert_eq!(fed(&world).await.queued, 2);
    let second = started(&world, &capped, &list_of(3)).await;
    assert_eq!(fed(&world).await.queued, 1, "two of them have had their call of the day");
    let changing = world.caller::<SendNotices>();
    crate::do_not_call::add::run(&world.app, &changing, "13800000002", "").await.unwrap();
    let out = queued(&world, &second).await.pop().unwrap();
    assert_eq!(out.queued.rule.as_deref(), Some("do_not_call"), "what waits for a line is stopped");
    end(&world, out, CallResult::PutBack, Some("do_not_call")).await;
    world.clock.advance_ms(DAY_MS);
    assert_eq!(fed(&world).await.queued, 2);
    let view = read(&world, &second).await;
    assert_eq!(counts(&view), BTreeMap::from([("refused", 1)]));
    let reading = world.caller::<ReadCalls>();
    let rows = report::numbers(&world.app, &reading, &second, None, 10).await.unwrap();
    assert_eq!(rows[2].rule.as_deref(), Some("do_not_call"));
    assert_eq!(read(&world, &first).await.progress.out, 2);
}

#[tokio::test]
async fn a_dry_run_tells_what_would_happen_and_changes_nothing() {
    let world = World::open().await;
    let list = "number,amount\n13800000001,1\n13800000002,1\n+442071234567,1\n+85221234567,1\n";
    let id = made(&world, &definition(), list).await;
    let (changing, reading) = (world.caller::<SendNotices>(), world.caller::<ReadCalls>());
    crate::do_not_call::add::run(&world.app, &changing, "13800000002", "").await.unwrap();
    let plan = plan::run(&world.app, &reading, &id).await.unwrap();
    assert_eq!((plan.waiting, plan.now), (4, 1));
    assert_eq!(plan.never, BTreeMap::from([("do_not_call", 1)]));
    assert_eq!(plan.refused, BTreeMap::from([("destination_class", 1)]));
    // It is six in the morning in London.
    let opens = world.app.clock().now().plus_ms(2 * 3_600_000);
    assert_eq!(plan.later, BTreeMap::from([(opens, 1)]));
    let fates: Vec<&Fate> = plan.numbers.iter().map(|one| &one.fate).collect();
    assert_eq!(fates[0], &Fate::Called { from: "01080001001".to_owned() });
    assert_eq!(fates[2], &Fate::Later { at: opens, rule: Rule::CallingWindow });
    assert_eq!(read(&world, &id).await.progress.campaign.state, CampaignState::Draft);
    assert_eq!(fed(&world).await, Fed::default());
}

#[tokio::test]
async fn a_recurring_campaign_calls_its_list_each_time() {
    let world = World::open().await;
    let caller = world.caller::<SendNotices>();
    let never = Definition { cron: Some("0 9 30 2 *".to_owned()), ..definition() };
    let id = made(&world, &never, &list_of(1)).await;
    let refusal = change::run(&world.app, &caller, &id, Change::Start).await.unwrap_err();
    assert_eq!(refusal.field.as_deref(), Some("cron"));

    let daily = Definition { cron: Some("0 9 * * *".to_owned()), ..definition() };
    let id = started(&world, &daily, &list_of(700)).await;
    assert_eq!(
        fed(&world).await,
        Fed { live: 1, queued: 0, halted: vec![] },
        "it calls nobody itself"
    );
    let page = yunling_store::PageRequest { after: None, limit: 10 };
    let runs = async |count: usize| {
        let reading = world.caller::<ReadCalls>();
        let found = list::run(&world.app, &reading, Some(&id), &page).await.unwrap().rows;
        assert_eq!(found.len(), count);
        found
    };
    runs(0).await;
    advance_hours(&world, 19);
    fed(&world).await;
    let begun = runs(1).await.pop().unwrap().campaign;
    assert_eq!(begun.state, CampaignState::Loading);
    assert_eq!(fed(&world).await.live, 2);
    assert_eq!(fed(&world).await.queued, 256, "all seven hundred are there");
    let run = read(&world, &begun.id).await;
    assert_eq!((run.progress.campaign.total, run.progress.out), (700, 256));
    let spec = serde_json::to_value(&run.contents).unwrap();
    let out = queued(&world, &begun.id).await;
    let briefed = brief::run(&world.app, &out[7].queued.call_id, spec).await.unwrap();
    assert!(matches!(briefed, brief::Brief::Say(_)), "a run has its own rows: {briefed:?}");

    // The next day finds the run still going: that time is left out.
    advance_hours(&world, 24);
    fed(&world).await;
    runs(1).await;
    changed(&world, &begun.id, Change::Cancel).await;
    for attempt in out {
        end(&world, attempt, CallResult::Confirmed, None).await;
    }
    while fed(&world).await.live > 1 {}
    advance_hours(&world, 24);
    fed(&world).await;
    assert_eq!(runs(2).await.len(), 2, "and the day after it comes round");
    changed(&world, &id, Change::Cancel).await;
    advance_hours(&world, 48);
    fed(&world).await;
    runs(2).await;
}

#[tokio::test]
async fn what_is_wrong_with_a_definition_is_told_by_field() {
    let world = World::open().await;
    let window = |from: &str, to: &str| {
        vec![WindowText { days: vec![], from: from.to_owned(), to: to.to_owned() }]
    };
    let item = |kind: &str, content: &str| {
        vec![ItemText { kind: kind.to_owned(), content: content.to_owned(), lang: None }]
    };
    let base = definition;
    let cases = [
        (Definition { name: " ".into(), ..base() }, "name"),
        (Definition { appid: "nobody's".into(), ..base() }, "appid"),
        (Definition { contents: vec![], ..base() }, "contents"),
        (Definition { contents: item("voice", "gone.wav"), ..base() }, "contents[0].content"),
        (Definition { contents: item("money", "{"), ..base() }, "contents[0].content"),
        (Definition { contents: item("money", "x"), ..base() }, "contents[0]"),
        (Definition { finishvoice: Some("gone.wav".into()), ..base() }, "finishvoice"),
        (Definition { finishkey: Some("x".into()), ..base() }, "finishkey"),
        (Definition { times: Some(4), ..base() }, "times"),
        (Definition { windows: window("9", "12:00"), ..base() }, "windows[0].from"),
        (Definition { windows: window("07:00", "12:00"), ..base() }, "windows[0]"),
        (Definition { holidays: vec!["1.10.2026".into()], ..base() }, "holidays[0]"),
        (Definition { zone: Some("Beijing".into()), ..base() }, "zone"),
        (Definition { zones: vec![("x".into(), "UTC".into())], ..base() }, "zones[0].prefix"),
        (Definition { retries: vec![retry("never", &[1])], ..base() }, "retries[0].on"),
        (Definition { retries: vec![retry("busy", &[0])], ..base() }, "retries[0].afterMin"),
        (Definition { cron: Some("daily".into()), ..base() }, "cron"),
        (Definition { caller_ids: vec!["01080009999".into()], ..base() }, "callerIds.numbers[0]"),
        (Definition { starts_at: Some(Micros(2)), ends_at: Some(Micros(1)), ..base() }, "endsAt"),
    ];
    let caller = world.caller::<SendNotices>();
    for (definition, field) in cases {
        let refusal = create::run(&world.app, &caller, &definition).await.unwrap_err();
        assert_eq!(refusal.field.as_deref(), Some(field), "{refusal}");
    }
    let others = Definition { caller_ids: vec!["01080001002".into()], ..base() };
    let refusal = create::run(&world.app, &caller, &others).await.unwrap_err();
    assert_eq!(refusal.code, CALLER_ID_NOT_FOR_APPLICATION);
}

/// A month of one campaign over the real database: the clock goes from one due number to the next,
/// and every call ends as chance has it.
#[tokio::test]
async fn a_month_goes_by_in_the_rows() {
    let world = World::open().await;
    let start = world.app.clock().now();
    let rules = Definition {
        ends_at: Some(start.plus_ms(30 * DAY_MS)),
        windows: vec![WindowText {
            days: ["mon", "tue", "wed", "thu", "fri"].map(str::to_owned).to_vec(),
            from: "09:00".to_owned(),
            to: "18:00".to_owned(),
        }],
        holidays: vec!["2026-11-25".to_owned()],
        retries: vec![
            retry("busy", &[10, 60, 240]),
            retry("no_answer", &[1_440, 1_440, 1_440]),
            retry("failed", &[5]),
            retry("unconfirmed", &[2_880]),
        ],
        caps: Caps { a_day: Some(2), a_week: Some(3) },
        ..definition()
    };
    let id = started(&world, &rules, &list_of(80)).await;
    let mut dice = 20_261_124_u64;
    let mut calls: BTreeMap<String, Vec<Micros>> = BTreeMap::new();
    for step in 0.. {
        assert!(step < 4_000, "it comes to an end");
        if fed(&world).await.live == 0 {
            break;
        }
        let out = queued(&world, &id).await;
        if out.is_empty() {
            world.clock.advance_ms(20 * 60_000);
            continue;
        }
        for attempt in out {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let result = match (dice >> 33) % 10 {
                0..3 => CallResult::Confirmed,
                3 => CallResult::Answered,
                4..6 => CallResult::Busy,
                6..9 => CallResult::NoAnswer,
                _ => CallResult::Failed,
            };
            let now = world.app.clock().now();
            calls.entry(attempt.queued.to_shown.clone()).or_default().push(now);
            end(&world, attempt, result, None).await;
        }
    }
    let view = read(&world, &id).await;
    let campaign = &view.progress.campaign;
    assert_eq!((campaign.state, campaign.done()), (CampaignState::Finished, 80));
    assert_eq!(campaign.calls as usize, calls.values().map(Vec::len).sum::<usize>());
    assert_eq!(calls.len(), 80, "everybody was called");
    let zone = chrono_tz::Asia::Shanghai;
    for (number, times) in &calls {
        let days: Vec<String> = times.iter().map(|at| at.stamp14(zone)[..8].to_owned()).collect();
        for (at, day) in times.iter().zip(&days) {
            let hour: u32 = at.stamp14(zone)[8..10].parse().unwrap();
            assert!((9..18).contains(&hour) && day != "20261125", "{number} at {day} {hour}");
            let same = days.iter().filter(|other| *other == day).count();
            assert!(same <= 2, "{number} was called {same} times on {day}");
        }
    }
    let report = report::run(&world.app, &world.caller::<ReadCalls>(), &id).await.unwrap();
    assert_eq!(report.all_calls(), campaign.calls);
    assert_eq!(report.hours.iter().map(|hour| hour.calls).sum::<u32>(), campaign.calls);
}
