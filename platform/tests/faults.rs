//! A full disk, a locked database, a stop with calls up, a start that cannot succeed: calls go on,
//! nothing that was accepted is lost, and the operator is told what is wrong and where.

#![expect(clippy::unwrap_used, reason = "a failed look-up is a failed test")]

mod support;

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use support::api::{Accepted, Api, notice_body};
use support::disk::Disk;
use support::lock::Lock;
use support::node::Node;
use support::phones::{assert_no_handset_was_left, assert_nobody_was_called_twice, phones};
use support::ports::Ports;
use support::process::Process;
use support::refused_start::refused_start;
use support::states::wait_for_state;
use support::world::{Plan, World};
use support::{LOOK, PATIENCE, results};

/// `database_unavailable` of the error catalogue.
const DATABASE_UNAVAILABLE: &str = "50002";
/// After this time with the database back, everything that waited for it is written.
const CATCH_UP: Duration = Duration::from_secs(20);

/// Answers at once and listens: some 18 s with [`long_contents`].
const LISTENER: &str = "13800800100";
/// Rings for 8 s, then answers.
const LATE: &str = "13800800218";
/// Waits for a line.
const QUEUED: &str = "13800800355";

fn long_contents() -> Value {
    let question = json!({ "type": "voice", "content": "prompt2.wav" });
    json!({ "contents": [question, question, question, question], "times": 2 })
}

fn patient() -> Value {
    json!({ "calls": { "queue_max_wait": { "notices_s": 600 } } })
}

