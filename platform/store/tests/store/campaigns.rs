//! Campaigns and do-not-call lists: half a list is nothing, a number is out once and comes back once,
//! counts add up, a run is made once, and nothing crosses accounts.
//!
//! Long because it is one table of a campaign's life.
use chrono_tz::Tz;
use serde_json::json;
use yunling_domain::campaign::{
    CallResult, Caps, Lines, NumberResult, Rule, Rules, Schedule, Tries, Window, Zones,
};
use yunling_domain::{AccountId, ApplicationId, CallId, ConversationId, Micros, RequestId};
use yunling_store::{
    PageRequest, RequestKind, Store, StoreError,
    attempts::{self, AttemptLane, NewAttempt},
    campaigns::{
        self, Campaign, CampaignState, Changed, Ended, ListCounts, NewCampaign, NewEntry,
        platform_side::{
            Back, Counts, NewCall, NewRun, add_counts, begin_run, briefing, close, close_waiting,
            copy_entries, count_shown, defer, due, end_recurring, finish, finish_copy,
            finished_before, has_due, has_ended, has_unfinished_run, hold, insert_calls,
            line_calls, lines, live, past_calls, purge, purge_rows, reset_lists, send_out,
            take_ended,
        },
    },
    do_not_call::{self, Listed},
    requests::{self, NewRequest},
};

use crate::{
    database::{TestDatabase, number, write},
    rows::{NOON, account, attempt, node, request},
};

const LINE: &str = "+861080001001";

fn id(name: &str) -> RequestId {
    RequestId::new(format!("RQ{name}"))
}

fn rules() -> Rules {
    let (from, to) = ("00:00".parse().unwrap(), "24:00".parse().unwrap());
    Rules {
        schedule: Schedule {
            starts_at: None,
            ends_at: None,
            windows: vec![Window::daily(from, to)],
            holidays: [].into(),
        },
        zones: Zones::with_default(Tz::Asia__Shanghai),
        retries: Vec::new(),
        caps: Caps::default(),
        lines: Lines {
            numbers: vec![LINE.to_owned()],
            rotate: true,
            sticky: false,
            local_presence: false,
            rest: None,
        },
        has_key: true,
    }
}

async fn draft(store: &Store, tenant: &str, name: &str, cron: Option<&str>) {
    let request = NewRequest { kind: RequestKind::Campaign, ..request(tenant, name) };
    let new = NewCampaign {
        id: id(name),
        account: account(tenant),
        application: ApplicationId::new("app"),
        name: name.to_owned(),
        rules: rules(),
        cron: cron.map(str::to_owned),
        created_at: NOON,
    };
    write!(store, |tx| async {
        requests::insert(tx, &request).await?;
        campaigns::insert(tx, &new).await
    })
    .unwrap();
}

fn entries(count: u32) -> Vec<NewEntry> {
    let entry = |n| NewEntry {
        n,
        to_number: format!("+86138{n:08}"),
        to_shown: format!("138{n:08}"),
        variables: json!({ "amount": n.to_string() }),
        userdata: (n == 0).then(|| "mine".to_owned()),
        area: None,
    };
    (0..count).map(entry).collect()
}

async fn open_list(store: &Store, tenant: &str, name: &str) -> bool {
    let (tenant, id) = (account(tenant), id(name));
    write!(store, |tx| campaigns::open_list(tx, &tenant, &id, node(10_000))).unwrap()
}

/// A campaign that runs, with so many numbers.
async fn running(store: &Store, tenant: &str, name: &str, count: u32, cron: Option<&str>) {
    draft(store, tenant, name, cron).await;
    assert!(open_list(store, tenant, name).await);
    let (tenant, id, entries) = (account(tenant), id(name), entries(count));
    let next = cron.map(|_| NOON.plus_ms(1_000));
    write!(store, |tx| async {
        campaigns::add_entries(tx, &id, &entries).await?;
        let counts = ListCounts { total: count, rejected: 1, duplicates: 2 };
        campaigns::list_done(tx, &tenant, &id, counts).await?;
        campaigns::start(tx, &tenant, &id, next, NOON).await
    })
    .unwrap();
}

async fn read(store: &Store, tenant: &str, name: &str) -> Option<campaigns::Progress> {
    campaigns::get(store.reader(), &account(tenant), &id(name)).await.unwrap()
}

