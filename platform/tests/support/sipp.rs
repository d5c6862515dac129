//! sipp, an independent user agent, as the called side of one call: a ladder of steps, each of which
//! must come as it is written. Its media are somebody else's ([`super::earpiece`]): sipp says where
//! they are to go, and takes no part in them.

use std::fmt::Write as _;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::process::{Child, Command};

use super::earpiece::KEYS_TYPE;

/// One step of a ladder, as the called side sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rung {
    /// The INVITE comes.
    Invite,
    /// A provisional or final response without a body.
    Reply(u16),
    /// The same with a description of media.
    Describe(u16),
    /// A refusal, with this Reason header (RFC 3326).
    Refuse(u16, &'static str),
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
    /// Both offer at once (RFC 3261 §14.2): our re-INVITE wants an offer, and before we take that we
    /// make one of our own by UPDATE. It is refused with 491, and taken when it comes again.
    Glare,
    /// Our INFO with a key, as gateways send it; answered by 200.
    Info(char),
    /// The test says that it is time ([`Sipp::cue`]).
    Cue,
    /// Milliseconds.
    Pause(u32),
}

/// The description of its media at this port.
fn body(port: u16, direction: &str, version: u32) -> String {
    format!(
        "v=0\no=sipp 1 {version} IN IP4 [local_ip]\ns=-\nc=IN IP4 [local_ip]\nt=0 0\n\
         m=audio {port} RTP/AVP 8 {KEYS_TYPE}\na=rtpmap:{KEYS_TYPE} telephone-event/8000\n\
         a={direction}\n"
    )
}

/// To the INVITE, whatever has come since; `extra` are headers of its own.
fn answer(code: u16, extra: &str, body: &str) -> String {
    respond(code, "Via: [$6]\nFrom: [$4]", "[$7]", extra, body)
}

/// To the request that has just come; `method` is its name in CSeq.
fn response(code: u16, method: &str) -> String {
    let cseq = format!("[last_cseq_number] {method}");
    respond(code, "[last_Via:]\n[last_From:]", &cseq, "", "")
}

fn respond(code: u16, head: &str, cseq: &str, extra: &str, body: &str) -> String {
    let content = if body.is_empty() { "" } else { SDP };
    format!(
        "<send><![CDATA[\n\nSIP/2.0 {code} Test\n{head}\nTo: [$3];tag=[call_number]\n\
         [last_Call-ID:]\nCSeq: {cseq}\n\
         Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>\n\
         {extra}{content}Content-Length: [len]\n\n{body}]]></send>\n"
    )
}

const SDP: &str = "Content-Type: application/sdp\n";

/// A request of ours within the dialog.
fn request(method: &str, cseq: u32, body: &str) -> String {
    request_with(method, cseq, if body.is_empty() { "" } else { SDP }, body)
}

fn request_with(method: &str, cseq: u32, content: &str, body: &str) -> String {
    let retransmit = if method == "ACK" { "" } else { " retrans=\"500\"" };
    format!(
        "<send{retransmit}><![CDATA[\n\n{method} [$2] SIP/2.0\n\
         Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]\n\
         From: [$3];tag=[call_number]\nTo: [$4]\n[last_Call-ID:]\nCSeq: {cseq} {method}\n\
         Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>\nMax-Forwards: 70\n\
         {content}Content-Length: [len]\n\n{body}]]></send>\n"
    )
}

/// What is kept of the INVITE: the caller's Contact, To, From, Via and CSeq.
const INVITE: &str = "<recv request=\"INVITE\"><action>
<ereg regexp=\"&lt;(.*)&gt;\" search_in=\"hdr\" header=\"Contact:\" assign_to=\"1,2\"/>
<ereg regexp=\"[^ ].*\" search_in=\"hdr\" header=\"To:\" assign_to=\"3\"/>
<ereg regexp=\"[^ ].*\" search_in=\"hdr\" header=\"From:\" assign_to=\"4\"/>
<ereg regexp=\"[^ ].*\" search_in=\"hdr\" header=\"Via:\" assign_to=\"6\"/>
<ereg regexp=\"[^ ].*\" search_in=\"hdr\" header=\"CSeq:\" assign_to=\"7\"/>
<log message=\"[call_id]\"/>
</action></recv>\n<Reference variables=\"1,2,3,4,6,7\"/>\n";

/// Something has to be answered so.
fn answered(code: u16) -> String {
    format!("<recv response=\"100\" optional=\"true\"/>\n<recv response=\"{code}\"/>\n")
}

