//! Files of YAML and bodies of JSON, mutated: whatever they hold, they are read or refused with
//! bounded words, at a bounded cost.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use yunling_fuzz::{Limits, Target};

use crate::config::Settings;
use crate::documents;
use crate::submit_notice::NoticeRequest;

/// A tree of values takes many times the bytes of its text.
const LIMITS: Limits = Limits { cpu_ms: 2_000, fixed_bytes: 8 << 20, bytes_per_byte: 1_024 };

const YAML_WORDS: &[&str] = &[
    "set: ",
    "trunks:\n",
    "routes:\n",
    "accounts:\n",
    "  - ",
    "- {",
    "}",
    "[",
    "]",
    "&a ",
    "*a",
    "<<: *a",
    "!!binary ",
    "!tag ",
    "|\n",
    ">-\n",
    "\"",
    "'",
    "? ",
    "---\n",
    "...\n",
    "%YAML 1.1\n",
    "null",
    "~",
    "true",
    ".inf",
    "0x1F",
    "1_000",
    "2001-01-01",
    "{a: *a, b: *a}",
    "name: ",
    "uri: \"sip:",
    ";transport=tls\"",
    "max_calls: ",
    "number_format: ",
    "password: ",
    "sid: ",
    "token: ",
    "caller_ids: ",
    "applications: ",
    "media: ",
    "file: ",
    "users: ",
    "webhook_secret: \"whsec_",
    "token_env: X",
    "\u{4e91}",
    "\t",
    "\u{feff}",
    "node: ",
    "data_dir: ",
    "database: ",
    "http: ",
    "sip: ",
    "rtp: ",
    "ports: ",
    "listen: ",
    "calls: ",
];

const TENANT: &str = r#"
set: demo
trunks:
  - { name: carrier-a, uri: "sip:127.0.0.1:5070;transport=udp", max_calls: 500, max_cps: 50 }
  - { name: b, uri: "sip:b.example.com;transport=tls", username: u, password: p, number_format: {prefix: "9"} }
accounts:
  - sid: abcdefghijklmnopqrstuvwxyz012345
    token: "0123456789abcdef0123456789abcdef"
    name: &n Demo
    limits: { queue_max_len: 3 }
    caller_ids: [{ number: "01080001001", trunks: [carrier-a, b] }]
    applications:
      - { sid: "11111111111111111111111111111111", name: *n, notice_url: "http://127.0.0.1:9000/cdr" }
"#;

const NODE: &str = r#"
node: "10000"
data_dir: ./data
database: { url: "sqlite://./data/yunling.db" }
http: { listen: "127.0.0.1:8080", public_url: "http://127.0.0.1:8080" }
sip: { listen: ["udp:127.0.0.1:5060", "tcp:127.0.0.1:5060"] }
rtp: { address: "127.0.0.1", ports: "20000-29999" }
callbacks: { allow: ["127.0.0.0/8"] }
calls: { ring_ms: 60000, queue_max_wait: { notices_s: 30 } }
zone: Asia/Shanghai
"#;

/// References that grow with each level: 10^9 values of some hundred bytes of text.
fn bomb() -> String {
    let mut text = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
    for level in 1..9 {
        let before = format!("*a{}", level - 1);
        text += &format!("a{level}: &a{level} [{}]\n", [before.as_str(); 10].join(","));
    }
    text
}

#[test]
fn any_document_is_read_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let target = Target {
        name: "yaml_documents",
        run_by: "test -p yunling-app --lib fuzzing",
        seeds: vec![TENANT.into(), bomb().into(), "[".repeat(2_000).into()],
        words: YAML_WORDS,
        longest: 8_192,
        limits: LIMITS,
    };
    target.run(|input| {
        let text = String::from_utf8_lossy(input);
        match documents::read("tenant.yaml", &text, folder.path(), &|_| None) {
            Ok(document) => (true, document.resources.len()),
            Err(errors) => {
                let told = errors.to_string();
                assert!(told.contains("tenant.yaml"), "{told}");
                assert!(told.len() < 16_384 + text.len() * 64, "{} bytes of words", told.len());
                (false, told.lines().count())
            }
        }
    });
}

#[test]
fn any_settings_are_read_or_refused() {
    let target = Target {
        name: "yaml_settings",
        run_by: "test -p yunling-app --lib fuzzing",
        seeds: vec![NODE.into(), bomb().into()],
        words: YAML_WORDS,
        longest: 8_192,
        limits: LIMITS,
    };
    target.run(|input| {
        let text = String::from_utf8_lossy(input);
        match Settings::from_text("yunling.yaml", &text, Path::new("/srv/yunling")) {
            Ok(settings) => (true, settings.sip.listen.len(), String::new()),
            Err(error) => {
                let told = error.to_string();
                assert!(told.contains("yunling.yaml"), "{told}");
                assert!(told.len() < 4_096 + text.len() * 8, "{} bytes of words", told.len());
                (false, 0, told.chars().filter(char::is_ascii_alphabetic).take(24).collect())
            }
        }
    });
}

#[test]
fn any_body_is_an_object_or_refused() {
    let target = Target {
        name: "json_notice",
        run_by: "test -p yunling-app --lib fuzzing",
        seeds: vec![
            br#"{"appid":"1","from":"01080001001","to":"13800100001","contents":[{"type":"voice","content":"a.wav"},{"type":"digits","content":123,"lang":"en"}],"times":2,"finishkey":"1","userdata":"\u4e91"}"#.to_vec(),
            br#"{"contents":"[{\"type\":\"money\",\"content\":\"2.14\"}]"}"#.to_vec(),
            [b"[".repeat(5_000), b"{\"a\":".repeat(1_000)].concat(),
        ],
        words: &["\\u0000", "\\ud800", "1e400", "-0", "null", "true", "{\"", "\":", "[[", "]", ",", "\\\"", "contents"],
        longest: 65_536,
        limits: Limits { cpu_ms: 500, fixed_bytes: 1 << 20, bytes_per_byte: 256 },
    };
    target.run(|input| match NoticeRequest::from_body(input) {
        Ok(request) => (true, request.contents.is_some(), request.to.text().is_some()),
        Err(refusal) => {
            assert!(!refusal.detail.is_empty() && refusal.detail.len() < 512, "{refusal}");
            (false, false, false)
        }
    });
}