async fn state(store: &Store, name: &str) -> CampaignState {
    read(store, "a", name).await.unwrap().campaign.state
}

/// Sends numbers out, each with its attempt and its call.
async fn sent_out(store: &Store, name: &'static str, numbers: &[u32]) {
    for n in numbers.iter().copied() {
        let attempt = NewAttempt {
            call_id: CallId::new(format!("CA{name}{n}")),
            conversation_id: ConversationId::new(format!("CV{name}{n}")),
            request_id: id(name),
            lane: AttemptLane::Batch,
            to_number: format!("+86138{n:08}"),
            ..attempt("a", name)
        };
        let call = NewCall {
            call_id: attempt.call_id.clone(),
            account: account("a"),
            request_id: id(name),
            n,
            to_number: attempt.to_number.clone(),
            from_number: Some(LINE.to_owned()),
            at: NOON,
        };
        let out = write!(store, |tx| async {
            let out = send_out(tx, &id(name), n).await?;
            attempts::insert(tx, &[attempt]).await?;
            insert_calls(tx, &[call]).await?;
            count_shown(tx, &id(name), LINE, 1).await?;
            Ok::<_, StoreError>(out)
        });
        assert!(out.unwrap(), "number {n}");
    }
}

async fn ended(store: &Store, call: &str, result: CallResult) {
    let call = CallId::new(format!("CA{call}"));
    let ended = Ended {
        at: NOON.plus_ms(1_000),
        answered_at: result.is_answered().then(|| NOON.plus_ms(5_000)),
        ended_at: NOON.plus_ms(20_000),
        talk_s: if result.is_answered() { 15 } else { 0 },
        result,
        from_number: None,
    };
    write!(store, |tx| campaigns::note_result(tx, &call, &ended)).unwrap();
}

#[tokio::test]
async fn half_a_list_is_nothing_and_a_new_one_replaces_the_one_before() {
    let database = TestDatabase::fresh().await;
    let store = &database.store;
    draft(store, "a", "1", None).await;
    assert!(!open_list(store, "b", "1").await, "another account's");
    assert!(open_list(store, "a", "1").await);
    assert!(!open_list(store, "a", "1").await, "somebody else loads");
    write!(store, |tx| campaigns::add_entries(tx, &id("1"), &entries(5))).unwrap();
    let rejected = [(7, "no number".to_owned(), "x,1".to_owned())];
    write!(store, |tx| campaigns::add_rejected(tx, &id("1"), &rejected)).unwrap();
    let change = async |tenant: &str| {
        let tenant = account(tenant);
        write!(store, |tx| campaigns::start(tx, &tenant, &id("1"), None, NOON)).unwrap()
    };
    assert_eq!(change("a").await, Some(Changed::NotIn(CampaignState::Loading)));

    // The node dies and starts again.
    assert_eq!(write!(store, |tx| reset_lists(tx, node(10_001))).unwrap(), 0, "another node's");
    assert_eq!(write!(store, |tx| reset_lists(tx, node(10_000))).unwrap(), 1);
    assert_eq!(change("a").await, Some(Changed::Empty));
    assert!(open_list(store, "a", "1").await);
    for gone in [3, 2, 1, 0] {
        assert_eq!(write!(store, |tx| campaigns::drop_entries(tx, &id("1"), 3)).unwrap(), gone);
    }
    write!(store, |tx| campaigns::add_entries(tx, &id("1"), &entries(2))).unwrap();
    let counts = ListCounts { total: 2, rejected: 0, duplicates: 4 };
    let (tenant, other) = (account("a"), account("b"));
    let foreign = write!(store, |tx| campaigns::list_done(tx, &other, &id("1"), counts));
    assert!(matches!(foreign, Err(StoreError::NotFound(_))), "{foreign:?}");
    write!(store, |tx| campaigns::list_done(tx, &tenant, &id("1"), counts)).unwrap();
    let found = read(store, "a", "1").await.unwrap();
    assert_eq!((found.campaign.total, found.campaign.duplicates, found.waiting()), (2, 4, 2));
    assert_eq!(read(store, "b", "1").await, None);
    assert_eq!(change("b").await, None);
    assert_eq!(live(store.reader()).await.unwrap(), [] as [Campaign; 0], "it is a draft");
    assert_eq!(change("a").await, Some(Changed::Yes));
    assert_eq!(live(store.reader()).await.unwrap().len(), 1);
    assert!(!open_list(store, "a", "1").await, "it is none any more");
}

