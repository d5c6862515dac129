#![expect(clippy::unwrap_used, reason = "tests")]
use super::turn::{take, write_one};
use super::*;
use crate::fakes::{ACCOUNT, TENANT, World};
use crate::principal::{Granted, Principal, ReadCalls, ResendDeliveries, Scope, Scopes};
use crate::{expire_cdrs, get_cdr, list_cdrs, push_cdrs};
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::io::AsyncReadExt as _;
use yunling_domain::error_code::{
    BAD_PARAMETER, EXPORT_DELETED, EXPORT_NOT_READY, LINK_EXPIRED, LINK_INVALID, NO_CDR_URL,
    NOT_FOUND, SCOPE_MISSING, TOO_MANY_EXPORTS,
};
use yunling_domain::{AccountId, Micros};
use yunling_store::cdrs::CdrFilter;
use yunling_store::deliveries::{self, Delivery, DeliveryFilter};
use yunling_store::exports::{Export, ExportFormat, ExportState};
use yunling_store::{PageRequest, RequestKind, TimeRange};

const DAY_MS: i64 = 24 * 3_600 * 1_000;
/// When the first of the calls began: the clock's beginning, less a day.
const FIRST: i64 = 1_795_500_000_000_000 - DAY_MS * 1_000;
const CALLS: usize = 25;

/// A page of two records, a checkpoint and a turn for each.
const SMALL: Pace = Pace { records: 2, scanned_rows: 5, checkpoint: Duration::ZERO, pages: 1 };

/// 25 calls, a second apart: clicks of two legs and notices in turn. One click's callee is masked.
async fn world() -> World {
    let world = World::open().await;
    let told = TENANT.replace(
        "        name: demo\n",
        "        name: demo\n        cdr_url: \"http://127.0.0.1:9000/again\"\n",
    );
    world.apply(&told).await.unwrap();
    for sql in [
        "INSERT INTO request (id, account, application, kind, state, spec, to_raw, userdata, urls, \
         api_version, created_at) VALUES ('RQ1', 'abcdefghijklmnopqrstuvwxyz012345', \
         '11111111111111111111111111111111', 'notice', 'finished', '{}', '', 'order, 7', '{}', 'v', 0)",
        LEGS,
        "INSERT INTO talk (conversation_id, account, application, request_id, bye_type, ended_by, \
         hangup_reason, ended_at) SELECT conversation_id, account, application, request_id, 4, \
         'callee', 'remote_bye', ended_at FROM \"call\" WHERE leg = 1",
        "INSERT INTO click (conversation_id, account, application, request_id, caller_call_id, \
         masked, created_at) SELECT conversation_id, account, application, request_id, call_id, 1, \
         0 FROM \"call\" WHERE call_id = 'CA1103-0'",
    ] {
        world.execute(sql).await;
    }
    world
}

const LEGS: &str = "INSERT INTO \"call\" (call_id, conversation_id, request_id, account, \
    application, kind, from_number, to_number, started_at, answered_at, ended_at, duration_s, \
    result, cause, leg, bye_type) \
    WITH RECURSIVE calls (n, leg) AS (SELECT 1100, 0 UNION ALL \
        SELECT CASE WHEN n % 2 = 1 AND leg = 0 THEN n ELSE n + 1 END, \
               CASE WHEN n % 2 = 1 AND leg = 0 THEN 1 ELSE 0 END \
        FROM calls WHERE n < 1124 OR leg = 0 AND n % 2 = 1) \
    SELECT 'CA' || n || '-' || leg, 'CV' || n, 'RQ1', 'abcdefghijklmnopqrstuvwxyz012345', \
        '11111111111111111111111111111111', CASE WHEN n % 2 = 1 THEN 'click' ELSE 'notice' END, \
        '+861080001001', '+86138001' || leg || n, \
        1795413600000000 + (n - 1100) * 1000000 + leg * 200000, \
        1795413605000000 + (n - 1100) * 1000000, 1795413620000000 + (n - 1100) * 1000000, 15, \
        0, 'completed', leg, CASE WHEN n % 2 = 1 THEN 4 ELSE NULL END FROM calls";

