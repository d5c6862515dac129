//! `yunling doctor` over good settings, beside a running node, and over every kind of broken ones.

#![expect(clippy::unwrap_used, reason = "a failed set-up is a failed test")]

mod support;

use std::net::{SocketAddr, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::{Value, json};
use support::carrier::Carrier;
use support::command;
use support::node::merge;
use support::ports::Ports;
use support::tenant;
use support::world::World;
use tempfile::TempDir;

/// A folder with settings and a tenant.
struct Place {
    folder: TempDir,
    _ports: Ports,
    sip: u16,
}

impl Place {
    fn new(carrier: SocketAddr, over: &Value, change: impl FnOnce(&mut Value)) -> Self {
        let (folder, ports) = (tempfile::tempdir().unwrap(), Ports::claim());
        let (http, sip) = (ports.named(0), ports.named(2));
        let mut settings = json!({
            "node": "10000",
            "data_dir": "./data",
            "database": { "url": "sqlite://./data/yunling.db" },
            "http": { "listen": format!("127.0.0.1:{http}") },
            "sip": { "listen": [format!("udp:127.0.0.1:{sip}")] },
            "rtp": { "address": "127.0.0.1", "ports": ports.rtp() },
            "callbacks": { "allow": ["127.0.0.0/8"] },
            "resources": ["./tenant.yaml"],
        });
        merge(&mut settings, over);
        let mut tenant = tenant::document(&[carrier], &format!("http://127.0.0.1:{http}/cdr"));
        tenant["trunks"][0]["max_calls"] = json!(5);
        change(&mut tenant);
        let write = |name: &str, value: &Value| {
            std::fs::write(folder.path().join(name), value.to_string()).unwrap();
        };
        write("yunling.yaml", &settings);
        write("tenant.yaml", &tenant);
        Self { folder, _ports: ports, sip }
    }

    fn config(&self) -> String {
        self.folder.path().join("yunling.yaml").to_str().unwrap().to_owned()
    }

    fn data(&self) -> std::path::PathBuf {
        let data = self.folder.path().join("data");
        std::fs::create_dir_all(&data).unwrap();
        data
    }
}

async fn doctor(config: &str) -> (bool, Value) {
    let said = command::run(&["doctor", "--json", "--config", config]).await;
    let report = serde_json::from_str(&said.text());
    (said.success, report.unwrap_or_else(|_| panic!("{}", said.stderr)))
}

fn checks(report: &Value) -> &Vec<Value> {
    report["checks"].as_array().unwrap()
}

fn failed(report: &Value) -> Vec<&str> {
    let failed = checks(report).iter().filter(|check| check["verdict"] == "fail");
    failed.map(|check| check["name"].as_str().unwrap()).collect()
}

fn check<'a>(report: &'a Value, name: &str) -> &'a Value {
    let mut all = checks(report).iter();
    all.find(|check| check["name"].as_str().unwrap().starts_with(name))
        .unwrap_or_else(|| panic!("no check {name}: {report:#}"))
}

fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_sound_node_is_found_sound_before_its_first_start_and_nothing_is_left_behind() {
    let carrier = Carrier::start(&[]).await;
    let place = Place::new(carrier.address(), &json!({}), |_| {});
    let (success, report) = doctor(&place.config()).await;
    assert!(success, "{report:#}");
    assert_eq!(report["well"], true);
    let trunk = check(&report, "trunk carrier-a");
    assert_eq!(trunk["verdict"], "ok", "{trunk}");
    assert!(trunk["found"]["en"].as_str().unwrap().contains("answers 200 over udp"), "{trunk}");
    let media = check(&report, "media");
    assert!(media["found"]["en"].as_str().unwrap().contains("packets out"), "{media}");
    assert_eq!(files(place.folder.path()), ["tenant.yaml", "yunling.yaml"]);

    let said = command::run(&["doctor", "--lang", "zh", "--config", &place.config()]).await;
    assert!(said.success, "{}", said.stderr);
    assert!(said.text().contains("正常  settings"), "{}", said.text());
}

#[tokio::test]
async fn a_running_node_is_asked_and_not_disturbed() {
    let world = World::usual().await;
    let config = world.node.config().to_str().unwrap().to_owned();
    let before = world.node.healthz().await.unwrap().0;
    let (success, report) = doctor(&config).await;
    // The claimed range of a test holds fewer calls than its carrier takes.
    assert_eq!(failed(&report), ["rtp_ports"], "{report:#}");
    assert!(!success);
    for (name, words) in [
        ("node", "healthz says it is well"),
        ("sip udp", "held by the node that runs"),
        ("sip tcp", "held by the node that runs"),
        ("database", "schema up to date"),
        ("database_writes", "a commit takes"),
        ("secret_key", "only its owner"),
        ("trunk carrier-a", "answers 200"),
        ("callback 127.0.0.1", "can be reached"),
    ] {
        let found = &check(&report, name)["found"]["en"];
        assert!(found.as_str().unwrap().contains(words), "{name}: {found}");
    }
    assert_eq!((before, world.node.healthz().await.unwrap().0), (200, 200));
    world.api.notice("13800000000", &json!({})).await;
    world.carrier().wait_for("13800000000", "ended").await;
}