#[tokio::test]
async fn a_number_is_asked_about_when_it_is_due_and_out_once() {
    let database = TestDatabase::fresh().await;
    let store = &database.store;
    running(store, "a", "1", 4, None).await;
    let asked = async |limit| -> Vec<u32> {
        let found = write!(store, |tx| async {
            assert!(hold(tx, &id("1")).await?);
            due(tx, &id("1"), NOON, limit).await
        });
        found.unwrap().into_iter().map(|number| number.n).collect()
    };
    assert_eq!(asked(2).await, [0, 1]);
    let later = NOON.plus_ms(5_000);
    write!(store, |tx| defer(tx, &id("1"), 0, later, Rule::CallingWindow)).unwrap();
    assert_eq!(asked(9).await, [1, 2, 3]);
    sent_out(store, "1", &[1, 2]).await;
    assert!(!write!(store, |tx| send_out(tx, &id("1"), 1)).unwrap(), "it is out");
    let refused = NumberResult::Refused;
    let closing =
        async |n| write!(store, |tx| close(tx, &id("1"), n, refused, "do_not_call")).unwrap();
    assert!(closing(3).await && !closing(3).await && !closing(1).await);
    assert_eq!(asked(9).await, [] as [u32; 0]);
    assert!(!has_due(store.reader(), &id("1"), NOON).await.unwrap());
    assert!(has_due(store.reader(), &id("1"), later).await.unwrap());
    let progress = read(store, "a", "1").await.unwrap();
    assert_eq!(progress.out, 2);
    let rows = campaigns::numbers(store.reader(), &account("a"), &id("1"), None, 9).await.unwrap();
    let shown: Vec<_> =
        rows.iter().map(|row| (row.is_out, row.due_at, row.rule.as_deref(), row.result)).collect();
    assert_eq!(
        shown,
        [
            (false, Some(later), Some("calling_window"), None),
            (true, None, None, None),
            (true, None, None, None),
            (false, None, Some("do_not_call"), Some(refused)),
        ]
    );
    let foreign = campaigns::numbers(store.reader(), &account("b"), &id("1"), None, 9).await;
    assert!(matches!(foreign, Err(StoreError::NotFound(_))), "{foreign:?}");
    assert_eq!(lines(store.reader(), &id("1")).await.unwrap()[LINE], 2);

    let briefed = briefing(store.reader(), &CallId::new("CA11")).await.unwrap().unwrap();
    assert_eq!((briefed.state, briefed.is_listed), (CampaignState::Running, false));
    assert_eq!((briefed.variables, briefed.userdata), (json!({ "amount": "1" }), None));
    assert_eq!(briefing(store.reader(), &CallId::new("CAx")).await.unwrap(), None);

    // What callees and caller IDs have seen, of this account alone.
    for (tenant, since, count) in [("a", NOON, 1), ("a", NOON.plus_ms(1), 0), ("b", NOON, 0)] {
        let numbers = ["+8613800000001"];
        let past = past_calls(store.reader(), &account(tenant), &numbers, since).await.unwrap();
        assert_eq!(past.values().map(Vec::len).sum::<usize>(), count, "{tenant}");
    }
    let seen = line_calls(store.reader(), &account("a"), LINE, 9).await.unwrap();
    assert_eq!(seen, [], "none is over");
}

