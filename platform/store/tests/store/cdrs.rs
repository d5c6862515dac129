//! The search of call records: one result a conversation, whatever the page and the budget; and
//! their end.
use std::collections::BTreeSet;

use yunling_domain::conversation::ByeType;
use yunling_domain::{ApplicationId, CallId, RequestId};
use yunling_store::{
    Cursor, PageRequest, RequestKind, Store, TimeRange,
    attempts::{self, Ending},
    calls::{self, CallFilter, Cdr},
    cdrs::{self, CdrFilter, Found, Part, platform_side},
};

use crate::{
    database::{TestDatabase, execute, number, write},
    rows::{NOON, account, claimed, ending},
};

/// A leg of the conversation of a claimed attempt.
fn leg(like: &Cdr, seq: u8, to: &str, start_ms: i64) -> Cdr {
    let started_at = NOON.plus_ms(start_ms);
    Cdr {
        call_id: match seq {
            0 => like.call_id.clone(),
            _ => CallId::new(format!("{}-{seq}", like.call_id)),
        },
        to_number: to.to_owned(),
        started_at,
        ended_at: started_at.plus_ms(20_000),
        leg: seq,
        ..like.clone()
    }
}

/// Forty conversations of `a`: notices, and clicks of one to three legs whose parties are drawn from
/// few numbers; and one of `b`.
async fn forty(store: &Store) {
    for n in 0..41_u8 {
        let tenant = if n == 40 { "b" } else { "a" };
        let attempt = claimed(store, tenant, &n.to_string()).await;
        let mut end: Ending = ending(&attempt);
        let start_ms = i64::from(n / 3) * 1_000;
        let numbers = ["+861", "+862", "+863"];
        let like = Cdr {
            application: ApplicationId::new(if n % 5 == 0 { "other" } else { "app" }),
            trunk: Some(if n == 3 { "rare" } else { "usual" }.to_owned()),
            ..end.calls[0].clone()
        };
        end.calls = if n % 2 == 0 {
            let mut one = leg(&like, 0, numbers[usize::from(n % 3)], start_ms);
            one.result = u8::from(n % 4 == 0);
            one.cause = if one.result == 0 { "completed" } else { "no-answer" }.to_owned();
            vec![one]
        } else {
            let bye_type = ByeType::try_from(n % 6).unwrap();
            (0..=(n / 2) % 3)
                .map(|seq| Cdr {
                    kind: RequestKind::Click,
                    bye_type: Some(bye_type),
                    cause: if seq == 2 { "failed" } else { "completed" }.to_owned(),
                    // A range of time may begin between a conversation's legs.
                    ..leg(
                        &like,
                        seq,
                        numbers[usize::from((n + seq) % 3)],
                        start_ms + i64::from(seq) * 700,
                    )
                })
                .collect()
        };
        let tenant = account(tenant);
        write!(store, |tx| attempts::finish_attempt(tx, &tenant, &end)).unwrap();
    }
}

async fn all_legs(store: &Store) -> Vec<Cdr> {
    let page = PageRequest { after: None, limit: 500 };
    calls::list(store.reader(), &account("a"), &CallFilter::default(), &page).await.unwrap().rows
}

/// What a filter means, said in another way: the first leg of each conversation that fits.
fn expected(legs: &[Cdr], filter: &CdrFilter) -> Vec<String> {
    let given = |want: &Option<String>, found: Option<&str>| {
        want.as_deref().is_none_or(|want| found == Some(want))
    };
    let picks_legs = filter.to_number.is_some()
        || filter.from_number.is_some()
        || filter.trunk.is_some()
        || filter.cause.is_some();
    let fits = |leg: &Cdr| {
        let answered = leg.bye_type.map_or(leg.result == 0, |bye_type| bye_type.number() >= 3);
        given(&filter.to_number, Some(&leg.to_number))
            && given(&filter.from_number, Some(&leg.from_number))
            && given(&filter.trunk, leg.trunk.as_deref())
            && given(&filter.cause, Some(&leg.cause))
            && filter.application.as_ref().is_none_or(|want| leg.application == *want)
            && filter.request_id.as_ref().is_none_or(|want| leg.request_id == *want)
            && filter.kind.is_none_or(|want| leg.kind == want)
            && filter.bye_type.is_none_or(|want| leg.bye_type == Some(want))
            && filter.result.is_none_or(|want| (want == 0) == answered)
            && filter.started.from.is_none_or(|from| leg.started_at >= from)
            && filter.started.to.is_none_or(|to| leg.started_at < to)
    };
    let fitting: Vec<&Cdr> = legs.iter().filter(|leg| fits(leg)).collect();
    let is_first = |leg: &Cdr| match picks_legs {
        true => !fitting
            .iter()
            .any(|other| other.conversation_id == leg.conversation_id && other.leg < leg.leg),
        false => leg.leg == 0,
    };
    fitting.iter().filter(|leg| is_first(leg)).map(|leg| leg.call_id.to_string()).collect()
}