fn scenario(ladder: &[Rung], media: u16) -> String {
    let mut xml =
        String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<scenario name=\"ladder\">\n");
    let mut cseq = 0;
    for rung in ladder {
        let part = match rung {
            Rung::Invite => INVITE.to_owned(),
            Rung::Reply(code) => answer(*code, "", ""),
            Rung::Describe(code) => answer(*code, "", &body(media, "sendrecv", 1)),
            Rung::Refuse(code, reason) => answer(*code, &format!("Reason: {reason}\n"), ""),
            Rung::Ack => "<recv request=\"ACK\"/>\n".to_owned(),
            Rung::Cancelled => {
                let (ok, end) = (response(200, "CANCEL"), answer(487, "", ""));
                format!("<recv request=\"CANCEL\"/>\n{ok}{end}<recv request=\"ACK\"/>\n")
            }
            Rung::Bye => {
                cseq += 1;
                request("BYE", cseq, "") + &answered(200)
            }
            Rung::ByeComes => "<recv request=\"BYE\"/>\n".to_owned() + &response(200, "BYE"),
            Rung::Change(ours, theirs) => {
                cseq += 1;
                let offer = request("INVITE", cseq, &body(media, ours, cseq + 1));
                let ack = request("ACK", cseq, "");
                format!(
                    "{offer}<recv response=\"100\" optional=\"true\"/>\n<recv response=\"200\">\
                     <action><ereg regexp=\"a={theirs}\" search_in=\"body\" check_it=\"true\" \
                     assign_to=\"5\"/></action></recv>\n<Reference variables=\"5\"/>\n{ack}"
                )
            }
            Rung::Glare => {
                let first = cseq + 1;
                cseq += 3;
                let ours = body(media, "sendrecv", cseq);
                [
                    request("INVITE", first, "") + &answered(200),
                    request("UPDATE", first + 1, &ours) + &answered(491),
                    request("ACK", first, &ours),
                    request("UPDATE", cseq, &body(media, "sendrecv", cseq + 1)) + &answered(200),
                ]
                .concat()
            }
            Rung::Info(key) => {
                cseq += 1;
                let content = "Content-Type: application/dtmf-relay\n";
                let body = format!("Signal={key}\nDuration=160\n");
                request_with("INFO", cseq, content, &body) + &answered(200)
            }
            Rung::Cue => "<nop><action><log message=\"waits\"/></action></nop>\n\
                          <recv request=\"MESSAGE\"/>\n"
                .to_owned(),
            Rung::Pause(ms) => format!("<pause milliseconds=\"{ms}\"/>\n"),
        };
        write!(xml, "{part}").unwrap();
    }
    xml.push_str("</scenario>\n");
    xml
}

/// Whether somebody has bound this UDP port of 127.0.0.1. Not found out by binding it, which would
/// be in the way of who is about to.
fn listens(port: u16) -> bool {
    let sockets = std::fs::read_to_string("/proc/net/udp").unwrap();
    sockets.contains(&format!(": 0100007F:{port:04X} "))
}

/// A sipp that runs; killed when dropped.
pub(crate) struct Sipp {
    name: String,
    child: Child,
    port: u16,
    /// Where it notes its Call-ID, and each cue that it waits for.
    log: PathBuf,
    cues: AtomicU32,
}

impl Sipp {
    /// Listens on this port (UDP) for one call that goes so, whose media are at the port `media`;
    /// its files go into `folder`. It takes the five ports after its own too, for its control and
    /// media of its own that it insists on: of the usual ones there are enough for 50 processes.
    ///
    /// It listens when this returns: an INVITE to a port where nobody listens yet is refused by the
    /// system.
    pub(crate) async fn start(
        name: &str,
        folder: &Path,
        port: u16,
        media: u16,
        ladder: &[Rung],
    ) -> Self {
        let file = folder.join(format!("{name}.xml"));
        std::fs::write(&file, scenario(ladder, media)).unwrap();
        let log = folder.join(format!("{name}.log"));
        let child = Command::new("sipp")
            .current_dir(folder)
            .arg("-sf")
            .arg(&file)
            .args(["-i", "127.0.0.1", "-p", &port.to_string(), "-m", "1", "-t", "u1"])
            .args(["-cp", &(port + 1).to_string(), "-mp", &(port + 2).to_string()])
            .args(["-timeout", "60s", "-timeout_error", "-nostdin", "-trace_err"])
            .args(["-trace_logs", "-log_file"])
            .arg(&log)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("sipp is installed (Debian package sip-tester)");
        super::until(&format!("{name} listens"), || listens(port)).await;
        Self { name: name.to_owned(), child, port, log, cues: AtomicU32::new(0) }
    }

    /// Waits until it has come to [`Rung::Cue`], and lets it go on: by a MESSAGE within its call,
    /// which nobody answers.
    pub(crate) async fn cue(&self) {
        let cseq = self.cues.fetch_add(1, Ordering::Relaxed) + 1;
        let name = format!("{} waits for cue {cseq}", self.name);
        let log = || std::fs::read_to_string(&self.log).unwrap_or_default();
        super::until(&name, || log().matches("waits\n").count() >= cseq as usize).await;
        let log = log();
        let call = log.lines().next().expect("it has been called before");
        let message = format!(
            "MESSAGE sip:sipp@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKcue{cseq}\r\n\
             From: <sip:test@127.0.0.1>;tag=cue\r\nTo: <sip:sipp@127.0.0.1>\r\nCall-ID: {call}\r\n\
             CSeq: {cseq} MESSAGE\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        );
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.send_to(message.as_bytes(), ("127.0.0.1", self.port)).unwrap();
    }

    /// Waits for its end; the call has to have gone as written.
    pub(crate) async fn finish(self) {
        let output = self.child.wait_with_output().await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: sipp said {}\n{said}", self.name, output.status);
    }
}