#[tokio::test]
async fn a_call_comes_back_once_and_the_last_one_finishes() {
    let database = TestDatabase::fresh().await;
    let store = &database.store;
    running(store, "a", "1", 3, None).await;
    sent_out(store, "1", &[0, 1, 2]).await;
    assert!(!has_ended(store.reader(), &id("1")).await.unwrap());
    ended(store, "10", CallResult::Confirmed).await;
    ended(store, "11", CallResult::Busy).await;
    ended(store, "12", CallResult::PutBack).await;
    ended(store, "10", CallResult::Failed).await; // too late: it has its result
    assert!(has_ended(store.reader(), &id("1")).await.unwrap());
    let mut taken = write!(store, |tx| take_ended(tx, &id("1"), 2)).unwrap();
    assert_eq!(taken.len(), 2);
    taken.extend(write!(store, |tx| take_ended(tx, &id("1"), 2)).unwrap());
    assert!(write!(store, |tx| take_ended(tx, &id("1"), 2)).unwrap().is_empty());
    taken.sort_by_key(|call| call.n);
    let results: Vec<CallResult> = taken.iter().map(|call| call.result).collect();
    assert_eq!(results, [CallResult::Confirmed, CallResult::Busy, CallResult::PutBack]);
    assert_eq!(number(store, "SELECT COUNT(*) FROM campaign_call").await, 2, "it was no call");

    let due_at = NOON.plus_ms(60_000);
    let mut busy = Tries::default();
    busy.by_kind[0] = 1;
    let waits = |avoid, last| Back::Waits { due_at, rule: Some("retry_pause"), avoid, last };
    let avoid = Some(LINE.to_owned());
    for (n, back, tries, dialled) in [
        (0, Back::Done(NumberResult::Confirmed), Tries::default(), true),
        (1, waits(avoid, Some(NumberResult::Busy)), busy, true),
        (2, waits(None, None), Tries::default(), false),
    ] {
        write!(store, |tx| back.store(tx, &id("1"), n, tries, dialled)).unwrap();
    }
    let mut counts = Counts { calls: 2, talk_s: 15, ..Counts::default() };
    counts.done(NumberResult::Confirmed);
    write!(store, |tx| add_counts(tx, &id("1"), &counts)).unwrap();
    let progress = read(store, "a", "1").await.unwrap();
    let campaign = &progress.campaign;
    assert_eq!((campaign.calls, campaign.talk_s, campaign.done()), (2, 15, 1));
    assert_eq!((progress.out, progress.waiting()), (0, 2));
    let again = write!(store, |tx| due(tx, &id("1"), due_at, 9)).unwrap();
    let told: Vec<_> = again
        .iter()
        .map(|one| (one.n, one.tries.by_kind[0], one.avoid.as_deref(), one.last_result))
        .collect();
    assert_eq!(told, [(1, 1, Some(LINE), Some(NumberResult::Busy)), (2, 0, None, None)]);

    assert!(!write!(store, |tx| finish(tx, &id("1"), due_at)).unwrap(), "two are left");
    let mut rest = Counts::default();
    rest.done(NumberResult::Busy);
    rest.done(NumberResult::Refused);
    write!(store, |tx| add_counts(tx, &id("1"), &rest)).unwrap();
    assert!(write!(store, |tx| finish(tx, &id("1"), due_at)).unwrap());
    assert!(!write!(store, |tx| finish(tx, &id("1"), due_at)).unwrap());
    assert_eq!(state(store, "1").await, CampaignState::Finished);

    let of = (account("a"), id("1"));
    let outcomes = campaigns::outcomes(store.reader(), &of.0, &of.1).await.unwrap();
    assert_eq!((outcomes[CallResult::Confirmed as usize], outcomes.iter().sum::<u32>()), (1, 2));
    let hours = campaigns::hours(store.reader(), &of.0, &of.1).await.unwrap();
    assert_eq!(
        (hours.len(), hours[0].calls, hours[0].answered, hours[0].confirmed, hours[0].talk_s),
        (1, 2, 1, 1, 15)
    );
    assert_eq!(campaigns::hours(store.reader(), &account("b"), &of.1).await.unwrap(), []);
    let seen = line_calls(store.reader(), &of.0, LINE, 9).await.unwrap();
    assert_eq!(seen.iter().filter(|call| call.answered).count(), 1);
    assert_eq!(seen.len(), 2);
}