async fn order_of(world: &World, format: ExportFormat) -> Export {
    order(&world.app, &world.caller::<ReadCalls>(), CdrFilter::default(), format).await.unwrap()
}

async fn now_of(world: &World, export: &Export) -> Export {
    get(&world.app, &world.caller::<ReadCalls>(), &export.ordered.id).await.unwrap()
}

async fn bytes_of(world: &World, export: &Export) -> Vec<u8> {
    let mut download = open(&world.app, export, None).await.unwrap();
    let mut bytes = Vec::new();
    download.bytes.read_to_end(&mut bytes).await.unwrap();
    assert_eq!(bytes.len() as u64, download.length());
    assert_eq!(bytes.len() as u64, export.progress.octets);
    bytes
}

fn reader(scopes: &[Scope]) -> Granted<ReadCalls> {
    let principal = Principal {
        account: AccountId::new(ACCOUNT),
        credential: "1".into(),
        scopes: Scopes::Only(scopes.iter().copied().collect::<BTreeSet<_>>()),
    };
    principal.grant().unwrap()
}

async fn pushed(world: &World) -> Vec<Delivery> {
    let page = PageRequest { after: None, limit: 500 };
    let (reader, account) = (world.app.store().reader(), AccountId::new(ACCOUNT));
    let filter = DeliveryFilter::default();
    deliveries::list(reader, &account, &filter, &page).await.unwrap().rows
}

/// The conversations of callbacks `{"cdrs":[…]}`, in their order.
fn conversations(callbacks: &[Delivery]) -> Vec<String> {
    let mut found = Vec::new();
    for callback in callbacks {
        let body: Value = serde_json::from_str(&callback.caused.body).unwrap();
        for record in body["cdrs"].as_array().unwrap() {
            found.push(record["conversationSid"].as_str().unwrap().to_owned());
        }
    }
    found
}

#[tokio::test]
async fn a_file_is_the_same_whoever_went_on_with_it() {
    for format in [ExportFormat::Csv, ExportFormat::Lines, ExportFormat::Workbook] {
        let world = world().await;
        let at_once = order_of(&world, format).await;
        // Pieces of the same size, for each is deflated for itself.
        let pace = Pace { records: SMALL.records, ..Pace::default() };
        write_due(&world.app, &pace).await.unwrap();
        let at_once = now_of(&world, &at_once).await;
        assert_eq!((at_once.state, at_once.progress.records), (ExportState::Ready, CALLS as u64));
        let whole = bytes_of(&world, &at_once).await;

        let in_turns = order_of(&world, format).await;
        let path = file::path(&world.app, &in_turns);
        let mut turns = 0;
        while now_of(&world, &in_turns).await.state != ExportState::Ready {
            // A crash: more was written than is known of, and nobody gave the export back.
            if turns % 3 == 1 {
                let mut bytes = std::fs::read(&path).unwrap();
                bytes.extend_from_slice(b"half a pag");
                std::fs::write(&path, bytes).unwrap();
                take(&world.app).await.unwrap().unwrap();
            }
            assert!(write_one(&world.app, &SMALL).await.unwrap());
            turns += 1;
        }
        let in_turns = now_of(&world, &in_turns).await;
        assert!(turns > 10, "{turns}");
        assert_eq!(in_turns.progress.records, CALLS as u64);
        assert_eq!(bytes_of(&world, &in_turns).await, whole, "{format:?}");
    }
}

