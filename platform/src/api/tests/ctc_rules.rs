//! What RESOLUTIONS.md settles of click-to-call and the interface decides, row by row.

use poem::http::{Method, StatusCode};
use serde_json::{Value, json};
use yunling_app::click::ClickSpec;
use yunling_app::ports::{Busy, NotAdded};
use yunling_domain::conversation::{AddRefusal, Record, Ringback};
use yunling_domain::error_code::NO_TRUNK;
use yunling_domain::{AccountId, ConversationId, NodeNumber, RequestId};
use yunling_store::attempts::platform_side::{Claim, claim_due};
use yunling_store::attempts::{self, AttemptLane, Invite};
use yunling_store::requests::{self, Request};
use yunling_store::{Lane, StoreError};

use super::ctc::{click, clicked, connected, of, open, path, post, sample, told, with};
use super::world::{
    ACCOUNT, APPID, OTHER, OTHER_TOKEN, SEMANTIC_APPID, SUSPENDED, SUSPENDED_TOKEN, TOKEN, World,
    basic,
};

async fn stored(world: &World, id: &RequestId) -> (Request, ClickSpec) {
    let account = AccountId::new(ACCOUNT);
    let request = requests::get(world.app.store().reader(), &account, id).await.unwrap().unwrap();
    let spec = serde_json::from_value(request.accepted.spec.clone()).unwrap();
    (request, spec)
}

#[tokio::test]
async fn a_click_is_answered_as_the_document_says_and_stored_whole() {
    let (world, talks) = open().await;
    let body = with(&json!({
        "calleeCli": "010-80001001", "ringback_mode": 1, "record": true, "maxDuration": "300",
        "greetVoice": "prompt1.wav", "lastMinVoice": "prompt2.wav", "userData": "order 长",
        "maskedCallee": "true", "cdrUrl": "http://127.0.0.1:9001/own",
    }));
    let got = post(&world, &format!("/2013-12-26{}", path()), &body).await;
    assert_eq!(got.status, StatusCode::OK);
    let fields: Vec<&String> = got.body.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["conversationSid", "statusCode", "statusMsg"]);
    assert_eq!(told(&got)[..2], ["00000", "success"]);
    let sid = got.body["conversationSid"].as_str().unwrap();
    assert!(sid.len() == 34 && sid.starts_with("CV10000"), "{sid}");

    let click = click(&world, sid).await;
    assert!(click.masked && click.subject.is_none());
    let (request, spec) = stored(&world, &click.request).await;
    assert_eq!(request.accepted.api_version, "2013-12-26");
    assert_eq!(request.accepted.userdata.as_deref(), Some("order 长"));
    assert_eq!(request.accepted.urls["cdr"], "http://127.0.0.1:9001/own");
    assert_eq!(request.accepted.urls["status"], "http://127.0.0.1:9000/status");
    assert_eq!(spec.callee.number, "+8613800100002");
    assert_eq!(
        (spec.caller.shown.as_str(), spec.caller.line.as_str()),
        ("13800100001", "+861080001001")
    );
    assert_eq!((spec.ringback, spec.record), (Ringback::Custom, Record::FromAnswer));
    assert_eq!(spec.max_duration_s, Some(300));
    assert_eq!(spec.voices.greet.as_deref(), Some("prompt1.wav"));
    assert_eq!(spec.last_minute_voice.as_deref(), Some("prompt2.wav"));

    let attempt = world.attempt(click.caller_call.as_str()).await;
    assert_eq!(attempt.queued.lane, AttemptLane::Talk);
    assert_eq!(attempt.queued.to_number, "+8613800100001");
    assert_eq!(attempt.queued.conversation_id.as_str(), sid);
    let reserved = talks.reserved.lock().clone();
    assert_eq!((reserved.len(), &reserved[0].1), (1, &spec.caller));
    assert!(talks.released.lock().is_empty(), "the conversation takes the line over");
}