#[tokio::test]
async fn a_campaign_is_changed_as_its_state_allows_and_its_queue_goes_back() {
    let database = TestDatabase::fresh().await;
    let store = &database.store;
    running(store, "a", "1", 3, None).await;
    sent_out(store, "1", &[0]).await;
    let now = NOON.plus_ms(2_000);
    let (pause, resume, cancel) = (
        async || {
            let tenant = account("a");
            write!(store, |tx| campaigns::pause(tx, &tenant, &id("1"), now)).unwrap()
        },
        async || {
            let tenant = account("a");
            write!(store, |tx| campaigns::resume(tx, &tenant, &id("1"))).unwrap()
        },
        async || {
            let tenant = account("a");
            write!(store, |tx| campaigns::cancel(tx, &tenant, &id("1"), now)).unwrap()
        },
    );
    let held = async || write!(store, |tx| hold(tx, &id("1"))).unwrap();
    assert_eq!(resume().await, Some(Changed::AlreadySo));
    assert_eq!(pause().await, Some(Changed::Yes));
    assert_eq!(pause().await, Some(Changed::AlreadySo));
    assert!(!held().await, "a paused campaign is not fed");
    let queued = attempts::of_call(store.reader(), &account("a"), &CallId::new("CA10")).await;
    let queued = queued.unwrap().unwrap().queued;
    assert_eq!((queued.deadline_at, queued.rule.as_deref()), (now, Some("campaign_paused")));
    assert_eq!(resume().await, Some(Changed::Yes));
    assert!(held().await);
    assert_eq!(cancel().await, Some(Changed::Yes));
    assert_eq!(cancel().await, Some(Changed::AlreadySo));
    assert_eq!(resume().await, Some(Changed::NotIn(CampaignState::Cancelled)));
    for closed in [1, 1, 0] {
        assert_eq!(write!(store, |tx| close_waiting(tx, &id("1"), 1)).unwrap(), closed);
    }
    let progress = read(store, "a", "1").await.unwrap();
    assert_eq!((progress.out, progress.campaign.count(NumberResult::Cancelled)), (1, 2));
    let waiting = campaigns::unfinished_of(store.reader(), &account("a")).await.unwrap();
    assert_eq!(waiting, (1, 1));
    assert_eq!(campaigns::unfinished_of(store.reader(), &account("b")).await.unwrap(), (0, 0));

    draft(store, "a", "2", None).await;
    let tenant = account("a");
    write!(store, |tx| campaigns::cancel(tx, &tenant, &id("2"), now)).unwrap();
    let over = read(store, "a", "2").await.unwrap().campaign;
    assert_eq!(over.finished_at, Some(now), "a draft is over at once");
}

#[tokio::test]
async fn a_run_is_made_once_for_each_time_and_has_the_whole_list() {
    let database = TestDatabase::fresh().await;
    let store = &database.store;
    running(store, "a", "daily", 5, Some("* * * * *")).await;
    let parent = read(store, "a", "daily").await.unwrap().campaign;
    let due = parent.next_fire_at.unwrap();
    let begin = async |name: &str, next: Option<Micros>| {
        let (parent, run) = (
            parent.clone(),
            NewRun { id: id(name), fires_at: due, next_fire_at: next, created_at: due },
        );
        write!(store, |tx| begin_run(tx, &parent, &run)).unwrap()
    };
    assert!(begin("run1", None).await);
    assert!(!begin("run2", None).await, "that time has its run");
    assert!(has_unfinished_run(store.reader(), &parent.id).await.unwrap());
    for copied in [2, 2, 1, 0] {
        let found = write!(store, |tx| copy_entries(tx, &id("run1"), &id("daily"), 2)).unwrap();
        assert_eq!(found, copied);
    }
    let (tenant, copied) = (account("a"), account("a"));
    write!(store, |tx| finish_copy(tx, &copied, &id("run1"))).unwrap();
    let run = read(store, "a", "run1").await.unwrap().campaign;
    assert_eq!((run.state, run.total, run.parent), (CampaignState::Running, 5, Some(id("daily"))));
    let rows = campaigns::numbers(store.reader(), &tenant, &id("run1"), None, 9).await.unwrap();
    assert_eq!((rows.len(), rows[0].userdata.as_deref()), (5, Some("mine")));
    let page = PageRequest { after: None, limit: 9 };
    let runs = campaigns::list(store.reader(), &tenant, Some(&id("daily")), &page).await.unwrap();
    assert_eq!(runs.rows.len(), 1);
    write!(store, |tx| end_recurring(tx, &id("daily"), NOON)).unwrap();
    assert_eq!(state(store, "daily").await, CampaignState::Finished);
}