/// RESOLUTIONS, CDR push, re-push, batch push, query: the same CDR object everywhere.
#[tokio::test]
async fn an_export_a_list_and_a_look_up_have_the_same_records() {
    let world = world().await;
    let caller = world.caller::<ReadCalls>();
    let export = order_of(&world, ExportFormat::Lines).await;
    write_due(&world.app, &Pace::default()).await.unwrap();
    let text = String::from_utf8(bytes_of(&world, &now_of(&world, &export).await).await).unwrap();
    let page = PageRequest { after: None, limit: 500 };
    let any = CdrFilter::default();
    let listed = list_cdrs::run(&world.app, &caller, &any, &page, 0).await.unwrap();
    let lines: Vec<String> = listed.records.iter().map(|record| record.to_json()).collect();
    assert_eq!(text.lines().collect::<Vec<_>>(), lines);
    assert_eq!(lines.len(), CALLS);
    for (id, n) in [("CV1103", 21), ("CA1103-0", 21), ("CA1103-1", 21), ("CA1104-0", 20)] {
        let found = get_cdr::run(&world.app, &caller, id).await.unwrap();
        assert_eq!(found, listed.records[n], "{id}");
    }
    let click = &listed.records[21];
    assert_eq!(
        (&*click.bye_type, &*click.ended_by, &*click.user_data, &*click.result),
        ("4", "callee", "order, 7", "0")
    );
    let legs: Vec<_> = click.cdrs.iter().map(|leg| (&*leg.call_seq, &*leg.call_sid)).collect();
    assert_eq!(legs, [("1", "CA1103-1"), ("0", "CA1103-0")], "newest first");
    for id in ["CV9", "", "CA1103"] {
        let refusal = get_cdr::run(&world.app, &caller, id).await.unwrap_err();
        assert_eq!(refusal.code, NOT_FOUND, "{id}");
    }
    let refusal = list_cdrs::run(&world.app, &caller, &any, &page, 50_001).await.unwrap_err();
    assert_eq!(refusal.code, BAD_PARAMETER);
}

#[tokio::test]
async fn what_its_caller_may_not_see_is_not_in_the_file() {
    let world = world().await;
    let masked = "138****1103";
    for (scopes, sees) in
        [(&[Scope::ReadCalls][..], false), (&[Scope::ReadCalls, Scope::ReadNumbers], true)]
    {
        let caller = reader(scopes);
        let to =
            |number: &str| CdrFilter { to_number: Some(number.to_owned()), ..CdrFilter::default() };
        for (filter, finds) in [
            (CdrFilter::default(), true),
            // The caller's number is open; the callee's is not to be found by guessing it.
            (to("+8613800101103"), true),
            (to("+8613800111103"), sees),
        ] {
            let export = order(&world.app, &caller, filter, ExportFormat::Lines).await.unwrap();
            write_due(&world.app, &Pace::default()).await.unwrap();
            let export = now_of(&world, &export).await;
            let (id, least) = (&export.ordered.id, reader(&[Scope::ReadCalls]));
            assert!(link_for(&world.app, &caller, &export).is_some());
            assert_eq!(link_for(&world.app, &least, &export).is_some(), !sees);
            of_account(&world.app, &caller, id, None).await.unwrap();
            let got = of_account(&world.app, &least, id, None).await.map(|_| ());
            let expected = if sees { Err(SCOPE_MISSING) } else { Ok(()) };
            assert_eq!(got.map_err(|refusal| refusal.code), expected);
            let text = bytes_of(&world, &export).await;
            let text = String::from_utf8(text).unwrap();
            let line = text.lines().find(|line| line.contains("\"CV1103\""));
            assert_eq!(line.is_some(), finds);
            assert_eq!(line.is_some_and(|line| line.contains(masked)), finds && !sees, "{line:?}");
            assert!(!text.contains("138****1105"), "the others are not masked");
        }
    }
}