#[tokio::test]
async fn json_and_forms_are_taken_and_the_path_as_printed() {
    let (world, _) = open().await;
    let login = basic(ACCOUNT, TOKEN);
    let json = sample().to_string();
    let form = "action=CLICK2CALL&caller=138+0010+0001&callee=%2B8613800100002&record=1";
    let cases = [
        ("application/json;charset=utf-8", json.as_str(), path()),
        ("text/plain", &json, path()),
        ("application/x-www-form-urlencoded", &json, format!("{}/", path())),
        ("application/x-www-form-urlencoded", form, path()),
        ("application/x-www-form-urlencoded; charset=utf-8", form, format!("/v1{}/", path())),
    ];
    for (kind, body, path) in cases {
        let headers = [("authorization", login.as_bytes()), ("content-type", kind.as_bytes())];
        let got = world.send(Method::POST, &path, &headers, body.as_bytes().to_vec()).await;
        assert_eq!(told(&got)[0], "00000", "{kind} {path} {body}: {}", got.text);
    }
}

#[tokio::test]
async fn at_a_limit_a_click_is_refused_at_once_and_nothing_is_stored() {
    let (world, talks) = open().await;
    let cases = [
        (Busy::Limit("account".into()), "21001", true),
        (Busy::Limit("carrier-a".into()), "21004", true),
        (Busy::TrunksDown, "30001", false),
        (Busy::Refused { code: NO_TRUNK, rule: "trunk_configured" }, "20006", false),
    ];
    for (busy, code, retry) in cases {
        *talks.busy.lock() = Some(busy);
        let got = post(&world, &path(), &sample()).await;
        assert_eq!(told(&got)[0], code, "{}", got.text);
        assert_eq!(got.header("retry-after").is_some(), retry);
        assert!(!got.text.contains("carrier-a"), "which trunk it is, is the operator's matter");
    }
    // A pace is no limit: it is waited for, unless that would take seconds.
    let now = world.app.clock().now();
    *talks.busy.lock() = Some(Busy::Paced(now.plus_ms(60_000)));
    let got = post(&world, &path(), &sample()).await;
    assert_eq!(told(&got)[0], "21004", "{}", got.text);
    assert_eq!(world.waiting().await, 0);
    *talks.busy.lock() = None;
    *talks.paced.lock() = Some(Busy::Paced(now.plus_ms(50)));
    let got = post(&world, &path(), &sample()).await;
    assert_eq!(told(&got)[0], "00000", "{}", got.text);
    world.app.store().clone().close().await.unwrap();
    let got = post(&world, &path(), &sample()).await;
    assert!(told(&got)[0].starts_with('5'), "{}", got.text);
}

#[tokio::test]
async fn a_line_is_given_back_where_the_click_was_another_requests() {
    let (world, talks) = open().await;
    let login = basic(ACCOUNT, TOKEN);
    let body = sample().to_string().into_bytes();
    let headers =
        [("authorization", login.as_bytes()), ("idempotency-key", "one click".as_bytes())];
    let first = world.send(Method::POST, &path(), &headers, body.clone()).await;
    let second = world.send(Method::POST, &path(), &headers, body).await;
    assert_eq!(first.body, second.body);
    assert_eq!(second.header("idempotent-replayed"), Some("true"));
    assert_eq!(talks.reserved.lock().len(), 1, "the second asked for no line");
    assert_eq!(world.waiting().await, 1);
    let other = with(&json!({ "record": 1 })).to_string().into_bytes();
    let got = world.send(Method::POST, &path(), &headers, other).await;
    assert_eq!(told(&got)[0], "11007", "{}", got.text);
    // The same key of the voice surface is another one.
    let notice = super::world::sample().to_string().into_bytes();
    let got = world.send(Method::POST, &super::world::notices(), &headers, notice).await;
    assert_eq!(got.body["statusCode"], "0", "{}", got.text);
}

