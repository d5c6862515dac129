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

#[test]
fn everything_wrong_in_a_file_is_told_at_once() {
    let text = "trunks: [{ name: t, uri: \"sip:x\", password: p }]\naccounts: [{ sid: a, token: x }, { sid: a }]\n";
    let errors = read_in(Path::new("."), text).unwrap_err();
    assert_eq!(errors.iter().count(), 3, "{errors}");
}