#[tokio::test]
async fn a_finished_file_is_had_by_its_link_until_its_time_is_over() {
    let world = world().await;
    let export = order_of(&world, ExportFormat::Csv).await;
    let refusal = open(&world.app, &export, None).await.unwrap_err();
    assert_eq!(refusal.code, EXPORT_NOT_READY);
    write_due(&world.app, &Pace::default()).await.unwrap();
    let export = now_of(&world, &export).await;
    let link = url::Url::parse(&link::fresh(&world.app, &export)).unwrap();
    let name = link.path().strip_prefix("/export/").unwrap().to_owned();
    assert_eq!(name, format!("{}.csv", export.ordered.id));
    let pair = |key: &str| link.query_pairs().find(|(k, _)| k == key).unwrap().1.into_owned();
    let (expires, signature) = (pair("expires"), pair("signature"));
    let checked = |name: &str, expires: &str| {
        let checked = check_link(&world.app, name, Some(expires), Some(&signature));
        checked.map(str::to_owned).map_err(|refusal| refusal.code)
    };
    assert_eq!(checked(&name, &expires), Ok(export.ordered.id.clone()));
    assert_eq!(checked(&name, "99999999999"), Err(LINK_INVALID));
    assert_eq!(checked(&name.replace(".csv", ".xlsx"), &expires), Err(LINK_INVALID));
    // A key of its own: a recording's link to the same path would not be the same.
    let other = crate::signed_link::query(&world.app, "recording links", &name, 86_400);
    assert!(!other.contains(&signature));
    let found = by_link(&world.app, &export.ordered.id, &name).await.unwrap();
    assert_eq!(found, export);

    let mut part = open(&world.app, &export, Some("bytes=0-14")).await.unwrap();
    let mut text = String::new();
    part.bytes.read_to_string(&mut text).await.unwrap();
    assert_eq!((text.as_str(), part.length()), ("conversationSid", 15));

    world.clock.advance_ms(DAY_MS);
    assert_eq!(checked(&name, &expires), Err(LINK_EXPIRED));
    assert_eq!(expire(&world.app).await.unwrap(), 0);
    world.clock.advance_ms(6 * DAY_MS);
    assert_eq!(expire(&world.app).await.unwrap(), 1);
    assert!(!file::path(&world.app, &export).exists());
    let export = now_of(&world, &export).await;
    assert_eq!(export.state, ExportState::Expired);
    let refusal = open(&world.app, &export, None).await.unwrap_err();
    assert_eq!(refusal.code, EXPORT_DELETED);
}

#[tokio::test]
async fn what_nobody_wants_is_written_no_further() {
    let world = world().await;
    let caller = world.caller::<ReadCalls>();
    let export = order_of(&world, ExportFormat::Csv).await;
    let path = file::path(&world.app, &export);
    assert!(write_one(&world.app, &SMALL).await.unwrap());
    assert!(path.exists());
    let cancelled = cancel(&world.app, &caller, &export.ordered.id).await.unwrap();
    assert_eq!(cancelled.state, ExportState::Cancelled);
    assert_eq!(cancel(&world.app, &caller, &export.ordered.id).await.unwrap(), cancelled);
    assert!(!write_one(&world.app, &SMALL).await.unwrap());
    assert_eq!(expire(&world.app).await.unwrap(), 1);
    assert!(!path.exists());

    // The same in the midst of a turn: its writer finds out.
    let export = order_of(&world, ExportFormat::Csv).await;
    let (taken, mut holder) = take(&world.app).await.unwrap().unwrap();
    cancel(&world.app, &caller, &export.ordered.id).await.unwrap();
    let end = file::turn(&world.app, &taken, &mut holder, &SMALL).await.unwrap();
    assert_eq!(end, turn::TurnEnd::Lost);
    assert!(!file::path(&world.app, &export).exists());

    let refusal = cancel(&world.app, &caller, "EX0").await.unwrap_err();
    assert_eq!(refusal.code, NOT_FOUND);
    for _ in 0..50 {
        order_of(&world, ExportFormat::Csv).await;
    }
    let refusal =
        order(&world.app, &caller, CdrFilter::default(), ExportFormat::Csv).await.unwrap_err();
    assert_eq!((refusal.code, refusal.retry_after_s), (TOO_MANY_EXPORTS, Some(60)));
}