#[tokio::test]
async fn cancel_call_is_idempotent_and_add_call_has_a_code_for_each_refusal() {
    let (world, talks) = open().await;
    let sid = clicked(&world, &json!({})).await;
    let one = format!("{}/{sid}", path());
    for action in ["cancelCall", "CANCELCALL"] {
        let got = post(&world, &one, &json!({ "action": action })).await;
        assert_eq!(told(&got)[..2], ["00000", "success"], "{}", got.text);
    }
    assert_eq!(*talks.cancelled.lock(), [sid.clone(), sid.clone()]);

    let third =
        json!({ "action": "addCall", "callee": "13800100003", "record": 0, "timeout": "0" });
    let got = post(&world, &one, &third).await;
    assert_eq!((told(&got)[0], got.body["callSid"].as_str()), ("00000", Some("CA3")));
    let added = talks.added.lock().clone();
    assert_eq!((added[0].callee.number.as_str(), added[0].timeout_s), ("+8613800100003", 120));
    assert_eq!(added[0].record, Record::Off);
    // RESOLUTIONS, record: 1 from the ringing of whoever is called, 2 and true from its answer.
    for (record, expected) in [
        (json!(1), Record::FromRinging),
        (json!("1"), Record::FromRinging),
        (json!(2), Record::FromAnswer),
        (json!(true), Record::FromAnswer),
    ] {
        let add = json!({ "action": "addCall", "callee": "13800100003", "record": record });
        post(&world, &one, &add).await;
        let added = talks.added.lock().last().map(|added| added.record);
        assert_eq!(added, Some(expected), "{record}");
    }
    let cases = [
        (NotAdded::Unknown, "22001", "not bridged"),
        (NotAdded::Refused(AddRefusal::NotBridged), "22001", "not bridged"),
        (NotAdded::Refused(AddRefusal::AlreadyThree), "22002", "already three"),
        (NotAdded::Refused(AddRefusal::Ended), "22003", "conversation ended"),
        (NotAdded::Busy(Busy::Limit("account".into())), "21001", "account at limit"),
    ];
    for (refusal, code, said) in cases {
        *talks.not_added.lock() = Some(refusal);
        let got = post(&world, &one, &third).await;
        assert_eq!(told(&got)[..2], [code, said], "{}", got.text);
    }
    let got = post(&world, &one, &json!({ "action": "addCall", "callee": "x" })).await;
    assert_eq!(told(&got)[..2], ["12005", "invalid callee"]);
}

#[tokio::test]
async fn failures_are_five_digits_in_ctcs_own_envelope_whatever_fails() {
    let (world, _) = open().await;
    let login = basic(ACCOUNT, TOKEN);
    let sid = clicked(&world, &json!({})).await;
    let there = format!("{}/{sid}", path());
    let nowhere = format!("{}/CV0", path());
    let other_app = format!("{}/{sid}", of(SEMANTIC_APPID));
    let cancel = json!({ "action": "cancelCall" });
    let cases = [
        (Method::PUT, path(), sample(), "11003"),
        (Method::DELETE, there.clone(), cancel.clone(), "11003"),
        (Method::POST, format!("/v1{}/x/y/z", path()), cancel.clone(), "11004"),
        (
            Method::GET,
            format!("/Accounts/{ACCOUNT}/Applications/{APPID}/ctc"),
            Value::Null,
            "11004",
        ),
        (Method::POST, nowhere.clone(), cancel.clone(), "11005"),
        (Method::GET, nowhere, Value::Null, "11005"),
        (Method::POST, there.clone(), sample(), "12002"),
        (Method::POST, path(), cancel.clone(), "12002"),
        (Method::POST, path(), json!({ "caller": "1" }), "12001"),
        (Method::POST, path(), json!([]), "11001"),
        (Method::POST, of("nope"), sample(), "12004"),
        (Method::GET, of("nope"), Value::Null, "12004"),
        (Method::GET, format!("{}?limit=0", path()), Value::Null, "12002"),
        (Method::GET, format!("{}?cursor=x", path()), Value::Null, "12002"),
        (Method::GET, format!("{}?startTime=2026", path()), Value::Null, "12002"),
        (Method::GET, format!("{}/%00", path()), Value::Null, "12002"),
    ];
    for (method, path, body, code) in cases {
        let got = world.ask(method.clone(), &path, &login, body.clone()).await;
        assert_eq!(
            (got.status, told(&got)[0]),
            (StatusCode::OK, code),
            "{method} {path}: {}",
            got.text
        );
        assert!(got.body.get("conversationSid").is_none(), "{}", got.text);
    }
    // An application's conversation is not its sister's, and hers has semantic statuses.
    let got = world.ask(Method::POST, &other_app, &login, cancel).await;
    assert_eq!((got.status, told(&got)[0]), (StatusCode::NOT_FOUND, "11005"), "{}", got.text);
}

