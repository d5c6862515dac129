//! Everything that can be wrong with a request for a notice: exact codes, messages and places.

use poem::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::world::{
    ACCOUNT, APPID, OTHER, OTHER_TOKEN, SUSPENDED, SUSPENDED_TOKEN, TOKEN, World, basic, notices,
    sample, with,
};

/// Bodies that are no JSON object in UTF-8.
#[tokio::test]
async fn what_is_no_json_object_is_minus_2_and_the_detail_says_where() {
    let world = World::open().await;
    let large = format!("{{\"userdata\": \"{}\"}}", "x".repeat(64 * 1024));
    let cases: [(&[u8], [&str; 3], &str); 12] = [
        (b"", ["-2", "invalid json", "11001"], "line 1 column 0"),
        (b"{", ["-2", "invalid json", "11001"], "line 1 column 1"),
        (b"{\n \"to\": }", ["-2", "invalid json", "11001"], "line 2 column 8"),
        (b"{\"to\": \"1\" \"from\": 1}", ["-2", "invalid json", "11001"], "line 1 column 12"),
        (b"{} {}", ["-2", "invalid json", "11001"], "line 1 column 4"),
        (b"{'to': 1}", ["-2", "invalid json", "11001"], "line 1 column 2"),
        (b"appid=1&to=2", ["-2", "invalid json", "11001"], "line 1 column 1"),
        (b"[]", ["-2", "invalid json", "11001"], "expected a JSON object"),
        (b"null", ["-2", "invalid json", "11001"], "expected a JSON object"),
        (b"{\"to\": \"\xff\"}", ["-2", "invalid json", "11001"], "line 1 column 9"),
        (b"\xff\xfe{\x00}\x00", ["-2", "invalid json", "11001"], "line 1 column 1"),
        (large.as_bytes(), ["-2", "body too large", "11002"], "at most 65536 bytes"),
    ];
    for (body, [status_code, statusmsg, error_code], place) in cases {
        let authorization = basic(ACCOUNT, TOKEN);
        let headers = [("authorization", authorization.as_bytes())];
        let got = world.send(Method::POST, &notices(), &headers, body.to_vec()).await;
        let shown = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
        assert_eq!(got.status, StatusCode::OK, "{shown}");
        let [found_code, found_msg, found_error, detail] = got.envelope();
        assert_eq!(
            [found_code, found_msg, found_error],
            [status_code, statusmsg, error_code],
            "{shown}: {detail}"
        );
        assert!(detail.contains(place), "{shown}: {detail}");
        assert_minted(&got.body);
        assert_eq!(got.body.get("callid"), None);
    }
    assert_eq!(world.waiting().await, 0);
}

/// Fields, in the order of the document.
#[tokio::test]
async fn every_wrong_field_is_named_with_its_code() {
    let world = World::open().await;
    let too_many: Vec<Value> =
        (0..51).map(|_| json!({ "type": "digits", "content": "1" })).collect();
    let long = "x".repeat(4_097);
    let cases = [
        (json!({ "appid": "" }), "-3", "missing appid", "12003"),
        (json!({ "appid": null }), "-3", "missing appid", "12003"),
        (json!({ "appid": "nobody's" }), "-3", "invalid appid", "12004"),
        (json!({ "appid": "33" }), "-3", "invalid appid", "12004"),
        (json!({ "appid": [] }), "-3", "invalid appid", "12004"),
        (json!({ "to": "" }), "-4", "missing to", "12001"),
        (json!({ "to": null }), "-4", "missing to", "12001"),
        (json!({ "to": "1380010000" }), "-4", "invalid to", "12005"),
        (json!({ "to": "4008001234" }), "-4", "invalid to", "12005"),
        (json!({ "to": "01080001001转1" }), "-4", "invalid to", "12005"),
        (json!({ "to": {} }), "-4", "invalid to", "12002"),
        (json!({ "from": "nobody" }), "-4", "invalid from", "12005"),
        (json!({ "contents": null }), "-4", "missing contents", "12001"),
        (json!({ "contents": "" }), "-4", "missing contents", "12001"),
        (json!({ "contents": [] }), "-4", "invalid contents", "12002"),
        (json!({ "contents": too_many }), "-4", "invalid contents", "12002"),
        (json!({ "contents": [7] }), "-4", "invalid contents[0]", "12002"),
        (json!({ "contents": [{ "content": "1" }] }), "-4", "missing contents[0].type", "12001"),
        (
            json!({ "contents": [{ "type": "voice", "content": "" }] }),
            "-4",
            "missing contents[0].content",
            "12001",
        ),
        (
            json!({ "contents": [{ "type": "song", "content": "1" }] }),
            "-4",
            "invalid contents[0].type",
            "12002",
        ),
        (
            json!({ "contents": [{ "type": "voice", "content": "gone.wav" }] }),
            "-4",
            "invalid contents[0].content",
            "13001",
        ),
        (
            json!({ "contents": [{ "type": "time", "content": "2013-02-30" }] }),
            "-4",
            "invalid contents[0].content",
            "13003",
        ),
        (
            json!({ "contents": [{ "type": "money", "content": "2.145" }] }),
            "-4",
            "invalid contents[0].content",
            "13003",
        ),
        (
            json!({ "contents": [{ "type": "digits", "content": 1, "lang": "fr" }] }),
            "-4",
            "invalid contents[0].lang",
            "12002",
        ),
        (json!({ "times": 0 }), "-4", "invalid times", "12002"),
        (json!({ "times": "4" }), "-4", "invalid times", "12002"),
        (json!({ "times": true }), "-4", "invalid times", "12002"),
        (json!({ "finishkey": "12" }), "-4", "invalid finishkey", "12002"),
        (json!({ "repeatkey": "A" }), "-4", "invalid repeatkey", "12002"),
        (json!({ "finishvoice": "gone.wav" }), "-4", "invalid finishvoice", "13001"),
        (json!({ "userdata": long }), "-4", "invalid userdata", "12002"),
        (json!({ "lang": "fr" }), "-4", "invalid lang", "12002"),
        (json!({ "cdrUrl": "ftp://x" }), "-4", "invalid cdrUrl", "12002"),
        (json!({ "statusUrl": "x" }), "-4", "invalid statusUrl", "12002"),
        (json!({ "to": "110" }), "-5", "call failed", "20005"),
        (json!({ "to": "+85221234567" }), "-5", "call failed", "20004"),
        (json!({ "from": "01080009999" }), "-5", "call failed", "20001"),
    ];
    for (changes, status_code, statusmsg, error_code) in cases {
        let got = world.notice(&with(&changes)).await;
        let [found_code, found_msg, found_error, detail] = got.envelope();
        assert_eq!(
            [found_code, found_msg, found_error],
            [status_code, statusmsg, error_code],
            "{changes}: {detail}"
        );
        assert_eq!(got.status, StatusCode::OK, "{changes}");
        assert!(!detail.is_empty(), "{changes}");
        assert_minted(&got.body);
    }
    assert_eq!(world.waiting().await, 0, "what was refused waits for nothing");
}

