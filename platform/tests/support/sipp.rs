//! sipp, an independent user agent, as the called side of one call: a ladder of steps, each of which
//! must come as it is written.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Stdio;

use tokio::process::{Child, Command};

/// One step of a ladder, as the called side sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rung {
    /// The INVITE comes.
    Invite,
    /// A provisional or final response without a body.
    Reply(u16),
    /// The same with a description of media.
    Describe(u16),
    /// The ACK comes.
    Ack,
    /// CANCEL comes; it is answered, the INVITE gets 487, whose ACK comes.
    Cancelled,
    /// We hang up, and our BYE is answered.
    Bye,
    /// BYE comes, and is answered.
    ByeComes,
    /// Our re-INVITE with a body that has this direction; answered by 200 whose body has that one.
    Change(&'static str, &'static str),
    /// Milliseconds.
    Pause(u32),
}

/// Port 9 (discard): sipp takes no part in the media.
fn body(direction: &str, version: u32) -> String {
    format!(
        "v=0\no=sipp 1 {version} IN IP4 [local_ip]\ns=-\nc=IN IP4 [local_ip]\nt=0 0\n\
         m=audio 9 RTP/AVP 8 101\na=rtpmap:101 telephone-event/8000\na={direction}\n"
    )
}

/// To a request that has just come; `method` is its name in CSeq.
fn response(code: u16, method: &str, body: &str) -> String {
    let content = if body.is_empty() { "" } else { "Content-Type: application/sdp\n" };
    format!(
        "<send><![CDATA[\n\nSIP/2.0 {code} Test\n[last_Via:]\n[last_From:]\nTo: [$3];tag=[call_number]\n\
         [last_Call-ID:]\nCSeq: [last_cseq_number] {method}\n\
         Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>\n\
         {content}Content-Length: [len]\n\n{body}]]></send>\n"
    )
}

/// A request of ours within the dialog.
fn request(method: &str, cseq: u32, body: &str) -> String {
    let content = if body.is_empty() { "" } else { "Content-Type: application/sdp\n" };
    let retransmit = if method == "ACK" { "" } else { " retrans=\"500\"" };
    format!(
        "<send{retransmit}><![CDATA[\n\n{method} [$2] SIP/2.0\n\
         Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]\n\
         From: [$3];tag=[call_number]\nTo: [$4]\n[last_Call-ID:]\nCSeq: {cseq} {method}\n\
         Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>\nMax-Forwards: 70\n\
         {content}Content-Length: [len]\n\n{body}]]></send>\n"
    )
}

/// What is kept of the INVITE for requests of ours: the caller's Contact, To and From.
const INVITE: &str = "<recv request=\"INVITE\"><action>
<ereg regexp=\"&lt;(.*)&gt;\" search_in=\"hdr\" header=\"Contact:\" assign_to=\"1,2\"/>
<ereg regexp=\"[^ ].*\" search_in=\"hdr\" header=\"To:\" assign_to=\"3\"/>
<ereg regexp=\"[^ ].*\" search_in=\"hdr\" header=\"From:\" assign_to=\"4\"/>
</action></recv>\n<Reference variables=\"1,2,3,4\"/>\n";

fn scenario(ladder: &[Rung]) -> String {
    let mut xml =
        String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<scenario name=\"ladder\">\n");
    let mut cseq = 0;
    for rung in ladder {
        let part = match rung {
            Rung::Invite => INVITE.to_owned(),
            Rung::Reply(code) => response(*code, "INVITE", ""),
            Rung::Describe(code) => response(*code, "INVITE", &body("sendrecv", 1)),
            Rung::Ack => "<recv request=\"ACK\"/>\n".to_owned(),
            Rung::Cancelled => {
                let (ok, end) = (response(200, "CANCEL", ""), response(487, "INVITE", ""));
                format!("<recv request=\"CANCEL\"/>\n{ok}{end}<recv request=\"ACK\"/>\n")
            }
            Rung::Bye => {
                cseq += 1;
                request("BYE", cseq, "") + "<recv response=\"200\"/>\n"
            }
            Rung::ByeComes => "<recv request=\"BYE\"/>\n".to_owned() + &response(200, "BYE", ""),
            Rung::Change(ours, theirs) => {
                cseq += 1;
                let (offer, ack) =
                    (request("INVITE", cseq, &body(ours, cseq + 1)), request("ACK", cseq, ""));
                format!(
                    "{offer}<recv response=\"100\" optional=\"true\"/>\n<recv response=\"200\">\
                     <action><ereg regexp=\"a={theirs}\" search_in=\"body\" check_it=\"true\" \
                     assign_to=\"5\"/></action></recv>\n<Reference variables=\"5\"/>\n{ack}"
                )
            }
            Rung::Pause(ms) => format!("<pause milliseconds=\"{ms}\"/>\n"),
        };
        write!(xml, "{part}").unwrap();
    }
    xml.push_str("</scenario>\n");
    xml
}

/// A sipp that runs; killed when dropped.
pub(crate) struct Sipp {
    name: String,
    child: Child,
}

impl Sipp {
    /// Listens on this port (UDP) for one call that goes so; its files go into `folder`.
    pub(crate) fn start(name: &str, folder: &Path, port: u16, ladder: &[Rung]) -> Self {
        let file = folder.join(format!("{name}.xml"));
        std::fs::write(&file, scenario(ladder)).unwrap();
        let child = Command::new("sipp")
            .current_dir(folder)
            .arg("-sf")
            .arg(&file)
            .args(["-i", "127.0.0.1", "-p", &port.to_string(), "-m", "1", "-t", "u1"])
            .args(["-timeout", "30s", "-timeout_error", "-nostdin", "-trace_err"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("sipp is installed (Debian package sip-tester)");
        Self { name: name.to_owned(), child }
    }

    /// Waits for its end; the call has to have gone as written.
    pub(crate) async fn finish(self) {
        let output = self.child.wait_with_output().await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: sipp said {}\n{said}", self.name, output.status);
    }
}