#[tokio::test]
async fn no_wrong_and_foreign_credentials_are_refused() {
    let (world, talks) = open().await;
    let sid = clicked(&world, &json!({})).await;
    let (_, reader) = world.key(&["calls:read"]).await;
    let (_, dialler) = world.key(&["calls:dial"]).await;
    let there = format!("{}/{sid}", path());
    let suspended = format!("/Accounts/{SUSPENDED}/Applications/x/ctc/Conversations");
    let foreign = format!("/Accounts/{OTHER}/Applications/33/ctc/Conversations/{sid}");
    let cancel = json!({ "action": "cancelCall" });
    let cases = [
        (Method::POST, path(), String::new(), sample(), "10001"),
        (Method::POST, path(), basic(ACCOUNT, "wrong"), sample(), "10001"),
        (Method::POST, path(), basic(OTHER, OTHER_TOKEN), sample(), "10002"),
        (Method::POST, suspended, basic(SUSPENDED, SUSPENDED_TOKEN), sample(), "10003"),
        (Method::POST, path(), basic(ACCOUNT, &reader), sample(), "10004"),
        (Method::POST, there.clone(), basic(ACCOUNT, &reader), cancel.clone(), "10004"),
        (Method::GET, there.clone(), basic(ACCOUNT, &dialler), Value::Null, "10004"),
        (Method::GET, path(), basic(ACCOUNT, &dialler), Value::Null, "10004"),
        (Method::GET, format!("{there}/events"), basic(ACCOUNT, &dialler), Value::Null, "10004"),
        (Method::POST, foreign.clone(), basic(OTHER, OTHER_TOKEN), cancel, "11005"),
        (Method::GET, foreign, basic(OTHER, OTHER_TOKEN), Value::Null, "11005"),
        (Method::POST, path(), basic(ACCOUNT, &dialler), sample(), "00000"),
        (Method::GET, there, basic(ACCOUNT, &reader), Value::Null, "00000"),
    ];
    for (method, path, login, body, code) in cases {
        let got = world.ask(method.clone(), &path, &login, body).await;
        assert_eq!(told(&got)[0], code, "{method} {path}: {}", got.text);
    }
    assert!(talks.cancelled.lock().is_empty());
}

#[tokio::test]
async fn conversations_are_read_while_they_wait_and_while_they_run() {
    let (world, talks) = open().await;
    let sid = clicked(&world, &json!({ "userData": "order 9" })).await;
    let there = format!("{}/{sid}", path());
    let got = world.read(&there).await;
    let record = &got.body["conversation"];
    assert_eq!((&record["state"], &record["userData"]), (&json!("waiting"), &json!("order 9")));
    assert_eq!(record["calls"][0]["to"], "13800100001");
    assert_eq!(record["calls"][0]["callStatus"], "");

    connected(&world, &talks, &sid).await;
    let got = world.read(&there).await;
    let record = &got.body["conversation"];
    assert_eq!(got.body["conversationSid"].as_str(), Some(sid.as_str()));
    assert_eq!(record["state"], "connected");
    let leg = &record["calls"][1];
    assert_eq!(
        (&leg["callSeq"], &leg["from"], &leg["to"], &leg["callStatus"]),
        (&json!("1"), &json!("01080001001"), &json!("13800100002"), &json!("answered"))
    );
    assert_eq!(leg["answerTime"].as_str().unwrap().len(), 14);
    let events: Vec<_> =
        record["timeline"].as_array().unwrap().iter().map(|event| &event["event"]).collect();
    assert_eq!(events, ["accepted", "answered", "connected"]);

    let second = clicked(&world, &json!({ "callee": "13800100009" })).await;
    let first_page = world.read(&format!("{}?limit=1", path())).await;
    let rows = first_page.body["conversations"].as_array().unwrap();
    assert_eq!((rows.len(), rows[0]["conversationSid"].as_str()), (1, Some(second.as_str())));
    assert_eq!((&rows[0]["state"], &rows[0]["callee"]), (&json!("waiting"), &json!("13800100009")));
    let cursor = first_page.body["nextCursor"].as_str().unwrap();
    let next = world.read(&format!("{}?limit=1&cursor={cursor}", path())).await;
    assert_eq!(next.body["conversations"][0]["conversationSid"].as_str(), Some(sid.as_str()));
    assert_eq!(next.body["conversations"][0]["state"], "connected");
    assert!(next.body.get("nextCursor").is_none(), "{}", next.text);
}

