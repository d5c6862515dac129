//! Bodies and queries of somebody who means harm: never a 5xx, never an answer that is not of the
//! interface, never one that says anything of the inside.

use poem::http::{Method, StatusCode, Uri};
use serde_json::{Value, json};
use yunling_fuzz::{Limits, Target};

use super::ctc;
use super::world::{ACCOUNT, Got, TOKEN, World, basic, notices, sample, with};

const API_KEYS: &str = "/api/v1/api-keys";

async fn post(world: &World, path: &str, body: &[u8]) -> Got {
    let authorization = basic(ACCOUNT, TOKEN);
    let headers =
        [("authorization", authorization.as_bytes()), ("content-type", &b"application/json"[..])];
    world.send(Method::POST, path, &headers, body.to_vec()).await
}

fn nested(open: &str, close: &str, levels: usize) -> String {
    open.repeat(levels) + &close.repeat(levels)
}

#[tokio::test]
async fn bodies_that_break_parsers_are_refused_for_what_they_are() {
    let world = World::open().await;
    let digits = "9".repeat(5_000);
    let deep = [127, 129, 30_000].map(|levels| nested("[", "]", levels));
    let objects = nested("{\"a\":", "}", 129).replace("\"a\":}", "\"a\":1}");
    let whole: [(&str, String); 7] = [
        ("129 lists", deep[1].clone()),
        ("30,000 lists", deep[2].clone()),
        ("129 objects", objects),
        ("a number beyond all", format!("{{\"to\": {digits}e{digits}}}")),
        ("half a surrogate", "{\"to\": \"\\ud800\"}".to_owned()),
        ("a raw NUL", "{\"to\": \"\0\"}".to_owned()),
        ("not a number", "{\"to\": NaN}".to_owned()),
    ];
    for (name, body) in whole {
        let got = post(&world, &notices(), body.as_bytes()).await;
        assert_eq!((got.status, got.envelope()[0]), (StatusCode::OK, "-2"), "{name}: {}", got.text);
        assert!(got.envelope()[3].contains("line 1 column"), "{name}: {}", got.text);
        let got = post(&world, API_KEYS, body.as_bytes()).await;
        assert_eq!(got.status, StatusCode::BAD_REQUEST, "{name}: {}", got.text);
        assert!(got.text.len() < 1_024, "{name}: {}", got.text);
    }
    let list: Value = serde_json::from_str(&nested("[", "]", 100)).unwrap();
    let long = "x".repeat(60_000);
    let fields = [
        (json!({ "to": list }), "-4"),
        (json!({ "contents": list }), "-4"),
        (json!({ "contents": [{ "type": "digits", "content": list }] }), "-4"),
        (json!({ "contents": nested("[", "]", 30_000) }), "-4"),
        (json!({ "to": "1\u{0}3800100001" }), "-4"),
        (json!({ "to": "13800100001\r\nX: y" }), "-4"),
        (json!({ "from": "\u{202e}01080001001" }), "-4"),
        (json!({ "appid": long }), "-3"),
        (json!({ "to": long }), "-4"),
        (json!({ "contents": [{ "type": "voice", "content": long }] }), "-4"),
        (json!({ "contents": [{ "type": "money", "content": 1e308 }] }), "-4"),
        (json!({ "contents": [{ "type": "digits", "content": "\u{1f600}" }] }), "-4"),
        (json!({ "times": 1e308 }), "-4"),
        (json!({ "times": u64::MAX }), "-4"),
        (json!({ "times": -1 }), "-4"),
        (json!({ "cdrUrl": format!("http://{}/", "a.".repeat(5_000)) }), "-4"),
    ];
    for (changes, status_code) in fields {
        let got = world.notice(&with(&changes)).await;
        let shown: String = changes.to_string().chars().take(60).collect();
        assert_eq!(got.envelope()[0], status_code, "{shown}: {}", got.text);
        assert!(got.text.len() < 2_048, "{shown}: its own text is not given back at length");
    }
    assert_eq!(world.waiting().await, 0, "nothing of it was accepted");
}