fn lines(count: u32) -> impl Fn(&mut Value) {
    move |document| document["trunks"][0]["max_calls"] = json!(count)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_go_on_while_the_disk_is_full_and_nothing_is_lost() {
    let disk = Disk::mount(32);
    let mut settings = patient();
    settings["data_dir"] = json!(disk.path());
    settings["database"] =
        json!({ "url": format!("sqlite://{}", disk.path().join("yunling.db").display()) });
    let plan = Plan { settings, tenant: Some(&lines(2)), ..Plan::default() };
    let world = World::start(plan).await;
    ride_out(world, || disk.fill()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_go_on_while_another_process_holds_the_database_and_nothing_is_lost() {
    let plan = Plan { settings: patient(), tenant: Some(&lines(2)), ..Plan::default() };
    let world = World::start(plan).await;
    let database = world.node.data_dir().join("yunling.db");
    ride_out(world, || Lock::take(&database)).await;
}

/// One call up, one ringing, one waiting for a line; then the database takes no writes until both
/// calls have ended, and 15 s have passed.
async fn ride_out<Trouble>(mut world: World, begin: impl FnOnce() -> Trouble) {
    let up = world.api.notice(LISTENER, &long_contents()).await;
    wait_for_state(&world.api, &up, "answered").await;
    let ringing = world.api.notice(LATE, &json!({ "times": 1 })).await;
    wait_for_state(&world.api, &ringing, "ringing").await;
    let queued = world.api.notice(QUEUED, &json!({ "times": 1 })).await;
    let mut accepted = vec![up.clone(), ringing.clone(), queued.clone()];

    let began = Instant::now();
    let trouble = begin();
    accepted.extend(post_until_refused(&world.api).await);
    wait_until_unhealthy(&world.node, "database").await;
    assert_eq!(world.carrier().count(LISTENER, "ended"), 0, "the call goes on meanwhile");
    for (to, name) in [(LISTENER, "the call that was up"), (LATE, "the call that rang")] {
        let ended = world.carrier().wait_for(to, "ended").await;
        assert_eq!(ended["by"], "caller", "{name} ended properly: {ended}");
        assert!(ended["talked_ms"].as_u64() > Some(1_000), "{name} was spoken to: {ended}");
    }
    tokio::time::sleep(Duration::from_secs(15).saturating_sub(began.elapsed())).await;
    assert_eq!(
        world.carrier().count(QUEUED, "invite"),
        0,
        "a line is free, but what cannot be written down must not be dialled"
    );
    let (status, body) = world.node.healthz().await.expect("it answers");
    assert_eq!(status, 503, "{body}");
    assert!(world.customer.callbacks().is_empty(), "what is not stored is not told");

    drop(trouble);
    let over = Instant::now();
    world.node.wait_until_healthy().await;
    for (call, name) in [(&up, "the call that was up"), (&ringing, "the call that rang")] {
        let result = world.customer.wait_for_result(&call.request_id).await.json();
        assert_eq!(result["result"], "0", "{name}: {result}");
        assert_eq!(result["answertime"].as_str().map(str::len), Some(14), "{name}: {result}");
        let record = world.api.call(&call.call_id).await;
        assert_eq!(record["state"], "ended", "{name}: {record}");
    }
    assert!(over.elapsed() < CATCH_UP, "records came only after {:?}", over.elapsed());
    accepted.push(world.api.notice("13800800455", &json!({ "times": 1 })).await);
    for call in &accepted {
        let result = world.customer.wait_for_result(&call.request_id).await;
        assert_eq!(result.field("result"), "0", "{}", result.json());
    }
    assert_eq!(results::by_request(&world.customer.callbacks()).len(), accepted.len());
    let phones = phones(&world.carrier().events());
    assert_nobody_was_called_twice(&phones);
    assert_no_handset_was_left(&phones);
}

/// Posts until the platform says that it cannot store; gives what it has still accepted (a log file
/// may have a little room).
async fn post_until_refused(api: &Api) -> Vec<Accepted> {
    let mut accepted = Vec::new();
    let deadline = Instant::now() + PATIENCE;
    for n in 0_u32.. {
        let to = format!("13981{:04}55", n % 10_000);
        let reply = api.post_notice(&notice_body(&to, &json!({ "times": 1 }))).await;
        if reply.body["statusCode"] != "0" {
            assert_eq!(reply.body["statusCode"], "-5", "{reply:?}");
            assert_eq!(reply.body["errorCode"], DATABASE_UNAVAILABLE, "{reply:?}");
            assert!(reply.body["errorDetail"].as_str().is_some_and(|text| text.len() > 10));
            assert!(reply.headers.contains_key("retry-after"), "{reply:?}");
            break;
        }
        accepted.push(Accepted::of(&to, &reply));
        assert!(Instant::now() < deadline, "{n} notices were accepted without a database");
    }
    accepted
}

async fn wait_until_unhealthy(node: &Node, reason: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let health = node.healthz().await;
        if let Some((503, body)) = &health
            && body.contains(reason)
        {
            return;
        }
        assert!(Instant::now() < deadline, "no 503 for {reason} within {PATIENCE:?}: {health:?}");
        tokio::time::sleep(LOOK * 10).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_lets_calls_end_dials_nothing_more_and_loses_nothing() {
    let plan = Plan { settings: patient(), tenant: Some(&lines(1)), ..Plan::default() };
    let mut world = World::start(plan).await;
    let up = world.api.notice(LISTENER, &long_contents()).await;
    wait_for_state(&world.api, &up, "answered").await;
    let queued = world.api.notice(QUEUED, &json!({ "times": 1 })).await;
    wait_for_state(&world.api, &queued, "queued").await;

    world.node.process().signal("TERM");
    wait_until_unhealthy(&world.node, "draining").await;
    // Whoever asks meanwhile is answered: taken for the next start, or told to come again.
    let late = notice_body("13800800455", &json!({ "times": 1 }));
    let late = world.api.post_notice(&late).await;
    let late = match late.body["statusCode"].as_str() {
        Some("0") => Some(Accepted::of("13800800455", &late)),
        Some("-5") => {
            assert!(late.headers.contains_key("retry-after"), "{late:?}");
            None
        }
        _ => panic!("{late:?}"),
    };
    let deadline = Instant::now() + PATIENCE;
    let status = loop {
        if let Some(status) = world.node.exited() {
            break status;
        }
        assert!(Instant::now() < deadline, "it does not end");
        tokio::time::sleep(LOOK).await;
    };
    assert_eq!(status.code(), Some(0), "{status}");
    let ended = world.carrier().wait_for(LISTENER, "ended").await;
    assert_eq!(ended["by"], "caller", "{ended}");
    // Twice four phrases of 1.9 s with their pauses.
    assert!(ended["talked_ms"].as_u64() > Some(14_000), "it was let to its end: {ended}");
    assert_eq!(world.carrier().count(QUEUED, "invite"), 0, "nothing new is dialled");

    world.node.restart().await;
    for call in [Some(up), Some(queued), late].iter().flatten() {
        let result = world.customer.wait_for_result(&call.request_id).await;
        assert_eq!(result.field("result"), "0", "{}", result.json());
    }
    let results = results::by_request(&world.customer.callbacks());
    assert!(results.values().all(|result| result["result"] == "0"), "{results:?}");
    let phones = phones(&world.carrier().events());
    assert_nobody_was_called_twice(&phones);
    assert_no_handset_was_left(&phones);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_process_with_the_same_node_number_refuses_to_start() {
    let mut world = World::usual().await;
    let ports = Ports::claim();
    let text = std::fs::read_to_string(world.node.folder().join("yunling.yaml")).unwrap();
    let mut settings: Value = serde_json::from_str(&text).unwrap();
    settings["http"]["listen"] = json!(format!("127.0.0.1:{}", ports.named(0)));
    settings["sip"]["listen"] = json!([format!("udp:127.0.0.1:{}", ports.named(2))]);
    settings["rtp"]["ports"] = json!(ports.rtp());
    let second = world.node.folder().join("second.yaml");
    std::fs::write(&second, settings.to_string()).unwrap();

    let (status, said) = refused_start(&second).await;
    assert!(!status.success(), "{said}");
    assert!(said.contains("node 10000 is taken"), "{said}");
    assert!(said.contains("another `node`"), "it says what to do: {said}");

    world.node.wait_until_healthy().await;
    let accepted = world.api.notice("13800900155", &json!({ "times": 1 })).await;
    let result = world.customer.wait_for_result(&accepted.request_id).await;
    assert_eq!(result.field("result"), "0", "the first one works on: {}", result.json());
}

/// A start that fails for its HTTP port has dialled nobody: the rows wait for a start that succeeds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_whose_http_port_is_taken_says_so_and_dials_nobody() {
    let mut world = World::start(Plan { settings: patient(), ..Plan::default() }).await;
    world.node.kill_9();
    let config = world.node.folder().join("yunling.yaml");
    let queued = queue_without_dialling(&mut world, &config).await;

    let address = world.node.url().trim_start_matches("http://").to_owned();
    let squatter = TcpListener::bind(&address).unwrap();
    let (status, said) = refused_start(&config).await;
    assert!(!status.success(), "{said}");
    assert!(said.contains("http.listen") && said.contains(&address), "{said}");
    let rung = phones(&world.carrier().events());
    assert!(rung.is_empty(), "phones rang before the start had failed: {rung:?}");

    drop(squatter);
    world.node.restart().await;
    for call in &queued {
        let result = world.customer.wait_for_result(&call.request_id).await;
        assert_eq!(result.field("result"), "0", "{}", result.json());
    }
    assert_nobody_was_called_twice(&phones(&world.carrier().events()));
}

async fn wait_until_it_answers(node: &Node, process: &mut Process) {
    let deadline = Instant::now() + PATIENCE;
    while node.healthz().await.is_none_or(|(status, _)| status != 200) {
        process.assert_running();
        assert!(Instant::now() < deadline, "it does not start");
        tokio::time::sleep(LOOK).await;
    }
}

/// Has notices accepted by a process that does not dial, and ends it.
async fn queue_without_dialling(world: &mut World, config: &Path) -> Vec<Accepted> {
    let arguments = ["serve", "--config", config.to_str().unwrap(), "--roles", "api"];
    let output = config.with_extension("api.log");
    let mut only_api = Process::start("api", &arguments, &output);
    wait_until_it_answers(&world.node, &mut only_api).await;
    let mut queued = Vec::new();
    for n in 0..20 {
        let to = format!("1380100{n:02}55");
        queued.push(world.api.notice(&to, &json!({ "times": 1 })).await);
    }
    only_api.kill_9();
    assert!(world.carrier().events().iter().all(|event| event["kind"] != "invite"));
    queued
}

/// The smallest node.
const YUNLING: &str = r#"node: "10000"
data_dir: ./data
database: { url: "sqlite://./data/yunling.db" }
http: { listen: "127.0.0.1:HTTP" }
sip: { listen: ["udp:127.0.0.1:SIP"] }
rtp: { address: "127.0.0.1", ports: "RTP" }
resources: ["./tenant.yaml"]
"#;

/// The smallest tenant.
const TENANT: &str = r#"trunks:
  - name: carrier-a
    uri: "sip:127.0.0.1:5070;transport=udp"
accounts:
  - sid: demo
    token: "0123456789abcdef0123456789abcdef"
    caller_ids: [{ number: "01080001001", trunk: carrier-a }]
    applications:
      - sid: "1111"
        notice_url: "http://127.0.0.1:9000/cdr"
"#;

/// Writes both files with these ports, `change` being made in one of them.
fn write_configuration(folder: &Path, ports: &Ports, change: &Mistake) {
    let fill = |text: &str| {
        text.replace("HTTP", &ports.named(0).to_string())
            .replace("SIP", &ports.named(2).to_string())
            .replace("RTP", &ports.rtp())
    };
    for (file, text) in [("yunling.yaml", YUNLING), ("tenant.yaml", TENANT)] {
        let mut text = text.to_owned();
        if file == change.file {
            assert!(text.contains(change.from), "{:?} stands in {file}", change.from);
            text = text.replace(change.from, change.to);
        }
        std::fs::write(folder.join(file), fill(&text)).unwrap();
    }
}

/// Something that an operator got wrong.
struct Mistake {
    file: &'static str,
    from: &'static str,
    to: &'static str,
    /// Where the message has to point.
    place: &'static str,
    /// What else it has to say: the field, what was expected.
    says: &'static [&'static str],
}

const fn mistake(
    place: &'static str,
    file: &'static str,
    from: &'static str,
    to: &'static str,
    says: &'static [&'static str],
) -> Mistake {
    Mistake { file, from, to, place, says }
}

const NODE: &str = "yunling.yaml";
const DOCUMENT: &str = "tenant.yaml";

const MISTAKES: &[Mistake] = &[
    mistake("yunling.yaml:1:", NODE, r#""10000""#, "\"123\"", &["node", "exactly five digits"]),
    mistake("yunling.yaml:4:", NODE, "http:", "htpp:", &["htpp", "expected one of"]),
    mistake(
        "yunling.yaml:4:",
        NODE,
        "127.0.0.1:HTTP",
        "localhost",
        &["http.listen", "expected an address and a port"],
    ),
    mistake(
        "yunling.yaml:5:",
        NODE,
        "udp:127",
        "sctp:127",
        &["sip.listen[0]", "expected a listener"],
    ),
    mistake(
        "yunling.yaml:6:",
        NODE,
        "\"RTP\"",
        "\"20001-29999\"",
        &["rtp.ports", "expected ports such as"],
    ),
    mistake("yunling.yaml:", NODE, "[\"./tenant.yaml\"]", "[\"./tenant.yaml\"", &["expected"]),
    mistake(
        "nowhere.yaml",
        NODE,
        "./tenant.yaml",
        "./nowhere.yaml",
        &["cannot be read", "No such file"],
    ),
    mistake(
        "tenant.yaml:7:",
        DOCUMENT,
        "01080001001",
        "0108000100",
        &["accounts[0].caller_ids[0].number", "expected a mobile"],
    ),
    mistake(
        "tenant.yaml:7:",
        DOCUMENT,
        "trunk: carrier-a",
        "trunk: carrier-b",
        &["accounts[0].caller_ids[0]", "carrier-b"],
    ),
    mistake(
        "tenant.yaml:3:",
        DOCUMENT,
        "sip:127",
        "sip:user@127",
        &["trunks[0].uri", "expected a URI such as"],
    ),
    mistake(
        "tenant.yaml:6:",
        DOCUMENT,
        "0123456789abcdef0123456789abcdef",
        "short",
        &["accounts[0].token", "expected 16 to 256"],
    ),
    mistake(
        "tenant.yaml:6:",
        DOCUMENT,
        "token:",
        "tokn:",
        &["accounts[0]", "tokn", "expected one of"],
    ),
    mistake(
        "tenant.yaml:10:",
        DOCUMENT,
        "http://127",
        "ftp://127",
        &["notice_url", "expected an http:// or https:// URL"],
    ),
    mistake("tenant.yaml:", DOCUMENT, "carrier-a }]", "carrier-a }", &["expected"]),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mistake_in_the_configuration_is_told_with_its_place_and_what_was_expected() {
    let ports = Ports::claim();
    for mistake in MISTAKES {
        let folder = tempfile::tempdir().unwrap();
        write_configuration(folder.path(), &ports, mistake);
        let (status, said) = refused_start(&folder.path().join("yunling.yaml")).await;
        let what = format!("{} -> {}: {status}, {said}", mistake.from, mistake.to);
        assert!(status.code().is_some_and(|code| code != 0), "{what}");
        assert!(said.contains(mistake.place), "no place {:?} in {what}", mistake.place);
        for words in mistake.says {
            assert!(said.contains(words), "no {words:?} in {what}");
        }
        assert!(!said.contains("panicked"), "{what}");
    }
    // Without a mistake it starts: each refusal above was for its mistake.
    let folder = tempfile::tempdir().unwrap();
    write_configuration(folder.path(), &ports, &mistake("", "", "", "", &[]));
    let config = folder.path().join("yunling.yaml");
    let arguments = ["serve", "--config", config.to_str().unwrap()];
    let mut process = Process::start("node", &arguments, &folder.path().join("node.log"));
    let health = format!("http://127.0.0.1:{}/healthz", ports.named(0));
    let deadline = Instant::now() + PATIENCE;
    while reqwest::get(&health).await.ok().is_none_or(|answer| answer.status() != 200) {
        process.assert_running();
        assert!(Instant::now() < deadline, "it does not start");
        tokio::time::sleep(LOOK).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sip_port_that_is_taken_is_named() {
    let ports = Ports::claim();
    let squatter = UdpSocket::bind((Ipv4Addr::LOCALHOST, ports.named(2))).unwrap();
    let folder = tempfile::tempdir().unwrap();
    write_configuration(folder.path(), &ports, &mistake("", "", "", "", &[]));
    let (status, said) = refused_start(&folder.path().join("yunling.yaml")).await;
    assert!(!status.success(), "{said}");
    let address = squatter.local_addr().unwrap().to_string();
    assert!(said.contains("sip.listen") && said.contains(&address), "{said}");
    assert!(said.contains("in use"), "{said}");
}
