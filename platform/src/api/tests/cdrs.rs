//! Call detail records and their exports over HTTP.

use poem::http::{Method, StatusCode};
use serde_json::{Value, json};
use yunling_app::exports::{Pace, write_due};

use super::ctc::{clicked, finished, open};
use super::world::{ACCOUNT, Got, TOKEN, World, basic};

async fn ask(world: &World, method: Method, path: &str, body: Value) -> Got {
    world.ask(method, path, &basic(ACCOUNT, TOKEN), body).await
}

fn listed(got: &Got) -> Vec<String> {
    let records = got.body["cdrs"].as_array().unwrap_or_else(|| panic!("{}", got.text));
    records.iter().map(|one| one["conversationSid"].as_str().unwrap().to_owned()).collect()
}

/// A notice, a click and a notice that are over: their conversations, newest first.
async fn three(world: &World) -> [String; 3] {
    let first = world.finished_notice().await.queued.conversation_id.to_string();
    let click = clicked(world, &json!({ "userData": "order 7" })).await;
    finished(world, &click).await;
    let last = world.finished_notice().await.queued.conversation_id.to_string();
    [last, click, first]
}

#[tokio::test]
async fn records_are_searched_by_every_condition() {
    let (world, _talks) = open().await;
    let [last, click, first] = three(&world).await;
    let notices = vec![last.clone(), first.clone()];
    let everything = vec![last.clone(), click.clone(), first.clone()];
    let only_click = vec![click.clone()];
    let cases: [(&str, &[String]); 18] = [
        ("", &everything),
        ("callType=click", &only_click),
        ("callType=notice", &notices),
        ("to=13800100001", &everything),
        ("to=%2B8613800100002", &only_click),
        ("from=01080001001", &everything),
        ("from=01080001002", &[]),
        ("result=0", &everything),
        ("result=1", &[]),
        ("byeType=4", &only_click),
        ("byeType=3", &[]),
        ("cause=completed", &everything),
        ("cause=time-out", &[]),
        ("trunk=carrier-a", &everything),
        ("application=22222222222222222222222222222222", &[]),
        ("since=2000-01-01T00:00:00Z", &everything),
        ("until=2000-01-01T00:00:00Z", &[]),
        ("pageNo=2&pageSize=2", &everything[2..]),
    ];
    for (query, expected) in cases {
        let got = world.read(&format!("/api/v1/cdrs?{query}")).await;
        assert_eq!(listed(&got), expected, "{query}: {}", got.text);
    }
    let page = world.read("/api/v1/cdrs?limit=2").await;
    assert_eq!(listed(&page), everything[..2]);
    let cursor = page.body["nextCursor"].as_str().unwrap();
    let rest = world.read(&format!("/api/v1/cdrs?limit=2&cursor={cursor}")).await;
    assert_eq!(listed(&rest), everything[2..]);
    assert_eq!(rest.body.get("nextCursor"), None);
    for (query, field) in [
        ("result=2", "result"),
        ("byeType=9", "byeType"),
        ("to=x", "to"),
        ("since=now", "since"),
        ("limit=0", "limit"),
        ("pageNo=0", "pageNo"),
        ("pageNo=1000&pageSize=500", "pageNo"),
        ("cursor=!", "cursor"),
    ] {
        let got = world.read(&format!("/api/v1/cdrs?{query}")).await;
        assert_eq!((got.status, &got.body["field"]), (StatusCode::BAD_REQUEST, &json!(field)));
    }

    let record = world.read(&format!("/api/v1/cdrs/{click}")).await.body;
    assert_eq!(
        [&record["byeType"], &record["userData"], &record["callType"], &record["endedBy"]],
        ["4", "order 7", "click", "callee"]
    );
    assert_eq!(record["cdrs"][0]["to"], "13800100002");
    let by_call = record["cdrs"][1]["callSid"].as_str().unwrap();
    assert_eq!(world.read(&format!("/api/v1/cdrs/{by_call}")).await.body, record);
    let sent = world.read("/api/v1/callback-deliveries").await.body;
    let told = sent["deliveries"].as_array().unwrap().iter().find(|one| one["kind"] == "click.cdr");
    let told: Value = serde_json::from_str(told.unwrap()["body"].as_str().unwrap()).unwrap();
    for (name, value) in told.as_object().unwrap() {
        assert_eq!(record[name], *value, "as it was pushed: {name}");
    }
    let got = world.read("/api/v1/cdrs/CV0").await;
    assert_eq!(got.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_export_is_ordered_followed_and_downloaded() {
    let (world, _talks) = open().await;
    three(&world).await;
    let order = json!({ "format": "csv", "conditions": { "callType": "click" } });
    let got = ask(&world, Method::POST, "/api/v1/cdr-exports", order).await;
    assert_eq!(got.status, StatusCode::ACCEPTED, "{}", got.text);
    assert_eq!([&got.body["state"], &got.body["format"]], ["waiting", "csv"]);
    let there = format!("/api/v1/cdr-exports/{}", got.body["id"].as_str().unwrap());
    let early = world.read(&format!("{there}/file")).await;
    assert_eq!(
        (early.status, &early.body["code"]),
        (StatusCode::CONFLICT, &json!("export_not_ready"))
    );
    write_due(&world.app, &Pace::default()).await.unwrap();
    let got = world.read(&there).await;
    assert_eq!([&got.body["state"], &got.body["records"]], [&json!("ready"), &json!(1)]);
    assert_eq!(got.body["conditions"], json!({ "callType": "click" }));

    let file = world.read(&format!("{there}/file")).await;
    assert_eq!(file.status, StatusCode::OK);
    assert!(file.header("content-type").unwrap().starts_with("text/csv"));
    assert!(file.header("content-disposition").unwrap().starts_with("attachment; filename=\"EX"));
    assert_eq!(file.text.lines().count(), 3, "a head and two legs: {}", file.text);
    assert_eq!(got.body["octets"], file.text.len());

    let link = got.body["url"].as_str().unwrap();
    let link = link.strip_prefix("http://127.0.0.1:8080").unwrap();
    let by_link = world.send(Method::GET, link, &[], Vec::new()).await;
    assert_eq!((by_link.status, by_link.text), (StatusCode::OK, file.text.clone()));
    let part = world.send(Method::GET, link, &[("range", b"bytes=0-14")], Vec::new()).await;
    assert_eq!((part.status, &*part.text), (StatusCode::PARTIAL_CONTENT, "conversationSid"));
    let head = world.send(Method::HEAD, link, &[], Vec::new()).await;
    assert_eq!((head.status, &*head.text), (StatusCode::OK, ""));
    for (link, status) in [
        (format!("{link}x"), StatusCode::FORBIDDEN),
        (link.replace("EX", "EY"), StatusCode::FORBIDDEN),
        ("/export/EX1.csv".to_owned(), StatusCode::FORBIDDEN),
    ] {
        let got = world.send(Method::GET, &link, &[], Vec::new()).await;
        assert_eq!(got.status, status, "{link}: {}", got.text);
    }

    let cancelled = ask(&world, Method::POST, &format!("{there}/cancel"), Value::Null).await;
    assert_eq!(cancelled.body["state"], "cancelled");
    assert_eq!(world.read(&format!("{there}/file")).await.status, StatusCode::GONE);
    for (order, field) in [
        (json!({}), "format"),
        (json!({ "format": "csv", "conditions": { "result": 7 } }), "result"),
    ] {
        let got = ask(&world, Method::POST, "/api/v1/cdr-exports", order).await;
        assert_eq!((got.status, &got.body["field"]), (StatusCode::BAD_REQUEST, &json!(field)));
    }
    // A condition that is misspelt must not export everything.
    let exports = "/api/v1/cdr-exports";
    for (path, order) in [
        (exports, json!({ "format": "csv", "conditions": { "too": "13800100001" } })),
        (exports, json!({ "format": "csv", "condition": { "to": "13800100001" } })),
        ("/api/v1/cdrs/push", json!({ "since": "2000-01-01T00:00:00Z", "til": "2001-01-01" })),
    ] {
        let got = ask(&world, Method::POST, path, order).await;
        assert_eq!(got.status, StatusCode::BAD_REQUEST, "{}", got.text);
    }
}

#[tokio::test]
async fn records_are_pushed_again() {
    let (world, _talks) = open().await;
    let [last, click, _] = three(&world).await;
    let push = |path: String, body| {
        let world = &world;
        async move { ask(world, Method::POST, &path, body).await }
    };
    let got = push(format!("/api/v1/cdrs/{click}/push"), Value::Null).await;
    assert_eq!(got.body["callbacks"], json!([format!("msg_{click}")]), "{}", got.text);
    let got = push("/api/v1/cdrs/push".to_owned(), json!({ "ids": [last, click] })).await;
    assert_eq!(got.body["callbacks"].as_array().unwrap().len(), 1, "{}", got.text);
    let id = got.body["callbacks"][0].as_str().unwrap();
    let sent = world.read(&format!("/api/v1/callback-deliveries/{id}")).await.body;
    assert_eq!([&sent["kind"], &sent["url"]], ["cdr.batch", "http://127.0.0.1:9000/ctc-cdr"]);
    let body: Value = serde_json::from_str(sent["body"].as_str().unwrap()).unwrap();
    assert_eq!(body["cdrs"].as_array().unwrap().len(), 2);
    assert_eq!(body["cdrs"][1], world.read(&format!("/api/v1/cdrs/{click}")).await.body);

    let range = json!({ "since": "2000-01-01T00:00:00Z" });
    let got = push("/api/v1/cdrs/push".to_owned(), range).await;
    assert_eq!(got.body["export"]["format"], "push", "{}", got.text);
    write_due(&world.app, &Pace::default()).await.unwrap();
    let there = format!("/api/v1/cdr-exports/{}", got.body["export"]["id"].as_str().unwrap());
    let got = world.read(&there).await.body;
    assert_eq!([&got["state"], &got["records"]], [&json!("ready"), &json!(3)]);
    assert_eq!(got.get("url"), None, "it has no file");
    let got = push("/api/v1/cdrs/push".to_owned(), json!({})).await;
    assert_eq!((got.status, &got.body["field"]), (StatusCode::BAD_REQUEST, &json!("ids")));
}

#[tokio::test]
async fn schedules_are_made_listed_and_deleted() {
    let world = World::open().await;
    let path = "/api/v1/cdr-export-schedules";
    let wanted = json!({ "cron": "0 2 * * *", "format": "xlsx", "conditions": { "result": 0 } });
    let got = ask(&world, Method::POST, path, wanted).await;
    assert_eq!(got.status, StatusCode::CREATED, "{}", got.text);
    assert_eq!([&got.body["zone"], &got.body["cron"]], ["Asia/Shanghai", "0 2 * * *"]);
    assert_eq!(world.read(path).await.body["schedules"], json!([got.body]));
    for (wanted, field) in [
        (json!({ "format": "csv" }), "cron"),
        (json!({ "cron": "daily", "format": "csv" }), "cron"),
        (json!({ "cron": "0 2 * * *" }), "format"),
        (json!({ "cron": "0 2 * * *", "format": "csv", "zone": "Nowhere" }), "zone"),
    ] {
        let got = ask(&world, Method::POST, path, wanted).await;
        assert_eq!((got.status, &got.body["field"]), (StatusCode::BAD_REQUEST, &json!(field)));
    }
    let there = format!("{path}/{}", got.body["id"].as_str().unwrap());
    assert_eq!(
        ask(&world, Method::DELETE, &there, Value::Null).await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        ask(&world, Method::DELETE, &there, Value::Null).await.status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(world.read(path).await.body["schedules"], json!([]));
}
