#![expect(clippy::unwrap_used, reason = "tests")]
use super::*;
use serde_json::json;

fn read_in(folder: &Path, text: &str) -> Result<DocumentFile, FileErrors> {
    let env = |name: &str| (name == "TOKEN").then(|| "fedcba9876543210fedcba9876543210".to_owned());
    read("conf/tenant.yaml", text, folder, &env)
}

fn docs(file: &DocumentFile) -> Vec<serde_json::Value> {
    let shown = file.resources.iter().map(|resource| {
        let secrets: Vec<&str> = resource.secrets.iter().map(|(name, _)| name.as_str()).collect();
        json!([resource.kind, resource.account, resource.key, resource.doc, secrets])
    });
    shown.collect()
}

#[test]
fn the_contract_is_taken_apart_into_resources() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("prompt1.wav"), crate::fakes::tone_wav()).unwrap();
    let file = read_in(folder.path(), crate::fakes::TENANT).unwrap();
    assert_eq!(file.set, "tenant.yaml");
    insta::assert_json_snapshot!(docs(&file));
    let caller_id =
        file.resources.iter().find(|resource| resource.kind == ResourceKind::CallerId).unwrap();
    assert_eq!(caller_id.origin.to_string(), "conf/tenant.yaml:12:9 accounts[0].caller_ids[0]");
    let travelled = DocumentFile::from_wire(file.to_wire()).unwrap();
    assert_eq!(docs(&travelled), docs(&file));
    assert_eq!(travelled.resources.iter().filter(|resource| resource.blob.is_some()).count(), 2);
    let mut forged = file.to_wire();
    forged["resources"][0]["doc"]["uri"] = json!("nowhere");
    assert!(
        DocumentFile::from_wire(forged).unwrap_err().to_string().starts_with("trunk carrier-a: ")
    );
}

#[test]
fn secrets_come_from_beside_the_file_and_from_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("token"), "0123456789abcdef0123456789abcdef\n").unwrap();
    let text = "set: north\naccounts: [{ sid: a, token_file: token }, { sid: b, token_env: TOKEN }, { sid: c }]\n";
    let file = read_in(folder.path(), text).unwrap();
    assert_eq!(file.set, "north");
    let tokens: Vec<_> = file
        .resources
        .iter()
        .map(|resource| resource.secrets.first().map(|(_, secret)| secret.expose()))
        .collect();
    assert_eq!(
        tokens,
        [Some("0123456789abcdef0123456789abcdef"), Some("fedcba9876543210fedcba9876543210"), None]
    );
}

#[test]
fn what_is_wrong_is_told_with_place_field_and_expectation() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("empty"), "\n").unwrap();
    let texts = [
        "accounts:\n  - sid: a\n    caller_ids:\n      - number: \"0108000100\"\n",
        "accounts:\n  - sid: a\n    caller_ids:\n      - number: 110\n",
        "accounts:\n  - sid: a b\n",
        "accounts:\n  - name: nobody\n",
        "accounts:\n  - sid: a\n    tokn: x\n",
        "accounts:\n  - sid: a\n    token: short\n",
        "accounts:\n  - sid: a\n    token_file: nowhere\n",
        "accounts:\n  - sid: a\n    token_file: empty\n",
        "accounts:\n  - sid: a\n    token_env: NOWHERE\n",
        "accounts:\n  - sid: a\n    token: 0123456789abcdef\n    token_env: TOKEN\n",
        "accounts:\n  - sid: a\n    zone: Asia/Peking\n",
        "accounts:\n  - sid: a\n    status: gone\n",
        "accounts:\n  - sid: a\n    limits: { max_calls: 0 }\n",
        "accounts:\n  - sid: a\n    users: [{ email: nobody, role: admin }]\n",
        "accounts:\n  - sid: a\n    users: [{ email: a@b, role: king }]\n",
        "accounts:\n  - sid: a\n    users: [{ email: a@b, role: admin, password: x }]\n",
        "accounts:\n  - sid: a\n  - sid: a\n",
        "accounts:\n  - sid: a\n    applications: [{ sid: x, notice_url: ftp://x }]\n",
        "accounts:\n  - sid: a\n    applications: [{ sid: x, webhook_secret: whsec_x }]\n",
        "accounts:\n  - sid: a\n    applications: [{ sid: x, destinations: [emergency] }]\n",
        "accounts:\n  - sid: a\n    applications:\n      - sid: x\n        media: [{ name: a/b, file: x }]\n",
        "accounts:\n  - sid: a\n    applications:\n      - sid: x\n        media: [{ name: a, file: nowhere.wav }]\n",
        "accounts:\n  - sid: a\n    caller_ids: [{ number: \"13800100001\", trunk: t, trunks: [u] }]\n",
        "trunks:\n  - { name: t, uri: \"sip:u@x\" }\n",
        "trunks:\n  - { name: t, uri: \"sip:x\", number_format: local }\n",
        "trunks:\n  - { name: t, uri: \"sip:x\", number_format: { prefix: \"x\" } }\n",
        "trunks:\n  - { name: t, uri: \"sip:x\", home_area: \"10\" }\n",
        "trunks:\n  - { name: t, uri: \"sip:x\", password: p }\n",
        "trunks:\n  - { name: t, uri: \"sip:x\", register: true }\n",
        "trunks:\n  - { name: t, uri: \"sip:x\", codecs: [] }\n",
        "trunks: nothing\n",
        "trunks: [\n",
    ];
    let folder_name = folder.path().display().to_string();
    let told: Vec<String> = texts
        .iter()
        .map(|text| {
            read_in(folder.path(), text).unwrap_err().to_string().replace(&folder_name, "FOLDER")
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"));
}

/// A certificate as far as a document looks into it.
const PEM: &str = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";

#[test]
fn everything_that_a_trunk_may_say_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ca.pem"), PEM).unwrap();
    let text = r#"
trunks:
  - name: t
    uri: sips:carrier.example
    tls: { ca_file: ca.pem }
    from_domain: sip.example.com
    session_timer: { interval_s: 600, refresher: us }
    reliable: required
    register: true
    register_user: "01080001000"
    register_expires_s: 600
    probe_s: 0
  - { name: pinned, uri: "sip:x;transport=tls", tls: { fingerprint: FINGERPRINT }, session_timer: off }
routes:
  - { prefix: 0086139, trunks: [t, pinned] }
  - { prefix: "010", trunks: [t] }
"#;
    let file = read_in(folder.path(), &text.replace("FINGERPRINT", &"ab".repeat(32))).unwrap();
    let docs: Vec<_> =
        file.resources.iter().map(|resource| (&*resource.key, &resource.doc)).collect();
    assert_eq!(
        serde_json::to_value(docs[0].1).unwrap(),
        json!({
            "name": "t", "uri": "sip:carrier.example;transport=tls", "tls": { "ca": PEM },
            "from_domain": "sip.example.com", "reliable": "required", "register": true,
            "session_timer": { "interval_s": 600, "min_s": 90, "refresher": "us" },
            "register_user": "01080001000", "register_expires_s": 600, "probe_s": 0,
        })
    );
    assert_eq!(docs[1].1["session_timer"], "off");
    assert_eq!(docs[1].1["tls"], json!({ "fingerprint": "ab".repeat(32) }));
    assert_eq!((docs[2].0, &docs[2].1["prefix"]), ("+86139", &json!("+86139")));
    assert_eq!((docs[3].0, &docs[3].1["trunks"]), ("+8610", &json!(["t"])));
    let travelled = DocumentFile::from_wire(file.to_wire()).unwrap();
    assert_eq!(self::docs(&travelled), self::docs(&file));
}