#[tokio::test]
async fn a_range_is_pushed_exactly_once_and_waits_for_its_receiver() {
    let world = world().await;
    let caller = world.caller::<ResendDeliveries>();
    let order = order(&world.app, &caller, CdrFilter::default(), ExportFormat::Push);
    let export = order.await.unwrap();
    let one_each = Pace { records: 1, ..SMALL };
    for _ in 0..20 {
        assert!(write_one(&world.app, &one_each).await.unwrap());
    }
    // A crash: nobody gave it back.
    take(&world.app).await.unwrap().unwrap();
    assert!(write_one(&world.app, &one_each).await.unwrap());
    assert!(write_one(&world.app, &one_each).await.unwrap());
    assert_eq!(pushed(&world).await.len(), 21, "so many may wait to be delivered");
    assert!(!write_one(&world.app, &one_each).await.unwrap(), "it waits for its receiver");
    world.execute("UPDATE delivery SET state = 1, delivered_at = 0").await;
    world.clock.advance_ms(5_000);
    write_due(&world.app, &one_each).await.unwrap();
    assert_eq!(now_of(&world, &export).await.state, ExportState::Ready);
    let mut callbacks = pushed(&world).await;
    assert_eq!(callbacks.len(), CALLS);
    assert!(callbacks.iter().all(|one| one.caused.url == "http://127.0.0.1:9000/again"));
    callbacks.sort_by_key(|one| {
        let (_, n) = one.caused.id.rsplit_once('_').unwrap();
        n.parse::<u32>().unwrap()
    });
    let expected: Vec<String> = (1100..1125).rev().map(|n| format!("CV{n}")).collect();
    assert_eq!(conversations(&callbacks), expected);
    let text: String = callbacks.iter().map(|one| one.caused.body.as_str()).collect();
    assert!(text.contains("138****1103"), "callbacks mask what is masked");
}

#[tokio::test]
async fn records_are_pushed_one_by_one_and_together() {
    let world = world().await;
    let caller = world.caller::<ResendDeliveries>();
    let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
    let named = ids(&["CV1101", "CA1102-0", "CA1101-1"]);
    let callbacks = push_cdrs::these(&world.app, &caller, &named).await.unwrap();
    assert_eq!(callbacks.len(), 1);
    let sent = pushed(&world).await;
    assert_eq!(conversations(&sent), ["CV1101", "CV1102"], "each once");
    assert_eq!((&sent[0].caused.id, &*sent[0].caused.kind), (&callbacks[0], "cdr.batch"));
    let many: Vec<String> = (0..501).map(|n| format!("CV{n}")).collect();
    for (wrong, code) in [
        (ids(&["CV1101", "CV9"]), NOT_FOUND),
        (many, BAD_PARAMETER),
        (Vec::new(), yunling_domain::error_code::MISSING_PARAMETER),
    ] {
        let refusal = push_cdrs::these(&world.app, &caller, &wrong).await.unwrap_err();
        assert_eq!(refusal.code, code);
    }
    assert_eq!(pushed(&world).await.len(), 1, "nothing of what was refused");

    // Never sent before: a callback of its own. Sent before: the very same again.
    let alone = push_cdrs::one(&world.app, &caller, "CA1104-0").await.unwrap();
    world.execute("UPDATE delivery SET state = 1, delivered_at = 0").await;
    world.execute("UPDATE delivery SET id = 'msg_CA1106-0' WHERE body LIKE '%\"CV1104\"%'").await;
    assert!(alone[0].starts_with("msg_EX"), "{alone:?}");
    let again = push_cdrs::one(&world.app, &caller, "CV1106").await.unwrap();
    assert_eq!(again, ["msg_CA1106-0"]);
    let waiting: Vec<_> = pushed(&world)
        .await
        .into_iter()
        .filter(|one| one.state == deliveries::DeliveryState::Pending)
        .map(|one| one.caused.id)
        .collect();
    assert_eq!(waiting, again, "no second one was made");

    // Without an address there is nowhere to push to.
    world.apply(TENANT).await.unwrap();
    let refusal = push_cdrs::these(&world.app, &caller, &ids(&["CV1101"])).await.unwrap_err();
    assert_eq!(refusal.code, NO_CDR_URL);
}

