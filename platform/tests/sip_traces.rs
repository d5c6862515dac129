//! The SIP messages of conversations: gathered while a call runs, kept when it fails, shown to the
//! tenant without the carrier, to the operator with everything but credentials.

#![expect(clippy::unwrap_used, reason = "a failed set-up is a failed test")]

mod support;

use std::net::SocketAddr;
use std::time::Instant;

use serde_json::{Value, json};
use support::tenant::{ACCOUNT, line};
use support::world::{Plan, World};
use support::{LOOK, PATIENCE};
use tokio::net::UdpSocket;

/// The line over the trunk that asks for a password.
const CHALLENGED: &str = "01080001401";
const USER: &str = "trunk-user";
const PASSWORD: &str = "trunk-password";
const REALM: &str = "gateway.example";

/// Reads a text from the node, with these credentials.
async fn read(world: &World, path: &str, authorization: &str) -> (u16, Vec<u8>) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}{path}", world.node.url());
    let answer = client.get(url).header("authorization", authorization).send().await.unwrap();
    (answer.status().as_u16(), answer.bytes().await.unwrap().to_vec())
}

fn operator(world: &World) -> String {
    let token = std::fs::read_to_string(world.node.data_dir().join("operator.token")).unwrap();
    format!("Bearer {}", token.trim())
}

async fn as_operator(world: &World, conversation: &str, format: &str) -> Vec<u8> {
    let path =
        format!("/api/v1/accounts/{ACCOUNT}/conversations/{conversation}/sip?format={format}");
    let (status, body) = read(world, &path, &operator(world)).await;
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
    body
}

/// Calls a number, waits for its result, and gives its conversation.
async fn called(world: &World, from: &str, to: &str) -> String {
    let accepted = world.api.notice(to, &json!({ "from": from, "times": 1 })).await;
    let callback = world.customer.wait_for_result(&accepted.request_id).await;
    assert_eq!(callback.header("traceparent"), "", "no traces are exported");
    conversation_of(world, &accepted.call_id).await
}

async fn conversation_of(world: &World, call_id: &str) -> String {
    let reply = world.api.get(&format!("/api/v1/calls/{call_id}")).await;
    reply.body["conversationId"].as_str().unwrap().to_owned()
}

/// Waits until the trace of a conversation is stored, and gives it as the tenant sees it.
async fn kept(world: &World, conversation: &str) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let story = world.api.get(&format!("/api/v1/conversations/{conversation}")).await.body;
        if let Some(path) = story["sip"].as_str() {
            let reply = world.api.get(path).await;
            assert_eq!(reply.status, 200, "{:?}", reply.body);
            return reply.body;
        }
        assert!(Instant::now() < deadline, "not kept within {PATIENCE:?}: {story}");
        tokio::time::sleep(LOOK).await;
    }
}

fn starts(trace: &Value) -> Vec<String> {
    let messages = trace["messages"].as_array().unwrap();
    let start = |message: &Value| match message["status"].as_u64() {
        Some(status) => status.to_string(),
        None => message["method"].as_str().unwrap().to_owned(),
    };
    messages.iter().map(start).collect()
}

/// A gateway that asks for a password, and is busy for whoever has one.
async fn challenger() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = vec![0; 65_536];
        loop {
            let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
            let request = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if !request.starts_with("INVITE") {
                continue;
            }
            let repeated = ["Via:", "From:", "To:", "Call-ID:", "CSeq:"];
            let lines =
                request.lines().filter(|line| repeated.iter().any(|name| line.starts_with(name)));
            let head = lines
                .map(|line| {
                    if line.starts_with("To:") {
                        format!("{line};tag=t1\r\n")
                    } else {
                        format!("{line}\r\n")
                    }
                })
                .collect::<String>();
            let answer = if request.contains("Proxy-Authorization:") {
                format!("SIP/2.0 486 Busy Here\r\n{head}Content-Length: 0\r\n\r\n")
            } else {
                let challenge = format!(
                    "Digest realm=\"{REALM}\", nonce=\"abc123\", qop=\"auth\", algorithm=MD5"
                );
                format!(
                    "SIP/2.0 407 Proxy Authentication Required\r\n{head}Proxy-Authenticate: {challenge}\r\nContent-Length: 0\r\n\r\n"
                )
            };
            socket.send_to(answer.as_bytes(), from).await.unwrap();
        }
    });
    address
}