#[tokio::test]
async fn each_fault_is_named_with_what_to_do() {
    let carrier = Carrier::start(&[]).await;
    let deaf = Carrier::start(&["--options", "silent"]).await;
    let refusing = Carrier::start(&["--options", "refuse"]).await;
    type Break = fn(&Place);
    let nothing: Break = |_| {};
    let no_change: fn(&mut Value) = |_| {};
    let large: fn(&mut Value) = |tenant| tenant["trunks"][0]["max_calls"] = json!(50_000);
    let closed: fn(&mut Value) = |tenant| {
        tenant["accounts"][0]["applications"][0]["notice_url"] = json!("http://10.0.0.1:9/cdr");
    };
    let nowhere: fn(&mut Value) = |tenant| {
        tenant["accounts"][0]["applications"][0]["notice_url"] =
            json!("http://nowhere.invalid/cdr");
    };
    let typing_error: fn(&mut Value) = |tenant| tenant["trunks"][0]["uri"] = json!("sip:");
    let open_key: Break = |place| {
        let key = place.data().join("secret.key");
        std::fs::write(&key, "test 00\n").unwrap();
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    };
    let no_database: Break = |place| {
        std::fs::write(place.data().join("yunling.db"), "this is no database at all".repeat(99))
            .unwrap();
    };
    // name, carrier, settings, tenant, what else is broken, check, words of what was found and advised
    let cases: [(&str, SocketAddr, Value, fn(&mut Value), Break, &str, &str, &str); 13] = [
        (
            "a wrong key",
            carrier.address(),
            json!({ "htpp": {} }),
            no_change,
            nothing,
            "settings",
            "htpp",
            "deploy/yunling.yaml",
        ),
        (
            "a wrong document",
            carrier.address(),
            json!({}),
            typing_error,
            nothing,
            "configuration",
            "trunks[0].uri",
            "correct the documents",
        ),
        (
            "no such folder",
            carrier.address(),
            json!({ "data_dir": "/proc/nothing" }),
            no_change,
            nothing,
            "data_dir",
            "cannot be made",
            "change data_dir",
        ),
        (
            "a key that others read",
            carrier.address(),
            json!({}),
            no_change,
            open_key,
            "secret_key",
            "mode 644",
            "chmod 600",
        ),
        (
            "no database",
            carrier.address(),
            json!({}),
            no_change,
            no_database,
            "database",
            "database",
            "database.url",
        ),
        (
            "a foreign address",
            carrier.address(),
            json!({ "sip": { "listen": ["udp:203.0.113.5:5060"] } }),
            no_change,
            nothing,
            "sip udp",
            "cannot be bound",
            "address of this machine",
        ),
        (
            "a foreign media address",
            carrier.address(),
            json!({ "rtp": { "address": "203.0.113.5" } }),
            no_change,
            nothing,
            "rtp_address",
            "cannot be bound",
            "rtp.public_address",
        ),
        (
            "too few ports",
            carrier.address(),
            json!({}),
            large,
            nothing,
            "rtp_ports",
            "the trunks take 50000",
            "widen rtp.ports",
        ),
        (
            "a wildcard",
            carrier.address(),
            json!({ "rtp": { "address": "0.0.0.0" } }),
            no_change,
            nothing,
            "address rtp",
            "told 0.0.0.0",
            "rtp.public_address",
        ),
        (
            "a deaf carrier",
            deaf.address(),
            json!({}),
            no_change,
            nothing,
            "trunk carrier-a",
            "does not answer",
            "firewalls",
        ),
        (
            "a carrier that refuses",
            refusing.address(),
            json!({}),
            no_change,
            nothing,
            "trunk carrier-a",
            "answers 503",
            "ask it",
        ),
        (
            "a closed receiver",
            carrier.address(),
            json!({}),
            closed,
            nothing,
            "callback 10.0.0.1",
            "private",
            "callbacks.allow",
        ),
        (
            "an unknown receiver",
            carrier.address(),
            json!({}),
            nowhere,
            nothing,
            "callback nowhere.invalid",
            "cannot be resolved",
            "name servers",
        ),
    ];
    for (what, carrier, over, change, break_it, name, found, advice) in cases {
        let place = Place::new(carrier, &over, change);
        break_it(&place);
        let (success, report) = doctor(&place.config()).await;
        assert!(!success, "{what}: {report:#}");
        let check = check(&report, name);
        assert_eq!(check["verdict"], "fail", "{what}: {check}");
        let said = |field: &str| check[field]["en"].as_str().unwrap().to_owned();
        assert!(said("found").contains(found), "{what}: {}", said("found"));
        assert!(said("advice").contains(advice), "{what}: {}", said("advice"));
        assert!(!check["advice"]["zh"].as_str().unwrap().is_empty());
    }

    let place = Place::new(carrier.address(), &json!({}), |_| {});
    let _another = UdpSocket::bind(("127.0.0.1", place.sip)).unwrap();
    let (_, report) = doctor(&place.config()).await;
    assert_eq!(failed(&report), [format!("sip udp:127.0.0.1:{}", place.sip)], "{report:#}");
}
