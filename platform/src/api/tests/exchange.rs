//! What every exchange has, whatever was asked.

use poem::http::{Method, StatusCode};
use serde_json::json;

use super::world::{World, notices, sample};

#[tokio::test]
async fn every_answer_names_its_exchange_and_is_not_sniffed() {
    let world = World::open().await;
    let mut seen = std::collections::BTreeSet::new();
    for path in ["/docs", "/openapi.json", "/nothing", "/api/v1/calls", &notices(), "/panics"] {
        let got = world.read(path).await;
        assert_eq!(got.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert!(seen.insert(got.header("x-request-id").unwrap().to_owned()), "{path}");
    }
}

#[tokio::test]
async fn a_panic_is_a_500_that_says_nothing_of_the_inside() {
    let world = World::open().await;
    let got = world.read("/panics").await;
    assert_eq!(got.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(got.body["requestId"].as_str(), got.header("x-request-id"));
    assert_eq!((got.body.get("detail"), got.body.get("field")), (None, None));
    assert!(!got.text.contains("panic"), "{}", got.text);
    assert_eq!(world.notice(&sample()).await.envelope()[0], "0", "the next one is answered");
}

#[tokio::test]
async fn a_panic_on_the_published_surface_is_answered_in_its_envelope() {
    let world = World::open().await;
    for path in ["/Accounts/panics/now", "/2013-12-26/Accounts/panics/now"] {
        let got = world.read(path).await;
        let [status_code, statusmsg, error_code, detail] = got.envelope();
        assert_eq!((got.status, status_code, statusmsg), (StatusCode::OK, "-5", "call failed"));
        assert_eq!(error_code.len(), 5, "{}", got.text);
        assert!(!detail.contains("panic") && got.body["requestid"].is_string(), "{}", got.text);
    }
}

#[tokio::test]
async fn what_nobody_serves_is_a_404_problem() {
    let world = World::open().await;
    for path in
        ["/nothing", "/accounts/x/VoiceNotices", "/Accounts", "/docs/nothing", "/api/v1", "/%ff"]
    {
        let got = world.ask(Method::POST, path, "", json!({})).await;
        assert_eq!(
            (got.status, &got.body["code"]),
            (StatusCode::NOT_FOUND, &json!("unknown_path")),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_database_that_is_gone_is_our_fault_and_told_without_our_inside() {
    let world = World::open().await;
    world.app.store().clone().close().await.unwrap();
    let got = world.notice(&sample()).await;
    assert_eq!((got.status, got.envelope()[0]), (StatusCode::OK, "-5"), "{}", got.text);
    let got = world.read("/api/v1/calls").await;
    assert!(got.status.is_server_error(), "{}", got.text);
    let fields: Vec<&String> = got.body.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["code", "errorCode", "requestId", "status", "title", "type"]);
    for inside in ["sql", "sqlite", "store", "pool"] {
        assert!(!got.text.to_lowercase().contains(inside), "{}", got.text);
    }
}