#[test]
fn what_is_wrong_with_a_trunk_or_a_route_is_told() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("no.pem"), "nothing").unwrap();
    // (fields of a trunk, the field that is at fault, what is said)
    let trunks = [
        ("register_user: x", "register_user", "needs register: true"),
        ("register_expires_s: 600", "register_expires_s", "needs register: true"),
        ("register: true, register_user: a@b", "register_user", "without @"),
        (
            "register: true, username: u, register_expires_s: 59",
            "register_expires_s",
            "60 to 86400",
        ),
        ("probe_s: 3601", "probe_s", "0 to 3600"),
        ("tls: { fingerprint: ab }", "tls.fingerprint", "64 hex digits"),
        ("tls: { ca_file: no.pem }", "tls.ca", "expected certificates in PEM"),
        ("tls: { ca_file: nowhere }", "tls.ca_file", "cannot be read"),
        ("tls: { ca_env: TOKEN }", "tls.ca", "expected certificates in PEM"),
        ("tls: {}", "tls", "transport=tls, or sips:"),
        ("from_domain: \"a b\"", "from_domain", "expected a host name"),
        ("session_timer: { min_s: 30 }", "session_timer", "min_s: expected 90"),
        ("session_timer: on", "session_timer", "expected off or"),
        ("reliable: maybe", "reliable", "unknown variant"),
    ];
    for (fields, field, said) in trunks {
        let text = format!("trunks:\n  - {{ name: t, uri: \"sip:x\", {fields} }}\n");
        let told = read_in(folder.path(), &text).unwrap_err().to_string();
        assert!(told.contains(said), "{fields}: {told}");
        assert!(
            told.starts_with("conf/tenant.yaml:2:") && told.contains(&format!("trunks[0].{field}")),
            "{fields}: {told}"
        );
    }
    let routes = [
        ("{ prefix: 1, trunks: [t] }", "routes[0].prefix", "different kinds"),
        ("{ prefix: \"139\", trunks: [] }", "routes[0].trunks", "at least one trunk"),
        ("{ prefix: \"139\", trunks: [t, t] }", "routes[0].trunks", "twice"),
        (
            "{ prefix: \"139\", trunks: [t] }, { prefix: \"+86139\", trunks: [t] }",
            "routes[1].prefix",
            "already",
        ),
    ];
    for (route, field, said) in routes {
        let told = read_in(folder.path(), &format!("routes: [{route}]\n")).unwrap_err().to_string();
        assert!(told.contains(field) && told.contains(said), "{route}: {told}");
    }
}

#[test]
fn everything_wrong_in_a_file_is_told_at_once() {
    let text = "trunks: [{ name: t, uri: \"sip:x\", password: p }]\naccounts: [{ sid: a, token: x }, { sid: a }]\n";
    let errors = read_in(Path::new("."), text).unwrap_err();
    assert_eq!(errors.iter().count(), 3, "{errors}");
}
