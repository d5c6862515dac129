//! Lists: newest first, page by page, nothing twice and nothing left out, and of one tenant.
use yunling_domain::{AccountId, ApplicationId, CallId, RequestId};
use yunling_store::{
    Cursor, Page, PageRequest, RequestKind, Store, TimeRange,
    attempts::{self, Ending},
    audit::{self, AuditEntry},
    calls::{self, CallFilter},
    requests::{self, RequestFilter},
};

use crate::{
    database::{TestDatabase, write},
    rows::{NOON, account, claimed, ending, request},
};

/// Seven calls of `a`, two in each second, and one of `b`.
async fn seven(store: &Store) {
    for n in 0..8_i32 {
        let tenant = if n == 7 { "b" } else { "a" };
        let attempt = claimed(store, tenant, &n.to_string()).await;
        let mut end: Ending = ending(&attempt);
        let record = &mut end.calls[0];
        record.started_at = NOON.plus_ms(i64::from(n / 2) * 1_000);
        record.result = u8::from(n % 3 == 0);
        record.to_number = if n < 4 { "+861" } else { "+862" }.to_owned();
        record.application = ApplicationId::new(if n == 6 { "other" } else { "app" });
        let tenant = account(tenant);
        write!(store, |tx| attempts::finish_attempt(tx, &tenant, &end)).unwrap();
    }
}

fn names(page: &Page<calls::Cdr>) -> Vec<&str> {
    page.rows.iter().map(|row| row.call_id.as_str()).collect()
}

#[tokio::test]
async fn pages_join_without_a_seam() {
    let database = TestDatabase::fresh().await;
    let store = &database.store;
    seven(store).await;
    for limit in [1, 2, 3, 7, 100] {
        let mut all = Vec::new();
        let mut page = PageRequest { after: None, limit };
        loop {
            let filter = CallFilter::default();
            let found = calls::list(store.reader(), &account("a"), &filter, &page).await.unwrap();
            assert!(found.rows.len() <= limit as usize);
            all.extend(found.rows.iter().map(|row| row.call_id.to_string()));
            let Some(next) = found.next else { break };
            page.after = Some(Cursor::decode(&next.encode()).unwrap());
        }
        assert_eq!(all, ["CA6", "CA5", "CA4", "CA3", "CA2", "CA1", "CA0"], "limit {limit}");
    }
}

#[tokio::test]
async fn filters_pick_and_join() {
    let any = CallFilter::default;
    let cases: Vec<(CallFilter, &[&str])> = vec![
        (CallFilter { to_number: Some("+861".into()), ..any() }, &["CA3", "CA2", "CA1", "CA0"]),
        (
            CallFilter { from_number: Some("01080001001".into()), result: Some(1), ..any() },
            &["CA6", "CA3", "CA0"],
        ),
        (CallFilter { from_number: Some("0".into()), ..any() }, &[]),
        (CallFilter { application: Some(ApplicationId::new("other")), ..any() }, &["CA6"]),
        (CallFilter { request_id: Some(RequestId::new("RQ2")), ..any() }, &["CA2"]),
        (CallFilter { request_id: Some(RequestId::new("RQ7")), ..any() }, &[]),
        (CallFilter { result: Some(0), to_number: Some("+862".into()), ..any() }, &["CA5", "CA4"]),
        (
            CallFilter {
                started: TimeRange {
                    from: Some(NOON.plus_ms(1_000)),
                    to: Some(NOON.plus_ms(2_000)),
                },
                ..any()
            },
            &["CA3", "CA2"],
        ),
    ];
    let database = TestDatabase::fresh().await;
    let store = &database.store;
    seven(store).await;
    let page = PageRequest { after: None, limit: 100 };
    for (filter, expected) in &cases {
        let found = calls::list(store.reader(), &account("a"), filter, &page).await.unwrap();
        assert_eq!(names(&found), *expected, "{filter:?}");
    }
    let page = PageRequest { after: None, limit: 100 };
    let found = calls::list(store.reader(), &account("b"), &any(), &page).await.unwrap();
    assert_eq!(names(&found), ["CA7"]);
    let call = CallId::new("CA7");
    assert_eq!(calls::get(store.reader(), &account("a"), &call).await.unwrap(), None);
}

#[tokio::test]
async fn requests_are_listed() {
    let database = TestDatabase::fresh().await;
    let store = &database.store;
    for n in 0..5 {
        let mut new = request("a", &n.to_string());
        new.created_at = NOON.plus_ms(n / 2);
        if n == 3 {
            new.kind = RequestKind::Captcha;
        }
        write!(store, |tx| requests::insert(tx, &new)).unwrap();
    }
    let list = async |filter: RequestFilter, page: PageRequest, tenant: AccountId| {
        let page = requests::list(store.reader(), &tenant, &filter, &page).await.unwrap();
        let names: Vec<_> = page.rows.iter().map(|row| row.accepted.id.to_string()).collect();
        (names, page.next)
    };
    let two = PageRequest { after: None, limit: 2 };
    let (names, next) = list(RequestFilter::default(), two, account("a")).await;
    assert_eq!(names, ["RQ4", "RQ3"]);
    let rest = PageRequest { after: next, limit: 10 };
    let (names, next) = list(RequestFilter::default(), rest.clone(), account("a")).await;
    assert_eq!((names, next), (vec!["RQ2".into(), "RQ1".into(), "RQ0".into()], None));
    let captchas = RequestFilter { kind: Some(RequestKind::Captcha), ..Default::default() };
    let all = PageRequest { after: None, limit: 10 };
    assert_eq!(list(captchas, all.clone(), account("a")).await.0, ["RQ3"]);
    let other = RequestFilter { application: Some(ApplicationId::new("x")), ..Default::default() };
    assert!(list(other, all.clone(), account("a")).await.0.is_empty());
    assert!(list(RequestFilter::default(), all, account("b")).await.0.is_empty());
}

#[tokio::test]
async fn audit_entries_are_listed() {
    let database = TestDatabase::fresh().await;
    let store = &database.store;
    let entry = |n: i64| AuditEntry {
        at: NOON.plus_ms(n / 2),
        account: account("a"),
        who: "apply tenant.yaml".to_owned(),
        action: "resource.update".to_owned(),
        object: format!("application/{n}"),
        detail: serde_json::json!({"name": "demo"}),
    };
    for n in 0..4 {
        let entry = entry(n);
        write!(store, |tx| audit::append(tx, &entry)).unwrap();
    }
    let first = PageRequest { after: None, limit: 3 };
    let all = TimeRange::default();
    let page = audit::list(store.reader(), &account("a"), all, &first).await.unwrap();
    assert_eq!(page.rows, [entry(3), entry(2), entry(1)]);
    let rest = PageRequest { after: page.next, limit: 3 };
    let page = audit::list(store.reader(), &account("a"), all, &rest).await.unwrap();
    assert_eq!((page.rows, page.next), (vec![entry(0)], None));
    let page = audit::list(store.reader(), &account("b"), all, &first).await.unwrap();
    assert!(page.rows.is_empty());
}