/// -1 before -2 before -3 before -4 before -5: each request has every later fault too.
#[tokio::test]
async fn the_first_fault_in_the_order_of_the_codes_is_told() {
    let world = World::open().await;
    let cases = [
        (basic(ACCOUNT, "wrong"), "{", "-1"),
        (basic(ACCOUNT, TOKEN), "{", "-2"),
        (
            basic(ACCOUNT, TOKEN),
            "{\"appid\": \"no\", \"times\": 9, \"from\": \"01080009999\"}",
            "-3",
        ),
        (
            basic(ACCOUNT, TOKEN),
            &with(&json!({ "times": 9, "from": "01080009999" })).to_string(),
            "-4",
        ),
        (basic(ACCOUNT, TOKEN), &with(&json!({ "from": "01080009999" })).to_string(), "-5"),
        (basic(ACCOUNT, TOKEN), &sample().to_string(), "0"),
    ];
    for (authorization, body, status_code) in cases {
        let headers = [("authorization", authorization.as_bytes())];
        let got = world.send(Method::POST, &notices(), &headers, body.as_bytes().to_vec()).await;
        assert_eq!(got.envelope()[0], status_code, "{body}: {}", got.text);
    }
}

#[tokio::test]
async fn only_the_paths_account_with_its_own_token_gets_in() {
    let world = World::open().await;
    let path = |account: &str| format!("/Accounts/{account}/VoiceNotices");
    let cases = [
        (path(ACCOUNT), String::new(), "10001"),
        (path(ACCOUNT), "Basic".to_owned(), "10001"),
        (path(ACCOUNT), "Basic !!!".to_owned(), "10001"),
        (path(ACCOUNT), format!("Bearer {TOKEN}"), "10001"),
        (path(ACCOUNT), basic(ACCOUNT, ""), "10001"),
        (path(ACCOUNT), basic(ACCOUNT, OTHER_TOKEN), "10001"),
        (path(ACCOUNT), basic("nobody", TOKEN), "10001"),
        (path(OTHER), basic(ACCOUNT, TOKEN), "10002"),
        (path("nobody"), basic(ACCOUNT, TOKEN), "10002"),
        (path(SUSPENDED), basic(SUSPENDED, SUSPENDED_TOKEN), "10003"),
    ];
    for (path, authorization, error_code) in cases {
        let got = world.ask(Method::POST, &path, &authorization, sample()).await;
        assert_eq!(got.status, StatusCode::OK, "{authorization:?}");
        let [status_code, statusmsg, found, _] = got.envelope();
        assert_eq!(
            [status_code, statusmsg, found],
            ["-1", "authorization failed", error_code],
            "{authorization:?}"
        );
        assert_minted(&got.body);
    }
    // Not even UTF-8.
    let got = world
        .send(Method::POST, &notices(), &[("authorization", b"Basic \xff\xfe")], Vec::new())
        .await;
    assert_eq!(got.envelope()[0], "-1");
    // The misprints of the document's formulas are generously read.
    let spaced =
        basic(&format!(" {ACCOUNT} "), &format!(" {TOKEN} ")).replacen("Basic", "BASIC", 1);
    let got = world.ask(Method::POST, &notices(), &spaced, with(&json!({ "appid": APPID }))).await;
    assert_eq!(got.envelope()[0], "0", "{}", got.text);
}

fn assert_minted(body: &Value) {
    let requestid = body["requestid"].as_str().unwrap_or_default();
    assert!(requestid.len() == 34 && requestid.starts_with("RQ"), "{body}");
}
