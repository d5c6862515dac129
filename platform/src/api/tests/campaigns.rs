//! Campaigns and the do-not-call list as their tenants meet them.

use poem::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::world::{ACCOUNT, APPID, Got, TOKEN, World, basic};

const CAMPAIGNS: &str = "/api/v1/campaigns";

fn definition(changes: &Value) -> Value {
    let mut body = json!({
        "name": "spring", "appid": APPID, "finishkey": "1",
        "contents": [
            { "type": "voice", "content": "prompt1.wav" },
            { "type": "money", "content": "{amount}" },
        ],
    });
    body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    body
}

async fn post(world: &World, path: &str, body: Value) -> Got {
    world.ask(Method::POST, path, &basic(ACCOUNT, TOKEN), body).await
}

async fn upload(world: &World, method: Method, path: &str, file: &str) -> Got {
    let authorization = basic(ACCOUNT, TOKEN);
    let headers = [("authorization", authorization.as_bytes())];
    world.send(method, path, &headers, file.as_bytes().to_vec()).await
}

/// Makes a draft without numbers. Gives its id.
pub(super) async fn made(world: &World) -> String {
    let got = post(world, CAMPAIGNS, definition(&json!({}))).await;
    assert_eq!(got.status, StatusCode::CREATED, "{}", got.text);
    got.body["progress"]["campaignId"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_campaign_is_made_given_its_list_tried_and_started() {
    let world = World::open().await;
    let rules = json!({
        "windows": [{ "days": ["mon", "Sunday"], "from": "09:00", "to": "12:00" }],
        "holidays": ["2026-10-01"], "startsAt": "2026-11-25T08:00:00+08:00",
        "zones": [{ "prefix": "0991", "zone": "Asia/Urumqi" }],
        "retries": [{ "on": "no_answer", "afterMin": [60, 120], "otherCallerId": true }],
        "caps": { "aDay": 2 },
        "callerIds": { "numbers": ["010-80001001"], "rotate": true,
                       "rest": { "belowPercent": 10, "overCalls": 50, "restMin": 120 } },
    });
    let got = post(&world, CAMPAIGNS, definition(&rules)).await;
    assert_eq!(got.status, StatusCode::CREATED, "{}", got.text);
    let shown = &got.body["definition"];
    for (field, value) in [
        ("windows", json!([{ "days": ["mon", "sun"], "from": "09:00", "to": "12:00" }])),
        ("holidays", json!(["2026-10-01"])),
        ("startsAt", json!("2026-11-25T00:00:00.000000Z")),
        ("zone", json!("Asia/Shanghai")),
        ("zones", json!([{ "prefix": "+86991", "zone": "Asia/Urumqi" }])),
        ("caps", json!({ "aDay": 2 })),
        ("times", json!(2)),
    ] {
        assert_eq!(shown[field], value, "{field}");
    }
    assert_eq!(shown["callerIds"]["numbers"], json!(["01080001001"]));
    let id = got.body["progress"]["campaignId"].as_str().unwrap();
    let path = |rest: &str| format!("{CAMPAIGNS}/{id}{rest}");

    let empty = post(&world, &path("/start"), Value::Null).await;
    assert_eq!((empty.status, &empty.body["code"]), (StatusCode::CONFLICT, &json!("conflict")));
    let list = "\u{feff}手机号,amount\r\n13800100001,12.50\r\n13800100002,much\r\n";
    let got = upload(&world, Method::PUT, &path("/numbers"), list).await;
    assert_eq!(got.body, json!({ "total": 1, "rejected": 1, "duplicates": 0 }), "{}", got.text);
    let rejected = world.read(&path("/rejected.csv")).await;
    assert_eq!(rejected.header("content-type"), Some("text/csv; charset=utf-8"));
    assert_eq!(
        rejected.header("content-disposition"),
        Some("attachment; filename=\"rejected.csv\"")
    );
    assert!(rejected.text.starts_with("\u{feff}line,reason,row\r\n3,"), "{}", rejected.text);

    let plan = world.read(&path("/plan")).await.body;
    assert_eq!(plan["waiting"], 1, "{plan}");
    let started = post(&world, &path("/start"), Value::Null).await;
    assert_eq!(started.body["progress"]["state"], "running", "{}", started.text);
    let numbers = world.read(&path("/numbers")).await.body;
    assert_eq!(numbers["numbers"][0]["number"], "13800100001", "{numbers}");
    assert_eq!(numbers["nextAfter"], Value::Null);
    let numbers = world.read(&path("/numbers.csv")).await.text;
    assert!(numbers.ends_with("\r\n13800100001,,waiting,,,0,\r\n"), "{numbers}");
    let report = world.read(&path("/report")).await.body;
    assert_eq!((&report["calls"]["all"], &report["answerRate"]), (&json!(0), &json!(0.0)));
    let report = world.read(&path("/report.csv")).await.text;
    assert!(report.ends_with("all,0,0,0,0\r\n"), "{report}");
    let listed = world.read(CAMPAIGNS).await.body;
    assert_eq!(listed["campaigns"][0]["campaignId"], id, "{listed}");
    for (verb, state) in [("pause", "paused"), ("resume", "running"), ("cancel", "cancelled")] {
        let got = post(&world, &path(&format!("/{verb}")), Value::Null).await;
        assert_eq!(got.body["progress"]["state"], state, "{}", got.text);
    }
    let late = post(&world, &path("/resume"), Value::Null).await;
    assert_eq!(late.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn what_is_wrong_is_told_by_field() {
    let world = World::open().await;
    let cases = [
        (json!({ "name": "" }), "name"),
        (json!({ "startsAt": "tomorrow" }), "startsAt"),
        (json!({ "endsAt": "tomorrow" }), "endsAt"),
        (json!({ "windows": [{ "from": "20:00", "to": "9:00" }] }), "windows[0].to"),
        (json!({ "windows": [{ "from": "09:00", "to": "23:00" }] }), "windows[0]"),
        (json!({ "contents": [{ "type": "money", "content": "{a" }] }), "contents[0].content"),
        (json!({ "caps": { "aDay": 0 } }), "caps.aDay"),
        (json!({ "cron": "* * *" }), "cron"),
    ];
    for (changes, field) in cases {
        let got = post(&world, CAMPAIGNS, definition(&changes)).await;
        assert_eq!(got.status, StatusCode::BAD_REQUEST, "{changes}: {}", got.text);
        assert_eq!(got.body["field"], field, "{changes}: {}", got.text);
    }
    let id = made(&world).await;
    let path = format!("{CAMPAIGNS}/{id}/numbers");
    let got = upload(&world, Method::PUT, &path, "number\n13800100001\n").await;
    assert_eq!(got.body["field"], "body", "{}", got.text);
    let long = "x".repeat(16 * 1024 * 1024 + 1);
    let got = upload(&world, Method::PUT, &path, &long).await;
    assert_eq!(got.status, StatusCode::PAYLOAD_TOO_LARGE, "{}", got.text);
    assert_eq!(world.read(&format!("{path}?limit=501")).await.body["field"], "limit");
}

#[tokio::test]
async fn the_do_not_call_list_is_kept() {
    let world = World::open().await;
    let path = "/api/v1/do-not-call";
    for (number, added) in [("138 0010 0001", true), ("+8613800100001", false)] {
        let got = post(&world, path, json!({ "number": number, "note": "by mail" })).await;
        assert_eq!(got.body, json!({ "added": added }), "{}", got.text);
    }
    let file = "number\n13800100002,by post\n13800100001\n";
    let got = upload(&world, Method::POST, &format!("{path}/upload"), file).await;
    let told = ["added", "known", "rejected"].map(|name| got.body[name].as_u64().unwrap());
    assert_eq!(told, [1, 1, 1], "{}", got.text);
    let listed = world.read(&format!("{path}?number=13800100002")).await.body;
    assert_eq!(listed["numbers"][0]["note"], "by post", "{listed}");
    let authorization = basic(ACCOUNT, TOKEN);
    let gone = format!("{path}/13800100001");
    for status in [StatusCode::NO_CONTENT, StatusCode::NOT_FOUND] {
        let got = world.ask(Method::DELETE, &gone, &authorization, Value::Null).await;
        assert_eq!(got.status, status, "{}", got.text);
    }
    assert_eq!(world.read(path).await.body["numbers"].as_array().unwrap().len(), 1);
}