fn filters() -> Vec<CdrFilter> {
    let any = CdrFilter::default;
    let some = |text: &str| Some(text.to_owned());
    let early = TimeRange { from: Some(NOON.plus_ms(2_500)), to: Some(NOON.plus_ms(7_100)) };
    vec![
        any(),
        CdrFilter { to_number: some("+861"), ..any() },
        CdrFilter { to_number: some("+869"), ..any() },
        CdrFilter { from_number: some("01080001001"), ..any() },
        CdrFilter { application: Some(ApplicationId::new("other")), ..any() },
        CdrFilter { request_id: Some(RequestId::new("RQ7")), ..any() },
        CdrFilter { started: early, ..any() },
        CdrFilter { trunk: some("rare"), ..any() },
        CdrFilter { cause: some("failed"), ..any() },
        CdrFilter { kind: Some(RequestKind::Click), ..any() },
        CdrFilter { result: Some(0), ..any() },
        CdrFilter { result: Some(1), ..any() },
        CdrFilter { bye_type: Some(ByeType::CallerHungUp), ..any() },
        CdrFilter { to_number: some("+862"), cause: some("completed"), started: early, ..any() },
        CdrFilter {
            application: Some(ApplicationId::new("app")),
            to_number: some("+863"),
            from_number: some("01080001001"),
            request_id: Some(RequestId::new("RQ11")),
            ..any()
        },
    ]
}

async fn found(store: &Store, filter: &CdrFilter, part: &Part<'_>) -> Found {
    cdrs::find(store.reader(), &account("a"), filter, part).await.unwrap()
}