/// Another node has claimed it: until it dials, cancelCall gets through by the row; then that node
/// finds that it is to end it. Lists say of it what a read says.
#[tokio::test]
async fn a_conversation_of_another_node_is_shown_and_cancelled_by_its_row() {
    let (world, talks) = open().await;
    let account = AccountId::new(ACCOUNT);
    let node = "10001".parse::<NodeNumber>().unwrap();
    let sids = [clicked(&world, &json!({})).await, clicked(&world, &json!({})).await];
    let now = world.app.clock().now();
    let claim = Claim {
        node,
        now,
        lease_until: now.plus_ms(60_000),
        limits: [2; 4],
        expired_limit: 0,
        skip: Vec::new(),
    };
    let writer = world.app.store().writer();
    let claimed =
        writer.write(Lane::Live, move |tx| Box::pin(async move { claim_due(tx, &claim).await }));
    let claimed = claimed.await.unwrap().due;
    let row = |sid: &str| {
        claimed.iter().find(|row| row.queued.conversation_id.as_str() == sid).unwrap().id
    };
    let invite = |id: i64| {
        let account = account.clone();
        writer.write(Lane::Live, move |tx| {
            Box::pin(async move {
                let invite = Invite {
                    node,
                    trunk: "carrier-a".to_owned(),
                    try_no: 1,
                    from_number: "+861080001001".to_owned(),
                    rule: None,
                    at: now,
                };
                attempts::mark_invited(tx, &account, id, &invite).await
            })
        })
    };
    invite(row(&sids[1])).await.unwrap();
    let list = world.read(&path()).await;
    let states: Vec<_> = list.body["conversations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["conversationSid"].as_str().unwrap(), row["state"].as_str().unwrap()))
        .collect();
    assert!(states.contains(&(&sids[0], "waiting")), "{states:?}");
    assert!(states.contains(&(&sids[1], "under_way")), "{states:?}");
    let cancel = json!({ "action": "cancelCall" });
    let got = post(&world, &format!("{}/{}", path(), sids[0]), &cancel).await;
    assert_eq!(told(&got)[0], "00000", "{}", got.text);
    let dialled = invite(row(&sids[0])).await;
    assert!(matches!(dialled, Err(StoreError::Conflict(_))), "nobody is dialled: {dialled:?}");
    let reader = world.app.store().reader();
    assert_eq!(attempts::platform_side::to_end(reader, node).await.unwrap(), []);
    for time in ["at first", "once more"] {
        let got = post(&world, &format!("{}/{}", path(), sids[1]), &cancel).await;
        assert_eq!(told(&got)[0], "00000", "{time}: {}", got.text);
        let marked = attempts::platform_side::to_end(reader, node).await.unwrap();
        assert_eq!(marked, [(account.clone(), ConversationId::new(&*sids[1]))], "{time}");
    }
    // Until it looks, it may go on with the next trunk.
    invite(row(&sids[1])).await.unwrap();
    assert_eq!(talks.cancelled.lock()[..1], sids[..1]);
}

#[tokio::test]
async fn a_prompt_of_a_click_that_waits_is_not_deleted() {
    let (world, _) = open().await;
    let login = basic(ACCOUNT, TOKEN);
    let named = |name: &str| format!("/api/v1/applications/{APPID}/media/{name}");
    for name in ["greet.wav", "unused.wav"] {
        assert!(world.upload(&named(name), &login).await.status.is_success());
    }
    clicked(&world, &json!({ "greetVoice": "greet.wav" })).await;
    for (name, status) in
        [("greet.wav", StatusCode::CONFLICT), ("unused.wav", StatusCode::NO_CONTENT)]
    {
        let got = world.ask(Method::DELETE, &named(name), &login, Value::Null).await;
        assert_eq!(got.status, status, "{name}: {}", got.text);
    }
}
