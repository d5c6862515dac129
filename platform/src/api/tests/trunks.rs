//! The trunks of the admin API.

use poem::http::{Method, StatusCode};
use serde_json::{Value, json};
use yunling_app::ports::Clock as _;
use yunling_domain::trunk_health::TrunkFact;

use super::world::{Got, World, sample};
use crate::clock::SystemClock;

async fn ask(world: &World, method: Method, path: &str) -> Got {
    let bearer = format!("Bearer {}", world.operator_token());
    world.ask(method, path, &bearer, Value::Null).await
}

#[tokio::test]
async fn a_trunk_is_shown_as_this_node_sees_it() {
    let world = World::open().await;
    let read = async || ask(&world, Method::GET, "/api/v1/trunks/carrier-a").await.body;
    let fresh = read().await;
    for (name, value) in [
        ("name", json!("carrier-a")),
        ("address", json!("127.0.0.1:5070")),
        ("transport", json!("udp")),
        ("enabled", json!(true)),
        ("draining", json!(false)),
        ("state", json!("unknown")),
        ("probe", json!({ "everyS": 30, "silentTimes": 0 })),
        ("load", json!({ "calls": 0, "cps": 0 })),
        ("node", json!("10000")),
    ] {
        assert_eq!(fresh[name], value, "{name}");
    }
    assert!(fresh["since"].as_str().unwrap().ends_with('Z'));
    assert_eq!((fresh.get("why"), fresh.get("registration")), (None, None));

    let (trunks, now) = (world.app.trunks(), SystemClock.now());
    trunks.learn("carrier-a", TrunkFact::ProbeAnswered { round_trip_ms: 2.5 }, now);
    for how in ["503", "no_reply", "503"] {
        trunks.dialled("carrier-a", now);
        trunks.failed("carrier-a", how);
    }
    trunks.dialled("carrier-a", now);
    trunks.answered("carrier-a");
    let up = read().await;
    assert_eq!((&up["state"], &up["probe"]["roundTripMs"]), (&json!("up"), &json!(2.5)));
    assert_eq!(up["counts"]["failedByCode"], json!({ "503": 2, "no_reply": 1 }));
    assert_eq!((&up["counts"]["dialled"], &up["counts"]["asr"]), (&json!(4), &json!(0.25)));

    let silent = TrunkFact::ProbeSilent { sip_code: None, text: "no answer".to_owned(), times: 2 };
    trunks.learn("carrier-a", silent, SystemClock.now());
    let down = read().await;
    assert_eq!(
        [&down["state"], &down["why"], &down["detail"]],
        ["down", "options_silent", "no answer"]
    );
    let list = ask(&world, Method::GET, "/api/v1/trunks").await.body;
    assert_eq!(list["trunks"].as_array().unwrap().len(), 1);
    assert_eq!(list["trunks"][0]["why"], "options_silent");
}

#[tokio::test]
async fn a_drained_trunk_takes_no_calls_until_it_is_resumed() {
    let world = World::open().await;
    let post = async |what: &str| {
        ask(&world, Method::POST, &format!("/api/v1/trunks/carrier-a/{what}")).await
    };
    let first = post("drain").await;
    assert_eq!((first.status, &first.body["draining"]), (StatusCode::OK, &json!(true)));
    assert_eq!(first.body["drainedBy"], "operator token");
    assert_eq!(first.body["state"], "unknown", "that it lives is another matter");
    let again = post("drain").await;
    assert_eq!(again.body["drainingSince"], first.body["drainingSince"]);
    assert_eq!(world.notice(&sample()).await.envelope()[0], "-6");

    let resumed = post("resume").await;
    assert_eq!(resumed.body["draining"], false);
    assert_eq!(resumed.body.get("drainingSince"), None);
    assert_eq!(post("resume").await.status, StatusCode::OK);
    assert_eq!(world.notice(&sample()).await.envelope()[0], "0");

    for (method, path) in [
        (Method::GET, "/api/v1/trunks/nowhere"),
        (Method::POST, "/api/v1/trunks/nowhere/drain"),
        (Method::POST, "/api/v1/trunks/nowhere/resume"),
    ] {
        let got = ask(&world, method, path).await;
        assert_eq!(
            (got.status, &got.body["code"]),
            (StatusCode::NOT_FOUND, &json!("not_found")),
            "{path}"
        );
    }
}