/// RESOLUTIONS, CDR push, re-push, batch push, query.
#[tokio::test]
async fn every_page_and_budget_gives_the_same_results() {
    let database = TestDatabase::fresh().await;
    let store = &database.store;
    forty(store).await;
    let legs = all_legs(store).await;
    assert!(legs.iter().any(|leg| leg.leg == 2), "there is something to be shown only once");
    for filter in filters() {
        let expected = expected(&legs, &filter);
        for (limit, scanned_rows) in [(1, 1), (3, 4), (100, 7), (7, 1_000), (100, 50_000)] {
            let (mut all, mut after) = (Vec::new(), None::<Cursor>);
            for _ in 0..200 {
                let part = Part { after: after.as_ref(), limit, skip: 0, scanned_rows };
                let page = found(store, &filter, &part).await;
                assert!(page.rows.len() as u64 <= limit);
                assert_eq!(
                    page.scanned_until.is_some(),
                    page.next.is_some() && (page.rows.len() as u64) < limit,
                    "{filter:?}"
                );
                all.extend(page.rows.iter().map(|row| row.call_id.to_string()));
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            assert_eq!(after, None, "the pages come to an end");
            assert_eq!(all, expected, "{filter:?} by {limit} of {scanned_rows}");
        }
    }
}

#[tokio::test]
async fn pages_can_be_counted_to() {
    let database = TestDatabase::fresh().await;
    let store = &database.store;
    forty(store).await;
    let filter = CdrFilter::default();
    let all = expected(&all_legs(store).await, &filter);
    let part = |skip| Part { after: None, limit: 7, skip, scanned_rows: 50_000 };
    for page in 0..6 {
        let rows = found(store, &filter, &part(page * 7)).await.rows;
        let names: Vec<_> = rows.iter().map(|row| row.call_id.to_string()).collect();
        let from = page as usize * 7;
        assert_eq!(names, all[from..(from + 7).min(all.len())], "{page}");
    }
    assert!(found(store, &filter, &part(70)).await.rows.is_empty());
}

#[tokio::test]
async fn masked_numbers_are_not_found_by_guessing() {
    let database = TestDatabase::fresh().await;
    let store = &database.store;
    forty(store).await;
    // Conversation 5 has two legs or more; its caller's is the first.
    let masked = "INSERT INTO click (conversation_id, account, application, request_id, \
                  caller_call_id, masked, created_at) VALUES ('CV5', 'a', 'app', 'RQ5', 'CA5', 1, 0)";
    execute(store, masked).await.unwrap();
    let of_five: Vec<Cdr> = all_legs(store)
        .await
        .into_iter()
        .filter(|leg| leg.conversation_id.as_str() == "CV5")
        .collect();
    assert!(of_five.len() > 1);
    for leg in of_five {
        let filter = |masked_numbers| CdrFilter {
            to_number: Some(leg.to_number.clone()),
            masked_numbers,
            ..CdrFilter::default()
        };
        let part = Part { after: None, limit: 100, skip: 0, scanned_rows: 50_000 };
        let finds = async |masked_numbers| {
            let page = found(store, &filter(masked_numbers), &part).await;
            page.rows.iter().any(|row| row.conversation_id.as_str() == "CV5")
        };
        assert!(finds(false).await, "{}", leg.call_id);
        assert_eq!(finds(true).await, leg.leg == 0, "{}", leg.call_id);
    }
}

#[tokio::test]
async fn what_is_old_goes_with_all_that_tells_of_it() {
    let database = TestDatabase::fresh().await;
    let store = &database.store;
    forty(store).await;
    // Of one conversation a callback is still to be delivered; of the others it was.
    execute(store, "UPDATE delivery SET state = 1 WHERE id <> 'msg_2'").await.unwrap();
    // Attempts that have ended are kept for a week; then nothing refers to the requests.
    execute(store, "UPDATE request SET state = 'finished'").await.unwrap();
    execute(store, "DELETE FROM attempt WHERE request_id <> 'RQ1'").await.unwrap();
    let before = NOON.plus_ms(2_000);
    let begun: BTreeSet<String> = all_legs(store)
        .await
        .iter()
        .filter(|leg| leg.started_at < before)
        .map(|leg| leg.conversation_id.to_string())
        .collect();
    assert!(begun.len() > 4, "{begun:?}");
    let (mut after, mut calls) = (None::<Cursor>, 0);
    loop {
        let reader = store.reader();
        let old = platform_side::begun_before(reader, &account("a"), before, after.as_ref(), 2)
            .await
            .unwrap();
        let Some(last) = old.last() else { break };
        after = Some(last.place.clone());
        calls += write!(store, |tx| platform_side::purge(tx, &account("a"), &old)).unwrap();
    }
    assert!(calls >= begun.len() as u64);
    let left: BTreeSet<String> =
        all_legs(store).await.iter().map(|leg| leg.conversation_id.to_string()).collect();
    assert!(left.is_disjoint(&begun), "not a leg of them is left");
    assert_eq!(left.len() + begun.len(), 40);
    let begun = begun.iter().map(|id| format!("'{id}'")).collect::<Vec<_>>().join(", ");
    let stories = format!("SELECT COUNT(*) FROM conversation WHERE id IN ({begun})");
    assert_eq!(number(store, &stories).await, 0);
    let told = format!("SELECT COUNT(*) FROM delivery WHERE conversation_id IN ({begun})");
    assert_eq!(number(store, &told).await, 1, "what is to be delivered is");
    let requests = begun.replace("CV", "RQ");
    let asked = format!("SELECT COUNT(*) FROM request WHERE id IN ({requests})");
    assert_eq!(number(store, &asked).await, 1, "an attempt refers to it still");
    assert_eq!(number(store, "SELECT COUNT(*) FROM request WHERE account = 'b'").await, 1);
    assert_eq!(number(store, "SELECT COUNT(*) FROM \"call\" WHERE account = 'b'").await, 1);
}