#[tokio::test]
async fn schedules_cover_every_call_once() {
    let world = world().await;
    let caller = world.caller::<ReadCalls>();
    let wanted = |cron: &str, zone: Option<&str>| ScheduleOrder {
        cron: cron.to_owned(),
        zone: zone.map(str::to_owned),
        format: ExportFormat::Csv,
        filter: CdrFilter { kind: Some(RequestKind::Click), ..CdrFilter::default() },
    };
    for (cron, zone, field) in [
        ("0 2 * *", None, "cron"),
        ("0 0 30 2 *", None, "cron"),
        ("0 2 * * *", Some("Mars/Olympus"), "zone"),
    ] {
        let refusal = add_schedule(&world.app, &caller, wanted(cron, zone)).await.unwrap_err();
        assert_eq!(refusal.field.as_deref(), Some(field), "{cron}");
    }
    // It is 14:00 in Shanghai.
    let schedule = add_schedule(&world.app, &caller, wanted("0 15 * * *", None)).await.unwrap();
    let begun = schedule.created_at;
    assert_eq!(schedule.next_at, begun.plus_ms(3_600_000));
    assert_eq!(fire_due(&world.app).await.unwrap(), 0);
    // The node was away for two days: one export covers them.
    world.clock.advance_ms(2 * DAY_MS + 3_600_000);
    assert_eq!(fire_due(&world.app).await.unwrap(), 1);
    assert_eq!(fire_due(&world.app).await.unwrap(), 0);
    let page = PageRequest { after: None, limit: 10 };
    let export = list(&world.app, &caller, &page).await.unwrap().rows.remove(0);
    let end = begun.plus_ms(2 * DAY_MS + 3_600_000);
    assert_eq!(export.ordered.filter.started, TimeRange { from: Some(begun), to: Some(end) });
    assert_eq!(export.ordered.schedule.as_deref(), Some(&*schedule.id));
    let moved = list_schedules(&world.app, &caller).await.unwrap();
    assert_eq!((moved[0].covered_to, moved[0].next_at), (end, end.plus_ms(DAY_MS)));

    // A call that began in its time is still under way: it has no record yet.
    world
        .execute(
            "INSERT INTO attempt (call_id, conversation_id, request_id, account, application, lane, \
             to_number, to_shown, state, due_at, deadline_at, try_no, invited_at, created_at) \
             VALUES ('CA1', 'CV1', 'RQ1', 'abcdefghijklmnopqrstuvwxyz012345', 'a', 1, '1', '1', 3, \
             0, 0, 1, 5, 0)",
        )
        .await;
    world.clock.advance_ms(60_000);
    assert!(write_one(&world.app, &SMALL).await.unwrap());
    assert_eq!(now_of(&world, &export).await.state, ExportState::Running);
    assert!(!write_one(&world.app, &SMALL).await.unwrap(), "it looks again in half a minute");
    world.execute("UPDATE attempt SET state = 4").await;
    world.clock.advance_ms(30_000);
    write_due(&world.app, &Pace::default()).await.unwrap();
    assert_eq!(now_of(&world, &export).await.state, ExportState::Ready);

    delete_schedule(&world.app, &caller, &schedule.id).await.unwrap();
    let refusal = delete_schedule(&world.app, &caller, &schedule.id).await.unwrap_err();
    assert_eq!(refusal.code, NOT_FOUND);
}

#[tokio::test]
async fn records_are_kept_as_long_as_their_account_says() {
    let world = world().await;
    let count = async || {
        let page = PageRequest { after: None, limit: 500 };
        let caller = world.caller::<ReadCalls>();
        let any = CdrFilter::default();
        list_cdrs::run(&world.app, &caller, &any, &page, 0).await.unwrap().records.len()
    };
    assert_eq!(expire_cdrs::run(&world.app).await.unwrap(), 0, "no time is set: for ever");
    let kept = TENANT.replace("    name: Demo\n", "    name: Demo\n    cdr_keep_days: 2\n");
    world.apply(&kept).await.unwrap();
    assert_eq!(expire_cdrs::run(&world.app).await.unwrap(), 0);
    // Two days after the first five began, and half a second.
    let now = Micros(FIRST).plus_ms(2 * DAY_MS + 4_500);
    world.clock.advance_ms(now.ms_since(world.app.clock().now()));
    assert_eq!(expire_cdrs::run(&world.app).await.unwrap(), 7, "five of one leg or two");
    assert_eq!(count().await, CALLS - 5);
    assert_eq!(expire_cdrs::run(&world.app).await.unwrap(), 0);
    world.clock.advance_ms(DAY_MS);
    expire_cdrs::run(&world.app).await.unwrap();
    assert_eq!(count().await, 0);
}