async fn world() -> World {
    let gateway = challenger().await;
    let tenant = |document: &mut Value| {
        let trunk = json!({
            "name": "challenger", "uri": format!("sip:{gateway}"), "username": USER, "password": PASSWORD,
        });
        document["trunks"].as_array_mut().unwrap().push(trunk);
        let lines = document["accounts"][0]["caller_ids"].as_array_mut().unwrap();
        lines.push(json!({ "number": CHALLENGED, "trunks": ["challenger"] }));
        document["accounts"]
            .as_array_mut()
            .unwrap()
            .push(json!({ "sid": "other", "token": "f".repeat(32) }));
    };
    World::start(Plan { tenant: Some(&tenant), carriers: &[&[], &[]], ..Plan::default() }).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_fails_keeps_its_messages() {
    let world = world().await;
    let conversation = called(&world, &line(0), "13800660010").await;
    let trace = kept(&world, &conversation).await;
    let starts = starts(&trace);
    assert_eq!(starts.first().map(String::as_str), Some("INVITE"), "{starts:?}");
    let place = |wanted: &str| starts.iter().position(|start| start == wanted);
    assert!(place("486") > place("INVITE") && place("ACK") > place("486"), "{starts:?}");
    assert_eq!(trace["legs"][0]["attempts"], json!([0]));
    let first = &trace["messages"][0];
    assert_eq!((&first["direction"], &first["cseq"]), (&json!("sent"), &json!("1 INVITE")));
    assert!(first["text"].as_str().unwrap().contains("m=audio"), "{first}");

    // The tenant is not told where the carrier is, in no form.
    let carrier = world.carrier().address();
    let path = format!("/api/v1/conversations/{conversation}/sip");
    let ladder = read_as_tenant(&world, &format!("{path}?format=ladder")).await;
    for word in ["INVITE SDP (1 INVITE)", "486 Busy Here (1 INVITE)", "ACK (1 ACK)", "try 1"] {
        assert!(ladder.contains(word), "{word}: {ladder}");
    }
    for text in
        [ladder, read_as_tenant(&world, &format!("{path}?format=text")).await, trace.to_string()]
    {
        // As a number of its own: an identifier has digits enough to hold any port by chance.
        let port = carrier.port().to_string();
        let has_port = text.split(|letter: char| !letter.is_ascii_digit()).any(|run| run == port);
        assert!(!text.contains("127.0.0.1") && !has_port, "{text}");
    }

    // The operator is.
    let ladder = String::from_utf8(as_operator(&world, &conversation, "ladder").await).unwrap();
    assert!(ladder.contains(&carrier.to_string()), "{ladder}");
    let capture = as_operator(&world, &conversation, "pcap").await;
    assert_eq!(packets(&capture).len(), starts.len());
    let sent = String::from_utf8_lossy(packets(&capture)[0]).into_owned();
    assert!(sent.contains("INVITE sip:"), "{sent}");

    // And nobody else has such a conversation.
    let foreign = world.api.of_account("other", &"f".repeat(32)).get(&path).await;
    assert_eq!((foreign.status, &foreign.body["code"]), (404, &json!("not_found")));
    let (status, _) = read(&world, &path, &operator(&world)).await;
    assert_eq!(status, 403, "the operator's token belongs to no account");
}

async fn read_as_tenant(world: &World, path: &str) -> String {
    use base64::Engine as _;
    let token = support::tenant::TOKEN;
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("{ACCOUNT}:{token}"));
    let (status, body) = read(world, path, &format!("Basic {basic}")).await;
    assert_eq!(status, 200, "{path}");
    String::from_utf8(body).unwrap()
}

/// The packets of a capture, by its own lengths.
fn packets(capture: &[u8]) -> Vec<&[u8]> {
    let mut packets = Vec::new();
    let mut rest = &capture[24..];
    while !rest.is_empty() {
        let length = usize::try_from(u32::from_le_bytes(rest[8..12].try_into().unwrap())).unwrap();
        packets.push(&rest[16..16 + length]);
        rest = &rest[16 + length..];
    }
    packets
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passwords_are_not_in_a_trace() {
    let world = world().await;
    let conversation = called(&world, CHALLENGED, "13800660100").await;
    let trace = kept(&world, &conversation).await;
    let expected = ["INVITE", "407", "ACK", "INVITE", "486", "ACK"];
    assert_eq!(starts(&trace), expected);
    let text = String::from_utf8(as_operator(&world, &conversation, "text").await).unwrap();
    assert!(text.contains("Proxy-Authorization: Digest …"), "{text}");
    assert!(text.contains(&format!("Proxy-Authenticate: Digest realm=\"{REALM}\"")), "{text}");
    for secret in [PASSWORD, USER, "response=", "cnonce="] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    let shown = trace.to_string();
    assert!(!shown.contains(REALM) && !shown.contains("abc123"), "{shown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_live_is_shown_and_what_went_well_is_not_kept() {
    let world = world().await;
    // Nobody replies: the INVITE is repeated.
    let silent = world.api.notice("13800660019", &json!({ "from": line(1) })).await;
    // Rings for 8 s.
    let ringing = world.api.notice("13800660018", &json!({ "from": line(0), "times": 1 })).await;
    world.carrier().wait_for("13800660018", "ringing").await;
    let live = conversation_of(&world, &ringing.call_id).await;
    let path = format!("/api/v1/conversations/{live}/sip");
    let deadline = Instant::now() + PATIENCE;
    loop {
        let reply = world.api.get(&path).await;
        if reply.status == 200 && starts(&reply.body).contains(&"180".to_owned()) {
            break;
        }
        assert!(Instant::now() < deadline, "{reply:?}");
        tokio::time::sleep(LOOK).await;
    }

    let silent_one = conversation_of(&world, &silent.call_id).await;
    let trace = kept(&world, &silent_one).await;
    let repeated = trace["messages"].as_array().unwrap().iter();
    let repeated = repeated.filter(|message| message["repeated"] == true).count();
    assert!(repeated >= 2, "{:?}", starts(&trace));
    let ladder = as_operator(&world, &silent_one, "ladder").await;
    assert!(String::from_utf8(ladder).unwrap().contains("|  again\n"));

    world.customer.wait_for_result(&ringing.request_id).await;
    let reply = world.api.get(&path).await;
    assert_eq!((reply.status, &reply.body["code"]), (404, &json!("sip_trace_not_kept")));
    let detail = reply.body["detail"].as_str().unwrap();
    assert!(detail.contains("sip_trace.keep"), "{detail}");
}