#[tokio::test]
async fn a_list_is_its_accounts_and_stops_what_is_queued() {
    let database = TestDatabase::fresh().await;
    let store = &database.store;
    running(store, "a", "1", 2, None).await;
    sent_out(store, "1", &[0, 1]).await;
    let listed = |n: u32, note: &str| Listed {
        number: format!("+86138{n:08}"),
        note: note.to_owned(),
        added_by: "token".to_owned(),
        added_at: NOON.plus_ms(i64::from(n)),
    };
    let add = async |tenant: &str, rows: Vec<Listed>| {
        let tenant = account(tenant);
        write!(store, |tx| do_not_call::add(tx, &tenant, &rows, NOON)).unwrap()
    };
    assert_eq!(add("b", vec![listed(0, "")]).await, 1);
    let deadline = async |call: &str| {
        let row = attempts::of_call(store.reader(), &account("a"), &CallId::new(call)).await;
        row.unwrap().unwrap().queued.deadline_at
    };
    assert_eq!(deadline("CA10").await, NOON.plus_ms(30_000), "another account's list");
    assert_eq!(add("a", vec![listed(0, "first"), listed(7, "")]).await, 2);
    assert_eq!(add("a", vec![listed(0, "second"), listed(8, "")]).await, 1);
    assert_eq!((deadline("CA10").await, deadline("CA11").await), (NOON, NOON.plus_ms(30_000)));
    let briefed = briefing(store.reader(), &CallId::new("CA10")).await.unwrap().unwrap();
    assert!(briefed.is_listed);

    let numbers = ["+8613800000000", "+8613800000001"];
    let among = do_not_call::among(store.reader(), &account("a"), &numbers).await.unwrap();
    assert_eq!(among.into_iter().collect::<Vec<_>>(), [numbers[0]]);
    let page = |after, limit| PageRequest { after, limit };
    let reader = store.reader();
    let first = do_not_call::list(reader, &account("a"), None, &page(None, 2)).await.unwrap();
    let shown: Vec<&str> = first.rows.iter().map(|row| row.number.as_str()).collect();
    assert_eq!(shown, ["+8613800000008", "+8613800000007"]);
    let rest = do_not_call::list(reader, &account("a"), None, &page(first.next, 2)).await.unwrap();
    assert_eq!((rest.rows[0].note.as_str(), rest.next), ("first", None));
    let one = do_not_call::list(reader, &account("b"), Some(numbers[1]), &page(None, 2)).await;
    assert!(one.unwrap().rows.is_empty());
    let remove = async |tenant: &str| {
        let tenant = account(tenant);
        write!(store, |tx| do_not_call::remove(tx, &tenant, "+8613800000007")).unwrap()
    };
    assert_eq!((remove("b").await, remove("a").await, remove("a").await), (false, true, false));
}

#[tokio::test]
async fn what_is_over_goes_when_nothing_refers_to_it() {
    let database = TestDatabase::fresh().await;
    let store = &database.store;
    running(store, "a", "1", 3, None).await;
    sent_out(store, "1", &[0]).await;
    let tenant = account("a");
    let purge_some = async |tenant: &AccountId| {
        let tenant = tenant.clone();
        write!(store, |tx| purge_rows(tx, &tenant, &id("1"), 2)).unwrap()
    };
    assert_eq!(purge_some(&tenant).await, 0, "it goes on");
    let (account_a, now) = (tenant.clone(), NOON.plus_ms(1_000));
    write!(store, |tx| async {
        campaigns::cancel(tx, &account_a, &id("1"), now).await?;
        let mut counts = Counts::default();
        counts.results[NumberResult::Cancelled as usize] = 3;
        add_counts(tx, &id("1"), &counts).await?;
        finish(tx, &id("1"), now).await
    })
    .unwrap();
    let reader = store.reader();
    assert_eq!(finished_before(reader, &tenant, now, None, 9).await.unwrap(), []);
    let later = now.plus_ms(1);
    assert_eq!(finished_before(reader, &tenant, later, None, 9).await.unwrap(), [id("1")]);
    assert_eq!(finished_before(reader, &tenant, later, Some(&id("1")), 9).await.unwrap(), []);
    assert_eq!(finished_before(reader, &account("b"), later, None, 9).await.unwrap(), []);
    assert_eq!(purge_some(&account("b")).await, 0);
    for gone in [2, 1, 1, 0] {
        assert_eq!(purge_some(&tenant).await, gone);
    }
    let last = async || {
        let tenant = account("a");
        write!(store, |tx| purge(tx, &tenant, &id("1"))).unwrap()
    };
    assert!(!last().await, "an attempt refers to it");
    crate::database::execute(store, "DELETE FROM attempt").await.unwrap();
    assert!(last().await && !last().await);
    for table in ["campaign", "campaign_number", "campaign_call", "campaign_line", "request"] {
        assert_eq!(number(store, &format!("SELECT COUNT(*) FROM {table}")).await, 0, "{table}");
    }
}