/// The last of two equal names counts, as in every JSON library that customers use.
#[tokio::test]
async fn a_name_that_stands_there_twice_counts_as_its_last() {
    let world = World::open().await;
    let mut body = sample().to_string();
    body.insert_str(1, "\"to\": \"110\", \"to\": \"\", ");
    let got = post(&world, &notices(), body.as_bytes()).await;
    assert_eq!(got.envelope()[0], "0", "{}", got.text);
}

/// What a mutated request is sent to: the first byte of an input.
const NOTICE: u8 = b'N';
const KEY: u8 = b'K';
const QUERY: u8 = b'Q';
const CLICK: u8 = b'C';
const FORM: u8 = b'F';

fn seeds() -> Vec<Vec<u8>> {
    let of = |kind: u8, text: &str| [&[kind][..], text.as_bytes()].concat();
    vec![
        of(NOTICE, &sample().to_string()),
        of(NOTICE, &with(&json!({ "times": 3, "userdata": "\u{4e91}", "lang": "en" })).to_string()),
        of(KEY, &json!({ "label": "x", "scopes": ["calls:read"] }).to_string()),
        of(CLICK, &ctc::with(&json!({ "record": true, "maxDuration": 61 })).to_string()),
        of(FORM, "action=click2call&caller=%2B8613800100001&callee=1&record=2&userData=%E4%BA%91"),
        of(QUERY, "calls?limit=10&state=ended&from=2026-01-01T00:00:00Z"),
        of(QUERY, "deliveries?cursor=abc&limit=1"),
        of(QUERY, "calls/CA10000202601011200000000000000001"),
    ]
}

#[test]
fn any_request_is_answered_in_the_interfaces_own_words() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let world = runtime.block_on(World::open());
    let authorization = basic(ACCOUNT, TOKEN);
    let target = Target {
        name: "http_bodies",
        run_by: "test -p yunling --lib api::tests::hostile",
        seeds: seeds(),
        words: &[
            "\\u0000",
            "\\ud800",
            "1e400",
            "-0",
            "null",
            "true",
            "{",
            "}",
            "[",
            "]",
            "\":",
            "[[",
            "%00",
            "%ff",
            "&limit=",
            "cursor=",
            "=",
            "contents",
            "digits",
            "money",
            "date",
            "action=",
            "cancelCall",
            "addCall",
            "%2B",
            "%E4",
            "\u{202e}",
        ],
        longest: 8_192,
        limits: Limits { cpu_ms: 2_000, fixed_bytes: 16 << 20, bytes_per_byte: 1_024 },
    };
    target.run(|input| {
        let Some((kind, rest)) = input.split_first() else { return (0, String::new()) };
        let got = match *kind {
            KEY => runtime.block_on(post(&world, API_KEYS, rest)),
            QUERY => {
                let path = format!("/api/v1/{}", String::from_utf8_lossy(rest));
                if path.parse::<Uri>().is_err() {
                    return (0, String::new());
                }
                let read = world.ask(Method::GET, &path, &authorization, Value::Null);
                runtime.block_on(read)
            }
            CLICK => runtime.block_on(post(&world, &ctc::path(), rest)),
            FORM => {
                let headers = [
                    ("authorization", authorization.as_bytes()),
                    ("content-type", &b"application/x-www-form-urlencoded"[..]),
                ];
                let path = ctc::path();
                runtime.block_on(world.send(Method::POST, &path, &headers, rest.to_vec()))
            }
            _ => runtime.block_on(post(&world, &notices(), rest)),
        };
        assert!(!got.status.is_server_error(), "{}: {}", got.status, got.text);
        assert!(got.body.is_object() || got.status.is_success(), "{}: {}", got.status, got.text);
        assert!(got.text.len() < 64 * 1024, "{} bytes", got.text.len());
        for inside in ["panicked", "sqlx", "SqliteError", ".rs:"] {
            assert!(!got.text.contains(inside), "{}", got.text);
        }
        let code = match got.body.get("errorCode").or_else(|| got.body.get("code")) {
            Some(Value::String(code)) => code.clone(),
            _ => String::new(),
        };
        (got.status.as_u16(), code)
    });
}
