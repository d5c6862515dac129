//! The fake network against sipp, an independent user agent, over UDP and TCP.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a failed set-up is a failed test")]

mod support;

use std::fmt::Write as _;
use std::net::TcpListener;
use std::process::Command;

use support::Sim;

/// One step of a sipp scenario.
#[derive(Debug, Clone, Copy)]
enum Step {
    Invite,
    /// Must come.
    Receive(u16),
    /// May come.
    MayReceive(u16),
    /// ACK of a 2xx.
    Ack,
    /// ACK of any other final response: same branch as the INVITE.
    AckFailure,
    Cancel,
    Bye,
    /// The network's BYE, answered by 200.
    ReceiveBye,
    Pause(u32),
}

use Step::{Ack, AckFailure, Bye, Cancel, Invite, MayReceive, Pause, Receive, ReceiveBye};

/// Port 9 (discard): sipp itself takes no part in the media.
const OFFER: &str = "v=0
o=user 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [local_ip]
t=0 0
m=audio 9 RTP/AVP 8 101
a=rtpmap:101 telephone-event/8000
";

fn request(method: &str, branch: &str, to_tag: &str, cseq: u32, body: &str) -> String {
    let content = if body.is_empty() { "" } else { "Content-Type: application/sdp\n" };
    format!(
        "<send{retransmit}><![CDATA[

{method} sip:[service]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch={branch}
From: <sip:sipp@[local_ip]:[local_port]>;tag=[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>{to_tag}
Call-ID: [call_id]
CSeq: {cseq} {method}
Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>
Max-Forwards: 70
{content}Content-Length: [len]

{body}]]></send>\n",
        retransmit = if method == "ACK" { "" } else { " retrans=\"500\"" },
    )
}

fn scenario(steps: &[Step]) -> String {
    // sipp's own branch changes with each send: the INVITE's is spelled out, so that CANCEL and
    // the ACK of a failure can carry it again.
    let first = "z9hG4bK-[call_id]-one";
    let mut xml =
        String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<scenario name=\"case\">\n");
    for step in steps {
        let part = match step {
            Invite => request("INVITE", first, "", 1, OFFER),
            Receive(code) => format!("<recv response=\"{code}\"/>\n"),
            MayReceive(code) => format!("<recv response=\"{code}\" optional=\"true\"/>\n"),
            Ack => request("ACK", "[branch]", "[peer_tag_param]", 1, ""),
            AckFailure => request("ACK", first, "[peer_tag_param]", 1, ""),
            Cancel => request("CANCEL", first, "", 1, ""),
            Bye => request("BYE", "[branch]", "[peer_tag_param]", 2, ""),
            ReceiveBye => "<recv request=\"BYE\"/>\n<send><![CDATA[\n\nSIP/2.0 200 OK\n[last_Via:]\n[last_From:]\n\
                 [last_To:]\n[last_Call-ID:]\n[last_CSeq:]\nContent-Length: 0\n\n]]></send>\n"
                .to_owned(),
            Pause(ms) => format!("<pause milliseconds=\"{ms}\"/>\n"),
        };
        write!(xml, "{part}").unwrap();
    }
    xml.push_str("</scenario>\n");
    xml
}

/// A port that was free a moment ago: sipp's own search trips over its brothers.
fn free_port() -> String {
    let probe = TcpListener::bind("127.0.0.1:0").unwrap();
    probe.local_addr().unwrap().port().to_string()
}

fn run_sipp(sim: &Sim, number: &str, transport: &str, steps: &[Step]) {
    let file = sim.folder.path().join(format!("{number}.xml"));
    std::fs::write(&file, scenario(steps)).unwrap();
    let output = Command::new("sipp")
        .current_dir(sim.folder.path())
        .arg("-sf")
        .arg(&file)
        .args(["-s", number, "-i", "127.0.0.1", "-m", "1", "-l", "1", "-t", transport])
        .args(["-p", &free_port()])
        .args(["-timeout", "20s", "-timeout_error", "-nostdin", "-trace_err"])
        .arg(sim.address.to_string())
        .output()
        .expect("sipp is installed (Debian package sip-tester)");
    assert!(
        output.status.success(),
        "{number} over {transport}: sipp said {}\n{}\n{:#?}",
        output.status,
        String::from_utf8_lossy(&output.stderr),
        sim.events()
    );
}

#[test]
fn each_number_behaves_over_udp_and_tcp() {
    let cases: [(&str, &[Step], &[&str]); 8] = [
        (
            "00",
            &[Invite, Receive(100), Receive(180), Receive(200), Ack, Pause(200), Bye, Receive(200)],
            &["invite", "ringing", "answered", "acked", "bye_received", "ended"],
        ),
        (
            "10",
            &[Invite, MayReceive(100), Receive(486), AckFailure],
            &["invite", "refused", "ended", "acked"],
        ),
        (
            "11",
            &[
                Invite,
                Receive(100),
                Receive(180),
                Pause(200),
                Cancel,
                Receive(200),
                Receive(487),
                AckFailure,
            ],
            &["invite", "ringing", "cancel", "refused", "ended", "acked"],
        ),
        (
            "12",
            &[Invite, Receive(100), Receive(180), Receive(603), AckFailure],
            &["invite", "ringing", "refused", "ended", "acked"],
        ),
        (
            "13",
            &[Invite, Receive(100), Receive(404), AckFailure],
            &["invite", "refused", "ended", "acked"],
        ),
        (
            "14",
            &[Invite, Receive(100), Receive(503), AckFailure],
            &["invite", "refused", "ended", "acked"],
        ),
        (
            "15",
            &[Invite, Receive(100), Receive(183), Receive(200), Ack, Bye, Receive(200)],
            &["invite", "ringing", "answered", "acked", "bye_received", "ended"],
        ),
        (
            "16",
            &[Invite, Receive(100), Receive(180), Receive(200), Ack, ReceiveBye],
            &["invite", "ringing", "answered", "acked", "bye_sent", "ended", "bye_answered"],
        ),
    ];
    // sipp's names of its transports.
    let networks = ["u1", "t1"].map(|transport| {
        let sim = Sim::start(&["--answer-after-ms", "300", "--rtp", "42000-42999"]);
        (transport, sim)
    });
    std::thread::scope(|scope| {
        for (transport, sim) in &networks {
            for (digits, steps, story) in cases {
                scope.spawn(move || {
                    let number = format!("138001380{digits}");
                    run_sipp(sim, &number, transport, steps);
                    sim.wait_for(&number, story.last().unwrap(), 1);
                    assert_eq!(sim.story(&number), story, "{number} over {transport}");
                });
            }
        }
    });
}
